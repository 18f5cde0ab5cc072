// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/event"
	"citywall/incident/clean"
	"citywall/incident/fact"
)

var noon = time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)

type fields []string

func record(n int, product, service, who string, at time.Time, f fields) *event.Event {
	e := &event.Event{ID: event.NewID(product, who+service, uint64(n)), Time: at, Product: product, Service: service, Origin: event.Origin{File: who + "_" + service + ".log", Line: int64(n)}}
	for i := 0; i+1 < len(f); i += 2 {
		e.Fields = append(e.Fields, event.Field{Name: f[i], Value: event.T(f[i+1])})
	}
	return e
}

func flow(n int, sensor string, at time.Time, src string, sport int, dst string, port int, more ...string) *event.Event {
	return record(n, "zeek", "conn", sensor, at, append(fields{
		"id.orig_h", src, "id.orig_p", fmt.Sprint(sport), "id.resp_h", dst, "id.resp_p", fmt.Sprint(port), "proto", "tcp", "conn_state", "SF", "orig_bytes", "100", "resp_bytes", "100",
	}, more...))
}

func logon(n int, host string, at time.Time, user, src string, sport int, typ string) *event.Event {
	return record(n, "windows", "security", host, at, fields{
		"Computer", host, "Channel", "Security", "EventID", "4624", "TargetUserName", user, "TargetDomainName", "CORP", "LogonType", typ, "IpAddress", src, "IpPort", fmt.Sprint(sport),
	})
}

func store(evs ...*event.Event) *fact.Store {
	s := fact.New()
	for _, e := range evs {
		s.Observe(e, nil)
	}
	return s
}

// TestClocks plants the error of one host's clock and asks for it. Three hosts
// are seen by one sensor; two of them and the sensor agree.
func TestClocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		off := time.Duration(rapid.IntRange(-600_000, 600_000).Draw(t, "ms")) * time.Millisecond
		var evs []*event.Event
		n := 0
		for h, host := range []string{"srv1", "srv2", "srv3"} {
			for i := range 8 {
				n++
				at := noon.Add(time.Duration(n) * 20 * time.Minute)
				jitter := time.Duration(rapid.IntRange(0, 20).Draw(t, "jitter")) * time.Millisecond
				src, dst := fmt.Sprintf("10.0.1.%d", i+1), fmt.Sprintf("10.0.0.%d", h+1)
				evs = append(evs, flow(n, "core", at, src, 41000+n, dst, 445))
				seen := at.Add(30*time.Millisecond + jitter)
				if host == "srv2" {
					seen = seen.Add(off)
				}
				evs = append(evs, logon(n, host, seen, "chen", src, 41000+n, "3"))
			}
		}
		st := store(evs...)
		hosts := clean.Resolve(st, asset.Topology{})
		for h, host := range []string{"srv1", "srv2", "srv3"} { // logons and flows name each other's ends
			if i := hosts.ByKey(host); i < 0 || hosts.List[i].Addr() != netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", h+1)) {
				t.Fatalf("%s has no address: %+v", host, hosts.List)
			}
		}
		got := clean.Estimate(st, hosts, nil, clean.Defaults()).All()["srv2"]
		want := off
		if d := (got.Offset - want).Abs(); d > 60*time.Millisecond || got.Pairs != 8 {
			t.Fatalf("clock of srv2 %+v, planted %s", got, off)
		}
		if got.Uncertainty > 100*time.Millisecond {
			t.Fatalf("uncertainty %s", got.Uncertainty)
		}
	})
}

// TestClockIsApplied holds when a correction is made: configured always,
// estimated from MinOffset on.
func TestClockIsApplied(t *testing.T) {
	var evs []*event.Event
	for i := range 6 {
		at := noon.Add(time.Duration(i) * time.Hour)
		evs = append(evs, flow(i, "a", at, "10.0.0.1", 40000+i, "10.0.0.2", 80), flow(i, "b", at.Add(5*time.Second), "10.0.0.1", 40000+i, "10.0.0.2", 80), flow(i, "c", at.Add(10*time.Millisecond), "10.0.0.1", 40000+i, "10.0.0.2", 80))
	}
	st := store(evs...)
	hosts := clean.Resolve(st, asset.Topology{})
	c := clean.Estimate(st, hosts, nil, clean.Defaults())
	if shift, _ := c.FixOf("b"); time.Duration(shift).Round(100*time.Millisecond) != 5*time.Second {
		t.Errorf("b is taken back by %s", time.Duration(shift))
	}
	if shift, unc := c.FixOf("a"); shift != 0 || unc <= 0 || unc > int64(time.Second) {
		t.Errorf("a few milliseconds are corrected by %d, ±%d", shift, unc)
	}
	c = clean.Estimate(st, hosts, map[string]time.Duration{"b": time.Hour}, clean.Defaults())
	if shift, _ := c.FixOf("b"); shift != int64(time.Hour) {
		t.Errorf("configured offset is not obeyed: %s", time.Duration(shift))
	}
}

func TestLeases(t *testing.T) {
	lease := func(n int, at time.Time, name string) *event.Event {
		return record(n, "zeek", "dhcp", "core", at, fields{"assigned_addr", "10.0.0.50", "host_name", name})
	}
	st := store(lease(1, noon, "pc-a"), lease(2, noon.Add(24*time.Hour), "pc-b"), flow(3, "core", noon, "10.0.0.50", 40000, "10.0.0.1", 80), flow(4, "core", noon, "10.0.0.1", 40000, "10.0.0.2", 80))
	hosts := clean.Resolve(st, asset.Topology{})
	id, _ := st.NodeID(fact.Node{Addr: netip.MustParseAddr("10.0.0.50")})
	for at, want := range map[time.Duration]string{time.Minute: "pc-a", 23 * time.Hour: "pc-a", 25 * time.Hour: "pc-b", -time.Hour: "pc-a"} {
		if got := hosts.List[hosts.Of(id, noon.Add(at).UnixNano())].Key; got != want {
			t.Errorf("after %s the address belongs to %s, want %s", at, got, want)
		}
	}
}

// TestLeaseComesBack holds that an address which two machines have in turn is that
// one's who has it, that a client without a name is known by its hardware address,
// and that what a host's own log says of a day is not outvoted by a lease.
func TestLeaseComesBack(t *testing.T) {
	lease := func(n int, days float64, mac, name string) *event.Event {
		at := noon.Add(time.Duration(days * float64(24*time.Hour)))
		return record(n, "dhcp", "isc", "dhcp1", at, fields{"hostname", "dhcp1", "event", "DHCPACK", "ip", "10.0.0.50", "mac", mac, "client", name})
	}
	at := func(h *clean.Hosts, st *fact.Store, days float64) *clean.Host {
		id, _ := st.NodeID(fact.Node{Addr: netip.MustParseAddr("10.0.0.50")})
		return &h.List[h.Of(id, noon.Add(time.Duration(days*float64(24*time.Hour))).UnixNano())]
	}
	used := flow(90, "core", noon, "10.0.0.50", 40000, "10.0.0.1", 80)
	a, b := "AA-BB-CC-00-00-01", "aa:bb:cc:00:00:02"
	st := store(used, lease(1, 0, a, "pc-a"), lease(2, 1, b, ""), lease(3, 2, a, ""), lease(4, 3, b, ""))
	hosts := clean.Resolve(st, asset.Topology{})
	for days, want := range map[float64]string{0.5: "pc-a", 1.5: b, 2.5: "pc-a", 3.5: b} {
		if got := at(hosts, st, days); got.Key != want || (got.Name == "") != (want == b) {
			t.Errorf("after %g days the address belongs to %q named %q, want %q", days, got.Key, got.Name, want)
		}
	}
	own := func(n, day int) *event.Event {
		return record(n, "windows", "sysmon", "pc-c", noon.Add(time.Duration(day)*24*time.Hour), fields{"Computer", "pc-c", "Channel", "Microsoft-Windows-Sysmon/Operational", "EventID", "3",
			"SourceIp", "10.0.0.50", "SourcePort", "50000", "DestinationIp", "10.0.0.1", "DestinationPort", "80", "Protocol", "tcp", "Initiated", "true"})
	}
	st = store(used, own(1, 0), lease(2, 0.1, a, "android-7"), lease(3, 1, b, "pc-d"), own(4, 2))
	hosts = clean.Resolve(st, asset.Topology{})
	for days, want := range map[float64]string{0.2: "pc-c", 1.2: "pc-d", 2.2: "pc-c"} {
		if got := at(hosts, st, days).Key; got != want {
			t.Errorf("after %g days the address belongs to %q, want %q", days, got, want)
		}
	}
}

// TestWatchers holds that who sees connections pass is no host that writes of
// itself, whatever product it is, and that a host is one.
func TestWatchers(t *testing.T) {
	for _, c := range []struct {
		product, service, category string
		f                          fields
		watches                    bool
	}{
		{"zeek", "conn", "", fields{"id.orig_h", "10.0.0.1", "id.orig_p", "40000", "id.resp_h", "10.0.0.2", "id.resp_p", "80", "proto", "tcp", "conn_state", "SF"}, true},
		{"fortinet", "forward", "traffic", fields{"devname", "fw", "type", "traffic", "subtype", "forward", "action", "close", "srcip", "10.0.0.1", "dstip", "10.0.0.2", "dstport", "80", "proto", "6", "rcvdbyte", "90", "duration", "3"}, true},
		{"paloalto", "traffic", "firewall", fields{"device_name", "fw", "type", "TRAFFIC", "subtype", "end", "action", "allow", "src", "10.0.0.1", "dst", "10.0.0.2", "dport", "80", "proto", "tcp", "bytes_received", "90", "elapsed", "3"}, true},
		{"cisco", "asa", "firewall", fields{"hostname", "fw", "event", "teardown", "src_ip", "10.0.0.1", "dst_ip", "10.0.0.2", "dst_port", "80", "proto", "tcp", "bytes", "90", "duration_seconds", "3"}, true},
		{"checkpoint", "vpn-1 & firewall-1", "firewall", fields{"orig", "fw", "action", "Accept", "src", "10.0.0.1", "dst", "10.0.0.2", "service", "80", "proto", "6"}, true},
		{"zyxel", "traffic log", "firewall", fields{"hostname", "fw", "cat", "Traffic Log", "src_ip", "10.0.0.1", "dst_ip", "10.0.0.2", "dst_port", "80", "proto", "6", "duration", "3"}, true},
		{"mikrotik", "firewall", "firewall", fields{"hostname", "fw", "verdict", "accept", "src_ip", "10.0.0.1", "dst_ip", "10.0.0.2", "dst_port", "80", "proto", "tcp"}, true},
		{"juniper", "srx", "firewall", fields{"hostname", "fw", "msgid", "RT_FLOW_SESSION_CLOSE", "source-address", "10.0.0.1", "destination-address", "10.0.0.2", "destination-port", "80", "protocol-id", "6", "packets-from-server", "4", "elapsed-time", "3"}, true},
		{"netflow", "v9", "flow", fields{"exporter", "fw", "sourceIPv4Address", "10.0.0.1", "destinationIPv4Address", "10.0.0.2", "destinationTransportPort", "80", "protocolIdentifier", "6", "octetDeltaCount", "90"}, true},
		{"windows", "sysmon", "", fields{"Computer", "pc-c", "Channel", "Microsoft-Windows-Sysmon/Operational", "EventID", "3", "SourceIp", "10.0.0.1", "DestinationIp", "10.0.0.2", "DestinationPort", "80", "Protocol", "tcp", "Initiated", "true"}, false},
	} {
		ev := record(1, c.product, c.service, "x", noon, c.f)
		ev.Category = c.category
		st := store(ev)
		src := st.Sources()[0]
		if src.Watches != c.watches || src.Own == c.watches {
			t.Errorf("%s: %+v", c.product, src)
		}
		n := 0
		for k, s := range st.Series {
			n++
			if whole := c.category == "firewall" || c.category == "traffic"; (s.Conns[0].Unc >= 1000) != whole {
				t.Errorf("%s: %s is known to %d ms", c.product, st.Node(k.Src), s.Conns[0].Unc)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d connections", c.product, n)
		}
		hosts := clean.Resolve(st, asset.Topology{})
		for _, h := range hosts.List {
			if h.OwnLog != (!c.watches && h.Key == "pc-c") {
				t.Errorf("%s: %s writes of itself: %v", c.product, h.Key, h.OwnLog)
			}
		}
	}
}

// TestClientMayLie holds that a name which a client gives itself counts only
// when a host of that name is known.
func TestClientMayLie(t *testing.T) {
	ev := logon(1, "srv", noon, "chen", "10.0.0.66", 40000, "3")
	ev.Fields = append(ev.Fields, event.Field{Name: "WorkstationName", Value: event.T("DC01")})
	hosts := clean.Resolve(store(ev), asset.Topology{})
	if hosts.ByKey("10.0.0.66") < 0 || hosts.ByKey("dc01") >= 0 {
		t.Errorf("%+v", hosts.List)
	}
}

func TestBoundary(t *testing.T) {
	dc := func(n int, src string) *event.Event { return flow(n, "core", noon, src, 40000+n, "10.0.0.4", 88) }
	st := store(
		dc(1, "10.0.1.4"), dc(2, "10.0.1.6"),
		flow(3, "core", noon, "10.0.1.4", 41000, "192.168.0.5", 1234), // no member, no name, no neighbour
		flow(4, "core", noon, "10.0.1.4", 41001, "203.0.113.9", 443),
		flow(5, "core", noon, "10.0.1.4", 41002, "10.0.1.77", 80), // a neighbour
	)
	for addr, want := range map[string]string{
		"10.0.1.4": clean.WhyMember, "10.0.0.4": clean.WhyMember, "192.168.0.5": clean.WhyStranger, "203.0.113.9": clean.WhyPublic, "10.0.1.77": clean.WhyNeighbour,
	} {
		hosts := clean.Resolve(st, asset.Topology{})
		h := hosts.List[hosts.ByKey(addr)]
		if h.Why != want || h.External != (want == clean.WhyStranger || want == clean.WhyPublic) {
			t.Errorf("%s: %s, external %v; want %s", addr, h.Why, h.External, want)
		}
	}
	drawn := asset.Topology{Segments: []asset.Segment{{Name: "lab", Prefix: netip.MustParsePrefix("192.168.0.0/24"), Zone: asset.ZoneInside}, {Name: "net", Prefix: netip.MustParsePrefix("10.0.1.0/24"), Zone: asset.ZoneExternal}}}
	hosts := clean.Resolve(st, drawn)
	if hosts.List[hosts.ByKey("192.168.0.5")].External || !hosts.List[hosts.ByKey("10.0.1.4")].External {
		t.Error("the drawing is not obeyed")
	}
	// Nobody is known to belong: private is all there is to go by.
	st = store(flow(1, "core", noon, "192.168.1.5", 40000, "192.168.1.6", 80))
	hosts = clean.Resolve(st, asset.Topology{})
	if h := hosts.List[hosts.ByKey("192.168.1.6")]; h.External || h.Why != clean.WhyNoEvidence {
		t.Errorf("%+v", h)
	}
}

// TestOneFirewallsOutside holds that what one firewall calls wan may be ours.
func TestOneFirewallsOutside(t *testing.T) {
	wall := func(n int, src, srole, dst, drole string) *event.Event {
		return record(n, "fortinet", "traffic", "wall", noon, fields{
			"devname", "wall", "type", "traffic", "subtype", "forward", "srcip", src, "srcport", "4000", "dstip", dst, "dstport", "443", "proto", "6", "action", "close",
			"sentbyte", "500", "rcvdbyte", "500", "srcintfrole", srole, "dstintfrole", drole,
		})
	}
	hosts := clean.Resolve(store(
		wall(1, "10.2.0.5", "lan", "10.1.1.51", "wan"), wall(2, "10.1.1.60", "lan", "198.51.100.4", "wan"), wall(3, "10.2.0.5", "lan", "172.16.9.9", "wan"),
	), asset.Topology{})
	for addr, external := range map[string]bool{"10.1.1.51": false, "10.2.0.5": false, "198.51.100.4": true, "172.16.9.9": true} {
		if h := hosts.List[hosts.ByKey(addr)]; h.External != external {
			t.Errorf("%s: external %v by %s", addr, h.External, h.Why)
		}
	}
}

func TestRoles(t *testing.T) {
	var evs []*event.Event
	n := 0
	add := func(at time.Time, src, dst string, port int, state string) {
		n++
		evs = append(evs, flow(n, "core", at, src, 20000+n%30000, dst, port))
		evs[len(evs)-1].Fields[5].Value = event.T(state)
		if state == "S0" {
			evs[len(evs)-1].Fields[6].Value, evs[len(evs)-1].Fields[7].Value = event.T("0"), event.T("0")
		}
	}
	for i := range 6 {
		pc := fmt.Sprintf("10.0.1.%d", i+1)
		add(noon, pc, "10.0.0.4", 88, "SF")
		add(noon, pc, "10.0.0.4", 389, "SF")
		add(noon, pc, "10.0.0.8", 445, "SF")
	}
	for d := range 3 {
		for i := range 40 {
			add(noon.Add(time.Duration(d)*24*time.Hour), "10.0.0.9", fmt.Sprintf("10.0.2.%d", i+1), 3389, "S0")
			if i < 12 {
				add(noon.Add(time.Duration(d)*24*time.Hour), "10.0.0.10", fmt.Sprintf("10.0.2.%d", i+1), 5985, "SF")
			}
		}
	}
	hosts := clean.Resolve(store(evs...), asset.Topology{})
	for addr, role := range map[string]asset.Role{"10.0.0.4": asset.RoleDC, "10.0.0.8": asset.RoleFile, "10.0.0.9": asset.RoleScanner, "10.0.0.10": asset.RoleManager} {
		if h := &hosts.List[hosts.ByKey(addr)]; !h.Has(role) {
			t.Errorf("%s has roles %v, want %s", addr, h.Roles, role)
		}
	}
	if h := &hosts.List[hosts.ByKey("10.0.1.1")]; len(h.Roles) != 0 {
		t.Errorf("a workstation has roles %v", h.Roles)
	}
}

// TestVoices asks whose time is right. Members of a domain have one time among
// them, however many they are: two sensors that agree with each other outvote a
// domain; against one sensor the domain counts, and the doubt is said.
func TestVoices(t *testing.T) {
	const off = 200 * time.Second
	for _, sensors := range []int{1, 2} {
		var evs []*event.Event
		n := 0
		for h := range 6 {
			host := fmt.Sprintf("srv%d", h+1)
			evs = append(evs, logon(9000+h, host, noon.Add(off), host+"$", "10.0.0.9", 1, "3"))
			for i := range 4 {
				n++
				at := noon.Add(time.Duration(n) * 20 * time.Minute)
				src, dst := fmt.Sprintf("10.0.1.%d", i+1), fmt.Sprintf("10.0.0.%d", h+1)
				for s := range sensors {
					evs = append(evs, flow(n, []string{"core", "edge"}[s], at.Add(time.Duration(s)*40*time.Millisecond), src, 41000+n, dst, 445))
				}
				evs = append(evs, logon(n, host, at.Add(off+30*time.Millisecond), "chen", src, 41000+n, "3"))
			}
		}
		// A member that nothing can be compared with has the time of the others; a
		// machine of no domain has its own.
		evs = append(evs, logon(9900, "srv7", noon.Add(off), "srv7$", "10.0.0.9", 1, "3"), record(9901, "linux", "sshd", "lx1", noon, fields{"Computer", "lx1"}))
		st := store(evs...)
		c := clean.Estimate(st, clean.Resolve(st, asset.Topology{}), nil, clean.Defaults())
		all := c.All()
		shift, _ := c.FixOf("srv7")
		if inherited := sensors == 2; inherited != ((time.Duration(shift)-off).Abs() < 100*time.Millisecond) || all["lx1"].Pairs != 0 || all["lx1"].Offset != 0 {
			t.Errorf("%d sensors: srv7 is taken back by %s, lx1 is %+v", sensors, time.Duration(shift), all["lx1"])
		}
		want := map[string]time.Duration{"srv3": off, "core": 0}
		doubt := time.Duration(0)
		if sensors == 1 {
			want, doubt = map[string]time.Duration{"srv3": 0, "core": -off}, off
		}
		for clock, offset := range want {
			if d := (all[clock].Offset - offset).Abs(); d > 100*time.Millisecond || all[clock].Pairs == 0 {
				t.Errorf("%d sensors: %s is %+v, want %s ahead", sensors, clock, all[clock], offset)
			}
		}
		if d := (c.Doubt() - doubt).Abs(); d > 100*time.Millisecond {
			t.Errorf("%d sensors: doubt %s, want %s", sensors, c.Doubt(), doubt)
		}
	}
}
