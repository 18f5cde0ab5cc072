// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package picture

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"time"

	"citywall/detect"
	"citywall/incident"
	"citywall/internal/draw"
)

type laneKind int

const (
	laneExternal laneKind = iota
	laneVia               // inside, not compromised, and on the path: an address of a VPN pool
	laneCompromised
	laneOther
)

// lane is one row of the picture: a host, or several that were folded.
type lane struct {
	kind  laneKind
	hosts []string // keys; more than one: folded
	state incident.HostState
	first time.Time // under foreign control since; zero: not
	last  time.Time
	y     float64
}

func (l lane) folded() bool { return len(l.hosts) > 1 }

type itemKind int

const (
	itemHop itemKind = iota
	itemStep
	itemEnd // an end of the interval of first compromise
)

// item is what stands at a moment: hops or steps that were folded into one.
type item struct {
	kind     itemKind
	time     time.Time
	lane     int // steps
	from, to int // hops: lanes
	hops     []incident.Hop
	steps    []incident.StepEvent
}

func (it item) room() float64 {
	switch it.kind {
	case itemHop:
		return badgeWidth(it.label()) + 14
	case itemStep:
		if len(it.steps) > 1 {
			return 26 + draw.Width(fmt.Sprintf("×%d", len(it.steps)), 10.5)
		}
		return 15
	}
	return 10
}

// label is the number of a hop, or the range of folded ones.
func (it item) label() string {
	a, b := it.hops[0].N, it.hops[len(it.hops)-1].N
	if a == b {
		return fmt.Sprint(a)
	}
	return fmt.Sprintf("%d–%d", a, b)
}

type plan struct {
	lanes []lane
	items []item
	of    map[string]int // host or address → lane
}

// newPlan decides what is drawn. Hosts that carry the story (ends of hops that
// lead on, steps other than encryption) come before those that only fell; when
// there are more than most lanes, the least of each kind are folded.
func newPlan(in incident.Incident, most int) plan {
	p := plan{of: map[string]int{}}
	states := slices.Clone(in.Hosts)
	known := map[string]bool{}
	alias := map[netip.Addr]string{}
	for _, h := range states {
		known[h.Host] = true
		for _, a := range h.Addresses {
			if _, taken := alias[a]; !taken {
				alias[a] = h.Host
			}
		}
	}
	key := func(e incident.Endpoint) string {
		if e.Host != "" && known[e.Host] {
			return e.Host
		}
		if h, ok := alias[e.Addr]; ok && e.Addr.IsValid() {
			return h
		}
		return e.Key()
	}
	// An end that the incident does not list still gets a lane.
	add := func(k string, at time.Time) {
		if k != "" && !known[k] {
			known[k] = true
			states = append(states, incident.HostState{Host: k, First: at, Last: at})
		}
	}
	for _, h := range in.Hops {
		add(key(h.Src), h.Time)
		add(key(h.Dst), h.Time)
	}
	for _, s := range in.Steps {
		add(s.Host, s.Time)
	}
	weight := weights(in, key)
	onPath := map[string]bool{}
	for _, h := range in.Hops {
		onPath[key(h.Src)], onPath[key(h.Dst)] = true, true
	}
	p.makeLanes(states, weight, onPath, most)
	p.makeItems(in, key)
	return p
}

// story is the weight of a host that others would be missed without. Below it
// a host is one of many that say the same thing.
const story = 100

// fan is from how many on hosts that were reached alike are one of many.
const fan = 5

// weights counts what a host adds to the story: whoever leads on, or was
// reached in a way of its own, or was first.
func weights(in incident.Incident, key func(incident.Endpoint) string) map[string]int {
	leads := map[string]bool{}
	for _, h := range in.Hops {
		leads[key(h.Src)] = true
	}
	type way struct{ src, kind string }
	leaves := map[way]map[string]bool{}
	for _, h := range in.Hops {
		if dst := key(h.Dst); !leads[dst] {
			k := way{key(h.Src), h.Kind}
			if leaves[k] == nil {
				leaves[k] = map[string]bool{}
			}
			leaves[k][dst] = true
		}
	}
	w := map[string]int{}
	for _, h := range in.Hops {
		src, dst := key(h.Src), key(h.Dst)
		w[src] += story
		if set := leaves[way{src, h.Kind}]; set[dst] && len(set) >= fan {
			w[dst]++
		} else {
			w[dst] += story
		}
	}
	alone := map[string]bool{} // shows steps, and no hop leads there
	for _, s := range in.Steps {
		if _, onPath := w[s.Host]; !onPath || alone[s.Host] {
			alone[s.Host] = true
			w[s.Host]++
		}
	}
	if len(alone) < fan {
		for h := range alone {
			w[h] += story
		}
	}
	if in.FirstCompromise != nil {
		w[in.FirstCompromise.Host] += 100 * story
	}
	return w
}

func (p *plan) makeLanes(states []incident.HostState, weight map[string]int, onPath map[string]bool, most int) {
	groups := [4][]incident.HostState{}
	for _, h := range states {
		switch {
		case h.External:
			groups[laneExternal] = append(groups[laneExternal], h)
		case h.Compromised:
			groups[laneCompromised] = append(groups[laneCompromised], h)
		case onPath[h.Host]:
			groups[laneVia] = append(groups[laneVia], h)
		default:
			groups[laneOther] = append(groups[laneOther], h)
		}
	}
	room := [4]int{laneExternal: most / 4, laneVia: most / 5, laneCompromised: most, laneOther: 3}
	for kind, g := range groups {
		sort.SliceStable(g, func(i, j int) bool {
			if !g[i].First.Equal(g[j].First) {
				return g[i].First.Before(g[j].First)
			}
			return g[i].Host < g[j].Host
		})
		keep := room[kind]
		if laneKind(kind) == laneCompromised {
			keep = max(2, most-len(p.lanes)-1)
		}
		chosen := choose(g, weight, keep, laneKind(kind))
		var rest []incident.HostState
		for _, h := range g {
			if chosen[h.Host] {
				p.addLane(laneKind(kind), h)
				continue
			}
			rest = append(rest, h)
		}
		p.addLane(laneKind(kind), rest...)
	}
}

// choose picks the hosts that get a lane of their own.
func choose(g []incident.HostState, weight map[string]int, keep int, kind laneKind) map[string]bool {
	order := slices.Clone(g)
	sort.SliceStable(order, func(i, j int) bool { return weight[order[i].Host] > weight[order[j].Host] })
	// Hosts that only fell say the same thing thirty times: more than a few of
	// them are one lane, also when there would be room.
	minor := 0
	for _, h := range g {
		if weight[h.Host] < story {
			minor++
		}
	}
	out := map[string]bool{}
	for _, h := range order {
		light := weight[h.Host] < story
		if light && (minor > 4 || kind == laneOther && weight[h.Host] == 0 && minor > 1) {
			continue
		}
		if len(out) == keep && len(g) > keep {
			break
		}
		out[h.Host] = true
	}
	if len(g)-len(out) == 1 { // a fold of one saves nothing
		for _, h := range g {
			out[h.Host] = true
		}
	}
	return out
}

func (p *plan) addLane(kind laneKind, hs ...incident.HostState) {
	if len(hs) == 0 {
		return
	}
	l := lane{kind: kind, state: hs[0]}
	for _, h := range hs {
		l.hosts = append(l.hosts, h.Host)
		p.of[h.Host] = len(p.lanes)
		if !h.Compromised {
			continue
		}
		if l.first.IsZero() || h.First.Before(l.first) {
			l.first = h.First
		}
		if h.Last.After(l.last) {
			l.last = h.Last
		}
	}
	p.lanes = append(p.lanes, l)
}

func (p *plan) makeItems(in incident.Incident, key func(incident.Endpoint) string) {
	var items []item
	for _, h := range in.Hops {
		from, ok1 := p.of[key(h.Src)]
		to, ok2 := p.of[key(h.Dst)]
		if ok1 && ok2 {
			items = append(items, item{kind: itemHop, time: h.Time, from: from, to: to, hops: []incident.Hop{h}})
		}
	}
	for _, s := range in.Steps {
		if l, ok := p.of[s.Host]; ok {
			items = append(items, item{kind: itemStep, time: s.Time, lane: l, steps: []incident.StepEvent{s}})
		}
	}
	sort.SliceStable(items, func(i, j int) bool { return items[i].time.Before(items[j].time) })
	items = fold(items, p.lanes, false)
	if len(items)+len(p.lanes) > MaxNodes-20 {
		items = fold(items, p.lanes, true)
	}
	if n := MaxNodes - 20 - len(p.lanes); len(items) > n {
		items = squeeze(items, n)
	}
	if f := in.FirstCompromise; f != nil {
		if !f.Earliest.IsZero() && !f.LowerOpen {
			items = append(items, item{kind: itemEnd, time: f.Earliest})
		}
		items = append(items, item{kind: itemEnd, time: f.Latest})
		sort.SliceStable(items, func(i, j int) bool { return items[i].time.Before(items[j].time) })
	}
	p.items = items
}

// burst is how close marks of one kind on one lane are one mark: a script that
// stops nine services says one thing.
const burst = 10 * time.Minute

// fold joins what would be drawn on top of itself: hops between the same two
// lanes and marks of the same kind on the same lane, when a lane is a fold of
// hosts or they come in a burst; with all set, always. Hops join only runs of numbers, so that
// "8–37" hides no other hop.
func fold(items []item, lanes []lane, all bool) []item {
	var out []item
	open := map[[4]int]int{} // what → index in out
	lastHop := -1
	for _, it := range items {
		var k [4]int
		switch it.kind {
		case itemHop:
			h := it.hops[0]
			k = [4]int{int(itemHop), it.from, it.to, gradeRank(h.Grade)}
			i, ok := open[k]
			joinable := all || lanes[it.from].folded() || lanes[it.to].folded()
			if ok && joinable && i == lastHop && out[i].hops[0].Kind == h.Kind && out[i].hops[len(out[i].hops)-1].N+1 == h.N {
				out[i].hops = append(out[i].hops, h)
				continue
			}
			lastHop = len(out)
		case itemStep:
			k = [4]int{int(itemStep), it.lane, shapeRank(it.steps[0].Step)}
			if i, ok := open[k]; ok && (all || lanes[it.lane].folded() || it.time.Sub(out[i].time) <= burst) {
				out[i].steps = append(out[i].steps, it.steps[0])
				continue
			}
		}
		open[k] = len(out)
		out = append(out, it)
	}
	return out
}

// squeeze drops to n items when even folding leaves too many: marks first join
// the mark before them on their lane, then the last hops join the one before.
func squeeze(items []item, n int) []item {
	var out []item
	over := len(items) - n
	mark := map[int]int{} // lane → index of its last mark
	for _, it := range items {
		if i, ok := mark[it.lane]; it.kind == itemStep && ok && over > 0 {
			out[i].steps = append(out[i].steps, it.steps...)
			over--
			continue
		}
		if last := len(out) - 1; it.kind == itemHop && over > 0 && last >= 0 && out[last].kind == itemHop && out[last].from == it.from && out[last].to == it.to {
			out[last].hops = append(out[last].hops, it.hops...)
			over--
			continue
		}
		if it.kind == itemStep {
			mark[it.lane] = len(out)
		}
		out = append(out, it)
	}
	if len(out) > n {
		out = out[:n]
	}
	return out
}

func gradeRank(g incident.Grade) int {
	switch g {
	case incident.Observed:
		return 0
	case incident.Inferred:
		return 1
	}
	return 2
}

func stroke(g incident.Grade) draw.Stroke {
	return [...]draw.Stroke{draw.Solid, draw.Dashed, draw.Dotted}[gradeRank(g)]
}

// mark is a kind of step as it is drawn.
type mark struct {
	key   string // text
	shape draw.Shape
	bad   bool // in the colour of damage
	steps []detect.Step
}

// marks lists the shapes, in the order of the legend.
var marks = []mark{
	{"recon", draw.Ring, false, []detect.Step{detect.StepRecon, detect.StepDiscovery}},
	{"entry", draw.Triangle, true, []detect.Step{detect.StepEntry, detect.StepWebShell}},
	{"execution", draw.Dot, false, []detect.Step{detect.StepExecution, detect.StepPersist, detect.StepLateral, detect.StepControl, detect.StepOther}},
	{"privilege", draw.Diamond, true, []detect.Step{detect.StepPrivilege, detect.StepCredential}},
	{"exfiltration", draw.Up, true, []detect.Step{detect.StepExfil}},
	{"evasion", draw.Cross, true, []detect.Step{detect.StepEvasion, detect.StepInhibit}},
	{"encryption", draw.Lock, true, []detect.Step{detect.StepEncrypt, detect.StepNote}},
}

func shapeRank(s detect.Step) int {
	for i, m := range marks {
		if slices.Contains(m.steps, s) {
			return i
		}
	}
	return 2 // as StepOther
}
