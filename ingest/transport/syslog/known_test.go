// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"net/netip"
	"testing"
)

func TestKnown(t *testing.T) {
	var k known
	c := Config{Agency: "city", Zone: "Asia/Taipei", Senders: []Sender{{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Name: "written"}}}
	at := func(s string) Sender { return k.sender(c, netip.MustParseAddr(s)) }
	if s := at("192.0.2.1"); s.Name != "192.0.2.1" || s.Agency != "city" || s.Zone != "Asia/Taipei" {
		t.Errorf("nobody knows it: %+v", s)
	}
	k.list.Store(&[]Sender{
		{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Name: "branch", Agency: "school"},
		{Prefix: netip.MustParsePrefix("192.0.2.1/32"), Name: "fw1", Agency: "hospital", Zone: "UTC"},
		{Prefix: netip.MustParsePrefix("10.0.0.1/32"), Name: "registered"},
	})
	for in, want := range map[string]string{"::ffff:192.0.2.1": "fw1 hospital UTC", "192.0.2.9": "branch school Asia/Taipei", "10.0.0.1": "written city Asia/Taipei"} {
		if s := at(in); s.Name+" "+s.Agency+" "+s.Zone != want {
			t.Errorf("%s: %+v, want %s", in, s, want)
		}
	}
}
