// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"

	"citywall/detect"
	"citywall/event"
)

// Members returns the rules whose hits a correlation counts, itself correlations
// perhaps, in the order in which it names them; nil for a rule that counts none.
func (e *Engine) Members(r *Rule) []*Rule {
	for _, c := range e.correlations {
		if c.rule != r {
			continue
		}
		var out []*Rule
		for _, m := range c.members {
			if x := e.rules[m.rule]; !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
		return out
	}
	return nil
}

// Matched returns the fields of an event that one rule met, and whether it did.
// Nothing is counted and no correlation hears of it.
func (m *Matcher) Matched(r *Rule, ev *event.Event) (fields []detect.Matched, ok bool) {
	key := m.e.keyOf(kindOf(ev))
	m.begin(ev)
	defer func() { m.ev = nil }()
	for i := range m.e.byTarget {
		t := &m.e.byTarget[i]
		if m.e.rules[t.rule] != r || !t.target.takes(key) || !m.eval(&t.tree) {
			continue
		}
		for _, f := range t.filters {
			if !m.eval(&f.tree) {
				return nil, false
			}
		}
		m.explain(&t.tree, &fields)
		return fields, true
	}
	return nil, false
}
