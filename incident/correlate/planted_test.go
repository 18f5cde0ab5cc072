// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/incident/correlate"
)

// estate makes the logs of a small network: Windows logons, Sysmon connections
// and Zeek flows, benign for some days, with one walk planted on the last.
type estate struct {
	r     *rand.Rand
	n     uint64
	all   []observed
	begin time.Time
	days  int
}

func (e *estate) add(product, service, source string, at time.Time, fs []detect.Finding, pairs ...string) *event.Event {
	e.n++
	ev := &event.Event{
		ID: event.NewID(source, service, e.n), Realm: "city", Time: at, Product: product, Service: service, Source: source,
		Origin: event.Origin{Format: "jsonl", File: source + ".json", Offset: int64(e.n) * 512, Line: int64(e.n)},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		ev.Fields = append(ev.Fields, event.Field{Name: pairs[i], Value: event.T(pairs[i+1])})
	}
	e.all = append(e.all, observed{ev, fs})
	return ev
}

func pcAddr(i int) string  { return fmt.Sprintf("10.0.1.%d", i+10) }
func srvAddr(i int) string { return fmt.Sprintf("10.0.2.%d", i+10) }
func name(addr string) string {
	return "h" + addr[len("10.0."):len("10.0.")+1] + "-" + addr[len("10.0.1."):]
}

// session is a logon with the connection that carried it.
func (e *estate) session(at time.Time, user, src, dst string, typ, port int) {
	sport := fmt.Sprint(20000 + e.r.IntN(40000))
	e.add("zeek", "conn", "core", at, nil, "id.orig_h", src, "id.orig_p", sport, "id.resp_h", dst, "id.resp_p", fmt.Sprint(port), "proto", "tcp", "conn_state", "SF",
		"orig_bytes", fmt.Sprint(20000+e.r.IntN(90000)), "resp_bytes", fmt.Sprint(90000+e.r.IntN(900000)), "duration", "60.0")
	e.add("windows", "security", name(dst), at.Add(200*time.Millisecond), nil, "Computer", name(dst), "Channel", "Security", "EventID", "4624", "TargetUserName", user,
		"TargetDomainName", "CORP", "LogonType", fmt.Sprint(typ), "IpAddress", src, "IpPort", sport, "TargetLogonId", fmt.Sprintf("0x%x", e.n))
}

// service is a program pushed over the administrative share and started.
func (e *estate) service(at time.Time, user, src, dst, what string) {
	sport, sess := fmt.Sprint(20000+e.r.IntN(40000)), fmt.Sprintf("0x%x", 0x100000+e.n)
	h := name(dst)
	e.add("zeek", "conn", "core", at, nil, "id.orig_h", src, "id.orig_p", sport, "id.resp_h", dst, "id.resp_p", "445", "proto", "tcp", "conn_state", "SF", "orig_bytes", "1900000", "resp_bytes", "14000")
	e.add("windows", "security", h, at.Add(100*time.Millisecond), nil, "Computer", h, "Channel", "Security", "EventID", "4624", "TargetUserName", user, "TargetDomainName", "CORP",
		"LogonType", "3", "IpAddress", src, "IpPort", sport, "TargetLogonId", sess)
	e.add("windows", "security", h, at.Add(200*time.Millisecond), nil, "Computer", h, "Channel", "Security", "EventID", "5145", "SubjectUserName", user, "SubjectDomainName", "CORP",
		"SubjectLogonId", sess, "IpAddress", src, "IpPort", sport, "ShareName", `\\*\ADMIN$`, "RelativeTargetName", what, "AccessMask", "0x2")
	e.add("windows", "security", h, at.Add(600*time.Millisecond), nil, "Computer", h, "Channel", "Security", "EventID", "4697", "SubjectUserName", user, "SubjectDomainName", "CORP",
		"SubjectLogonId", sess, "ServiceName", what, "ServiceFileName", `C:\Windows\`+what)
}

func (e *estate) benign(pcs, srvs int) {
	for d := range e.days {
		day := e.begin.Add(time.Duration(d) * 24 * time.Hour)
		work := func() time.Time { return day.Add(time.Duration(60+e.r.IntN(480)) * time.Minute) } // 09:00 to 17:00 in Taipei
		for i := range pcs {
			user := fmt.Sprintf("user%02d", i)
			e.add("windows", "security", name(pcAddr(i)), day.Add(time.Duration(30+e.r.IntN(60))*time.Minute), nil, "Computer", name(pcAddr(i)), "Channel", "Security", "EventID", "4624",
				"TargetUserName", user, "TargetDomainName", "CORP", "LogonType", "2", "IpAddress", "127.0.0.1", "TargetLogonId", fmt.Sprintf("0x%x", e.n))
			for range 3 {
				e.session(work(), user, pcAddr(i), srvAddr(i%srvs), 3, 445)
			}
			e.add("zeek", "conn", "core", work(), nil, "id.orig_h", pcAddr(i), "id.orig_p", "50000", "id.resp_h", fmt.Sprintf("198.18.0.%d", e.r.IntN(20)), "id.resp_p", "443", "proto", "tcp",
				"conn_state", "SF", "orig_bytes", "3000", "resp_bytes", "90000", "service", "ssl")
		}
		for s := range srvs { // the administrator's rounds, from his own machine
			e.session(work(), "adm.wu", pcAddr(0), srvAddr(s), 10, 3389)
		}
		for s := range srvs { // software distribution from the first server
			if s > 0 {
				e.service(day.Add(time.Duration(240+s)*time.Minute), "svc.deploy", srvAddr(0), srvAddr(s), "agent.exe")
			}
		}
	}
}

// plant lets somebody in by remote desktop from outside and walk over the given
// addresses, with a finding of encryption at the end.
func (e *estate) plant(at time.Time, outside string, walk []string) (times []time.Time) {
	from, user := outside, "user05"
	for i, dst := range walk {
		times = append(times, at)
		if i%2 == 0 {
			e.session(at, user, from, dst, 10, 3389)
		} else {
			e.service(at, user, from, dst, "upd.exe")
		}
		from, user = dst, "adm.wu"
		at = at.Add(time.Duration(10+e.r.IntN(50)) * time.Minute)
	}
	last := name(walk[len(walk)-1])
	ev := e.add("windows", "sysmon", last, at, nil, "Computer", last, "Channel", "Microsoft-Windows-Sysmon/Operational", "EventID", "11", "TargetFilename", `D:\a.docx.locked`)
	e.all[len(e.all)-1].fs = []detect.Finding{{
		ID: "f", Realm: "city", Rule: detect.Rule{ID: "enc", Title: "Files are encrypted", Hash: "h", Level: detect.Critical}, Time: at, Host: last, Events: []event.ID{ev.ID}, Origins: []event.Origin{ev.Origin},
		Meaning: detect.Meaning{Step: detect.StepEncrypt, Technique: "T1486", Compromise: true, Anchor: true}, View: ev.View(),
	}}
	return times
}

// TestPlanted plants a walk in random small networks and wants it back: every
// move, in order, to the millisecond, and nobody else; and the same bytes in
// another order of arrival.
func TestPlanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		e := &estate{r: rand.New(rand.NewPCG(seed, 1)), begin: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), days: rapid.IntRange(4, 9).Draw(t, "days")}
		pcs, srvs := rapid.IntRange(8, 20).Draw(t, "pcs"), rapid.IntRange(3, 6).Draw(t, "servers")
		e.benign(pcs, srvs)
		walk := []string{pcAddr(5), srvAddr(1), pcAddr(2 + rapid.IntRange(0, 2).Draw(t, "second")), srvAddr(2)}
		walk = walk[:rapid.IntRange(2, 4).Draw(t, "length")]
		at := e.begin.Add(time.Duration(e.days-1)*24*time.Hour + 14*time.Hour) // 22:00 in Taipei
		times := e.plant(at, "203.0.113.7", walk)

		eng := correlate.New(correlate.Config{})
		for _, o := range e.all {
			eng.Observe(o.ev, o.fs)
		}
		list := eng.Incidents(context.Background())
		if len(list) != 1 {
			t.Fatalf("%d incidents", len(list))
		}
		check(t, list[0], walk, times)

		r := rand.New(rand.NewPCG(seed, 2))
		r.Shuffle(len(e.all), func(i, j int) { e.all[i], e.all[j] = e.all[j], e.all[i] })
		other := correlate.New(correlate.Config{})
		for _, o := range e.all {
			other.Observe(o.ev, o.fs)
		}
		if string(mustJSON(t, other.Incidents(context.Background()))) != string(mustJSON(t, list)) {
			t.Fatal("another order of arrival gives another answer")
		}
	})
}

func check(t *rapid.T, in incident.Incident, walk []string, times []time.Time) {
	var got []string
	for _, h := range in.Hops {
		got = append(got, h.Dst.Addr.String())
	}
	if !slices.Equal(got, walk) {
		t.Fatalf("moves to %v, planted %v", got, walk)
	}
	for i, h := range in.Hops {
		if d := h.Time.Sub(times[i]).Abs(); d > time.Millisecond {
			t.Fatalf("move %d at %s, planted %s", h.N, h.Time, times[i])
		}
		if h.Grade != incident.Observed || len(h.Evidence) == 0 {
			t.Fatalf("move %d: %s, %d pointers", h.N, h.Grade, len(h.Evidence))
		}
	}
	var bad []string
	for _, h := range in.Hosts {
		if h.Compromised {
			bad = append(bad, h.Addresses[0].String())
		}
	}
	slices.Sort(bad)
	want := slices.Sorted(slices.Values(walk))
	if !slices.Equal(bad, want) {
		t.Fatalf("compromised %v, planted %v", bad, want)
	}
	if f := in.FirstCompromise; f.Addr.String() != walk[0] || f.LowerOpen || f.Earliest.After(times[0]) || f.Latest.Before(times[0]) {
		t.Fatalf("first compromise %+v, planted %s at %s", f, walk[0], times[0])
	}
	if in.Entry.Kind != "rdp" || !in.Entry.Determined || in.Entry.Vector != "203.0.113.7" {
		t.Fatalf("entry %+v", in.Entry)
	}
	if len(in.Suspicious) != 1 || in.Suspicious[0].Addr.String() != "203.0.113.7" {
		t.Fatalf("suspicious %+v", in.Suspicious)
	}
}
