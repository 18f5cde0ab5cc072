// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package report counts cases: by year of acceptance, and by the attributes of
// the two tables that the founding document prints.
//
// It promises that a percentage follows from its count by the rule that is
// named, that what is not known is a category of its own and never "no", that a
// zero is shown, and that a public table gives away no count below its bound.
// Years are those of the Republic, by the moment of acceptance (受理) in Taipei.
//
// It never sees who a victim is: a Row has no field for it. It explains nothing:
// why a number rose or fell is an officer's hypothesis and stands elsewhere.
package report

import (
	"slices"
	"time"

	"citywall/casework"
	"citywall/internal/fault"
)

// Row is what is counted of one case. Empty is unknown.
type Row struct {
	Case     string // number, for messages only
	Accepted time.Time
	Occurred time.Time // zero when it is not known
	Victim   string    // private, public
	Ransom   int64     // New Taiwan dollars, at the rate of the day; -1 no amount was named
	Origin   string    // overseas, domestic
	Method   string    // crypto, unspecified, …
	Paid     string    // no, yes, not_told, partly, undisclosed
	Pattern  string    // encryption, leak, …
	Cause    string    // capacity, vulnerability, awareness
}

// Rounding is how percentages become whole numbers.
type Rounding string

// Roundings. LargestRemainder adds up to 100. AsPrinted is what the founding
// document did: its first table rounds down and gives the remainder to the last
// cell that is not zero, its second rounds half up.
const (
	LargestRemainder Rounding = "largest-remainder"
	HalfUp           Rounding = "half-up"
	AsPrinted        Rounding = "as-printed"
)

// Roundings lists them, the default first.
func Roundings() []Rounding { return []Rounding{LargestRemainder, HalfUp, AsPrinted} }

// Options are what to count and how to show it.
type Options struct {
	From, To int // years of the Republic, both included
	Rounding Rounding
	PublicK  int // counts from 1 to PublicK-1 are hidden; 0 for internal tables, where nothing is
}

// Year is the cases accepted in one year. Count is nil when a public table may
// not show it.
type Year struct {
	ROC   int  `json:"roc"`
	CE    int  `json:"ce"`
	Count *int `json:"count"`
}

// Cell is one category of an attribute. Count and Percent are nil when a public
// table may not show them.
type Cell struct {
	Key      string `json:"key"`      // "private"
	Category string `json:"category"` // as the table prints it: "私立"
	Count    *int   `json:"count"`
	Percent  *int   `json:"percent"`
}

// Attribute is a group of cells that add up to all cases.
type Attribute struct {
	Key   string `json:"key"`
	Name  string `json:"attribute"` // "被害人身分"
	Cells []Cell `json:"cells"`
}

// Report is the answer.
type Report struct {
	Period   []int       `json:"period_roc"`
	Rounding Rounding    `json:"rounding"`
	PublicK  int         `json:"public_k"` // 0: internal, nothing is hidden
	Total    int         `json:"total"`
	Years    []Year      `json:"by_year"`
	Table1   []Attribute `json:"table1"`
	Table2   []Attribute `json:"table2"`
	// Attributes has the cells of both tables again, by the attribute's name.
	Attributes map[string][]Cell `json:"attributes"`
	NotTold    bool              `json:"not_told"`       // "no" holds some who never said: the tables carry a note
	Outside    int               `json:"outside_period"` // cases of other years: not counted
	Skipped    []Skipped         `json:"skipped"`        // lines that Read could not count; for whoever has them
}

// maxYears bounds a period.
const maxYears = 200

// Count counts the rows whose year of acceptance lies in the period.
func Count(rows []Row, o Options) (Report, error) {
	if o.Rounding == "" {
		o.Rounding = LargestRemainder
	}
	switch {
	case !slices.Contains(Roundings(), o.Rounding):
		return Report{}, fault.New(fault.Invalid, "rounding %q: want largest-remainder, half-up or as-printed", o.Rounding)
	case o.From < 1 || o.To < o.From || o.To-o.From >= maxYears:
		return Report{}, fault.New(fault.Invalid, "years %d to %d of the Republic: want the earlier first, and at most %d of them", o.From, o.To, maxYears)
	case o.PublicK < 0 || o.PublicK > 1000:
		return Report{}, fault.New(fault.Invalid, "a public table hides counts below k: %d is not 0 to 1000", o.PublicK)
	}
	r := Report{Rounding: o.Rounding, PublicK: o.PublicK, Attributes: map[string][]Cell{}, Skipped: []Skipped{}}
	for y := o.From; y <= o.To; y++ {
		r.Period = append(r.Period, y)
		r.Years = append(r.Years, Year{ROC: y, CE: y + 1911})
	}
	counts := make([]int, len(r.Years))
	var in []Row
	for _, row := range rows {
		y := casework.ROCYear(row.Accepted)
		if y < o.From || y > o.To {
			r.Outside++
			continue
		}
		counts[y-o.From]++
		r.NotTold = r.NotTold || row.Paid == notTold
		in = append(in, row)
	}
	r.Total = len(in)
	hidden := hide(counts, o.PublicK)
	for i := range r.Years {
		if !hidden[i] {
			r.Years[i].Count = &counts[i]
		}
	}
	for _, a := range attributes {
		out := a.count(in, o)
		if a.table == 1 {
			r.Table1 = append(r.Table1, out)
		} else {
			r.Table2 = append(r.Table2, out)
		}
		r.Attributes[out.Name] = out.Cells
	}
	return r, nil
}
