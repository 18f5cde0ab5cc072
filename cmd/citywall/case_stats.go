// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"citywall/casework/report"
	"citywall/internal/fault"
	"citywall/internal/text"
)

func newCase(io streams) *cobra.Command {
	c := group("case", "The police's cases", newCaseStats(io))
	c.Long = "The police's cases. They are opened at the console, or by citywall investigate --case." + exits
	return c
}

type caseStatsOptions struct {
	in, years, format, lang, rounding string
	public                            int
}

func newCaseStats(io streams) *cobra.Command {
	var o caseStatsOptions
	c := &cobra.Command{
		Use:   "stats",
		Short: "Count cases by year, features and causes",
		Long: `Count the cases of a file by ROC year of acceptance (in Taipei), by the features
of the cases and by their causes.

The file is CSV; its first line names the columns, in any order: case_no,
accepted_at (RFC 3339) or accepted_roc (115/11/23), occurred_on, occurred_roc,
victim_kind, ransom_twd (empty: no amount was named), origin, payment_method,
paid, pattern, cause. Other columns are passed over. An empty field is counted as
not known, never as "no". A line that cannot be read is named and not counted.

Percentages are whole numbers that add up to 100 (largest remainder). With
--rounding as-printed they are those of the tables as they were once printed.
With --public K counts from 1 to K-1 are withheld, and another with them where
one alone would follow from the rest.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 lines were not counted.`,
		Example: "  citywall case stats --in cases.csv --years 112-114\n  citywall case stats --in cases.csv --years 112-114 --rounding as-printed --format json\n  citywall case stats --in cases.csv --years 115 --public 3 --lang zh-TW",
		Args:    exactly(0, "no argument"),
		RunE:    func(*cobra.Command, []string) error { return runCaseStats(io, o) },
	}
	f := c.Flags()
	f.StringVar(&o.in, "in", "", "file of cases, CSV; - reads standard input")
	f.StringVar(&o.years, "years", "", "ROC years: 112-114, or 115 alone")
	f.StringVar(&o.format, "format", "text", "text, json or csv")
	f.StringVar(&o.lang, "lang", "en", "language of text and CSV: zh-TW or en; JSON has the terms of the tables")
	f.StringVar(&o.rounding, "rounding", string(report.LargestRemainder), "largest-remainder, half-up or as-printed")
	f.IntVar(&o.public, "public", 0, "make public tables: withhold counts from 1 to one less than this (3 is usual); 0: internal tables")
	return c
}

func runCaseStats(st streams, o caseStatsOptions) error {
	l, ok := text.ParseLang(o.lang)
	if !ok {
		return fault.New(fault.Invalid, "language %q: want zh-TW or en", o.lang)
	}
	from, to, err := rocYears(o.years)
	if err != nil {
		return err
	}
	var in io.Reader
	switch o.in {
	case "":
		return fault.New(fault.Invalid, "--in is needed: the file of cases")
	case "-":
		in = st.in
	default:
		f, err := os.Open(o.in)
		if err != nil {
			return fault.New(fault.Invalid, "open the file of cases: %w", err)
		}
		defer f.Close()
		in = f
	}
	rows, skipped, err := report.Read(in)
	if err != nil {
		return err
	}
	r, err := report.Count(rows, report.Options{From: from, To: to, Rounding: report.Rounding(o.rounding), PublicK: o.public})
	if err != nil {
		return err
	}
	r.Skipped = append(r.Skipped, skipped...)
	if err := report.Write(st.out, r, l, o.format); err != nil {
		return err
	}
	if len(skipped) > 0 {
		return verdict{code: fault.ExitNegative, msg: fmt.Sprintf("%d lines of the file of cases were not counted; the first is line %d: %s", len(skipped), skipped[0].Line, skipped[0].Reason)}
	}
	return nil
}

// rocYears reads "112-114" or "115".
func rocYears(s string) (from, to int, err error) {
	a, b, both := strings.Cut(s, "-")
	if !both {
		b = a
	}
	from, err = strconv.Atoi(strings.TrimSpace(a))
	if err == nil {
		to, err = strconv.Atoi(strings.TrimSpace(b))
	}
	switch {
	case err != nil:
		return 0, 0, fault.New(fault.Invalid, "--years %q: want ROC years, 112-114 or 115", s)
	case from >= 1912 || to >= 1912:
		return 0, 0, fault.New(fault.Invalid, "--years %q: these are years of the common era; in ROC years they are %d-%d", s, from-1911, to-1911)
	}
	return from, to, nil
}
