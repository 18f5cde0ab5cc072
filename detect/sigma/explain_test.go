// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"citywall/event"
)

const explained = `title: Encoded
id: 00000000-0000-4000-8000-000000000001
level: high
logsource: {product: windows, service: security}
detection:
  s: {EventID: 4688, CommandLine|contains|all: [' -enc ', 'bypass']}
  f: {User: SYSTEM}
  k: ['never there']
  condition: s and not f or 1 of k*
---
title: Not of the house's own
id: 00000000-0000-4000-8000-000000000002
logsource: {product: windows, service: security}
filter:
  rules: [00000000-0000-4000-8000-000000000001]
  s: {Computer: lab}
  condition: not s
`

func TestExplain(t *testing.T) {
	e, rep, err := Load([]Set{{Name: "t", FS: fstest.MapFS{"r.yml": {Data: []byte(explained)}}}}, Options{})
	if err != nil || rep.Loaded != 1 || rep.Filters != 1 {
		t.Fatalf("%v %+v", err, rep)
	}
	m := e.NewMatcher()
	ev := func(pairs ...string) *event.Event {
		x := &event.Event{Product: "windows", Service: "security"}
		for i := 0; i < len(pairs); i += 2 {
			x.Fields.Add(pairs[i], pairs[i+1])
		}
		return x
	}
	for name, c := range map[string]struct {
		ev   *event.Event
		want bool
		says []string
	}{
		"meets":        {ev("Channel", "Security", "EventID", "4688", "CommandLine", "x -enc bypass"), true, []string{`+ field all CommandLine is ["x -enc bypass"]`, `+ "bypass"`, "- field User is absent"}},
		"half":         {ev("Channel", "Security", "EventID", "4688", "CommandLine", "x -enc y"), false, []string{`- field all CommandLine is ["x -enc y"]`, `+ " -enc "`, `- "bypass"`}},
		"other id":     {ev("Channel", "Security", "EventID", "4624"), false, []string{`- field EventID is ["4624"]`}},
		"excluded":     {ev("Channel", "Security", "EventID", "4688", "CommandLine", "x -enc bypass", "User", "SYSTEM"), false, []string{"- not", `+ field User is ["SYSTEM"]`}},
		"filtered":     {ev("Channel", "Security", "EventID", "4688", "CommandLine", "x -enc bypass", "Computer", "lab"), false, []string{`suppressed by the filter "Not of the house's own"`}},
		"other source": {ev("Channel", "System", "EventID", "4688"), false, []string{`the event's channel is "System"`}},
	} {
		x := m.Explain(e.Rules()[0], c.ev)
		text := x.Text()
		if x.Matched != c.want || x.Matched != (len(m.Match(c.ev)) > 0) {
			t.Errorf("%s: %v\n%s", name, x.Matched, text)
		}
		for _, s := range c.says {
			if !strings.Contains(text, s) {
				t.Errorf("%s does not say %s:\n%s", name, s, text)
			}
		}
	}
}

// Whatever the event, the explanation agrees with the matcher.
func TestExplainAgrees(t *testing.T) {
	e, _, err := Load([]Set{{Name: "t", FS: fstest.MapFS{"r.yml": {Data: []byte(explained)}}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := e.NewMatcher()
	pick := func(t *rapid.T, name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	rapid.Check(t, func(t *rapid.T) {
		ev := &event.Event{Product: pick(t, "product", "windows", "linux", ""), Service: pick(t, "service", "security", "")}
		for _, f := range [][]string{
			{"Channel", "", "Security", "security", "System"}, {"EventID", "", "4688", "4624"}, {"CommandLine", "", "a -enc bypass", "a -ENC BYPASS b", "never there"},
			{"User", "", "SYSTEM", "chen"}, {"Computer", "", "lab", "pc"},
		} {
			if v := pick(t, f[0], f[1:]...); v != "" {
				ev.Fields.Add(f[0], v)
			}
		}
		if x := m.Explain(e.Rules()[0], ev); x.Matched != (len(m.Match(ev)) > 0) {
			t.Fatalf("%+v: explained %v\n%s", ev, x.Matched, x.Text())
		}
	})
}
