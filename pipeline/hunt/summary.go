// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/detect"
	"citywall/event"
	"citywall/internal/text"
)

// descending are the levels, the severest first.
var descending = []detect.Level{detect.Critical, detect.High, detect.Medium, detect.Low, detect.Informational}

// levels is a number for each level.
type levels [detect.Critical + 1]int64

func (l levels) total() (n int64) {
	for _, x := range l {
		n += x
	}
	return n
}

// RuleCount is what one rule found.
type RuleCount struct {
	ID, Title, Author string
	Level             detect.Level
	Count             int64
	First, Last       time.Time
	Computers         int

	hash string
}

// Named is a day, a computer or a tactic with its rows by level.
type Named struct {
	Name   string
	Levels levels
	Total  int64
}

// Summary counts what a hunt saw and found.
type Summary struct {
	Events      int64 // read
	Hits        int64 // events with a row
	Rows        int64
	Behaviour   int64     // rows of detectors of many records, among them
	First, Last time.Time // of the events
	Levels      levels    // rows
	Rules       levels    // rules with rows

	rules     map[string]*ruleTally // by hash
	days      map[string]*levels    // UTC
	computers map[string]*levels
	tactics   map[string]*levels
}

type ruleTally struct {
	RuleCount
	on map[string]struct{}
}

func newSummary() Summary {
	return Summary{rules: map[string]*ruleTally{}, days: map[string]*levels{}, computers: map[string]*levels{}, tactics: map[string]*levels{}}
}

func (s *Summary) event(e *event.Event, hit bool) {
	s.Events++
	if hit {
		s.Hits++
	}
	if t := e.Time; !t.IsZero() {
		if s.First.IsZero() || t.Before(s.First) {
			s.First = t
		}
		if t.After(s.Last) {
			s.Last = t
		}
	}
}

// manyComputers bounds the names that are counted apart.
const manyComputers = 100_000

func (s *Summary) row(r *Row) {
	s.Rows++
	s.Levels[r.Level]++
	t := s.rules[r.more.RuleHash]
	if t == nil {
		t = &ruleTally{RuleCount{ID: r.RuleID, Title: r.RuleTitle, Author: r.RuleAuthor, Level: r.Level, First: r.Time, Last: r.Time, hash: r.more.RuleHash}, map[string]struct{}{}}
		s.rules[r.more.RuleHash] = t
		s.Rules[r.Level]++
	}
	t.Count++
	if len(t.on) < manyComputers {
		t.on[r.Computer] = struct{}{}
	}
	if r.Time.Before(t.First) {
		t.First = r.Time
	}
	if r.Time.After(t.Last) {
		t.Last = r.Time
	}
	put := func(m map[string]*levels, name string) {
		l := m[name]
		if l == nil {
			if len(m) >= manyComputers {
				name = "…"
			}
			if l = m[name]; l == nil {
				l = &levels{}
				m[name] = l
			}
		}
		l[r.Level]++
	}
	if !r.Time.IsZero() {
		put(s.days, r.Time.UTC().Format(time.DateOnly))
	}
	put(s.computers, r.Computer)
	tactics, _, _ := mitre(r.more.Tags)
	for _, x := range tactics {
		put(s.tactics, x)
	}
}

// ByRule returns the rules, the severest and most frequent first.
func (s *Summary) ByRule() []RuleCount {
	var out []RuleCount
	for _, t := range s.rules {
		t.Computers = len(t.on)
		out = append(out, t.RuleCount)
	}
	slices.SortFunc(out, func(a, b RuleCount) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID), cmp.Compare(a.hash, b.hash))
	})
	return out
}

// ByDay returns the UTC days in order.
func (s *Summary) ByDay() []Named {
	out := named(s.days)
	slices.SortFunc(out, func(a, b Named) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// ByComputer returns the computers, those with the most severe rows first.
func (s *Summary) ByComputer() []Named { return severest(named(s.computers)) }

// ByTactic returns ATT&CK's tactics as the rules' tags name them.
func (s *Summary) ByTactic() []Named { return severest(named(s.tactics)) }

func named(m map[string]*levels) []Named {
	out := make([]Named, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Named{k, *m[k], m[k].total()})
	}
	return out
}

func severest(out []Named) []Named {
	slices.SortStableFunc(out, func(a, b Named) int {
		for _, l := range descending {
			if c := cmp.Compare(b.Levels[l], a.Levels[l]); c != 0 {
				return c
			}
		}
		return 0
	})
	return out
}

// Text writes the summary for a terminal.
func (s *Summary) Text(w io.Writer, l text.Lang, zone *time.Location) error {
	t := func(key string, pairs ...string) string { return text.T(l, "hunt."+key, pairs...) }
	n := func(x int64) string { return strconv.FormatInt(x, 10) }
	var b strings.Builder
	line := func(f string, args ...any) { fmt.Fprintf(&b, f+"\n", args...) }
	line("%s", t("read", "events", n(s.Events), "hits", n(s.Hits), "less", s.Reduction()))
	if !s.First.IsZero() {
		line("%s", t("span", "first", stamp(s.First, zone), "last", stamp(s.Last, zone)))
	}
	line("%s", t("rows", "n", n(s.Rows), "rules", n(s.Rules.total())))
	if s.Behaviour > 0 {
		line("%s", t("behaviour", "n", n(s.Behaviour)))
	}
	for _, lv := range descending {
		line("  %s", t("level", "level", t("level."+lv.String()), "total", n(s.Levels[lv]), "share", share(s.Levels[lv], s.Rows), "rules", n(s.Rules[lv])))
	}
	if s.Rows == 0 {
		_, err := io.WriteString(w, b.String())
		return err
	}
	days := s.ByDay()
	line("%s", t("days"))
	for _, lv := range descending {
		var most *Named
		for i := range days {
			if x := days[i].Levels[lv]; x > 0 && (most == nil || x > most.Levels[lv]) {
				most = &days[i]
			}
		}
		if most != nil {
			line("  %s", t("day", "level", t("level."+lv.String()), "day", most.Name, "n", n(most.Levels[lv])))
		}
	}
	line("%s", t("computers"))
	for _, c := range head(s.ByComputer(), 10) {
		line("  %s: %s", text.Printable(c.Name), levelList(t, c.Levels))
	}
	line("%s", t("toprules"))
	for _, r := range head(s.ByRule(), 20) {
		line("  %6d  %-4s  %s  [%s]", r.Count, short(r.Level), text.Printable(r.Title), text.Printable(r.Author))
	}
	if tactics := s.ByTactic(); len(tactics) > 0 {
		line("%s", t("tactics"))
		for _, c := range tactics {
			line("  %s: %s", text.Printable(c.Name), levelList(t, c.Levels))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func levelList(t func(string, ...string) string, l levels) string {
	var out []string
	for _, lv := range descending {
		if l[lv] > 0 {
			out = append(out, fmt.Sprintf("%s %d", t("level."+lv.String()), l[lv]))
		}
	}
	return strings.Join(out, ", ")
}

// Reduction is how much less there is to read than events, in percent.
func (s *Summary) Reduction() string {
	if s.Events == 0 {
		return "0"
	}
	return strconv.FormatFloat(100-100*float64(s.Hits)/float64(s.Events), 'f', 2, 64)
}

func share(part, whole int64) string {
	if whole == 0 {
		return "0"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 2, 64)
}

func head[T any](s []T, n int) []T { return s[:min(n, len(s))] }

func short(l detect.Level) string {
	return [...]string{"info", "low", "med", "high", "crit"}[l]
}

func stamp(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format("2006-01-02 15:04:05.000 -07:00")
}
