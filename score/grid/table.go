// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package grid

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"citywall/score"
)

// MinCoverage is the bar of attackpath.md §9.4 on intervals where logs were
// lost.
const MinCoverage = 0.95

// Row is one line of the report: a cell, everything of a script or under a
// knob, or all cases.
type Row struct {
	Name    string        `json:"name"`
	Summary score.Summary `json:"summary"`
	Whole   score.Summary `json:"whole"` // of the cases in which nothing was lost
	Lossy   score.Summary `json:"lossy"`
	Missed  []string      `json:"missed,omitempty"` // bars that fell
}

// Report is what a run of the grid found.
type Report struct {
	Cells   []Row    `json:"cells"`
	Scripts []Row    `json:"scripts"`
	Knobs   []Row    `json:"knobs"`
	All     Row      `json:"all"`
	Pass    bool     `json:"pass"`
	Results []Result `json:"results"`
}

// Summarise sums results up. The bars are held over each script, over each knob
// and over all cases; a cell alone has too few cases for a verdict and shows its
// figures only. Nothing may ever be invented at grade observed and no innocent
// accused, in any case.
func Summarise(rs []Result) Report {
	rep := Report{Results: rs, Pass: true}
	by := func(key func(Result) string) []Row {
		var names []string
		groups := map[string][]Result{}
		for _, r := range rs {
			k := key(r)
			if groups[k] == nil {
				names = append(names, k)
			}
			groups[k] = append(groups[k], r)
		}
		out := make([]Row, 0, len(names))
		for _, n := range names {
			out = append(out, rowOf(n, groups[n]))
		}
		return out
	}
	rep.Cells = by(func(r Result) string { return r.Name() })
	rep.Scripts = by(func(r Result) string { return r.Case.Scenario })
	rep.Knobs = by(func(r Result) string { return r.Knob })
	rep.All = rowOf("all", rs)
	for i := range rep.Cells {
		rep.Cells[i].Missed = rep.Cells[i].always()
	}
	for _, rows := range [][]Row{rep.Scripts, rep.Knobs, {rep.All}} {
		for i := range rows {
			rows[i].Missed = append(rows[i].always(), rows[i].means()...)
			rep.Pass = rep.Pass && len(rows[i].Missed) == 0
			if rows[i].Name == "all" {
				rep.All.Missed = rows[i].Missed
			}
		}
	}
	return rep
}

func rowOf(name string, rs []Result) Row {
	var all, whole, lossy []score.Result
	for _, r := range rs {
		all = append(all, r.Result)
		if r.Whole() {
			whole = append(whole, r.Result)
		} else {
			lossy = append(lossy, r.Result)
		}
	}
	return Row{Name: name, Summary: score.Summarise(all), Whole: score.Summarise(whole), Lossy: score.Summarise(lossy)}
}

// always are the bars that hold in every single case.
func (r Row) always() []string {
	var out []string
	for _, name := range []string{"invented", "accused"} {
		if m, ok := r.Summary.Measure(name); ok && m.Max > 0 {
			out = append(out, fmt.Sprintf("%s %g", name, m.Max))
		}
	}
	return out
}

// means are the bars on means.
func (r Row) means() []string {
	var out []string
	hold := func(s score.Summary, name string, least float64) {
		if m, ok := s.Measure(name); ok && m.Mean < least {
			out = append(out, fmt.Sprintf("%s %.3f < %g", name, m.Mean, least))
		}
	}
	for _, name := range []string{"host_recall", "hop_recall"} {
		hold(r.Whole, name, score.MinRecall)
	}
	for _, name := range []string{"host_precision", "hop_precision"} {
		hold(r.Whole, name, score.MinPrecision)
	}
	hold(r.Whole, "tau", score.MinTau)
	hold(r.Summary, "interval", MinCoverage)
	return out
}

// columns of the table, with their heads.
var columns = [...]struct{ measure, head string }{
	{"pass", "all bars"}, {"entry_right", "entry"}, {"interval", "interval"}, {"first_error_s", "first s"}, {"host_recall", "host rec"}, {"host_precision", "host prec"},
	{"hop_recall", "hop rec"}, {"hop_precision", "hop prec"}, {"tau", "tau"}, {"invented", "invented"}, {"accused", "accused"},
	{"observed_true", "observed"}, {"inferred_true", "inferred"}, {"assumed_true", "assumed"},
}

// Text writes the table: means with half the width of their 95 % interval over
// seeds, "–" where there was nothing to measure.
func (rep Report) Text(w io.Writer) error {
	var b strings.Builder
	part := func(title string, rows []Row) {
		fmt.Fprintf(&b, "%-32s %5s", title, "cases")
		for _, c := range columns {
			fmt.Fprintf(&b, " %11s", c.head)
		}
		b.WriteString("\n")
		for _, r := range rows {
			fmt.Fprintf(&b, "%-32s %5d", r.Name, r.Summary.Seeds)
			for _, c := range columns {
				fmt.Fprintf(&b, " %11s", cell(r.Summary, c.measure))
			}
			if len(r.Missed) > 0 {
				b.WriteString("  missed: " + strings.Join(r.Missed, ", "))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	part("cell", rep.Cells)
	part("script", rep.Scripts)
	part("condition", rep.Knobs)
	part("", []Row{rep.All})
	verdict := "The bars are met."
	if !rep.Pass {
		verdict = "Bars are missed."
	}
	b.WriteString(verdict + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func cell(s score.Summary, name string) string {
	m, ok := s.Measure(name)
	if !ok {
		return "–"
	}
	digits := 3
	if name == "first_error_s" {
		digits = 0
	}
	out := strconv.FormatFloat(m.Mean, 'f', digits, 64)
	if m.Interval != nil && m.Max > m.Min {
		out += "±" + strings.TrimPrefix(strconv.FormatFloat(max(m.Interval[1]-m.Mean, m.Mean-m.Interval[0]), 'f', digits, 64), "0")
	}
	return out
}

// CSV writes every row and measure: mean, ends of the interval, smallest, largest.
func (rep Report) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	f := func(x float64) string { return strconv.FormatFloat(x, 'g', 8, 64) }
	rows := [][]string{{"part", "name", "cases", "measure", "mean", "low", "high", "min", "max"}}
	for _, p := range []struct {
		part string
		rows []Row
	}{{"cell", rep.Cells}, {"script", rep.Scripts}, {"condition", rep.Knobs}, {"all", []Row{rep.All}}} {
		for _, r := range p.rows {
			for _, m := range r.Summary.Measures {
				low, high := "", ""
				if m.Interval != nil {
					low, high = f(m.Interval[0]), f(m.Interval[1])
				}
				rows = append(rows, []string{p.part, r.Name, strconv.Itoa(r.Summary.Seeds), m.Name, f(m.Mean), low, high, f(m.Min), f(m.Max)})
			}
		}
	}
	return c.WriteAll(rows)
}
