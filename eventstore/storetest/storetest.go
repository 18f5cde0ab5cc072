// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package storetest is the contract of an event store as a suite of tests. An
// engine is done when Run and Crash are green.
//
// It asks every question on the same seeded events and compares the answer
// with plain loops over the slice (oracle.go). It never measures time.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// Open opens the store that lives in dir, which the test owns.
type Open func(t testing.TB, dir string) eventstore.Store

// FullVar asks RunThin for everything.
const FullVar = "CITYWALL_STORETEST_FULL"

// Run tests the contract.
func Run(t *testing.T, open Open) { run(t, open, false) }

// RunThin is Run for an engine whose statements are dear: of every text that
// breaks engines it asks two comparisons, others for the next text, instead of
// seven. The environment variable FullVar makes it Run.
func RunThin(t *testing.T, open Open) { run(t, open, os.Getenv(FullVar) == "") }

func run(t *testing.T, open Open, thin bool) {
	t.Run("reading", func(t *testing.T) {
		s, o := seeded(t, open)
		t.Run("queries", func(t *testing.T) { testQueries(t, s, o, thin) })
		t.Run("random filters", func(t *testing.T) { testRandomFilters(t, s, o) })
		t.Run("scope", func(t *testing.T) { testScope(t, s, o) })
		t.Run("refusals", func(t *testing.T) { testRefusals(t, s) })
		t.Run("cursors", func(t *testing.T) { testCursors(t, s) })
	})
	t.Run("events come back", func(t *testing.T) { testEventsComeBack(t, open) })
	t.Run("once", func(t *testing.T) { testOnce(t, open) })
	t.Run("all or nothing", func(t *testing.T) { testAllOrNothing(t, open) })
	t.Run("reopen", func(t *testing.T) { testReopen(t, open) })
	t.Run("readers beside the writer", func(t *testing.T) { testReadersBeside(t, open) })
	t.Run("each", func(t *testing.T) { testEach(t, open) })
	t.Run("closed", func(t *testing.T) { testClosed(t, open) })
}

func mustAppend(t testing.TB, s eventstore.Store, bs ...eventstore.Batch) {
	t.Helper()
	for _, b := range bs {
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatalf("append %q: %v", b.MsgID, err)
		}
	}
}

// seeded returns a store with the seeds and the oracle of them.
func seeded(t testing.TB, open Open) (eventstore.Store, oracle) {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	var o oracle
	for _, b := range seeds() {
		mustAppend(t, s, b)
		o = o.add(b)
	}
	return s, o
}

// sameEvents compares all of every event.
func sameEvents(t testing.TB, got, want []*event.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range want {
		if g, w := plain(got[i]), plain(want[i]); !reflect.DeepEqual(g, w) {
			t.Fatalf("event %d differs (-want +got):\n%.3000s", i, cmp.Diff(w, g))
		}
	}
}

// plain returns e with one form for what has the same meaning: the zone of a
// time, and a list without elements.
func plain(e *event.Event) event.Event {
	p := *e
	p.Time, p.Received = p.Time.UTC(), p.Received.UTC()
	p.Fields = nil
	for _, f := range e.Fields {
		if f.Value.Kind == event.List {
			f.Value.List = append([]string{}, f.Value.List...)
		}
		p.Fields = append(p.Fields, f)
	}
	return p
}

// pages reads all pages.
func pages(t testing.TB, s eventstore.Store, sc identity.Scope, q eventstore.Query) []*event.Event {
	t.Helper()
	var out []*event.Event
	for n := 0; ; n++ {
		p, err := s.Search(t.Context(), sc, q)
		if err != nil {
			t.Fatalf("page %d: %v", n, err)
		}
		if p.Incomplete != nil {
			t.Fatalf("page %d: %v", n, p.Incomplete)
		}
		out = append(out, p.Events...)
		if p.Next == "" {
			return out
		}
		if len(p.Events) != q.Limit && q.Limit > 0 {
			t.Fatalf("page %d has %d of %d events and is not the last", n, len(p.Events), q.Limit)
		}
		if n > 10_000 {
			t.Fatal("the pages do not end")
		}
		q.After = p.Next
	}
}

func each(t testing.TB, s eventstore.Store, sc identity.Scope, q eventstore.Query) []*event.Event {
	t.Helper()
	var out []*event.Event
	err := s.Each(t.Context(), sc, q, func(e *event.Event) error { out = append(out, e); return nil })
	if err != nil {
		t.Fatalf("each: %v", err)
	}
	return out
}

// check asks everything about one query and compares.
func check(t testing.TB, s eventstore.Store, o oracle, sc identity.Scope, q eventstore.Query) {
	t.Helper()
	want := o.search(sc, q)
	n, err := s.Count(t.Context(), sc, q)
	if err != nil {
		t.Fatalf("count: %v", err)
	}
	if n != int64(len(want)) {
		t.Fatalf("count is %d, want %d", n, len(want))
	}
	sameEvents(t, each(t, s, sc, q), want)
	q.Limit = min(len(want)/3+1, 1000)
	sameEvents(t, pages(t, s, sc, q), want)
}

func testScope(t *testing.T, s eventstore.Store, o oracle) {
	for _, sc := range []identity.Scope{
		{},
		{Agencies: []string{"edu"}},
		{Realm: "nowhere"},
		{Realm: asset.City},
		{Realm: asset.City, Agencies: []string{"edu"}},
		{Realm: asset.City, Agencies: []string{"fire", "edu"}},
		{Realm: asset.City, Agencies: []string{""}},
		{Realm: asset.City, Agencies: []string{"", "health"}},
		{Realm: asset.City, Agencies: []string{"EDU"}},
		{Realm: asset.City, Agencies: []string{"x') OR ('1'='1"}},
		{Realm: asset.City, Case: "115-0001"},
		{Realm: asset.Police},
		{Realm: asset.Police, Case: "115-0001"},
		{Realm: asset.Police, Case: "115-0002", Agencies: []string{"edu"}},
		{Realm: asset.Police, Case: "x' OR '1'='1"},
	} {
		t.Run(fmt.Sprintf("%+v", sc), func(t *testing.T) {
			check(t, s, o, sc, all)
			h, err := s.Histogram(t.Context(), sc, all, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(o.histogram(sc, all, time.Hour), h); d != "" {
				t.Error(d)
			}
			top, err := s.Top(t.Context(), sc, all, "agency", 10)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(o.top(sc, all, "agency", 10), top); d != "" {
				t.Error(d)
			}
			for i, k := range o {
				if k.e.Realm == asset.City && i%17 > 0 || k.e.Realm != asset.City && i%3 > 0 {
					continue // enough of them
				}
				e, err := s.Get(t.Context(), sc, k.e.ID)
				switch {
				case visible(k, sc) && err != nil:
					t.Fatalf("get %s: %v", k.e.ID, err)
				case visible(k, sc):
					sameEvents(t, []*event.Event{e}, []*event.Event{k.e})
				case !fault.Is(err, fault.NotFound):
					t.Fatalf("get %s, which is not visible: %v, %v", k.e.ID, e, err)
				}
			}
		})
	}
}

func testRefusals(t *testing.T, s eventstore.Store) {
	ctx := t.Context()
	with := func(f func(q *eventstore.Query)) eventstore.Query { q := all; f(&q); return q }
	deep := eventstore.Filter(eventstore.Word("x"))
	for range 10_000 {
		deep = eventstore.Not{F: deep}
	}
	for name, q := range map[string]eventstore.Query{
		"no bounds": {}, "no beginning": {To: end}, "no end": {From: begin},
		"backwards":  {From: end, To: begin},
		"order":      with(func(q *eventstore.Query) { q.Sort = "sideways" }),
		"comparison": with(func(q *eventstore.Query) { q.Filter = eventstore.Cond{Field: "host", Op: "like", Value: "x"} }),
		"prefix": with(func(q *eventstore.Query) {
			q.Filter = eventstore.Cond{Field: "src_ip", Op: eventstore.CIDR, Value: "ten"}
		}),
		"time": with(func(q *eventstore.Query) { q.Filter = eventstore.Cond{Field: "time", Op: eventstore.Gt, Value: "noon"} }),
		"time as text": with(func(q *eventstore.Query) {
			q.Filter = eventstore.Cond{Field: "time", Op: eventstore.Prefix, Value: "2026"}
		}),
		"number": with(func(q *eventstore.Query) {
			q.Filter = eventstore.Cond{Field: "src_port", Op: eventstore.Gt, Value: "many"}
		}),
		"depth":            with(func(q *eventstore.Query) { q.Filter = deep }),
		"size":             with(func(q *eventstore.Query) { q.Filter = make(eventstore.And, 100_000) }),
		"pointer to a Not": with(func(q *eventstore.Query) { q.Filter = &eventstore.Not{} }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Search(ctx, city, q)
			_, err2 := s.Count(ctx, city, q)
			_, err3 := s.Histogram(ctx, city, q, time.Hour)
			_, err4 := s.Top(ctx, city, q, "host", 5)
			err5 := s.Each(ctx, city, q, func(*event.Event) error { t.Error("an event"); return nil })
			for i, err := range []error{err, err2, err3, err4, err5} {
				if !fault.Is(err, fault.Invalid) {
					t.Errorf("question %d: %v, want an invalid error", i, err)
				}
			}
		})
	}
	for name, err := range map[string]error{
		"limit -1":   second(s.Search(ctx, city, with(func(q *eventstore.Query) { q.Limit = -1 }))),
		"limit 1001": second(s.Search(ctx, city, with(func(q *eventstore.Query) { q.Limit = 1001 }))),
		"width 0":    second(s.Histogram(ctx, city, all, 0)),
		"width 1ns":  second(s.Histogram(ctx, city, all, 1)),
		"width 1us":  second(s.Histogram(ctx, city, all, time.Microsecond)),
		"top 0":      second(s.Top(ctx, city, all, "host", 0)),
		"top all":    second(s.Top(ctx, city, all, "host", 1_000_000)),
		"top time":   second(s.Top(ctx, city, all, "time", 5)),
		"top id":     second(s.Top(ctx, city, all, "ID", 5)),
		"nil event":  s.Append(ctx, eventstore.Batch{Events: []*event.Event{nil}}),
		"no realm":   s.Append(ctx, eventstore.Batch{Events: []*event.Event{{}}}),
	} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want an invalid error", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func testCursors(t *testing.T, s eventstore.Store) {
	q := all
	q.Limit = 10
	p, err := s.Search(t.Context(), city, q)
	if err != nil || p.Next == "" {
		t.Fatalf("%v %v", p, err)
	}
	refused := func(what string, sc identity.Scope, q eventstore.Query) {
		t.Helper()
		if p, err := s.Search(t.Context(), sc, q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %d events, %v, want an invalid error", what, len(p.Events), err)
		}
	}
	q.After = p.Next
	if _, err := s.Search(t.Context(), city, q); err != nil {
		t.Fatal(err)
	}
	refused("another scope", identity.Scope{Realm: asset.City, Agencies: []string{"edu"}}, q)
	refused("another realm", identity.Scope{Realm: asset.Police}, q)
	for what, f := range map[string]func(q *eventstore.Query){
		"another beginning": func(q *eventstore.Query) { q.From = q.From.Add(1) },
		"another end":       func(q *eventstore.Query) { q.To = q.To.Add(-1) },
		"another order":     func(q *eventstore.Query) { q.Sort = eventstore.Oldest },
		"another filter":    func(q *eventstore.Query) { q.Filter = eventstore.Word("alice") },
		"nonsense":          func(q *eventstore.Query) { q.After = "!" },
		"half of it":        func(q *eventstore.Query) { q.After = q.After[:len(q.After)/2] },
		"more than it":      func(q *eventstore.Query) { q.After += "AAAA" },
	} {
		other := q
		f(&other)
		refused(what, city, other)
	}
	for i := range q.After {
		other := q
		c := byte('A')
		if q.After[i] == c {
			c = 'B'
		}
		other.After = q.After[:i] + string(c) + q.After[i+1:]
		refused(fmt.Sprint("changed at ", i), city, other)
	}
}

func testEach(t *testing.T, open Open) {
	s, o := seeded(t, open)
	stop := errors.New("enough")
	n := 0
	err := s.Each(t.Context(), city, all, func(*event.Event) error {
		if n++; n == 5 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 5 {
		t.Errorf("stopped after %d with %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Each(ctx, city, all, func(*event.Event) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	// The function may ask the store.
	err = s.Each(t.Context(), city, eventstore.Query{From: begin, To: begin.Add(time.Hour)}, func(e *event.Event) error {
		_, err := s.Get(t.Context(), city, e.ID)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// More than one slice, and a crowd in one microsecond.
	b := eventstore.Batch{MsgID: "crowd"}
	for i := range 45_000 {
		at := end.Add(time.Duration(i%7) * time.Hour)
		if i%3 > 0 {
			at = end.Add(10*time.Hour + time.Duration(i%3))
		}
		b.Events = append(b.Events, &event.Event{ID: event.NewID("crowd", "", uint64(i)), Realm: asset.City, Time: at, Source: "crowd"})
	}
	mustAppend(t, s, b)
	o = o.add(b)
	for _, sort := range []eventstore.Sort{eventstore.Newest, eventstore.Oldest} {
		q := eventstore.Query{From: begin, To: end.Add(24 * time.Hour), Sort: sort}
		sameEvents(t, each(t, s, city, q), o.search(city, q))
	}
}

func testClosed(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	mustAppend(t, s, seeds()[0])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	ctx := t.Context()
	for name, err := range map[string]error{
		"append": s.Append(ctx, seeds()[1]),
		"search": second(s.Search(ctx, city, all)),
		"count":  second(s.Count(ctx, city, all)),
		"each":   s.Each(ctx, city, all, func(*event.Event) error { return nil }),
		"get":    second(s.Get(ctx, city, event.ID{})),
	} {
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v, want an unavailable error", name, err)
		}
	}
}
