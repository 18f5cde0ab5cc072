// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"slices"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/life"
)

// finish puts the truth in order once every deed is done.
func (g *stage) finish(opt *Options) {
	t := g.truth
	byTime := func(a, b TruthHop) int { return a.Time.Compare(b.Time) }
	slices.SortStableFunc(t.Hops, byTime)
	slices.SortStableFunc(t.Lost, byTime)
	slices.SortStableFunc(t.Steps, func(a, b TruthStep) int { return a.Time.Compare(b.Time) })
	slices.SortStableFunc(t.Hosts, func(a, b TruthHost) int { return a.First.Compare(b.First) })
	slices.SortFunc(t.Anchors, time.Time.Compare)
	for _, h := range t.Hosts {
		t.Isolate = append(t.Isolate, h.Host)
	}
	for _, h := range g.innocent() {
		if k := h.Key(); !slices.Contains(t.Isolate, k) && !slices.Contains(t.Innocent, k) {
			t.Innocent = append(t.Innocent, k)
		}
	}
	g.breakpoints(opt)
}

// innocent lists machines whose work looks like an intruder's.
func (g *stage) innocent() []*city.Host {
	c := g.c
	out := []*city.Host{
		c.Srv.Deploy, c.Srv.Scanner, c.Srv.Monitor, c.Srv.Patch, c.Srv.Public, c.Srv.Mail, c.Bureau.Jump, c.Hospital.Jump, c.Bureau.Backup, c.Hospital.Backup,
		c.Bureau.File, c.Bureau.Domain.DCs[0], c.Bureau.Domain.DCs[1], c.Hospital.Domain.DCs[1],
	}
	out = append(out, c.Srv.Gateway, c.Srv.Names, c.Srv.NAS, life.Helper(c).Home, life.Speaker(c).Home)
	out = append(out, c.Srv.Hypervisors...)
	if len(c.Agencies) > 3 { // the first to use it is the fourth
		out = append(out, c.Srv.Proxy)
	}
	for _, d := range []*city.Domain{c.Bureau.Domain, c.Hospital.Domain} {
		for _, a := range d.Admins {
			out = append(out, a.Home)
		}
	}
	return out
}

// outward are the codes of an address outside by the kind of the move
// (intel.md). What it is, only lists can say: BP-UNK is right until they do.
var outward = map[string][]string{
	"vpn": {"BP-VPN-VICTIM"}, "rmm": {"BP-RMM", "BP-UNK"}, "c2": {"BP-VPS", "BP-UNK"}, "exfiltration": {"BP-CLOUD-APP", "BP-VPS", "BP-UNK"}, "web": {"BP-VPS", "BP-UNK"},
}

// breakpoints lists where the trail leaves sight: at each outside address, at
// each machine that fell without a record of how, where logs begin too late or
// were cleared.
func (g *stage) breakpoints(opt *Options) {
	t := g.truth
	add := func(b TruthBreak) { t.Breakpoints = append(t.Breakpoints, b) }
	outside := func(name string) bool {
		return !slices.ContainsFunc(g.c.Hosts, func(h *city.Host) bool { return h.Key() == name })
	}
	named := map[string]bool{}
	for _, h := range t.Hops {
		end, addr := h.Dst, h.DstAddr
		in := h.Kind == "vpn" || h.Kind == "web"
		if in {
			end, addr = h.Src, h.SrcAddr
		}
		if !outside(end) || g.c.Ours(addr) || named[end] {
			continue
		}
		named[end] = true
		b := TruthBreak{Codes: outward[h.Kind], Host: end, Addr: addr, Time: h.Time, Why: "the trail goes outside"}
		if g.relayed[addr] {
			b.Codes = outward["rmm"]
		}
		if t.Entry.Kind == "supplier" && addr == t.Entry.External {
			b.Codes, b.Why = []string{"BP-VPN-VICTIM", "BP-RELAY-VICTIM"}, "the supplier, who is a victim too"
		}
		if in && opt.CGNAT {
			b.Codes, b.Why = append([]string{"BP-CGNAT"}, b.Codes...), "a shared address: port and time name the subscriber"
			b.Port = h.SrcPort
		}
		add(b)
	}
	switch e := t.Entry; {
	case len(e.Seen) == 0:
	case e.Kind == "mail":
		b := TruthBreak{Codes: outward["c2"], Host: e.External.String(), Addr: e.External, Time: e.Time, Why: "the server that sent the letter"}
		if opt.CGNAT {
			b.Codes = append([]string{"BP-CGNAT"}, b.Codes...)
		}
		add(b)
	case e.Kind == "usb":
		add(TruthBreak{Codes: []string{"BP-UNK", "BP-NO-SENSOR"}, Host: e.Host, Addr: e.Addr, Time: e.Time, Why: "a stick, and nobody knows from where"})
	}
	for _, h := range t.Hosts {
		reached := h.Host == t.Entry.Host && len(t.Entry.Seen) > 0 || slices.ContainsFunc(t.Hops, func(x TruthHop) bool { return x.Dst == h.Host })
		switch {
		case h.Host == t.Entry.Host && h.First.Before(g.horizon(opt)):
			add(TruthBreak{Codes: []string{logGap}, Host: h.Host, Addr: h.Addr, Time: h.First, Why: "the logs begin after the first compromise"})
		case !reached:
			add(TruthBreak{Codes: []string{"BP-NO-SENSOR", logGap}, Host: h.Host, Addr: h.Addr, Time: h.First, Why: "no record shows how it was reached"})
		}
	}
	for _, s := range t.Steps {
		if s.Technique == "T1070.001" {
			add(TruthBreak{Codes: []string{"BP-LOG-WIPE"}, Host: s.Host, Time: s.Time, Why: "a log was cleared"})
		}
	}
}

const logGap = "BP-LOG-GAP"

// horizon is when the logs begin.
func (g *stage) horizon(opt *Options) time.Time {
	p := Play{opt: *opt, end: g.end.Add(after).Truncate(time.Second)}
	return p.horizon()
}
