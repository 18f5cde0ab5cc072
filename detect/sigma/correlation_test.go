// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"archive/zip"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/internal/shared"
)

const baseRules = `
title: Failed
id: 00000000-0000-4000-8000-00000000000a
name: failed
logsource: {product: test}
detection: {s: {E: fail}, condition: s}
level: medium
---
title: Good
id: 00000000-0000-4000-8000-00000000000b
name: good
logsource: {product: test}
detection: {s: {E: good}, condition: s}
level: low
`

func corr(body string) string {
	return baseRules + "---\ntitle: C\nid: 00000000-0000-4000-8000-00000000000c\ntags: [attack.t1110]\ncorrelation:\n" + body
}

var t0 = time.Date(2026, 3, 13, 12, 0, 0, 0, time.UTC)

// script is a sequence of events: "seconds E user [host]".
func script(t testing.TB, lines string) []*event.Event {
	var out []*event.Event
	for i, l := range strings.Split(strings.TrimSpace(lines), "\n") {
		var sec float64
		var e, user, host string
		if n, _ := fmt.Sscan(l, &sec, &e, &user, &host); n < 3 {
			t.Fatalf("script line %q", l)
		}
		x := ev(t, fmt.Sprintf(`{"E":%q,"User":%q,"Host":%q,"N":%d}`, e, user, host, i))
		x.Time, x.ID = t0.Add(time.Duration(sec*1e9)), event.NewID("script", "", uint64(i))
		if user == "-" {
			x.Fields = x.Fields[:1]
		}
		out = append(out, x)
	}
	return out
}

// moments lists when findings of the rule C came, in seconds.
func moments(fs []detect.Finding) string {
	var out []string
	for _, f := range fs {
		if f.Rule.Title == "C" {
			out = append(out, fmt.Sprint(f.Time.Sub(t0).Seconds()))
		}
	}
	return strings.Join(out, " ")
}

func play(t testing.TB, e *sigma.Engine, evs []*event.Event) []detect.Finding {
	m := e.NewMatcher()
	var out []detect.Finding
	for _, x := range evs {
		out = append(out, m.Match(x)...)
	}
	return append(out, flush(t, e)...)
}

const (
	count3  = "  type: event_count\n  rules: [failed]\n  group-by: [User]\n  timespan: 60s\n  condition: {gte: 3}\n"
	names3  = "  type: value_count\n  rules: [failed]\n  group-by: [Host]\n  timespan: 60s\n  condition: {gte: 3, field: User}\n"
	both    = "  type: temporal\n  rules: [failed, good]\n  group-by: [User]\n  timespan: 60s\n"
	ordered = "  type: temporal_ordered\n  rules: [failed, good]\n  group-by: [User]\n  timespan: 60s\n"
)

// TestCorrelation gives each type its sequence and when it must speak.
func TestCorrelation(t *testing.T) {
	for _, c := range []struct{ name, rule, events, want string }{
		{"three", count3, "0 fail a\n10 fail a\n20 fail a", "20"},
		{"exactly the timespan", count3, "0 fail a\n30 fail a\n60 fail a", "60"},
		{"a breath more", count3, "0 fail a\n30 fail a\n60.001 fail a", ""},
		{"other users apart", count3, "0 fail a\n10 fail b\n20 fail a\n25 fail b", ""},
		{"users without regard to case", count3, "0 fail a\n10 fail A\n20 fail a", "20"},
		{"once while it goes on", count3, "0 fail a\n1 fail a\n2 fail a\n3 fail a\n4 fail a\n50 fail a", "2"},
		{"again after a pause", count3, "0 fail a\n1 fail a\n2 fail a\n300 fail a\n301 fail a\n302 fail a", "2 302"},
		{"out of order", count3, "20 fail a\n0 fail a\n10 fail a", "20"},
		{"without the field", count3, "0 fail -\n1 fail -\n2 fail -", ""},
		{"gt", strings.Replace(count3, "gte", "gt", 1), "0 fail a\n1 fail a\n2 fail a\n3 fail a", "3"},
		{"two bounds", strings.Replace(count3, "{gte: 3}", "{gte: 2, gt: 2}", 1), "0 fail a\n1 fail a\n2 fail a", "2"},
		{"no group-by", strings.Replace(count3, "  group-by: [User]\n", "", 1), "0 fail a\n10 fail b\n20 fail c", "20"},
		{"two fields", strings.Replace(count3, "[User]", "[User, Host]", 1), "0 fail a x\n10 fail a y\n20 fail a x\n30 fail a x", "30"},
		{"distinct", names3, "0 fail a h\n1 fail b h\n2 fail b h\n3 fail c h", "3"},
		{"distinct leave the window", names3, "0 fail a h\n59 fail b h\n61 fail c h", ""},
		{"tuples", strings.Replace(names3, "field: User", "field: [User, N]", 1), "0 fail a h\n1 fail a h\n2 fail a h", "2"},
		{"both in any order", both, "0 good a\n30 fail a", "30"},
		{"both of one user", both, "0 good a\n30 fail b", ""},
		{"both too far apart", both, "0 good a\n61 fail a", ""},
		{"one of two is enough", both + "  condition: {gte: 1}\n", "0 good a", "0"},
		{"in order", ordered, "0 fail a\n30 good a", "30"},
		{"in the wrong order", ordered, "0 good a\n30 fail a", ""},
		{"sum", "  type: value_sum\n  rules: [failed]\n  group-by: [User]\n  timespan: 60s\n  condition: {gt: 3, field: N}\n", "0 fail a\n1 fail a\n2 fail a\n3 fail a", "3"},
		{"mean", "  type: value_avg\n  rules: [failed]\n  group-by: [User]\n  timespan: 60s\n  condition: {gte: 2, field: N}\n", "0 fail b\n1 fail b\n2 fail a\n3 fail b", "2"},
		{"aliases", "  type: temporal\n  rules: [failed, good]\n  aliases: {who: {failed: User, good: Host}}\n  group-by: [who]\n  timespan: 60s\n", "0 fail a\n1 good b a", "1"},
	} {
		for _, batch := range []bool{false, true} {
			e, rep := load(t, sigma.Options{Batch: batch}, corr(c.rule))
			if len(rep.Refused) > 0 {
				t.Fatalf("%s: refused: %v", c.name, rep.Refused)
			}
			if got := moments(play(t, e, script(t, c.events))); got != c.want {
				t.Errorf("%s (batch %v): at %q, want %q", c.name, batch, got, c.want)
			}
		}
	}
}

// TestInventedNames: a spray with more names than the memory holds loses hits,
// which are counted, and takes no longer for it; when the window has passed the
// correlation speaks again. (A full memory that is looked through at every hit
// would look at 100,000 groups for each of the last 50,000.)
func TestInventedNames(t *testing.T) {
	e, _ := load(t, sigma.Options{}, corr(count3))
	m := e.NewMatcher()
	hit := func(n int, at time.Time, user string) []detect.Finding {
		x := ev(t, fmt.Sprintf(`{"E":"fail","User":%q}`, user))
		x.Time, x.ID = at, event.NewID("invented", "", uint64(n))
		return m.Match(x)
	}
	const names = 150_000 // beyond maxGroups
	for i := range names {
		hit(i, t0.Add(time.Duration(i)*time.Microsecond), fmt.Sprint("n", i))
	}
	if l := e.CorrelationLoss(); l.Full == 0 || l.Full > names {
		t.Errorf("lost %+v", l)
	}
	var out []detect.Finding
	for i := range 3 {
		out = append(out, hit(names+i, t0.Add(2*time.Minute+time.Duration(i)*time.Second), "alice")...)
	}
	if got := moments(out); got != "122" {
		t.Errorf("after the spray: at %q, want 122", got)
	}
}

// TestCorrelationEvidence: a finding points to its events, says why, and the
// rules below it are silent unless generate is set.
func TestCorrelationEvidence(t *testing.T) {
	e, rep := load(t, sigma.Options{}, corr(count3))
	fs := play(t, e, script(t, "0 fail a\n10 fail a\n20 fail a\n30 good a"))
	if len(fs) != 2 || fs[0].Rule.Title != "C" || fs[1].Rule.Title != "Good" {
		t.Fatalf("%d findings, want the correlation's and that of the rule it does not use", len(fs))
	}
	f := fs[0]
	if len(f.Events) != 3 || len(f.Origins) != 3 || f.ID != detect.NewID(f.Rule.Hash, f.Events...) {
		t.Errorf("events %v", f.Events)
	}
	if len(f.Matched) != 1 || f.Matched[0] != (detect.Matched{Field: "User", Value: "a"}) {
		t.Errorf("matched %v", f.Matched)
	}
	if len(f.Reasons) != 1 || !strings.Contains(f.Reasons[0], "3 ≥ 3 within 1m0s") {
		t.Errorf("reasons %v", f.Reasons)
	}
	if f.Rule.Level != detect.Medium {
		t.Errorf("level %s, want that of the rule below", f.Rule.Level)
	}
	if f.Meaning.Step != detect.StepCredential {
		t.Errorf("step %s, want what T1110 means", f.Meaning.Step)
	}
	if len(rep.Warnings) != 0 {
		t.Errorf("warnings %v", rep.Warnings)
	}
	texts := strings.SplitN(corr(count3), "---\ntitle: C", 2)
	if _, rep = load(t, sigma.Options{}, texts[0], "title: C"+texts[1]); len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0].Reason, "Failed") {
		t.Errorf("a rule of another file is silenced without a word: %v", rep.Warnings)
	}
	e, _ = load(t, sigma.Options{}, corr(count3+"  generate: true\n"))
	if n := len(play(t, e, script(t, "0 fail a\n10 fail a\n20 fail a"))); n != 4 {
		t.Errorf("%d findings with generate, want 4", n)
	}
	e, _ = load(t, sigma.Options{}, corr(count3))
	evs := script(t, "0 fail a\n10 fail -\n20 fail a")
	evs[2].Time = time.Time{}
	play(t, e, evs)
	if l := e.CorrelationLoss(); l != (sigma.CorrelationLoss{NoField: 1, NoTime: 1}) {
		t.Errorf("loss %+v", l)
	}
}

// TestCorrelationChain is the specification's own example: many failures, then
// a success of the same account. The chain uses only its own group-by.
func TestCorrelationChain(t *testing.T) {
	chain := baseRules + `---
title: Many
id: 00000000-0000-4000-8000-00000000000d
name: many
correlation:
  type: event_count
  rules: [failed]
  group-by: [Host]
  timespan: 60s
  condition: {gte: 3}
---
title: C
id: 00000000-0000-4000-8000-00000000000c
correlation:
  type: temporal_ordered
  rules: [many, good]
  group-by: [User]
  timespan: 1h
level: high
`
	for _, c := range []struct{ events, want string }{
		{"0 fail a h\n1 fail a h\n2 fail a h\n900 good a x", "900"},
		{"0 fail a h\n1 fail a h\n2 fail a h\n900 good b h", ""},
		{"0 fail a h\n1 fail a h\n900 good a h", ""},
		{"0 good a h\n1 fail a h\n2 fail a h\n3 fail a h", ""},
	} {
		for _, batch := range []bool{false, true} {
			e, rep := load(t, sigma.Options{Batch: batch}, chain)
			if rep.Loaded != 4 {
				t.Fatalf("%+v", rep)
			}
			fs := play(t, e, script(t, c.events))
			if got := moments(fs); got != c.want {
				t.Errorf("%q (batch %v): at %q, want %q", c.events, batch, got, c.want)
			}
			for _, f := range fs {
				if f.Rule.Title == "C" && len(f.Events) != 4 {
					t.Errorf("chain points to %d events, want 4", len(f.Events))
				}
			}
		}
	}
}

// TestCorrelationOrder: in a batch the findings do not depend on the order in
// which events are read, nor on how many matchers share them.
func TestCorrelationOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var lines []string
	for range 400 {
		lines = append(lines, fmt.Sprintf("%d %s u%d h%d", r.IntN(3000), []string{"fail", "good"}[r.IntN(2)], r.IntN(4), r.IntN(3)))
	}
	evs := script(t, strings.Join(lines, "\n"))
	text := corr(count3) + "---\ntitle: V\nid: 00000000-0000-4000-8000-0000000000cc\ncorrelation:\n" + names3
	ref, _ := load(t, sigma.Options{Batch: true}, text)
	want := play(t, ref, evs)
	if len(want) < 10 {
		t.Fatalf("only %d findings to compare", len(want))
	}
	for range 5 {
		shuffled := slices.Clone(evs)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		e, _ := load(t, sigma.Options{Batch: true}, text)
		ms := []*sigma.Matcher{e.NewMatcher(), e.NewMatcher(), e.NewMatcher()}
		var got []detect.Finding
		for i, x := range shuffled {
			got = append(got, ms[i%3].Match(x)...)
		}
		got = append(got, flush(t, e)...)
		byID := func(fs []detect.Finding) []detect.Finding {
			fs = slices.Clone(fs)
			slices.SortFunc(fs, func(a, b detect.Finding) int { return strings.Compare(a.ID, b.ID) })
			return fs
		}
		if !reflect.DeepEqual(byID(got), byID(want)) {
			t.Fatalf("%d findings, want %d, or others", len(got), len(want))
		}
	}
	live, _ := load(t, sigma.Options{}, text) // in order of time, live agrees with batch
	sorted := slices.Clone(evs)
	slices.SortStableFunc(sorted, func(a, b *event.Event) int { return a.Time.Compare(b.Time) })
	if got := play(t, live, sorted); len(got) != len(want) {
		t.Errorf("live %d findings, batch %d", len(got), len(want))
	}
}

// TestReload: a correlation that did not change goes on counting.
func TestReload(t *testing.T) {
	old, _ := load(t, sigma.Options{}, corr(count3))
	play(t, old, script(t, "0 fail a\n10 fail a"))
	same, _ := load(t, sigma.Options{Keep: old}, corr(count3))
	if got := moments(play(t, same, script(t, "20 fail a"))); got != "20" {
		t.Errorf("after a reload: at %q, want 20", got)
	}
	other, _ := load(t, sigma.Options{Keep: old}, corr(strings.Replace(count3, "60s", "61s", 1)))
	if got := moments(play(t, other, script(t, "21 fail a"))); got != "" {
		t.Errorf("a changed correlation kept its memory: at %q", got)
	}
}

func TestCorrelationRefused(t *testing.T) {
	for _, c := range []struct{ rule, reason string }{
		{strings.Replace(count3, "event_count", "value_percentile", 1), "not yet"},
		{strings.Replace(count3, "event_count", "event_sum", 1), "none of the specification's"},
		{strings.Replace(count3, "[failed]", "[nobody]", 1), `"nobody", which is not loaded`},
		{strings.Replace(count3, "[failed]", "[]", 1), "refers to no rules"},
		{strings.Replace(count3, "60s", "60", 1), "timespan"},
		{strings.Replace(count3, "60s", "-1s", 1), "timespan"},
		{strings.Replace(count3, "gte: 3", "lt: 3", 1), "not yet"},
		{strings.Replace(count3, "gte: 3", "gte: many", 1), "wants a number"},
		{strings.Replace(count3, "  condition: {gte: 3}\n", "", 1), "no condition"},
		{strings.Replace(names3, ", field: User", "", 1), "needs a field"},
		{strings.Replace(count3, "{gte: 3}", "{gte: 3, field: User}", 1), "takes no field"},
		{"  type: temporal\n  rules: [failed, good]\n  aliases: {who: {failed: User}}\n  group-by: [who]\n  timespan: 60s\n", "says nothing of rule"},
		{strings.Replace(count3, "[failed]", "[00000000-0000-4000-8000-00000000000c]", 1), "refers to itself"},
	} {
		e, rep := load(t, sigma.Options{}, corr(c.rule))
		if len(rep.Refused) != 1 || !strings.Contains(rep.Refused[0].Reason, c.reason) || rep.ByReason["correlation"] != 1 {
			t.Errorf("%s\n%+v, want %q", c.rule, rep.Refused, c.reason)
		}
		if len(e.Rules()) != 2 || len(play(t, e, script(t, "0 fail a"))) != 1 {
			t.Errorf("%s\nthe rules below are gone or silent", c.rule)
		}
	}
}

// TestCorrelationExamples loads the specification's and Hayabusa's examples.
func TestCorrelationExamples(t *testing.T) {
	z, err := zip.OpenReader(shared.Path(t, "sigma/correlation-examples.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	e, rep, err := sigma.Load([]sigma.Set{{Name: "examples", FS: z}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Loaded != 6 || len(rep.Refused) != 0 {
		t.Errorf("loaded %d, refused %v; want three rules and three correlations", rep.Loaded, rep.Refused)
	}
	m := e.NewMatcher()
	var got []detect.Finding
	for i := range 5 {
		x := ev(t, fmt.Sprintf(`{"_product":"windows","Channel":"Security","EventID":4648,"IpAddress":"10.1.2.3","Computer":"pc1","TargetUserName":"u%d"}`, i))
		x.Time, x.ID = t0.Add(time.Duration(i)*time.Minute), event.NewID("x", "", uint64(i))
		got = append(got, m.Match(x)...)
	}
	if len(got) != 1 || got[0].Rule.Title != "PW Spray" || got[0].Rule.Author != "Zach Mathis" {
		t.Errorf("five names in five minutes: %+v", got)
	}
}

func flush(t testing.TB, e *sigma.Engine) []detect.Finding {
	t.Helper()
	fs, err := e.Flush()
	if err != nil {
		t.Fatal(err)
	}
	return fs
}
