// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"slices"

	"citywall/incident"
)

// trim returns what concerns the agencies, for their administrators: their
// hosts with steps, accounts and moves. Where a move's other end is another
// agency's host the move stays, since it hit them, but the other end has no
// name, no address and no records.
func trim(in incident.Incident, agencies []string) incident.Incident {
	own, foreign := map[string]bool{}, map[string]bool{}
	var hosts []incident.HostState
	for _, h := range in.Hosts {
		switch {
		case h.External:
			hosts = append(hosts, h)
		case slices.Contains(agencies, h.Agency):
			own[h.Host] = true
			hosts = append(hosts, h)
		default:
			foreign[h.Host] = true
		}
	}
	out := in
	out.Hosts = hosts
	out.Agencies = slices.DeleteFunc(slices.Clone(in.Agencies), func(a string) bool { return !slices.Contains(agencies, a) })
	out.Alternatives, out.SeparateFrom = nil, nil

	// An address that a foreign host holds gives it away as its name does.
	for _, h := range in.Hosts {
		if foreign[h.Host] {
			for _, a := range h.Addresses {
				foreign[a.String()] = true
			}
		}
	}
	isForeign := func(e incident.Endpoint) bool {
		return foreign[e.Host] || e.Addr.IsValid() && foreign[e.Addr.String()]
	}
	number := map[int]int{}
	out.Hops = nil
	for _, h := range in.Hops {
		if !own[h.Src.Key()] && !own[h.Dst.Key()] {
			continue
		}
		number[h.N] = len(out.Hops) + 1
		h.N = number[h.N]
		if isForeign(h.Src) || isForeign(h.Dst) {
			if isForeign(h.Src) {
				h.Src = incident.Endpoint{}
			} else {
				h.Dst = incident.Endpoint{}
			}
			// Terms of the score name both ends.
			h.Evidence, h.Sensors, h.Reasons = nil, nil, nil
		}
		out.Hops = append(out.Hops, h)
	}
	out.Steps = slices.DeleteFunc(slices.Clone(in.Steps), func(s incident.StepEvent) bool { return !own[s.Host] })
	out.Accounts = nil
	for _, a := range in.Accounts {
		if a.Hosts = onlyOwn(a.Hosts, own); len(a.Hosts) > 0 {
			a.Reasons = nil // they name hosts
			out.Accounts = append(out.Accounts, a)
		}
	}
	out.Suspicious = nil
	for _, s := range in.Suspicious {
		all := len(s.Hosts)
		if s.Hosts = onlyOwn(s.Hosts, own); len(s.Hosts) == 0 {
			continue
		}
		if len(s.Hosts) < all {
			s.Evidence, s.Reasons = nil, nil
		}
		out.Suspicious = append(out.Suspicious, s)
	}
	out.Breakpoints = nil
	for _, b := range in.Breakpoints {
		n, ok := number[b.Hop]
		if !ok || isForeign(b.Src) || isForeign(b.Dst) {
			continue
		}
		b.Hop = n
		out.Breakpoints = append(out.Breakpoints, b)
	}
	if in.FirstCompromise == nil || !own[in.FirstCompromise.Host] {
		out.FirstCompromise, out.Entry = nil, incident.Entry{Kind: "unknown"}
	}
	// The title and the reasons of the severity may name any host.
	if len(foreign) > 0 {
		out.Title.Args = withoutNames(in.Title.Args, foreign)
		out.SeverityReasons = nil
		for _, r := range in.SeverityReasons {
			r.Args = withoutNames(r.Args, foreign)
			out.SeverityReasons = append(out.SeverityReasons, r)
		}
		for i, h := range out.Hosts {
			h.Reasons = without(h.Reasons, foreign)
			out.Hosts[i] = h
		}
		for i, st := range out.Steps {
			st.Reasons = without(st.Reasons, foreign)
			if foreign[st.Observer] {
				st.Observer = ""
			}
			out.Steps[i] = st
		}
		if out.FirstCompromise != nil {
			f := *out.FirstCompromise
			f.KnownGood.Args, f.FirstBad.Args = withoutNames(f.KnownGood.Args, foreign), withoutNames(f.FirstBad.Args, foreign)
			out.FirstCompromise = &f
			out.Entry.Reasons = without(out.Entry.Reasons, foreign)
		}
	}
	return out
}

// without leaves out the reasons that name a foreign host.
func without(rs []incident.Reason, foreign map[string]bool) []incident.Reason {
	return slices.DeleteFunc(slices.Clone(rs), func(r incident.Reason) bool { return names(r.Args, foreign) })
}

func onlyOwn(hosts []string, own map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return !own[h] })
}

func names(args map[string]string, foreign map[string]bool) bool {
	for _, v := range args {
		if foreign[v] {
			return true
		}
	}
	return false
}

func withoutNames(args map[string]string, foreign map[string]bool) map[string]string {
	out := map[string]string{}
	for k, v := range args {
		if foreign[v] {
			v = "…"
		}
		out[k] = v
	}
	return out
}
