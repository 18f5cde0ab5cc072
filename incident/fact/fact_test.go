// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/incident/fact"
)

var noon = time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)

// flow is a Zeek connection.
func flow(n int, at time.Time, src, dst string, port int, out int64) *event.Event {
	return &event.Event{
		ID: event.NewID("t", "flows", uint64(n)), Realm: asset.City, Time: at, Product: "zeek", Service: "conn", Origin: event.Origin{Format: "zeek", File: "conn.log", Line: int64(n)},
		Fields: event.Fields{
			{Name: "id.orig_h", Value: event.T(src)}, {Name: "id.orig_p", Value: event.T(fmt.Sprint(40000 + n%20000))}, {Name: "id.resp_h", Value: event.T(dst)},
			{Name: "id.resp_p", Value: event.T(fmt.Sprint(port))}, {Name: "proto", Value: event.T("tcp")}, {Name: "conn_state", Value: event.T("SF")},
			{Name: "orig_bytes", Value: event.T(fmt.Sprint(out))}, {Name: "resp_bytes", Value: event.T("10")},
		},
	}
}

// summary is everything the store says, in an order of its own.
func summary(s *fact.Store) []string {
	var out []string
	add := func(f string, args ...any) { out = append(out, fmt.Sprintf(f, args...)) }
	for k, x := range s.Series {
		for _, c := range x.Conns {
			add("conn %v %v %v %d %d %x", s.Node(k.Src), s.Node(k.Dst), k.Act, c.T, c.Out, c.Ptr.Event)
		}
		for _, f := range x.Floods(s) {
			add("flood %v %v %d %d %d %d %v", s.Node(k.Src), s.Node(k.Dst), f.First, f.Last, f.Count, f.Out, f.Earliest)
		}
		add("days %v %v %v", s.Node(k.Src), s.Node(k.Dst), x.Days())
	}
	for k, m := range s.Marks {
		add("mark %v %s %d %d %d %q", s.Node(k.Src), k.Label, m.First, m.Last, m.Count, s.String(m.Detail))
	}
	for k, f := range s.Files {
		add("file %v %s %d %d", s.Node(k.Host), s.String(k.Ext), k.Second, f.Count)
	}
	for _, b := range s.Bursts(int64(10 * time.Minute)) {
		add("burst %s %v %d %d %d %v %d %d", b.Rule.ID, b.Host, b.First, b.Last, b.Count, b.IDs, b.Minutes, b.Dense)
	}
	add("%v %v", s.Bindings(), s.Sources())
	slices.Sort(out)
	return out
}

// TestOrderDoesNotMatter shuffles a flood, a trickle and findings.
func TestOrderDoesNotMatter(t *testing.T) {
	type obs struct {
		ev *event.Event
		fs []detect.Finding
	}
	var all []obs
	for i := range 3000 { // more than Flood in one hour, less in the next
		at := noon.Add(time.Duration(i) * 2 * time.Second)
		all = append(all, obs{ev: flow(i, at, "10.0.0.1", "10.0.0.2", 443, int64(i))})
	}
	for i := range 500 {
		ev := flow(10000+i, noon.Add(time.Duration(i)*time.Second), fmt.Sprintf("10.0.1.%d", i%9), "10.0.0.2", 80, 5)
		f := detect.Finding{
			ID: fmt.Sprintf("%032x", i*7919%500), Realm: asset.City, Rule: detect.Rule{ID: "r", Hash: "h"}, Time: ev.Time, Events: []event.ID{ev.ID}, Origins: []event.Origin{ev.Origin}, View: ev.View(),
			Meaning: detect.Meaning{Step: detect.StepRecon, Subject: "dst"},
		}
		all = append(all, obs{ev, []detect.Finding{f}})
	}
	run := func() []string {
		s := fact.New()
		for _, o := range all {
			s.Observe(o.ev, o.fs)
		}
		return summary(s)
	}
	want := run()
	r := rand.New(rand.NewPCG(5, 6))
	for range 5 {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := run(); !reflect.DeepEqual(got, want) {
			for i := range want {
				if i < len(got) && got[i] != want[i] {
					t.Fatalf("%s\n%s", got[i], want[i])
				}
			}
			t.Fatalf("%d facts, want %d", len(got), len(want))
		}
	}
}

// TestFlood holds that a busy hour costs a sum, and that nothing is lost in it.
func TestFlood(t *testing.T) {
	s := fact.New()
	var bytes int64
	const n = 5000
	for i := range n {
		s.Observe(flow(i, noon.Add(time.Duration(i)*100*time.Millisecond), "10.0.0.1", "10.0.0.2", 443, int64(i)), nil)
		bytes += int64(i)
	}
	for _, x := range s.Series {
		if len(x.Conns) != 0 {
			t.Errorf("%d rows kept of a flood", len(x.Conns))
		}
		fs := x.Floods(s)
		if len(fs) != 1 || fs[0].Count != n || fs[0].Out != bytes || fs[0].First != noon.UnixNano() || len(fs[0].Earliest) != fact.Pointers {
			t.Errorf("%+v", fs)
		}
		if p := s.Pointer(fs[0].Earliest[0].Ptr); p.Origin.File != "conn.log" || p.Origin.Line != 0 || p.Event != event.NewID("t", "flows", 0) {
			t.Errorf("pointer %+v", p)
		}
	}
}

// TestFindingsCollapse holds that four hundred thousand hits of a scanner cost
// as many entries as minutes.
func TestFindingsCollapse(t *testing.T) {
	s := fact.New()
	for i := range 20000 {
		at := noon.Add(time.Duration(i) * 30 * time.Millisecond) // ten minutes
		s.Observe(nil, []detect.Finding{{ID: fmt.Sprint(i), Rule: detect.Rule{ID: "scan", Hash: "h"}, Time: at, View: event.View{Host: "portal"}, Meaning: detect.Meaning{Step: detect.StepRecon}}})
	}
	bs := s.Bursts(int64(10 * time.Minute))
	if len(bs) != 1 || bs[0].Count != 20000 || bs[0].Minutes != 10 || len(bs[0].IDs) > fact.Pointers || bs[0].Dense == 0 {
		t.Errorf("%+v", bs)
	}
}

func TestSubjectOfFinding(t *testing.T) {
	v := event.View{Host: "sensor", Src: addr("10.0.0.1"), Dst: addr("10.0.0.2")}
	for _, c := range []struct {
		subject string
		want    string
	}{{"", "sensor"}, {"host", "sensor"}, {"src", "10.0.0.1"}, {"dst", "10.0.0.2"}} {
		s := fact.New()
		s.Observe(nil, []detect.Finding{{ID: "1", Rule: detect.Rule{ID: "r"}, Time: noon, View: v, Meaning: detect.Meaning{Subject: c.subject}}})
		if got := s.Bursts(0)[0].Host.String(); got != c.want {
			t.Errorf("subject %q is %s, want %s", c.subject, got, c.want)
		}
	}
}

// TestNobody holds that broadcasts, link-local addresses and Windows' own
// identities make no edges, but a session without a name does: nobody's.
func TestNobody(t *testing.T) {
	s := fact.New()
	s.Observe(flow(1, noon, "10.0.0.1", "224.0.0.251", 5353, 1), nil)
	s.Observe(flow(2, noon, "10.0.0.1", "255.255.255.255", 67, 1), nil)
	s.Observe(flow(3, noon, "127.0.0.1", "10.0.0.2", 80, 1), nil)
	for _, user := range []string{"SYSTEM", "DWM-3", "-"} {
		s.Observe(logon(user, "10.0.0.1", "srv", "3"), nil)
	}
	s.Observe(logon("chen", "10.0.0.1", "srv", "5"), nil)
	for k := range s.Series {
		t.Errorf("%v -> %v %v", s.Node(k.Src), s.Node(k.Dst), s.Account(k.User))
	}
	s.Observe(logon("ANONYMOUS LOGON", "10.0.0.1", "srv", "3"), nil)
	n := 0
	for k := range s.Series {
		if n++; k.User != 0 || k.Act != fact.Logon {
			t.Errorf("%v -> %v %v %v", s.Node(k.Src), s.Node(k.Dst), s.Account(k.User), k.Act)
		}
	}
	if n != 1 {
		t.Errorf("%d edges of an anonymous session, want 1", n)
	}
}

func TestBindings(t *testing.T) {
	s := fact.New()
	s.Observe(logon("PC-17$", "10.0.0.17", "dc01", "3"), nil)   // the computer itself
	s.Observe(logon("chen", "10.0.0.9", "srv", "3"), nil)       // WorkstationName below
	s.Observe(logon("chen", "10.9.9.9", "terminal", "10"), nil) // a desktop writes its own name there
	own := logon("x", "", "srv", "2")
	own.Fields = event.Fields{{Name: "Computer", Value: event.T("srv.corp.example")}, {Name: "Channel", Value: event.T("Microsoft-Windows-Sysmon/Operational")}, {Name: "EventID", Value: event.T("3")},
		{Name: "SourceIp", Value: event.T("10.0.0.5")}, {Name: "DestinationIp", Value: event.T("10.0.0.6")}, {Name: "Initiated", Value: event.T("true")}, {Name: "Protocol", Value: event.T("tcp")}, {Name: "DestinationPort", Value: event.T("80")}}
	s.Observe(own, nil)
	got := map[string]fact.BindSource{}
	for _, b := range s.Bindings() {
		got[b.Addr.String()+"="+b.Name] = b.By
	}
	want := map[string]fact.BindSource{"10.0.0.17=pc-17": fact.ByMachine, "10.0.0.5=srv": fact.ByOwnLog}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func logon(user, src, dst, typ string) *event.Event {
	return &event.Event{
		ID: event.NewID("t", dst+user+src, 1), Time: noon, Product: "windows", Origin: event.Origin{File: dst},
		Fields: event.Fields{
			{Name: "Computer", Value: event.T(dst)}, {Name: "Channel", Value: event.T("Security")}, {Name: "EventID", Value: event.T("4624")}, {Name: "TargetUserName", Value: event.T(user)},
			{Name: "TargetDomainName", Value: event.T("CORP")}, {Name: "LogonType", Value: event.T(typ)}, {Name: "IpAddress", Value: event.T(src)}, {Name: "WorkstationName", Value: event.T(dst)},
		},
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
