// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"citywall/asset"
	"citywall/incident"
	"citywall/incident/attackpath"
	"citywall/incident/fact"
)

// thread is one intrusion: the hosts that belong to it, since when, and the
// moves that lead there.
type thread struct {
	root    int           // host entered first, -1 for a covert thread without one
	began   int64         // when
	open    bool          // no move explains how
	comp    map[int]int64 // hosts under foreign control, and since when at the latest
	touched map[int]int64 // reached by weaker moves
	moves   map[int]bool  // by index of analysis.moves
	entries []int         // moves of Entry that start a path, by time
	others  [][]int       // next best paths to the first anchor
	covert  *covert
	anomaly bool // no detection: the anomalous edges themselves
}

// seed is where a backward search starts: a host that is under foreign control.
type seed struct {
	host   int
	t      int64
	impact bool
	paths  []attackpath.Path
}

// trace searches backwards from every seed, gathers the paths that share hosts
// or outside addresses, and walks forward from where each gathering begins.
func (a *analysis) trace() {
	a.settle()
	g := attackpath.NewGraph(a.moves, a.cfg.w)
	seeds := a.seeds()
	for i := range seeds {
		s := &seeds[i]
		s.paths = g.Search(attackpath.Anchor{Host: s.host, T: s.t + int64(5*time.Second)}, a.badSince)
	}
	a.seeded = seeds
	a.ordinarily(seeds)
	groups := a.gather(seeds)
	for n := 0; n < len(groups); {
		t := a.thread(g, seeds, groups[n])
		if k := a.meets(t); k >= 0 { // two beginnings lead to the same hosts: one intrusion
			groups[n] = slices.Sorted(slices.Values(append(groups[n], groups[k]...)))
			groups = slices.Delete(groups, k, k+1)
			a.threads, n = a.threads[:0], 0
			continue
		}
		a.threads = append(a.threads, t)
		n++
	}
	a.threads = slices.DeleteFunc(a.threads, func(t *thread) bool { return !a.enough(t) })
	for _, t := range a.threads {
		a.reachable(g, t)
	}
	for i := range a.covert {
		c := &a.covert[i]
		if a.claimed(c) {
			continue
		}
		t := &thread{root: c.host, began: c.first, open: true, comp: map[int]int64{c.host: cmp.Or(c.first, c.last)}, moves: map[int]bool{}, covert: c}
		a.threads = append(a.threads, t)
	}
	slices.SortStableFunc(a.threads, func(x, y *thread) int { return cmp.Or(cmp.Compare(x.began, y.began), cmp.Compare(x.root, y.root)) })
}

// settle puts the moves into an order that depends on nothing but themselves.
func (a *analysis) settle() {
	order := make([]int, len(a.moves))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int {
		m, n := &a.moves[x], &a.moves[y]
		v, u := &a.via[x], &a.via[y]
		return cmp.Or(cmp.Compare(m.T, n.T), cmp.Compare(m.From, n.From), cmp.Compare(m.To, n.To), cmp.Compare(v.kind, u.kind), cmp.Compare(v.port, u.port), cmp.Compare(n.Score, m.Score))
	})
	moves, vias := make([]attackpath.Move, len(order)), make([]via, len(order))
	for n, i := range order {
		moves[n], vias[n] = a.moves[i], a.via[i]
	}
	a.moves, a.via = moves, vias
}

// seeds are the hosts under foreign control, each at its end point: the
// earliest anchor, else the first bad moment.
func (a *analysis) seeds() []seed {
	var out []seed
	for _, h := range slices.Sorted(maps.Keys(a.badSince)) {
		s := seed{host: h, t: a.badSince[h]}
		for i := range a.signs[h] {
			if x := &a.signs[h][i]; x.anchor && x.compromise {
				s.t, s.impact = max(s.t, x.t), true
				break
			}
		}
		out = append(out, s)
	}
	return out
}

// ordinarily explains seeds that no path leads to, of machines that were destroyed
// within a day of others: the best of the ordinary ways by which a machine that
// was in the intruder's hands by then reached it. Two such days in one house at
// once are rarer than an intruder who moves as administrators do. The way itself
// is on record, that it was his is inferred.
func (a *analysis) ordinarily(seeds []seed) {
	held := map[int]int64{} // since when, by the paths of those that are explained
	hold := func(h int, t int64) {
		if old, ok := held[h]; !ok || t < old {
			held[h] = t
		}
	}
	explained := false
	for i := range seeds {
		s := &seeds[i]
		if !s.impact || len(s.paths[0].Moves) == 0 {
			continue
		}
		explained = true
		hold(s.host, s.t)
		for _, m := range s.paths[0].Moves {
			if !a.moves[m].Effect {
				hold(a.moves[m].To, a.moves[m].T)
			}
		}
	}
	if !explained {
		return
	}
	for i := range seeds {
		s := &seeds[i]
		if _, known := held[s.host]; known || !s.impact || len(s.paths[0].Moves) > 0 {
			continue
		}
		best := -1
		for k := range a.moves {
			m := &a.moves[k]
			since, ok := held[m.From]
			if m.To != s.host || m.Entry || m.Effect || !ok || since > m.T+m.Unc || m.T > s.t+m.Unc || s.t-m.T > int64(a.cfg.p.Course) || !a.via[k].capable {
				continue
			}
			if best < 0 || m.Score > a.moves[best].Score {
				best = k
			}
		}
		if best >= 0 {
			a.via[best].grade = incident.Inferred
			s.paths[0].Moves, s.paths[0].First, s.paths[0].Open, s.paths[0].Joins = []int{best}, a.moves[best].From, false, true
		}
	}
}

// gather unites seeds whose best paths share a host or an outside address, and
// those whose files took the same foreign extension on the same days.
func (a *analysis) gather(seeds []seed) [][]int {
	parent := make([]int, len(seeds))
	for i := range parent {
		parent[i] = i
	}
	var find func(int) int
	find = func(i int) int {
		if parent[i] != i {
			parent[i] = find(parent[i])
		}
		return parent[i]
	}
	hosts := map[int]int{}    // host or outside address: a seed
	marks := map[string]int{} // what an encrypter leaves
	join := func(key, i int) {
		if j, ok := hosts[key]; ok {
			parent[find(i)] = find(j)
			return
		}
		hosts[key] = i
	}
	for i := range seeds {
		join(seeds[i].host, i)
		for _, x := range a.signs[seeds[i].host] {
			if x.mark == "" {
				continue
			}
			if j, ok := marks[x.mark]; ok {
				parent[find(i)] = find(j)
			} else {
				marks[x.mark] = i
			}
		}
		for _, m := range seeds[i].paths[0].Moves {
			join(a.moves[m].From, i)
			join(a.moves[m].To, i)
		}
	}
	for i := range a.channels { // the same control channel is the same hand
		if x := &a.channels[i]; x.anomalous {
			if j, ok := hosts[x.src]; ok {
				join(x.dst, j)
			}
		}
	}
	groups := map[int][]int{}
	for i := range seeds {
		groups[find(i)] = append(groups[find(i)], i)
	}
	out := slices.Collect(maps.Values(groups))
	slices.SortFunc(out, func(x, y []int) int { return cmp.Compare(x[0], y[0]) })
	return out
}

// thread walks one gathering forward.
func (a *analysis) thread(g *attackpath.Graph, seeds []seed, group []int) *thread {
	t := &thread{root: -1, comp: map[int]int64{}, touched: map[int]int64{}, moves: map[int]bool{}}
	onPath := map[int]bool{}
	from := map[int]int64{}
	first := -1
	earliest := int64(math.MaxInt64)
	for _, i := range group {
		earliest = min(earliest, a.badSince[seeds[i].host])
	}
	for _, i := range group {
		s := &seeds[i]
		p := s.paths[0]
		for _, m := range p.Moves {
			onPath[m] = true
		}
		if first < 0 || s.impact && !seeds[first].impact || s.impact == seeds[first].impact && s.t < seeds[first].t {
			first = i
		}
		if p.Joins {
			continue // it begins where another path has come by then
		}
		for len(p.Moves) > 0 && (p.Open && a.unfounded(p.Moves[0]) || !p.Open && a.stray(p.Moves[0], earliest)) {
			delete(onPath, p.Moves[0])
			p.First, p.Moves, p.Open = a.moves[p.Moves[0]].To, p.Moves[1:], true
		}
		start := a.badSince[p.First]
		if !p.Open && len(p.Moves) > 0 {
			start = a.moves[p.Moves[0]].T
			t.entries = append(t.entries, p.Moves[0])
		} else if len(p.Moves) > 0 {
			m := a.moves[p.Moves[0]].T
			if b, ok := a.badSince[p.First]; !ok || m < b {
				start = m
			}
		}
		if old, ok := from[p.First]; !ok || start < old {
			from[p.First] = start
		}
	}
	if len(from) == 0 { // they join each other in a ring: the earliest begins
		for _, i := range group {
			if h := seeds[i].host; len(from) == 0 || a.badSince[h] < from[slices.Sorted(maps.Keys(from))[0]] {
				from = map[int]int64{h: a.badSince[h]}
			}
		}
	}
	a.surely(t, from)
	t.comp = g.Reach(from, func(i int, since int64) bool {
		return onPath[i] || a.odd(i)
	})
	for _, i := range group { // a seed that no accepted move reaches stays a seed
		if _, ok := t.comp[seeds[i].host]; !ok {
			t.comp[seeds[i].host] = a.badSince[seeds[i].host]
		}
	}
	for h, since := range t.comp { // a host's own earlier signs count
		if b, ok := a.badSince[h]; ok && b < since && since-b < int64(a.cfg.p.Course) {
			t.comp[h] = b
		}
	}
	for i := range a.moves {
		m := &a.moves[i]
		since, ok := t.comp[m.From]
		_, into := t.comp[m.To]
		switch {
		case m.Entry && slices.Contains(t.entries, i):
			t.moves[i] = true
		case !m.Entry && ok && into && m.T+m.Unc >= since && (onPath[i] || a.odd(i)):
			t.moves[i] = true
		}
	}
	for _, h := range slices.Sorted(maps.Keys(t.comp)) {
		_, starts := from[h]
		_, rooted := from[t.root]
		if t.root < 0 || t.comp[h] < t.comp[t.root] || t.comp[h] == t.comp[t.root] && starts && !rooted {
			t.root = h // where two fall at once, the one that the other was reached from
		}
	}
	t.began = t.comp[t.root]
	slices.SortFunc(t.entries, cmp.Compare[int])
	t.entries = slices.Compact(t.entries)
	t.open = true
	for _, i := range t.entries {
		if a.moves[i].To == t.root && a.moves[i].T <= t.began+a.moves[i].Unc {
			t.open = false
		}
	}
	for _, p := range seeds[first].paths[1:] {
		if len(p.Moves) > 0 {
			t.others = append(t.others, p.Moves)
		}
	}
	return t
}

// reaches reports a machine whose work it is to reach others, for many people:
// distribution, a jump host, backup.
func (a *analysis) reaches(h int) bool {
	x := &a.hosts.List[h]
	return x.Has(asset.RoleManager) || x.Has(asset.RoleBackup) || x.Has(asset.RoleScanner) || x.Has(asset.RoleMonitor)
}

// odd reports a move off the paths that is held to be the intruder's: it makes
// the other side obey and is unusual enough. From a machine that many people
// reach others from, its destination has to have shown a sign besides.
func (a *analysis) odd(i int) bool {
	m, v := &a.moves[i], &a.via[i]
	if !v.capable || m.Score < a.cfg.w.Hop {
		return false
	}
	since, bad := a.badSince[m.To]
	return v.deed || !a.reaches(m.From) || bad && since >= m.T-m.Unc
}

// unfounded reports that nothing but its oddity speaks for a move at which a path
// begins: its source is a machine whose work it is to reach others, whose own log
// covers the time and shows no sign, no record ties the move to a deed, and the
// other side was quiet after it. He may have been there; that is not said of such
// a machine on so little.
func (a *analysis) unfounded(i int) bool {
	m := &a.moves[i]
	if a.via[i].deed || !a.reaches(m.From) {
		return false
	}
	if since, bad := a.badSince[m.To]; bad && since-m.T <= int64(a.cfg.p.After) {
		return false
	}
	if since, bad := a.badSince[m.From]; bad && since <= m.T+m.Unc {
		return false
	}
	return a.ownLog(m.From, m.T)
}

// stray reports a way in that nothing ties to what came later: the machine showed
// nothing for hours after it, and when it did, others of the same hand had shown
// theirs before. It was reached from them; the visit was somebody's own.
func (a *analysis) stray(i int, earliest int64) bool {
	m := &a.moves[i]
	since, bad := a.badSince[m.To]
	return !a.via[i].deed && bad && since > earliest && since-m.T > int64(a.cfg.p.Attempt)
}

// ownLog reports that a host's own log was being written at t.
func (a *analysis) ownLog(h int, t int64) bool {
	own := false
	a.st.EachSource(func(id fact.ID, s fact.Source) {
		shift, _ := a.clocks.Fix(id)
		own = own || s.First-shift <= t && s.Last-shift >= t && a.hosts.List[h].Key == s.Clock
	})
	return own
}

// surely adds to the beginnings of a thread the ways in that are tied to a deed
// by their sessions, on hosts that it begins with: he may have come before.
func (a *analysis) surely(t *thread, from map[int]int64) {
	for i := range a.moves {
		m := &a.moves[i]
		since, ok := from[m.To]
		if !m.Entry || !a.via[i].deed || !ok {
			continue
		}
		t.entries = append(t.entries, i)
		if m.T < since {
			from[m.To] = m.T
		}
	}
}

// meets returns the earlier thread that holds a host of t, -1 for none.
func (a *analysis) meets(t *thread) int {
	for k, o := range a.threads {
		for h := range t.comp {
			if _, ok := o.comp[h]; ok {
				return k
			}
		}
	}
	return -1
}

// enough reports whether a gathering amounts to an incident: a sign that says
// so, or anomalous edges that add up.
func (a *analysis) enough(t *thread) bool {
	for h := range t.comp {
		for i := range a.signs[h] {
			if s := &a.signs[h][i]; s.compromise && s.observer == "" {
				return true
			}
		}
	}
	for h := range t.comp {
		for i := range a.signs[h] {
			if _, ok := a.addsUp(a.signs[h][:i+1]); ok {
				return true
			}
		}
	}
	t.anomaly = true
	sum, edges := 0.0, 0
	for i := range a.channels {
		if x := &a.channels[i]; x.anomalous {
			if _, ok := t.comp[x.src]; ok {
				sum, edges = sum+x.score, edges+1
			}
		}
	}
	for i := range t.moves {
		if !a.moves[i].Entry {
			sum, edges = sum+a.moves[i].Score, edges+1
		}
	}
	return sum >= a.cfg.p.Edges && edges >= 2
}

// reachable lists the hosts that the thread could have touched: reached in time
// by a move that is unusual, though it is not held to be part of it.
func (a *analysis) reachable(g *attackpath.Graph, t *thread) {
	got := g.Reach(t.comp, func(i int, since int64) bool {
		return a.via[i].capable && a.moves[i].Score > a.cfg.w.Bias && a.moves[i].T <= a.last
	})
	for h, at := range got {
		if _, ok := t.comp[h]; !ok {
			t.touched[h] = at
		}
	}
}

// claimed reports that a covert matter belongs to a thread that has its host
// since before it began.
func (a *analysis) claimed(c *covert) bool {
	for _, t := range a.threads {
		if since, ok := t.comp[c.host]; ok && t.covert == nil && since <= cmp.Or(c.first, c.last) {
			return true
		}
	}
	return false
}
