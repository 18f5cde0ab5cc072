// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package duty

import (
	"slices"
	"strings"
	"time"
)

// Roster is who can be called and when.
type Roster struct {
	People []Person
	Shifts []Shift
}

// At returns those at a post at t, in the order of their ids.
func (r Roster) At(t time.Time, post Post) []Person {
	var ids []string
	for _, s := range r.Shifts {
		if s.Post == post && !t.Before(s.Begin) && t.Before(s.End) {
			ids = append(ids, s.Person)
		}
	}
	return r.people(ids)
}

// Next returns those on the first shift that begins after t, within a day.
func (r Roster) Next(t time.Time) []Person {
	var begin time.Time
	for _, s := range r.Shifts {
		if s.Begin.After(t) && s.Begin.Sub(t) <= 24*time.Hour && (begin.IsZero() || s.Begin.Before(begin)) {
			begin = s.Begin
		}
	}
	var ids []string
	for _, s := range r.Shifts {
		if !begin.IsZero() && s.Begin.Equal(begin) {
			ids = append(ids, s.Person)
		}
	}
	return r.people(ids)
}

// Gaps returns the parts of [from, to) in which nobody is on duty.
func (r Roster) Gaps(from, to time.Time) []Shift {
	on := slices.DeleteFunc(slices.Clone(r.Shifts), func(s Shift) bool { return s.Post != OnDuty || !s.End.After(from) || !s.Begin.Before(to) })
	slices.SortFunc(on, func(a, b Shift) int { return a.Begin.Compare(b.Begin) })
	var out []Shift
	for _, s := range on {
		if s.Begin.After(from) {
			out = append(out, Shift{Begin: from, End: s.Begin})
		}
		if s.End.After(from) {
			from = s.End
		}
	}
	if from.Before(to) {
		out = append(out, Shift{Begin: from, End: to})
	}
	return out
}

func (r Roster) people(ids []string) []Person {
	slices.Sort(ids)
	var out []Person
	for _, id := range slices.Compact(ids) {
		if i := slices.IndexFunc(r.People, func(p Person) bool { return p.ID == id }); i >= 0 {
			out = append(out, r.People[i])
		}
	}
	return out
}

// target is one recipient of a step.
type target struct {
	person  string
	channel Channel
	to      string
}

func (r Roster) resolve(to []string, t time.Time) []target {
	var out []target
	add := func(x target) {
		if !slices.ContainsFunc(out, func(o target) bool { return o.channel == x.channel && o.to == x.to }) {
			out = append(out, x)
		}
	}
	mail := func(ps []Person) {
		for _, p := range ps {
			if p.Mail != "" {
				add(target{p.ID, Mail, p.Mail})
			}
		}
	}
	for _, x := range to {
		kind, name, _ := strings.Cut(x, ":")
		switch kind {
		case "duty":
			mail(r.At(t, OnDuty))
		case "lead":
			mail(r.At(t, Lead))
		case "next":
			mail(r.Next(t))
		case "person":
			mail(r.people([]string{name}))
		case "mail":
			add(target{"", Mail, name})
		case "webhook":
			add(target{"", Webhook, name})
		}
	}
	return out
}

// setBack is how far a clock may be corrected backwards before it counts as set
// back.
const setBack = 2 * time.Minute

// Plan returns the calls of the steps that fell due since a was last planned,
// and a with those steps counted. Each step is planned once a round: who was
// called for it stays so when the roster changes. A step that finds nobody to
// call hands its turn to the next at once; the last one waits until there is
// somebody (Unreached says so).
//
// When the clock was set back behind the moment the alarm was raised, nobody
// knows how long it has waited: what is not due yet is due at once, because a
// call too many is better than one that comes as late as the clock was set back.
//
// Those on duty when the step fell due are called, so a tick that comes late
// calls nobody else; after a stop of more than an hour it is those on duty now.
func Plan(p Policy, r Roster, a Alarm, now time.Time) (Alarm, []Call) {
	rule, ok := p.rule(a.Severity)
	if !ok || a.State() != Open {
		return a, nil
	}
	q, err := parseQuiet(rule.Quiet)
	if err != nil {
		return a, nil // Validate refuses it
	}
	var out []Call
	early, back := a.Planned > 0 && a.Reached == 0, a.Raised.Sub(now) > setBack
	for i := a.Planned; i < len(rule.Steps); i++ {
		s := rule.Steps[i]
		due := q.after(a.Raised.Add(s.After))
		if (early || back) && due.After(now) {
			due = q.after(now)
		}
		if due.After(now) {
			break
		}
		at := due
		if now.Sub(due) > time.Hour {
			at = now
		}
		targets := r.resolve(s.To, at)
		early = len(targets) == 0
		if early && i == len(rule.Steps)-1 {
			break
		}
		a.Planned, a.Reached = i+1, a.Reached+len(targets)
		for _, t := range targets {
			out = append(out, Call{
				ID: callID(a.ID, a.Round, i, t.channel, t.to), Alarm: a.ID, Round: a.Round, Step: i,
				Person: t.person, Channel: t.channel, To: t.to, Due: due, State: Waiting, Next: due,
			})
		}
	}
	return a, out
}

// Unreached reports whether an open alarm should have called somebody by now
// and found nobody: the console says so in the alarm's line.
func Unreached(p Policy, a Alarm, now time.Time) bool {
	rule, ok := p.rule(a.Severity)
	if !ok || a.State() != Open || a.Reached > 0 {
		return false
	}
	q, err := parseQuiet(rule.Quiet)
	return err == nil && !q.after(a.Raised.Add(rule.Steps[0].After)).After(now)
}

// Raise returns the alarm of a cause, given the one there is (zero: none), and
// whether it changed. An alarm that grows worse, or comes back after it ended,
// begins a new round: it is open again and calls again.
func Raise(old Alarm, c Cause, now time.Time) (Alarm, bool) {
	a := old
	switch {
	case old.ID == "":
		a = Alarm{ID: alarmID(c.Subject), Subject: c.Subject}
	case !old.Ended.IsZero(), c.Severity > old.Severity:
	default:
		// The words may change while an incident grows; nobody is called for that.
		a.Title, a.Path, a.Agencies = c.Title, c.Path, c.Agencies
		return a, !sameWords(old, a)
	}
	a.Round++
	a.Severity, a.Title, a.Path, a.Agencies = c.Severity, c.Title, c.Path, c.Agencies
	a.Raised, a.AckedBy, a.AckedAt, a.Ended = now, "", time.Time{}, time.Time{}
	a.Planned, a.Reached = 0, 0
	return a, true
}

func sameWords(a, b Alarm) bool {
	if a.Path != b.Path || !slices.Equal(a.Agencies, b.Agencies) || len(a.Title) != len(b.Title) {
		return false
	}
	for l, s := range a.Title {
		if b.Title[l] != s {
			return false
		}
	}
	return true
}

// retry is how long to wait after the n-th failed attempt: 30 s, doubled each
// time, at most 15 minutes. There is no last attempt.
func retry(n int) time.Duration {
	d := 30 * time.Second
	for ; n > 1 && d < LongestRetry; n-- {
		d *= 2
	}
	return min(d, LongestRetry)
}

// LongestRetry is the longest wait for another attempt: a call that seems to
// wait longer was planned before the clock was set back.
const LongestRetry = 15 * time.Minute

// Failed returns c after an attempt that failed.
func (c Call) Failed(now time.Time, reason string, permanent bool) Call {
	c.Attempts++
	c.At, c.Error, c.State = now, reason, Waiting
	if permanent {
		c.State, c.Next = Refused, time.Time{}
		return c
	}
	c.Next = now.Add(retry(c.Attempts))
	return c
}
