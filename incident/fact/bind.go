// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// BindSource says how a name was tied to an address. The order is that of
// trust, the best last.
type BindSource uint8

// Sources of a binding.
const (
	ByDNS     BindSource = iota + 1 // an answer of a resolver
	ByClient                        // the client called itself so (WorkstationName, NTLM): it may lie
	ByNetBIOS                       // the host announced itself
	ByServer                        // the server called itself so when it answered
	BySwitch                        // other credentials were used on a host of that name just when they came from there
	ByMachine                       // the computer's own account was used from there
	ByLogon                         // a logon there and a connection seen on the way have one source port
	ByDevice                        // a firewall's own table
	ByLease                         // DHCP: by name, else by hardware address
	ByOwnLog                        // the host's own record names its address
)

// bindKey has the day (since 1970) of what may change hands, so that an address
// that comes back to a host is known to.
type bindKey struct {
	addr netip.Addr
	name string
	by   BindSource
	day  int64
}

type span struct {
	first, last int64
	count       int64
}

// Binding says that a name held an address from First to Last, at least.
type Binding struct {
	Addr        netip.Addr
	Name        string
	By          BindSource
	First, Last int64
	Count       int64
}

func (s *Store) bind(a netip.Addr, name string, by BindSource, t int64) {
	if !a.IsValid() || name == "" || name == a.String() {
		return
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return
	}
	k := bindKey{addr: a, name: name, by: by}
	if by >= ByLease {
		k.day = floorHour(t) / 24
	}
	x := s.binds[k]
	if x == nil {
		k.name = strings.Clone(name)
		s.binds[k] = &span{t, t, 1}
		return
	}
	x.first, x.last = min(x.first, t), max(x.last, t)
	x.count++
}

// lease binds an address to whom a DHCP server gave it: the hardware address is
// the same machine whatever it calls itself, and a name is worth more to a reader.
func (s *Store) lease(r row) {
	v := r.v
	client := strings.ToLower(strings.ReplaceAll(v.Session, "-", ":"))
	if client == "" {
		client = v.Host
	}
	if old, ok := s.clients[client]; v.Host != "" && (!ok || v.Host < old) {
		s.clients[strings.Clone(client)] = strings.Clone(v.Host)
	}
	s.bind(v.HostAddr, client, ByLease, r.t)
}

// Bindings returns all of them, ordered by address, time, trust and name. Those of
// ByLease and ByOwnLog are one a day.
func (s *Store) Bindings() []Binding {
	out := make([]Binding, 0, len(s.binds))
	for k, x := range s.binds {
		if name := s.clients[k.name]; k.by == ByLease && name != "" {
			k.name = name
		}
		out = append(out, Binding{k.addr, k.name, k.by, x.first, x.last, x.count})
	}
	slices.SortFunc(out, func(a, b Binding) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.First, b.First), cmp.Compare(b.By, a.By), cmp.Compare(a.Name, b.Name))
	})
	return out
}
