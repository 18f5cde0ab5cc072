// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ruletest

import (
	"strings"
	"testing"
	"testing/fstest"

	"citywall/detect/coverage"
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
// every rule loads, is routed, has an author and a block of its own, names only
// techniques that are known, and no two share an id.
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
		for _, tech := range append(r.Meaning.Techniques, r.Meaning.Technique) {
			if _, ok := coverage.Known(tech); !ok && tech != "" {
				t.Errorf("%s: technique %s is not in the table of detect/coverage", r.File, tech)
			}
		}
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

// TestPackCoversTheChain: rules that give findings of their own and that a known
// source feeds, counted by folder; the verdicts of other products (alerts) are
// none of ours. At least 120 in all, and each part of the chain has its share.
func TestPackCoversTheChain(t *testing.T) {
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	count, all := map[string]int{}, 0
	for _, r := range e.Rules() {
		area, _, _ := strings.Cut(r.File, "/")
		if r.Link || area == "alerts" || r.Kind == "" && !r.Routed {
			continue
		}
		count[area]++
		all++
	}
	t.Logf("%d rules: %v", all, count)
	if all < 120 {
		t.Errorf("%d rules, want at least 120", all)
	}
	for area, least := range map[string]int{
		"phishing": 10, "entry": 6, "web": 15, "execution": 10, "persistence": 15, "credential": 20, "directory": 10, "discovery": 4, "lateral": 20, "rmm": 5,
		"evasion": 20, "impact": 20, "exfil": 10, "network": 10, "firewall": 20, "linux": 15, "hypervisor": 10, "nas": 10, "mail": 4, "antivirus": 4,
	} {
		if count[area] < least {
			t.Errorf("%s: %d rules, want at least %d", area, count[area], least)
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
