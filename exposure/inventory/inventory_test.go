// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/exercise"
	"citywall/ingest"
	"citywall/ingest/format"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func flow(src, dst string, port uint16) (*event.Event, event.View) {
	return &event.Event{Time: time.Unix(1_800_000_000, 0)}, event.View{Action: event.Flow, Outcome: event.Success, Src: ip(src), Dst: ip(dst), DstPort: port}
}

func TestObserved(t *testing.T) {
	o := New(10_000)
	for i := range 6 {
		o.See(flow(fmt.Sprintf("10.0.1.%d", i+1), "10.0.0.5", 445))
		o.See(flow(fmt.Sprintf("10.0.1.%d", i+1), "10.0.0.4", 88))
		o.See(flow(fmt.Sprintf("10.0.1.%d", i+1), "10.0.0.4", 389))
	}
	e := &event.Event{Time: time.Unix(1_800_000_100, 0)}
	o.See(e, event.View{Host: "fs01", HostAddr: ip("10.0.0.5")})
	o.See(e, event.View{Host: "10.0.0.5", HostAddr: ip("10.0.0.5")}) // an address is no name
	o.See(e, event.View{Action: event.FlowRefused, Outcome: event.Failure, Src: ip("10.0.9.9"), Dst: ip("10.0.0.5"), DstPort: 22})
	ms := o.Machines()
	at := func(a string) Machine {
		return ms[slices.IndexFunc(ms, func(m Machine) bool { return m.Addr == ip(a) })]
	}
	if m := at("10.0.0.5"); !slices.Equal(m.Names, []string{"fs01"}) || !slices.Equal(m.Roles, []asset.Role{asset.RoleFile}) || m.Services[0].Port != 445 || m.Services[0].Clients != 6 {
		t.Errorf("file server: %+v", m)
	}
	if m := at("10.0.0.4"); !slices.Equal(m.Roles, []asset.Role{asset.RoleDC}) {
		t.Errorf("domain controller: %+v", m)
	}
	if len(ms) != 8 {
		t.Errorf("%d machines: a refused attempt makes none", len(ms))
	}
}

func TestDiff(t *testing.T) {
	top := asset.Topology{
		Segments: []asset.Segment{
			{Name: "office", Prefix: netip.MustParsePrefix("10.0.1.0/24"), Zone: asset.ZoneInside, Contact: "119"},
			{Name: "servers", Prefix: netip.MustParsePrefix("10.0.0.0/24"), Zone: asset.ZoneInside},
			{Name: "city", Prefix: netip.MustParsePrefix("10.0.0.0/16"), Zone: asset.ZoneInside},
			{Name: "annex", Prefix: netip.MustParsePrefix("10.7.0.0/24"), Zone: asset.ZoneInside},
			{Name: "internet", Prefix: netip.MustParsePrefix("198.51.100.0/24"), Zone: asset.ZoneExternal},
		},
		Hosts: []asset.Host{
			{Name: "fs01", Addresses: []netip.Addr{ip("10.0.0.5")}, Roles: []asset.Role{asset.RoleFile}},
			{Name: "pc7", Addresses: []netip.Addr{ip("10.0.1.7")}, Roles: []asset.Role{asset.RoleWorkstation}},
			{Name: "pc8", Addresses: []netip.Addr{ip("10.0.1.8")}},
			{Name: "gone", Addresses: []netip.Addr{ip("10.0.1.99")}},
		},
	}
	seen := []Machine{
		{Addr: ip("10.0.0.5"), Roles: []asset.Role{asset.RoleFile}},
		{Addr: ip("10.0.1.7"), Roles: []asset.Role{asset.RoleWeb}},
		{Addr: ip("10.0.0.88"), Names: []string{"pc8"}, Sent: 1},
		{Addr: ip("10.0.1.200"), Sent: 4},
		{Addr: ip("10.0.1.201")}, // was only talked about
		{Addr: ip("192.168.5.1"), Sent: 1}, {Addr: ip("192.168.5.2"), Sent: 1}, {Addr: ip("192.168.5.3"), Sent: 1},
		{Addr: ip("192.168.6.1"), Sent: 1}, {Addr: ip("8.8.8.8")},
	}
	office, servers := top.Segments[0].Prefix, top.Segments[1].Prefix
	top.Paths = []asset.Path{{From: office, To: servers, Ports: []uint16{443}}}
	talks := []Talk{
		{Src: ip("10.0.1.7"), Dst: ip("10.0.0.5"), From: office, To: servers, Port: 443, Count: 9},
		{Src: ip("10.0.1.7"), Dst: ip("10.0.0.5"), From: office, To: servers, Port: 3389, Count: 2},
		{Src: ip("10.0.0.5"), Dst: ip("10.0.1.7"), From: servers, To: office, Port: 443, Count: 1},
		{Src: ip("10.7.0.5"), Dst: ip("10.0.1.7"), To: office, Port: 443, Count: 1},   // no drawn path speaks of annex
		{Src: ip("192.168.5.1"), Dst: ip("10.0.1.7"), To: office, Port: 22, Count: 1}, // nor of what is not drawn
	}
	var got []string
	for _, d := range Diff(top, seen, talks) {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %v", d.Kind, d.Name, d.Roles)))
	}
	want := []string{"undrawn_segment 192.168.5.0/24 []", "undrawn_host 10.0.1.200 []", "other_segment pc8 []", "other_role pc7 [web]", "undrawn_path servers []", "undrawn_path office []", "unseen_segment annex []", "unseen_host gone []"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d := Diff(asset.Topology{}, seen, talks); len(d) != 0 {
		t.Errorf("without a drawing nothing differs from it: %+v", d)
	}
}

func TestMerge(t *testing.T) {
	p := netip.MustParsePrefix("10.0.0.0/24")
	a := asset.Topology{Segments: []asset.Segment{{Name: "internal2", Prefix: p, Zone: asset.ZoneInside}}, Hosts: []asset.Host{{Name: "FS01.corp.example", Addresses: []netip.Addr{ip("10.0.0.5")}}}}
	b := asset.Topology{Segments: []asset.Segment{{Name: "servers", Prefix: p, Zone: asset.ZoneDMZ, Contact: "119"}}, Hosts: []asset.Host{{Name: "fs01", Addresses: []netip.Addr{ip("10.0.0.6")}, Roles: []asset.Role{asset.RoleFile}}}}
	m, clash := Merge(a, b)
	if len(m.Segments) != 1 || m.Segments[0].Zone != asset.ZoneInside || m.Segments[0].Contact != "119" || len(clash) != 1 || !strings.Contains(clash[0], "zone") {
		t.Errorf("%+v %q", m.Segments, clash)
	}
	if len(m.Hosts) != 1 || len(m.Hosts[0].Addresses) != 2 || !m.Hosts[0].Has(asset.RoleFile) {
		t.Errorf("%+v", m.Hosts)
	}
	if len(a.Hosts[0].Addresses) != 1 {
		t.Error("merging changed its input")
	}
}

// TestCity holds the inventory of a benign exercise against the city that made
// it (its own drawing is the oracle): every file server and every domain
// controller that issued a ticket is found, no machine gets a role it has not, and
// one struck off the drawing is missed.
func TestCity(t *testing.T) {
	p, err := exercise.New("hospital", exercise.Options{Seed: 3, Devices: 120, NoAttack: true})
	if err != nil {
		t.Fatal(err)
	}
	o := New(10_000)
	n := uint64(0)
	err = p.Lines(t.Context(), func(l exercise.Line) error {
		n++
		e, err := ingest.Record(l.Bytes, format.Pos{Seq: n}, format.Source{Name: l.Source, NotAfter: l.Time})
		if err != nil {
			return err
		}
		o.See(e, e.View())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ms := o.Machines()
	top := p.Topology()
	for _, h := range top.Hosts {
		for _, r := range []asset.Role{asset.RoleDC, asset.RoleFile} {
			i := slices.IndexFunc(ms, func(m Machine) bool { return slices.Contains(h.Addresses, m.Addr) })
			idle := r == asset.RoleDC && !o.issuers[asset.HostName(h.Name)]
			if seen := i >= 0 && slices.Contains(ms[i].Roles, r); h.Has(r) != seen && !(h.Has(r) && idle) {
				t.Errorf("%s: role %s drawn %v, seen %v", h.Name, r, h.Has(r), seen)
			}
		}
	}
	i := slices.IndexFunc(top.Hosts, func(h asset.Host) bool { return h.Has(asset.RoleFile) })
	struck := top.Hosts[i]
	top.Hosts = slices.Delete(slices.Clone(top.Hosts), i, i+1)
	if !slices.ContainsFunc(Diff(top, ms, o.Talks()), func(d Difference) bool { return d.Kind == UndrawnHost && slices.Contains(struck.Addresses, d.Addr) }) {
		t.Errorf("%s was struck off the drawing and not missed", struck.Name)
	}
}
