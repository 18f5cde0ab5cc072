// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package attackpath

import (
	"cmp"
	"math"
	"slices"
)

// Move is one way in which an intruder may have come from one host to another,
// at one time. From and To are in the direction of the intrusion: a control
// channel that a host opened to the outside runs From outside.
type Move struct {
	From, To int
	T, Unc   int64 // ns
	Score    float64
	Entry    bool // From is beyond a trust boundary: a path may start here
	Effect   bool // shows that To obeys somebody by then, not how it came about: a call to the outside
}

// Anchor is where a backward search starts.
type Anchor struct {
	Host int
	T    int64
}

// Path is a way to an anchor.
type Path struct {
	Moves []int // indices of moves, in order of time; empty when it starts at the anchor
	First int   // the host that was entered first: the anchor's own, or the first move's To; where a path joins another, the host it joins at
	Open  bool  // begins inside, without a move that explains it
	Joins bool  // begins at a host that was already lost; how, that host's own paths say
	Cost  float64
}

// P is the probability of a sum of log-odds.
func P(score float64) float64 { return 1 / (1 + math.Exp(-score)) }

// cost is −ln p, reject −ln(1−p), both without overflow.
func cost(score float64) float64   { return math.Log1p(math.Exp(-score)) }
func reject(score float64) float64 { return math.Log1p(math.Exp(score)) }

// cont is a way from a host at a time to the anchor.
type cont struct {
	move int // first move of the way, -1 at the anchor
	next int // index into conts, -1 at the end
	t    int64
	unc  int64
	host int
	hops int
	cost float64
}

// Graph is moves made ready for searching. It is read-only afterwards.
type Graph struct {
	moves []Move
	order []int             // latest first
	into  map[int][]arrival // by destination, in order of time
	w     Weights
}

// ranks is how many of the strongest moves into a host are remembered: enough to
// pass over the one that is taken and those of hosts on the way.
const ranks = 8

// arrival is the strongest moves into a host up to a time, of different
// sources, the strongest first; -1 ends the list.
type arrival struct {
	t   int64
	top [ranks]int32
}

// with returns the list with move i in its place.
func (a arrival) with(moves []Move, i int) arrival {
	out := arrival{t: moves[i].T}
	n := 0
	put := func(k int32) {
		if n < ranks {
			out.top[n] = k
			n++
		}
	}
	placed := false
	for _, k := range a.top {
		if k < 0 {
			break
		}
		if !placed && moves[i].Score > moves[k].Score {
			put(int32(i))
			placed = true
		}
		if moves[k].From != moves[i].From {
			put(k)
		} else if !placed { // the source has a stronger one already
			put(k)
			placed = true
		}
	}
	if !placed {
		put(int32(i))
	}
	for ; n < ranks; n++ {
		out.top[n] = -1
	}
	return out
}

// NewGraph sorts the moves. A move whose cost alone exceeds what leaving it
// unexplained and starting openly would cost can be on no best path and is left
// out of the search. Indices of paths refer to moves as given; for the same
// result whatever the order, give them in a settled order.
func NewGraph(moves []Move, w Weights) *Graph {
	g := &Graph{moves: moves, into: map[int][]arrival{}, w: w}
	for i := range moves {
		if m := &moves[i]; cost(m.Score) <= least+w.Open {
			g.order = append(g.order, i)
		}
	}
	slices.SortFunc(g.order, func(a, b int) int {
		x, y := &moves[a], &moves[b]
		return cmp.Or(cmp.Compare(y.T, x.T), cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To), cmp.Compare(y.Score, x.Score), cmp.Compare(a, b))
	})
	for n := len(g.order) - 1; n >= 0; n-- {
		i := g.order[n]
		m := &moves[i]
		if m.Effect {
			continue
		}
		var before arrival
		if l := g.into[m.To]; len(l) > 0 {
			before = l[len(l)-1]
		} else {
			before.top[0] = -1
		}
		g.into[m.To] = append(g.into[m.To], before.with(moves, i))
	}
	return g
}

// left is what it costs to leave unexplained the strongest move into host h up
// to t that does not come from the given host nor from one on the way.
func (g *Graph) left(conts []cont, way, h int, t int64, from int) float64 {
	l := g.into[h]
	n, _ := slices.BinarySearchFunc(l, t+1, func(a arrival, t int64) int { return cmp.Compare(a.t, t) })
	if n == 0 {
		return 0
	}
	for _, i := range l[n-1].top {
		if i < 0 {
			break
		}
		if g.moves[i].From != from && !onWay(conts, way, g.moves[i].From) {
			return reject(g.moves[i].Score)
		}
	}
	return 0
}

// least is the cost of a move that cannot compete: p = 0.05.
var least = -math.Log(0.05)

// Search returns up to Weights.K paths to a, the cheapest first, distinct in
// their hosts. lost says since when other hosts are known to be in the
// intruder's hands: a path may begin at one of them without further cost, so
// that what is odd about the common part of many paths is weighed once. A path
// that begins inside and unexplained, while others are in his hands, costs
// Weights.Another more: two intrusions at once are rarer than one.
func (g *Graph) Search(a Anchor, lost map[int]int64) []Path {
	moves, w := g.moves, g.w
	conts := []cont{{move: -1, next: -1, t: a.T, host: a.Host}}
	best := map[int][]int{a.Host: {0}} // host: indices into conts
	var starts []start
	for _, i := range g.order {
		m := &moves[i]
		if m.T > a.T+m.Unc {
			continue
		}
		for _, c := range slices.Clone(best[m.To]) {
			n := &conts[c]
			if m.T > n.t+m.Unc+n.unc || n.hops >= w.MaxHops || onWay(conts, c, m.From) {
				continue
			}
			x := cont{move: i, next: c, t: m.T, unc: m.Unc, host: m.From, hops: n.hops + 1}
			x.cost = n.cost + cost(m.Score) + w.Dwell*math.Log1p(math.Max(0, float64(n.t-m.T)/hourNS)) + g.left(conts, c, m.To, n.t+n.unc, m.From)
			conts = append(conts, x)
			if m.Entry {
				starts = append(starts, start{len(conts) - 1, entered})
				continue
			}
			if since, ok := lost[m.From]; ok && since <= m.T+m.Unc {
				starts = append(starts, start{len(conts) - 1, joined})
			}
			best[m.From] = admit(conts, best[m.From], len(conts)-1, w.K)
		}
	}
	for _, list := range best {
		for _, c := range list {
			starts = append(starts, start{c, open})
		}
	}
	return g.choose(conts, starts, lost)
}

type start struct {
	cont int
	how  how
}

// how a path begins.
type how uint8

const (
	open    how = iota // unexplained
	entered            // from outside
	joined             // at a host that is lost already
)

func onWay(conts []cont, c, host int) bool {
	for ; c >= 0; c = conts[c].next {
		if conts[c].host == host {
			return true
		}
	}
	return false
}

// sameHosts reports whether two ways visit the same hosts in the same order.
func sameHosts(conts []cont, a, b int) bool {
	for a >= 0 && b >= 0 {
		if conts[a].host != conts[b].host {
			return false
		}
		a, b = conts[a].next, conts[b].next
	}
	return a == b
}

// admit keeps the k cheapest continuations of a host that differ in hosts.
func admit(conts []cont, list []int, c, k int) []int {
	for i, x := range list {
		if sameHosts(conts, x, c) {
			if conts[c].cost < conts[x].cost {
				list[i] = c
			}
			return list
		}
	}
	if len(list) < k {
		return append(list, c)
	}
	worst := 0
	for i := range list {
		if conts[list[i]].cost > conts[list[worst]].cost {
			worst = i
		}
	}
	if conts[c].cost < conts[list[worst]].cost {
		list[worst] = c
	}
	return list
}

// choose adds the start costs and returns the cheapest paths.
func (g *Graph) choose(conts []cont, starts []start, lost map[int]int64) []Path {
	moves, w := g.moves, g.w
	early := make([]Anchor, 0, len(lost)) // since when which host, the earliest first
	for h, since := range lost {
		early = append(early, Anchor{h, since})
	}
	slices.SortFunc(early, func(a, b Anchor) int { return cmp.Or(cmp.Compare(a.T, b.T), cmp.Compare(a.Host, b.Host)) })
	paths := make([]Path, 0, len(starts))
	for _, s := range starts {
		p := Path{Open: s.how == open, Joins: s.how == joined, Cost: conts[s.cont].cost}
		for c := s.cont; conts[c].move >= 0; c = conts[c].next {
			p.Moves = append(p.Moves, conts[c].move)
		}
		p.First = conts[s.cont].host
		switch s.how {
		case entered:
			p.First = moves[p.Moves[0]].To
		case open:
			for _, l := range early { // ends soon: a way is short
				if l.T > conts[s.cont].t {
					break
				}
				if !onWay(conts, s.cont, l.Host) {
					p.Cost += w.Another
					break
				}
			}
			p.Cost += w.Open + g.left(conts, s.cont, p.First, conts[s.cont].t+conts[s.cont].unc, -1)
		}
		paths = append(paths, p)
	}
	slices.SortFunc(paths, func(a, b Path) int {
		return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(len(b.Moves), len(a.Moves)), slices.Compare(a.Moves, b.Moves))
	})
	var out []Path
	for _, p := range paths {
		if len(out) == w.K {
			break
		}
		if !slices.ContainsFunc(out, func(q Path) bool { return sameWay(moves, p, q) }) {
			out = append(out, p)
		}
	}
	return out
}

// sameWay reports whether two paths visit the same hosts in the same order.
func sameWay(moves []Move, p, q Path) bool {
	if len(p.Moves) != len(q.Moves) || p.First != q.First || p.Joins != q.Joins {
		return false
	}
	for i := range p.Moves {
		a, b := &moves[p.Moves[i]], &moves[q.Moves[i]]
		if a.From != b.From || a.To != b.To {
			return false
		}
	}
	return true
}
