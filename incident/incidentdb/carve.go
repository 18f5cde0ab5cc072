// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"slices"
	"time"

	"citywall/incident"
)

// Selection is what a split takes out of an incident.
type Selection struct {
	Findings []string `json:"findings,omitempty"` // finding ids, with the steps that rest on nothing else
	Hosts    []string `json:"hosts,omitempty"`    // hosts, with their steps and the moves that lead to them
}

// carve divides an incident into what a selection takes out and the rest.
// Severity and title of both stay what was computed for the whole: a person
// divides, and judges. It never drops anything: every hop, step and finding is
// on one side, and what belongs to both (accounts, suspicious addresses) is on
// both with the hosts of that side.
func carve(in incident.Incident, sel Selection) (rest, out incident.Incident) {
	c := carver{hosts: set(sel.Hosts), findings: set(sel.Findings), inside: map[string]bool{}}
	for _, h := range in.Hosts {
		if !h.External {
			c.inside[h.Host] = true
		}
	}
	rest, out = in, in
	c.stepsAndFindings(in, &rest, &out)
	moved := c.hops(in, &rest, &out)
	c.hostStates(in, &rest, &out)
	c.accounts(in, &rest, &out)
	c.suspects(in, &rest, &out)

	rest.Breakpoints, out.Breakpoints = nil, nil
	for _, b := range in.Breakpoints {
		to := &rest
		if n, ok := moved.out[b.Hop]; ok {
			to, b.Hop = &out, n
		} else if n, ok := moved.rest[b.Hop]; ok {
			b.Hop = n
		} else if b.Hop == 0 && in.FirstCompromise != nil && c.hosts[in.FirstCompromise.Host] {
			to = &out // it hangs on the entry
		}
		to.Breakpoints = append(to.Breakpoints, b)
	}
	without := &out // the side that does not begin where the whole began
	if in.FirstCompromise != nil && c.hosts[in.FirstCompromise.Host] {
		without = &rest
	}
	without.FirstCompromise, without.Entry = nil, incident.Entry{Kind: "unknown"}
	rest.Alternatives, out.Alternatives = nil, nil // they were paths through the whole
	bounds(&rest)
	bounds(&out)
	return rest, out
}

type carver struct {
	hosts    map[string]bool // selected
	findings map[string]bool // selected
	inside   map[string]bool // hosts of the incident that are not external
}

func (c carver) stepsAndFindings(in incident.Incident, rest, out *incident.Incident) {
	rest.Steps, out.Steps, rest.Findings, out.Findings = nil, nil, nil, nil
	goes := map[string]bool{} // finding id → selected
	for id := range c.findings {
		goes[id] = true
	}
	for _, s := range in.Steps {
		all := len(s.Findings) > 0
		for _, f := range s.Findings {
			all = all && c.findings[f]
		}
		if !c.hosts[s.Host] && !all {
			rest.Steps = append(rest.Steps, s)
			continue
		}
		out.Steps = append(out.Steps, s)
		for _, f := range s.Findings {
			goes[f] = true
		}
	}
	for _, f := range in.Findings {
		if goes[f] {
			out.Findings = append(out.Findings, f)
		} else {
			rest.Findings = append(rest.Findings, f)
		}
	}
}

// renumbered says what number a hop has after the division.
type renumbered struct{ rest, out map[int]int }

// hops go with their destination when that is a host of the incident, else
// with their source: a channel to the outside belongs to who opened it.
func (c carver) hops(in incident.Incident, rest, out *incident.Incident) renumbered {
	rest.Hops, out.Hops = nil, nil
	r := renumbered{map[int]int{}, map[int]int{}}
	for _, h := range in.Hops {
		owner := h.Dst.Key()
		if !c.inside[owner] {
			owner = h.Src.Key()
		}
		to, m := rest, r.rest
		if c.hosts[owner] {
			to, m = out, r.out
		}
		n := len(to.Hops) + 1
		m[h.N] = n
		h.N = n
		to.Hops = append(to.Hops, h)
	}
	return r
}

func (c carver) hostStates(in incident.Incident, rest, out *incident.Incident) {
	ends := func(i *incident.Incident) map[string]bool {
		m := map[string]bool{}
		for _, h := range i.Hops {
			m[h.Src.Key()], m[h.Dst.Key()] = true, true
		}
		return m
	}
	onOut, onRest := ends(out), ends(rest)
	rest.Hosts, out.Hosts = nil, nil
	for _, h := range in.Hosts {
		if h.External { // on whichever side names it; on the rest when none does
			if onOut[h.Host] {
				out.Hosts = append(out.Hosts, h)
			}
			if onRest[h.Host] || !onOut[h.Host] {
				rest.Hosts = append(rest.Hosts, h)
			}
			continue
		}
		if c.hosts[h.Host] {
			out.Hosts = append(out.Hosts, h)
		} else {
			rest.Hosts = append(rest.Hosts, h)
		}
	}
}

// divide parts host names into selected and others.
func (c carver) divide(hosts []string) (rest, out []string) {
	for _, h := range hosts {
		if c.hosts[h] {
			out = append(out, h)
		} else {
			rest = append(rest, h)
		}
	}
	return rest, out
}

func (c carver) accounts(in incident.Incident, rest, out *incident.Incident) {
	rest.Accounts, out.Accounts = nil, nil
	for _, a := range in.Accounts {
		r, o := c.divide(a.Hosts)
		if len(o) > 0 {
			b := a
			b.Hosts = o
			out.Accounts = append(out.Accounts, b)
		}
		if len(r) > 0 || len(o) == 0 {
			a.Hosts = r
			rest.Accounts = append(rest.Accounts, a)
		}
	}
}

func (c carver) suspects(in incident.Incident, rest, out *incident.Incident) {
	rest.Suspicious, out.Suspicious = nil, nil
	for _, s := range in.Suspicious {
		r, o := c.divide(s.Hosts)
		if len(o) > 0 {
			b := s
			b.Hosts = o
			out.Suspicious = append(out.Suspicious, b)
		}
		if len(r) > 0 || len(o) == 0 {
			s.Hosts = r
			rest.Suspicious = append(rest.Suspicious, s)
		}
	}
}

// bounds sets times and agencies to those of what is left, when something is.
func bounds(in *incident.Incident) {
	var first, last time.Time
	see := func(from, to time.Time) {
		if !from.IsZero() && (first.IsZero() || from.Before(first)) {
			first = from
		}
		if to.After(last) {
			last = to
		}
	}
	var agencies []string
	for _, h := range in.Hosts {
		if h.External {
			continue
		}
		see(h.First, h.Last)
		if h.Agency != "" && !slices.Contains(agencies, h.Agency) {
			agencies = append(agencies, h.Agency)
		}
	}
	for _, h := range in.Hops {
		see(h.Time, h.Last)
	}
	for _, s := range in.Steps {
		see(s.Time, s.Last)
	}
	if !first.IsZero() {
		in.First, in.Last = first, last
	}
	if len(agencies) > 0 {
		slices.Sort(agencies)
		in.Agencies = agencies
	}
}

// empty reports whether an incident says nothing any more.
func empty(in incident.Incident) bool {
	inside := slices.ContainsFunc(in.Hosts, func(h incident.HostState) bool { return !h.External })
	return !inside && len(in.Hops)+len(in.Steps)+len(in.Findings) == 0
}

func set(ss []string) map[string]bool {
	m := make(map[string]bool, len(ss))
	for _, s := range ss {
		m[s] = true
	}
	return m
}
