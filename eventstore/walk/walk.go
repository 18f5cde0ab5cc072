// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package walk is how an engine goes through the time of a query: a page in
// growing windows, an export in slices that fit into memory, the known ids of a
// batch in pieces. The engine says what lies in a stretch of time; the order,
// the bounds and the page marks are decided here.
//
// It promises that every event of a query is met once, in the order of the
// query. It asks no engine by itself, and keeps nothing.
package walk

import (
	"cmp"
	"context"
	"slices"
	"time"

	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
)

// Key is where an event stands in the order of a result.
type Key struct {
	US int64 // microseconds since 1970, rounded down
	NS int16 // nanoseconds beyond them
	ID event.ID
}

// KeyOf returns where e stands.
func KeyOf(e *event.Event) Key {
	at := eventstore.When(e)
	return Key{at.UnixMicro(), int16(at.Nanosecond() % 1000), e.ID}
}

// Check refuses what no engine answers. Filters are checked by sqlfilter.
func Check(q eventstore.Query) error {
	switch {
	case !eventstore.Timed(q.From) || !eventstore.Timed(q.To):
		return fault.New(fault.Invalid, "a search needs a beginning and an end in time")
	case q.To.Before(q.From):
		return fault.New(fault.Invalid, "the search ends at %s, before it begins at %s", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	case q.Sort != "" && q.Sort != eventstore.Newest && q.Sort != eventstore.Oldest:
		return fault.New(fault.Invalid, "unknown order %q: want newest or oldest", q.Sort)
	}
	return nil
}

// Page sizes of a search.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Windows say how the time of a page is looked through.
type Windows struct {
	First  time.Duration // the first window is this part of the time asked for
	Growth time.Duration // each is as many times as wide as the one before
	Least  time.Duration
}

// Page returns the keys of the first n events of q that stand beyond after, nil
// for the beginning.
//
// A page needs a hundred events of a day that may have hundreds of millions. So
// the time is looked through in windows from the side where the order begins:
// a page of what is frequent ends in the first, and what is rare costs one
// reading of the whole and the planning of a few statements more. keys returns
// the first n keys of a query beyond after.
func Page(q eventstore.Query, after *Key, n int, w Windows, keys func(q eventstore.Query, n int) ([]Key, error)) ([]Key, error) {
	from, to := q.From, q.To
	oldest := q.Sort == eventstore.Oldest
	if after != nil {
		us := time.UnixMicro(after.US).UTC()
		if oldest && us.After(from) {
			from = us
		}
		if end := us.Add(time.Microsecond); !oldest && end.Before(to) {
			to = end
		}
	}
	var out []Key
	for width := max(to.Sub(from)/w.First, w.Least); len(out) < n && from.Before(to); width *= w.Growth {
		q.From, q.To = from, to
		if last := to.Sub(from) <= width || width > 1<<58; !last && oldest {
			q.To = from.Add(width)
		} else if !last {
			q.From = to.Add(-width)
		}
		ks, err := keys(q, n-len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, ks...)
		if oldest {
			from = q.To
		} else {
			to = q.From
		}
	}
	return out, nil
}

// Part is a stretch of time and what lies in it.
type Part struct {
	From, To    int64 // microseconds since 1970, To exclusive
	Rows, Bytes int64
}

// Source is what Each asks an engine. Its times are microseconds since 1970,
// to exclusive; they lie within the query's bounds to the microsecond.
type Source interface {
	// Count returns the parts of [from, to), each of width, in which there is
	// something, oldest first.
	Count(ctx context.Context, from, to, width int64) ([]Part, error)
	// Read passes all events of [from, to) on, in order; beyond after, and at
	// most limit, where those are given. It returns the last key, nil when
	// there was nothing.
	Read(ctx context.Context, from, to int64, after *Key, limit int) (*Key, error)
}

// Slices bound what one Read of Each holds.
type Slices struct {
	Parts int64 // stretches that are counted at once
	Rows  int64
	Bytes int64
}

func (s Slices) small(p Part) bool { return p.Rows <= s.Rows && p.Bytes <= s.Bytes }

// Each goes through all events of q: it counts the rows and bytes of
// Slices.Parts stretches, joins small neighbours, and divides a stretch that is
// too large again. Every event is read once, and counted about twice.
func Each(ctx context.Context, q eventstore.Query, s Slices, src Source) error {
	w := walk{oldest: q.Sort == eventstore.Oldest, s: s, src: src}
	return w.slice(ctx, q.From.UTC().UnixMicro(), q.To.UTC().Add(999).UnixMicro())
}

type walk struct {
	oldest bool
	s      Slices
	src    Source
}

// slice walks [from, to), which may be of any size.
func (w *walk) slice(ctx context.Context, from, to int64) error {
	parts, err := w.src.Count(ctx, from, to, max(1, (to-from+w.s.Parts-1)/w.s.Parts))
	if err != nil {
		return err
	}
	if !w.oldest {
		slices.Reverse(parts)
	}
	for i := 0; i < len(parts); {
		p := parts[i]
		i++
		for w.s.small(p) && i < len(parts) {
			n := Part{min(p.From, parts[i].From), max(p.To, parts[i].To), p.Rows + parts[i].Rows, p.Bytes + parts[i].Bytes}
			if !w.s.small(n) {
				break
			}
			p = n
			i++
		}
		switch {
		case w.s.small(p):
			_, err = w.src.Read(ctx, p.From, p.To, nil, 0)
		case p.To-p.From > 1:
			err = w.slice(ctx, p.From, p.To)
		default:
			err = w.crowd(ctx, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// crowd walks more events of one microsecond than fit into memory at once, by
// their keys. Rows are bounded; their bytes are by the largest record.
func (w *walk) crowd(ctx context.Context, p Part) error {
	var last *Key
	for {
		k, err := w.src.Read(ctx, p.From, p.To, last, int(max(1, w.s.Rows/16)))
		if err != nil || k == nil {
			return err
		}
		last = k
	}
}

// Piece is a stretch of time in microseconds since 1970, both ends included.
type Piece struct{ From, To int64 }

// Pieces cuts times (microseconds since 1970) where they have gaps of more
// than gap, or of more if that gives more than most pieces. A record that comes
// again comes with its time, so only what lies in the pieces of a batch need be
// searched for its ids.
func Pieces(times []int64, gap time.Duration, most int) []Piece {
	times = slices.Clone(times)
	slices.SortFunc(times, cmp.Compare[int64])
	for g := gap.Microseconds(); ; g *= 4 {
		var out []Piece
		for _, t := range times {
			if n := len(out); n > 0 && t-out[n-1].To <= g {
				out[n-1].To = t
			} else {
				out = append(out, Piece{t, t})
			}
		}
		if len(out) <= most || g > 1<<58 {
			return out
		}
	}
}
