// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"citywall/incident/fact"
)

// logonBindings finds the addresses of hosts that write logons but never their
// own address: the logon names source address and port, and a sensor on the way
// saw a connection with both. The address that most of a host's logons point
// to, by at least two and more than half, is its own; a single one will do when
// the two records lie within seconds.
func logonBindings(st *fact.Store) []fact.Binding {
	// One end of a connection: a logon names a host, a flow an address.
	type end struct {
		src, dst fact.ID
		sport    uint16
		logon    bool
		t        int64
	}
	ports := map[fact.ID]bool{} // sources of connections with a source port
	for k := range st.Series {
		if k.Act == fact.Flow && st.Node(k.Dst).Addr.IsValid() {
			ports[k.Src] = true
		}
	}
	var all []end
	for k, s := range st.Series {
		logon := k.Act == fact.Logon && st.Node(k.Dst).Name != "" && st.Node(k.Src).Addr.IsValid()
		if !ports[k.Src] || !logon && (k.Act != fact.Flow || !st.Node(k.Dst).Addr.IsValid()) {
			continue
		}
		for i := range s.Conns {
			if c := &s.Conns[i]; c.SPort != 0 {
				all = append(all, end{k.Src, k.Dst, c.SPort, logon, c.T})
			}
		}
	}
	slices.SortFunc(all, func(a, b end) int {
		return cmp.Or(cmp.Compare(a.src, b.src), cmp.Compare(a.sport, b.sport), cmp.Compare(a.t, b.t))
	})
	type vote struct {
		name string
		addr netip.Addr
	}
	votes, total, sharp := map[vote]int{}, map[string]int{}, map[vote]bool{}
	spans := map[string][2]int64{}
	const window = int64(15 * time.Minute)
	for i := range all {
		l := &all[i]
		if !l.logon {
			continue
		}
		name := st.Node(l.dst).Name
		look := func(f *end) bool {
			if f.src != l.src || f.sport != l.sport || f.t-l.t > window || l.t-f.t > window {
				return false
			}
			if !f.logon {
				v := vote{name, st.Node(f.dst).Addr}
				votes[v]++
				total[name]++
				sharp[v] = sharp[v] || f.t-l.t <= int64(5*time.Second) && l.t-f.t <= int64(5*time.Second)
				x, ok := spans[name]
				if !ok {
					x = [2]int64{l.t, l.t}
				}
				spans[name] = [2]int64{min(x[0], l.t), max(x[1], l.t)}
			}
			return true
		}
		for j := i - 1; j >= 0 && look(&all[j]); j-- {
		}
		for j := i + 1; j < len(all) && look(&all[j]); j++ {
		}
	}
	var out []fact.Binding
	for _, v := range slices.SortedFunc(maps.Keys(votes), func(a, b vote) int { return cmp.Or(cmp.Compare(a.name, b.name), a.addr.Compare(b.addr)) }) {
		if n := votes[v]; 2*n > total[v.name] && (n >= 2 || sharp[v]) {
			x := spans[v.name]
			out = append(out, fact.Binding{Addr: v.addr, Name: v.name, By: fact.ByLogon, First: x[0], Last: x[1], Count: int64(n)})
		}
	}
	return out
}
