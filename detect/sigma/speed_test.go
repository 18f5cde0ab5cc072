// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"archive/zip"
	"path"
	"runtime"
	"testing"
	"time"

	"citywall/detect/sigma"
	"citywall/event"
	"citywall/internal/shared"
)

// recorded decodes the recorded attacks: 10,015 records by files.tsv.
func recorded(t testing.TB) []*event.Event {
	t.Helper()
	z, err := zip.OpenReader(shared.Path(t, "evtx/attack/evtx-to-mitre-attack.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out []*event.Event
	for _, f := range z.File {
		if path.Ext(f.Name) == ".evtx" {
			out = append(out, decode(t, f)...)
		}
	}
	return out
}

// An event that meets no rule costs no memory once its kind is known.
func TestMatchAllocatesNothing(t *testing.T) {
	e := hq(t)
	m := e.NewMatcher()
	var quiet []*event.Event
	for _, x := range recorded(t) {
		if len(m.Match(x)) == 0 {
			quiet = append(quiet, x)
		}
	}
	if len(quiet) < 8000 {
		t.Fatalf("%d events met no rule, want most of 10,015", len(quiet))
	}
	all := func() {
		for _, x := range quiet {
			m.Match(x)
		}
	}
	all() // states of automata that the first pass led to
	if n := testing.AllocsPerRun(2, all); n > 0 {
		t.Errorf("%v allocations for %d events", n, len(quiet))
	}
}

// BenchmarkMatchRecorded holds the recorded attacks against all of SigmaHQ's
// rules, decoding left out. One operation is one event.
func BenchmarkMatchRecorded(b *testing.B) {
	e, events := hq(b), recorded(b)
	m := e.NewMatcher()
	hits := 0
	for _, x := range events { // builds the buckets
		hits += len(m.Match(x))
	}
	b.ResetTimer()
	sigma.MeasureCPU(b, func(n int) { m.Match(events[n%len(events)]) })
	b.ReportMetric(float64(hits), "hits")
	b.ReportMetric(float64(len(events)), "events")
}

// BenchmarkMatchCold does the same once, with an engine that has seen nothing.
// One operation is all events.
func BenchmarkMatchCold(b *testing.B) {
	events := recorded(b)
	var spent time.Duration
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		e := hq(b)
		runtime.GC()
		b.StartTimer()
		from := sigma.CPU(b)
		m := e.NewMatcher()
		for _, x := range events {
			m.Match(x)
		}
		spent += sigma.CPU(b) - from
	}
	b.ReportMetric(float64(spent)/float64(b.N*len(events)), "cpu-ns/event")
}
