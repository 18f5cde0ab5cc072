// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"

	"citywall/internal/text"
)

// attribute is how one group of a table is counted.
type attribute struct {
	key        string
	table      int
	categories []category
	of         func(Row) string // the key of a case's category
}

type category struct {
	key  string
	rare bool // shown only when a case has it; the founding document has no row for it
}

const (
	notTold = "not_told"
	unknown = "unknown"

	// largeRansom is the bound of "5 million and more" (500萬以上), which counts
	// as such itself.
	largeRansom = 5_000_000 // New Taiwan dollars
)

// unknowns is the row of what is not known. Unknown is never "no".
var unknowns = category{unknown, true}

// attributes are those of the founding document, in its order.
var attributes = []attribute{
	{
		"victim_kind", 1,
		[]category{{"private", false}, {"public", false}, unknowns},
		func(r Row) string { return r.Victim },
	},
	{
		"ransom", 1,
		[]category{{"unstated", false}, {"large", false}, {"small", false}},
		func(r Row) string {
			switch {
			case r.Ransom < 0:
				return "unstated"
			case r.Ransom >= largeRansom:
				return "large"
			}
			return "small"
		},
	},
	{
		"origin", 1,
		[]category{{"overseas", false}, {"domestic", false}, unknowns},
		func(r Row) string { return r.Origin },
	},
	{
		"payment_method", 1,
		[]category{{"crypto", false}, {"bank", true}, {"card", true}, {"other", true}, {"unspecified", false}, unknowns},
		func(r Row) string { return r.Method },
	},
	{
		// "No (note)", 否(註), folds those who refused and those who never told; they stay
		// apart in the case.
		"paid", 1,
		[]category{{"no", false}, {"yes", false}, {"partly", true}, {"undisclosed", true}, unknowns},
		func(r Row) string {
			if r.Paid == notTold {
				return "no"
			}
			return r.Paid
		},
	},
	{
		"pattern", 1,
		[]category{
			{"encryption", false}, {"leak", false}, {"double", true},
			{"triple", true}, {"lock", true}, unknowns,
		},
		func(r Row) string { return r.Pattern },
	},
	{
		"cause", 2,
		[]category{{"capacity", false}, {"vulnerability", false}, {"awareness", false}, unknowns},
		func(r Row) string { return r.Cause },
	},
}

// Term words an attribute, or one of its categories.
func Term(l text.Lang, attribute, category string) string {
	switch category {
	case "":
		return text.T(l, "casestats."+attribute)
	case unknown:
		return text.T(l, "casestats.unknown")
	}
	return text.T(l, "casestats."+attribute+"."+category)
}

// values returns what the column of an attribute may say beside nothing.
func (a attribute) values() []string {
	var out []string
	for _, c := range a.categories {
		out = append(out, c.key)
	}
	return out
}

// official is the language of the tables' own terms.
const official = text.ZhTW

func (a attribute) count(rows []Row, o Options) Attribute {
	counts := make([]int, len(a.categories))
	for _, r := range rows {
		k := a.of(r)
		if k == "" {
			k = unknown
		}
		if i := slices.IndexFunc(a.categories, func(c category) bool { return c.key == k }); i >= 0 {
			counts[i]++
		}
	}
	out := Attribute{Key: a.key, Name: Term(official, a.key, "")}
	var shown []int
	for i, c := range a.categories {
		if c.rare && counts[i] == 0 {
			continue
		}
		shown = append(shown, counts[i])
		out.Cells = append(out.Cells, Cell{Key: c.key, Category: Term(official, a.key, c.key)})
	}
	percents := percent(shown, a.table, o.Rounding)
	hidden := hide(shown, o.PublicK)
	for i := range out.Cells {
		if !hidden[i] {
			out.Cells[i].Count, out.Cells[i].Percent = &shown[i], &percents[i]
		}
	}
	return out
}

// percent returns the share of each count in whole percent.
func percent(counts []int, table int, by Rounding) []int {
	total := 0
	for _, n := range counts {
		total += n
	}
	out := make([]int, len(counts))
	if total == 0 {
		return out
	}
	if by == HalfUp || by == AsPrinted && table != 1 {
		for i, n := range counts {
			out[i] = (200*n + total) / (2 * total)
		}
		return out
	}
	left := 100
	for i, n := range counts {
		out[i] = 100 * n / total
		left -= out[i]
	}
	if by == AsPrinted {
		for i := len(counts) - 1; i >= 0; i-- {
			if counts[i] > 0 {
				out[i] += left
				break
			}
		}
		return out
	}
	// The largest remainders get one more each; of equal ones the first.
	order := make([]int, len(counts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return 100*counts[b]%total - 100*counts[a]%total })
	for _, i := range order[:left] {
		out[i]++
	}
	return out
}

// hide returns which counts a public table may not show: those from 1 to k-1,
// and when that is one alone, which total and neighbours would give away, the
// smallest other one that is not zero.
func hide(counts []int, k int) []bool {
	out := make([]bool, len(counts))
	n := 0
	for i, c := range counts {
		if c > 0 && c < k {
			out[i] = true
			n++
		}
	}
	if n != 1 {
		return out
	}
	least := -1
	for i, c := range counts {
		if c > 0 && !out[i] && (least < 0 || c < counts[least]) {
			least = i
		}
	}
	if least >= 0 {
		out[least] = true
	}
	return out
}
