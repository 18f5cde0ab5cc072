// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"net/netip"

	"citywall/asset"
	"citywall/incident/fact"
)

// Why codes of Host.Why; narrate words them.
const (
	WhyTopology   = "side_topology"    // the drawing says so
	WhyInterface  = "side_interface"   // a firewall's interface role says so
	WhyOwnLog     = "side_own_log"     // the host writes a log that we have
	WhyMember     = "side_member"      // asks a domain controller, or is one, or has a name in DNS
	WhyNeighbour  = "side_neighbour"   // shares a network with a member
	WhyPublic     = "side_public"      // a public address that nobody claims
	WhyStranger   = "side_stranger"    // private, yet no member, no name and no neighbour of one
	WhyNoEvidence = "side_no_evidence" // private, and nothing is known about who belongs
)

// boundary decides for every host whether it is inside. Nodes are asked in the
// order of trust in the package comment.
func (h *Hosts) boundary(st *fact.Store, topo asset.Topology) {
	decided := make([]bool, len(h.List))
	set := func(i int, external bool, why string) {
		if i >= 0 && !decided[i] {
			decided[i], h.List[i].External, h.List[i].Why = true, external, why
		}
	}
	for i := range h.List {
		x := &h.List[i]
		for _, a := range x.Addrs {
			if s, ok := topo.SegmentOf(a); ok {
				x.Zone = s.Zone
				if x.Agency == "" {
					x.Agency = s.Agency
				}
				set(i, s.Zone == asset.ZoneExternal, WhyTopology)
			}
		}
	}
	for _, x := range topo.Hosts {
		if i := h.ByKey(asset.HostName(x.Name)); i >= 0 {
			set(i, false, WhyTopology)
		}
	}
	h.sides(st, set, "lan", "dmz")
	for i := range h.List {
		if h.List[i].OwnLog {
			set(i, false, WhyOwnLog)
		}
	}
	h.members(st, set)
	for i := range h.List {
		if a := h.List[i].Addr(); a.IsValid() && !a.IsPrivate() && !shared(a) {
			set(i, true, WhyPublic)
		}
	}
	// What lies behind a firewall's "wan" may be another agency of ours, so for
	// a private address the role speaks only after neighbourhood.
	h.neighbours(decided, func(i int, external bool, why string) {
		if !external {
			set(i, false, why)
		}
	})
	h.sides(st, set, "wan")
	h.neighbours(decided, set)
}

// sides applies the interface roles that firewalls reported.
func (h *Hosts) sides(st *fact.Store, set func(int, bool, string), sides ...string) {
	for _, side := range sides {
		for id := fact.ID(1); int(id) <= st.Nodes(); id++ {
			i := h.Of(id, 0)
			if st.Side(id) != side || i < 0 {
				continue
			}
			if side == "dmz" && h.List[i].Zone == "" {
				h.List[i].Zone = asset.ZoneDMZ
			}
			set(i, side == "wan", WhyInterface)
		}
	}
}

// members are hosts with a part in the domain: ticket clients and issuers,
// private addresses that logged on somewhere, and those that a resolver gave for
// a name.
func (h *Hosts) members(st *fact.Store, set func(int, bool, string)) {
	for k := range st.Series {
		switch k.Act {
		case fact.Ticket:
			set(h.Of(k.Src, 0), false, WhyMember)
			set(h.Of(k.Dst, 0), false, WhyMember)
		case fact.VPN:
			if a := st.Node(k.Dst).Addr; a.IsValid() {
				if i := h.Of(k.Dst, 0); i >= 0 && h.List[i].Zone == "" {
					h.List[i].Zone = asset.ZoneVPN
				}
				set(h.Of(k.Dst, 0), false, WhyMember)
			}
		case fact.Logon:
			set(h.Of(k.Dst, 0), false, WhyMember)
			if a := st.Node(k.Src).Addr; a.IsPrivate() {
				set(h.Of(k.Src, 0), false, WhyMember)
			}
		case fact.Flow:
			if k.Port == 88 || k.Port == 389 || k.Port == 464 {
				if a := st.Node(k.Src).Addr; a.IsPrivate() {
					set(h.Of(k.Src, 0), false, WhyMember)
				}
				if a := st.Node(k.Dst).Addr; a.IsPrivate() {
					set(h.Of(k.Dst, 0), false, WhyMember)
				}
			}
		}
	}
	for i := range h.List {
		if h.List[i].Name != "" {
			set(i, false, WhyMember)
		}
	}
}

// neighbours settles private addresses by who is near them. When nobody is
// known to belong, private addresses count as inside.
func (h *Hosts) neighbours(decided []bool, set func(int, bool, string)) {
	near := map[netip.Prefix]bool{}
	for i := range h.List {
		if !decided[i] || h.List[i].External {
			continue
		}
		for _, a := range h.List[i].Addrs {
			for _, bits := range neighbourBits(a) {
				if p, err := a.Prefix(bits); err == nil {
					near[p] = true
				}
			}
		}
	}
	for i := range h.List {
		if decided[i] {
			continue
		}
		a := h.List[i].Addr()
		if !a.IsValid() {
			set(i, false, WhyNoEvidence)
			continue
		}
		if len(near) == 0 {
			set(i, false, WhyNoEvidence)
			continue
		}
		why, external := WhyStranger, true
		for _, bits := range neighbourBits(a) {
			if p, err := a.Prefix(bits); err == nil && near[p] {
				why, external = WhyNeighbour, false
				break
			}
		}
		set(i, external, why)
	}
}

func neighbourBits(a netip.Addr) []int {
	if a.Is4() {
		return []int{24, 16}
	}
	return []int{64, 48}
}

// shared reports carrier-grade NAT space (RFC 6598), which is neither public
// nor private.
func shared(a netip.Addr) bool { return cgnat.Contains(a) }

var cgnat = netip.MustParsePrefix("100.64.0.0/10")
