// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"maps"
	"slices"

	"citywall/asset"
	"citywall/incident"
)

// Advice on isolation (incident.HostState.Isolate).
const (
	isolateNow = "now"
	isolateTwo = "two_people" // protected: never by one person alone
	isolateNo  = "no"
)

// protected roles are never isolated by one person: their loss may harm people
// or stop everybody.
var protected = []asset.Role{asset.RoleMedical, asset.RoleDC, asset.RoleHypervisor, asset.RoleFirewall, asset.RoleVPN, asset.RoleDNS}

func (a *analysis) isProtected(h int) (asset.Role, bool) {
	x := &a.hosts.List[h]
	for _, r := range protected {
		if x.Has(r) {
			return r, true
		}
	}
	switch x.Zone {
	case asset.ZoneClinical:
		return asset.RoleMedical, true
	case asset.ZoneCore:
		return asset.RoleServer, true
	}
	return "", false
}

// hostStates says what the incident says about each machine.
func (a *analysis) hostStates(t *thread, hops []incident.Hop, steps []incident.StepEvent) []incident.HostState {
	out := []incident.HostState{}
	end := a.end(t)
	hosts := slices.Collect(maps.Keys(t.comp))
	slices.SortFunc(hosts, func(x, y int) int {
		if t.comp[x] != t.comp[y] {
			if t.comp[x] < t.comp[y] {
				return -1
			}
			return 1
		}
		return x - y
	})
	listed := map[string]bool{}
	for _, h := range hosts {
		s := a.hostState(h, t.comp[h])
		listed[s.Host] = true
		if t.covert == nil {
			s.Compromised, s.Isolate = true, isolateNow
			if _, ok := a.isProtected(h); ok {
				s.Isolate = isolateTwo
			}
		} else {
			// A server that may have carried data out is watched before it is cut off,
			// unless the stream itself was recorded.
			s.Compromised = t.covert.grade == incident.Observed
			s.Isolate = isolateNo
			if s.Compromised {
				s.Isolate = isolateNow
			}
			s.Reasons = append(s.Reasons, t.covert.reasons...)
		}
		if h == t.root && t.covert == nil {
			s.Reasons = append(s.Reasons, incident.Reason{Code: incident.EntryHost})
		}
		s.Last = s.First
		for _, x := range hops {
			if x.Dst.Key() == s.Host || x.Src.Key() == s.Host {
				s.Last = later(s.Last, x.Last)
			}
			if x.Dst.Key() == s.Host && len(s.Reasons) < 8 {
				s.Reasons = append(s.Reasons, incident.Reason{Code: incident.ReachedBy, Args: map[string]string{"kind": x.Kind, "from": x.Src.Key(), "hop": itoa(int64(x.N))}})
			}
		}
		for _, x := range a.relevant(t, h, end) {
			if tried(x) && x.t < t.comp[h] {
				continue
			}
			s.Last = later(s.Last, at(x.last))
			if len(s.Reasons) < 8 {
				s.Reasons = append(s.Reasons, incident.Reason{Code: incident.ShowsStep, Args: map[string]string{"step": string(x.step), "what": x.what, "time": stamp(x.t)}})
			}
		}
		out = append(out, s)
	}
	out = append(out, a.others(t, hops, steps, listed)...)
	return out
}

func (a *analysis) hostState(h int, first int64) incident.HostState {
	x := &a.hosts.List[h]
	s := incident.HostState{Host: x.Key, Addresses: slices.Clone(x.Addrs), Agency: x.Agency, External: x.External, First: at(first), Last: at(first), Roles: a.resolverRole(h), Reasons: []incident.Reason{}}
	if s.Addresses == nil {
		s.Addresses = nil
	}
	if x.Why != "" {
		s.Reasons = append(s.Reasons, incident.Reason{Code: incident.SideReason, Args: map[string]string{"why": x.Why}})
	}
	return s
}

// others are machines the incident speaks of without holding them compromised:
// outside ends of hops, resolvers, tried ones, observers, and those that could
// have been touched.
func (a *analysis) others(t *thread, hops []incident.Hop, steps []incident.StepEvent, listed map[string]bool) []incident.HostState {
	var out []incident.HostState
	add := func(key string, first int64, r incident.Reason) {
		h := a.hosts.ByKey(key)
		if listed[key] || h < 0 {
			return
		}
		listed[key] = true
		s := a.hostState(h, first)
		s.Isolate = ""
		s.Reasons = append(s.Reasons, r)
		out = append(out, s)
	}
	for _, x := range hops {
		for _, e := range []incident.Endpoint{x.Src, x.Dst} {
			h := a.hosts.ByKey(e.Key())
			if h >= 0 && a.hosts.List[h].External {
				add(e.Key(), x.Time.UnixNano(), incident.Reason{Code: incident.OutsideAddress})
			} else {
				add(e.Key(), x.Time.UnixNano(), incident.Reason{Code: incident.ReachedBy, Args: map[string]string{"kind": x.Kind, "from": x.Src.Key(), "hop": itoa(int64(x.N))}})
			}
		}
	}
	tries := map[string]int64{}
	for _, s := range steps {
		tries[s.Host] += int64(s.Rows)
	}
	for _, s := range steps {
		if s.Observer != "" {
			add(s.Observer, s.Time.UnixNano(), incident.Reason{Code: incident.ObserverOnly, Args: map[string]string{"of": s.Host}})
		}
		add(s.Host, s.Time.UnixNano(), incident.Reason{Code: incident.AttemptsOnly, Args: map[string]string{"attempts": itoa(tries[s.Host])}})
	}
	n := 0
	for _, h := range slices.Sorted(maps.Keys(t.touched)) {
		if n++; n > a.cfg.p.Touched {
			break
		}
		add(a.hosts.List[h].Key, t.touched[h], incident.Reason{Code: incident.PossiblyTouched, Args: map[string]string{"time": stamp(t.touched[h])}})
	}
	return out
}
