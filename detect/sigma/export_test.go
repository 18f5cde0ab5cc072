// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"

	"citywall/event"
)

// BruteForce evaluates every rule of the event's bucket without index or
// folding, and returns the ids of those that match.
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
		if x.target.takes(k) && m.eval(&x.tree) {
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
