// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package ruletest runs the text tests that lie beside rules: events above a
// line, expected findings below (rules/README.md).
//
// It promises that a rule without a test, a test without a look-alike and a
// test without a finding fail. It is for tests and for `citywall rules test`;
// it never looks at anything but the files it is given.
package ruletest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
)

// Result is what one rule file's test gave. No problems means passed.
type Result struct {
	Rule     string   // path of the rule file
	Events   int      // in the test
	Findings int      // expected
	Problems []string // sentences
}

// Run tests every rule of fsys against the file NAME.test.txt beside it.
func Run(fsys fs.FS, opt sigma.Options) ([]Result, error) {
	var rules, tests []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
		case strings.HasSuffix(p, ".yml"):
			rules = append(rules, p)
		case strings.HasSuffix(p, ".test.txt"):
			tests = append(tests, p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	pack, _, err := sigma.Load([]sigma.Set{{Name: "pack", FS: fsys}}, opt)
	if err != nil {
		return nil, err
	}
	var out []Result
	for _, p := range rules {
		r, err := runOne(fsys, p, pack, opt)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", p, err)
		}
		out = append(out, r)
	}
	for _, p := range tests {
		if rule := strings.TrimSuffix(p, ".test.txt") + ".yml"; !contains(rules, rule) {
			out = append(out, Result{Rule: rule, Problems: []string{"test " + p + " has no rule"}})
		}
	}
	return out, nil
}

func contains(list []string, s string) bool {
	i := sort.SearchStrings(list, s)
	return i < len(list) && list[i] == s
}

func runOne(fsys fs.FS, rule string, pack *sigma.Engine, opt sigma.Options) (Result, error) {
	res := Result{Rule: rule}
	say := func(f string, args ...any) { res.Problems = append(res.Problems, fmt.Sprintf(f, args...)) }
	engine, report, err := sigma.Load([]sigma.Set{{Name: "test", FS: single{fsys, rule}}}, opt)
	if err != nil {
		return res, err
	}
	for _, list := range [][]sigma.Problem{report.Refused, report.Waiting, report.Unrouted, report.Warnings} {
		for _, p := range list {
			say("%s: %s", p.Title, p.Reason)
		}
	}
	name := strings.TrimSuffix(rule, ".yml") + ".test.txt"
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		say("no test: %s is missing", name)
		return res, nil
	}
	t, err := parse(text)
	if err != nil {
		say("%s: %v", name, err)
		return res, nil
	}
	res.Events, res.Findings = len(t.events), len(t.expected)
	own := map[string]bool{}
	alone := true // a correlation remembers, so it is held to its test once only
	for _, r := range engine.Rules() {
		own[r.ID] = true
		alone = alone && r.Kind == ""
	}
	got, fired := match(engine, t.events, own)
	for _, d := range diff(t.expected, got) {
		say("%s: %s", name, d)
	}
	if alone && len(report.Refused)+len(report.Waiting) == 0 {
		together, _ := match(pack, t.events, own)
		for _, d := range diff(got, together) {
			say("%s: among the other rules: %s", name, d)
		}
	}
	if len(t.expected) == 0 {
		say("%s: no finding is expected: a test must show the rule firing", name)
	}
	if len(fired) == len(t.events) {
		say("%s: every event fires: a test needs a look-alike that does not", name)
	}
	return res, nil
}

// single shows one file of a tree as if it stood alone at its root.
type single struct {
	fs.FS
	name string
}

// Open opens that file, or the root.
func (s single) Open(name string) (fs.File, error) {
	if name == path.Base(s.name) {
		name = s.name
	}
	return s.FS.Open(name)
}

// ReadDir lists that file alone.
func (s single) ReadDir(string) ([]fs.DirEntry, error) {
	st, err := fs.Stat(s.FS, s.name)
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(st)}, nil
}

// match returns what the rules named by own say of the events.
func match(e *sigma.Engine, events []*event.Event, own map[string]bool) (lines []string, fired map[int]bool) {
	m := e.NewMatcher()
	fired = map[int]bool{}
	for i, ev := range events {
		for _, f := range m.Match(ev) {
			if own[f.Rule.ID] {
				lines = append(lines, Line(i+1, f))
				fired[i] = true
			}
		}
	}
	return lines, fired
}

// Line is how a test writes a finding.
func Line(event int, f detect.Finding) string {
	return fmt.Sprintf("%d %s %s %s", event, f.Rule.Level, f.Meaning.Step, f.Rule.Title)
}

// diff names lines that are missing and lines that are too many.
func diff(want, got []string) []string {
	count := map[string]int{}
	for _, w := range want {
		count[w]++
	}
	var out []string
	for _, g := range got {
		if count[g]--; count[g] < 0 {
			out = append(out, "not expected: "+g)
		}
	}
	for _, w := range want {
		if count[w] > 0 {
			out = append(out, "did not fire: "+w)
			count[w]--
		}
	}
	return out
}

type script struct {
	events   []*event.Event
	expected []string
}

func parse(text []byte) (script, error) {
	var s script
	below := false
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == "---":
			below = true
		case below:
			s.expected = append(s.expected, line)
		default:
			e, err := Event([]byte(line))
			if err != nil {
				return s, fmt.Errorf("line %d: %w", n, err)
			}
			e.ID = event.NewID("ruletest", "", uint64(n))
			s.events = append(s.events, e)
		}
	}
	if err := sc.Err(); err != nil {
		return s, err
	}
	if !below {
		return s, fmt.Errorf(`no line "---"`)
	}
	return s, nil
}

// Event makes an event of a JSON object with native field names. _product,
// _category, _service and _time (RFC 3339) are its labels; numbers and
// booleans become their text; nested objects become dotted names.
func Event(b []byte) (*event.Event, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	e := &event.Event{Raw: b}
	if err := object(dec, "", e); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one object on the line")
	}
	return e, nil
}

func object(dec *json.Decoder, before string, e *event.Event) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("want an object, not %v", t)
	}
	return members(dec, before, e)
}

func members(dec *json.Decoder, before string, e *event.Event) error {
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return err
		}
		name := before + k.(string)
		t, err := dec.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'):
			err = members(dec, name+".", e)
		case json.Delim('['):
			err = list(dec, name, e)
		default:
			err = set(e, name, t)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func list(dec *json.Decoder, name string, e *event.Event) error {
	v := event.Value{Kind: event.List}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		if _, ok := t.(json.Delim); ok {
			return fmt.Errorf("%s: a list holds single values only", name)
		}
		v.List = append(v.List, text(t))
	}
	e.Fields.Set(name, v)
	_, err := dec.Token()
	return err
}

func set(e *event.Event, name string, t json.Token) error {
	switch name {
	case "_product":
		e.Product = text(t)
	case "_category":
		e.Category = text(t)
	case "_service":
		e.Service = text(t)
	case "_time":
		at, err := time.Parse(time.RFC3339Nano, text(t))
		if err != nil {
			return fmt.Errorf("_time: %w", err)
		}
		e.Time = at.UTC()
	default:
		if strings.HasPrefix(name, "_") && name != "_path" && name != "_system_name" {
			return fmt.Errorf("%s is no label", name)
		}
		if t == nil {
			e.Fields.Set(name, event.Value{})
			return nil
		}
		e.Fields.Set(name, event.T(text(t)))
	}
	return nil
}

func text(t json.Token) string {
	if t == nil {
		return ""
	}
	return fmt.Sprint(t)
}
