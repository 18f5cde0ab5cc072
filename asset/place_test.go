// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package asset

import (
	"net/netip"
	"slices"
	"testing"
)

// TestPlaces: the machine's own contact stands before its segment's, a name
// alone is enough, and of what is not drawn nothing is said.
func TestPlaces(t *testing.T) {
	a := netip.MustParseAddr
	p := Topology{
		Segments: []Segment{
			{Name: "wards", Prefix: netip.MustParsePrefix("10.1.0.0/16"), Agency: "A01", Contact: "1999"},
			{Name: "icu", Prefix: netip.MustParsePrefix("10.1.9.0/24"), Agency: "A01"},
		},
		Hosts: []Host{
			{Name: "FS01.corp.example", Addresses: []netip.Addr{a("10.1.0.5")}, Agency: "A02", Contact: "0912"},
			{Name: "nas1", Contact: "0933"},
		},
	}.Places()
	for name, c := range map[string]struct {
		host string
		as   []netip.Addr
		want []Place
	}{
		"machine before segment": {"x", []netip.Addr{a("::ffff:10.1.0.5")}, []Place{{a("10.1.0.5"), "FS01.corp.example", "wards", "A02", "0912", OfDevice}}},
		"segment":                {"pc", []netip.Addr{a("10.1.0.6")}, []Place{{a("10.1.0.6"), "", "wards", "A01", "1999", OfSegment}}},
		"segment without anyone": {"pc", []netip.Addr{a("10.1.9.6")}, []Place{{a("10.1.9.6"), "", "icu", "A01", "", ""}}},
		"by name in a segment":   {"NAS1", []netip.Addr{a("10.1.9.7")}, []Place{{a("10.1.9.7"), "nas1", "icu", "A01", "0933", OfDevice}}},
		"by name alone":          {"nas1", []netip.Addr{a("10.9.0.1")}, []Place{{netip.Addr{}, "nas1", "", "", "0933", OfDevice}}},
		"two networks, one new":  {"pc", []netip.Addr{a("10.9.0.1"), a("10.1.0.6"), a("10.1.9.6")}, []Place{{a("10.1.0.6"), "", "wards", "A01", "1999", OfSegment}, {a("10.1.9.6"), "", "icu", "A01", "", ""}}},
		"nothing drawn":          {"pc", []netip.Addr{a("10.9.0.1")}, nil},
		"nothing known":          {"", nil, nil},
	} {
		if got := p.Of(c.host, c.as); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}
