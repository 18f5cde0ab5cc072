// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package asset

import (
	"net/netip"
	"testing"
)

func TestParseAccount(t *testing.T) {
	for _, c := range []struct {
		domain, user, want string
		machine            bool
	}{
		{"CORP", "Alice", `corp\alice`, false},
		{"", `CORP\Alice`, `corp\alice`, false},
		{"ignored", "alice@corp.example", `corp\alice`, false},
		{"corp.example", "WS-1$", `corp\ws-1$`, true},
		{"-", "-", "", false},
		{"x", "", "", false},
	} {
		a := ParseAccount(c.domain, c.user)
		if a.String() != c.want || a.Machine != c.machine {
			t.Errorf("%q %q: %q, machine %v", c.domain, c.user, a, a.Machine)
		}
	}
}

func TestHostNameAndAddr(t *testing.T) {
	for in, want := range map[string]string{`\\WS-1`: "ws-1", "WS-1.corp.example.": "ws-1", "10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1", "-": "", " ": ""} {
		if got := HostName(in); got != want {
			t.Errorf("HostName(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"::ffff:10.0.0.1": "10.0.0.1", "[fe80::1%eth0]": "fe80::1", "127.0.0.1": "", "::1": "", "-": "", "0.0.0.0": "", "x": ""} {
		a, ok := Addr(in)
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("Addr(%q) = %v %v, want %q", in, a, ok, want)
		}
	}
}

// TestSegmentOf: the most specific segment wins, mapped addresses included.
func TestSegmentOf(t *testing.T) {
	top := Topology{Segments: []Segment{
		{Name: "all", Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		{Name: "ward", Prefix: netip.MustParsePrefix("10.1.2.0/24"), Zone: ZoneClinical},
	}}
	if s, ok := top.SegmentOf(netip.MustParseAddr("::ffff:10.1.2.3")); !ok || s.Name != "ward" {
		t.Errorf("got %+v %v", s, ok)
	}
	if _, ok := top.SegmentOf(netip.MustParseAddr("192.0.2.1")); ok {
		t.Error("an address outside every segment was found")
	}
}
