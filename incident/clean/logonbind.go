// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"citywall/incident/fact"
)

// logonBindings finds the addresses of hosts that write logons but never their
// own address: the logon names source address and port, and a sensor on the way
// saw a connection with both. The address that most of a host's logons point
// to, by at least two and more than half, is its own.
func logonBindings(st *fact.Store) []fact.Binding {
	type key struct {
		src   netip.Addr
		sport uint16
	}
	type seen struct {
		t    int64
		name string
	}
	flows := false
	for k := range st.Series {
		flows = flows || k.Act == fact.Flow
	}
	if !flows {
		return nil // nothing to compare with
	}
	by := map[key][]seen{}
	for k, s := range st.Series {
		if k.Act != fact.Logon || st.Node(k.Dst).Name == "" || !st.Node(k.Src).Addr.IsValid() {
			continue
		}
		for i := range s.Conns {
			if c := &s.Conns[i]; c.SPort != 0 {
				x := key{st.Node(k.Src).Addr, c.SPort}
				by[x] = append(by[x], seen{t: c.T, name: st.Node(k.Dst).Name})
			}
		}
	}
	if len(by) == 0 {
		return nil
	}
	votes := map[string]map[netip.Addr]int{}
	spans := map[string][2]int64{}
	const window = int64(15 * time.Minute)
	for k, s := range st.Series {
		a := st.Node(k.Dst).Addr
		if k.Act != fact.Flow || !a.IsValid() {
			continue
		}
		for i := range s.Conns {
			c := &s.Conns[i]
			if c.SPort == 0 {
				continue
			}
			for _, l := range by[key{st.Node(k.Src).Addr, c.SPort}] {
				if d := l.t - c.T; d > window || -d > window {
					continue
				}
				if votes[l.name] == nil {
					votes[l.name] = map[netip.Addr]int{}
					spans[l.name] = [2]int64{l.t, l.t}
				}
				votes[l.name][a]++
				x := spans[l.name]
				spans[l.name] = [2]int64{min(x[0], l.t), max(x[1], l.t)}
			}
		}
	}
	var out []fact.Binding
	for name, v := range votes {
		var best netip.Addr
		total := 0
		for a, n := range v {
			total += n
			if n > v[best] || n == v[best] && (!best.IsValid() || a.Less(best)) {
				best = a
			}
		}
		if v[best] >= 2 && 2*v[best] > total {
			x := spans[name]
			out = append(out, fact.Binding{Addr: best, Name: name, By: fact.ByLogon, First: x[0], Last: x[1], Count: int64(v[best])})
		}
	}
	slices.SortFunc(out, func(a, b fact.Binding) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Name, b.Name))
	})
	return out
}
