// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"citywall/event"
)

// MeasureCPU runs f b.N times and reports processor time beside the clock's:
// on a shared machine only the former says something.
func MeasureCPU(b *testing.B, f func(n int)) {
	b.ReportAllocs()
	n, from := 0, CPU(b)
	for b.Loop() {
		f(n)
		n++
	}
	b.ReportMetric(float64(CPU(b)-from)/float64(n), "cpu-ns/op")
}

// CPU is the processor time of the process so far.
func CPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BruteForce evaluates every rule of the event's bucket without index or
// folding, and returns the ids of those that match and give findings of their
// own.
func BruteForce(e *Engine, ev *event.Event) []string {
	m := e.NewMatcher()
	m.begin(ev)
	var k bucketKey
	k.from = labels{ev.Product, ev.Category, ev.Service}
	if ev.Product == "windows" {
		k.channel, k.eventID = strings.ToLower(ev.Fields.Str("Channel")), ev.Fields.Str("EventID")
	}
	seen := map[int32]bool{}
	for i := range e.byTarget {
		x := &e.byTarget[i]
		if x.target.takes(k) && !silent(x.feeds) && m.eval(&x.tree) {
			seen[x.rule] = true
		}
	}
	var out []string
	for r := range seen {
		out = append(out, e.rules[r].ID)
	}
	slices.Sort(out)
	return out
}
