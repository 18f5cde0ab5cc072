// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"citywall/detect"
	"citywall/event"
	"citywall/incident/correlate"
)

// logon is a Windows 4624 in the fields that the view reads.
func logon(n uint64, at time.Time, user, src, dst string, typ int) *event.Event {
	e := &event.Event{
		ID: event.NewID("bench", dst, n), Realm: "city", Time: at, Product: "windows", Source: dst,
		Origin: event.Origin{Format: "jsonl", File: dst + ".json", Offset: int64(n) * 700, Line: int64(n)},
	}
	e.Fields = event.Fields{
		{Name: "Computer", Value: event.T(dst)}, {Name: "Channel", Value: event.T("Security")}, {Name: "EventID", Value: event.T("4624")},
		{Name: "TargetUserName", Value: event.T(user)}, {Name: "TargetDomainName", Value: event.T("CORP")},
		{Name: "LogonType", Value: event.T(fmt.Sprint(typ))}, {Name: "IpAddress", Value: event.T(src)}, {Name: "IpPort", Value: event.T(fmt.Sprint(49152 + n%16000))},
		{Name: "TargetLogonId", Value: event.T(fmt.Sprintf("0x%x", n+1000))},
	}
	return e
}

// campaignOf makes n logons of a month in an estate of 500 machines, and one
// walk of five moves that ends in a finding of encryption.
func campaignOf(n int) (events []*event.Event, end detect.Finding) {
	r := rand.New(rand.NewPCG(7, 11))
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	month := 28 * 24 * time.Hour
	pc := func(i int) (string, string) {
		return fmt.Sprintf("10.1.%d.%d", i/200, 10+i%200), fmt.Sprintf("pc%03d", i)
	}
	for i := range n {
		at := begin.Add(time.Duration(float64(month) * float64(i) / float64(n)))
		who := r.IntN(480)
		src, _ := pc(who)
		dst := fmt.Sprintf("srv%02d", r.IntN(20))
		if r.IntN(3) > 0 {
			dst = fmt.Sprintf("srv%02d", who%20)
		}
		events = append(events, logon(uint64(i), at, fmt.Sprintf("user%03d", who), src, dst, 3))
	}
	at := begin.Add(27 * 24 * time.Hour)
	walk := []string{"pc111", "pc222", "srv03", "srv04", "srv05"}
	from := "203.0.113.9"
	for i, dst := range walk {
		events = append(events, logon(uint64(n+i), at, "adm.wu", from, dst, 10))
		from = fmt.Sprintf("10.9.9.%d", i+1)
		// the host's own log names its address
		own := logon(uint64(n+100+i), at.Add(time.Second), "x", "", dst, 2)
		own.Fields = event.Fields{
			{Name: "Computer", Value: event.T(dst)}, {Name: "Channel", Value: event.T("Microsoft-Windows-Sysmon/Operational")}, {Name: "EventID", Value: event.T("3")},
			{Name: "SourceIp", Value: event.T(from)}, {Name: "DestinationIp", Value: event.T("10.1.0.250")}, {Name: "DestinationPort", Value: event.T("53")},
			{Name: "Protocol", Value: event.T("udp")}, {Name: "Initiated", Value: event.T("true")},
		}
		events = append(events, own)
		at = at.Add(20 * time.Minute)
	}
	end = detect.Finding{
		ID: "f1", Realm: "city", Rule: detect.Rule{ID: "r", Title: "Files are encrypted", Hash: "h", Level: detect.Critical},
		Meaning: detect.Meaning{Step: detect.StepEncrypt, Technique: "T1486", Compromise: true, Anchor: true}, Time: at, Host: "srv05",
		View: event.View{Host: "srv05"},
	}
	return events, end
}

// BenchmarkMillionLogons measures the bar of attackpath.md §1: a million logon
// events to a ranked path in less than 10 s on two cores and 1 GB.
func BenchmarkMillionLogons(b *testing.B) {
	events, end := campaignOf(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		e := correlate.New(correlate.Config{})
		for _, ev := range events {
			e.Observe(ev, nil)
		}
		e.Observe(nil, []detect.Finding{end})
		in := e.Incidents(context.Background())
		if len(in) != 1 || len(in[0].Hops) != 5 {
			b.Fatalf("%d incidents", len(in))
		}
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.Sys)/(1<<20), "sys-MiB")
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/(1<<20), "live-MiB")
	}
}
