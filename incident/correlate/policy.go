// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"maps"
	"slices"
	"time"

	"citywall/asset"
	"citywall/incident"
	"citywall/incident/attackpath"
	"citywall/incident/fact"
)

// change is a group policy written on a domain controller.
type change struct {
	dc int
	m  hostMark
}

// applied is a task or program that a host got without anybody logged on, just
// after it had read from a domain controller.
type applied struct {
	host, dc int
	m        hostMark
	by       *change // nil: the controller's record is missing
}

// policies adds moves by group policy: a policy was written on a domain
// controller, and afterwards machines that had just read from its SYSVOL made
// the same task. Two facts imply the move; no record shows it. Where the
// controller's own records are missing, three machines and their end imply it.
func (a *analysis) policies() {
	changes, dcs := a.policyChanges()
	if len(dcs) == 0 {
		return
	}
	reads := a.policyReads(dcs)
	by := map[string][]applied{}
	unread := map[string][]applied{} // without a read that we can see
	for _, h := range slices.Sorted(maps.Keys(a.hostMarks)) {
		for _, m := range a.hostMarks[h] {
			if m.label != fact.TaskNew && m.label != fact.PolicyApplied {
				continue
			}
			if _, remote := a.sessionFrom[sessionKey{h, m.m.Sess}]; remote && m.m.Sess != 0 {
				continue
			}
			x := applied{host: h, m: m}
			first := -1
			for i := range changes {
				if c := &changes[i]; c.dc != h && c.m.t <= m.t && m.t-c.m.t <= dayNS {
					x.by, first = c, c.dc
				}
			}
			var ok bool
			if x.dc, ok = readBefore(reads, h, m.t, first, dcs); !ok {
				unread[m.detail] = append(unread[m.detail], x)
				continue
			}
			by[m.detail] = append(by[m.detail], x)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		begun := by[name][0].m.t
		for _, x := range by[name] {
			begun = min(begun, x.m.t)
		}
		before := false
		for _, x := range unread[name] {
			before = before || x.m.t < begun-dayNS/2
		}
		if !before {
			a.pushed(name, by[name], unread[name])
		}
	}
}

// pushed adds the moves of one task, once per host. Hosts whose way to the
// controller no sensor sees got the task with the others: their move is assumed.
func (a *analysis) pushed(name string, list, unread []applied) {
	hosts, changed, ended := map[int]bool{}, false, 0
	for _, x := range list {
		changed = changed || x.by != nil
		if !hosts[x.host] && a.endsSoon(x.host, x.m.t) != nil {
			ended++
		}
		hosts[x.host] = true
	}
	switch {
	case changed && len(hosts) >= 2:
	case len(hosts) >= 3 && 2*ended >= len(hosts):
	default:
		return
	}
	done := map[int]bool{}
	for _, x := range list {
		if done[x.host] || changed && x.by == nil {
			continue
		}
		done[x.host] = true
		a.addPolicy(x, name, len(hosts), incident.Inferred)
	}
	for _, x := range unread {
		if x.dc = list[0].dc; !done[x.host] && x.host != x.dc {
			done[x.host] = true
			a.addPolicy(x, name, len(hosts), incident.Assumed)
		}
	}
}

// policyChanges lists the changes and the controllers that policies come from.
func (a *analysis) policyChanges() ([]change, map[int]bool) {
	var changes []change
	dcs := map[int]bool{}
	for _, h := range slices.Sorted(maps.Keys(a.hostMarks)) {
		for _, m := range a.hostMarks[h] {
			if m.label == fact.PolicyChanged {
				changes = append(changes, change{h, m})
				dcs[h] = true
			}
		}
	}
	for h := range a.hosts.List {
		if a.hosts.List[h].Has(asset.RoleDC) {
			dcs[h] = true
		}
	}
	return changes, dcs
}

// policyReads is when each host spoke to a controller's shares.
func (a *analysis) policyReads(dcs map[int]bool) map[pair][]int64 {
	reads := map[pair][]int64{}
	for _, c := range a.contacts {
		if dcs[c.dst] && (c.kind == "smb" || c.kind == "logon") && !c.refused {
			reads[pair{c.src, c.dst}] = append(reads[pair{c.src, c.dst}], c.times()...)
		}
	}
	for p, l := range reads {
		slices.Sort(l)
		reads[p] = l
	}
	return reads
}

// readBefore finds the controller that h read from just before t; the changed
// one is asked first.
func readBefore(reads map[pair][]int64, h int, t int64, first int, dcs map[int]bool) (int, bool) {
	order := slices.Sorted(maps.Keys(dcs))
	if first >= 0 {
		order = append([]int{first}, order...)
	}
	for _, dc := range order {
		l := reads[pair{h, dc}]
		k, _ := slices.BinarySearch(l, t+int64(time.Second))
		if dc != h && k > 0 && t-l[k-1] <= int64(10*time.Minute) {
			return dc, true
		}
	}
	return 0, false
}

// endsSoon is the first end point that h shows within a day after t.
func (a *analysis) endsSoon(h int, t int64) *sign {
	for i := range a.signs[h] {
		if s := &a.signs[h][i]; s.anchor && s.t >= t && s.t-t <= dayNS {
			return s
		}
	}
	return nil
}

func (a *analysis) addPolicy(x applied, name string, hosts int, grade incident.Grade) {
	w := a.cfg.w
	score := 0.0
	var rs []incident.Reason
	plus(&score, &rs, w.Bias, incident.Prior)
	v := via{kind: "gpo", channel: -1, tunnel: -1, t: x.m.t, orig: x.m.m.First, grade: grade, capable: true}
	for _, e := range x.m.m.Earliest {
		v.evidence = keepAt(v.evidence, e)
	}
	since := x.m.t
	if x.by != nil {
		plus(&score, &rs, w.RemoteExec, incident.PolicyPush, "what", name, "hosts", itoa(int64(hosts)), "policy", x.by.m.detail, "changed", stamp(x.by.m.t))
		since, v.user = x.by.m.t, x.by.m.user
		v.evidence = keepAt(v.evidence, x.by.m.m.Earliest[0])
	} else {
		plus(&score, &rs, w.RemoteExec, incident.PolicyPushUnseen, "what", name, "hosts", itoa(int64(hosts)))
	}
	if f := round(w.FirstPair*scale(float64(x.m.t-a.first)/float64(dayNS)), 2); f > 0 {
		plus(&score, &rs, f, incident.FirstTimeTask, "what", name)
	}
	if t, ok := a.badSince[x.dc]; ok && t <= since {
		plus(&score, &rs, w.SourceBad, incident.SourceBad, "since", stamp(t))
	}
	if s := a.endsSoon(x.host, x.m.t); s != nil {
		plus(&score, &rs, w.DestSign, incident.DestSign, "sign", s.what, "after_s", decimal(round(float64(s.t-x.m.t)/1e9, 1)))
	}
	v.reasons = rs
	a.addMove(attackpath.Move{From: x.dc, To: x.host, T: x.m.t, Score: score}, v)
}
