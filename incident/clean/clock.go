// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"citywall/incident"
	"citywall/incident/fact"
)

// Params are the windows of cleaning.
type Params struct {
	Same      time.Duration // two sensors' starts of one connection lie this close, beside clock uncertainty
	MaxSkew   time.Duration // clocks further apart than this are not recognised as one event seen twice
	MinOffset time.Duration // offsets below are not corrected but widen the uncertainty
	MinPairs  int           // pairs that an offset must rest on
}

// Defaults returns the values of attackpath.md §3.
func Defaults() Params {
	return Params{Same: 2 * time.Second, MaxSkew: 15 * time.Minute, MinOffset: time.Second, MinPairs: 3}
}

// Clocks are the estimated errors of every clock.
type Clocks struct {
	by    map[string]incident.Clock // by clock name
	fixes map[fact.ID]fix           // by sensor
	named map[string]fix            // by clock
	p     Params
	doubt int64 // ns: how far the true time may lie from what the chosen reference says
}

// Doubt is how far all corrected times together may lie from the true time,
// because clocks that agree with each other stand against others and nobody can
// say which of them are right. The order of events does not depend on it.
func (c *Clocks) Doubt() time.Duration { return time.Duration(c.doubt) }

type fix struct{ shift, unc int64 } // ns: taken off a time, added to its uncertainty

// Fix returns what to take off a time that the sensor wrote, and the
// uncertainty that its clock adds, both in ns.
func (c *Clocks) Fix(sensor fact.ID) (shift, unc int64) {
	f := c.fixes[sensor]
	return f.shift, f.unc
}

// FixOf is Fix for a clock by its name.
func (c *Clocks) FixOf(clock string) (shift, unc int64) {
	f := c.named[clock]
	return f.shift, f.unc
}

// All returns every estimated clock by name. Offset is how far it is ahead.
func (c *Clocks) All() map[string]incident.Clock { return maps.Clone(c.by) }

// sighting is one end's record of something that two ends see.
type sighting struct {
	src, dst int
	user     string // tickets and their logons
	port     uint16 // source port of connections
	t        int64
	clock    string
}

type pairOf struct{ a, b string } // a < b

// Estimate finds the clock errors. configured names clocks whose offset is
// known (positive: ahead).
func Estimate(st *fact.Store, h *Hosts, configured map[string]time.Duration, p Params) *Clocks {
	c := &Clocks{by: map[string]incident.Clock{}, fixes: map[fact.ID]fix{}, named: map[string]fix{}, p: p}
	clockOf := map[fact.ID]string{}
	weight := map[string]int64{}
	voice := map[string]string{} // whose time a clock has: the domain's, else its own
	domains := st.Domains()
	st.EachSource(func(id fact.ID, s fact.Source) {
		clockOf[id] = s.Clock
		weight[s.Clock] += s.Count
		voice[s.Clock] = "clock " + s.Clock
		if s.Product == "windows" {
			voice[s.Clock] = "domain " + domains[s.Clock]
		}
	})
	if len(weight) > 1 {
		diffs := map[pairOf][]int64{}
		matches(connections(st, h, clockOf, p.MaxSkew), int64(p.MaxSkew), diffs)
		matches(tickets(st, h, clockOf), int64(p.MaxSkew), diffs)
		c.solve(diffs, weight, voice, configured)
	}
	c.inherit(voice, weight)
	for name, off := range configured {
		c.by[name] = incident.Clock{Offset: off, Uncertainty: c.by[name].Uncertainty, Pairs: c.by[name].Pairs}
	}
	for id, name := range clockOf {
		k, ok := c.by[name]
		if !ok {
			continue
		}
		f := fix{unc: int64(k.Uncertainty)}
		_, known := configured[name]
		inherited := k.Pairs == 0 // the domain's: it is the best guess, however far members stray
		if abs := k.Offset.Abs(); known || abs >= p.MinOffset && (inherited || abs >= 3*k.Uncertainty) {
			f.shift = int64(k.Offset)
		} else {
			f.unc += int64(abs)
		}
		c.fixes[id], c.named[name] = f, f
	}
	return c
}

// inheritMin is how many members of a domain must be compared before the others
// are taken to have its time.
const inheritMin = 3

// inherit gives members of a domain that nothing could be compared with the time
// that its other members have from its controllers: their median, and how far
// most of them stray from it. One that keeps a time of its own is not noticed.
func (c *Clocks) inherit(voice map[string]string, weight map[string]int64) {
	members := map[string][]int64{}
	for name, k := range c.by {
		members[voice[name]] = append(members[voice[name]], int64(k.Offset))
	}
	for name := range weight {
		m := members[voice[name]]
		if _, known := c.by[name]; known || len(m) < inheritMin || !strings.HasPrefix(voice[name], "domain ") {
			continue
		}
		mid := median(m)
		if max(mid, -mid) < int64(c.p.MinOffset) {
			continue
		}
		dev := make([]int64, len(m))
		for i, x := range m {
			dev[i] = max(x-mid, mid-x)
		}
		c.by[name] = incident.Clock{Offset: time.Duration(mid), Uncertainty: time.Duration(1.48*float64(median(dev))) + time.Millisecond}
	}
}

// connections are rows with a source port: the same 5-tuple is the same
// connection whoever wrote it. Only ends that two clocks tell of are looked at.
func connections(st *fact.Store, h *Hosts, clockOf map[fact.ID]string, skew time.Duration) []sighting {
	type ends struct{ src, dst int }
	clocks := map[ends]string{} // the one clock, "" for several
	each := func(f func(c *fact.Conn, port uint16, e ends)) {
		for k, s := range st.Series {
			if k.Act != fact.Flow && k.Act != fact.Logon && k.Act != fact.Refused {
				continue
			}
			for i := range s.Conns {
				c := &s.Conns[i]
				if src, port := h.From(st, k, c, skew); port != 0 && src >= 0 {
					f(c, port, ends{src, h.Of(k.Dst, c.T)})
				}
			}
		}
	}
	each(func(c *fact.Conn, _ uint16, e ends) {
		if name, ok := clocks[e]; !ok {
			clocks[e] = clockOf[c.Sensor]
		} else if name != clockOf[c.Sensor] {
			clocks[e] = ""
		}
	})
	var out []sighting
	each(func(c *fact.Conn, port uint16, e ends) {
		if clocks[e] == "" {
			out = append(out, sighting{src: e.src, dst: e.dst, port: port, t: c.T, clock: clockOf[c.Sensor]})
		}
	})
	return out
}

// tickets are what a DC issued for a host, and the logons there by the same
// account from the same machine.
func tickets(st *fact.Store, h *Hosts, clockOf map[fact.ID]string) []sighting {
	type ends struct{ src, dst, user string }
	have := map[ends]bool{}
	name := func(k fact.Key) ends {
		return ends{st.Node(k.Src).String(), st.Node(k.Dst).String(), st.Account(k.User).Name}
	}
	for k := range st.Series {
		if k.Act == fact.Ticket {
			have[name(k)] = true
		}
	}
	var out []sighting
	for k, s := range st.Series {
		if k.Act != fact.Ticket && k.Act != fact.Logon || !have[name(k)] || len(s.Conns) > 64 {
			continue
		}
		for i := range s.Conns {
			x := &s.Conns[i]
			out = append(out, sighting{h.Of(k.Src, x.T), h.Of(k.Dst, x.T), st.Account(k.User).Name, 0, x.T, clockOf[x.Sensor]})
		}
	}
	return append(out, desks(st, h, clockOf)...)
}

// desks are what a DC gave to somebody who logs on at a machine (a ticket for
// tickets), and the logon there.
func desks(st *fact.Store, h *Hosts, clockOf map[fact.ID]string) []sighting {
	var out []sighting
	for k, s := range st.Series {
		here := k.Act == fact.Logon && k.Src == k.Dst
		if !here && k.Act != fact.Ticket || st.Account(k.User).Machine || len(s.Conns) > 256 {
			continue
		}
		for i := range s.Conns {
			if x := &s.Conns[i]; here || h.Of(k.Dst, x.T) >= 0 && st.Node(k.Dst).Name == clockOf[x.Sensor] { // from the DC's own log, for itself
				out = append(out, sighting{h.Of(k.Src, x.T), atDesk, st.Account(k.User).Name, 0, x.T, clockOf[x.Sensor]})
			}
		}
	}
	return out
}

// atDesk stands for the destination of a logon at the machine itself.
const atDesk = -2

// matches pairs sightings of two clocks that have exactly one partner within
// skew: with more, nobody could say which belongs to which.
func matches(all []sighting, skew int64, diffs map[pairOf][]int64) {
	same := func(a, b *sighting) bool {
		return a.src == b.src && a.dst == b.dst && a.port == b.port && a.user == b.user
	}
	slices.SortFunc(all, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.src, b.src), cmp.Compare(a.port, b.port), cmp.Compare(a.dst, b.dst),
			cmp.Compare(a.user, b.user), cmp.Compare(a.t, b.t), cmp.Compare(a.clock, b.clock))
	})
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && same(&all[i], &all[j]) {
			j++
		}
		pairGroup(all[i:j], skew, diffs)
		i = j
	}
}

func pairGroup(g []sighting, skew int64, diffs map[pairOf][]int64) {
	if len(g) < 2 || len(g) > 256 {
		return
	}
	for i := range g {
		near := map[string][]int64{} // differences by clock
		for j := range g {
			if d := g[j].t - g[i].t; i != j && d <= skew && -d <= skew {
				near[g[j].clock] = append(near[g[j].clock], d)
			}
		}
		if len(near[g[i].clock]) > 0 {
			continue // the same clock saw it twice: a retry
		}
		for clock, d := range near {
			if len(d) == 1 && clock > g[i].clock {
				k := pairOf{g[i].clock, clock}
				diffs[k] = append(diffs[k], d[0])
			}
		}
	}
}

// vague is the uncertainty from which two clocks say nothing about each other: a
// sampled flow begins at whatever packet was looked at.
const vague = int64(30 * time.Second)

// solve turns differences into offsets.
func (c *Clocks) solve(diffs map[pairOf][]int64, weight map[string]int64, voice map[string]string, configured map[string]time.Duration) {
	type link struct {
		other string
		d     float64 // other − this
		n     float64
		w     float64 // pairs over the variance: a link that knows little says little
		unc   int64
	}
	graph := map[string][]link{}
	keys := slices.SortedFunc(maps.Keys(diffs), func(a, b pairOf) int { return cmp.Or(cmp.Compare(a.a, b.a), cmp.Compare(a.b, b.b)) })
	for _, k := range keys {
		d := diffs[k]
		if len(d) < c.p.MinPairs {
			continue
		}
		m := median(d)
		dev := make([]int64, len(d))
		for i, x := range d {
			dev[i] = max(x-m, m-x)
		}
		unc := int64(1.48*float64(median(dev))) + int64(time.Millisecond)
		if unc > vague {
			continue
		}
		n := float64(len(d))
		w := n / (float64(unc) / 1e6 * float64(unc) / 1e6)
		graph[k.a] = append(graph[k.a], link{k.b, float64(m), n, w, unc})
		graph[k.b] = append(graph[k.b], link{k.a, float64(-m), n, w, unc})
	}
	names := slices.Sorted(maps.Keys(graph))
	off := map[string]float64{}
	for _, start := range names {
		if _, done := off[start]; done {
			continue
		}
		comp := []string{start}
		off[start] = 0
		for i := 0; i < len(comp); i++ { // a spanning tree for the first guess
			for _, l := range graph[comp[i]] {
				if _, seen := off[l.other]; !seen {
					off[l.other] = off[comp[i]] + l.d
					comp = append(comp, l.other)
				}
			}
		}
		for range 200 { // Gauss–Seidel on the normal equations
			worst := 0.0
			for _, a := range comp {
				sum, n := 0.0, 0.0
				for _, l := range graph[a] {
					sum, n = sum+l.w*(off[l.other]-l.d), n+l.w
				}
				worst = max(worst, math.Abs(sum/n-off[a]))
				off[a] = sum / n
			}
			if worst < 1e3 { // a microsecond
				break
			}
		}
		ref, doubt := reference(comp, off, weight, voice, configured)
		c.doubt = max(c.doubt, int64(doubt))
		for _, a := range comp {
			best, pairs := int64(math.MaxInt64), 0
			for _, l := range graph[a] {
				best, pairs = min(best, l.unc), pairs+int(l.n)
			}
			c.by[a] = incident.Clock{Offset: time.Duration(math.Round(off[a] - ref)), Uncertainty: time.Duration(best), Pairs: pairs}
		}
	}
}

// agree is how close clocks must be to tell the same time, ns.
const agree = float64(time.Second)

// reference returns the offset that counts as right, and how far the truth may
// lie from it. A configured clock decides. Else clocks that tell the same time,
// without having it from each other, are right: wrong ones are wrong each in its
// own way. The members of a domain have their time from its controllers and are
// one voice together, however many they are. Of groups with equally many voices
// the one with more clocks counts, then with more records, and the distance to
// the others is the doubt.
func reference(comp []string, off map[string]float64, weight map[string]int64, voice map[string]string, configured map[string]time.Duration) (ref, doubt float64) {
	for _, a := range slices.Sorted(slices.Values(comp)) {
		if d, ok := configured[a]; ok {
			return off[a] - float64(d), 0
		}
	}
	names := slices.Clone(comp)
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(off[a], off[b]), cmp.Compare(a, b)) })
	type group struct {
		names  []string
		voices int
		rows   int64
	}
	better := func(a, b group) bool {
		if a.voices != b.voices {
			return a.voices > b.voices
		}
		return len(a.names) > len(b.names) || len(a.names) == len(b.names) && a.rows > b.rows
	}
	var best group
	var all []group
	for i := range names { // every run of clocks that agree with its first
		var g group
		heard := map[string]bool{}
		for _, n := range names[i:] {
			if off[n]-off[names[i]] > agree {
				break
			}
			g.names, g.rows = append(g.names, n), g.rows+weight[n]
			heard[voice[n]] = true
		}
		g.voices = len(heard)
		all = append(all, g)
		if i == 0 || better(g, best) {
			best = g
		}
	}
	ref = off[best.names[(len(best.names)-1)/2]]
	for _, g := range all {
		if d := math.Abs(off[g.names[(len(g.names)-1)/2]] - ref); g.voices == best.voices && d > 2*agree {
			doubt = max(doubt, d)
		}
	}
	return ref, doubt
}

func median(v []int64) int64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}
