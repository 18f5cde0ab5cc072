// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ruletest

import (
	"strings"
	"testing"
	"testing/fstest"

	"citywall/detect/sigma"
	"citywall/rules"
)

// TestPack runs the test of every rule of Citywall's own pack.
func TestPack(t *testing.T) {
	results, err := Run(rules.FS, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Run(r.Rule, func(t *testing.T) {
			for _, p := range r.Problems {
				t.Error(p)
			}
		})
	}
}

// TestPackLoadsTogether holds the pack as a whole to what users may rely on:
// every rule loads, is routed, has an author and a block of its own, and no two
// share an id.
func TestPackLoadsTogether(t *testing.T) {
	e, rep, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]sigma.Problem{rep.Refused, rep.Waiting, rep.Unrouted, rep.Warnings} {
		for _, p := range list {
			t.Errorf("%s: %s", p.File, p.Reason)
		}
	}
	for _, r := range e.Rules() {
		switch {
		case r.Author != "Citywall":
			t.Errorf("%s: author %q", r.File, r.Author)
		case r.Description == "" || r.Date == "" || len(r.FalsePositives) == 0 || len(r.Tags) == 0:
			t.Errorf("%s: description, date, falsepositives and tags are required", r.File)
		case r.Meaning.Step == "" || r.Meaning.Technique == "" && r.Meaning.Step != "other":
			t.Errorf("%s: step or technique is missing", r.File)
		}
	}
}

// TestRunner plants every mistake that the runner must see.
func TestRunner(t *testing.T) {
	const rule = `
title: Shell
id: 0d6a6f0c-7c52-4b0e-8a11-000000000001
logsource: {product: linux, service: sudo}
detection: {s: {message|contains: shell}, condition: s}
level: low
citywall: {step: privilege}
`
	const good = `
{"_product":"linux","_service":"sudo","message":"a shell"}
{"_product":"linux","_service":"sudo","message":"a sheep"}
---
1 low privilege Shell
`
	for _, c := range []struct{ name, test, want string }{
		{"good", good, ""},
		{"no test", "", "no test"},
		{"no line", "{}", `no line "---"`},
		{"not JSON", "x\n---\n", "line 1"},
		{"no finding", `{"_product":"linux","_service":"sudo","message":"a sheep"}` + "\n---\n", "must show the rule firing"},
		{"no look-alike", `{"_product":"linux","_service":"sudo","message":"shell"}` + "\n---\n1 low privilege Shell\n", "needs a look-alike"},
		{"too many", strings.Replace(good, "sheep", "shell", 1), "not expected: 2 low privilege Shell"},
		{"too few", good + "2 low privilege Shell\n", "did not fire: 2 low privilege Shell"},
		{"other level", strings.Replace(good, "1 low", "1 high", 1), "did not fire: 1 high"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fstest.MapFS{"a/shell.yml": {Data: []byte(rule)}}
			if c.test != "" {
				f["a/shell.test.txt"] = &fstest.MapFile{Data: []byte(c.test)}
			}
			res, err := Run(f, sigma.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(res[0].Problems, "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
}
