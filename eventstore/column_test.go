// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"net/netip"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
)

// Every column says something of an event that has everything: a column that
// Text forgets would be exported empty for ever.
func TestEveryColumnHasText(t *testing.T) {
	at := time.Date(2026, 11, 2, 3, 4, 5, 678901200, time.UTC)
	a := netip.MustParseAddr("10.0.0.5")
	u := asset.Account{Domain: "corp", Name: "alice"}
	e := &event.Event{
		ID: event.NewID("s", "f", 1), Time: at, Received: at, Agency: "edu", Source: "src", Product: "p", Category: "c", Service: "s",
		Origin: event.Origin{Format: "evtx"},
	}
	v := &event.View{
		Host: "web1", Observer: "fw", HostAddr: a, Src: a, Dst: a, SrcHost: "s", DstHost: "d", SrcPort: 1, DstPort: 2, Proto: "tcp",
		Service: "http", User: u, Target: u, Process: "p", Parent: "q", Command: "c", File: "f", Hash: "h", EventID: "1", Channel: "c",
		Action: event.Flow, Outcome: event.Success, Logon: 3, Session: "x", Message: "m", BytesOut: 4, BytesIn: 5,
	}
	seen := map[string]bool{}
	for _, c := range Columns {
		if seen[c] {
			t.Errorf("%s stands twice", c)
		}
		seen[c] = true
		if Text(e, v, c) == "" {
			t.Errorf("%s: no text", c)
		}
		if Text(&event.Event{}, &event.View{}, c) != "" && c != "id" {
			t.Errorf("%s: text from nothing", c)
		}
	}
	for _, c := range WordColumns {
		if !seen[c] {
			t.Errorf("%s is no column", c)
		}
	}
}

func TestNative(t *testing.T) {
	for name, want := range map[string]string{"winlog.x": "winlog.x", "native.host": "host", "host": "", "HOST": "", "native.": ""} {
		if got, ok := Native(name); ok != (want != "" || name == "native.") || ok && got != want {
			t.Errorf("%s: %q %v", name, got, ok)
		}
	}
}

func TestWhen(t *testing.T) {
	at, got := time.Date(2026, 1, 2, 3, 4, 5, 100, time.UTC), time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	far := time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ time, received, want time.Time }{
		{at, got, at}, {time.Time{}, got, got}, {far, got, got}, {time.Time{}, time.Time{}, time.Unix(0, 0).UTC()},
	} {
		if w := When(&event.Event{Time: c.time, Received: c.received}); !w.Equal(c.want) {
			t.Errorf("%v %v: %v, want %v", c.time, c.received, w, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for s, want := range map[string]bool{
		"0": true, "-1": true, "+1.5": true, "123456789012345678": true, "1.123456789": true,
		"": false, "-": false, ".5": false, "5.": false, "0x10": false, "1e3": false, "1_0": false, " 1": false, "1234567890123456789": false, "NaN": false,
	} {
		if Number(s) != want {
			t.Errorf("Number(%q) = %v", s, !want)
		}
	}
}
