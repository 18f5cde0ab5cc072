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

	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/incident/correlate"
)

// desktop is a remote desktop of a user from one machine to another, open until
// end. It returns the number of the session.
func (e *estate) desktop(at, end time.Time, user, src, dst string) string {
	e.session(at, user, src, dst, 10, 3389)
	id := fmt.Sprintf("0x%x", e.n-1) // as session wrote it
	e.add("windows", "security", name(dst), end, nil, "Computer", name(dst), "Channel", "Security", "EventID", "4634", "TargetUserName", user, "TargetDomainName", "CORP",
		"LogonType", "10", "TargetLogonId", id)
	return id
}

// deed is a finding of shadow copies deleted in a session.
func (e *estate) deed(at time.Time, host, user, session string) {
	ev := e.add("windows", "security", host, at, nil, "Computer", host, "Channel", "Security", "EventID", "4688", "SubjectUserName", user, "SubjectDomainName", "CORP", "SubjectLogonId", session,
		"NewProcessName", `C:\Windows\System32\vssadmin.exe`, "CommandLine", "vssadmin delete shadows /all")
	e.all[len(e.all)-1].fs = []detect.Finding{{
		ID: "deed", Realm: "city", Rule: detect.Rule{ID: "vss", Title: "Shadow copies deleted", Hash: "v", Level: detect.High}, Time: at, Host: host, Events: []event.ID{ev.ID}, Origins: []event.Origin{ev.Origin},
		Meaning: detect.Meaning{Step: detect.StepInhibit, Technique: "T1490", Compromise: true, Anchor: true}, View: ev.View(),
	}}
}

// tunnel is a session at the VPN gateway.
func (e *estate) tunnel(at, end time.Time, user, outer, inner string) {
	for _, x := range []struct {
		t      time.Time
		action string
	}{{at, "tunnel-up"}, {end, "tunnel-down"}} {
		e.add("fortinet", "vpn", "edge", x.t, nil, "devname", "edge", "type", "event", "subtype", "vpn", "action", x.action, "tunneltype", "ssl-tunnel", "user", user, "remip", outer, "tunnelip", inner,
			"duration", fmt.Sprint(int(x.t.Sub(at).Seconds())))
	}
}

// TestSessionsLeadBack plants an intruder who does only what an administrator
// does every day: from his desk to the jump host, from there to two servers. What
// he does in the last session leads back to the desk and to the tunnel, and over
// the tunnel's new address to the evening before; the administrator's colleague,
// who does the same at the same time, and his own working days are left alone.
//
// After a week and more without that address the first evening is said to be the
// beginning; after less the interval holds both evenings, since the first may only
// be the first that the logs hold.
func TestSessionsLeadBack(t *testing.T) {
	for _, days := range []int{6, 10} {
		sessionsLeadBack(t, days)
	}
}

func sessionsLeadBack(t *testing.T, days int) {
	e := &estate{r: rand.New(rand.NewPCG(5, 1)), begin: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), days: days}
	desk, colleague, jump, srv, other := pcAddr(0), pcAddr(1), srvAddr(0), srvAddr(1), srvAddr(2)
	for d := range days {
		day := e.begin.Add(time.Duration(d) * 24 * time.Hour)
		for i, from := range []string{desk, colleague} {
			user := []string{"wu", "lin"}[i]
			in := day.Add(time.Duration(1+i) * time.Hour)
			e.add("windows", "security", name(from), in, nil, "Computer", name(from), "Channel", "Security", "EventID", "4624", "TargetUserName", user, "TargetDomainName", "CORP", "LogonType", "2",
				"IpAddress", "127.0.0.1", "TargetLogonId", fmt.Sprintf("0x%x", 900000+d*10+i))
			e.desktop(in.Add(10*time.Minute), in.Add(2*time.Hour), "adm."+user, from, jump)
			e.desktop(in.Add(20*time.Minute), in.Add(50*time.Minute), "adm."+user, jump, srv)
			e.desktop(in.Add(60*time.Minute), in.Add(90*time.Minute), "adm."+user, jump, other)
		}
	}
	evening := func(d int, to string) (session string, at time.Time) {
		at = e.begin.Add(time.Duration(d)*24*time.Hour + 12*time.Hour)
		end := at.Add(2 * time.Hour)
		e.tunnel(at, end, "wu", "203.0.113.9", "10.254.1.7")
		e.desktop(at.Add(time.Minute), end, "wu", "10.254.1.7", desk)
		e.desktop(at.Add(10*time.Minute), end, "adm.wu", desk, jump)
		return e.desktop(at.Add(30*time.Minute), end, "adm.wu", jump, to), at
	}
	_, first := evening(days-2, other)
	late := e.begin.Add(time.Duration(days-1)*24*time.Hour + 12*time.Hour) // the colleague is there, too, and leaves as the intruder comes
	e.desktop(late.Add(5*time.Minute), late.Add(time.Hour), "adm.lin", colleague, jump)
	e.desktop(late.Add(8*time.Minute), late.Add(25*time.Minute), "adm.lin", jump, srv)
	session, last := evening(days-1, srv)
	e.deed(last.Add(40*time.Minute), name(srv), "adm.wu", session)

	eng := correlate.New(correlate.Config{})
	for _, o := range e.all {
		eng.Observe(o.ev, o.fs)
	}
	list := eng.Incidents(context.Background())
	if len(list) != 1 {
		t.Fatalf("%d incidents", len(list))
	}
	in := list[0]
	var hosts []string
	for _, h := range in.Hosts {
		if h.Compromised && !h.External {
			hosts = append(hosts, h.Host)
		}
	}
	slices.Sort(hosts)
	if want := []string{name(desk), name(jump), name(srv), name(other)}; !slices.Equal(hosts, want) {
		t.Errorf("compromised %v, want %v", hosts, want)
	}
	latest := first
	if days < 8 {
		latest = last
	}
	if f := in.FirstCompromise; f.Host != name(desk) || f.LowerOpen || f.Earliest.After(first) || f.Latest.Sub(latest) > 2*time.Minute || f.Latest.Before(latest) || in.Entry.Kind != "vpn" {
		t.Errorf("first compromise %+v by %s, want %s on the first evening at %s", f, in.Entry.Kind, name(desk), first)
	}
	for _, h := range in.Hops {
		if h.Src.Key() == name(colleague) {
			t.Errorf("the colleague is accused: %s -> %s", h.Src.Key(), h.Dst.Key())
		}
		if h.Kind == "rdp" && !slices.ContainsFunc(h.Reasons, func(r incident.Reason) bool { return r.Code == incident.SessionDeed }) {
			t.Errorf("%s -> %s is not told by its session: %v", h.Src.Key(), h.Dst.Key(), h.Reasons)
		}
		if h.Dst.Key() == name(srv) && h.Time.Sub(last) < 29*time.Minute {
			t.Errorf("the way to %s is told by the colleague's visit at %s", h.Dst.Key(), h.Time)
		}
		if h.Time.Before(first) {
			t.Errorf("%s -> %s at %s: a working day is accused", h.Src.Key(), h.Dst.Key(), h.Time)
		}
	}
}

// TestDistributionIsHarmless plants software distribution that reached the
// first victim hours before it fell, and nineteen other machines that show
// nothing: it is no way in. When the others fall soon after it, it is.
func TestDistributionIsHarmless(t *testing.T) {
	for _, all := range []bool{false, true} {
		e := &estate{r: rand.New(rand.NewPCG(9, 1)), begin: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), days: 4}
		e.benign(24, 4)
		at := e.begin.Add(3*24*time.Hour + 4*time.Hour)
		for i := range 20 {
			e.service(at.Add(time.Duration(i)*8*time.Second), "svc.push", srvAddr(3), pcAddr(i), "tool.exe")
			e.add("windows", "security", name(pcAddr(i)), at.Add(9*time.Hour), nil, "Computer", name(pcAddr(i)), "Channel", "Security", "EventID", "4634", "TargetUserName", "x", "TargetLogonId", "0x1")
			if all {
				e.deed(at.Add(time.Duration(i)*8*time.Second+4*time.Minute), name(pcAddr(i)), "x", "0x77")
			}
		}
		if !all {
			e.deed(at.Add(5*time.Hour), name(pcAddr(7)), "x", "0x77")
		}
		eng := correlate.New(correlate.Config{})
		for _, o := range e.all {
			eng.Observe(o.ev, o.fs)
		}
		blamed := false
		for _, in := range eng.Incidents(context.Background()) {
			for _, h := range in.Hops {
				blamed = blamed || h.Src.Key() == name(srvAddr(3))
			}
		}
		if blamed != all {
			t.Errorf("all fell %v: distribution blamed %v", all, blamed)
		}
	}
}
