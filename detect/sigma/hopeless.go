// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"
)

// Bounds of letting go. A batch engine keeps the hits of a correlation until
// Flush, because input need not be in order of time. In a million logons nearly
// all hits stand alone, and keeping them would cost more than everything else;
// so when many wait, those go that are in no window with even a quarter of what
// the condition asks for.
const (
	crowd    = 50_000 // waiting hits from which hopeless ones are let go
	latecome = 8192   // hits that came last are kept: their company may be on its way
)

// letGo drops waiting hits that have no company. Those within two spans of the
// latest time stay, so that input in order of time loses nothing that could fire.
// Where the parts of one window come far apart (one file after the other) a
// window may be missed that gathers less than a quarter at a time: LetGo counts
// the hits. The caller holds mu.
func (c *correlation) letGo() {
	m := c.state
	hope, ok := c.hope()
	if !ok {
		m.crowded = maxHeld
		return
	}
	latest := m.waiting[0].at
	for _, h := range m.waiting {
		if h.at.After(latest) {
			latest = h.at
		}
	}
	edge, young := latest.Add(-2*c.span), max(0, len(m.waiting)-latecome)
	stays := make(map[*hit]bool, 2*latecome)
	groups := map[string][]*hit{}
	for i, h := range m.waiting {
		if i >= young || !h.at.Before(edge) {
			stays[h] = true
		}
		key := strings.ToLower(pick(h.values, c.groupAt))
		groups[key] = append(groups[key], h)
	}
	for _, hits := range groups {
		c.company(hits, hope, stays)
	}
	before := len(m.waiting)
	m.waiting = slices.DeleteFunc(m.waiting, func(h *hit) bool { return !stays[h] })
	m.lost.LetGo += int64(before - len(m.waiting))
	m.crowded = min(max(crowd, 2*len(m.waiting)), maxHeld)
}

// hope is the count from which a window might still come to fire; false where
// no count is too small for that.
func (c *correlation) hope() (float64, bool) {
	switch c.kind {
	case "temporal", "temporal_ordered":
		return 2, len(c.members) > 1
	case "event_count", "value_count":
	default:
		return 0, false
	}
	least := 0.0
	for _, b := range c.bounds {
		if b.op == cmpGT || b.op == cmpGTE {
			least = max(least, b.limit.f)
		}
	}
	return max(2, least/4), least >= 3
}

// company notes the hits of one group that lie in a window of hope.
func (c *correlation) company(hits []*hit, hope float64, stays map[*hit]bool) {
	slices.SortFunc(hits, compareHits)
	g := &group{counts: map[string]int{}, members: make([]int, len(c.members))}
	lo, noted := 0, 0
	for hi, h := range hits {
		c.count(g, h, 1)
		for h.at.Sub(hits[lo].at) > c.span {
			c.count(g, hits[lo], -1)
			lo++
		}
		if g.hits = hits[lo : hi+1]; c.measure(g).f < hope {
			continue
		}
		for noted = max(noted, lo); noted <= hi; noted++ {
			stays[hits[noted]] = true
		}
	}
}

// wait keeps a hit of a batch until Flush. The caller holds mu.
func (c *correlation) wait(h *hit) {
	m := c.state
	if len(m.waiting) >= max(m.crowded, crowd) {
		c.letGo()
	}
	if len(m.waiting) >= maxHeld {
		m.lost.Full++
		return
	}
	m.waiting = append(m.waiting, h)
}
