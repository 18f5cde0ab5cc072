// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"citywall/detect"
	"citywall/incident"
	"citywall/internal/db"
	"citywall/internal/fault"
)

func TestMerge(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	save(t, s, chain("a", detect.Medium, "a1", "a2"), chain("b", detect.Critical, "b1", "b2", "b3"), chain("c", detect.Low, "c1", "c2"))
	if _, err := s.AddNote(ctx, "lin", "b", "on b"); err != nil {
		t.Fatal(err)
	}
	r, err := s.Merge(ctx, "chen", "b", 1, "a", "same wallet")
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != "a" || hostsOf(r.Incident) != "a1 a2 b1 b2 b3" || r.Incident.Severity != detect.Critical || !slices.Equal(r.Parts, []string{"b"}) ||
		len(r.Notes) != 1 || r.Version != 2 || len(r.Incident.Hops) != 3 || strings.Join(r.Incident.Agencies, "") != "AB" {
		t.Errorf("%+v", r)
	}
	for i, h := range r.Incident.Hops {
		if h.N != i+1 || i > 0 && h.Time.Before(r.Incident.Hops[i-1].Time) {
			t.Errorf("hop %d: %+v", i, h)
		}
	}
	if got := listed(t, s, city, ListQuery{Sort: Severest}); got != "a c" {
		t.Errorf("listed %s", got)
	}
	for name, f := range map[string]func() error{
		"merged one moves":  func() error { _, err := s.SetState(ctx, "x", "b", 2, incident.Triaged, ""); return err },
		"merged one merges": func() error { _, err := s.Merge(ctx, "x", "b", 2, "c", ""); return err },
		"merged one splits": func() error { _, err := s.Split(ctx, "x", "b", 2, Selection{Hosts: []string{"b1"}}, ""); return err },
		"root splits":       func() error { _, err := s.Split(ctx, "x", "a", 2, Selection{Hosts: []string{"a1"}}, ""); return err },
		"unmerge of a root": func() error { _, err := s.Unmerge(ctx, "x", "a", 2, ""); return err },
	} {
		if err := f(); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Merge(ctx, "x", "a", 2, "b", ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("into its own part: %v", err)
	}
	// Merged parts go on being computed, and are shown.
	save(t, s, chain("a", detect.Medium, "a1", "a2"), chain("b", detect.Critical, "b1", "b2", "b3", "b4"), chain("c", detect.Low, "c1", "c2"))
	if r := get(t, s, "a"); hostsOf(r.Incident) != "a1 a2 b1 b2 b3 b4" {
		t.Errorf("after the next computation: %s", hostsOf(r.Incident))
	}
	if r := get(t, s, "b"); r.MergedInto != "a" || hostsOf(r.Incident) != "b1 b2 b3 b4" {
		t.Errorf("the part itself: %+v", r)
	}
	// A merge of a merge: into the part means into what it is part of.
	if r, err = s.Merge(ctx, "chen", "c", 1, "b", "also"); err != nil || r.ID != "a" || hostsOf(r.Incident) != "a1 a2 b1 b2 b3 b4 c1 c2" {
		t.Errorf("%+v %v", r, err)
	}
	b := get(t, s, "b")
	if r, err = s.Unmerge(ctx, "chen", "b", b.Version, "another wallet"); err != nil || r.ID != "b" || r.MergedInto != "" {
		t.Errorf("%+v %v", r, err)
	}
	if got := listed(t, s, city, ListQuery{Sort: Severest}); got != "b a" {
		t.Errorf("listed %s", got)
	}
	if r := get(t, s, "a"); hostsOf(r.Incident) != "a1 a2 c1 c2" || r.Incident.Severity != detect.Medium {
		t.Errorf("%s", hostsOf(r.Incident))
	}
}

func TestSplit(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	save(t, s, chain("i", detect.High, "a1", "a2", "b1", "b2"))
	for name, sel := range map[string]Selection{"nothing": {}, "not in it": {Hosts: []string{"z9"}}, "all": {Hosts: []string{"a1", "a2", "b1", "b2"}}} {
		if _, err := s.Split(ctx, "chen", "i", 1, sel, ""); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n, err := s.Split(ctx, "chen", "i", 1, Selection{Hosts: []string{"b2", "b1"}}, "a penetration test")
	if err != nil {
		t.Fatal(err)
	}
	r := get(t, s, "i")
	if hostsOf(n.Incident) != "b1 b2" || hostsOf(r.Incident) != "a1 a2" || n.SplitFrom != "i" || len(n.Incident.Hops) != 2 || len(r.Incident.Hops) != 1 ||
		len(n.Incident.Findings) != 2 || n.Incident.FirstCompromise != nil || r.Incident.FirstCompromise == nil || strings.Join(r.Incident.Agencies, "") != "A" || r.Version != 2 {
		t.Errorf("%+v\n%+v", n, r)
	}
	if n, err = s.SetState(ctx, "chen", n.ID, n.Version, incident.Closed, "announced"); err != nil {
		t.Fatal(err)
	}
	// The engine still sees one incident, and more of it.
	sv := save(t, s, chain("i0", detect.High, "a0", "a1", "a2", "b1", "b2", "a3"))
	if len(sv.New) != 0 {
		t.Errorf("new: %v", sv.New)
	}
	r, n2 := get(t, s, "i"), get(t, s, n.ID)
	if hostsOf(r.Incident) != "a0 a1 a2 a3" || hostsOf(n2.Incident) != "b1 b2" || n2.State != incident.Closed {
		t.Errorf("%s / %s %s", hostsOf(r.Incident), hostsOf(n2.Incident), n2.State)
	}
	if sv := save(t, s, chain("i0", detect.High, "a0", "a1", "a2", "b1", "b2", "a3")); len(sv.New)+len(sv.Changed) != 0 {
		t.Errorf("again: %+v", sv)
	}
	// Now the engine tells them apart by itself.
	sv = save(t, s, chain("i0", detect.High, "a0", "a1", "a2", "a3"), chain("j", detect.High, "b1", "b2"))
	if len(sv.New) != 0 {
		t.Errorf("new: %v", sv.New)
	}
	if r := get(t, s, "j"); r.ID != n.ID || hostsOf(r.Incident) != "b1 b2" {
		t.Errorf("%+v", r)
	}
	if got := listed(t, s, city, ListQuery{States: []incident.State{incident.Closed}}); got != n.ID {
		t.Errorf("closed: %s", got)
	}
}

func TestSplitByFindings(t *testing.T) {
	s := begin(t)
	in := chain("i", detect.High, "a1", "a2", "a3")
	save(t, s, in)
	n, err := s.Split(t.Context(), "chen", "i", 1, Selection{Findings: []string{in.Findings[1]}}, "false alarm")
	if err != nil {
		t.Fatal(err)
	}
	r := get(t, s, "i")
	if len(n.Incident.Steps) != 1 || n.Incident.Steps[0].Host != "a2" || len(n.Incident.Findings) != 1 || len(r.Incident.Steps) != 2 || len(r.Incident.Findings) != 2 || len(r.Incident.Hops) != 2 {
		t.Errorf("%+v\n%+v", n.Incident, r.Incident)
	}
}

// TestEngineJoinsAndParts: the engine takes two incidents for one, and later
// for two again.
func TestEngineJoinsAndParts(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	a, b := chain("a", detect.Medium, "a1", "a2"), chain("b", detect.High, "b1", "b2", "b3", "b4")
	save(t, s, a, b)
	r, err := s.SetOwner(ctx, "chen", "a", 1, "lin") // touched by a person: it goes on
	if err != nil {
		t.Fatal(err)
	}
	both := chain("a", detect.High, "a1", "a2", "b1", "b2", "b3", "b4")
	sv := save(t, s, both)
	if len(sv.New) != 0 {
		t.Errorf("%+v", sv)
	}
	r = get(t, s, "a")
	if hostsOf(r.Incident) != "a1 a2 b1 b2 b3 b4" || r.Owner != "lin" || !slices.Equal(r.Parts, []string{"b"}) || len(r.Incident.Hops) != len(both.Hops) {
		t.Errorf("%+v", r)
	}
	if got := listed(t, s, city, ListQuery{}); got != "a" {
		t.Errorf("listed %s", got)
	}
	if _, err := s.Unmerge(ctx, "chen", "b", get(t, s, "b").Version, ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("taking out what is one: %v", err)
	}
	if sv := save(t, s, both); len(sv.New)+len(sv.Changed) != 0 {
		t.Errorf("again: %+v", sv)
	}
	save(t, s, a, b)
	if r := get(t, s, "b"); r.MergedInto != "" || hostsOf(r.Incident) != "b1 b2 b3 b4" {
		t.Errorf("told apart: %+v", r)
	}
	if r := get(t, s, "a"); hostsOf(r.Incident) != "a1 a2" || len(r.Parts) != 0 || r.Owner != "lin" {
		t.Errorf("%+v", r)
	}
}

// TestPersonMergesThenEngine: what a person merged stays merged when the
// engine joins the two and parts them again.
func TestPersonMergesThenEngine(t *testing.T) {
	s := begin(t)
	a, b := chain("a", detect.Medium, "a1", "a2"), chain("b", detect.High, "b1", "b2", "b3")
	save(t, s, a, b)
	if _, err := s.Merge(t.Context(), "chen", "b", 1, "a", "one wallet"); err != nil {
		t.Fatal(err)
	}
	save(t, s, chain("b", detect.High, "a1", "a2", "b1", "b2", "b3"))
	r := get(t, s, "a")
	if hostsOf(r.Incident) != "a1 a2 b1 b2 b3" || r.MergedInto != "" || len(r.Incident.Findings) != 5 {
		t.Errorf("%+v", r)
	}
	save(t, s, a, chain("b", detect.High, "b1", "b2"))
	if r := get(t, s, "a"); hostsOf(r.Incident) != "a1 a2 b1 b2" || !slices.Equal(r.Parts, []string{"b"}) {
		t.Errorf("%+v", r)
	}
}

// TestEngineTakesApart: the greater part goes on as the record, the lesser is
// new.
func TestEngineTakesApart(t *testing.T) {
	s := begin(t)
	save(t, s, chain("i", detect.High, "a1", "a2", "a3", "b1", "b2"))
	sv := save(t, s, chain("x", detect.High, "b1", "b2"), chain("y", detect.High, "a1", "a2", "a3"))
	if !slices.Equal(sv.New, []string{"x"}) || !slices.Equal(sv.Changed, []string{"i"}) {
		t.Errorf("%+v", sv)
	}
	if r := get(t, s, "y"); r.ID != "i" {
		t.Errorf("%s", r.ID)
	}
	h, err := s.History(t.Context(), city, "x")
	if err != nil || len(h) != 2 || h[1].What != "taken_apart" || h[1].Args["of"] != "i" {
		t.Errorf("%+v %v", h, err)
	}
}

// TestAnyOrderOfThings draws computations and decisions in any order. Whatever
// happens: saving the same again changes nothing, every host of the newest
// computation is in a listed incident, and no note is lost.
func TestAnyOrderOfThings(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	// Nothing here is about loss of power, and each draw begins with nothing.
	s.d.SetMaxOpenConns(1)
	if s.d.Engine() == db.SQLite {
		if _, err := s.d.ExecContext(ctx, "PRAGMA synchronous = OFF"); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, table := range []string{"key", "alias", "note", "change", "case", "record"} {
			if _, err := s.d.ExecContext(ctx, "DELETE FROM incident_"+table); err != nil {
				t.Fatal(err)
			}
		}
		hosts := []string{"a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2"}
		notes := 0
		check := func(now []incident.Incident) {
			sv, err := s.Save(ctx, now)
			if err != nil {
				t.Fatal(err)
			}
			if len(sv.New)+len(sv.Changed) != 0 {
				t.Fatalf("saving the same again: %+v", sv)
			}
			p, err := s.List(ctx, city, ListQuery{Limit: 500})
			if err != nil {
				t.Fatal(err)
			}
			shown, kept := map[string]bool{}, 0
			for _, row := range p.Rows {
				r, err := s.Get(ctx, city, row.ID)
				if err != nil {
					t.Fatal(err)
				}
				if r.MergedInto != "" || r.Version != row.Version || len(r.Incident.Hops) != row.Hops {
					t.Fatalf("the line %+v is not of %+v", row, r)
				}
				kept += len(r.Notes)
				for _, h := range r.Incident.Hosts {
					shown[h.Host] = true
				}
				for i, h := range r.Incident.Hops {
					if h.N != i+1 {
						t.Fatalf("hop %d has the number %d", i+1, h.N)
					}
				}
			}
			for _, in := range now {
				for _, h := range in.Hosts {
					if !shown[h.Host] {
						t.Fatalf("host %s is in no listed incident", h.Host)
					}
				}
			}
			if kept != notes {
				t.Fatalf("%d notes are shown, %d were written", kept, notes)
			}
		}
		var now []incident.Incident
		for step := range rapid.IntRange(1, 5).Draw(t, "steps") {
			groups := map[int][]string{}
			for _, h := range hosts {
				if g := rapid.IntRange(-1, 3).Draw(t, "group"); g >= 0 {
					groups[g] = append(groups[g], h)
				}
			}
			now = nil
			for g := range 4 {
				if len(groups[g]) > 1 {
					id := fmt.Sprintf("e%s", groups[g][0])
					if rapid.IntRange(0, 3).Draw(t, "renamed") == 0 {
						id = fmt.Sprintf("n%d-%d", step, g)
					}
					now = append(now, chain(id, detect.Level(rapid.IntRange(0, 4).Draw(t, "level")), groups[g]...))
				}
			}
			if _, err := s.Save(ctx, now); err != nil {
				t.Fatal(err)
			}
			check(now)
			p, err := s.List(ctx, city, ListQuery{Limit: 500})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range p.Rows {
				var err error
				switch rapid.IntRange(0, 9).Draw(t, "decision") {
				case 0:
					_, err = s.SetState(ctx, "chen", row.ID, row.Version, incident.Closed, "so it is")
				case 1:
					_, err = s.Merge(ctx, "chen", row.ID, row.Version, rapid.SampledFrom(p.Rows).Draw(t, "into").ID, "one wallet")
				case 2:
					_, err = s.Split(ctx, "chen", row.ID, row.Version, Selection{Hosts: []string{rapid.SampledFrom(hosts).Draw(t, "off")}}, "two things")
				case 3:
					if _, err = s.AddNote(ctx, "chen", row.ID, "seen"); err == nil {
						notes++
					}
				case 4:
					var r Record
					if r, err = s.Get(ctx, city, row.ID); err == nil && len(r.Parts) > 0 {
						if r, err = s.Get(ctx, city, r.Parts[0]); err == nil {
							_, err = s.Unmerge(ctx, "chen", r.ID, r.Version, "two wallets")
						}
					}
				}
				// A decision can be out of date or make no sense; it never
				// breaks anything.
				if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Invalid) {
					t.Fatal(err)
				}
			}
			check(now)
		}
	})
}
