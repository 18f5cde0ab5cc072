// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"fmt"
	"time"

	"citywall/eventstore"
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
	if _, err := s.where(sc, q); err != nil { // before anything else is done
		return 0, s.fault("count", err)
	}
	var n int64
	err := s.ask(ctx, "count", func(r *snapshot) error {
		w, err := s.where(sc, q)
		if err != nil {
			return err
		}
		if err := r.conn.QueryRowContext(ctx, "SELECT count(*) FROM ("+r.union("ts", w)+")", w.b.Args...).Scan(&n); err != nil {
			return err
		}
		return r.partial(w)
	})
	return n, err
}

// Histogram implements eventstore.Store.
func (s *Store) Histogram(ctx context.Context, sc identity.Scope, q eventstore.Query, width time.Duration) ([]eventstore.Bucket, error) {
	if width < time.Microsecond || width%time.Microsecond != 0 {
		return nil, fault.New(fault.Invalid, "histogram: a bar is a whole number of microseconds wide, not %v", width)
	}
	if _, err := s.where(sc, q); err != nil {
		return nil, s.fault("histogram", err)
	}
	// Not To.Sub(From), which is cut at 292 years.
	bars := (q.To.UnixMicro() - q.From.UnixMicro() + width.Microseconds() - 1) / width.Microseconds()
	if bars > maxBuckets {
		return nil, fault.New(fault.Invalid, "histogram: %d bars are too many (at most %d); make them wider", bars, maxBuckets)
	}
	var out []eventstore.Bucket
	err := s.ask(ctx, "histogram", func(r *snapshot) error {
		out = make([]eventstore.Bucket, 0, bars)
		for t := q.From.UTC(); t.Before(q.To); t = t.Add(width) {
			out = append(out, eventstore.Bucket{Start: t})
		}
		return s.histogram(ctx, r, sc, q, width, out)
	})
	return out, err
}

func (s *Store) histogram(ctx context.Context, r *snapshot, sc identity.Scope, q eventstore.Query, width time.Duration, out []eventstore.Bucket) error {
	w, err := s.where(sc, q)
	if err != nil {
		return err
	}
	// A time that is less than From in its nanoseconds belongs to the
	// microsecond before.
	from := w.b.Arg(q.From.UTC().Truncate(time.Microsecond))
	ns, us := w.b.Arg(int64(q.From.Nanosecond()%1000)), w.b.Arg(width.Microseconds())
	rows, err := r.conn.QueryContext(
		ctx, fmt.Sprintf(
			"SELECT (epoch_us(ts) - epoch_us(%s::TIMESTAMP) - (CASE WHEN ns < %s THEN 1 ELSE 0 END)) // %s AS n, count(*) FROM (%s) GROUP BY 1",
			from, ns, us, r.union("ts, ns", w),
		), w.b.Args...,
	)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i, n int64
		if err := rows.Scan(&i, &n); err != nil {
			return err
		}
		if i < 0 || i >= int64(len(out)) {
			return fmt.Errorf("an event fell into bar %d of %d", i, len(out))
		}
		out[i].Count = n
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return r.partial(w)
}

// Top implements eventstore.Store.
func (s *Store) Top(ctx context.Context, sc identity.Scope, q eventstore.Query, field string, n int) ([]eventstore.Count, error) {
	if n < 1 || n > maxTop {
		return nil, fault.New(fault.Invalid, "top: 1 to %d values, not %d", maxTop, n)
	}
	if _, err := s.where(sc, q); err != nil {
		return nil, s.fault("top", err)
	}
	if _, native := eventstore.Native(field); !native {
		name, _ := eventstore.Column(field)
		if kind, _ := eventstore.KindOf(name); kind == eventstore.KindTime || kind == eventstore.KindID {
			return nil, fault.New(fault.Invalid, "top: the values of %s are all different", name)
		}
	}
	var out []eventstore.Count
	err := s.ask(ctx, "top", func(r *snapshot) (err error) {
		out, err = s.top(ctx, r, sc, q, field, n)
		return err
	})
	return out, err
}

func (s *Store) top(ctx context.Context, r *snapshot, sc identity.Scope, q eventstore.Query, field string, n int) ([]eventstore.Count, error) {
	w, err := s.where(sc, q)
	if err != nil {
		return nil, err
	}
	var value string
	if name, ok := eventstore.Native(field); ok {
		value = "unnest(" + dialect{s.spellings}.nativeValues(&w.b, name) + ") AS v"
	} else {
		name, _ := eventstore.Column(field)
		kind, _ := eventstore.KindOf(name)
		d := dialect{}
		value = d.AsText(kind, d.Column(name)) + " AS v"
	}
	rows, err := r.conn.QueryContext(
		ctx, "SELECT v, count(*) AS c FROM ("+r.union(value, w)+") WHERE v IS NOT NULL GROUP BY v ORDER BY c DESC, v LIMIT "+w.b.Arg(int64(n)), w.b.Args...,
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []eventstore.Count
	for rows.Next() {
		var c eventstore.Count
		if err := rows.Scan(&c.Value, &c.Count); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, r.partial(w)
}

var _ eventstore.Keeper = (*Store)(nil)
