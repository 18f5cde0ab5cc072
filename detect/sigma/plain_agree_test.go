// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"archive/zip"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx"
	"citywall/internal/shared"
)

// TestPlainRandom holds the engine against the plain evaluator on random rules
// and events.
func TestPlainRandom(t *testing.T) {
	routes := plainTables(t)
	rapid.Check(t, func(t *rapid.T) {
		var docs []string
		f := fstest.MapFS{}
		for i := range 3 {
			doc := fmt.Sprintf("id: 00000000-0000-4000-8000-00000000000%d\n%s", i, randomRule(t))
			docs = append(docs, doc)
			f[fmt.Sprint(i, ".yml")] = &fstest.MapFile{Data: []byte(doc)}
		}
		e, rep, err := Load([]Set{{Name: "x", FS: f}}, Options{})
		if err != nil || rep.Loaded != 3 {
			t.Fatalf("%v %+v", err, rep)
		}
		rules := plainRules(nil, docs...)
		m := e.NewMatcher()
		for range 4 {
			ev := &event.Event{Product: "test", Fields: randomFields(t)}
			if d := plainDiffers(m, rules, ev, routes); d != "" {
				t.Fatalf("%v\n%s\n%s", ev.Fields, d, strings.Join(docs, "---\n"))
			}
		}
	})
}

// plainDiffers says which rules the two do not agree on.
func plainDiffers(m *Matcher, rules []plainRule, ev *event.Event, routes []plainRoute) string {
	got := map[string]bool{}
	for _, f := range m.Match(ev) {
		got[f.Rule.ID] = true
	}
	var out []string
	for _, r := range rules {
		if want := plainMatch(r, ev, routes); want != got[r.id] {
			out = append(out, fmt.Sprintf("rule %s: engine %v, plain evaluator %v", r.id, got[r.id], want))
		}
	}
	return strings.Join(out, "\n")
}

// TestPlainDecisions goes over what the random rules do not
// reach: encodings, dates, lists, field names.
func TestPlainDecisions(t *testing.T) {
	routes := plainTables(t)
	values := []string{"Zm9vYmFy", "xx Zm9vYmFy xx", "eGZvb2Jhcg==", "eHhmb29iYXI=", "YQBiAA==", "AGEAYg==", "//5hAGIA", "foobar", "/c ab-cd", "–c ab-cd", "-c ab/cd", "2025-10-22T20:30:29Z", "2025-10-22", "0x14", "20", "20.5", "abc", "ABC", "", `C:\x`, `C:\\x`, "a*c", "a護c"}
	for i, entry := range []string{
		`F|base64: foobar`, `F|base64offset|contains: foobar`, `F|wide|base64offset|contains: ab`, `F|utf16be|base64: ab`, `F|utf16|base64: ab`, `F|windash: '/c ab-cd'`, `F|contains|windash: '-c'`, `F|windash|base64offset|contains: '-c ab'`,
		`F|hour: 20`, `F|hour|gte: 20`, `F|week: 43`, `F|minute: 30`, `F|year|lt: 2026`, `F|gt: 19`, `F|lte: 20`, `F: 0x14`, `F: 20`, `F: 'a*c'`, `F: 'a\*c'`, `F: 'a?c'`, `F: 'C:\x'`, `F: 'C:\\x'`, `F|cased: abc`, `F: ''`, `F: null`, `F|exists: false`, `F|re: '^a.c$'`, `F|re|i: 'abc'`,
		`F|neq: abc`, `F|fieldref: G`, `F|fieldref|neq: G`, "F|contains|all: [a, c]", "'|all': [abc, foo]",
	} {
		doc := fmt.Sprintf("title: t\nid: 00000000-0000-4000-8000-0000000001%02d\nlogsource: {product: test}\ndetection:\n  s:\n    %s\n  condition: s\n", i, entry)
		e, rep, err := Load([]Set{{Name: "x", FS: fstest.MapFS{"a.yml": {Data: []byte(doc)}}}}, Options{})
		if err != nil || rep.Loaded != 1 {
			t.Fatalf("%s: %v %+v", entry, err, rep.Refused)
		}
		rules, m := plainRules(t, doc), e.NewMatcher()
		for _, v := range values {
			for _, w := range []string{"abc", "foo abc"} {
				for _, fields := range []event.Fields{{{Name: "F", Value: event.T(v)}, {Name: "G", Value: event.T(w)}}, {{Name: "F", Value: event.L(v, w)}}, {{Name: "F"}}, {{Name: "G", Value: event.T(v)}}} {
					if d := plainDiffers(m, rules, &event.Event{Product: "test", Fields: fields}, routes); d != "" {
						t.Errorf("%s on %v: %s", entry, fields, d)
					}
				}
			}
		}
	}
}

// TestPlainCorpus holds all of SigmaHQ against the records of the regression
// cases and of recorded attacks, with the engine and with the plain evaluator.
// For time's sake the latter takes one in so many records of both; the
// environment variable CITYWALL_PLAIN_ALL takes them all.
func TestPlainCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("slow by design: not with -short")
	}
	e, rep := loadHQ(t, Options{})
	waiting := map[string]bool{}
	for _, p := range rep.Waiting {
		waiting[p.ID] = true
	}
	z, err := zip.OpenReader(shared.Path(t, "sigma/sigmahq-rules.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var docs []string
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".yml") {
			docs = append(docs, string(readMember(t, &z.Reader, f.Name)))
		}
	}
	var rules []plainRule
	for _, r := range plainRules(t, docs...) {
		if !waiting[r.id] {
			rules = append(rules, r)
		}
	}
	if len(rules) < 3500 {
		t.Fatalf("%d rules", len(rules))
	}
	routes := plainTables(t)
	m := e.NewMatcher()
	n, hits := 0, 0
	check := func(ev *event.Event) {
		n++
		hits += len(m.Match(ev))
		if d := plainDiffers(m, rules, ev, routes); d != "" {
			t.Errorf("%s %s:\n%s", ev.Fields.Str("Channel"), ev.Fields.Str("EventID"), d)
		}
	}
	every, cases := 500, 3
	if os.Getenv("CITYWALL_PLAIN_ALL") != "" {
		every, cases = 1, 1
	}
	for i, ev := range regressionEvents(t) {
		if i%cases == 0 {
			check(ev)
		}
	}
	a, err := zip.OpenReader(shared.Path(t, "evtx/attack/evtx-to-mitre-attack.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	at := 0
	for _, f := range a.File {
		if !strings.HasSuffix(f.Name, ".evtx") {
			continue
		}
		_, err := evtx.Format().Decode(t.Context(), strings.NewReader(string(readMember(t, &a.Reader, f.Name))), format.Source{File: f.Name}, func(ev *event.Event) error {
			if at++; at%every == 0 {
				check(ev)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d records, %d rules, %d hits", n, len(rules), hits)
	if hits < n {
		t.Errorf("%d hits in %d records: the comparison says little", hits, n)
	}
}
