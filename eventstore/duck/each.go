// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
)

// The driver hands over a result only when all of it is in memory. So Each
// asks for one slice of time after the other: it counts the rows and bytes of
// sliceParts stretches, joins small neighbours, and divides a stretch that is
// too large again. Every event is read once, and counted about twice.
const (
	sliceParts = 256
	sliceRows  = 20_000
	sliceBytes = 32 << 20
)

// Each implements eventstore.Store. It sees one consistent state of the store
// throughout, events that arrive meanwhile not among them.
func (s *Store) Each(ctx context.Context, sc identity.Scope, q eventstore.Query, f func(*event.Event) error) error {
	if _, err := s.where(sc, q); err != nil {
		return s.fault("each", err)
	}
	for try := 0; ; try++ {
		r, err := s.snapshot(ctx)
		if err != nil {
			return s.fault("each", err)
		}
		passed := false
		w := walk{s: s, r: r, sc: sc, q: q, f: func(e *event.Event) error { passed = true; return f(e) }}
		err = w.slice(ctx, q.From.UTC().Truncate(time.Microsecond), q.To.UTC().Add(999).Truncate(time.Microsecond))
		if err == nil {
			err = w.partial()
		}
		r.end(ctx)
		var stop *stopped
		if errors.As(err, &stop) {
			return stop.err // of f, as it was
		}
		// What was passed on cannot be taken back, so only a walk that had not
		// begun is begun again. The next one will do without the file.
		if err == nil || !s.suspect(err, r.files) || passed || try > 0 || ctx.Err() != nil {
			return s.fault("each", err)
		}
	}
}

// stopped carries an error of the caller's function past our own wrapping.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }

type walk struct {
	s  *Store
	r  *snapshot
	sc identity.Scope
	q  eventstore.Query
	f  func(*event.Event) error
}

func (w *walk) partial() error {
	c, err := w.s.where(w.sc, w.q)
	if err != nil {
		return err
	}
	return w.r.partial(c)
}

// part is a stretch of time and what lies in it.
type part struct {
	from, to    time.Time // whole microseconds, to exclusive
	rows, bytes int64
}

func (p part) small() bool { return p.rows <= sliceRows && p.bytes <= sliceBytes }

// slice walks [from, to), which may be of any size.
func (w *walk) slice(ctx context.Context, from, to time.Time) error {
	parts, err := w.count(ctx, from, to)
	if err != nil {
		return err
	}
	if w.q.Sort != eventstore.Oldest {
		slices.Reverse(parts)
	}
	for i := 0; i < len(parts); {
		p := parts[i]
		i++
		for p.small() && i < len(parts) {
			n := part{p.from, p.to, p.rows + parts[i].rows, p.bytes + parts[i].bytes}
			if !n.small() {
				break
			}
			if parts[i].from.Before(n.from) {
				n.from = parts[i].from
			} else {
				n.to = parts[i].to
			}
			p = n
			i++
		}
		switch {
		case p.small():
			err = w.read(ctx, p)
		case p.to.Sub(p.from) > time.Microsecond:
			err = w.slice(ctx, p.from, p.to)
		default:
			err = w.crowd(ctx, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// count returns the parts of [from, to) in which there is something.
func (w *walk) count(ctx context.Context, from, to time.Time) ([]part, error) {
	c, err := w.where(from, to)
	if err != nil {
		return nil, err
	}
	span := to.UnixMicro() - from.UnixMicro()
	width := max(1, (span+sliceParts-1)/sliceParts)
	rows, err := w.r.conn.QueryContext(
		ctx, fmt.Sprintf(
			`SELECT (epoch_us(ts) - epoch_us(%s::TIMESTAMP)) // %s AS n, count(*), sum("size")::BIGINT FROM (%s) GROUP BY 1 ORDER BY 1`,
			c.b.Arg(from), c.b.Arg(width), w.r.union(`ts, "size"`, c),
		), c.b.Args...,
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []part
	for rows.Next() {
		var n int64
		var p part
		if err := rows.Scan(&n, &p.rows, &p.bytes); err != nil {
			return nil, err
		}
		p.from = time.UnixMicro(from.UnixMicro() + n*width).UTC()
		p.to = time.UnixMicro(from.UnixMicro() + (n+1)*width).UTC()
		if p.to.After(to) {
			p.to = to
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// where is the condition of the query within [from, to) as well.
func (w *walk) where(from, to time.Time) (*where, error) {
	q := w.q
	if q.From.Before(from) {
		q.From = from
	}
	if q.To.After(to) {
		q.To = to
	}
	return w.s.where(w.sc, q)
}

// read passes a small part on.
func (w *walk) read(ctx context.Context, p part) error {
	c, err := w.where(p.from, p.to)
	if err != nil {
		return err
	}
	_, err = w.pass(ctx, c, "")
	return err
}

// crowd walks more events of one microsecond than fit into memory at once, by
// their keys. Rows are bounded; their bytes are by the largest record.
func (w *walk) crowd(ctx context.Context, p part) error {
	const page = sliceRows / 16
	var last *key
	for {
		c, err := w.where(p.from, p.to)
		if err != nil {
			return err
		}
		if last != nil {
			c.add(beyond(&c.b, w.q.Sort, *last))
		}
		k, err := w.pass(ctx, c, fmt.Sprint(" LIMIT ", page))
		if err != nil || k == nil {
			return err
		}
		last = k
	}
}

// pass hands the events of one statement to f and returns the last key.
func (w *walk) pass(ctx context.Context, c *where, limit string) (*key, error) {
	rows, err := w.r.conn.QueryContext(
		ctx, w.r.union(eventColumns, c)+" ORDER BY "+orderBy(w.q.Sort)+limit, c.b.Args...,
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var last *key
	for rows.Next() {
		k, e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		last = &k
		if err := w.f(e); err != nil {
			return nil, &stopped{err}
		}
	}
	return last, rows.Err()
}
