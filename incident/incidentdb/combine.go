// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"citywall/asset"
	"citywall/incident"
)

// combine shows an incident together with those that were merged into it, as
// if they had been found as one: every host, account and address once, hops
// and steps in order of time. Title and parameters are base's; the first
// compromise and the entry are those of the part that shows the first bad.
func combine(base incident.Incident, parts []incident.Incident) incident.Incident {
	if len(parts) == 0 {
		return base
	}
	all := append([]incident.Incident{base}, parts...)
	out := base
	out.Hops, out.Steps, out.Breakpoints, out.Hosts, out.Accounts, out.Suspicious = nil, nil, nil, nil, nil, nil
	out.Agencies, out.Findings, out.SeparateFrom, out.SeverityReasons, out.Alternatives = nil, nil, nil, nil, nil
	ids := map[string]bool{}
	for _, p := range all {
		ids[p.ID] = true
	}
	for _, p := range all {
		if p.Severity > out.Severity {
			out.Severity = p.Severity
		}
		if p.First.Before(out.First) {
			out.First = p.First
		}
		if p.Last.After(out.Last) {
			out.Last = p.Last
		}
		if f := p.FirstCompromise; f != nil && (out.FirstCompromise == nil || f.Latest.Before(out.FirstCompromise.Latest)) {
			out.FirstCompromise, out.Entry = f, p.Entry
		}
		out.Agencies = append(out.Agencies, p.Agencies...)
		out.Findings = append(out.Findings, p.Findings...)
		for _, s := range p.SeparateFrom {
			if !ids[s.Incident] {
				out.SeparateFrom = append(out.SeparateFrom, s)
			}
		}
		out.SeverityReasons = append(out.SeverityReasons, p.SeverityReasons...)
		if p.BaselineDays < out.BaselineDays {
			out.BaselineDays = p.BaselineDays // no more than the weakest part rests on
		}
	}
	slices.Sort(out.Agencies)
	out.Agencies = slices.Compact(out.Agencies)
	out.Findings = unique(out.Findings, func(s string) string { return s })
	out.SeparateFrom = unique(out.SeparateFrom, func(s incident.Separation) string { return s.Incident })
	out.SeverityReasons = unique(out.SeverityReasons, func(r incident.Reason) string { return r.Code + "\x00" + args(r.Args) })
	out.Hosts = combineHosts(all)
	out.Accounts = combineAccounts(all)
	out.Suspicious = combineSuspects(all)
	combineHops(all, &out)
	for _, p := range all {
		out.Steps = append(out.Steps, p.Steps...)
	}
	out.Steps = unique(out.Steps, func(s incident.StepEvent) string {
		return fmt.Sprint(s.Time.UnixNano(), s.Host, s.Step, s.What, s.Findings)
	})
	slices.SortStableFunc(out.Steps, func(a, b incident.StepEvent) int { return a.Time.Compare(b.Time) })
	return out
}

// unique keeps the first of those with equal keys, in order.
func unique[T any](xs []T, key func(T) string) []T {
	seen := map[string]bool{}
	var out []T
	for _, x := range xs {
		if k := key(x); !seen[k] {
			seen[k] = true
			out = append(out, x)
		}
	}
	return out
}

func args(m map[string]string) string {
	b, err := json.Marshal(m) // names sorted; a map of texts always marshals
	if err != nil {
		return fmt.Sprint(m)
	}
	return string(b)
}

func combineHops(all []incident.Incident, out *incident.Incident) {
	type from struct {
		part int
		hop  incident.Hop
	}
	var hops []from
	place := map[string]int{} // key → index in hops
	at := make([]map[int]int, len(all))
	for p := range all {
		at[p] = map[int]int{}
		for _, h := range all[p].Hops {
			k := hopKey(h)
			i, ok := place[k]
			if !ok {
				i = len(hops)
				place[k] = i
				hops = append(hops, from{p, h})
			}
			at[p][h.N] = i
		}
	}
	order := make([]int, len(hops))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(hops[a].hop.Time.Compare(hops[b].hop.Time), cmp.Compare(a, b))
	})
	number := make([]int, len(hops))
	for n, i := range order {
		h := hops[i].hop
		h.N = n + 1
		number[i] = n + 1
		out.Hops = append(out.Hops, h)
	}
	for p := range all {
		for _, b := range all[p].Breakpoints {
			if i, ok := at[p][b.Hop]; ok {
				b.Hop = number[i]
			}
			out.Breakpoints = append(out.Breakpoints, b)
		}
	}
}

// hopKey tells one move from another, whatever its number.
func hopKey(h incident.Hop) string {
	if len(h.Evidence) > 0 { // one record can be behind many: a policy that reaches thirty machines
		return "e:" + h.Evidence[0].Event.String() + " " + h.Dst.Key()
	}
	return fmt.Sprintf("h:%d %s %s %d %s", h.Time.UnixNano(), h.Src.Key(), h.Dst.Key(), h.DstPort, h.Kind)
}

func combineHosts(all []incident.Incident) []incident.HostState {
	var out []incident.HostState
	place := map[string]int{}
	for _, p := range all {
		for _, h := range p.Hosts {
			i, ok := place[h.Host]
			if !ok {
				place[h.Host] = len(out)
				out = append(out, h)
				continue
			}
			o := &out[i]
			o.Compromised = o.Compromised || h.Compromised
			o.External = o.External && h.External
			if h.First.Before(o.First) {
				o.First = h.First
			}
			if h.Last.After(o.Last) {
				o.Last = h.Last
			}
			o.Agency = cmp.Or(o.Agency, h.Agency)
			o.Addresses = unique(slices.Concat(o.Addresses, h.Addresses), netip.Addr.String)
			o.Roles = unique(slices.Concat(o.Roles, h.Roles), func(r asset.Role) string { return string(r) })
			o.Reasons = unique(slices.Concat(o.Reasons, h.Reasons), func(r incident.Reason) string { return r.Code + "\x00" + args(r.Args) })
			if isolateRank(h.Isolate) > isolateRank(o.Isolate) {
				o.Isolate = h.Isolate
			}
		}
	}
	slices.SortStableFunc(out, func(a, b incident.HostState) int { return a.First.Compare(b.First) })
	return out
}

// isolateRank: two people outrank now, since it is the more careful.
func isolateRank(s string) int { return slices.Index([]string{"", "no", "now", "two_people"}, s) }

func combineAccounts(all []incident.Incident) []incident.AccountState {
	var out []incident.AccountState
	place := map[asset.Account]int{}
	for _, p := range all {
		for _, a := range p.Accounts {
			i, ok := place[a.Account]
			if !ok {
				place[a.Account] = len(out)
				out = append(out, a)
				continue
			}
			o := &out[i]
			if a.First.Before(o.First) {
				o.First = a.First
			}
			o.Hosts = unique(slices.Concat(o.Hosts, a.Hosts), strings.Clone)
			o.Privileged = o.Privileged || a.Privileged
			o.Compromised = o.Compromised || a.Compromised
			o.Reasons = unique(slices.Concat(o.Reasons, a.Reasons), func(r incident.Reason) string { return r.Code + "\x00" + args(r.Args) })
		}
	}
	return out
}

func combineSuspects(all []incident.Incident) []incident.Suspect {
	var out []incident.Suspect
	place := map[netip.Addr]int{}
	for _, p := range all {
		for _, s := range p.Suspicious {
			i, ok := place[s.Addr]
			if !ok {
				place[s.Addr] = len(out)
				out = append(out, s)
				continue
			}
			o := &out[i]
			if s.First.Before(o.First) {
				o.First = s.First
			}
			if s.Last.After(o.Last) {
				o.Last = s.Last
			}
			// Each part counted its own hosts' traffic with the address. Where
			// the hosts are the same ones, so is the traffic.
			if !slices.ContainsFunc(s.Hosts, func(h string) bool { return slices.Contains(o.Hosts, h) }) {
				o.Count += s.Count
				o.BytesOut += s.BytesOut
				o.BytesIn += s.BytesIn
				o.After.Connections += s.After.Connections
				o.After.BytesOut += s.After.BytesOut
				o.After.BytesIn += s.After.BytesIn
				o.After.Days = max(o.After.Days, s.After.Days)
			}
			o.Hosts = unique(slices.Concat(o.Hosts, s.Hosts), strings.Clone)
			o.Ports = slices.Compact(slices.Sorted(slices.Values(slices.Concat(o.Ports, s.Ports))))
			o.Reasons = unique(slices.Concat(o.Reasons, s.Reasons), func(r incident.Reason) string { return r.Code + "\x00" + args(r.Args) })
			o.Evidence = unique(slices.Concat(o.Evidence, s.Evidence), func(p incident.Pointer) string { return p.Event.String() })
		}
	}
	return out
}

// keys are what two computations of one incident have in common: its findings,
// the steps' findings, and a record under each hop.
func keys(in incident.Incident) []string {
	var out []string
	for _, f := range in.Findings {
		out = append(out, "f:"+f)
	}
	for _, s := range in.Steps {
		for _, f := range s.Findings {
			out = append(out, "f:"+f)
		}
	}
	for _, h := range in.Hops {
		out = append(out, hopKey(h))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
