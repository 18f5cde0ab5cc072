// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package drawing reads what a city has written down of its network: firewall
// configurations (FortiGate, Cisco ASA, Palo Alto) and lists of machines as CSV.
//
// A drawing says what should be there. It promises that every segment and host
// it returns stands in the file, with a note for each line it could not use; it
// never guesses a role or a zone that the file does not say, and keeps no
// secret: passwords and keys are not read. What is really there is told by
// traffic (inventory).
package drawing

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"citywall/asset"
	"citywall/internal/fault"
)

// Kinds of drawing.
const (
	FortiGate = "fortigate"
	ASA       = "cisco-asa"
	PANOS     = "paloalto"
	CSV       = "csv"
)

// Drawing is what one file says.
type Drawing struct {
	Kind     string         `json:"kind"`
	Device   string         `json:"device,omitempty"` // name of the firewall whose configuration it is
	Topology asset.Topology `json:"topology"`
	Notes    []string       `json:"notes,omitempty"` // what could not be used, and where; at most maxNotes
	Skipped  int            `json:"skipped"`         // entries that could not be used
}

// Limits of a file.
const (
	maxBytes = 64 << 20
	maxItems = 200_000
	maxNotes = 50
)

// Read reads a file, whose kind it tells by its content.
func Read(b []byte) (Drawing, error) {
	if len(b) > maxBytes {
		return Drawing{}, fault.New(fault.Invalid, "the file has more than %d bytes", maxBytes)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	head := string(b[:min(len(b), 64<<10)])
	var d Drawing
	var err error
	switch {
	case strings.HasPrefix(strings.TrimSpace(head), "<?xml") || strings.HasPrefix(strings.TrimSpace(head), "<config"):
		d, err = panos(b)
	case strings.Contains(head, "config system ") || strings.HasPrefix(head, "#config-version="):
		d, err = fortigate(b)
	case strings.Contains(head, "ASA Version ") || strings.Contains(head, "\n nameif ") || strings.Contains(head, "FTD Version "):
		d, err = asa(b)
	default:
		d, err = table(b)
	}
	if err != nil {
		return d, err
	}
	d.tidy()
	if len(d.Topology.Segments)+len(d.Topology.Hosts) == 0 {
		return d, fault.New(fault.Invalid, "the file was read as %s and names no segment and no machine", d.Kind)
	}
	return d, nil
}

func (d *Drawing) note(f string, args ...any) {
	d.Skipped++
	if len(d.Notes) < maxNotes {
		d.Notes = append(d.Notes, fmt.Sprintf(f, args...))
	}
}

func (d *Drawing) full() bool { return len(d.Topology.Segments)+len(d.Topology.Hosts) >= maxItems }

// segment adds a network. A prefix that covers everything is a default route.
func (d *Drawing) segment(name string, p netip.Prefix, zone asset.Zone, gateway netip.Addr) {
	if !p.IsValid() || p.Bits() == 0 || p.Bits() == p.Addr().BitLen() || d.full() {
		return
	}
	d.Topology.Segments = append(d.Topology.Segments, asset.Segment{Name: name, Prefix: p.Masked(), Zone: zone, Gateway: gateway})
}

// maxPaths bounds what policies between many segments multiply to.
const maxPaths = 20_000

// path allows traffic between every two networks of from and to.
func (d *Drawing) path(from, to []netip.Prefix, ports []uint16, note string) {
	for _, f := range from {
		for _, t := range to {
			if f == t {
				continue
			}
			if len(d.Topology.Paths) >= maxPaths {
				d.note("%s: more than %d allowed paths", note, maxPaths)
				return
			}
			d.Topology.Paths = append(d.Topology.Paths, asset.Path{From: f, To: t, Ports: ports, Note: note})
		}
	}
}

// within allows what does not pass the firewall: traffic between networks behind
// the same interface, or the same zone that lets it through.
func (d *Drawing) within(nets networks) {
	for _, name := range slices.Sorted(maps.Keys(nets)) {
		d.path(nets[name], nets[name], nil, "both behind "+name)
	}
}

// networks keeps which prefixes lie behind an interface or zone.
type networks map[string][]netip.Prefix

func (n networks) add(name string, p netip.Prefix) {
	if name != "" && p.IsValid() && p.Bits() > 0 && !slices.Contains(n[name], p.Masked()) {
		n[name] = append(n[name], p.Masked())
	}
}

// behind returns the networks behind interfaces or zones; "any" is all.
func (n networks) behind(names []string) []netip.Prefix {
	var out []netip.Prefix
	for _, x := range names {
		if x == "any" {
			out = nil
			for _, k := range slices.Sorted(maps.Keys(n)) {
				out = append(out, n[k]...)
			}
			break
		}
		out = append(out, n[x]...)
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

// host adds a machine by name, or an address to one that is there.
func (d *Drawing) host(name string, a netip.Addr, roles ...asset.Role) {
	a = a.Unmap()
	if name == "" || d.full() {
		return
	}
	i := slices.IndexFunc(d.Topology.Hosts, func(h asset.Host) bool { return h.Name == name })
	if i < 0 {
		d.Topology.Hosts = append(d.Topology.Hosts, asset.Host{Name: name})
		i = len(d.Topology.Hosts) - 1
	}
	h := &d.Topology.Hosts[i]
	if a.IsValid() && !slices.Contains(h.Addresses, a) {
		h.Addresses = append(h.Addresses, a)
	}
	for _, r := range roles {
		if !h.Has(r) {
			h.Roles = append(h.Roles, r)
		}
	}
}

// tidy puts everything in order and leaves out what is said twice.
func (d *Drawing) tidy() {
	slices.SortStableFunc(d.Topology.Segments, func(a, b asset.Segment) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), a.Prefix.Bits()-b.Prefix.Bits())
	})
	d.Topology.Segments = slices.CompactFunc(d.Topology.Segments, func(a, b asset.Segment) bool { return a.Prefix == b.Prefix })
	slices.SortStableFunc(d.Topology.Hosts, func(a, b asset.Host) int { return strings.Compare(a.Name, b.Name) })
}

// zoneOf reads a zone off a name that people give interfaces and zones: the
// words of vendors' examples and of habit. Other names say nothing.
func zoneOf(name string) asset.Zone {
	for _, w := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == ' ' || r == '.' || r >= '0' && r <= '9' }) {
		switch w {
		case "untrust", "outside", "external", "internet", "wan":
			return asset.ZoneExternal
		case "dmz":
			return asset.ZoneDMZ
		case "trust", "inside", "internal", "lan":
			return asset.ZoneInside
		case "vpn", "sslvpn", "ssl":
			return asset.ZoneVPN
		}
	}
	return ""
}

// maskPrefix joins an address and a dotted mask.
func maskPrefix(addr, mask string) (netip.Prefix, bool) {
	a, err1 := netip.ParseAddr(addr)
	m, err2 := netip.ParseAddr(mask)
	if err1 != nil || err2 != nil || !a.Is4() || !m.Is4() {
		return netip.Prefix{}, false
	}
	b := m.As4()
	bits := 0
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	for v&0x80000000 != 0 {
		bits++
		v <<= 1
	}
	if v != 0 {
		return netip.Prefix{}, false // a mask with holes
	}
	return netip.PrefixFrom(a, bits), true
}
