// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidenttest

import (
	"testing"

	"citywall/event"
	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/internal/text"
)

// TestWhole keeps the written-out incident honest: every observed hop has a
// record, every record exists, every finding of it exists, and every code has
// words in both languages.
func TestWhole(t *testing.T) {
	in := Hospital()
	have := map[event.ID]bool{}
	for _, e := range Events() {
		have[e.ID] = true
	}
	check := func(what string, ps []incident.Pointer) {
		for _, p := range ps {
			if !have[p.Event] {
				t.Errorf("%s: no record %s of %s", what, p.Event, p.Origin.File)
			}
		}
	}
	for _, h := range in.Hops {
		if h.Grade == incident.Observed && len(h.Evidence) == 0 {
			t.Errorf("hop %d is observed without a record", h.N)
		}
		check(narrate.Hop(text.En, h), h.Evidence)
	}
	for _, s := range in.Steps {
		check(s.What, s.Evidence)
	}
	check("first compromise", in.FirstCompromise.Evidence)
	found := map[string]bool{}
	for _, f := range Findings() {
		found[f.ID] = true
	}
	for _, id := range in.Findings {
		if !found[id] {
			t.Errorf("no finding %s", id)
		}
	}
	var rs []incident.Reason
	all := append(Others(), in)
	for _, in := range all {
		if !text.Has(text.ZhTW, "narrate.title."+in.Title.Code) {
			t.Errorf("no words for title %s", in.Title.Code)
		}
		rs = append(rs, in.SeverityReasons...)
		rs = append(rs, in.Entry.Reasons...)
		rs = append(rs, in.FirstCompromise.KnownGood, in.FirstCompromise.FirstBad)
		for _, h := range in.Hops {
			rs = append(rs, h.Reasons...)
		}
		for _, h := range in.Hosts {
			rs = append(rs, h.Reasons...)
		}
		for _, a := range in.Accounts {
			rs = append(rs, a.Reasons...)
		}
		for _, s := range in.Suspicious {
			rs = append(rs, s.Reasons...)
		}
		for _, b := range in.Breakpoints {
			rs = append(rs, b.Reasons...)
		}
		for _, s := range in.SeparateFrom {
			rs = append(rs, s.Reason)
		}
	}
	for _, r := range rs {
		for _, l := range []text.Lang{text.ZhTW, text.En} {
			if !text.Has(l, "narrate.reason."+r.Code) {
				t.Errorf("no words for reason %s in %s", r.Code, l)
			}
		}
	}
}
