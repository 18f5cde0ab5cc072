// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package duty

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/detect"
	"citywall/internal/text"
)

// local is a time of day in Taipei on 10 March 2026, a Tuesday.
func local(hhmm string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", "2026-03-10 "+hhmm, Taipei)
	if err != nil {
		panic(err)
	}
	return t
}

func people() Roster {
	shift := func(who string, post Post, from, to string, days int) Shift {
		return Shift{ID: who + from, Person: who, Post: post, Begin: local(from), End: local(to).AddDate(0, 0, days)}
	}
	return Roster{
		People: []Person{
			{ID: "chen", Name: "陳", Mail: "chen@city.example"}, {ID: "lin", Name: "林", Mail: "lin@city.example"},
			{ID: "wu", Name: "吳", Mail: "wu@city.example"}, {ID: "phone", Name: "電", Phone: "02-0000-0000"},
		},
		Shifts: []Shift{shift("chen", OnDuty, "08:00", "20:00", 0), shift("wu", Lead, "08:00", "20:00", 0), shift("lin", OnDuty, "20:00", "08:00", 1)},
	}
}

func alarm(l detect.Level, at time.Time) Alarm {
	a, _ := Raise(Alarm{}, Cause{Subject: "incident/1", Severity: l, Title: map[text.Lang]string{text.En: "x"}}, at)
	return a
}

func who(calls []Call) []string {
	var out []string
	for _, c := range calls {
		out = append(out, c.To)
	}
	return out
}

// TestPlan: each step calls once, when it falls due, those of that time.
func TestPlan(t *testing.T) {
	p, r := DefaultPolicy(), people()
	a := alarm(detect.Critical, local("19:50"))
	for _, x := range []struct {
		at   string
		want []string
	}{
		{"19:50", []string{"chen@city.example"}},
		{"19:55", nil},
		{"20:01", []string{"lin@city.example"}}, // step 2 was due at 20:00: the new shift's; no lead by night
		{"20:25", nil},
		{"20:30", nil}, // neither a lead nor a next shift within a day: the step waits
	} {
		var calls []Call
		a, calls = Plan(p, r, a, local(x.at))
		if got := who(calls); !slices.Equal(got, x.want) {
			t.Errorf("%s: called %v, want %v", x.at, got, x.want)
		}
	}
	r.Shifts = append(r.Shifts, Shift{Person: "chen", Post: OnDuty, Begin: local("08:00").AddDate(0, 0, 1), End: local("20:00").AddDate(0, 0, 1)})
	if _, calls := Plan(p, r, a, local("20:31")); !slices.Equal(who(calls), []string{"chen@city.example"}) {
		t.Errorf("the coming shift was added and not called: %v", who(calls))
	}
}

// TestPlanAfterAStop: after a night of standstill those on duty now are called,
// for each step that was missed.
func TestPlanAfterAStop(t *testing.T) {
	a := alarm(detect.High, local("08:05"))
	a, calls := Plan(DefaultPolicy(), people(), a, local("21:00"))
	if got := who(calls); !slices.Equal(got, []string{"lin@city.example", "lin@city.example"}) {
		t.Errorf("called %v", got)
	}
	if calls[0].ID == calls[1].ID || a.Planned != 2 {
		t.Errorf("two steps: ids %s and %s, planned %d", calls[0].ID, calls[1].ID, a.Planned)
	}
}

// TestNobodyOnDuty: the turn goes on at once, and the alarm says that nobody
// was reached.
// TestClockSetBack: whoever waits for a step does not wait an hour longer, and
// nobody is called twice for it.
func TestClockSetBack(t *testing.T) {
	p, r := DefaultPolicy(), people()
	a, first := Plan(p, r, alarm(detect.Critical, local("20:00")), local("20:00"))
	if len(first) == 0 || a.Planned == len(p.Rules[0].Steps) {
		t.Fatalf("%+v %+v", a, first)
	}
	if _, calls := Plan(p, r, a, local("19:59")); len(calls) != 0 {
		t.Errorf("a correction of a minute calls %v", who(calls))
	}
	a, calls := Plan(p, r, a, local("19:00"))
	if len(calls) == 0 || a.Planned <= first[len(first)-1].Step+1 {
		t.Errorf("an hour back: %+v %v", a, who(calls))
	}
	for _, c := range calls {
		if !c.Next.Equal(local("19:00")) || c.Step == first[0].Step {
			t.Errorf("an hour back: %+v", c)
		}
	}
	if _, calls := Plan(p, r, a, local("19:01")); len(calls) != 0 {
		t.Errorf("called again: %v", who(calls))
	}
}

func TestNobodyOnDuty(t *testing.T) {
	r := people()
	r.Shifts = nil
	p := Policy{Rules: []Rule{{Severity: []string{"high"}, Steps: []Step{{0, []string{"duty"}}, {time.Hour, []string{"person:phone"}}, {2 * time.Hour, []string{"mail:boss@city.example"}}}}}}
	a, calls := Plan(p, r, alarm(detect.High, local("03:00")), local("03:00"))
	if got := who(calls); !slices.Equal(got, []string{"boss@city.example"}) {
		t.Errorf("called %v: somebody with a telephone only cannot be mailed", got)
	}
	if Unreached(p, a, local("03:00")) {
		t.Error("the last step reached somebody")
	}
	p.Rules[0].Steps = p.Rules[0].Steps[:2]
	a, calls = Plan(p, r, alarm(detect.High, local("03:00")), local("03:00"))
	if len(calls) != 0 || !Unreached(p, a, local("03:00")) {
		t.Errorf("nobody can be called: %v, unreached %v", calls, Unreached(p, a, local("03:00")))
	}
}

// TestQuiet: by night a medium alarm waits for the end of the quiet hours, a
// high one does not.
func TestQuiet(t *testing.T) {
	r := people()
	for _, x := range []struct {
		level detect.Level
		at    string
		due   time.Time
	}{
		{detect.Medium, "21:59", local("21:59")},
		{detect.Medium, "22:00", local("07:00").AddDate(0, 0, 1)},
		{detect.Medium, "06:59", local("07:00")},
		{detect.Medium, "07:00", local("07:00")},
		{detect.High, "23:00", local("23:00")},
	} {
		a := alarm(x.level, local(x.at))
		if _, calls := Plan(DefaultPolicy(), r, a, x.due.Add(-time.Second)); len(calls) > 0 {
			t.Errorf("%s at %s: called before %s", x.level, x.at, x.due)
		}
		a, calls := Plan(DefaultPolicy(), r, a, x.due)
		if len(calls) == 0 && a.Planned == 0 {
			t.Errorf("%s at %s: not planned at %s", x.level, x.at, x.due)
		}
	}
}

// TestRaise: worse or back again is a new round; other words are not.
func TestRaise(t *testing.T) {
	now := local("10:00")
	a := alarm(detect.Medium, now)
	a.AckedBy = "chen"
	c := Cause{Subject: "incident/1", Severity: detect.Medium, Title: map[text.Lang]string{text.En: "y"}}
	if b, changed := Raise(a, c, now); !changed || b.Round != 1 || b.AckedBy != "chen" || b.Title[text.En] != "y" {
		t.Errorf("other words: %+v", b)
	}
	c.Severity = detect.Critical
	if b, _ := Raise(a, c, now); b.Round != 2 || b.State() != Open || b.Planned != 0 {
		t.Errorf("worse: %+v", b)
	}
	c.Severity, a.Ended = detect.Low, now
	if b, _ := Raise(a, c, now.Add(time.Hour)); b.Round != 2 || b.State() != Open || b.Severity != detect.Low {
		t.Errorf("back again: %+v", b)
	}
}

func TestPolicyValidate(t *testing.T) {
	if err := DefaultPolicy().Validate(nil); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Policy{
		"severity": {Rules: []Rule{{Severity: []string{"bad"}, Steps: []Step{{0, []string{"duty"}}}}}},
		"twice":    {Rules: []Rule{{Severity: []string{"high"}, Steps: []Step{{0, []string{"duty"}}}}, {Severity: []string{"high"}, Steps: []Step{{0, []string{"duty"}}}}}},
		"quiet":    {Rules: []Rule{{Severity: []string{"high"}, Quiet: "22-7", Steps: []Step{{0, []string{"duty"}}}}}},
		"order":    {Rules: []Rule{{Severity: []string{"high"}, Steps: []Step{{time.Hour, []string{"duty"}}, {0, []string{"lead"}}}}}},
		"webhook":  {Rules: []Rule{{Severity: []string{"high"}, Steps: []Step{{0, []string{"webhook:none"}}}}}},
		"to":       {Rules: []Rule{{Severity: []string{"high"}, Steps: []Step{{0, []string{"everybody"}}}}}},
	} {
		if p.Validate([]string{"ops"}) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestGaps(t *testing.T) {
	g := people().Gaps(local("06:00"), local("06:00").AddDate(0, 0, 2))
	if len(g) != 2 || !g[0].Begin.Equal(local("06:00")) || !g[0].End.Equal(local("08:00")) || !g[1].Begin.Equal(local("08:00").AddDate(0, 0, 1)) {
		t.Errorf("gaps %+v", g)
	}
}

// TestNeverTwice: whatever the ticks, a step calls a recipient once a round, and
// ticks that come late call the same steps as ticks every second would have
// reached by then.
func TestNeverTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := people()
		a := alarm(detect.Critical, local("09:00"))
		ids := map[string]bool{}
		at := local("09:00")
		for range rapid.IntRange(1, 30).Draw(t, "ticks") {
			at = at.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			var calls []Call
			a, calls = Plan(DefaultPolicy(), r, a, at)
			for _, c := range calls {
				if ids[c.ID] {
					t.Fatalf("call %s twice: %+v", c.ID, c)
				}
				ids[c.ID] = true
			}
		}
		_, all := Plan(DefaultPolicy(), r, alarm(detect.Critical, local("09:00")), at)
		if at.Sub(local("09:00")) < time.Hour && len(all) != len(ids) {
			t.Fatalf("%d calls tick by tick, %d at once at %s", len(ids), len(all), at)
		}
	})
}

func TestRetry(t *testing.T) {
	c, now := Call{State: Sending}, local("10:00")
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		if c = c.Failed(now, "down", false); c.State != Waiting || c.Next.Sub(now) != want {
			t.Errorf("attempt %d: next after %s, want %s", c.Attempts, c.Next.Sub(now), want)
		}
	}
	if c = c.Failed(now, "no such user", true); c.State != Refused {
		t.Errorf("refused: %+v", c)
	}
}
