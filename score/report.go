// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package score

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/incident"
	"citywall/internal/text"
)

// judge sets the bars.
func (r *Result) judge() {
	bar := func(code string, pass bool, found, want string) {
		r.Bars = append(r.Bars, Bar{code, pass, found, want})
	}
	n := strconv.Itoa
	if r.Attack {
		bar("found", r.Pieces == 1, n(r.Pieces), "1") // one attack, one incident
		bar("entry", r.EntryRight, r.EntryHost, "")
		bar("interval", r.Interval, seconds(r.FirstError), "")
		bar("host_recall", r.HostRecall >= MinRecall, percent(r.HostRecall), percent(MinRecall))
		bar("host_precision", r.HostPrecision >= MinPrecision, percent(r.HostPrecision), percent(MinPrecision))
		bar("hop_recall", r.HopRecall >= MinRecall, percent(r.HopRecall), percent(MinRecall))
		bar("hop_precision", r.HopPrecision >= MinPrecision, percent(r.HopPrecision), percent(MinPrecision))
		bar("order", r.Tau >= MinTau, decimal(r.Tau), decimal(MinTau))
		bar("invented", r.Invented == 0, n(r.Invented), "0")
	} else {
		bar("quiet", r.False == 0, n(r.False), "0")
	}
	bar("accused", len(r.Accused) == 0, n(len(r.Accused)), "0")
	r.Pass = !slices.ContainsFunc(r.Bars, func(b Bar) bool { return !b.Pass })
}

func percent(x float64) string       { return strconv.FormatFloat(100*x, 'f', 1, 64) + " %" }
func decimal(x float64) string       { return strconv.FormatFloat(x, 'f', 3, 64) }
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) + " s" }

// Text words the result: the verdict, every bar, then what was missed.
func (r Result) Text(l text.Lang) string {
	var b strings.Builder
	line := func(key string, pairs ...string) { b.WriteString(text.T(l, "score."+key, pairs...) + "\n") }
	verdict := "failed"
	if r.Pass {
		verdict = "passed"
	}
	line(verdict, "scenario", r.Scenario, "seed", strconv.FormatUint(r.Seed, 10))
	for _, x := range r.Bars {
		mark := "no"
		if x.Pass {
			mark = "yes"
		}
		b.WriteString("  " + text.T(l, "score.mark."+mark) + " ")
		found := x.Found
		if found == "" {
			found = text.T(l, "score.nothing")
		}
		line("bar."+x.Code, "found", found, "want", x.Want)
	}
	if r.Attack {
		line("also", "suspects", percent(r.SuspectRecall), "isolate", percent(r.IsolateRecall), "wrong", strconv.Itoa(r.IsolateWrong), "kinds", percent(r.KindRight),
			"apart", seconds(r.HopError), "false", strconv.Itoa(r.False))
	}
	list := func(key string, names []string) {
		if len(names) > 0 {
			line(key, "list", strings.Join(names, ", "))
		}
	}
	list("accused", r.Accused)
	list("missed_hosts", r.MissedHosts)
	list("extra_hosts", r.ExtraHosts)
	var missed, extra []string
	for _, h := range r.MissedHops {
		missed = append(missed, fmt.Sprintf("%s → %s (%s, %s)", h.Src, h.Dst, h.Kind, h.Time.UTC().Format(time.DateTime)))
	}
	for _, h := range r.ExtraHops {
		extra = append(extra, fmt.Sprintf("%s → %s (%s, %s, %s)", h.Src.Key(), h.Dst.Key(), h.Kind, h.Grade, h.Time.UTC().Format(time.DateTime)))
	}
	list("missed_hops", missed)
	list("extra_hops", extra)
	return b.String()
}

// Measure is a mean over seeds with its 95 % interval.
type Measure struct {
	Name     string      `json:"name"`
	Mean     float64     `json:"mean"`
	Interval *[2]float64 `json:"interval,omitempty"` // nil for fewer than two seeds
	Min      float64     `json:"min"`
	Max      float64     `json:"max"`
}

// Summary is the same script on several seeds.
type Summary struct {
	Scenario string    `json:"scenario"`
	Seeds    int       `json:"seeds"`
	Passed   int       `json:"passed"`
	Measures []Measure `json:"measures"`
}

// Measure returns the measure of that name; false when there was nothing to
// measure.
func (s Summary) Measure(name string) (Measure, bool) {
	for _, m := range s.Measures {
		if m.Name == name {
			return m, true
		}
	}
	return Measure{}, false
}

// Summarise takes the mean of each measure over the results, with Student's
// 95 % interval. The interval of a share is cut at 0 and 1.
func Summarise(rs []Result) Summary {
	s := Summary{Seeds: len(rs)}
	if len(rs) == 0 {
		return s
	}
	s.Scenario = rs[0].Scenario
	for _, r := range rs {
		if r.Pass {
			s.Passed++
		}
	}
	add := func(name string, share bool, f func(Result) float64) {
		m := Measure{Name: name, Min: math.Inf(1), Max: math.Inf(-1)}
		var xs []float64
		for _, r := range rs {
			x := f(r)
			if math.IsNaN(x) {
				continue // there was nothing to measure
			}
			xs = append(xs, x)
			m.Mean += x
			m.Min, m.Max = min(m.Min, x), max(m.Max, x)
		}
		if len(xs) == 0 {
			return
		}
		m.Mean /= float64(len(xs))
		var ss float64
		for _, x := range xs {
			ss += (x - m.Mean) * (x - m.Mean)
		}
		if n := float64(len(xs)); n > 1 {
			half := student(len(xs)-1) * math.Sqrt(ss/(n-1)/n)
			m.Interval = &[2]float64{m.Mean - half, m.Mean + half}
			if share {
				m.Interval[0], m.Interval[1] = max(m.Interval[0], 0), min(m.Interval[1], 1)
			}
		}
		s.Measures = append(s.Measures, m)
	}
	yes := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	add("pass", true, func(r Result) float64 { return yes(r.Pass) })
	of := func(f func(Result) float64) func(Result) float64 { // where nothing happened, only accusing can be wrong
		return func(r Result) float64 {
			if !r.Attack {
				return math.NaN()
			}
			return f(r)
		}
	}
	add("entry_right", true, of(func(r Result) float64 { return yes(r.EntryRight) }))
	add("interval", true, of(func(r Result) float64 { return yes(r.Interval) }))
	add("first_error_s", false, of(func(r Result) float64 { return math.Abs(r.FirstError.Seconds()) }))
	add("host_recall", true, of(func(r Result) float64 { return r.HostRecall }))
	add("host_precision", true, of(func(r Result) float64 { return r.HostPrecision }))
	add("hop_recall", true, of(func(r Result) float64 { return r.HopRecall }))
	add("hop_precision", true, of(func(r Result) float64 { return r.HopPrecision }))
	add("kind_right", true, of(func(r Result) float64 { return r.KindRight }))
	add("tau", false, of(func(r Result) float64 { return r.Tau }))
	add("hop_error_s", false, of(func(r Result) float64 { return r.HopError.Seconds() }))
	add("invented", false, func(r Result) float64 { return float64(r.Invented) })
	for _, g := range []incident.Grade{incident.Observed, incident.Inferred, incident.Assumed} {
		add(string(g)+"_true", true, func(r Result) float64 {
			s := r.Graded[g]
			if s.Of == 0 {
				return math.NaN()
			}
			return float64(s.True) / float64(s.Of)
		})
	}
	add("suspect_recall", true, func(r Result) float64 { return r.SuspectRecall })
	add("suspect_precision", true, func(r Result) float64 { return r.SuspectShare })
	add("isolate_recall", true, func(r Result) float64 { return r.IsolateRecall })
	add("isolate_wrong", false, func(r Result) float64 { return float64(r.IsolateWrong) })
	add("accused", false, func(r Result) float64 { return float64(len(r.Accused)) })
	add("false_incidents", false, func(r Result) float64 { return float64(r.False) })
	return s
}

// student is the 97.5 % quantile of Student's t with df degrees of freedom.
func student(df int) float64 {
	table := [...]float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
		2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}
	if df <= len(table) {
		return table[df-1]
	}
	return 1.96 + 2.4/float64(df)
}

// Text words the summary as a table.
func (s Summary) Text(l text.Lang) string {
	var b strings.Builder
	b.WriteString(text.T(l, "score.summary", "scenario", s.Scenario, "seeds", strconv.Itoa(s.Seeds), "passed", strconv.Itoa(s.Passed)) + "\n")
	for _, m := range s.Measures {
		low, high := "–", "–"
		if m.Interval != nil {
			low, high = decimal(m.Interval[0]), decimal(m.Interval[1])
		}
		b.WriteString("  " + text.T(l, "score.measure", "name", text.T(l, "score.measure."+m.Name), "mean", decimal(m.Mean), "low", low, "high", high, "min", decimal(m.Min), "max", decimal(m.Max)) + "\n")
	}
	return b.String()
}
