// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"citywall/asset"
	"citywall/incident/fact"
)

// Host is a machine as inference sees it.
type Host struct {
	Key      string // name, else address: how people and reports call it
	Name     string
	Addrs    []netip.Addr // sorted
	Zone     asset.Zone   // "" unknown
	External bool
	Why      string // reason code of External or of being inside
	Roles    []asset.Role
	Agency   string
	Owner    string
	OwnLog   bool // writes a log of its own
}

// Has reports whether h has role r.
func (h *Host) Has(r asset.Role) bool { return slices.Contains(h.Roles, r) }

// Addr returns the first address, invalid when none is known.
func (h *Host) Addr() netip.Addr {
	if len(h.Addrs) == 0 {
		return netip.Addr{}
	}
	return h.Addrs[0]
}

// Hosts is every machine of the facts, and which node is which of them when.
type Hosts struct {
	List  []Host // ordered by Key
	nodes []held // by fact.ID
	keys  map[string]int
}

// held says which host a node was.
type held struct {
	host  int    // when times is empty
	times []when // ascending
}

type when struct {
	from int64
	host int
}

// Of returns the index of the host that node n was at t (ns), -1 for none.
func (h *Hosts) Of(n fact.ID, t int64) int {
	if n == 0 || int(n) >= len(h.nodes) {
		return -1
	}
	x := &h.nodes[n]
	if len(x.times) == 0 {
		return x.host
	}
	i, found := slices.BinarySearchFunc(x.times, t, func(w when, t int64) int { return cmp.Compare(w.from, t) })
	if !found && i > 0 {
		i--
	}
	return x.times[min(i, len(x.times)-1)].host
}

// From is Of for the source of a connection, and its source port: behind the
// address of a pool stands whoever the device gave the port to. It is -1 where
// nobody can say who that was.
func (h *Hosts) From(st *fact.Store, k fact.Key, c *fact.Conn, skew time.Duration) (int, uint16) {
	if !st.Pool(k.Src) {
		return h.Of(k.Src, c.T), c.SPort
	}
	inner, port := st.Inner(k.Src, c.SPort, k.Dst, c.T, int64(skew))
	return h.Of(inner, c.T), port
}

// ByKey returns the index of the host called key, -1 for none.
func (h *Hosts) ByKey(key string) int {
	if i, ok := h.keys[key]; ok {
		return i
	}
	return -1
}

// named is one name of an address for a time.
type named struct {
	name        string
	first, last int64
	count       int64
}

const dayNS = int64(24 * time.Hour)

// Resolve finds the machines behind the nodes of st.
func Resolve(st *fact.Store, topo asset.Topology) *Hosts {
	own := map[string]bool{} // names that write logs themselves
	for _, s := range st.Sources() {
		if s.Own && !s.Watches {
			own[s.Clock] = true
		}
	}
	fixed := map[netip.Addr]string{}
	for _, x := range topo.Hosts {
		for _, a := range x.Addresses {
			fixed[a.Unmap()] = asset.HostName(x.Name)
		}
	}
	names, alias := namesOf(slices.Concat(st.Bindings(), logonBindings(st), switchBindings(st)), own, fixed)
	h := &Hosts{keys: map[string]int{}, nodes: make([]held, st.Nodes()+1)}

	keyOf := func(name string) string {
		if a, ok := alias[name]; ok {
			return a
		}
		return name
	}
	keys := map[string]*Host{}
	get := func(key string, a netip.Addr) {
		x := keys[key]
		if x == nil {
			x = &Host{Key: key}
			if _, err := net.ParseMAC(key); err != nil && key != a.String() {
				x.Name = key // a hardware address is as nameless as an address
			}
			keys[key] = x
		}
		if a.IsValid() && !slices.Contains(x.Addrs, a) {
			x.Addrs = append(x.Addrs, a)
		}
	}
	for id := 1; id <= st.Nodes(); id++ {
		n := st.Node(fact.ID(id))
		if !n.Addr.IsValid() {
			get(keyOf(n.Name), netip.Addr{})
			continue
		}
		list := names[n.Addr]
		if len(list) == 0 {
			get(n.Addr.String(), n.Addr)
		}
		for _, x := range list {
			get(keyOf(x.name), n.Addr)
		}
	}
	for a, list := range names { // an address that only bindings know
		for _, x := range list {
			if k := keys[keyOf(x.name)]; k != nil && !slices.Contains(k.Addrs, a) {
				k.Addrs = append(k.Addrs, a)
			}
		}
	}
	for _, x := range keys {
		slices.SortFunc(x.Addrs, netip.Addr.Compare)
		h.List = append(h.List, *x)
	}
	slices.SortFunc(h.List, func(a, b Host) int { return cmp.Compare(a.Key, b.Key) })
	for i := range h.List {
		h.keys[h.List[i].Key] = i
		h.List[i].OwnLog = own[h.List[i].Name]
	}
	for id := 1; id <= st.Nodes(); id++ {
		n := st.Node(fact.ID(id))
		if !n.Addr.IsValid() {
			h.nodes[id] = held{host: h.keys[keyOf(n.Name)]}
			continue
		}
		list := names[n.Addr]
		switch len(list) {
		case 0:
			h.nodes[id] = held{host: h.keys[n.Addr.String()]}
		case 1:
			h.nodes[id] = held{host: h.keys[keyOf(list[0].name)]}
		default:
			var x held
			for _, b := range list {
				x.times = append(x.times, when{b.first, h.keys[keyOf(b.name)]})
			}
			h.nodes[id] = x
		}
	}
	h.known(topo)
	h.agencies(st)
	h.boundary(st, topo)
	h.roles(st)
	return h
}

// namesOf decides which name each address had, by the most trusted source.
// Only leases and own logs may give an address to several hosts in turn; other
// sources' further names are aliases of the first.
func namesOf(bs []fact.Binding, own map[string]bool, fixed map[netip.Addr]string) (map[netip.Addr][]named, map[string]string) {
	slices.SortStableFunc(bs, func(a, b fact.Binding) int { return a.Addr.Compare(b.Addr) })
	names, alias := map[netip.Addr][]named{}, map[string]string{}
	for a, n := range fixed {
		names[a] = []named{{name: n}}
	}
	for i := 0; i < len(bs); {
		j := i
		for j < len(bs) && bs[j].Addr == bs[i].Addr {
			j++
		}
		group := bs[i:j]
		i = j
		addr := group[0].Addr
		if n, ok := fixed[addr]; ok {
			for _, b := range group {
				if b.By != fact.ByClient && b.Name != n && !own[b.Name] {
					alias[b.Name] = n
				}
			}
			continue
		}
		best := fact.BindSource(0)
		for _, b := range group {
			if b.By == fact.ByClient && !own[b.Name] {
				continue
			}
			best = max(best, b.By)
		}
		if best == 0 {
			continue
		}
		logged := map[int64]bool{} // days on which a host's own log names the address
		for _, b := range group {
			if b.By == fact.ByOwnLog {
				logged[b.First/dayNS] = true
			}
		}
		var list []named
		for _, b := range group {
			lent := best == fact.ByOwnLog && b.By == fact.ByLease && !logged[b.First/dayNS]
			if lent || b.By == best && (best != fact.ByClient || own[b.Name]) {
				list = append(list, named{b.Name, b.First, b.Last, b.Count})
			}
		}
		if best < fact.ByDevice {
			slices.SortFunc(list, func(a, b named) int {
				if own[a.name] != own[b.name] {
					if own[a.name] {
						return -1
					}
					return 1
				}
				return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name))
			})
			for _, x := range list[1:] {
				if !own[x.name] {
					alias[x.name] = list[0].name
				}
			}
			list = list[:1]
		}
		names[addr] = turns(list)
	}
	// An alias may itself be a canonical name elsewhere; the canonical wins.
	for _, list := range names {
		for _, x := range list {
			delete(alias, x.name)
		}
	}
	return names, alias
}

// turns orders the names of one address by time and merges neighbours.
func turns(list []named) []named {
	slices.SortFunc(list, func(a, b named) int {
		return cmp.Or(cmp.Compare(a.first, b.first), strings.Compare(a.name, b.name))
	})
	out := list[:0]
	for _, x := range list {
		if n := len(out); n > 0 && out[n-1].name == x.name {
			out[n-1].last = max(out[n-1].last, x.last)
			continue
		}
		out = append(out, x)
	}
	return out
}

// known copies what the topology says of hosts.
func (h *Hosts) known(topo asset.Topology) {
	for _, x := range topo.Hosts {
		i := h.ByKey(asset.HostName(x.Name))
		for k := 0; i < 0 && k < len(x.Addresses); k++ {
			i = h.ByKey(x.Addresses[k].Unmap().String())
		}
		if i < 0 {
			continue
		}
		y := &h.List[i]
		y.Agency, y.Owner = x.Agency, x.Owner
		for _, r := range x.Roles {
			y.add(r)
		}
	}
}

func (h *Host) add(r asset.Role) {
	if !h.Has(r) {
		h.Roles = append(h.Roles, r)
		slices.Sort(h.Roles)
	}
}

// agencies takes the agency of the source that wrote about a host where the
// topology has none; of several, the smallest code.
func (h *Hosts) agencies(st *fact.Store) {
	found := map[int]string{}
	for id := fact.ID(1); int(id) <= st.Nodes(); id++ {
		a, i := st.Agency(id), h.Of(id, 0)
		if a == "" || i < 0 || h.List[i].Agency != "" {
			continue
		}
		if old, ok := found[i]; !ok || a < old {
			found[i] = a
		}
	}
	for i, a := range found {
		h.List[i].Agency = a
	}
}
