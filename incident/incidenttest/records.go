// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidenttest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/ingest/format"
)

// seq is the sequence number of a pointer made by Record.
func seq(p incident.Pointer) uint64 { return p.Origin.Record - 880000 }

// finding returns the finding that a step rests on.
func finding(s incident.StepEvent) detect.Finding {
	level := detect.High
	switch s.Step {
	case detect.StepEncrypt, detect.StepInhibit, detect.StepNote, detect.StepEvasion:
		level = detect.Critical
	case detect.StepRecon, detect.StepDiscovery:
		level = detect.Low
	case detect.StepPersist:
		level = detect.Medium
	}
	f := detect.Finding{
		Realm: asset.City, Agency: "hospital",
		Rule: detect.Rule{ID: "cw-" + string(s.Step) + "-" + strings.ReplaceAll(strings.ToLower(s.Technique), ".", "-"), Title: s.What, Author: "The Citywall Authors",
			Hash: fmt.Sprintf("%064x", len(s.What)*7919), File: "windows/" + string(s.Step) + ".yml", Level: level, Status: "stable"},
		Meaning: detect.Meaning{Step: s.Step, Technique: s.Technique, Compromise: level >= detect.High, Anchor: s.Step == detect.StepEncrypt},
		Tags:    []string{"attack." + strings.ToLower(s.Technique)},
		Time:    s.Time, Host: s.Host,
		Matched: []detect.Matched{{Field: "Image", Value: `C:\ProgramData\upd\updsvc.exe`, Pattern: `*\updsvc.exe`}},
		View:    event.View{Host: s.Host, User: domain, Message: s.What, Process: `C:\ProgramData\upd\updsvc.exe`, Command: `updsvc.exe --path C:\ --quiet`},
	}
	for _, p := range s.Evidence {
		f.Events, f.Origins = append(f.Events, p.Event), append(f.Origins, p.Origin)
	}
	f.ID = detect.NewID(f.Rule.Hash, f.Events...)
	return f
}

// Findings returns the findings that the hospital's steps rest on.
func Findings() []detect.Finding {
	var out []detect.Finding
	for _, s := range Hospital().Steps {
		out = append(out, finding(s))
	}
	return out
}

// Events returns the original records that the hospital's statements point to,
// in order of time: Windows logs as Winlogbeat sends them, Zeek, a firewall.
func Events() []*event.Event {
	in := Hospital()
	var out []*event.Event
	seen := map[event.ID]bool{}
	add := func(at time.Time, host, message string, user asset.Account, ps []incident.Pointer) {
		for _, p := range ps {
			if !seen[p.Event] {
				seen[p.Event] = true
				out = append(out, original(at, host, message, user, p))
			}
		}
	}
	for _, h := range in.Hops {
		add(h.Time, h.Dst.Host, h.Kind, h.User, h.Evidence)
	}
	for _, s := range in.Steps {
		add(s.Time, s.Host, s.What, domain, s.Evidence)
	}
	return out
}

func original(at time.Time, host, message string, user asset.Account, p incident.Pointer) *event.Event {
	o := p.Origin
	src := format.Source{Realm: asset.City, Agency: "hospital", Name: o.File, File: o.File, Stream: Stream, Received: at.Add(1400 * time.Millisecond)}
	e := src.Event(o.Format, format.Pos{Offset: o.Offset, Line: o.Line, Seq: seq(p)})
	e.Origin.Record = o.Record
	e.Time, e.TimeRaw = at, at.Format("2006-01-02T15:04:05.000Z")
	switch o.Format {
	case "ecs":
		e.Product, e.Category, e.Service = "windows", "process_creation", "sysmon"
		e.Fields = event.Fields{
			{Name: "EventID", Value: event.T("1")}, {Name: "Channel", Value: event.T("Microsoft-Windows-Sysmon/Operational")},
			{Name: "Computer", Value: event.T(host + ".hosp.example")}, {Name: "RuleName", Value: event.Value{}},
			{Name: "Image", Value: event.T(`C:\ProgramData\upd\updsvc.exe`)}, {Name: "CommandLine", Value: event.T(`updsvc.exe --path C:\ --quiet`)},
			{Name: "ParentImage", Value: event.T(`C:\Windows\System32\svchost.exe`)}, {Name: "User", Value: event.T(user.String())},
			{Name: "Description", Value: event.T(message + " <b>not markup</b>")},
		}
	case "zeek":
		e.Product, e.Service = "zeek", "conn"
		e.Fields = event.Fields{
			{Name: "ts", Value: event.T(strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64))}, {Name: "uid", Value: event.T("C" + e.ID.String()[:16])},
			{Name: "id.orig_h", Value: event.T("10.20.5.11")}, {Name: "id.orig_p", Value: event.T("50122")},
			{Name: "id.resp_h", Value: event.T("203.0.113.90")}, {Name: "id.resp_p", Value: event.T("8443")}, {Name: "proto", Value: event.T("tcp")}, {Name: "conn_state", Value: event.T("SF")},
			{Name: "orig_bytes", Value: event.T("10422")}, {Name: "resp_bytes", Value: event.T("51902")},
		}
	default:
		e.Product, e.Category = "fortinet", "firewall"
		e.Fields = event.Fields{
			{Name: "devname", Value: event.T("edge-fw")}, {Name: "type", Value: event.T("traffic")}, {Name: "srcip", Value: event.T("203.0.113.77")}, {Name: "dstip", Value: event.T("10.20.5.11")},
			{Name: "srcport", Value: event.T("41822")}, {Name: "dstport", Value: event.T("443")}, {Name: "proto", Value: event.T("6")}, {Name: "action", Value: event.T("accept")}, {Name: "sentbyte", Value: event.T("48211")}, {Name: "rcvdbyte", Value: event.T("1204992")},
		}
	}
	raw, err := json.Marshal(e.Fields)
	if err != nil {
		panic(err) // texts only
	}
	e.Raw = raw
	return e
}

// Others returns smaller incidents that fill a list: another agency, another
// kind, one that was only tried.
func Others() []incident.Incident {
	small := func(id, agency, code string, level detect.Level, host, address string, first, last time.Time, step detect.Step, what, tech string, n uint64) incident.Incident {
		p := Record(host, "ecs", n)
		f := incident.FirstCompromise{Host: host, Addr: addr(address), Latest: first, LowerOpen: true, LogsBegin: At(10, "00:00:04.100"),
			KnownGood: why("logs_begin", 0, "before_s", "61"), FirstBad: why("first_bad_sign", 0, "step", string(step), "what", what), Evidence: []incident.Pointer{p}}
		s := incident.StepEvent{Time: first, Last: last, Host: host, Step: step, What: what, Technique: tech, Rows: 3, Evidence: []incident.Pointer{p}}
		s.Findings = []string{finding(s).ID}
		return incident.Incident{ID: id, Realm: asset.City, Agencies: []string{agency}, Title: why(code, 0, "host", host, "through", "DNS"), Severity: level,
			SeverityReasons: []incident.Reason{why("strongest_finding", 1, "what", what, "level", level.String())}, First: first, Last: last, FirstCompromise: &f,
			Entry: incident.Entry{Kind: "unknown"},
			Hosts: []incident.HostState{{Host: host, Addresses: addrs(address), Agency: agency, Compromised: true, First: first, Last: last, Isolate: "now", Reasons: []incident.Reason{why("shows_step", 0, "step", string(step), "time", first.Format(time.RFC3339), "what", what)}}},
			Steps: []incident.StepEvent{s}, Findings: s.Findings, BaselineDays: 7.3, Parameters: map[string]string{"k_paths": "5"}}
	}
	return []incident.Incident{
		small("1d8a2f00-7c57-5a4e-8f5d-5a0d6fdcb210", "education", "covert_channel", detect.Medium, "edu-share02", "10.41.8.20", At(18, "03:11:09"), At(20, "18:40:00"), detect.StepExfil, "Data hidden in DNS queries", "T1048.003", 701),
		small("8c1d4e2a-4b70-5c3c-9a77-0f7d4b2c9a01", "transport", "web_shell", detect.High, "bus-web01", "10.52.3.9", At(20, "15:02:31"), At(20, "18:55:12"), detect.StepWebShell, "Command through the web server", "T1505.003", 702),
		small("0b9f6c11-2a35-5d0e-b8ac-7e51d3c0f902", "household", "intrusion", detect.Low, "reg-pc114", "10.61.20.114", At(19, "01:20:00"), At(19, "01:44:10"), detect.StepCredential, "Passwords sprayed over many accounts", "T1110.003", 703),
	}
}
