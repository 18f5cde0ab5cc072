// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package asset

import (
	"cmp"
	"net/netip"
)

// Place is where an address is drawn and whom to call about it.
type Place struct {
	Addr      netip.Addr `json:"address,omitzero"`
	Name      string     `json:"name,omitempty"`    // as drawn
	Segment   string     `json:"segment,omitempty"` // "": in no drawn one
	Of        string     `json:"of,omitempty"`      // agency
	Contact   string     `json:"contact,omitempty"`
	ContactOf string     `json:"contact_of,omitempty"` // OfDevice, OfSegment, or "" without a contact
}

// Whose contact a Place names.
const (
	OfDevice  = "device"
	OfSegment = "segment"
)

// Places answers for many machines where they are drawn. It sees the topology
// as it was when it was made.
type Places struct {
	top  Topology
	addr map[netip.Addr]*Host
	name map[string]*Host
}

// Places prepares t for many questions.
func (t Topology) Places() Places {
	p := Places{t, map[netip.Addr]*Host{}, map[string]*Host{}}
	for i := range t.Hosts {
		h := &t.Hosts[i]
		for _, a := range h.Addresses {
			p.addr[a] = h
		}
		p.name[HostName(h.Name)] = h
	}
	return p
}

// At says where a is drawn; false when nothing is drawn of it.
func (p Places) At(a netip.Addr) (Place, bool) {
	a = a.Unmap()
	x := p.of(p.addr[a])
	x.Addr = a
	if s, ok := p.top.SegmentOf(a); ok {
		x.Segment, x.Of = s.Name, cmp.Or(x.Of, s.Agency)
		if x.Contact == "" && s.Contact != "" {
			x.Contact, x.ContactOf = s.Contact, OfSegment
		}
	}
	return x, x.Name+x.Segment != ""
}

// Of says where a machine is drawn that is known by a name and addresses: one
// place for each address of which something is drawn. A machine that is drawn by
// its name alone has its contact from there, and at least one place.
func (p Places) Of(host string, as []netip.Addr) []Place {
	named := p.of(p.name[HostName(host)])
	var out []Place
	for _, a := range as {
		x, ok := p.At(a)
		if !ok {
			continue
		}
		if x.Name == "" && named.Name != "" {
			x.Name, x.Of = named.Name, cmp.Or(named.Of, x.Of)
			if named.Contact != "" {
				x.Contact, x.ContactOf = named.Contact, OfDevice
			}
		}
		out = append(out, x)
	}
	if len(out) == 0 && named.Name != "" {
		out = append(out, named)
	}
	return out
}

// of is what is drawn of a host; nil gives the zero Place.
func (p Places) of(h *Host) Place {
	if h == nil {
		return Place{}
	}
	x := Place{Name: h.Name, Of: h.Agency, Contact: h.Contact}
	if h.Contact != "" {
		x.ContactOf = OfDevice
	}
	return x
}
