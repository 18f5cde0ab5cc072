// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/ingest/format"
	"citywall/internal/text"
)

const pack = `title: Encoded command
id: 00000000-0000-4000-8000-000000000001
author: A. Author
level: high
status: test
tags: [attack.execution, attack.t1059.001, cve.2021.1675]
logsource: {product: windows, service: security}
detection:
  s: {EventID: 4688, CommandLine|contains: ' -enc '}
  condition: s
---
title: Log cleared
id: 00000000-0000-4000-8000-000000000002
author: B. Author
level: medium
status: stable
tags: [attack.defense-evasion]
logsource: {product: windows, service: security}
detection:
  s: {EventID: 1102}
  condition: s
---
title: Many encoded commands
id: 00000000-0000-4000-8000-000000000003
author: C. Author
level: critical
correlation:
  type: event_count
  rules: [00000000-0000-4000-8000-000000000001]
  group-by: [Computer]
  timespan: 1h
  condition: {gte: 3}
  generate: true
`

var t0 = time.Date(2026, 3, 9, 1, 0, 0, 123_456_700, time.UTC)

// records are n Windows records in no order of time, of three computers.
func records(n int) []*event.Event {
	r := rand.New(rand.NewPCG(1, 2))
	var out []*event.Event
	for i := range n {
		e := &event.Event{
			ID: event.NewID("f", "", uint64(i)), Time: t0.Add(time.Duration(r.IntN(86_400_000)) * time.Millisecond), Product: "windows", Service: "security",
			Origin: event.Origin{Format: "evtx", File: "a.evtx", Offset: int64(4096 + i), Record: uint64(1000 + i)},
		}
		host := fmt.Sprintf("DC%d", r.IntN(3))
		for _, f := range [][2]string{{"Channel", "Security"}, {"Computer", host}, {"EventRecordID", fmt.Sprint(1000 + i)}} {
			e.Fields.Add(f[0], f[1])
		}
		switch r.IntN(4) {
		case 0:
			e.Fields.Add("EventID", "1102")
			e.Fields.Add("SubjectUserName", "=cmd|' /C calc'!A0")
		case 1:
			e.Fields.Add("EventID", "4688")
			e.Fields.Add("CommandLine", "powershell\r\n -enc <b>AAA</b> "+fmt.Sprint(i))
			e.Fields.Add("NewProcessName", `C:\ps.exe`)
		default:
			e.Fields.Add("EventID", "4624")
		}
		out = append(out, e)
	}
	return out
}

func hunt(t *testing.T, evs []*event.Event, change func(*Options)) *Result {
	t.Helper()
	engine, rep, err := sigma.Load([]sigma.Set{{Name: "t", FS: fstest.MapFS{"r.yml": {Data: []byte(pack)}}}}, sigma.Options{Batch: true})
	if err != nil || rep.Loaded != 3 {
		t.Fatalf("%v %+v", err, rep)
	}
	o := Options{Engine: engine, Read: func(_ context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		for _, e := range evs {
			if err := emit(e); err != nil {
				return nil, err
			}
		}
		return []incident.SourceStat{{File: "a.evtx", Format: "evtx", Records: int64(len(evs))}}, nil
	}}
	if change != nil {
		change(&o)
	}
	res, err := Hunt(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := res.Close(); err != nil {
			t.Error(err)
		}
	})
	return res
}

func written(t *testing.T, r *Result, format, profile string) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b, Form{Format: format, Profile: profile, Zone: time.UTC, Lang: text.En}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every format and profile has the same bytes for one worker and for seven, in
// memory and over the disk, whatever the order of the files.
func TestSameBytes(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	evs := records(6000)
	one := hunt(t, evs, func(o *Options) { o.Workers = 1 })
	turned := slices.Clone(evs)
	slices.Reverse(turned)
	many := hunt(t, turned, func(o *Options) { o.Workers, o.Memory = 7, 64<<10 })
	if many.rows.Runs() < 3 {
		t.Fatalf("%d runs on disk: nothing is tried", many.rows.Runs())
	}
	for _, f := range Formats {
		for _, p := range Profiles {
			a, b := written(t, one, f, p), written(t, many, f, p)
			if a != b {
				t.Errorf("%s %s differs: %d and %d bytes", f, p, len(a), len(b))
			}
			if again := written(t, many, f, p); again != b {
				t.Errorf("%s %s: the second writing differs", f, p)
			}
		}
	}
	var a, b strings.Builder
	for r, w := range map[*Result]*strings.Builder{one: &a, many: &b} {
		if err := r.Summary.Text(w, text.En, time.UTC); err != nil {
			t.Fatal(err)
		}
	}
	if a.String() != b.String() {
		t.Errorf("the summaries differ:\n%s\n%s", a.String(), b.String())
	}
	if err := many.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

// The rows are what a plain loop over the records finds.
func TestRows(t *testing.T) {
	evs := records(2000)
	res := hunt(t, evs, nil)
	want := map[string]int{}
	hits := int64(0)
	for _, e := range evs {
		id := map[string]string{"4688": "1", "1102": "2"}[e.Fields.Str("EventID")]
		if id != "" {
			want[id+" "+fmt.Sprint(e.Origin.Record)]++
			hits++
		}
	}
	got := map[string]int{}
	counted := 0
	var last time.Time
	err := res.Each(func(r *Row) error {
		if r.Time.Before(last) {
			t.Errorf("%s after %s", r.Time, last)
		}
		last = r.Time
		if n := r.RuleID[len(r.RuleID)-1:]; n == "3" {
			counted++
			if r.more.Events < 3 || r.RecordID == 0 {
				t.Errorf("%+v", r)
			}
		} else {
			got[n+" "+fmt.Sprint(r.RecordID)]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || counted == 0 {
		t.Errorf("%d rows, want %d; %d of the rule that counts", len(got), len(want), counted)
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%s: %d rows, want %d", k, got[k], n)
		}
	}
	s := res.Summary
	if s.Events != 2000 || s.Hits != hits || s.Rows != hits+int64(counted) || s.Levels[detect.Critical] != int64(counted) || s.Rules.total() != 3 {
		t.Errorf("summary %+v", s)
	}
}

// The lines of JSON have the keys of the contract, with the values of the record.
func TestContract(t *testing.T) {
	evs := records(40)
	i := slices.IndexFunc(evs, func(e *event.Event) bool { return e.Fields.Str("EventID") == "4688" })
	res := hunt(t, evs[i:i+1], nil)
	lines := strings.Split(strings.TrimSpace(written(t, res, "jsonl", "standard")), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines", len(lines))
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	e := evs[i]
	want := map[string]any{
		"time": e.Time.Format(time.RFC3339Nano), "rule_id": "00000000-0000-4000-8000-000000000001", "rule_title": "Encoded command", "rule_author": "A. Author", "level": "high",
		"computer": e.Fields.Str("Computer"), "channel": "Security", "event_id": "4688", "record_id": float64(e.Origin.Record), "file": "a.evtx", "path_in_archive": "", "offset": float64(e.Origin.Offset), "carved": false,
		"matched": map[string]any{"CommandLine": e.Fields.Str("CommandLine")}, "details": map[string]any{"CommandLine": e.Fields.Str("CommandLine"), "NewProcessName": `C:\ps.exe`},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	var all []map[string]any
	if err := json.Unmarshal([]byte(written(t, res, "json", "verbose")), &all); err != nil || len(all) != 1 || all[0]["status"] != "test" || all[0]["rule_id"] != want["rule_id"] {
		t.Errorf("%v %v", all, err)
	}
}

// A spreadsheet takes nothing for a formula, a row is one line, and no page has
// markup out of a record.
func TestHarmless(t *testing.T) {
	res := hunt(t, records(60), nil)
	out := written(t, res, "csv", "standard")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != strings.Count(out, "\n") || len(rows) < 20 {
		t.Fatalf("%d rows on %d lines, %v", len(rows), strings.Count(out, "\n"), err)
	}
	if !slices.Equal(rows[0][:7], []string{"Timestamp", "RuleTitle", "Level", "Computer", "Channel", "EventID", "RecordID"}) {
		t.Errorf("columns %v", rows[0])
	}
	for _, r := range rows {
		for _, c := range r {
			if c != "" && strings.ContainsRune("=+-@", rune(c[0])) {
				t.Errorf("a formula: %q", c)
			}
		}
	}
	if !slices.ContainsFunc(rows, func(r []string) bool { return r[2] == "med" && r[4] == "Sec" }) {
		t.Errorf("levels and channels are not short: %v", rows[1])
	}
	evs := records(8)
	for _, e := range evs {
		e.Fields.Set("Computer", event.T("<script>alert(1)</script>\x1b[31m"))
		e.Fields.Set("EventID", event.T("1102"))
	}
	res = hunt(t, evs, nil)
	if page := written(t, res, "html", "standard"); strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("markup out of a record")
	}
	var b strings.Builder
	if err := res.Summary.Text(&b, text.ZhTW, time.UTC); err != nil || strings.Contains(b.String(), "\x1b") {
		t.Errorf("a record steers the terminal: %q %v", b.String(), err)
	}
}

func TestFilter(t *testing.T) {
	row := Row{Time: t0, RuleID: "r1", Level: detect.High, Computer: "dc01.city.example", Channel: "Security", EventID: "4688", more: more{Tags: []string{"attack.execution", "attack.t1059.001"}, Status: "test"}}
	for name, c := range map[string]struct {
		f    Filter
		want bool
	}{
		"all":              {Filter{}, true},
		"min":              {Filter{Min: detect.High}, true},
		"above":            {Filter{Min: detect.Critical}, false},
		"level":            {Filter{Levels: []detect.Level{detect.Low, detect.High}}, true},
		"other level":      {Filter{Levels: []detect.Level{detect.Low}}, false},
		"tag":              {Filter{Tags: []string{"ATTACK.T1059.001"}}, true},
		"tag above":        {Filter{Tags: []string{"attack.t1059"}}, true},
		"tag that begins":  {Filter{Tags: []string{"attack.t105"}}, false},
		"excluded tag":     {Filter{NoTags: []string{"attack.execution"}}, false},
		"status":           {Filter{Statuses: []string{"stable"}}, false},
		"computer":         {Filter{Computers: []string{"DC01.city.example"}}, true},
		"part of it":       {Filter{Computers: []string{"dc01"}}, false},
		"pattern":          {Filter{Computers: []string{"dc*"}}, true},
		"pattern within":   {Filter{Computers: []string{"*01*exam*"}}, true},
		"pattern at end":   {Filter{Computers: []string{"*.city"}}, false},
		"short channel":    {Filter{Channels: []string{"sec"}}, true},
		"event id":         {Filter{EventIDs: []string{"1", "4688"}}, true},
		"rule":             {Filter{Rules: []string{"r2"}}, false},
		"excluded rule":    {Filter{NoRules: []string{"r1"}}, false},
		"from, included":   {Filter{From: t0}, true},
		"to, not included": {Filter{To: t0}, false},
	} {
		if got := c.f.wants(&row); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTable(t *testing.T) {
	tab, err := parseTable(detailsFile)
	if err != nil || len(tab.byEvent) < 80 || tab.channel("SECURITY") != "Sec" || tab.channel("Other") != "Other" {
		t.Errorf("%d, %v", len(tab.byEvent), err)
	}
	for _, bad := range []string{"details: [{channel: A, ids: ['1'], fields: [x]}, {channel: a, ids: ['1'], fields: [x]}]", "other: 1"} {
		if _, err := parseTable([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// An error of the disk, or of the reader, ends the hunt and is told.
func TestErrors(t *testing.T) {
	broken := fmt.Errorf("broken")
	engine, _, err := sigma.Load([]sigma.Set{{Name: "t", FS: fstest.MapFS{"r.yml": {Data: []byte(pack)}}}}, sigma.Options{Batch: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Hunt(t.Context(), Options{Engine: engine, Read: func(context.Context, format.Emit) ([]incident.SourceStat, error) { return nil, broken }})
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Error(err)
	}
	t.Setenv("TMPDIR", "/nonexistent/dir")
	_, err = Hunt(t.Context(), Options{Engine: engine, Memory: 1, Read: func(_ context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		for _, e := range records(5000) {
			if err := emit(e); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}})
	if err == nil || !strings.Contains(err.Error(), "sort on disk") {
		t.Error(err)
	}
}
