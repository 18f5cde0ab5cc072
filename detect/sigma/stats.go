// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"cmp"
	"slices"

	"citywall/event"
)

// Stats says what a matcher did. Several matchers' stats may be merged.
type Stats struct {
	Events     int64            `json:"events"`
	Findings   int64            `json:"findings"`
	Suppressed map[string]int64 `json:"suppressed,omitempty"` // hits that a filter took away, by the filter's id
	Unseen     []Unseen         `json:"unseen,omitempty"`     // sources with events that no loaded rule looks at
	Overflow   int64            `json:"overflow,omitempty"`   // events of further such sources, beyond the list's bound
}

// Unseen is a source whose events no rule is held against.
type Unseen struct {
	Product  string `json:"product,omitempty"`
	Category string `json:"category,omitempty"`
	Service  string `json:"service,omitempty"`
	Channel  string `json:"channel,omitempty"` // Windows
	Events   int64  `json:"events"`
}

// Merge adds o to s.
func (s *Stats) Merge(o Stats) {
	s.Events += o.Events
	s.Findings += o.Findings
	s.Overflow += o.Overflow
	for id, n := range o.Suppressed {
		if s.Suppressed == nil {
			s.Suppressed = map[string]int64{}
		}
		s.Suppressed[id] += n
	}
	for _, u := range o.Unseen {
		i := slices.IndexFunc(s.Unseen, func(x Unseen) bool { return x.source() == u.source() })
		if i < 0 {
			s.Unseen = append(s.Unseen, u)
		} else {
			s.Unseen[i].Events += u.Events
		}
	}
	sortUnseen(s.Unseen)
}

func (u Unseen) source() Unseen { u.Events = 0; return u }

func sortUnseen(us []Unseen) {
	slices.SortFunc(us, func(a, b Unseen) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Product, b.Product), cmp.Compare(a.Channel, b.Channel),
			cmp.Compare(a.Category, b.Category), cmp.Compare(a.Service, b.Service))
	})
}

// Stats returns what m did so far; most frequent unseen sources first.
func (m *Matcher) Stats() Stats {
	s := m.stats
	s.Suppressed = map[string]int64{}
	for i, n := range m.dropped {
		if n > 0 {
			s.Suppressed[m.e.filters[i].rule.ID] = n
		}
	}
	s.Unseen = nil
	for u, n := range m.unseen {
		u.Events = n
		s.Unseen = append(s.Unseen, u)
	}
	sortUnseen(s.Unseen)
	return s
}

func (m *Matcher) suppressed(filter int32) { m.dropped[filter]++ }

// countUnseen remembers a source that no rule looks at.
func (m *Matcher) countUnseen(ev *event.Event, channel string) {
	u := Unseen{Product: ev.Product, Category: ev.Category, Service: ev.Service, Channel: channel}
	if _, ok := m.unseen[u]; !ok && len(m.unseen) >= maxRemembered {
		m.stats.Overflow++
		return
	}
	m.unseen[u]++
}
