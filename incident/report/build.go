// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"citywall/asset"
	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/internal/text"
)

// New words a result in one language.
func New(r incident.Result, l text.Lang) Doc {
	d := Doc{
		Sources: make([]Source, 0, len(r.Sources)), Incidents: make([]Incident, 0, len(r.Incidents)),
		Findings: Findings{Total: r.Findings, ByRule: make([]RuleCount, 0, len(r.ByRule))},
		Baseline: Baseline{Days: r.Baseline.Days, Note: narrate.Reason(l, r.Baseline.Note)},
	}
	for _, s := range r.Sources {
		x := Source{
			File: s.File, Inner: opt(s.Inner), SHA256: opt(s.SHA256), Format: opt(s.Format), Records: s.Records, Damaged: s.Damaged, Skipped: s.Skipped,
			First: stamp(s.First), Last: stamp(s.Last), Notes: list(s.Notes),
		}
		if s.Clock != nil {
			x.Clock = &Clock{s.Clock.Offset.Seconds(), s.Clock.Uncertainty.Seconds(), s.Clock.Pairs}
		}
		d.Sources = append(d.Sources, x)
	}
	for _, c := range r.ByRule {
		d.Findings.ByRule = append(d.Findings.ByRule, RuleCount{c.Rule.ID, c.Rule.Title, c.Rule.Author, c.Rule.Level.String(), c.Count, stamp(c.First), stamp(c.Last)})
	}
	for _, inc := range r.Incidents {
		d.Incidents = append(d.Incidents, one(inc, r.Places, l))
	}
	return d
}

// one words a single incident.
func one(inc incident.Incident, places map[string][]asset.Place, l text.Lang) Incident {
	x := Incident{
		ID: inc.ID, Severity: inc.Severity.String(), SeverityReasons: reasons(l, inc.SeverityReasons), Title: narrate.Title(l, inc),
		First: stamp(inc.First), Last: stamp(inc.Last),
		Entry: Entry{
			Kind: inc.Entry.Kind, Vector: opt(inc.Entry.Vector), Technique: opt(inc.Entry.Technique), Determined: inc.Entry.Determined,
			Statement: narrate.Entry(l, inc.Entry),
		},
		Hosts: []Host{}, Accounts: []Account{}, Hops: []Hop{}, Steps: []Step{}, Suspicious: []Suspect{}, Breakpoints: []Breakpoint{}, Isolate: []Isolate{}, SeparateFrom: []Separate{},
		Parameters: inc.Parameters,
	}
	if f := inc.FirstCompromise; f != nil {
		fc := &FirstCompromise{Host: opt(f.Host), Latest: stamp(f.Latest), LowerOpen: f.LowerOpen, Statement: narrate.FirstCompromise(l, f), Evidence: evidence(f.Evidence)}
		if f.Addr.IsValid() {
			fc.Address = opt(f.Addr.String())
		}
		if !f.LowerOpen {
			fc.Earliest = stamp(f.Earliest)
		}
		x.FirstCompromise = fc
	}
	for _, h := range inc.Hosts {
		x.Hosts = append(x.Hosts, Host{h.Host, addresses(h.Addresses), h.Compromised, stamp(h.First), stamp(h.Last), reasons(l, h.Reasons)})
		if h.ToCut() {
			ps := places[h.Host]
			x.Isolate = append(x.Isolate, Isolate{h.Host, h.Isolate, list(narrate.Segments(ps)), list(narrate.Contacts(ps)), narrate.Isolate(l, h, places)})
		}
	}
	for _, a := range inc.Accounts {
		x.Accounts = append(x.Accounts, Account{a.Account.String(), stamp(a.First), list(a.Hosts), a.Privileged, a.Compromised, reasons(l, a.Reasons)})
	}
	for _, h := range inc.Hops {
		x.Hops = append(x.Hops, hop(l, h))
	}
	for _, s := range inc.Steps {
		x.Steps = append(x.Steps, Step{Stamp(s.Time), stamp(s.Last), s.Host, string(s.Step), s.What, opt(s.Technique), s.Rows, narrate.Step(l, s), evidence(s.Evidence)})
	}
	for _, s := range inc.Suspicious {
		y := Suspect{
			Address: s.Addr.String(), First: stamp(s.First), Last: stamp(s.Last), Hosts: list(s.Hosts), Ports: list(s.Ports), Count: s.Count,
			BytesOut: s.BytesOut, BytesIn: s.BytesIn, Reasons: reasons(l, s.Reasons), Evidence: evidence(s.Evidence),
		}
		if s.Before != nil {
			y.Before = &Traffic{s.Before.Days, s.Before.Connections, s.Before.BytesOut, s.Before.BytesIn}
		}
		x.Suspicious = append(x.Suspicious, y)
	}
	for _, b := range inc.Breakpoints {
		src, _ := ends(b.Src)
		dst, _ := ends(b.Dst)
		x.Breakpoints = append(x.Breakpoints, Breakpoint{
			b.Code, opt(b.Hop), stamp(b.From), stamp(b.To), src, opt(b.SrcPort), dst, opt(b.DstPort), b.Strength, narrate.Breakpoint(l, b), evidence(b.Evidence),
		})
	}
	for _, s := range inc.SeparateFrom {
		x.SeparateFrom = append(x.SeparateFrom, Separate{s.Incident, narrate.Reason(l, s.Reason)})
	}
	return x
}

func hop(l text.Lang, h incident.Hop) Hop {
	src, srcHost := ends(h.Src)
	dst, dstHost := ends(h.Dst)
	return Hop{
		N: h.N, Time: Stamp(h.Time), Last: stamp(h.Last), Count: h.Count, Src: src, Dst: dst, SrcHost: srcHost, DstHost: dstHost,
		DstPort: opt(h.DstPort), Proto: opt(h.Proto), User: opt(h.User.String()), Causal: opt(h.Causal.String()), Kind: h.Kind, Technique: opt(h.Technique),
		Grade: string(h.Grade), BytesOut: h.BytesOut, BytesIn: h.BytesIn, Sentence: narrate.Hop(l, h), Reasons: reasons(l, h.Reasons), Evidence: evidence(h.Evidence),
	}
}
