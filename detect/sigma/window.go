// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/internal/extsort"
)

// Bounds of the memory of correlations. Reaching one only ever under-counts,
// and is counted itself.
const (
	maxGroups   = 100_000 // of one correlation
	maxEntries  = 10_000  // of one group
	maxHeld     = 200_000 // hits of one correlation, in all groups
	maxEvidence = 100     // events that a finding points to
	forgetSteps = 64      // times in one span that a full memory is looked through
)

// hit is one event that met a member of a correlation.
type hit struct {
	at     time.Time
	member int
	values []string // of the correlation's needs
	ids    []event.ID
	origin []event.Origin
	view   *event.View
	realm  asset.Realm
	agency string
}

func compareHits(a, b *hit) int {
	return cmp.Or(a.at.Compare(b.at), bytes.Compare(a.ids[0][:], b.ids[0][:]), cmp.Compare(a.member, b.member))
}

// windowMemory is what a correlation remembers of events. It is shared by all
// matchers of an engine and outlives a reload that keeps the correlation.
type windowMemory struct {
	mu      sync.Mutex
	groups  map[string]*group    // guarded by mu
	held    int                  // hits in groups; guarded by mu
	waiting *extsort.Sorter[hit] // batch: until Flush; guarded by mu
	broken  error                // batch: why hits can wait no longer; guarded by mu
	lost    CorrelationLoss      // guarded by mu
	forgot  time.Time            // bound of the last forget; guarded by mu
}

// CorrelationLoss counts the events that did not take part in correlations.
type CorrelationLoss struct {
	NoField int64 `json:"no_field"` // lacked a field of group-by, or a number to add
	NoTime  int64 `json:"no_time"`
	Late    int64 `json:"late"` // older than the window when they came
	Full    int64 `json:"full"` // beyond a bound of the memory
}

// group is the sliding window of one key: hits in order of time, and what is
// counted over them.
type group struct {
	hits    []*hit
	counts  map[string]int // value_count: distinct values; temporal: members
	members []int          // hits of each member
	sum     float64
	fired   bool
}

// observe takes one hit. In a live engine it returns the findings that follow.
func (c *correlation) observe(h *hit, batch bool) []detect.Finding {
	m := c.state
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case h.at.IsZero():
		m.lost.NoTime++
		return nil
	case !c.complete(h):
		m.lost.NoField++
		return nil
	case batch:
		c.wait(h)
		return nil
	}
	return c.slide(h, false)
}

// complete reports whether h has the fields that the correlation looks at.
func (c *correlation) complete(h *hit) bool {
	for _, i := range c.groupAt {
		if h.values[i] == "" {
			return false
		}
	}
	for _, i := range c.valueAt {
		if h.values[i] == "" {
			return false
		}
	}
	if c.kind == "value_sum" || c.kind == "value_avg" {
		_, ok := parseNumber(h.values[c.valueAt[0]])
		return ok
	}
	return true
}

func pick(values []string, at []int) string {
	if len(at) == 1 {
		return values[at[0]]
	}
	var b strings.Builder
	for _, i := range at {
		fmt.Fprintf(&b, "%d:%s", len(values[i]), values[i])
	}
	return b.String()
}

// slide moves the window of h's group to h and tests it. The caller holds mu.
func (c *correlation) slide(h *hit, batch bool) []detect.Finding {
	m := c.state
	key := strings.ToLower(pick(h.values, c.groupAt))
	g := m.groups[key]
	if g == nil {
		if len(m.groups) >= maxGroups && !m.forget(h.at.Add(-c.span), c.span) {
			m.lost.Full++
			return nil
		}
		g = &group{counts: map[string]int{}, members: make([]int, len(c.members))}
		m.groups[key] = g
	}
	end := h.at
	if n := len(g.hits); n > 0 && g.hits[n-1].at.After(end) {
		end = g.hits[n-1].at
	}
	start := end.Add(-c.span)
	for len(g.hits) > 0 && g.hits[0].at.Before(start) {
		c.count(g, g.hits[0], -1)
		g.hits = g.hits[1:]
		m.held--
	}
	if g.fired && !c.holds(g) {
		g.fired = false
	}
	if h.at.Before(start) {
		m.lost.Late++
		return nil
	}
	if len(g.hits) >= maxEntries || m.held >= maxHeld && !m.forget(start, c.span) {
		m.lost.Full++
		return nil
	}
	at, _ := slices.BinarySearchFunc(g.hits, h, compareHits)
	g.hits = slices.Insert(g.hits, at, h)
	m.held++
	if at < len(g.hits)-1 { // only the newest is asked for its view
		h.view = nil
	} else if at > 0 {
		g.hits[at-1].view = nil
	}
	c.count(g, h, 1)
	if g.fired || !c.holds(g) {
		return nil
	}
	g.fired = true
	return c.fire(g, batch)
}

// forget drops groups whose window is over; it reports whether there were any.
// It looks at every group, so in a full memory it looks again only when time
// has moved on by a part of the span: names invented by the thousand must cost
// hits of this correlation, which are counted, and not the time of all others.
func (m *windowMemory) forget(before time.Time, span time.Duration) bool {
	if before.Sub(m.forgot).Abs() < span/forgetSteps {
		return false
	}
	m.forgot = before
	n := len(m.groups)
	for k, g := range m.groups {
		if len(g.hits) == 0 || g.hits[len(g.hits)-1].at.Before(before) {
			m.held -= len(g.hits)
			delete(m.groups, k)
		}
	}
	return len(m.groups) < n
}

// count adds h to the group's counts, or takes it away.
func (c *correlation) count(g *group, h *hit, by int) {
	g.members[h.member] += by
	switch c.kind {
	case "value_count":
		v := strings.ToLower(pick(h.values, c.valueAt))
		if g.counts[v] += by; g.counts[v] == 0 {
			delete(g.counts, v)
		}
	case "value_sum", "value_avg":
		n, _ := parseNumber(h.values[c.valueAt[0]])
		if g.sum += float64(by) * n.f; len(g.hits) == 0 {
			g.sum = 0 // no rest of rounding in an empty window
		}
	}
}

// measure is what the condition compares.
func (c *correlation) measure(g *group) number {
	n := 0
	switch c.kind {
	case "event_count":
		n = len(g.hits)
	case "value_count":
		n = len(g.counts)
	case "value_sum":
		return number{f: g.sum}
	case "value_avg":
		return number{f: g.sum / float64(max(1, len(g.hits)))}
	default:
		for _, k := range g.members {
			if k > 0 {
				n++
			}
		}
	}
	return number{true, int64(n), float64(n)}
}

func (c *correlation) holds(g *group) bool {
	if len(g.hits) == 0 {
		return false
	}
	v := c.measure(g)
	if len(c.bounds) == 0 { // temporal without a condition: all of them
		if v.i < int64(len(c.members)) {
			return false
		}
	}
	for _, b := range c.bounds {
		if !b.op.holds(v.compare(b.limit)) {
			return false
		}
	}
	return c.kind != "temporal_ordered" || c.ordered(g)
}

// ordered looks for the members in their order; equal times count in the order
// of compareHits.
func (c *correlation) ordered(g *group) bool {
	next := 0
	for _, h := range g.hits {
		if h.member == next {
			if next++; next == len(c.members) {
				return true
			}
		}
	}
	return false
}

// fire states the finding and passes it on to the correlations above.
func (c *correlation) fire(g *group, batch bool) []detect.Finding {
	c.rule.tally.n.Add(1)
	last := g.hits[len(g.hits)-1]
	f := detect.Finding{
		Realm: last.realm, Agency: last.agency, Rule: c.rule.Rule, Meaning: c.rule.Meaning, Tags: c.rule.Tags,
		Time: last.at, Host: last.view.Host, View: *last.view,
	}
	var all []event.ID
	for _, h := range g.hits {
		all = append(all, h.ids...)
		for i := range h.ids {
			if len(f.Events) < maxEvidence {
				f.Events, f.Origins = append(f.Events, h.ids[i]), append(f.Origins, h.origin[i])
			}
		}
	}
	f.ID = detect.NewID(c.rule.Hash, all...)
	f.Reasons = []string{c.reason(g)}
	if len(all) > maxEvidence {
		f.Reasons = append(f.Reasons, fmt.Sprintf("%d events; the first %d are shown", len(all), maxEvidence))
	}
	for i, name := range c.groupBy {
		f.Matched = append(f.Matched, detect.Matched{Field: name, Value: clip(last.values[c.groupAt[i]])})
	}
	var out []detect.Finding
	if c.speaks() {
		out = append(out, f)
	}
	for _, p := range c.parents {
		h := &hit{at: last.at, member: p.member, ids: f.Events, origin: f.Origins, view: last.view, realm: last.realm, agency: last.agency}
		for _, i := range p.at {
			v := ""
			if i >= 0 {
				v = last.values[i]
			}
			h.values = append(h.values, v)
		}
		out = append(out, p.corr.observe(h, batch)...)
	}
	return out
}

// speaks reports whether the correlation gives findings of its own: not when it
// is only a link of a chain (specification, "generate").
func (c *correlation) speaks() bool {
	if len(c.parents) == 0 {
		return true
	}
	return slices.ContainsFunc(c.parents, func(p parent) bool { return p.corr.generate })
}

func (c *correlation) reason(g *group) string {
	var limits []string
	for _, b := range c.bounds {
		sign := ">"
		if b.op == cmpGTE {
			sign = "≥"
		}
		limits = append(limits, fmt.Sprintf("%s %g", sign, b.limit.f))
	}
	v := fmt.Sprintf("%g", c.measure(g).f)
	if len(limits) == 0 {
		return fmt.Sprintf("%s: all %s rules within %s", c.kind, v, c.span)
	}
	return fmt.Sprintf("%s: %s %s within %s", c.kind, v, strings.Join(limits, " and "), c.span)
}
