// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/sqlfilter"
	"citywall/eventstore/walk"
	"citywall/identity"
	"citywall/internal/fault"
)

// query runs a statement on the first server that answers. With partial, shards
// that cannot be reached are left out of it.
func (s *Store) query(ctx context.Context, partial bool, sql string, args []any) (driver.Rows, error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	text, err := render(sql, args)
	if err != nil {
		return nil, err
	}
	set := clickhouse.Settings{
		"connect_timeout_with_failover_ms":    int(min(s.opt.Timeout, time.Second).Milliseconds()), // the default of 50 is for one rack
		"connections_with_failover_max_tries": 1,                                                   // ask tries again
		"receive_timeout":                     max(1, int(s.opt.Silence.Seconds())),
		"max_query_size":                      16 << 20, // page and batch name their ids
		"max_ast_elements":                    500_000,
	}
	if partial {
		set["skip_unavailable_shards"] = 1
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(set))
	var last error
	for _, n := range s.cl.nodes {
		rows, err := n.conn.Query(ctx, text)
		var e *clickhouse.Exception
		if err == nil || errors.As(err, &e) || !gone(err) || ctx.Err() != nil || silent(err) {
			return rows, err
		}
		last = err
	}
	return nil, last
}

// silent reports whether a server took the statement and then said nothing. It
// waits for another one, and so would the next.
func silent(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// ask answers a question by f, which may run its statements more than once: on
// all shards, and when one is gone on the others. What f collects it must begin
// anew each time.
func (s *Store) ask(ctx context.Context, f func(partial bool) error) (*eventstore.Incomplete, error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	for try := 0; ; try++ {
		err := f(false)
		if err == nil || !gone(err) || ctx.Err() != nil {
			return nil, err
		}
		i := s.cl.missing(ctx)
		switch {
		case i == nil && try < 2:
			continue // it is back
		case i == nil:
			return nil, err
		case len(i.Missing) == i.Of:
			return nil, fault.New(fault.Unavailable, "no server of the cluster answers: %w", err)
		}
		if err = f(true); err == nil {
			// Who went away meanwhile was left out as well.
			return join(i, s.cl.missing(ctx)), nil
		}
		if !gone(err) || ctx.Err() != nil {
			return nil, err
		}
		if again := s.cl.missing(ctx); try == 2 || again != nil && again.Error() == i.Error() {
			return nil, fault.New(fault.Unavailable, "%s, and the others wait for it: %w", i.Error(), err)
		}
	}
}

func join(a, b *eventstore.Incomplete) *eventstore.Incomplete {
	if b == nil {
		return a
	}
	out := &eventstore.Incomplete{Of: a.Of}
	for n := 1; n <= a.Of; n++ {
		for _, m := range append(append([]int{}, a.Missing...), b.Missing...) {
			if m == n {
				out.Missing = append(out.Missing, n)
				break
			}
		}
	}
	return out
}

// beside returns i as an error, nil when the answer is whole.
func beside(i *eventstore.Incomplete) error {
	if i == nil {
		return nil
	}
	return i
}

// windows of a page: three statements for what is rare.
var windows = walk.Windows{First: 256, Growth: 16, Least: time.Second}

// Search implements eventstore.Store.
func (s *Store) Search(ctx context.Context, sc identity.Scope, q eventstore.Query) (eventstore.Page, error) {
	if q.Limit < 0 || q.Limit > walk.MaxLimit {
		return eventstore.Page{}, fault.New(fault.Invalid, "search: a page has 1 to %d events, not %d", walk.MaxLimit, q.Limit)
	}
	if q.Limit == 0 {
		q.Limit = walk.DefaultLimit
	}
	v := s.seen()
	if _, err := s.where(v, sc, q); err != nil { // before anything else is done
		return eventstore.Page{}, storeFault("search", err)
	}
	after, err := v.marks.Read(sc, q)
	if err != nil {
		return eventstore.Page{}, storeFault("search", err)
	}
	var p eventstore.Page
	p.Incomplete, err = s.ask(ctx, func(partial bool) error {
		p.Next = ""
		keys, err := walk.Page(q, after, q.Limit+1, windows, func(q eventstore.Query, n int) ([]walk.Key, error) {
			w, err := s.where(v, sc, q)
			if err != nil {
				return nil, err
			}
			if after != nil {
				w.add(beyond(w.b, q.Sort, *after))
			}
			return s.keys(ctx, partial, w, q.Sort, n)
		})
		if err != nil {
			return err
		}
		if len(keys) > q.Limit {
			keys = keys[:q.Limit]
			p.Next = v.marks.Write(keys[q.Limit-1], sc, q)
		}
		p.Events, err = s.events(ctx, partial, scoped(v, sc), keys)
		return err
	})
	return p, storeFault("search", err)
}

// keys returns the first n keys. Only these few columns are read for the rows
// that are not on the page.
func (s *Store) keys(ctx context.Context, partial bool, w *where, sort eventstore.Sort, n int) ([]walk.Key, error) {
	rows, err := s.query(ctx, partial, fmt.Sprintf("SELECT us, ns, id FROM %s.events WHERE %s ORDER BY %s LIMIT %d", s.opt.Database, w, orderBy(sort), n), w.b.Args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []walk.Key
	for rows.Next() {
		var us int64
		var ns uint16
		var id string
		if err := rows.Scan(&us, &ns, &id); err != nil {
			return nil, err
		}
		out = append(out, walk.Key{US: us, NS: int16(ns), ID: event.ID([]byte(id))})
	}
	return out, rows.Err()
}

func orderBy(s eventstore.Sort) string {
	if s == eventstore.Oldest {
		return "us, ns, id"
	}
	return "us DESC, ns DESC, id DESC"
}

// beyond is the condition of standing behind k in the order of a result.
func beyond(b *sqlfilter.Builder, s eventstore.Sort, k walk.Key) string {
	op := "<"
	if s == eventstore.Oldest {
		op = ">"
	}
	us, ns, id := b.Arg(k.US), b.Arg(int64(k.NS)), b.Arg(k.ID)
	// The first part is implied by the second; it lets marks be skipped.
	return fmt.Sprintf("us %[1]s= %[2]s AND (us %[1]s %[2]s OR ns %[1]s %[3]s OR (ns = %[3]s AND id %[1]s %[4]s))", op, us, ns, id)
}

// events reads the events at the given keys, in their order. w has the scope
// only.
func (s *Store) events(ctx context.Context, partial bool, w *where, keys []walk.Key) ([]*event.Event, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	from, to := keys[0].US, keys[0].US
	ids := make(idSet, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
		from, to = min(from, k.US), max(to, k.US)
	}
	w.between(time.UnixMicro(from).UTC(), time.UnixMicro(to+1).UTC())
	w.add("id IN " + w.b.Arg(ids))
	got, err := s.some(ctx, partial, w, len(keys))
	if err != nil {
		return nil, err
	}
	out := make([]*event.Event, 0, len(keys))
	for _, k := range keys {
		switch e := got[k]; {
		case e != nil:
			out = append(out, e)
		case !partial: // else its shard went away in between
			return nil, fmt.Errorf("event %s was found and then was not", k.ID)
		}
	}
	return out, nil
}

// some reads up to n events for which w holds, in no order.
func (s *Store) some(ctx context.Context, partial bool, w *where, n int) (map[walk.Key]*event.Event, error) {
	rows, err := s.query(ctx, partial, fmt.Sprintf("SELECT %s FROM %s.events WHERE %s LIMIT %d", eventColumns, s.opt.Database, w, n), w.b.Args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make(map[walk.Key]*event.Event, n)
	for rows.Next() {
		k, e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out[k] = e
	}
	return out, rows.Err()
}

// Get implements eventstore.Store. It knows no time and so looks through all
// ids, but those of the newest days first: most that is asked for is new.
func (s *Store) Get(ctx context.Context, sc identity.Scope, id event.ID) (*event.Event, error) {
	v := s.seen()
	var e *event.Event
	i, err := s.ask(ctx, func(partial bool) error {
		today := s.opt.Now().UTC()
		for _, days := range []int{2, 30, 0} {
			w := scoped(v, sc)
			w.add("id = " + w.b.Arg(id))
			if days > 0 {
				w.add(fmt.Sprintf("part >= %d", dayNumber(today.AddDate(0, 0, -days))))
			}
			es, err := s.some(ctx, partial, w, 1)
			if err != nil {
				return err
			}
			for _, x := range es {
				e = x
				return nil
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, storeFault("get event", err)
	case e != nil:
		return e, nil
	case i != nil:
		return nil, fault.New(fault.Unavailable, "event %s was not found, but it may lie where nobody answers: %w", id, i)
	}
	return nil, fault.New(fault.NotFound, "event %s: not found", id)
}

// where is a condition under construction; all parts must hold.
type where struct {
	b     *sqlfilter.Builder
	parts []string
}

// newWhere begins with what is shown of the tables.
func newWhere(v view) *where {
	w := &where{b: newBuilder()}
	w.add("seq <= " + w.b.Arg(v.through))
	for _, g := range v.gaps {
		w.add("NOT (seq BETWEEN " + w.b.Arg(g.from) + " AND " + w.b.Arg(g.to) + ")")
	}
	return w
}

func (w *where) add(s string)   { w.parts = append(w.parts, s) }
func (w *where) String() string { return strings.Join(w.parts, " AND ") }

// partsOf is the condition of lying in the partitions of [from, to].
func (w *where) partsOf(from, to time.Time) string {
	return fmt.Sprintf("(part = 0 OR part BETWEEN %d AND %d)", dayNumber(from), dayNumber(to))
}

// between bounds the time, to exclusive.
func (w *where) between(from, to time.Time) {
	w.add(w.partsOf(from, to))
	us := w.b.Arg(from.UnixMicro())
	w.add("us >= " + us)
	if ns := from.Nanosecond() % 1000; ns > 0 {
		w.add("(us > " + us + " OR ns >= " + w.b.Arg(int64(ns)) + ")")
	}
	end := w.b.Arg(to.UnixMicro())
	if ns := to.Nanosecond() % 1000; ns > 0 {
		w.add("us <= " + end + " AND (us < " + end + " OR ns < " + w.b.Arg(int64(ns)) + ")")
	} else {
		w.add("us < " + end)
	}
}

// scoped begins the condition of a read with what the scope may see.
func scoped(v view, sc identity.Scope) *where {
	w := newWhere(v)
	if !sc.Realm.Valid() {
		w.add("1 = 0")
		return w
	}
	w.add("realm = " + w.b.Arg(string(sc.Realm)))
	w.add("case_id = " + w.b.Arg(sc.Case))
	if len(sc.Agencies) > 0 {
		// An empty code names no agency: events of unknown agency are for
		// those who see all.
		var or []string
		for _, a := range sc.Agencies {
			if a != "" {
				or = append(or, "agency = "+w.b.Arg(a))
			}
		}
		w.add("(" + strings.Join(append(or, "1 = 0"), " OR ") + ")")
	}
	return w
}

// where returns the condition of q within sc.
func (s *Store) where(v view, sc identity.Scope, q eventstore.Query) (*where, error) {
	if err := walk.Check(q); err != nil {
		return nil, err
	}
	w := scoped(v, sc)
	w.between(q.From.UTC(), q.To.UTC())
	f, err := w.b.Filter(q.Filter)
	if err != nil {
		return nil, err
	}
	w.add(f)
	return w, nil
}
