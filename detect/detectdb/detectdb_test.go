// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package detectdb

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/identity"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
)

var (
	city = identity.Scope{Realm: asset.City}
	zero = time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	same = gocmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})}
)

func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }

func begin(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), dbtest.Open(t), asset.City)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// finding makes the i-th of a seeded lot.
func finding(i int) detect.Finding {
	r := rand.New(rand.NewPCG(7, uint64(i)))
	rule := r.IntN(6)
	id := event.NewID("file", "test", uint64(i))
	f := detect.Finding{
		Realm: asset.City, Agency: []string{"", "H01", "H02"}[r.IntN(3)],
		Rule: detect.Rule{
			ID: fmt.Sprintf("rule-%d", rule), Title: fmt.Sprintf("Rule %d says so", rule), Author: "Citywall",
			Hash: strings.Repeat(fmt.Sprint(rule), 64), Level: detect.Level(rule % 5),
		},
		Meaning: detect.Meaning{Step: []detect.Step{detect.StepEntry, detect.StepLateral, detect.StepEncrypt}[rule%3], Technique: "T1021.002"},
		Time:    zero.Add(time.Duration(r.IntN(3600*24)) * time.Second).Add(123456 * time.Microsecond),
		Host:    []string{"", "hosp-dc01", "hosp-file01", "ws-17"}[r.IntN(4)],
		Events:  []event.ID{id},
		Origins: []event.Origin{{Format: "evtx", File: "Security.evtx", Offset: int64(i) * 512, Record: uint64(i)}},
		View: event.View{
			Src: netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(4))}), User: asset.Account{Domain: "corp", Name: "svc_backup"},
			Command: `cmd.exe /c vssadmin Delete Shadows /all`, Message: "備份遭刪除",
		},
		Matched: []detect.Matched{{Field: "CommandLine", Value: "delete shadows", Pattern: "*delete shadows*"}},
		Tags:    []string{"attack.t1490"},
	}
	f.ID = detect.NewID(f.Rule.Hash, id)
	return f
}

func lot(n int) []detect.Finding {
	out := make([]detect.Finding, n)
	for i := range out {
		out[i] = finding(i)
	}
	return out
}

func TestSaveOnce(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	fs := lot(500)
	if n, err := s.Save(ctx, fs[:300]); err != nil || n != 300 {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := s.Save(ctx, fs); err != nil || n != 200 {
		t.Errorf("half of them again: %d new, %v", n, err)
	}
	if n, err := s.Save(ctx, append(fs[:5:5], fs[:5]...)); err != nil || n != 0 {
		t.Errorf("doubled in one batch: %d new, %v", n, err)
	}
	for i := range fs {
		got, err := s.Get(ctx, city, fs[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(fs[i], got, same); d != "" {
			t.Fatalf("came back changed:\n%s", d)
		}
	}
	if n, err := s.Save(ctx, nil); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
}

// TestAllOrNone: one finding that cannot be kept keeps the others out too.
func TestAllOrNone(t *testing.T) {
	s := begin(t)
	for name, change := range map[string]func(*detect.Finding){
		"no id":         func(f *detect.Finding) { f.ID = "" },
		"no rule":       func(f *detect.Finding) { f.Rule.ID = "" },
		"other realm":   func(f *detect.Finding) { f.Realm = asset.Police },
		"of an exhibit": func(f *detect.Finding) { f.Origins[0].Exhibit = "E-1" },
		"too large":     func(f *detect.Finding) { f.Reasons = []string{strings.Repeat("x", maxDoc)} },
	} {
		fs := lot(10)
		change(&fs[9])
		if n, err := s.Save(t.Context(), fs); !fault.Is(err, fault.Invalid) || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if n, err := s.Count(t.Context(), city, Query{}); err != nil || n != 0 {
		t.Errorf("%d stored, %v", n, err)
	}
}

// pick is the plain loop that List is held to.
func pick(fs []detect.Finding, sc identity.Scope, q Query) []detect.Finding {
	var out []detect.Finding
	for _, f := range fs {
		ok := sc.Realm == asset.City && sc.Case == "" &&
			(len(sc.Agencies) == 0 || slices.Contains(sc.Agencies, f.Agency)) &&
			(q.From.IsZero() || !f.Time.Before(q.From)) && (q.To.IsZero() || f.Time.Before(q.To)) &&
			(len(q.Rules) == 0 || slices.Contains(q.Rules, f.Rule.ID)) &&
			f.Rule.Level >= q.MinLevel && (len(q.Levels) == 0 || slices.Contains(q.Levels, f.Rule.Level)) &&
			(len(q.Steps) == 0 || slices.Contains(q.Steps, f.Meaning.Step)) &&
			(q.Host == "" || q.Host == f.Host) && (q.Agency == "" || q.Agency == f.Agency)
		for _, w := range strings.Fields(strings.ToLower(q.Text)) {
			hay := strings.ToLower(strings.Join([]string{f.Rule.ID, f.Rule.Title, f.Host, f.View.Src.String(), f.View.Command, f.View.Message, f.View.User.String()}, "\n"))
			ok = ok && strings.Contains(hay, w)
		}
		if ok {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b detect.Finding) int {
		byTime := cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
		switch q.Sort {
		case Oldest:
			return byTime
		case Severest:
			return -cmp.Or(cmp.Compare(a.Rule.Level, b.Rule.Level), byTime)
		}
		return -byTime
	})
	return out
}

func ids(fs []detect.Finding) []string {
	out := make([]string, len(fs))
	for i := range fs {
		out[i] = fs[i].ID
	}
	return out
}

// TestListLikeALoop draws queries and compares all pages with the plain loop.
func TestListLikeALoop(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	fs := lot(400)
	fs[7].Time, fs[8].Time = fs[9].Time, fs[9].Time // ties
	if _, err := s.Save(ctx, fs); err != nil {
		t.Fatal(err)
	}
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		sc := rapid.SampledFrom([]identity.Scope{
			city, city,
			{Realm: asset.City, Agencies: []string{"H01"}},
			{Realm: asset.City, Agencies: []string{"H01", "H02"}},
			{},
			{Realm: asset.Police},
			{Realm: asset.City, Case: "c"},
		}).Draw(t, "scope")
		q := Query{
			Rules:    rapid.SampledFrom([][]string{nil, nil, {"rule-1"}, {"rule-2", "rule-5"}}).Draw(t, "rules"),
			MinLevel: detect.Level(rapid.IntRange(0, 4).Draw(t, "min")),
			Levels:   rapid.SampledFrom([][]detect.Level{nil, nil, nil, {detect.Low, detect.Critical}}).Draw(t, "levels"),
			Steps:    rapid.SampledFrom([][]detect.Step{nil, nil, {detect.StepEncrypt}}).Draw(t, "steps"),
			Host:     rapid.SampledFrom([]string{"", "", "ws-17"}).Draw(t, "host"),
			Agency:   rapid.SampledFrom([]string{"", "", "H02"}).Draw(t, "agency"),
			Text:     rapid.SampledFrom([]string{"", "", "DELETE shadows", "10.0.0.2", "備份", "100%", "rule_1", `corp\svc`, "'; --"}).Draw(t, "text"),
			Sort:     rapid.SampledFrom([]Sort{"", Newest, Oldest, Severest}).Draw(t, "sort"),
			Limit:    rapid.IntRange(1, 60).Draw(t, "limit"),
		}
		if rapid.Bool().Draw(t, "bounded") {
			q.From = zero.Add(time.Duration(rapid.IntRange(0, 24).Draw(t, "from")) * time.Hour)
			q.To = q.From.Add(time.Duration(rapid.IntRange(1, 12).Draw(t, "hours")) * time.Hour)
		}
		want := ids(pick(fs, sc, q))
		if n, err := s.Count(ctx, sc, q); err != nil || n != int64(len(want)) {
			t.Fatalf("count %d (%v), want %d", n, err, len(want))
		}
		var got []string
		for {
			p, err := s.List(ctx, sc, q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, ids(p.Findings)...)
			if p.Next == "" {
				break
			}
			if len(p.Findings) != q.Limit {
				t.Fatalf("a page of %d with a next one", len(p.Findings))
			}
			q.After = p.Next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %d, want %d:\n%v\n%v", len(got), len(want), got, want)
		}
		found += len(got)
	})
	if found == 0 {
		t.Error("no query found anything: the test tests nothing")
	}
}

func TestBadQueries(t *testing.T) {
	s := begin(t)
	for _, q := range []Query{{Limit: -1}, {Limit: 1001}, {Sort: "loudest"}, {After: "x"}, {After: "1.x.y"}, {After: "..."}} {
		if _, err := s.List(t.Context(), city, q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := s.Get(t.Context(), city, "nothing"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := s.GetAll(t.Context(), city, make([]string, maxIDs+1)); !fault.Is(err, fault.Invalid) {
		t.Errorf("too many: %v", err)
	}
	for _, c := range []struct {
		q Query
		w time.Duration
	}{{Query{}, time.Hour}, {Query{From: zero, To: zero}, time.Hour}, {Query{From: zero, To: zero.Add(time.Hour)}, 0}, {Query{From: zero, To: zero.Add(time.Hour)}, time.Second}} {
		if _, err := s.Histogram(t.Context(), city, c.q, c.w); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestGetAll(t *testing.T) {
	s := begin(t)
	fs := lot(60)
	if _, err := s.Save(t.Context(), fs); err != nil {
		t.Fatal(err)
	}
	ask := append(ids(fs), "nothing", fs[3].ID)
	got, err := s.GetAll(t.Context(), identity.Scope{Realm: asset.City, Agencies: []string{"H01"}}, ask)
	if err != nil {
		t.Fatal(err)
	}
	want := pick(fs, city, Query{Agency: "H01", Sort: Oldest})
	if !slices.Equal(ids(got), ids(want)) || len(got) == 0 {
		t.Errorf("got %v, want %v", ids(got), ids(want))
	}
}

func TestCounts(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	fs := lot(300)
	newer := fs[0]
	for _, f := range fs { // a newer version of one rule has another title
		if f.Rule.ID == fs[0].Rule.ID && f.Time.After(newer.Time) {
			newer = f
		}
	}
	newer.Time = newer.Time.Add(time.Second)
	newer.Rule.Title, newer.Rule.Hash = "A better title", strings.Repeat("f", 64)
	newer.ID = detect.NewID(newer.Rule.Hash, newer.Events...)
	if _, err := s.Save(ctx, []detect.Finding{newer}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(ctx, fs); err != nil { // older ones come later: they do not bring the old title back
		t.Fatal(err)
	}
	fs = append(fs, newer)
	from, to := zero.Add(3*time.Hour), zero.Add(20*time.Hour)

	rules, err := s.CountByRule(ctx, city, from, to)
	if err != nil || len(rules) != 6 {
		t.Fatalf("%+v, %v", rules, err)
	}
	for i, r := range rules {
		sel := pick(fs, city, Query{Rules: []string{r.Rule.ID}, From: from, To: to, Sort: Oldest})
		hosts := map[string]bool{}
		for _, f := range sel {
			if f.Host != "" {
				hosts[f.Host] = true
			}
		}
		if r.Count != int64(len(sel)) || r.Hosts != int64(len(hosts)) || !r.First.Equal(sel[0].Time) || !r.Last.Equal(sel[len(sel)-1].Time) {
			t.Errorf("%s: %+v, want %d on %d hosts", r.Rule.ID, r, len(sel), len(hosts))
		}
		if i > 0 && rules[i-1].Count < r.Count {
			t.Error("not most frequent first")
		}
		if r.Rule.ID == newer.Rule.ID && r.Rule.Title != "A better title" {
			t.Errorf("the title is %q", r.Rule.Title)
		}
	}

	hosts, err := s.CountByHost(ctx, city, from, to, 2)
	if err != nil || len(hosts) != 2 {
		t.Fatalf("%+v, %v", hosts, err)
	}
	for _, h := range hosts {
		sel := pick(fs, city, Query{Host: h.Host, From: from, To: to, Sort: Severest})
		if h.Count != int64(len(sel)) || h.Max != sel[0].Rule.Level || h.Host == "" {
			t.Errorf("%+v, want %d up to %s", h, len(sel), sel[0].Rule.Level)
		}
	}

	bs, err := s.Histogram(ctx, city, Query{From: from, To: to, MinLevel: detect.Medium}, 90*time.Minute)
	if err != nil || len(bs) != 12 {
		t.Fatalf("%d buckets, %v", len(bs), err)
	}
	for i, b := range bs {
		end := from.Add(time.Duration(i+1) * 90 * time.Minute)
		if end.After(to) {
			end = to
		}
		for l := range b.Counts {
			want := 0
			if l >= int(detect.Medium) {
				want = len(pick(fs, city, Query{From: b.Start, To: end, Levels: []detect.Level{detect.Level(l)}}))
			}
			if b.Counts[l] != int64(want) {
				t.Errorf("bucket %s level %d: %d, want %d", b.Start, l, b.Counts[l], want)
			}
		}
	}
}

// TestHostileText: what an intruder wrote into a record is stored and found as
// text.
func TestHostileText(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	f := finding(1)
	f.Host = "a'); DROP TABLE detect_finding; --\x00\xff"
	f.Rule.ID = "r\x00?"
	f.View.Command = strings.Repeat("字", maxSearch) + "??%_"
	f.Matched = nil
	if _, err := s.Save(ctx, []detect.Finding{f}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []Query{{Host: f.Host}, {Text: "drop table"}, {Text: "字字"}, {Rules: []string{f.Rule.ID}}} {
		if p, err := s.List(ctx, city, q); err != nil || len(p.Findings) != 1 {
			t.Errorf("%+v: %d found, %v", q, len(p.Findings), err)
		}
	}
	if _, err := s.CountByRule(ctx, city, time.Time{}, time.Time{}); err != nil {
		t.Error(err)
	}
}

func TestManyWriters(t *testing.T) {
	s := begin(t)
	fs := lot(1200)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for part := range slices.Chunk(fs[i*150:i*150+450], 50) { // they overlap
				if _, err := s.Save(t.Context(), part); err != nil {
					t.Error(err)
				}
				if _, err := s.List(t.Context(), city, Query{Text: "vssadmin", Limit: 10}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := s.Count(t.Context(), city, Query{}); err != nil || n != 1200 {
		t.Errorf("%d stored, %v", n, err)
	}
}

func BenchmarkSave500(b *testing.B) {
	s := begin(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		b.StopTimer()
		fs := make([]detect.Finding, 500)
		for i := range fs {
			fs[i] = finding(n)
			n++
		}
		b.StartTimer()
		if _, err := s.Save(b.Context(), fs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "findings/s")
}

func BenchmarkReadOf200k(b *testing.B) {
	s := begin(b)
	for part := range slices.Chunk(lot(200_000), 5000) {
		if _, err := s.Save(b.Context(), part); err != nil {
			b.Fatal(err)
		}
	}
	for name, f := range map[string]func() error{
		"newest page":   func() error { _, err := s.List(b.Context(), city, Query{}); return err },
		"severest page": func() error { _, err := s.List(b.Context(), city, Query{Sort: Severest}); return err },
		"rare text":     func() error { _, err := s.List(b.Context(), city, Query{Text: "nowhere"}); return err },
		"by rule": func() error {
			_, err := s.CountByRule(b.Context(), city, zero, zero.Add(24*time.Hour))
			return err
		},
		"histogram": func() error {
			_, err := s.Histogram(b.Context(), city, Query{From: zero, To: zero.Add(24 * time.Hour)}, 15*time.Minute)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
