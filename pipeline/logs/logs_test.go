// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/detect"
	"citywall/event"
	"citywall/ingest/format"
)

var t0 = time.Date(2026, 3, 9, 1, 0, 0, 0, time.UTC)

func win(id, computer string, at time.Time, fields ...string) *event.Event {
	e := &event.Event{ID: event.NewID("f", computer, uint64(at.UnixNano())), Time: at, Product: "windows", Service: "security", Origin: event.Origin{Format: "evtx", File: "a.evtx"}}
	for i, f := range append([]string{"Channel", "Security", "Computer", computer, "EventID", id}, fields...) {
		if i%2 == 1 {
			continue
		}
		e.Fields.Add(f, append([]string{"Channel", "Security", "Computer", computer, "EventID", id}, fields...)[i+1])
	}
	return e
}

func lines(t Table) string {
	var b strings.Builder
	for _, r := range append([][]string{t.Header}, t.Rows...) {
		b.WriteString(strings.Join(r, "|") + "\n")
	}
	return b.String()
}

func TestMetrics(t *testing.T) {
	evs := []*event.Event{win("4624", "dc1", t0), win("4624", "dc2", t0.Add(time.Hour)), win("1102", "dc1", t0.Add(-time.Hour)), win("9999", "dc1", time.Time{})}
	for by, want := range map[string]string{
		"eid":      "channel|event_id|title|count|percent|first|last\nSecurity|4624|Logon|2|50.00|2026-03-09T01:00:00Z|2026-03-09T02:00:00Z\nSecurity|1102|The security log was cleared|1|25.00|2026-03-09T00:00:00Z|2026-03-09T00:00:00Z\nSecurity|9999||1|25.00||\n",
		"computer": "computer|count|percent|first|last\ndc1|3|75.00|2026-03-09T00:00:00Z|2026-03-09T01:00:00Z\ndc2|1|25.00|2026-03-09T02:00:00Z|2026-03-09T02:00:00Z\n",
		"channel":  "channel|count|percent|first|last\nSecurity|4|100.00|2026-03-09T00:00:00Z|2026-03-09T02:00:00Z\n",
		"file":     "file|path_in_archive|format|count|percent|first|last\na.evtx||evtx|4|100.00|2026-03-09T00:00:00Z|2026-03-09T02:00:00Z\n",
	} {
		m, err := NewMetrics(by)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range evs {
			m.Add(e)
		}
		if got := lines(m.Table()); got != want {
			t.Errorf("%s:\n%swant\n%s", by, got, want)
		}
	}
	if _, err := NewMetrics("colour"); err == nil {
		t.Error("counts by colour")
	}
}

// What does not fit is counted together, and nothing is lost from the sum.
func TestBound(t *testing.T) {
	c := counter{most: 10}
	for i := range 100 {
		c.add(t0, fmt.Sprint("x", i%25))
	}
	n := int64(0)
	for _, x := range c.sorted() {
		n += x.n
	}
	if len(c.by) != 11 || c.by[Rest] == nil || c.by[Rest].n != 60 || n != 100 {
		t.Errorf("%d keys, rest %+v, %d in all", len(c.by), c.by[Rest], n)
	}
}

func TestLogons(t *testing.T) {
	var l Logons
	for i := range 3 {
		l.Add(win("4625", "dc1", t0.Add(time.Duration(i)*time.Second), "TargetUserName", "chen", "TargetDomainName", "CITY", "LogonType", "3", "IpAddress", "10.0.0.9", "WorkstationName", "PC9"))
	}
	l.Add(win("4624", "dc1", t0.Add(time.Minute), "TargetUserName", "chen", "TargetDomainName", "CITY", "LogonType", "10", "IpAddress", "10.0.0.9"))
	l.Add(win("4688", "dc1", t0))
	got := l.Table()
	if len(got.Rows) != 2 || got.Rows[0][0] != "failure" || got.Rows[0][2] != `city\chen` || got.Rows[0][3] != "3 network" || got.Rows[0][5] != "10.0.0.9" || got.Rows[0][6] != "3" || got.Rows[1][0] != "success" || got.Rows[1][3] != "10 remote interactive" {
		t.Errorf("\n%s", lines(got))
	}
}

func TestQuery(t *testing.T) {
	e := win("4688", "dc1", t0, "CommandLine", `C:\tools\MIMIKATZ.exe "sekurlsa::logonpasswords"`)
	e.Fields.Set("Data", event.L("one", "two (2)"))
	for _, c := range []struct {
		words, fields     []string
		all, regex, cased bool
		want              bool
	}{
		{words: []string{"mimikatz"}, want: true},
		{words: []string{"mimikatz"}, cased: true},
		{words: []string{"nothing", "mimikatz"}, want: true},
		{words: []string{"nothing", "mimikatz"}, all: true},
		{words: []string{"sekurlsa", "dc1"}, all: true, want: true},
		{words: []string{"two (2)"}, want: true},
		{words: []string{`two \(\d\)`}, regex: true, want: true},
		{words: []string{`two \(\d\)`}},
		{fields: []string{"CommandLine=tools"}, want: true},
		{fields: []string{"CommandLine=tools", "EventID=4624"}},
		{fields: []string{"Missing=x"}},
		{words: []string{"4688"}, fields: []string{"EventID=^46"}, regex: true, want: true},
	} {
		q, err := NewQuery(c.words, c.fields, c.all, c.regex, c.cased)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Match(e); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for _, bad := range [][2][]string{{nil, nil}, {{""}, nil}, {nil, {"x"}}, {{"("}, nil}} {
		if _, err := NewQuery(bad[0], bad[1], false, true, false); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestPivot(t *testing.T) {
	p := Pivot{Min: detect.Medium}
	hit := func(l detect.Level) []detect.Finding { return []detect.Finding{{Rule: detect.Rule{Level: l}}} }
	p.Add(win("4625", "dc1", t0, "TargetUserName", "chen", "SubjectUserName", "-", "IpAddress", "10.0.0.9"), hit(detect.High))
	p.Add(win("4625", "dc1", t0.Add(time.Hour), "TargetUserName", "chen", "SubjectUserName", "chen", "IpAddress", "::1"), hit(detect.Medium))
	p.Add(win("4625", "dc1", t0, "TargetUserName", "lin"), hit(detect.Low))
	p.Add(win("4625", "dc1", t0, "TargetUserName", "wu"), nil)
	want := "kind|value|level|records|first|last\naccount|chen|high|2|2026-03-09T01:00:00Z|2026-03-09T02:00:00Z\naddress|10.0.0.9|high|1|2026-03-09T01:00:00Z|2026-03-09T01:00:00Z\n"
	if got := lines(p.Table()); got != want {
		t.Errorf("\n%swant\n%s", got, want)
	}
}

func TestGaps(t *testing.T) {
	var evs []*event.Event
	for i := range 200 { // every ten minutes, but for nine hours in the middle and for six that tell of a clearing
		at := t0.Add(time.Duration(i) * 10 * time.Minute)
		switch {
		case i > 60 && i < 115, i > 150 && i < 187:
		default:
			evs = append(evs, win("4624", "dc1", at))
		}
	}
	evs = append(evs, win("1102", "dc1", t0.Add(1865*time.Minute)))
	slices.Reverse(evs) // files come in any order
	g := Gaps{Silence: 5 * time.Hour}
	for _, e := range evs {
		g.Add(e)
	}
	got := g.Table([]Source{{File: "a.evtx", Gaps: []format.Gap{{Channel: "Security", After: 100, Before: 150, FromTime: t0, ToTime: t0.Add(time.Hour)}}}})
	want := []string{
		"record_ids|a.evtx|||Security|2026-03-09T01:00:00Z|2026-03-09T02:00:00Z|49|no",
		"silence|||dc1|Security|2026-03-09T11:00:00Z|2026-03-09T20:10:00Z|9h10m0s|no",
		"silence|||dc1|Security|2026-03-10T02:00:00Z|2026-03-10T08:05:00Z|6h5m0s|yes",
	}
	if lines(Table{Header: want[:0], Rows: got.Rows}) != "\n"+strings.Join(want, "\n")+"\n" {
		t.Errorf("\n%s", lines(got))
	}
}

func TestTitles(t *testing.T) {
	m, err := parseTitles(titlesFile)
	if err != nil || len(m) < 100 {
		t.Errorf("%d titles, %v", len(m), err)
	}
}
