// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/csv"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx"
	"citywall/internal/shared"
	"citywall/rules"
)

func hq(t testing.TB) *sigma.Engine {
	t.Helper()
	set, c, err := sigma.Open(shared.Path(t, "sigma/sigmahq-rules.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e, _, err := sigma.Load([]sigma.Set{set}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func decode(t testing.TB, f *zip.File) []*event.Event {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var out []*event.Event
	if _, err := evtx.Format().Decode(t.Context(), bytes.NewReader(b), format.Source{Name: f.Name, SHA256: f.Name}, func(e *event.Event) error {
		out = append(out, e)
		return nil
	}); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	return out
}

// TestRegressionEVTX runs SigmaHQ's cases on their logs: the rule of each case
// must fire at least match_count times (detection.md §8.5).
func TestRegressionEVTX(t *testing.T) {
	e := hq(t)
	z, err := zip.OpenReader(shared.Path(t, "sigma-regression/regression-shared.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	byName := map[string]*zip.File{}
	for _, f := range z.File {
		byName[f.Name] = f
	}
	tsv, err := os.Open(shared.Path(t, "sigma-regression/cases.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer tsv.Close()
	r := csv.NewReader(tsv)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cases, strict := 0, 0
	m := e.NewMatcher()
	for _, row := range rows[1:] {
		if !strings.HasSuffix(row[3], ".evtx") {
			continue
		}
		cases++
		want, stated := 1, false
		if n, err := strconv.Atoi(row[4]); err == nil {
			want, stated = n, true
		}
		got := 0
		for _, x := range decode(t, byName[row[0]+"/"+row[3]]) {
			for _, f := range m.Match(x) {
				if f.Rule.ID == row[1] {
					got++
				}
			}
		}
		if got < want {
			t.Errorf("%s: %d hits, want %d", row[0], got, want)
		}
		if got == want || !stated && got > want {
			strict++
		} else {
			t.Logf("%s: %d hits, the case says %d", row[0], got, want)
		}
	}
	if cases != 101 {
		t.Errorf("%d cases, want 101", cases)
	}
	t.Logf("%d of %d cases strictly equal", strict, cases)
}

// ids lists the rules of findings; correlations are left out.
func ids(e *sigma.Engine, fs []detect.Finding) []string {
	var out []string
	for _, f := range fs {
		if e.Rule(f.Rule.ID).Kind == "" {
			out = append(out, f.Rule.ID)
		}
	}
	slices.Sort(out)
	return out
}

func corpus(t testing.TB) []*event.Event {
	z, err := zip.OpenReader(shared.Path(t, "evtx/attack/evtx-to-mitre-attack.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out []*event.Event
	for _, f := range z.File {
		if strings.HasSuffix(strings.ToLower(f.Name), ".evtx") {
			out = append(out, decode(t, f)...)
		}
	}
	return out
}

// TestCorpus runs SigmaHQ's rules and the pack over the attack corpus: every
// finding leads back to its event, and the rules that fire most are listed.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("long: decodes 281 files")
	}
	events := corpus(t)
	own, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name  string
		e     *sigma.Engine
		least int // measured when this was written; fewer means that something was lost
	}{{"sigmahq", hq(t), 1904}, {"citywall", own, 716}} {
		m := x.e.NewMatcher()
		count, total := map[string]int{}, 0
		for _, ev := range events {
			fs := m.Match(ev)
			if got, want := ids(x.e, fs), sigma.BruteForce(x.e, ev); !slices.Equal(got, want) {
				t.Errorf("%s %s: with folding and index %v, without %v", ev.Fields.Str("Channel"), ev.Fields.Str("EventID"), got, want)
			}
			for _, f := range fs {
				total++
				count[f.Rule.Title]++
				if !slices.Contains(f.Events, ev.ID) || len(f.Events) != len(f.Origins) || f.Rule.Author == "" || f.ID == "" {
					t.Fatalf("%s: %+v", f.Rule.Title, f)
				}
			}
		}
		titles := make([]string, 0, len(count))
		for k := range count {
			titles = append(titles, k)
		}
		slices.SortFunc(titles, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
		t.Logf("%s: %d findings of %d rules on %d events", x.name, total, len(titles), len(events))
		for _, k := range titles[:min(len(titles), 25)] {
			t.Logf("%6d %s", count[k], k)
		}
		if total < x.least {
			t.Errorf("%s: %d findings, were %d", x.name, total, x.least)
		}
		for _, u := range m.Stats().Unseen {
			t.Logf("%s: no rule looks at %+v", x.name, u)
		}
	}
}

func benchmarkCorpus(b *testing.B, e *sigma.Engine) {
	events := corpus(b)
	m := e.NewMatcher()
	for _, ev := range events {
		m.Match(ev)
	}
	sigma.MeasureCPU(b, func(n int) { m.Match(events[n%len(events)]) })
	b.StopTimer()
	events = nil
	runtime.GC()
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	b.ReportMetric(float64(st.HeapAlloc)/1e6, "MB-engine")
	runtime.KeepAlive(m)
}

// BenchmarkCorpusSigmaHQ: all of SigmaHQ on the 10,015 records of the attack
// corpus, warm, decoding left out.
func BenchmarkCorpusSigmaHQ(b *testing.B) { benchmarkCorpus(b, hq(b)) }

// BenchmarkCorpusPack: Citywall's own pack on the same records.
func BenchmarkCorpusPack(b *testing.B) {
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		b.Fatal(err)
	}
	benchmarkCorpus(b, e)
}
