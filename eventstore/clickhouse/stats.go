// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/walk"
	"citywall/identity"
	"citywall/internal/fault"
)

// Limits of what is counted in one question.
const (
	maxBuckets = 10_000
	maxTop     = 1000
)

// Count implements eventstore.Store.
func (s *Store) Count(ctx context.Context, sc identity.Scope, q eventstore.Query) (int64, error) {
	w, err := s.where(s.seen(), sc, q)
	if err != nil {
		return 0, storeFault("count", err)
	}
	var n uint64
	i, err := s.ask(ctx, func(partial bool) error {
		n = 0
		return s.each(ctx, partial, "SELECT count() FROM "+s.opt.Database+".events WHERE "+w.String(), w.b.Args, func(scan func(...any) error) error {
			return scan(&n)
		})
	})
	if err != nil {
		return 0, storeFault("count", err)
	}
	return int64(n), beside(i)
}

// each runs a statement and calls f for every row.
func (s *Store) each(ctx context.Context, partial bool, sql string, args []any, f func(scan func(...any) error) error) error {
	rows, err := s.query(ctx, partial, sql, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Histogram implements eventstore.Store.
func (s *Store) Histogram(ctx context.Context, sc identity.Scope, q eventstore.Query, width time.Duration) ([]eventstore.Bucket, error) {
	if width < time.Microsecond || width%time.Microsecond != 0 {
		return nil, fault.New(fault.Invalid, "histogram: a bar is a whole number of microseconds wide, not %v", width)
	}
	w, err := s.where(s.seen(), sc, q)
	if err != nil {
		return nil, storeFault("histogram", err)
	}
	// Not To.Sub(From), which is cut at 292 years.
	bars := (q.To.UnixMicro() - q.From.UnixMicro() + width.Microseconds() - 1) / width.Microseconds()
	if bars > maxBuckets {
		return nil, fault.New(fault.Invalid, "histogram: %d bars are too many (at most %d); make them wider", bars, maxBuckets)
	}
	// A time that is less than From in its nanoseconds belongs to the
	// microsecond before.
	sql := fmt.Sprintf("SELECT intDiv(us - (%s) - (ns < %s), %s) AS bar, count() FROM %s.events WHERE %s GROUP BY bar",
		w.b.Arg(q.From.UnixMicro()), w.b.Arg(int64(q.From.Nanosecond()%1000)), w.b.Arg(width.Microseconds()), s.opt.Database, w)
	var out []eventstore.Bucket
	i, err := s.ask(ctx, func(partial bool) error {
		out = make([]eventstore.Bucket, 0, bars)
		for t := q.From.UTC(); t.Before(q.To); t = t.Add(width) {
			out = append(out, eventstore.Bucket{Start: t})
		}
		return s.each(ctx, partial, sql, w.b.Args, func(scan func(...any) error) error {
			var n int64
			var c uint64
			if err := scan(&n, &c); err != nil {
				return err
			}
			if n < 0 || n >= int64(len(out)) {
				return fmt.Errorf("bar %d of %d", n, len(out))
			}
			out[n].Count = int64(c)
			return nil
		})
	})
	if err != nil {
		return nil, storeFault("histogram", err)
	}
	return out, beside(i)
}

// Top implements eventstore.Store.
func (s *Store) Top(ctx context.Context, sc identity.Scope, q eventstore.Query, field string, n int) ([]eventstore.Count, error) {
	if n < 1 || n > maxTop {
		return nil, fault.New(fault.Invalid, "top: 1 to %d values can be counted, not %d", maxTop, n)
	}
	w, err := s.where(s.seen(), sc, q)
	if err != nil {
		return nil, storeFault("top", err)
	}
	var value string
	if name, ok := eventstore.Native(field); ok {
		value = "arrayJoin(" + nativeValues(w.b, name) + ")"
	} else {
		name, _ := eventstore.Column(field)
		switch kind, _ := eventstore.KindOf(name); kind {
		case eventstore.KindTime, eventstore.KindID:
			return nil, fault.New(fault.Invalid, "top: the values of %s are all different", name)
		case eventstore.KindNumber:
			value = "toString(" + quoted(name) + ")"
			w.add(quoted(name) + " != 0")
		default:
			value = quoted(name)
			w.add(quoted(name) + " != ''")
		}
	}
	sql := fmt.Sprintf("SELECT %s AS val, count() AS num FROM %s.events WHERE %s GROUP BY val ORDER BY num DESC, val LIMIT %d", value, s.opt.Database, w, n)
	var out []eventstore.Count
	i, err := s.ask(ctx, func(partial bool) error {
		out = nil
		return s.each(ctx, partial, sql, w.b.Args, func(scan func(...any) error) error {
			var v string
			var c uint64
			if err := scan(&v, &c); err != nil {
				return err
			}
			out = append(out, eventstore.Count{Value: v, Count: int64(c)})
			return nil
		})
	})
	if err != nil {
		return nil, storeFault("top", err)
	}
	return out, beside(i)
}

// slices of an export: what one statement may bring.
var slicesOf = walk.Slices{Parts: 256, Rows: 20_000, Bytes: 32 << 20}

// Each implements eventstore.Store. It sees one consistent state of the store
// throughout, events that arrive meanwhile not among them. A shard that is gone
// from the beginning is left out and told; one that goes away under way makes
// it fail.
func (s *Store) Each(ctx context.Context, sc identity.Scope, q eventstore.Query, f func(*event.Event) error) error {
	src := source{s: s, v: s.seen(), sc: sc, q: q, f: f}
	if _, err := s.where(src.v, sc, q); err != nil {
		return storeFault("each", err)
	}
	begun := false
	src.begin = func() { begun = true }
	i, err := s.ask(ctx, func(partial bool) error {
		src.partial = partial
		err := walk.Each(ctx, q, slicesOf, &src)
		if begun && gone(err) { // what was passed on cannot be taken back
			return fault.New(fault.Unavailable, "a shard went away under way: %w", err)
		}
		return err
	})
	var stop *stopped
	if errors.As(err, &stop) {
		return stop.err // of f, as it was
	}
	if err != nil {
		return storeFault("each", err)
	}
	return beside(i)
}

// stopped carries an error of the caller's function past our own wrapping.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }

// source is a walk.Source.
type source struct {
	s       *Store
	v       view
	sc      identity.Scope
	q       eventstore.Query
	f       func(*event.Event) error
	partial bool
	begin   func() // called before the first event is passed on
}

// where is the condition of the query within [from, to) as well.
func (src *source) where(from, to int64) (*where, error) {
	q := src.q
	if t := time.UnixMicro(from).UTC(); q.From.Before(t) {
		q.From = t
	}
	if t := time.UnixMicro(to).UTC(); q.To.After(t) {
		q.To = t
	}
	return src.s.where(src.v, src.sc, q)
}

// Count implements walk.Source.
func (src *source) Count(ctx context.Context, from, to, width int64) ([]walk.Part, error) {
	w, err := src.where(from, to)
	if err != nil {
		return nil, err
	}
	sql := fmt.Sprintf("SELECT intDiv(us - (%s), %s) AS bar, count(), sum(size) FROM %s.events WHERE %s GROUP BY bar ORDER BY bar", w.b.Arg(from), w.b.Arg(width), src.s.opt.Database, w)
	var out []walk.Part
	err = src.s.each(ctx, src.partial, sql, w.b.Args, func(scan func(...any) error) error {
		var n int64
		var rows, bytes uint64
		if err := scan(&n, &rows, &bytes); err != nil {
			return err
		}
		out = append(out, walk.Part{From: from + n*width, To: min(to, from+(n+1)*width), Rows: int64(rows), Bytes: int64(bytes)})
		return nil
	})
	return out, err
}

// Read implements walk.Source.
func (src *source) Read(ctx context.Context, from, to int64, after *walk.Key, limit int) (*walk.Key, error) {
	w, err := src.where(from, to)
	if err != nil {
		return nil, err
	}
	if after != nil {
		w.add(beyond(w.b, src.q.Sort, *after))
	}
	sql := "SELECT " + eventColumns + " FROM " + src.s.opt.Database + ".events WHERE " + w.String() + " ORDER BY " + orderBy(src.q.Sort)
	if limit > 0 {
		sql += fmt.Sprint(" LIMIT ", limit)
	}
	rows, err := src.s.query(ctx, src.partial, sql, w.b.Args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var last *walk.Key
	for rows.Next() {
		k, e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		last = &k
		src.begin()
		if err := src.f(e); err != nil {
			return nil, &stopped{err}
		}
	}
	return last, rows.Err()
}
