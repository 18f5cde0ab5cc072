// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package docket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citywall/asset"
	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/exhibit"
	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/incident/incidenttest"
	"citywall/internal/db"
	"citywall/internal/fault"
)

func begin(t *testing.T) (*Docket, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := db.Open(t.Context(), filepath.Join(dir, "police.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	s, err := casedb.Open(t.Context(), d, casework.Scheme{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := exhibit.Open(filepath.Join(dir, "cases"))
	if err != nil {
		t.Fatal(err)
	}
	return &Docket{Store: s, Vault: v}, dir
}

func text(name, s string) File {
	return File{Kind: casework.ExhibitFile, Name: name, Origin: "a test", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }}
}

func records(n int) iter.Seq2[*event.Event, error] {
	return func(yield func(*event.Event, error) bool) {
		for i := range n {
			e := &event.Event{ID: event.NewID("f", "s", uint64(i)), Realm: asset.City, Time: time.Unix(int64(i), 0).UTC(), Raw: []byte("x"), Origin: event.Origin{Format: "evtx", File: "a.evtx", Offset: int64(i)}}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func investigation() New {
	in := incidenttest.Hospital()
	return New{
		Title: "醫院遭勒索", Owner: "wu", OpenedBy: "wu", Source: casework.Source{Kind: casework.FromInvestigation, Incident: in.ID}, Incident: &in,
		Events: records(10), Files: []File{text("report.html", "<p>")},
		Findings: func(yield func(detect.Finding, error) bool) {
			yield(detect.Finding{ID: "f1", Realm: asset.City, Time: time.Unix(1, 0).UTC()}, nil)
		},
	}
}

func TestOpen(t *testing.T) {
	d, _ := begin(t)
	ctx := t.Context()
	f, err := d.Open(ctx, investigation())
	if err != nil {
		t.Fatal(err)
	}
	year := casework.ROCYear(time.Now())
	if f.Number != fmt.Sprintf("%d-刑-000001", year) || f.Status != casework.Open || f.Incident == nil || len(f.Incident.Hops) != len(incidenttest.Hospital().Hops) ||
		len(f.Exhibits) != 3 || f.Exhibits[2].Records != 10 || len(f.History) != 1 || f.KnowledgeAt.IsZero() || len(f.IncidentSHA256) != 64 {
		t.Errorf("%+v", f)
	}
	if ps, err := d.Vault.Verify(ctx, f.ID, f.Exhibits); err != nil || len(ps) != 0 {
		t.Errorf("%v %v", ps, err)
	}
	sc := identity.Scope{Realm: asset.Police, Case: f.ID}
	if p, err := d.Vault.Search(ctx, sc, eventstore.Query{}); err != nil || len(p.Events) != 10 {
		t.Errorf("%v %v", p, err)
	}
	byNumber, err := d.Get(ctx, f.Number)
	if err != nil || byNumber.ID != f.ID {
		t.Errorf("%v", err)
	}
	byHand, err := d.Open(ctx, New{Title: "電話報案", OpenedBy: "wu", Source: casework.Source{Kind: casework.FromReport, Report: "A115-7"}})
	if err != nil || byHand.Incident != nil || byHand.Number != fmt.Sprintf("%d-刑-000002", year) {
		t.Errorf("%+v %v", byHand, err)
	}
	x, err := d.AddFile(ctx, "wu", byHand.Number, text("照片.jpg", "jpeg"))
	if err != nil || x.N != 1 {
		t.Errorf("%+v %v", x, err)
	}
	sly := text("events.jsonl", `{"id":"00000000000000000000000000000001"}`+"\n")
	sly.Kind = casework.ExhibitEvents // bytes from outside do not become records
	if x, err := d.AddFile(ctx, "wu", byHand.ID, sly); err != nil || x.Kind != casework.ExhibitFile {
		t.Errorf("%+v %v", x, err)
	}
	c, err := d.SetStatus(ctx, "lin", byHand.ID, 1, casework.Closed, "誤報")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddFile(ctx, "wu", byHand.ID, text("late", "x")); !fault.Is(err, fault.Conflict) {
		t.Errorf("closed: %v", err)
	}
	if _, err := d.AddFile(ctx, "wu", "nothing", text("late", "x")); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	if c.Version != 2 || c.ClosedAt.IsZero() {
		t.Errorf("%+v", c)
	}
	full, err := d.Get(ctx, byHand.ID)
	if err != nil || len(full.Exhibits) != 2 {
		t.Errorf("%+v %v", full, err)
	}
	if ps, err := d.Vault.Verify(ctx, full.ID, full.Exhibits); err != nil || len(ps) != 0 {
		t.Errorf("%v %v", ps, err)
	}
	if s, err := d.Strays(ctx); err != nil || len(s) != 0 {
		t.Errorf("%v %v", s, err)
	}
}

// TestFailedOpening uses no number and leaves nothing behind.
func TestFailedOpening(t *testing.T) {
	d, dir := begin(t)
	ctx := t.Context()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		change func(*New)
	}{
		"no title":    {ctx, func(n *New) { n.Title = " " }},
		"nobody":      {ctx, func(n *New) { n.OpenedBy = "" }},
		"no source":   {ctx, func(n *New) { n.Source.Kind = "rumour" }},
		"no package":  {ctx, func(n *New) { n.Source.Kind = casework.FromHandover }},
		"file breaks": {ctx, func(n *New) { n.Files[0].Open = func() (io.ReadCloser, error) { return nil, errors.New("gone") } }},
		"events break": {ctx, func(n *New) {
			n.Events = func(yield func(*event.Event, error) bool) { yield(nil, errors.New("store is down")) }
		}},
		"not wanted":    {cancelled, func(*New) {}},
		"snapshot NaNs": {ctx, func(n *New) { zero := 0.0; n.Incident.BaselineDays = zero / zero }},
	} {
		n := investigation()
		c.change(&n)
		if _, err := d.Open(c.ctx, n); err == nil {
			t.Errorf("%s: opened", name)
		}
		des, err := os.ReadDir(filepath.Join(dir, "cases"))
		if err != nil || len(des) != 0 {
			t.Errorf("%s: %v is left", name, des)
		}
	}
	f, err := d.Open(ctx, investigation())
	if err != nil || !strings.HasSuffix(f.Number, "-000001") {
		t.Errorf("the first case is %s, %v", f.Number, err)
	}
}

// TestNumbersWithoutGaps: many openings at once, some of which fail, and two
// of one package.
func TestNumbersWithoutGaps(t *testing.T) {
	d, dir := begin(t)
	ctx := t.Context()
	var mu sync.Mutex
	var numbers []string
	conflicts := 0
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			n := New{Title: fmt.Sprint("case ", i), OpenedBy: "wu", Source: casework.Source{Kind: casework.FromReport}, Files: []File{text("x", "x")}}
			switch i % 4 {
			case 1:
				n.Title = ""
			case 2:
				n.Source = casework.Source{Kind: casework.FromHandover, Package: "one and the same"}
			}
			f, err := d.Open(ctx, n)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				numbers = append(numbers, f.Number[len(f.Number)-6:])
			case fault.Is(err, fault.Conflict) && strings.Contains(err.Error(), "it is case 1"):
				conflicts++
			case i%4 != 1:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slices.Sort(numbers)
	if want := "000001 000002 000003 000004 000005 000006 000007"; strings.Join(numbers, " ") != want || conflicts != 2 {
		t.Errorf("%v, %d conflicts", numbers, conflicts)
	}
	if des, err := os.ReadDir(filepath.Join(dir, "cases")); err != nil || len(des) != 7 {
		t.Errorf("%d folders, %v", len(des), err)
	}
}
