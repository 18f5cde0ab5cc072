// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"citywall/detect/sigma"
	"citywall/detect/sigma/ruletest"
	"citywall/event"
	"citywall/rules"
)

// packEvents are the records of the tests that lie beside the pack's rules.
func packEvents(t *testing.T) (out []*event.Event) {
	err := fs.WalkDir(rules.FS, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".test.txt") {
			return err
		}
		b, err := fs.ReadFile(rules.FS, p)
		for line := range bytes.Lines(b) {
			if !bytes.HasPrefix(line, []byte("{")) {
				continue
			}
			e, err := ruletest.Event(bytes.TrimSpace(line))
			if err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			out = append(out, e)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Matched says of one rule what Match says of all: it met fields where there is a
// finding, and none where there is none. Where a rule leaves the choice, Match may
// name another of the fields.
func TestMatchedIsWhatMatchSays(t *testing.T) {
	e, _, err := sigma.Load([]sigma.Set{{Name: "own", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, ev := range packEvents(t) {
		m := e.NewMatcher()
		found := map[string]bool{}
		for _, f := range m.Match(ev) {
			r := e.Rule(f.Rule.ID)
			if r.Kind != "" {
				continue
			}
			found[r.ID] = true
			got, ok := m.Matched(r, ev)
			if !ok || len(got) == 0 && len(f.Matched) > 0 {
				t.Errorf("%s: %v %+v, the finding says %+v", r.Title, ok, got, f.Matched)
			}
			n++
		}
		for _, r := range e.Rules() {
			if _, ok := m.Matched(r, ev); ok && !found[r.ID] && !r.Link {
				t.Errorf("%s: matched without a finding", r.Title)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d findings: the test tests little", n)
	}
}

func TestMembers(t *testing.T) {
	e, rep, err := sigma.Load([]sigma.Set{{Name: "t", FS: fstest.MapFS{"r.yml": {Data: []byte(`title: A
name: a
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0013
logsource: {product: windows, service: security}
detection: {sel: {EventID: 4625}, condition: sel}
---
title: Many
name: many
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0014
correlation: {type: event_count, rules: [a, a], group-by: [Computer], timespan: 10m, condition: {gte: 5}}
---
title: Twice
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0015
correlation: {type: temporal, rules: [many, a], group-by: [Computer], timespan: 1h}
`)}}}}, sigma.Options{})
	if err != nil || len(rep.Refused) > 0 {
		t.Fatal(err, rep.Refused)
	}
	got := map[string][]string{}
	for _, r := range e.Rules() {
		for _, m := range e.Members(r) {
			got[r.Title] = append(got[r.Title], m.Title)
		}
	}
	if d := gocmp.Diff(got, map[string][]string{"Many": {"A"}, "Twice": {"Many", "A"}}); d != "" {
		t.Error(d)
	}
}
