// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact_test

import (
	"testing"
	"time"

	"citywall/event"
	"citywall/incident/fact"
)

// TestNAT asks who had a port of a pool's address: by the destination, the
// nearest in time, and nobody where two fit nearly as well.
func TestNAT(t *testing.T) {
	s := fact.New()
	n := uint64(0)
	nat := func(at time.Time, src, sport, dst, port string) {
		n++
		s.Observe(&event.Event{ID: event.NewID("fw", "", n), Product: "fortinet", Category: "firewall", Service: "traffic", Time: at, Source: "fw", Fields: event.Fields{
			{Name: "devname", Value: event.T("fw")}, {Name: "type", Value: event.T("traffic")}, {Name: "subtype", Value: event.T("forward")}, {Name: "action", Value: event.T("close")},
			{Name: "srcip", Value: event.T(src)}, {Name: "srcport", Value: event.T(sport)}, {Name: "dstip", Value: event.T(dst)}, {Name: "dstport", Value: event.T("443")}, {Name: "proto", Value: event.T("6")},
			{Name: "sentbyte", Value: event.T("900")}, {Name: "rcvdbyte", Value: event.T("900")}, {Name: "trandisp", Value: event.T("snat")}, {Name: "transip", Value: event.T("192.0.2.5")}, {Name: "transport", Value: event.T(port)},
		}}, nil)
	}
	nat(noon, "10.0.0.1", "50001", "203.0.113.1", "1024")
	nat(noon, "10.0.0.2", "50002", "203.0.113.2", "1024")
	nat(noon.Add(2*time.Hour), "10.0.0.3", "50003", "203.0.113.1", "1024")
	nat(noon.Add(2*time.Hour+time.Minute), "10.0.0.4", "50004", "203.0.113.1", "1024")
	// A sensor beyond the firewall names the pool.
	s.Observe(flow(100, noon.Add(time.Second), "192.0.2.5", "203.0.113.1", 443, 1), nil)
	s.Observe(flow(101, noon.Add(time.Second), "192.0.2.5", "203.0.113.2", 443, 1), nil)
	id := func(a string) fact.ID {
		x, ok := s.NodeID(fact.Node{Addr: addr(a)})
		if !ok {
			t.Fatalf("%s is not known", a)
		}
		return x
	}
	if !s.Pool(id("192.0.2.5")) || s.Pool(id("10.0.0.1")) {
		t.Fatal("the pool is not known as one")
	}
	const skew = int64(15 * time.Minute)
	for _, c := range []struct {
		name, dst string
		port      uint16
		at        time.Duration
		want      string
		sport     uint16
	}{
		{"by destination", "203.0.113.1", 1024, 3 * time.Second, "10.0.0.1", 50001},
		{"by the other destination", "203.0.113.2", 1024, 3 * time.Second, "10.0.0.2", 50002},
		{"a clock that is wrong", "203.0.113.1", 1024, -8 * time.Minute, "10.0.0.1", 50001},
		{"another port", "203.0.113.1", 1025, 0, "", 0},
		{"too late", "203.0.113.2", 1024, time.Hour, "", 0},
		{"two within a minute", "203.0.113.1", 1024, 2*time.Hour + 40*time.Second, "", 0},
	} {
		got, sport := s.Inner(id("192.0.2.5"), c.port, id(c.dst), noon.Add(c.at).UnixNano(), skew)
		name := ""
		if got != 0 {
			name = s.Node(got).String()
		}
		if name != c.want || sport != c.sport {
			t.Errorf("%s: %q port %d, want %q port %d", c.name, name, sport, c.want, c.sport)
		}
	}
}
