// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
)

const manyRule = `  type: event_count
  rules: [failed]
  group-by: [User]
  timespan: 10m
  condition: {gte: 5}
`

// manyEvents are n failed logons of groups accounts, in order of time over a
// day; every hundredth account fails six times within a minute somewhere.
func manyEvents(n, groups int) []*event.Event {
	r := rand.New(rand.NewPCG(4, 4))
	out := make([]*event.Event, 0, n)
	add := func(at time.Duration, user int) {
		i := uint64(len(out))
		out = append(out, &event.Event{
			ID: event.NewID("many", "", i), Product: "test", Time: t0.Add(at),
			Fields: event.Fields{{Name: "E", Value: event.T("fail")}, {Name: "User", Value: event.T("u" + strconv.Itoa(user))}},
		})
	}
	for u := 0; u < groups; u += 100 {
		at := time.Duration(r.Int64N(int64(24 * time.Hour)))
		for range 6 {
			add(at, u)
			at += time.Duration(r.Int64N(int64(10 * time.Second)))
		}
	}
	for len(out) < n {
		add(time.Duration(r.Int64N(int64(24*time.Hour))), r.IntN(groups))
	}
	slices.SortStableFunc(out, func(a, b *event.Event) int { return a.Time.Compare(b.Time) })
	return out
}

// digest is the same for the same findings in the same order.
func digest(fs []detect.Finding) string {
	h := fnv.New64a()
	for i := range fs {
		fmt.Fprintln(h, fs[i].ID, fs[i].Time.UnixNano())
	}
	return fmt.Sprintf("%d findings %x", len(fs), h.Sum64())
}

// batchDigest matches the events with so many workers and decides in the end.
func batchDigest(t testing.TB, events []*event.Event, workers int) string {
	e, _ := load(t, sigma.Options{Batch: true}, corr(manyRule))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			m := e.NewMatcher()
			for i := w; i < len(events); i += workers {
				m.Match(events[i])
			}
		})
	}
	wg.Wait()
	return digest(flush(t, e))
}

// TestManyGroups holds the answer to be one whatever the order of the input and
// the number of workers: 20,000 events in 2,000 groups, or a million in 100,000
// with CITYWALL_FULL. Within the bound of waiting hits nothing is let go.
func TestManyGroups(t *testing.T) {
	n, groups := 20_000, 2_000
	if os.Getenv("CITYWALL_FULL") != "" {
		n, groups = 1_000_000, 100_000
	}
	events := manyEvents(n, groups)
	want := batchDigest(t, events, 1)
	t.Log(want)
	shuffled := slices.Clone(events)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for name, got := range map[string]string{
		"4 workers": batchDigest(t, events, 4), "shuffled": batchDigest(t, shuffled, 1), "shuffled, 4 workers": batchDigest(t, shuffled, 4),
	} {
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// BenchmarkCorrelationMillion slides windows over a million events in 100,000
// groups as they come, and says what memory is in use at the end.
func BenchmarkCorrelationMillion(b *testing.B) {
	events := manyEvents(1_000_000, 100_000)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		e, _ := load(b, sigma.Options{}, corr(manyRule))
		m := e.NewMatcher()
		found := 0
		for _, ev := range events {
			found += len(m.Match(ev))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(found), "findings")
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/(1<<20), "MiB-live")
		runtime.KeepAlive(e)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1e6, "µs/event")
}
