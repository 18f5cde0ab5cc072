// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/incident/incidenttest"
	"citywall/ingest/format"
	"citywall/web/desk"
)

// background is a day of ordinary logons, fewer at night.
func background() []*event.Event {
	rnd := rand.New(rand.NewPCG(7, 7))
	users := []string{"wu.yt", "tsao.h", "peng.c", "svc_backup", "yang.l", "hsieh.t"}
	var out []*event.Event
	for i := range 900 {
		at := Now.Add(-time.Duration(rnd.Int64N(int64(24 * time.Hour)))).Truncate(time.Millisecond)
		if h := at.In(format.Taipei).Hour(); (h < 8 || h > 18) && rnd.IntN(3) > 0 {
			continue
		}
		host := fmt.Sprintf("opd-pc%02d", 1+rnd.IntN(30))
		src := format.Source{Realm: asset.City, Agency: "hospital", Name: host, File: host, Stream: "http:8480", Received: at.Add(900 * time.Millisecond)}
		e := src.Event("ecs", format.Pos{Offset: int64(i) * 540, Line: int64(i + 1), Seq: uint64(100_000 + i)})
		id := "4624"
		if rnd.IntN(14) == 0 {
			id = "4625"
		}
		e.Time, e.TimeRaw, e.Product, e.Service = at, at.Format(time.RFC3339Nano), "windows", "security"
		e.Origin.Record = uint64(700_000 + i)
		e.Fields = event.Fields{
			{Name: "EventID", Value: event.T(id)}, {Name: "Channel", Value: event.T("Security")}, {Name: "Computer", Value: event.T(host + ".hosp.example")},
			{Name: "TargetUserName", Value: event.T(users[rnd.IntN(len(users))])}, {Name: "TargetDomainName", Value: event.T("HOSP")}, {Name: "LogonType", Value: event.T("3")},
			{Name: "IpAddress", Value: event.T(fmt.Sprintf("10.20.32.%d", 101+rnd.IntN(30)))}, {Name: "IpPort", Value: event.T(fmt.Sprint(50000 + rnd.IntN(9000)))},
		}
		raw, err := json.Marshal(e.Fields)
		if err != nil {
			panic(err) // texts only
		}
		e.Raw = raw
		out = append(out, e)
	}
	return out
}

// noise is the findings of the last hour that belong to nothing.
func noise() []detect.Finding {
	rnd := rand.New(rand.NewPCG(3, 9))
	titles := []string{"Logon failed several times", "Remote desktop opened inside", "PowerShell with an encoded command", "Scan of many ports"}
	levels := []detect.Level{detect.Low, detect.Informational, detect.Medium, detect.Low}
	var out []detect.Finding
	for i := range 44 {
		k := rnd.IntN(len(titles))
		at := Now.Add(-time.Duration(rnd.Int64N(int64(70 * time.Minute)))).Truncate(time.Millisecond)
		host := fmt.Sprintf("opd-pc%02d", 1+rnd.IntN(30))
		ev := event.NewID(host, "http:8480", uint64(100_000+i))
		f := detect.Finding{
			Realm: asset.City, Agency: "hospital", Time: at, Host: host, Events: []event.ID{ev}, Origins: []event.Origin{{Format: "ecs", File: host}},
			Rule:    detect.Rule{ID: fmt.Sprintf("cw-noise-%d", k), Title: titles[k], Author: "The Citywall Authors", Hash: fmt.Sprintf("%064x", 900+k), Level: levels[k]},
			Meaning: detect.Meaning{Step: detect.StepOther}, View: event.View{Host: host, Message: titles[k]},
		}
		f.ID = detect.NewID(f.Rule.Hash, ev)
		out = append(out, f)
	}
	return out
}

func sources() []desk.Source {
	rates := func(base float64) []float64 {
		rnd := rand.New(rand.NewPCG(uint64(base), 1))
		out := make([]float64, 60)
		for i := range out {
			out[i] = base * (0.7 + 0.6*rnd.Float64())
		}
		return out
	}
	silent := rates(3)
	clear(silent[len(silent)-12:])
	one := func(name, agency, transport, decoder string, n int64, rate float64, lag time.Duration, state desk.SourceState, seen time.Duration) desk.Source {
		return desk.Source{Name: name, Agency: agency, Transport: transport, Formats: map[string]int64{decoder: n}, State: state, Records: n, Rate: rate, Rates: rates(rate),
			LastSeen: Now.Add(-seen), LastEvent: Now.Add(-seen - lag), Lag: lag}
	}
	out := []desk.Source{
		one("hosp-winlogbeat", "hospital", "http", "ecs", 4_120_331, 148.2, 1400*time.Millisecond, desk.SourceOK, time.Second),
		one("edge-fw", "bureau", "syslog-tls", "fortinet", 9_733_102, 212.5, 600*time.Millisecond, desk.SourceOK, 0),
		one("core-zeek", "bureau", "http", "zeek", 6_002_118, 96.1, 5200*time.Millisecond, desk.SourceOK, 2*time.Second),
		one("edu-suricata", "education", "http", "eve", 912_004, 14.4, 2*time.Second, desk.SourceOK, time.Second),
		one("transport-web", "transport", "syslog-tcp", "syslog", 88_120, 3.2, 700*time.Millisecond, desk.SourceOK, 4*time.Second),
		one("household-dc", "household", "http", "ecs", 301_771, 6.8, 41*time.Minute, desk.SourceLate, 9*time.Second),
		one("bk01", "hospital", "http", "ecs", 41_090, 0, 900*time.Millisecond, desk.SourceSilent, 71*time.Minute),
		one("fire-mail", "fire", "folder", "evtx", 12_404, 0, 3*time.Hour, desk.SourceOK, 12*time.Minute),
	}
	for i := range out[:6] {
		out[i].Known = true
	}
	out[1].Lost = 118
	out[2].Clock = &incident.Clock{Offset: -830 * time.Millisecond, Uncertainty: 40 * time.Millisecond, Pairs: 1882}
	out[0].Clock = &incident.Clock{Offset: 2210 * time.Millisecond, Uncertainty: 310 * time.Millisecond, Pairs: 640}
	out[7].Damaged, out[7].Notes = 3, []string{"mail.evtx chunk 12: checksum differs, 3 records read past it"}
	out[6].Rates, out[7].Rates = silent, nil
	out[6].Gaps = []format.Gap{{Channel: "Security", After: 881_204, Before: 881_977, FromTime: incidenttest.At(20, "18:11:00"), ToTime: incidenttest.At(20, "18:33:30")}}
	return append(out, desk.Source{Name: "sewer-plc", Agency: "works", Transport: "syslog-udp", State: desk.SourceNever})
}
