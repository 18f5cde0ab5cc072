// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/sqlfilter"
)

// Ids are random, so an index over them costs more than the whole ingest and
// no zone map helps. But a record that comes again comes with its time, and
// tables are filled about in the order of time. So the batch is cut where its
// times have gaps, and only the row groups that overlap its pieces are read; and
// only ids are looked for that a table may have, see idFilter.
const (
	pieceGap  = time.Minute // times further apart than this are two pieces
	maxPieces = 16          // more would cost more to plan than they save
)

type identityKey struct {
	realm asset.Realm
	id    event.ID
}

// unseen returns the events of b that are neither repeated in it nor stored,
// each at its time.
func (s *Store) unseen(ctx context.Context, b eventstore.Batch) ([]placed, error) {
	out := make([]placed, 0, len(b.Events))
	in := make(map[identityKey]bool, len(b.Events))
	var timed, untimed []string
	var times []time.Time
	whole, _ := s.whole(s.files)
	maybe := s.suspects(whole)
	for i, e := range b.Events {
		k := identityKey{e.Realm, e.ID}
		if in[k] {
			continue
		}
		in[k] = true
		p := placed{e, i, eventstore.When(e)}
		out = append(out, p)
		hasTime := eventstore.Timed(e.Time)
		if !maybe.may(p, k, hasTime) {
			continue
		}
		if hasTime {
			timed, times = append(timed, e.ID.String()), append(times, p.when)
		} else {
			untimed = append(untimed, e.ID.String())
		}
	}
	known := map[identityKey]bool{}
	if len(timed) > 0 {
		w, ps := lookup(b.Case, timed), pieces(times)
		w.add("timed AND (" + inPieces(&w.b, ps) + ")")
		tables := slices.DeleteFunc(s.tableList(), func(t table) bool {
			return !slices.ContainsFunc(ps, func(p piece) bool { return t.holds(p.from, p.to.Add(1)) })
		})
		files := slices.DeleteFunc(slices.Clone(whole), func(f file) bool {
			return !slices.ContainsFunc(ps, func(p piece) bool { return f.holds(p.from, p.to.Add(1)) })
		})
		if err := s.findKnown(ctx, known, tables, files, w); err != nil {
			return nil, err
		}
	}
	if len(untimed) > 0 {
		// Such a record stands at the time it was received, which differs
		// when it comes again: look everywhere.
		w := lookup(b.Case, untimed)
		w.add("NOT timed")
		files := slices.DeleteFunc(slices.Clone(whole), func(f file) bool { return f.untimed == 0 })
		if err := s.findKnown(ctx, known, s.tableList(), files, w); err != nil {
			return nil, err
		}
	}
	if len(known) == 0 {
		return out, nil
	}
	return slices.DeleteFunc(out, func(p placed) bool { return known[identityKey{p.e.Realm, p.e.ID}] }), nil
}

func lookup(caseID string, ids []string) *where {
	w := &where{b: sqlfilter.Builder{Dialect: dialect{}}}
	w.add("case_id = " + w.b.Arg(caseID))
	w.add("id IN " + idList(&w.b, ids))
	return w
}

func (s *Store) findKnown(ctx context.Context, known map[identityKey]bool, tables []table, files []file, w *where) error {
	if len(tables)+len(files) == 0 {
		return nil
	}
	rows, err := s.w.QueryContext(ctx, s.union(tables, files, "realm, id", w), w.b.Args...)
	if err != nil {
		s.suspect(err, files) // so that the next try goes without it
		return fmt.Errorf("look for known events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var realm string
		var id duckdb.UUID
		if err := rows.Scan(&realm, &id); err != nil {
			return fmt.Errorf("look for known events: %w", err)
		}
		known[identityKey{asset.Realm(realm), event.ID(id)}] = true
	}
	return rows.Err()
}

// piece is a stretch of time, both ends included.
type piece struct{ from, to time.Time }

// pieces cuts times where they have gaps, into maxPieces at most.
func pieces(times []time.Time) []piece {
	slices.SortFunc(times, time.Time.Compare)
	for gap := pieceGap; ; gap *= 4 {
		var out []piece
		for _, t := range times {
			if n := len(out); n > 0 && t.Sub(out[n-1].to) <= gap {
				out[n-1].to = t
			} else {
				out = append(out, piece{t, t})
			}
		}
		if len(out) <= maxPieces || gap > 1<<60 {
			return out
		}
	}
}

func inPieces(b *sqlfilter.Builder, ps []piece) string {
	var parts []string
	for _, p := range ps {
		parts = append(parts, "ts BETWEEN "+b.Arg(p.from.Truncate(time.Microsecond))+" AND "+b.Arg(p.to.Truncate(time.Microsecond)))
	}
	return strings.Join(parts, " OR ")
}

// idList is a subquery of ids. They go as one text: a thirteenth of the cost of
// binding a list.
func idList(b *sqlfilter.Builder, ids []string) string {
	return "(SELECT unnest(string_split(" + b.Arg(strings.Join(ids, ",")) + ", ',')::UUID[]))"
}
