// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

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

// Counts says how often the rules of an engine matched, over all its matchers.
type Counts struct {
	Since  time.Time   `json:"since"`  // when the engine began to count, or the first of those it replaced
	Events int64       `json:"events"` // held against the rules since then
	Rules  []RuleCount `json:"rules"`  // that matched at all, in the order of the rules
}

// RuleCount is how often one rule matched.
type RuleCount struct {
	ID      string    `json:"id"`
	Matches int64     `json:"matches"` // events that met it, after filters; for a correlation its findings
	Events  int64     `json:"events"`  // held against the rules since it is loaded in this form
	Since   time.Time `json:"since"`   // when that was
}

// Per10000 is how many of 10,000 events the rule matched.
func (c RuleCount) Per10000() float64 {
	if c.Events == 0 {
		return 0
	}
	return float64(c.Matches) * 10_000 / float64(c.Events)
}

// tally counts the matches of one rule. It goes on over a reload that leaves the
// rule as it is.
type tally struct {
	n     atomic.Int64
	since time.Time
	from  int64 // events seen before it
}

// seen counts the events of an engine and of those it replaced.
type seen struct {
	n     atomic.Int64
	since time.Time
}

// startCounting gives every rule its tally: that of the engine that is replaced,
// where the rule is the same to the letter, or a new one.
func (e *Engine) startCounting(keep *Engine, now time.Time) {
	e.seen = &seen{since: now}
	same := map[string]*Rule{}
	if keep != nil {
		e.seen = keep.seen
		for _, r := range keep.rules {
			same[r.ID] = r
		}
	}
	from := e.seen.n.Load()
	for _, r := range e.rules {
		if o := same[r.ID]; o != nil && o.Hash == r.Hash {
			r.tally = o.tally
			continue
		}
		r.tally = &tally{since: now, from: from}
	}
}

// Counts returns how often the rules matched so far. It may be called at any
// time.
func (e *Engine) Counts() Counts {
	c := Counts{Since: e.seen.since, Events: e.seen.n.Load(), Rules: []RuleCount{}}
	for _, r := range e.rules {
		if n := r.tally.n.Load(); n > 0 {
			c.Rules = append(c.Rules, RuleCount{ID: r.ID, Matches: n, Events: c.Events - r.tally.from, Since: r.tally.since})
		}
	}
	return c
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
