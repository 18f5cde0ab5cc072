// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"citywall/asset"
)

// Kind of a difference between the drawing and what is seen.
type Kind string

// Kinds, in the order of their weight.
const (
	UndrawnSegment Kind = "undrawn_segment" // machines in a network that no drawing has
	UndrawnHost    Kind = "undrawn_host"    // a machine in a drawn network that no list has
	OtherSegment   Kind = "other_segment"   // a drawn machine with an address in another network
	OtherRole      Kind = "other_role"      // a machine serves what its drawn roles do not say
	UndrawnPath    Kind = "undrawn_path"    // traffic between drawn segments that no drawn path allows
	UnseenSegment  Kind = "unseen_segment"  // nothing was seen of a drawn network: no sensor looks there, or it is gone
	UnseenHost     Kind = "unseen_host"     // a drawn machine of which nothing was seen
)

// Difference is one point in which drawing and traffic do not agree.
type Difference struct {
	Kind    Kind         `json:"kind"`
	Name    string       `json:"name"` // of machine or segment
	Addr    netip.Addr   `json:"address,omitzero"`
	Prefix  netip.Prefix `json:"prefix,omitzero"`
	Roles   []asset.Role `json:"roles,omitempty"` // seen and not drawn
	Drawn   string       `json:"drawn,omitempty"` // segment or roles as drawn
	Count   int          `json:"count,omitempty"` // machines
	Agency  string       `json:"agency,omitempty"`
	Contact string       `json:"contact,omitempty"` // whom to ask
	Machine *Machine     `json:"machine,omitempty"` // what was seen
	Talk    *Talk        `json:"talk,omitempty"`    // what was seen of a path
	To      string       `json:"to,omitempty"`      // segment that a path leads to; Name is where it begins
}

// Kinds lists all kinds by weight.
func Kinds() []Kind {
	return []Kind{UndrawnSegment, UndrawnHost, OtherSegment, OtherRole, UndrawnPath, UnseenSegment, UnseenHost}
}

// strangers is how many machines make an undrawn network.
const strangers = 3

// Diff compares a drawing with what was seen. Machines outside every drawn
// segment count as the city's only when their addresses are private; a lone one
// is a guest, several in one /24 (/64) are a network nobody has drawn.
//
// Paths are judged between segments that drawn paths speak of, and only there: a
// firewall says nothing of what does not pass it.
func Diff(t asset.Topology, seen []Machine, talks []Talk) []Difference {
	var out []Difference
	drawn := map[netip.Addr]asset.Host{}
	byName := map[string]asset.Host{}
	for _, h := range t.Hosts {
		for _, a := range h.Addresses {
			drawn[a] = h
		}
		byName[asset.HostName(h.Name)] = h
	}
	met := map[string]bool{} // drawn host that was seen
	inSegment := map[netip.Prefix]int{}
	alone := map[netip.Prefix][]Machine{}
	for _, m := range seen {
		s, inside := t.SegmentOf(m.Addr)
		if inside {
			inSegment[s.Prefix]++
		}
		h, known := drawn[m.Addr]
		if !known {
			for _, n := range m.Names {
				if x, ok := byName[asset.HostName(n)]; ok {
					h, known = x, true
					if d := moved(t, x, s, inside, m); d != nil {
						out = append(out, *d)
					}
					break
				}
			}
		}
		switch {
		case known:
			met[h.Name] = true
			if d := roleless(h, m); d != nil {
				out = append(out, *d)
			}
		case inside && s.Zone != asset.ZoneExternal && s.Zone != asset.ZoneVPN && len(t.Hosts) > 0 && (m.Sent > 0 || len(m.Services) > 0):
			out = append(out, Difference{Kind: UndrawnHost, Name: name(m), Addr: m.Addr, Drawn: s.Name, Roles: m.Roles, Agency: s.Agency, Contact: s.Contact, Machine: &m})
		case !inside && m.Addr.IsPrivate() && len(t.Segments) > 0:
			alone[around(m.Addr)] = append(alone[around(m.Addr)], m)
		}
	}
	for p, ms := range alone {
		if len(ms) >= strangers {
			out = append(out, Difference{Kind: UndrawnSegment, Name: p.String(), Prefix: p, Count: len(ms), Agency: ms[0].Agency, Machine: &ms[0]})
		}
	}
	for _, s := range t.Segments {
		if inSegment[s.Prefix] == 0 && s.Zone != asset.ZoneExternal && !covered(t, s, inSegment) {
			out = append(out, Difference{Kind: UnseenSegment, Name: s.Name, Prefix: s.Prefix, Agency: s.Agency, Contact: s.Contact})
		}
	}
	for _, h := range t.Hosts {
		if !met[h.Name] && len(seen) > 0 {
			d := Difference{Kind: UnseenHost, Name: h.Name, Agency: h.Agency, Contact: h.Contact}
			if len(h.Addresses) > 0 {
				d.Addr = h.Addresses[0]
			}
			out = append(out, d)
		}
	}
	out = append(out, paths(t, talks)...)
	weight := Kinds()
	slices.SortFunc(out, func(a, b Difference) int {
		return cmp.Or(slices.Index(weight, a.Kind)-slices.Index(weight, b.Kind), a.Addr.Compare(b.Addr), strings.Compare(a.Prefix.String(), b.Prefix.String()), strings.Compare(a.Name, b.Name), strings.Compare(a.To, b.To), port(a)-port(b))
	})
	return out
}

func name(m Machine) string {
	if len(m.Names) > 0 {
		return m.Names[0]
	}
	return m.Addr.String()
}

// around is the network that an address without a drawing is counted in.
func around(a netip.Addr) netip.Prefix { return asset.Topology{}.PlaceOf(a) }

// moved says that a machine is where its drawing does not put it.
func moved(t asset.Topology, h asset.Host, s asset.Segment, inside bool, m Machine) *Difference {
	if len(h.Addresses) == 0 || s.Zone == asset.ZoneVPN {
		return nil // drawn without a place; or at home
	}
	for _, a := range h.Addresses {
		if d, ok := t.SegmentOf(a); ok && inside && d.Prefix == s.Prefix {
			return nil
		}
	}
	where := ""
	if d, ok := t.SegmentOf(h.Addresses[0]); ok {
		where = d.Name
	}
	return &Difference{Kind: OtherSegment, Name: h.Name, Addr: m.Addr, Prefix: s.Prefix, Drawn: where, Agency: h.Agency, Contact: h.Contact, Machine: &m}
}

// roleless says that a machine serves what its roles do not say. A machine
// drawn without roles says nothing.
func roleless(h asset.Host, m Machine) *Difference {
	if len(h.Roles) == 0 {
		return nil
	}
	var more []asset.Role
	for _, r := range m.Roles {
		if !h.Has(r) && !(r == asset.RoleDNS && h.Has(asset.RoleDC)) && !(h.Has(asset.RoleServer) && r != asset.RoleDC) {
			more = append(more, r)
		}
	}
	if len(more) == 0 {
		return nil
	}
	words := make([]string, len(h.Roles))
	for i, r := range h.Roles {
		words[i] = string(r)
	}
	return &Difference{Kind: OtherRole, Name: h.Name, Addr: m.Addr, Roles: more, Drawn: strings.Join(words, ", "), Agency: h.Agency, Contact: h.Contact, Machine: &m}
}

// covered reports whether a smaller drawn segment inside s was seen.
func covered(t asset.Topology, s asset.Segment, seen map[netip.Prefix]int) bool {
	for _, x := range t.Segments {
		if seen[x.Prefix] > 0 && x.Prefix.Bits() > s.Prefix.Bits() && s.Prefix.Contains(x.Prefix.Addr()) {
			return true
		}
	}
	return false
}

func port(d Difference) int {
	if d.Talk == nil {
		return 0
	}
	return int(d.Talk.Port)
}

// paths returns the traffic that no drawn path allows.
func paths(t asset.Topology, talks []Talk) []Difference {
	spoken := map[netip.Prefix]bool{}
	looked := map[netip.Prefix]bool{}
	for _, path := range t.Paths {
		for _, p := range []netip.Prefix{path.From, path.To} { // a path may speak of a part of a segment
			if looked[p] {
				continue
			}
			looked[p] = true
			if s, ok := t.SegmentOf(p.Addr()); ok && s.Prefix.Bits() <= p.Bits() {
				spoken[s.Prefix] = true
			}
			spoken[p] = true
		}
	}
	var out []Difference
	for _, x := range talks {
		from, ok1 := t.SegmentOf(x.Src)
		to, ok2 := t.SegmentOf(x.Dst)
		if !ok1 || !ok2 || from.Prefix == to.Prefix || !spoken[from.Prefix] || !spoken[to.Prefix] {
			continue
		}
		allowed := slices.ContainsFunc(t.Paths, func(p asset.Path) bool {
			return p.From.Contains(x.Src) && p.To.Contains(x.Dst) && (len(p.Ports) == 0 || slices.Contains(p.Ports, x.Port))
		})
		if !allowed {
			out = append(out, Difference{Kind: UndrawnPath, Name: from.Name, To: to.Name, Addr: x.Src, Count: int(min(x.Count, 1<<31-1)), Agency: cmp.Or(from.Agency, x.Agency), Contact: from.Contact, Talk: &x})
		}
	}
	return out
}
