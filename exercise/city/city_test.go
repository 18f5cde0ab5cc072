// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package city

import (
	"net/netip"
	"reflect"
	"testing"

	"citywall/asset"
)

// TestSizes builds cities from small to large: about the devices asked for, no
// name or address twice, every machine in its segment, only reserved addresses.
func TestSizes(t *testing.T) {
	reserved := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	}
	ok := func(a netip.Addr) bool {
		for _, p := range reserved {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	for _, n := range []int{1, 60, 90, 300, 1000, 5000, 18_000, 20_000} {
		c := New(3, n)
		if want := max(n, Smallest); len(c.Hosts) < want*95/100 || len(c.Hosts) > want*105/100 {
			t.Errorf("asked for %d devices, got %d", n, len(c.Hosts))
		}
		names, addrs, accounts := map[string]bool{}, map[netip.Addr]bool{}, map[string]bool{}
		for _, h := range c.Hosts {
			if names[h.Key()] || addrs[h.Addr] || len(h.Name) > 15 {
				t.Fatalf("%d: %s %s is there twice, or its name is too long", n, h.Name, h.Addr)
			}
			names[h.Key()], addrs[h.Addr] = true, true
			if !c.Segments[h.Segment].Prefix.Contains(h.Addr) || !ok(h.Addr) || c.HostAt(h.Addr) != h || !c.Ours(h.Addr) {
				t.Fatalf("%d: %s at %s is not in segment %s", n, h.Name, h.Addr, c.Segments[h.Segment].Name)
			}
			if s, found := (asset.Topology{Segments: c.Segments}).SegmentOf(h.Addr); !found || s.Name != c.Segments[h.Segment].Name {
				t.Fatalf("%d: %s at %s: two segments claim it", n, h.Name, h.Addr)
			}
		}
		for _, p := range c.People {
			if accounts[p.String()] || p.Home == nil || p.Home.Owner != p {
				t.Fatalf("%d: account %s is there twice or sits nowhere", n, p)
			}
			accounts[p.String()] = true
		}
		for _, s := range c.Outside {
			if !ok(s.Addr) || c.Ours(s.Addr) {
				t.Errorf("outside site %s at %s", s.Name, s.Addr)
			}
		}
		if len(c.Bureau.Domain.Admins) == 0 || len(c.Hospital.Domain.Admins) == 0 {
			t.Errorf("%d: no administrators", n)
		}
	}
}

// TestSameCity holds a city to its seed.
func TestSameCity(t *testing.T) {
	if !reflect.DeepEqual(New(9, 400).Topology(), New(9, 400).Topology()) {
		t.Error("the same seed drew two cities")
	}
	if a, b := New(9, 400).People[0].Name, New(10, 400).People[0].Name; a == b {
		t.Errorf("seeds 9 and 10 both begin with %s", a)
	}
}
