// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package grid

import (
	"testing"

	"citywall/score"
)

// TestOnceMissed plays generated cases whose truth was missed once. The oracle is
// the exercise's own truth; what else such a case misses is measured by
// citywall bench path, not held here.
func TestOnceMissed(t *testing.T) {
	cells := map[string]Cell{}
	for _, c := range Full() {
		cells[c.Name()] = c
	}
	for _, c := range []struct {
		cell string
		seed uint64
		why  string
		ok   func(score.Result) bool
	}{
		{"hypervisor/own-tools", 140, "machines encrypted within a day are one intrusion", func(r score.Result) bool { return r.Pieces == 1 && r.HostRecall > 0.8 }},
		{"remotetool/small", 5052, "software distribution is not where an intrusion begins", func(r score.Result) bool { return r.Interval && r.Invented == 0 && len(r.Accused) == 0 }},
		{"supplier/loss-entry", 5081, "one of many visits that look alike is not the first moment", func(r score.Result) bool { return r.EntryRight && r.Interval }},
		{"insider/loss-3-days", 5101, "visits that go back to where the logs begin leave the interval open", func(r score.Result) bool { return r.EntryRight && r.Interval }},
		{"remotetool/hidden+clock+controller", 5138, "somebody's own remote desktop of the day before is not the way in", func(r score.Result) bool { return r.EntryRight && r.Invented == 0 }},
		{"insider/clock-10m", 5094, "moves say by how much all clocks may be wrong", func(r score.Result) bool { return r.HopRecall > 0.9 && r.Interval }},
	} {
		cell, ok := cells[c.cell]
		if !ok {
			t.Fatalf("no cell %s", c.cell)
		}
		r, err := Play(t.Context(), Case{cell, c.seed}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !c.ok(r.Result) {
			t.Errorf("%s seed %d: %s: pieces %d, entry %s (%v), interval %v, host recall %.2f, hop recall %.2f, invented %d, accused %v", c.cell, c.seed, c.why,
				r.Pieces, r.EntryHost, r.EntryRight, r.Interval, r.HostRecall, r.HopRecall, r.Invented, r.Accused)
		}
	}
}
