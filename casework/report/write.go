// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"citywall/internal/fault"
	"citywall/internal/text"
)

// Formats lists what Write can write.
func Formats() []string { return []string{"text", "json", "csv"} }

// Write writes r. JSON and the terms in it do not depend on the language.
func Write(w io.Writer, r Report, l text.Lang, format string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	case "csv":
		return writeCSV(w, r, l)
	case "text":
		return writeText(w, r, l)
	}
	return fault.New(fault.Invalid, "format %q: want text, json or csv", format)
}

// shown is a number for people, or that it is withheld.
func shown(n *int, unit string, l text.Lang) string {
	if n == nil {
		return text.T(l, "casestats.hidden")
	}
	return strconv.Itoa(*n) + unit
}

func writeText(w io.Writer, r Report, l text.Lang) error {
	t := func(key string, pairs ...string) string { return text.T(l, "casestats."+key, pairs...) }
	out := &printer{w: w}
	for _, y := range r.Years {
		out.line("%s  %s", t("year", "roc", strconv.Itoa(y.ROC), "ce", strconv.Itoa(y.CE)), shown(y.Count, "", l))
	}
	out.line("%s  %d", t("total"), r.Total)
	for i, table := range [][]Attribute{r.Table1, r.Table2} {
		out.line("\n%s", t("table"+strconv.Itoa(i+1)))
		for _, a := range table {
			out.line("  %s", Term(l, a.Key, ""))
			for _, c := range a.Cells {
				out.line("    %s  %s  %s", Term(l, a.Key, c.Key), shown(c.Count, "", l), shown(c.Percent, "%", l))
			}
		}
	}
	out.line("")
	if r.NotTold {
		out.line("%s", t("note_not_told"))
	}
	if r.PublicK > 0 {
		out.line("%s", t("public", "k", strconv.Itoa(r.PublicK)))
	} else {
		out.line("%s", t("internal"))
	}
	if r.Outside > 0 {
		out.line("%s", t("outside", "n", strconv.Itoa(r.Outside)))
	}
	for _, s := range r.Skipped {
		out.line("%s", t("skipped", "line", strconv.Itoa(s.Line), "reason", s.Reason))
	}
	return out.err
}

// printer keeps the first error of many lines.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func writeCSV(w io.Writer, r Report, l text.Lang) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"table", "attribute", "category", "count", "percent"}}
	for _, y := range r.Years {
		rows = append(rows, []string{"years", "accepted_roc", strconv.Itoa(y.ROC), shown(y.Count, "", l), ""})
	}
	for i, table := range [][]Attribute{r.Table1, r.Table2} {
		for _, a := range table {
			for _, c := range a.Cells {
				rows = append(rows, []string{strconv.Itoa(i + 1), Term(l, a.Key, ""), Term(l, a.Key, c.Key), shown(c.Count, "", l), shown(c.Percent, "", l)})
			}
		}
	}
	return out.WriteAll(rows)
}
