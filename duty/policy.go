// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package duty

import (
	"net/mail"
	"slices"
	"strings"
	"time"

	"citywall/detect"
	"citywall/internal/fault"
)

// Policy says whom an alarm calls, by severity.
type Policy struct {
	Rules []Rule `yaml:"rules"`
}

// Rule is for some severities. The first rule that names an alarm's severity
// holds; an alarm without a rule is shown and calls nobody.
type Rule struct {
	Severity []string `yaml:"severity"` // critical, high, medium, low, informational
	Quiet    string   `yaml:"quiet"`    // "22:00-07:00" in Taipei: calls wait for its end; the console shows the alarm at once
	Steps    []Step   `yaml:"steps"`
}

// Step calls more people when nobody has acknowledged.
type Step struct {
	After time.Duration `yaml:"after"` // from the alarm
	To    []string      `yaml:"to"`    // duty, lead, next (the coming shift), person:ID, mail:ADDRESS, webhook:NAME
}

// DefaultPolicy calls those on duty at once, their lead after ten minutes and
// the coming shift after thirty; by night only for what is high or critical.
func DefaultPolicy() Policy {
	steps := []Step{{0, []string{"duty"}}, {10 * time.Minute, []string{"duty", "lead"}}, {30 * time.Minute, []string{"lead", "next"}}}
	return Policy{Rules: []Rule{
		{Severity: []string{"critical", "high"}, Steps: steps},
		{Severity: []string{"medium"}, Quiet: "22:00-07:00", Steps: steps[:2]},
	}}
}

// Validate returns an invalid error that says what to mend. webhooks are the
// names that exist.
func (p Policy) Validate(webhooks []string) error {
	seen := map[detect.Level]bool{}
	for i, r := range p.Rules {
		if len(r.Severity) == 0 || len(r.Steps) == 0 {
			return fault.New(fault.Invalid, "alarm.policy rule %d needs severity and steps", i+1)
		}
		for _, s := range r.Severity {
			l, ok := detect.ParseLevel(s)
			if !ok {
				return fault.New(fault.Invalid, "alarm.policy rule %d: %q is no severity", i+1, s)
			}
			if seen[l] {
				return fault.New(fault.Invalid, "alarm.policy: two rules name the severity %s", s)
			}
			seen[l] = true
		}
		if _, err := parseQuiet(r.Quiet); err != nil {
			return fault.New(fault.Invalid, "alarm.policy rule %d: %w", i+1, err)
		}
		for n, s := range r.Steps {
			if s.After < 0 || n > 0 && s.After < r.Steps[n-1].After {
				return fault.New(fault.Invalid, "alarm.policy rule %d: the steps must come in order of time", i+1)
			}
			for _, to := range s.To {
				if err := checkTo(to, webhooks); err != nil {
					return fault.New(fault.Invalid, "alarm.policy rule %d step %d: %w", i+1, n+1, err)
				}
			}
		}
	}
	return nil
}

func checkTo(to string, webhooks []string) error {
	kind, name, _ := strings.Cut(to, ":")
	switch {
	case to == "duty" || to == "lead" || to == "next":
		return nil
	case kind == "person" && name != "":
		return nil
	case kind == "mail":
		if _, err := mail.ParseAddress(name); err != nil {
			return fault.New(fault.Invalid, "%q is no mail address", name)
		}
		return nil
	case kind == "webhook":
		if slices.Contains(webhooks, name) {
			return nil
		}
		return fault.New(fault.Invalid, "there is no webhook %q under alarm.webhooks", name)
	}
	return fault.New(fault.Invalid, "%q: want duty, lead, next, person:ID, mail:ADDRESS or webhook:NAME", to)
}

// rule returns the rule for a severity.
func (p Policy) rule(l detect.Level) (Rule, bool) {
	for _, r := range p.Rules {
		for _, s := range r.Severity {
			if x, ok := detect.ParseLevel(s); ok && x == l {
				return r, true
			}
		}
	}
	return Rule{}, false
}

// Taipei is the zone of quiet hours and of the roster's forms. It has no
// daylight saving.
var Taipei = time.FixedZone("Asia/Taipei", 8*3600)

// quiet is a part of every day, in minutes from midnight; from == to is none.
type quiet struct{ from, to int }

func parseQuiet(s string) (quiet, error) {
	if s == "" {
		return quiet{}, nil
	}
	a, b, ok := strings.Cut(s, "-")
	f, err1 := time.Parse("15:04", strings.TrimSpace(a))
	t, err2 := time.Parse("15:04", strings.TrimSpace(b))
	if !ok || err1 != nil || err2 != nil || f.Equal(t) {
		return quiet{}, fault.New(fault.Invalid, "quiet hours %q: want hh:mm-hh:mm", s)
	}
	return quiet{f.Hour()*60 + f.Minute(), t.Hour()*60 + t.Minute()}, nil
}

// after returns t, or the end of the quiet hours that t lies in.
func (q quiet) after(t time.Time) time.Time {
	if q.from == q.to {
		return t
	}
	local := t.In(Taipei)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, Taipei)
	m := local.Hour()*60 + local.Minute()
	switch {
	case q.from < q.to && m >= q.from && m < q.to, q.from > q.to && m < q.to:
		return midnight.Add(time.Duration(q.to) * time.Minute)
	case q.from > q.to && m >= q.from:
		return midnight.AddDate(0, 0, 1).Add(time.Duration(q.to) * time.Minute)
	}
	return t
}
