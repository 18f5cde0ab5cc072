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

// switchBindings find the address of a host by the credentials that were used on
// it: the record of their use (4648) names host, account and destination, and
// within seconds the destination tells of a logon with that account from an
// address. Where logons are all there is, nothing else says which address the
// host has. The address that most of them point to is its own.
func switchBindings(st *fact.Store) []fact.Binding {
	const near = int64(5 * time.Second)
	type used struct {
		dst    fact.ID
		target string
	}
	type use struct {
		host string
		t    int64
	}
	uses := map[used][]use{}
	for k, s := range st.Series {
		if k.Act != fact.Credential || k.Dst == 0 || st.Node(k.Src).Name == "" {
			continue
		}
		for i := range s.Conns {
			c := &s.Conns[i]
			u := used{k.Dst, st.Account(c.Target).Name}
			uses[u] = append(uses[u], use{st.Node(k.Src).Name, c.T})
		}
	}
	for _, l := range uses {
		slices.SortFunc(l, func(a, b use) int { return cmp.Or(cmp.Compare(a.t, b.t), cmp.Compare(a.host, b.host)) })
	}
	votes := map[string]map[netip.Addr]*fact.Binding{}
	for k, s := range st.Series {
		if k.Act != fact.Logon || !st.Node(k.Src).Addr.IsValid() {
			continue
		}
		l := uses[used{k.Dst, st.Account(k.User).Name}]
		for i := range s.Conns {
			if len(l) == 0 {
				break
			}
			t := s.Conns[i].T
			n, _ := slices.BinarySearchFunc(l, t-near, func(u use, t int64) int { return cmp.Compare(u.t, t) })
			for ; n < len(l) && l[n].t <= t+near; n++ {
				by, a := votes[l[n].host], st.Node(k.Src).Addr
				if by == nil {
					by = map[netip.Addr]*fact.Binding{}
					votes[l[n].host] = by
				}
				if by[a] == nil {
					by[a] = &fact.Binding{Addr: a, Name: l[n].host, By: fact.BySwitch, First: t, Last: t}
				}
				b := by[a]
				b.First, b.Last, b.Count = min(b.First, t), max(b.Last, t), b.Count+1
			}
		}
	}
	var out []fact.Binding
	for _, host := range slices.Sorted(maps.Keys(votes)) {
		all := int64(0)
		for _, b := range votes[host] {
			all += b.Count
		}
		for _, b := range votes[host] {
			if 2*b.Count > all {
				out = append(out, *b)
			}
		}
	}
	return out
}
