// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package casedb

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"citywall/casework"
	"citywall/incident/incidenttest"
	"citywall/internal/db"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time {
	c.t = c.t.Add(time.Second)
	return c.t
}

func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }

func begin(t *testing.T) (*Store, *clock) {
	t.Helper()
	s, err := Open(t.Context(), dbtest.Open(t), casework.Scheme{})
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{time.Date(2026, 12, 31, 15, 0, 0, 0, time.UTC)}
	s.now = c.now
	return s, c
}

func add(t *testing.T, s *Store, title string) casework.File {
	t.Helper()
	in := incidenttest.Hospital()
	f, err := s.Create(t.Context(), New{ID: uuid.Must(uuid.NewV7()).String(), Title: title, OpenedBy: "wu", Source: casework.Source{Kind: casework.FromInvestigation}, Incident: &in,
		Exhibits: []casework.Exhibit{{ID: uuid.NewString(), N: 1, Kind: casework.ExhibitFile, Name: "x", File: "001-x", Size: 1, SHA256: "ff", Added: s.now(), AddedBy: "wu"}}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSnapshotComesBack(t *testing.T) {
	s, _ := begin(t)
	f := add(t, s, "x")
	if d := gocmp.Diff(incidenttest.Hospital(), *f.Incident, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Error(d)
	}
}

// TestYearTurns in Taipei, eight hours before it does in UTC, and the sequence
// begins anew.
func TestYearTurns(t *testing.T) {
	s, c := begin(t)
	a, b := add(t, s, "old year"), add(t, s, "old year too")
	c.t = time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)
	n := add(t, s, "new year")
	if a.Number != "115-刑-000001" || b.Number != "115-刑-000002" || n.Number != "116-刑-000001" {
		t.Errorf("%s %s %s", a.Number, b.Number, n.Number)
	}
	p, err := s.List(t.Context(), Query{Year: 115})
	if err != nil || len(p.Cases) != 2 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestChange(t *testing.T) {
	s, _ := begin(t)
	ctx := t.Context()
	f := add(t, s, "案由")
	title, owner := " 新案由 ", "lin"
	c, err := s.Change(ctx, "wu", f.ID, 1, Edit{Title: &title, Owner: &owner})
	if err != nil || c.Title != "新案由" || c.Owner != "lin" || c.Version != 2 {
		t.Fatalf("%+v %v", c, err)
	}
	if _, err := s.Change(ctx, "wu", f.ID, 1, Edit{Owner: new(string)}); !fault.Is(err, fault.Conflict) {
		t.Errorf("stale: %v", err)
	}
	if _, err := s.Change(ctx, "", f.ID, 2, Edit{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := s.Change(ctx, "wu", f.ID, 2, Edit{Title: new(string)}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no title: %v", err)
	}
	if _, err := s.SetStatus(ctx, "wu", f.ID, 2, casework.Closed, " "); !fault.Is(err, fault.Invalid) {
		t.Errorf("closing without a reason: %v", err)
	}
	if c, err = s.SetStatus(ctx, "wu", f.ID, 2, casework.Investigating, ""); err != nil || c.Status != casework.Investigating {
		t.Fatalf("%+v %v", c, err)
	}
	if _, err := s.SetStatus(ctx, "wu", f.ID, 3, casework.Open, "x"); !fault.Is(err, fault.Invalid) {
		t.Errorf("back to open: %v", err)
	}
	if c, err = s.SetStatus(ctx, "wu", f.ID, 3, casework.Closed, "移送地檢署"); err != nil || c.ClosedAt.IsZero() {
		t.Fatalf("%+v %v", c, err)
	}
	if c, err = s.SetStatus(ctx, "wu", f.ID, 4, casework.Investigating, "新事證"); err != nil || !c.ClosedAt.IsZero() {
		t.Fatalf("%+v %v", c, err)
	}
	if _, err := s.AddNote(ctx, "lin", f.Number, "電詢被害人"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"", " ", strings.Repeat("x", maxText+1)} {
		if _, err := s.AddNote(ctx, "lin", f.ID, n); !fault.Is(err, fault.Invalid) {
			t.Errorf("note %.4q: %v", n, err)
		}
	}
	got, err := s.Get(ctx, f.ID)
	if err != nil {
		t.Fatal(err)
	}
	var what []string
	for _, h := range got.History {
		what = append(what, h.What)
	}
	if w := strings.Join(what, " "); w != "opened title owner status status_because status_because note" || len(got.Notes) != 1 || got.Version != 5 {
		t.Errorf("%s %+v", w, got.Notes)
	}
	for _, f := range []func() error{
		func() error { _, err := s.Get(ctx, "nothing"); return err },
		func() error { _, err := s.AddNote(ctx, "x", "nothing", "x"); return err },
		func() error { _, err := s.SetStatus(ctx, "x", "nothing", 1, casework.Closed, "x"); return err },
	} {
		if err := f(); !fault.Is(err, fault.NotFound) {
			t.Errorf("nothing: %v", err)
		}
	}
}

// TestEvidenceStays: the database refuses what no program of ours should do,
// and what was done past it is seen.
func TestEvidenceStays(t *testing.T) {
	s, _ := begin(t)
	ctx := t.Context()
	f := add(t, s, "x")
	refused := []string{
		"UPDATE case_record SET incident = '{}'", "UPDATE case_record SET number = '115-刑-000009'", "UPDATE case_record SET opened_us = 1", "DELETE FROM case_record",
		"UPDATE case_exhibit SET sha256 = '00'", "DELETE FROM case_exhibit", "UPDATE case_change SET actor = 'x'", "DELETE FROM case_change",
	}
	if s.d.Engine() == db.Postgres {
		refused = append(refused, "TRUNCATE case_change", "TRUNCATE case_exhibit", "TRUNCATE case_record CASCADE")
	}
	for _, q := range refused {
		if _, err := s.d.ExecContext(ctx, q); err == nil {
			t.Errorf("%s: done", q)
		}
	}
	drop := "DROP TRIGGER case_snapshot_stays"
	if s.d.Engine() == db.Postgres {
		drop += " ON case_record"
	}
	for _, q := range []string{drop, "UPDATE case_record SET incident = replace(incident, 'dc01', 'dc02')"} {
		if _, err := s.d.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get(ctx, f.ID); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("a changed snapshot: %v", err)
	}
}

func TestList(t *testing.T) {
	s, _ := begin(t)
	ctx := t.Context()
	var fs []casework.File
	for i := range 23 {
		fs = append(fs, add(t, s, fmt.Sprintf("Case %02d zebra%02d", i, i)))
	}
	if _, err := s.SetStatus(ctx, "wu", fs[3].ID, 1, casework.Closed, "x"); err != nil {
		t.Fatal(err)
	}
	owner := "lin"
	if _, err := s.Change(ctx, "wu", fs[5].ID, 1, Edit{Owner: &owner}); err != nil {
		t.Fatal(err)
	}
	list := func(q Query) string {
		t.Helper()
		var out []string
		q.Limit = 5
		for {
			p, err := s.List(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Cases {
				out = append(out, c.Title[5:7])
			}
			if p.Next == "" {
				return strings.Join(out, " ")
			}
			q.After = p.Next
		}
	}
	down := "22 21 20 19 18 17 16 15 14 13 12 11 10 09 08 07 06 05 04 03 02 01 00"
	up := "00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22"
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{}, down}, {Query{Sort: Oldest}, up}, {Query{Sort: Number}, down},
		{Query{Statuses: []casework.Status{casework.Closed}}, "03"}, {Query{Owner: "lin"}, "05"}, {Query{Text: "CASE ZEBRA07"}, "07"},
		{Query{Text: "115-刑-000003"}, "02"}, {Query{Text: "dc01 203.0.113.90", Year: 115}, down}, {Query{Text: "' OR 1=1 --"}, ""}, {Query{Year: 99}, ""},
	} {
		if got := list(c.q); got != c.want {
			t.Errorf("%+v: %s, want %s", c.q, got, c.want)
		}
	}
	for _, q := range []Query{{Limit: -1}, {Limit: 501}, {Sort: "x"}, {After: "x"}, {After: "1.2.x.y"}} {
		if _, err := s.List(ctx, q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := Open(ctx, s.d, casework.Scheme{Pattern: "{seq}"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("scheme: %v", err)
	}
}
