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

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/sqlfilter"
	"citywall/identity"
	"citywall/internal/fault"
)

// Page sizes of Search.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Search implements eventstore.Store.
func (s *Store) Search(ctx context.Context, sc identity.Scope, q eventstore.Query) (eventstore.Page, error) {
	if q.Limit < 0 || q.Limit > maxLimit {
		return eventstore.Page{}, fault.New(fault.Invalid, "search: a page has 1 to %d events, not %d", maxLimit, q.Limit)
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if _, err := s.where(sc, q); err != nil { // before anything else is done
		return eventstore.Page{}, s.fault("search", err)
	}
	var after *key
	if q.After != "" {
		k, err := s.readCursor(q.After, sc, q)
		if err != nil {
			return eventstore.Page{}, s.fault("search", err)
		}
		after = &k
	}
	var p eventstore.Page
	err := s.ask(ctx, "search", func(r *snapshot) error {
		p = eventstore.Page{}
		keys, err := s.page(ctx, r, sc, q, after, q.Limit+1)
		if err != nil {
			return err
		}
		if len(keys) > q.Limit {
			keys = keys[:q.Limit]
			p.Next = s.writeCursor(keys[q.Limit-1], sc, q)
		}
		w, err := s.where(sc, q)
		if err != nil {
			return err
		}
		p.Incomplete = r.incomplete(w)
		p.Events, err = r.events(ctx, s.scoped(sc), keys)
		return err
	})
	return p, err
}

// A page needs a hundred events of a day that may have hundreds of millions. So
// the time is looked through in windows from the side where the order begins,
// each windowGrowth times as wide as what was looked through before: a page of
// what is frequent ends in the first, and what is rare costs one reading of
// the whole and the planning of a few statements more.
const (
	windowFirst  = 4096 // the first window is this part of the time asked for
	windowGrowth = 8
	windowLeast  = time.Second
)

// page returns the keys of the first n events of q that stand beyond after.
func (s *Store) page(ctx context.Context, r *snapshot, sc identity.Scope, q eventstore.Query, after *key, n int) ([]key, error) {
	from, to := q.From, q.To
	oldest := q.Sort == eventstore.Oldest
	if after != nil && oldest && after.us.After(from) {
		from = after.us
	}
	if after != nil && !oldest && after.us.Add(time.Microsecond).Before(to) {
		to = after.us.Add(time.Microsecond)
	}
	var out []key
	for width := max(to.Sub(from)/windowFirst, windowLeast); len(out) < n && from.Before(to); width *= windowGrowth {
		q.From, q.To = from, to
		if last := to.Sub(from) <= width || width > 1<<58; !last && oldest {
			q.To = from.Add(width)
		} else if !last {
			q.From = to.Add(-width)
		}
		w, err := s.where(sc, q)
		if err != nil {
			return nil, err
		}
		if after != nil {
			w.add(beyond(&w.b, q.Sort, *after))
		}
		keys, err := r.keys(ctx, r.union("ts, ns, id", w), w, q.Sort, n-len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, keys...)
		if oldest {
			from = q.To
		} else {
			to = q.From
		}
	}
	return out, nil
}

// key is where an event stands in the order of a result.
type key struct {
	us time.Time // whole microseconds
	ns int16
	id event.ID
}

// keys returns the first n keys of what the union from selects. Only these few columns are read for the rows
// that are not on the page.
func (r *snapshot) keys(ctx context.Context, from string, w *where, sort eventstore.Sort, n int) ([]key, error) {
	rows, err := r.conn.QueryContext(
		ctx, from+" ORDER BY "+orderBy(sort)+" LIMIT "+w.b.Arg(int64(n)), w.b.Args...,
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []key
	for rows.Next() {
		var k key
		var id duckdb.UUID
		if err := rows.Scan(&k.us, &k.ns, &id); err != nil {
			return nil, err
		}
		k.us, k.id = k.us.UTC(), event.ID(id)
		out = append(out, k)
	}
	return out, rows.Err()
}

func orderBy(s eventstore.Sort) string {
	if s == eventstore.Oldest {
		return "ts, ns, id"
	}
	return "ts DESC, ns DESC, id DESC"
}

// beyond is the condition of standing behind k in the order of a result.
func beyond(b *sqlfilter.Builder, s eventstore.Sort, k key) string {
	op := "<"
	if s == eventstore.Oldest {
		op = ">"
	}
	us, ns, id := b.Arg(k.us), b.Arg(int64(k.ns)), b.Arg(k.id.String())
	// The first part is implied by the second; it lets row groups be skipped.
	return fmt.Sprintf("ts %[1]s= %[2]s AND (ts %[1]s %[2]s OR ns %[1]s %[3]s OR (ns = %[3]s AND id %[1]s %[4]s::UUID))", op, us, ns, id)
}

// events reads the events at the given keys, in their order. w has the scope
// only.
func (r *snapshot) events(ctx context.Context, w *where, keys []key) ([]*event.Event, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	from, to := keys[0].us, keys[0].us
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.id.String()
		if k.us.Before(from) {
			from = k.us
		}
		if k.us.After(to) {
			to = k.us
		}
	}
	w.between(from, to.Add(time.Microsecond))
	w.add("id IN " + idList(&w.b, ids))
	rows, err := r.conn.QueryContext(ctx, r.union(eventColumns, w), w.b.Args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	got := make(map[key]*event.Event, len(keys))
	for rows.Next() {
		k, e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		got[k] = e
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	out := make([]*event.Event, len(keys))
	for i, k := range keys {
		if out[i] = got[k]; out[i] == nil {
			return nil, fmt.Errorf("event %s was found and then was not", k.id)
		}
	}
	return out, nil
}

// Get implements eventstore.Store. It knows no time, so it looks through the
// ids of the hot tables and then of the sealed files, newest first, some at a
// time: what people ask for is mostly new.
func (s *Store) Get(ctx context.Context, sc identity.Scope, id event.ID) (*event.Event, error) {
	var e *event.Event
	err := s.ask(ctx, "get event", func(r *snapshot) error {
		files := slices.Clone(r.files)
		slices.SortFunc(files, func(a, b file) int { return b.last.Compare(a.last) })
		tables := r.tables
		for n := 0; ; n = getFiles {
			some := files[:min(n, len(files))]
			files = files[len(some):]
			w := s.scoped(sc)
			w.add("id = " + w.b.Arg(id.String()) + "::UUID")
			keys, err := r.keys(ctx, s.union(tables, some, "ts, ns, id", w), w, eventstore.Oldest, 1)
			if err != nil {
				return err
			}
			if len(keys) > 0 {
				es, err := r.events(ctx, s.scoped(sc), keys)
				if err == nil {
					e = es[0]
				}
				return err
			}
			if tables = nil; len(files) == 0 {
				break
			}
		}
		if i := r.incomplete(s.scoped(sc)); i != nil {
			return fault.New(fault.Unavailable, "event %s may lie in a sealed file that cannot be read: %w", id, i)
		}
		return fault.New(fault.NotFound, "event %s: not found", id)
	})
	return e, err
}

// getFiles is how many sealed files are looked through at once for an id.
const getFiles = 16

// where is a condition under construction; all parts must hold.
type where struct {
	b        sqlfilter.Builder
	parts    []string
	bounded  bool // by between
	from, to time.Time
}

func (w *where) add(s string)   { w.parts = append(w.parts, s) }
func (w *where) String() string { return strings.Join(w.parts, " AND ") }

// between bounds the time, to exclusive. The day comes first: it is the folder
// of sealed events.
func (w *where) between(from, to time.Time) {
	w.bounded, w.from, w.to = true, from, to
	const date = "2006-01-02"
	w.add("day BETWEEN " + w.b.Arg(from.Format(date)) + "::DATE AND " + w.b.Arg(to.Add(-1).Format(date)) + "::DATE")
	w.add("ts >= " + w.b.Arg(from.Truncate(time.Microsecond)))
	if ns := from.Nanosecond() % 1000; ns > 0 {
		w.add("(ts > " + w.b.Arg(from.Truncate(time.Microsecond)) + " OR ns >= " + w.b.Arg(int64(ns)) + ")")
	}
	if ns := to.Nanosecond() % 1000; ns > 0 {
		p := w.b.Arg(to.Truncate(time.Microsecond))
		w.add("(ts < " + p + " OR (ts = " + p + " AND ns < " + w.b.Arg(int64(ns)) + "))")
	} else {
		w.add("ts < " + w.b.Arg(to))
	}
}

// scoped begins the condition of a read with what the scope may see.
func (s *Store) scoped(sc identity.Scope) *where {
	w := &where{b: sqlfilter.Builder{Dialect: dialect{s.spellings}}}
	if !sc.Realm.Valid() {
		w.add("FALSE")
		return w
	}
	w.add("realm = " + w.b.Arg(string(sc.Realm)))
	w.add("case_id = " + w.b.Arg(sc.Case))
	if len(sc.Agencies) > 0 {
		// An empty code names no agency: events of unknown agency are for
		// those who see all.
		ps := []string{"NULL"}
		for _, a := range sc.Agencies {
			if a != "" {
				ps = append(ps, w.b.Arg(a))
			}
		}
		w.add("agency IN (" + strings.Join(ps, ", ") + ")")
	}
	return w
}

// where returns the condition of q within sc.
func (s *Store) where(sc identity.Scope, q eventstore.Query) (*where, error) {
	switch {
	case !eventstore.Timed(q.From) || !eventstore.Timed(q.To):
		return nil, fault.New(fault.Invalid, "a search needs a beginning and an end in time")
	case q.To.Before(q.From):
		return nil, fault.New(fault.Invalid, "the search ends at %s, before it begins at %s", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	case q.Sort != "" && q.Sort != eventstore.Newest && q.Sort != eventstore.Oldest:
		return nil, fault.New(fault.Invalid, "unknown order %q: want newest or oldest", q.Sort)
	}
	w := s.scoped(sc)
	w.between(q.From.UTC(), q.To.UTC())
	f, err := w.b.Filter(q.Filter)
	if err != nil {
		return nil, err
	}
	w.add(f)
	return w, nil
}
