// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"citywall/event"
)

// A layer that is left out changes no finding. Oracle: the whole engine.
func TestLayersChangeNothing(t *testing.T) {
	events := regressionEvents(t)
	find := func(without Layers) []string {
		e, _ := loadHQ(t, Options{Without: without})
		return findingIDs(e.NewMatcher(), events)
	}
	want := find(0)
	if len(want) < 100 {
		t.Fatalf("%d findings are too few to compare", len(want))
	}
	for i, name := range LayerNames() {
		if d := cmp.Diff(want, find(1<<i)); d != "" {
			t.Errorf("without %s: %s", name, d)
		}
	}
	if d := cmp.Diff(want, find(Witnesses|Folding|Automata)); d != "" {
		t.Errorf("without any: %s", d)
	}
}

func findingIDs(m *Matcher, events []*event.Event) (ids []string) {
	for _, e := range events {
		for _, f := range m.Match(e) {
			ids = append(ids, f.ID)
		}
	}
	return ids
}
