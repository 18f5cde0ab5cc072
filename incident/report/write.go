// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/internal/fault"
	"citywall/internal/text"
)

// Formats are the names that Write knows.
var Formats = []string{"text", "json", "csv", "attackflow", "html"}

// Write writes r in one of Formats.
func Write(w io.Writer, r incident.Result, l text.Lang, format string) error {
	switch format {
	case "text":
		return Text(w, r, l)
	case "json":
		return JSON(w, r, l)
	case "csv":
		return CSV(w, r, l)
	case "attackflow":
		return AttackFlow(w, r, l)
	case "html":
		return HTML(w, r, l)
	}
	return fault.New(fault.Invalid, "no report format %q; there are %s", format, strings.Join(Formats, ", "))
}

// JSON writes the document of the contract.
func JSON(w io.Writer, r incident.Result, l text.Lang) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(New(r, l))
}

// CSV writes one line a hop, for spreadsheets: UTF-8 with a byte order mark,
// and no cell that a spreadsheet would take for a formula.
func CSV(w io.Writer, r incident.Result, l text.Lang) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	put := func(cells ...string) {
		for i, s := range cells {
			cells[i] = Cell(s)
		}
		_ = c.Write(cells) // csv keeps the error for Error below
	}
	put("incident", "severity", "n", "time_utc", "last_utc", "count", "src", "src_host", "dst", "dst_host", "dst_port", "proto", "user", "kind", "technique", "grade",
		"bytes_out", "bytes_in", "sentence", "file", "path_in_archive", "sha256", "offset", "line", "record")
	for _, inc := range New(r, l).Incidents {
		for _, h := range inc.Hops {
			var e Evidence
			if len(h.Evidence) > 0 {
				e = h.Evidence[0]
			}
			put(inc.ID, inc.Severity, strconv.Itoa(h.N), h.Time.String(), show(h.Last), strconv.Itoa(h.Count), show(h.Src), show(h.SrcHost), show(h.Dst), show(h.DstHost),
				show(h.DstPort), show(h.Proto), show(h.User), h.Kind, show(h.Technique), h.Grade, strconv.FormatInt(h.BytesOut, 10), strconv.FormatInt(h.BytesIn, 10), h.Sentence,
				e.File, show(e.Inner), show(e.SHA256), strconv.FormatInt(e.Offset, 10), show(e.Line), show(e.Record))
		}
	}
	c.Flush()
	return c.Error()
}

// Cell makes a value safe for spreadsheets: one that begins with = + - @, a tab
// or a carriage return gets an apostrophe, unless it is a number.
func Cell(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}

// show writes an optional value, "" for null.
func show[T any](p *T) string {
	if p == nil {
		return ""
	}
	return fmt.Sprint(any(*p))
}

// Text writes the report for a terminal: what a person asks first comes first.
func Text(w io.Writer, r incident.Result, l text.Lang) error {
	p := printer{w: w, l: l}
	d := New(r, l)
	p.line(p.t("heading"))
	for _, s := range d.Sources {
		name := s.File
		if s.Inner != nil {
			name += "!" + *s.Inner
		}
		form := p.t("unread")
		if s.Format != nil {
			form = *s.Format
		}
		p.line("  " + p.t("source", "file", name, "format", form, "records", narrate.Number(s.Records), "damaged", narrate.Number(s.Damaged), "skipped", narrate.Number(s.Skipped), "first", show(s.First), "last", show(s.Last)))
		for _, n := range s.Notes {
			p.line("    ! " + n)
		}
	}
	p.line("  " + p.t("findings", "n", narrate.Number(d.Findings.Total), "rules", strconv.Itoa(len(d.Findings.ByRule))))
	if d.Baseline.Note != "" {
		p.line("  " + d.Baseline.Note)
	}
	if len(r.Incidents) == 0 {
		p.line("")
		p.line(p.t("nothing"))
	}
	for i, inc := range r.Incidents {
		p.incident(i+1, inc, d.Incidents[i])
	}
	return p.err
}

type printer struct {
	w   io.Writer
	l   text.Lang
	err error
}

func (p *printer) t(key string, pairs ...string) string { return text.T(p.l, "report."+key, pairs...) }

func (p *printer) line(s string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, printable(s)+"\n")
	}
}

// printable keeps a log's control characters from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '\u00b7'
		}
		return r
	}, s)
}

func (p *printer) section(key string) {
	p.line("")
	p.line("  " + p.t(key))
}

func (p *printer) incident(n int, inc incident.Incident, d Incident) {
	p.line("")
	p.line(strings.Repeat("─", 72))
	p.line(p.t("incident", "n", strconv.Itoa(n), "title", d.Title, "severity", narrate.Level(p.l, inc.Severity)))
	for _, s := range d.SeverityReasons {
		p.line("  · " + s)
	}
	p.section("first")
	p.line("    " + narrate.FirstCompromise(p.l, inc.FirstCompromise))
	p.line("    " + d.Entry.Statement)
	if len(d.Isolate) > 0 {
		p.section("isolate")
		for _, i := range d.Isolate {
			p.line("    " + i.Sentence)
		}
	}
	if len(d.Hops) > 0 {
		p.section("path")
		for _, h := range d.Hops {
			p.line(fmt.Sprintf("    %2d. %s", h.N, h.Sentence))
		}
	}
	if len(d.Steps) > 0 {
		p.section("steps")
		for _, s := range d.Steps {
			p.line("    " + s.Sentence)
		}
	}
	if len(d.Hosts) > 0 {
		p.section("hosts")
		for _, h := range inc.Hosts {
			p.line("    " + p.t("host."+hostState(h), "host", h.Host, "addresses", strings.Join(addresses(h.Addresses), ", "), "first", narrate.Time(p.l, h.First)))
		}
	}
	if len(d.Accounts) > 0 {
		p.section("accounts")
		for _, a := range d.Accounts {
			p.line("    " + p.t("account", "account", a.Account, "hosts", strings.Join(a.Hosts, ", "), "reasons", strings.Join(a.Reasons, "; ")))
		}
	}
	if len(inc.Suspicious) > 0 {
		p.section("suspicious")
		for _, s := range inc.Suspicious {
			p.line("    " + narrate.Suspect(p.l, s))
		}
	}
	if len(inc.Breakpoints) > 0 {
		p.section("breakpoints")
		for _, b := range inc.Breakpoints {
			p.line("    " + narrate.Breakpoint(p.l, b))
		}
	}
	for _, s := range d.SeparateFrom {
		p.line("")
		p.line("  " + p.t("separate", "incident", s.Incident, "reason", s.Reason))
	}
}

func hostState(h incident.HostState) string {
	switch {
	case h.External:
		return "external"
	case h.Compromised:
		return "compromised"
	}
	return "touched"
}

// generated is the time a report names as its making: that of the newest
// record, since a report of equal input must be equal.
func generated(r incident.Result) time.Time {
	var t time.Time
	for _, s := range r.Sources {
		if s.Last.After(t) {
			t = s.Last
		}
	}
	for _, i := range r.Incidents {
		if i.Last.After(t) {
			t = i.Last
		}
	}
	return t.UTC()
}
