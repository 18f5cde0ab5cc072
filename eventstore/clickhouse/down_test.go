// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package clickhouse

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/clickhouse/chtest"
	"citywall/internal/fault"
)

// missing2 is what every answer must say while the second of two shards is
// away.
const missing2 = "incomplete: shard 2 of 2 does not answer"

// away asks everything while shard 2 is away: no answer is partial in silence.
// The oracle is which shard an id names.
func away(t *testing.T, s *Store, es []*event.Event) {
	t.Helper()
	ctx := t.Context()
	here := int64(0)
	for _, e := range es {
		if s.cl.shardOf(e.ID) == 0 {
			here++
		}
	}
	if here == 0 || here == int64(len(es)) {
		t.Fatal("the events lie on one shard: the test shows nothing")
	}
	told := func(what string, err error, n int64) {
		t.Helper()
		var i *eventstore.Incomplete
		if !errors.As(err, &i) || i.Error() != missing2 || n != here {
			t.Errorf("%s: %d of %d, %v", what, n, here, err)
		}
	}
	q := week
	q.Limit = 1000
	p, err := s.Search(ctx, city, q)
	if err != nil || p.Incomplete == nil || p.Incomplete.Error() != missing2 || int64(len(p.Events)) != here {
		t.Errorf("search: %d of %d, %v, %v", len(p.Events), here, p.Incomplete, err)
	}
	q.Limit = 7
	seen := int64(0)
	for {
		p, err := s.Search(ctx, city, q)
		if err != nil || p.Incomplete == nil {
			t.Fatalf("a page: %v %v", p.Incomplete, err)
		}
		seen += int64(len(p.Events))
		if q.After = p.Next; p.Next == "" {
			break
		}
	}
	if seen != here {
		t.Errorf("pages: %d of %d", seen, here)
	}
	n, err := s.Count(ctx, city, week)
	told("count", err, n)
	bars, err := s.Histogram(ctx, city, week, time.Hour)
	n = 0
	for _, b := range bars {
		n += b.Count
	}
	told("histogram", err, n)
	vals, err := s.Top(ctx, city, week, "source", 10)
	n = 0
	for _, v := range vals {
		n += v.Count
	}
	told("top", err, n)
	n = 0
	err = s.Each(ctx, city, week, func(*event.Event) error { n++; return nil })
	told("each", err, n)
	for _, e := range es[:10] {
		got, err := s.Get(ctx, city, e.ID)
		switch {
		case s.cl.shardOf(e.ID) == 0 && (err != nil || got.ID != e.ID):
			t.Errorf("get from the shard that is there: %v", err)
		case s.cl.shardOf(e.ID) == 1 && !fault.Is(err, fault.Unavailable):
			t.Errorf("get from the shard that is away: %v", err)
		}
	}
	if err := s.Append(ctx, eventstore.Batch{MsgID: "away", Events: numbered(1000, 1100)}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("append: %v", err)
	}
}

// whole asks the same when all shards are there.
func whole(t *testing.T, s *Store, want int64) {
	t.Helper()
	p, err := s.Search(t.Context(), city, week)
	if err != nil || p.Incomplete != nil {
		t.Errorf("search: %v %v", p.Incomplete, err)
	}
	if n := count(t, s); n != want {
		t.Errorf("%d events, want %d", n, want)
	}
	n := int64(0)
	if err := s.Each(t.Context(), city, week, func(*event.Event) error { n++; return nil }); err != nil || n != want {
		t.Errorf("each: %d of %d, %v", n, want, err)
	}
}

// TestDown has a cluster of its own, whose servers it kills.
func TestDown(t *testing.T) {
	t.Parallel() // it waits for what does not answer
	c := chtest.Start(t, 2)
	t.Run("shard away", func(t *testing.T) { testShardAway(t, c) })
	t.Run("killed under load", func(t *testing.T) { testKilledUnderLoad(t, c) })
}

func testShardAway(t *testing.T, c *chtest.Cluster) {
	o := Options{Addrs: c.Addrs, Cluster: chtest.Name, Database: "away", OwnDays: 10000, Silence: time.Second, Timeout: 2 * time.Second}
	s := begin(t, o)
	es := numbered(0, 200)
	put(t, s, "1", es)
	whole(t, s, 200)

	c.Kill(t, 1)
	away(t, s, es)
	t.Run("opened meanwhile", func(t *testing.T) {
		s := begin(t, o)
		away(t, s, es)
	})
	c.Restart(t, 1)
	whole(t, s, 200)
	put(t, s, "away", numbered(1000, 1100)) // what was refused comes again
	whole(t, s, 300)

	// A server that takes connections and says nothing: the old ones wait for
	// it, so there is no answer, but it is named.
	c.Signal(t, 1, syscall.SIGSTOP)
	var i *eventstore.Incomplete
	if n, err := s.Count(t.Context(), city, week); !errors.As(err, &i) && (!fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), missing2)) {
		t.Errorf("a silent shard: %d, %v", n, err)
	}
	c.Signal(t, 1, syscall.SIGCONT)
	whole(t, s, 300)

	// The server that is asked first.
	c.Kill(t, 0)
	if n, err := s.Count(t.Context(), city, week); !errors.As(err, &i) || i.Error() != "incomplete: shard 1 of 2 does not answer" {
		t.Errorf("the first shard away: %d, %v", n, err)
	}
	c.Kill(t, 1)
	if n, err := s.Count(t.Context(), city, week); !fault.Is(err, fault.Unavailable) || errors.As(err, &i) {
		t.Errorf("nobody there: %d, %v", n, err)
	}
	c.Restart(t, 0)
	c.Restart(t, 1)
	whole(t, s, 300)
}

// A shard is killed again and again under a sender that repeats what was not
// acknowledged: acknowledged ⊆ stored ⊆ sent, each event once.
func testKilledUnderLoad(t *testing.T, c *chtest.Cluster) {
	s := begin(t, Options{Addrs: c.Addrs, Cluster: chtest.Name, Database: "load", OwnDays: 10000, Timeout: time.Second})
	const kills, size = 4, 50
	stop := make(chan struct{})
	acked := make(chan int, 1)
	go func() {
		n := 0
		defer func() { acked <- n }()
		for {
			// The same batch until it is taken, sometimes without its name.
			b := eventstore.Batch{MsgID: fmt.Sprint("m", n), Events: numbered(n*size, (n+1)*size)}
			if n%5 == 0 {
				b.MsgID = ""
			}
			if err := s.Append(t.Context(), b); err == nil {
				n++
				continue
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	for i := range kills {
		before := count(t, s)
		for deadline := time.Now().Add(time.Minute); count(t, s) < before+3*size; {
			if time.Now().After(deadline) {
				t.Fatal("nothing is taken any more")
			}
		}
		c.Kill(t, i%2)
		c.Restart(t, i%2)
	}
	// The last kill leaves the sender failing.
	c.Kill(t, 1)
	close(stop)
	n := <-acked
	c.Restart(t, 1)
	seen := map[string]bool{}
	err := s.Each(t.Context(), city, eventstore.Query{From: noon, To: noon.AddDate(1, 0, 0)}, func(e *event.Event) error {
		if i := e.Fields.Str("i"); seen[i] {
			t.Errorf("event %s is stored twice", i)
		} else {
			seen[i] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n * size {
		if !seen[fmt.Sprint(i)] {
			t.Fatalf("event %d of %d that were acknowledged is lost", i, n*size)
		}
	}
	if len(seen) > (n+1)*size {
		t.Errorf("%d events, %d were sent", len(seen), (n+1)*size)
	}
	t.Logf("%d kills, %d batches acknowledged", kills+1, n)
}
