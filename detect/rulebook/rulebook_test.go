// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package rulebook

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/identity"
	"citywall/internal/db"
	"citywall/internal/fault"
	"citywall/internal/text"
)

const shell = `title: Shell
id: 11111111-0000-4000-8000-000000000001
level: high
tags: [attack.t1059]
license: DRL 1.1
logsource: {product: windows, service: security}
detection: {sel: {EventID: 4688, CommandLine|contains: ' -enc '}, condition: sel}
`

var texts = map[string]string{
	"shell.yml": shell,
	"cloud.yml": "title: Cloud\nid: 11111111-0000-4000-8000-000000000002\nlevel: low\nlogsource: {product: nowhere}\ndetection: {sel: {a: b}, condition: sel}\n",
	"hosts.yml": "title: Hosts\nid: 11111111-0000-4000-8000-000000000003\nlogsource: {product: windows, service: security}\ndetection: {sel: {Computer|expand: '%Nobody%'}, condition: sel}\n",
	"old.yml":   "title: Old\nid: 11111111-0000-4000-8000-000000000004\nlogsource: {product: windows, service: security}\ndetection: {sel: {EventID: 1}, condition: sel | count() > 5}\n",
	"bad.yml":   "title: [\n",
	"many.yml": `title: Failed logon
name: failed
id: 11111111-0000-4000-8000-000000000005
level: low
logsource: {product: windows, service: security}
detection: {sel: {EventID: 4625}, condition: sel}
---
title: Many failed logons
id: 11111111-0000-4000-8000-000000000006
level: medium
correlation: {type: event_count, rules: [failed], group-by: [Computer], timespan: 10m, condition: {gte: 3}}
`,
}

const (
	shellID, cloudID, hostsID, oldID = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002", "11111111-0000-4000-8000-000000000003", "11111111-0000-4000-8000-000000000004"
	failedID, manyID, scanID         = "11111111-0000-4000-8000-000000000005", "11111111-0000-4000-8000-000000000006", "22222222-0000-4000-8000-000000000001"
)

var city = identity.Scope{Realm: asset.City}

var now = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

type shelf struct {
	files fstest.MapFS
	store *detectdb.Store
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "r.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	s := &shelf{files: fstest.MapFS{}}
	for n, x := range texts {
		s.files[n] = &fstest.MapFile{Data: []byte(x)}
	}
	if s.store, err = detectdb.Open(t.Context(), d, asset.City); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shelf) open(t *testing.T) *Book {
	t.Helper()
	b, err := Open(t.Context(), Config{
		Sets:      func() ([]sigma.Set, func(), error) { return []sigma.Set{{Name: "set", FS: s.files}}, func() {}, nil },
		Detectors: []Detector{{Rule: detect.Rule{ID: scanID, Title: "Scan", Hash: "aa", Level: detect.Medium}, Formula: "n > 3"}},
		Store:     s.store, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func list(t *testing.T, b *Book, q Query) List {
	t.Helper()
	l, err := b.List(t.Context(), city, q)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func windows(pairs ...string) *event.Event {
	e := &event.Event{Product: "windows", Time: now, Realm: asset.City}
	e.Fields.Add("Channel", "Security")
	for i := 0; i < len(pairs); i += 2 {
		e.Fields.Add(pairs[i], pairs[i+1])
	}
	e.ID = event.NewID("t", strings.Join(pairs, "|"), 0)
	return e
}

// Every rule of every file is in one state, with its reason.
func TestStates(t *testing.T) {
	b := newShelf(t).open(t)
	if err := b.SwitchOff(t.Context(), shellID, "chen.yj", "備份軟體"); err != nil {
		t.Fatal(err)
	}
	l := list(t, b, Query{})
	got := map[string]Rule{}
	for _, r := range l.Rules {
		got[r.File+"#"+r.ID] = r
	}
	for key, want := range map[string]struct {
		state State
		why   string
	}{
		"shell.yml#" + shellID: {Off, ""}, "cloud.yml#" + cloudID: {Unrouted, "product nowhere"}, "hosts.yml#" + hostsID: {Waiting, "%Nobody%"}, "old.yml#" + oldID: {Refused, "correlation"},
		"bad.yml#": {Refused, "yaml"}, "many.yml#" + failedID: {Loaded, ""}, "many.yml#" + manyID: {Loaded, ""}, "#" + scanID: {Loaded, ""},
	} {
		r, ok := got[key]
		if !ok || r.State != want.state || !strings.Contains(r.Why, want.why) || (r.Why == "") != (want.why == "") {
			t.Errorf("%s: %v %+v", key, ok, r)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("and more: %v", got)
	}
	if o := list(t, b, Query{States: []State{Off}}).Rules[0].Off; o == nil || o.By != "chen.yj" || !o.At.Equal(now) || o.Reason != "備份軟體" || o.Changed {
		t.Errorf("switched off: %+v", o)
	}
	s := l.Sets[0]
	if s.Rules != 7 || s.Loaded != 2 || s.Off != 1 || s.Unrouted != 1 || s.Waiting != 1 || s.Refused != 2 || s.Files != 6 || s.Licence != "DRL 1.1" || l.Sets[1].Name != Behaviour || l.Sets[1].Loaded != 1 {
		t.Errorf("sets: %+v", l.Sets)
	}
	if l.Of(Refused) != 2 || l.Of(Loaded) != 3 {
		t.Errorf("sums: %d refused, %d loaded", l.Of(Refused), l.Of(Loaded))
	}
}

// A switch lasts over a restart and a reload; what a changed rule was switched
// off for may no longer be so, which is said.
func TestSwitch(t *testing.T) {
	s := newShelf(t)
	b := s.open(t)
	for name, c := range map[string]struct {
		id, reason string
		want       fault.Kind
	}{
		"no reason": {shellID, " ", fault.Invalid}, "unknown": {"x", "y", fault.NotFound}, "refused": {oldID, "y", fault.NotFound}, "only feeds others": {failedID, "y", fault.Invalid},
	} {
		if err := b.SwitchOff(t.Context(), c.id, "chen.yj", c.reason); !fault.Is(err, c.want) || b.Muted(c.id) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{shellID, scanID} {
		if err := b.SwitchOff(t.Context(), id, "chen.yj", "why"); err != nil || !b.Muted(id) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := b.SwitchOff(t.Context(), shellID, "lin.zh", "again"); !fault.Is(err, fault.Conflict) {
		t.Errorf("twice: %v", err)
	}
	b = s.open(t) // a restart
	if !b.Muted(shellID) || !b.Muted(scanID) || b.Muted(manyID) {
		t.Error("the switches do not outlive a restart")
	}
	s.files["shell.yml"] = &fstest.MapFile{Data: []byte(strings.Replace(shell, "high", "low", 1))}
	if _, _, err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := list(t, b, Query{States: []State{Off}, Sets: []string{"set"}}).Rules; len(r) != 1 || !r[0].Off.Changed {
		t.Errorf("after a reload with another form: %+v", r)
	}
	delete(s.files, "shell.yml")
	if _, _, err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := list(t, b, Query{States: []State{Off}, Text: shellID}).Rules; len(r) != 1 || r[0].Class != "gone" || r[0].Title != "Shell" {
		t.Errorf("after the rule has gone: %+v", r)
	}
	if err := b.SwitchOn(t.Context(), shellID); err != nil || b.Muted(shellID) {
		t.Error(err)
	}
	if err := b.SwitchOn(t.Context(), shellID); !fault.Is(err, fault.Conflict) {
		t.Errorf("on twice: %v", err)
	}
}

// Reading the rules anew keeps what correlations remember; when it fails, the old
// rules stay.
func TestReload(t *testing.T) {
	s := newShelf(t)
	b := s.open(t)
	var used *sigma.Engine
	b.OnRead(func(e *sigma.Engine) { used = e })
	fail := func(n string) *event.Event { return windows("EventID", "4625", "Computer", "pc", "n", n) }
	m := b.Engine().NewMatcher()
	if n := len(m.Match(fail("1"))) + len(m.Match(fail("2"))); n != 0 {
		t.Fatalf("%d findings", n)
	}
	s.files["new.yml"] = &fstest.MapFile{Data: []byte(strings.Replace(shell, "0001", "0009", 1))}
	loaded, not, err := b.Reload(t.Context())
	if err != nil || used != b.Engine() || loaded != 5 || not != 3 {
		t.Fatalf("%d loaded, %d not, %v", loaded, not, err)
	}
	if fs := used.NewMatcher().Match(fail("3")); len(fs) != 1 || fs[0].Rule.ID != manyID {
		t.Errorf("the count was lost: %+v", fs)
	}
	before := b.Engine()
	b.cfg.Sets = func() ([]sigma.Set, func(), error) { return nil, nil, context.DeadlineExceeded }
	if _, _, err := b.Reload(t.Context()); err == nil || b.Engine() != before {
		t.Error("a reload that failed changed the rules")
	}
}

func TestQuery(t *testing.T) {
	s := newShelf(t)
	b := s.open(t)
	m := b.Engine().NewMatcher()
	for range 3 {
		m.Match(windows("EventID", "4688", "CommandLine", "x -enc y"))
	}
	m.Match(windows("EventID", "1"))
	for range 5 { // only feeds the rule that counts
		m.Match(windows("EventID", "4625"))
	}
	f := detect.Finding{ID: "f1", Realm: asset.City, Rule: b.Engine().Rule(manyID).Rule, Time: now.Add(-time.Hour), Events: []event.ID{{1}}}
	if _, err := s.store.Save(t.Context(), []detect.Finding{f}); err != nil {
		t.Fatal(err)
	}
	titles := func(q Query) string {
		var out []string
		for _, r := range list(t, b, q).Rules {
			out = append(out, r.Title)
		}
		return strings.Join(out, ",")
	}
	for name, c := range map[string]struct {
		q    Query
		want string
	}{
		"fired first":   {Query{Limit: 2}, "Many failed logons,Shell"},
		"noise":         {Query{Sort: ByNoise, Limit: 1}, "Shell"},
		"last":          {Query{Sort: ByLastHit, Limit: 1}, "Many failed logons"},
		"level":         {Query{Levels: []detect.Level{detect.Low}, Sort: ByTitle}, "Cloud,Failed logon"},
		"state":         {Query{States: []State{Waiting, Unrouted}, Sort: ByTitle}, "Cloud,Hosts"},
		"text":          {Query{Text: "T1059"}, "Shell"},
		"reason":        {Query{Text: "nobody"}, "Hosts"},
		"set":           {Query{Sets: []string{Behaviour}}, "Scan"},
		"another title": {Query{Text: "殼", Titles: func(id string) string { return map[string]string{shellID: "殼層"}[id] }}, "Shell"},
	} {
		if got := titles(c.q); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	var all []string
	for after, first := "", true; after != "" || first; first = false {
		l := list(t, b, Query{Sort: ByTitle, After: after, Limit: 3})
		for _, r := range l.Rules {
			all = append(all, r.Title)
		}
		if after = l.Next; l.Total != 8 {
			t.Errorf("%d in all", l.Total)
		}
	}
	if got, want := strings.Join(all, ","), titles(Query{Sort: ByTitle}); got != want || len(all) != 8 {
		t.Errorf("pages: %s, want %s", got, want)
	}
	r := list(t, b, Query{Text: "Shell"}).Rules[0]
	if r.Matches != 3 || r.Per10k < 3333 || r.Per10k > 3334 {
		t.Errorf("%d of 9 events matched, %v of 10,000", r.Matches, r.Per10k)
	}
	if l, err := b.List(t.Context(), identity.Scope{Realm: asset.City, Agencies: []string{"water"}}, Query{Text: "Many"}); err != nil || l.Rules[0].Fired != 0 {
		t.Errorf("an agency sees how often a rule fired at others: %+v %v", l.Rules, err)
	}
	for _, q := range []Query{{Sort: "x"}, {States: []State{"x"}}, {Limit: -1}} {
		if _, err := b.List(t.Context(), city, q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func TestRule(t *testing.T) {
	b := newShelf(t).open(t)
	many, err := b.Rule(t.Context(), city, manyID)
	if err != nil || len(many.Counts) != 1 || many.Counts[0].ID != failedID {
		t.Errorf("%+v %v", many, err)
	}
	if f, err := b.Rule(t.Context(), city, failedID); err != nil || len(f.CountedBy) != 1 || f.CountedBy[0].ID != manyID || !f.Link {
		t.Errorf("%+v %v", f, err)
	}
	if d, err := b.Rule(t.Context(), city, scanID); err != nil || d.Formula != "n > 3" {
		t.Errorf("%+v %v", d, err)
	}
	if r, err := b.Rule(t.Context(), city, oldID); err != nil || r.State != Refused {
		t.Errorf("%+v %v", r, err)
	}
	if !b.Has(shellID) || !b.Has(scanID) || b.Has(oldID) || b.Has("") {
		t.Error("which rules there are")
	}
	for _, id := range []string{"", "x"} {
		if _, err := b.Rule(t.Context(), city, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// The fields that a record gave to a finding, its own or that of a rule it counts.
func TestWhy(t *testing.T) {
	b := newShelf(t).open(t)
	e := windows("EventID", "4625", "Computer", "pc")
	met, known := b.Why(b.Engine().Rule(manyID).Rule, e)
	if !known || len(met) != 1 || met[0].ID != failedID || len(met[0].Fields) != 1 || met[0].Fields[0].Field != "EventID" {
		t.Errorf("%v %+v", known, met)
	}
	if met, known := b.Why(b.Engine().Rule(shellID).Rule, e); !known || len(met) != 0 {
		t.Errorf("%v %+v", known, met)
	}
	if _, known := b.Why(detect.Rule{ID: shellID, Hash: "other"}, e); known {
		t.Error("another form of the rule is taken for this one")
	}
}

func TestTry(t *testing.T) {
	b := newShelf(t).open(t)
	counted := b.Engine().Counts().Events
	e := windows("EventID", "4688", "CommandLine", "x -enc y")
	for name, c := range map[string]struct {
		id, rule, wrong string
		matched         bool
		rules           int
	}{
		"loaded":         {id: shellID, matched: true, rules: 1},
		"pasted":         {rule: shell, matched: true, rules: 1},
		"paste wins":     {id: shellID, rule: strings.Replace(shell, "-enc", "-dec", 1), rules: 1},
		"with its count": {rule: texts["many.yml"], rules: 2},
		"nothing":        {wrong: "no_rule"},
		"detector":       {id: scanID, wrong: "detector"},
		"waiting":        {id: hostsID, wrong: "not_run"},
		"not yaml":       {rule: "a: [", wrong: "rule_yaml"},
		"no rule":        {rule: "a: b", wrong: "rule_none"},
		"no title":       {rule: strings.Replace(shell, "title: Shell", "x: y", 1), wrong: "rule_attributes"},
		"modifier":       {rule: strings.Replace(shell, "|contains", "|holds", 1), wrong: "rule_modifier"},
		"pipe":           {rule: texts["old.yml"], wrong: "rule_aggregation"},
		"placeholder":    {rule: texts["hosts.yml"], wrong: "rule_placeholder"},
		"twice":          {rule: shell + "---\n" + shell, wrong: "rule_duplicate"},
		"condition":      {rule: strings.Replace(shell, "condition: sel", "condition: (sel", 1), wrong: "rule_condition"},
		"correlation":    {rule: strings.Split(texts["many.yml"], "---\n")[1], wrong: "rule_correlation"},
		"detection":      {rule: strings.Replace(shell, "detection:", "x:", 1), wrong: "rule_detection"},
		"filter":         {rule: "title: f\nlogsource: {product: windows}\nfilter: {rules: any, sel: {a: b}, condition: not sel}\n", wrong: "rule_filter"},
		"long":           {rule: strings.Repeat("#", MaxRule+1), wrong: "rule_long"},
		"many":           {rule: strings.Repeat(strings.Replace(shell, "id: 11111111-0000-4000-8000-000000000001\n", "", 1)+"# x\n---\n", maxTried+1), wrong: "rule_"},
	} {
		got, err := b.Try(c.id, []byte(c.rule), e)
		if c.wrong != "" {
			sentence(t, name, err, c.wrong)
			continue
		}
		if err != nil || got.Matched() != c.matched || len(got.Rules) != c.rules {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
	if _, err := b.Try("x", nil, e); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown rule: %v", err)
	}
	if b.Engine().Counts().Events != counted {
		t.Error("a trial was counted")
	}
}

// sentence wants a mistake with whole sentences in both languages.
func sentence(t *testing.T, name string, err error, what string) {
	t.Helper()
	var m *Mistake
	if !fault.Is(err, fault.Invalid) || !asMistake(err, &m) || !strings.HasPrefix(m.What, what) {
		t.Errorf("%s: %v, want %s", name, err, what)
		return
	}
	for _, l := range []text.Lang{text.En, text.ZhTW} {
		if s := m.Text(l); strings.Contains(s, "rulebook.") || strings.Contains(s, "{line}") || strings.Contains(s, "{why}") || strings.Contains(s, "{title}") {
			t.Errorf("%s: %s", name, s)
		}
	}
}

func TestReadRecord(t *testing.T) {
	for name, c := range map[string]struct {
		text, wrong, product, field, value string
		about                              About
	}{
		"as shown":     {text: `{"id":"00112233445566778899aabbccddeeff","time":"2026-11-25T00:00:00Z","source":"dc","product":"windows","fields":{"EventID":"1102"},"origin":{"format":"evtx","offset":3}}`, product: "windows", field: "EventID", value: "1102"},
		"as decoded":   {text: `{"time":null,"product":"zeek","service":"conn","file":"x","offset":0,"fields":{"id.orig_h":"10.0.0.1"}}`, product: "zeek", field: "id.orig_h", value: "10.0.0.1"},
		"as in a test": {text: `{"_product":"linux","a":1}`, product: "linux", field: "a", value: "1"},
		"winlogbeat":   {text: "{\"@timestamp\":\"2026-11-25T00:00:00Z\",\n \"winlog\":{\"channel\":\"Security\",\"event_id\":4625,\"provider_name\":\"P\",\"computer_name\":\"pc\",\"record_id\":7}}", product: "windows", field: "EventID", value: "4625"},
		"flat":         {text: `{"EventID": 4688, "Channel": "Security", "CommandLine": "x"}`, product: "windows", field: "CommandLine", value: "x"},
		"told":         {text: `{"a":"b"}`, about: About{Product: "squid", Category: "proxy"}, product: "squid", field: "a", value: "b"},
		"syslog":       {text: `<34>1 2026-11-25T08:00:00Z web01 sshd 1 - - Failed password for root from 203.0.113.9 port 1 ssh2`, product: "linux"},
		"empty":        {text: " \n", wrong: "no_record"},
		"long":         {text: strings.Repeat("x", MaxRecord+1), wrong: "record_long"},
		"list":         {text: `[{"a":1}]`, wrong: "record_list"},
		"two":          {text: "{\"a\":1}\n{\"a\":2}", wrong: "record_lines"},
		"lines":        {text: "a\nb", wrong: "record_lines"},
		"broken":       {text: "{\"a\": 1,\n \"b\" 2}", wrong: "record_json"},
		"cut":          {text: `{"a": 1`, wrong: "record_json"},
		"unknown":      {text: "once upon a time", wrong: "record_unknown"},
	} {
		e, err := ReadRecord([]byte(c.text), c.about)
		if c.wrong != "" {
			sentence(t, name, err, c.wrong)
			continue
		}
		if err != nil || e.Product != c.product || c.field != "" && e.Fields.Str(c.field) != c.value {
			t.Errorf("%s: %v %+v", name, err, e)
		}
	}
	var m *Mistake
	if _, err := ReadRecord([]byte("{\"a\": 1,\n \"b\" 2}"), About{}); !asMistake(err, &m) || m.Pairs[1] != "2" || m.Pairs[3] != "6" {
		t.Errorf("where: %v", err)
	}
}

func FuzzReadRecord(f *testing.F) {
	for _, s := range []string{`{"fields":{"a":["b"]},"file":"x"}`, `{"_product":"x","a":{"b":[1,null]}}`, `{"a":1}`, "<1>x", "[", "{\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ReadRecord(b, About{})
		if (e == nil) == (err == nil) {
			t.Fatalf("%v %v", e, err)
		}
	})
}

func asMistake(err error, m **Mistake) bool { return errors.As(err, m) }
