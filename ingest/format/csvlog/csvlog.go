// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package csvlog decodes comma-separated logs with a header line, also separated
// by semicolons or tabs.
//
// Some headers are recognised: alerts of several products in one table (time,
// name, ip, host, short, as the AIT alert data set has them), exports of antivirus
// consoles and of Defender's advanced hunting (headers.yaml). Any other CSV needs a
// mapping that says which column is the time. Columns become fields under their own
// names. README.md has the pages of both.
//
// It never guesses the meaning of a column beyond that, nor whether a day or a
// month comes first.
package csvlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "csv"

// velociraptor is the product whose rows may have no time, and name their artifact.
const velociraptor = "velociraptor"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: decode}
}

var alertHeader = []string{"time", "name", "ip", "host", "short"}

func isAlerts(cols []string) bool {
	if len(cols) < len(alertHeader) {
		return false
	}
	for i, c := range alertHeader {
		if cols[i] != c {
			return false
		}
	}
	return true
}

func sniff(head []byte) int {
	rest := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	first := true
	for n := 0; n < maxPreamble && len(rest) > 0; n++ {
		line, after, more := bytes.Cut(rest, []byte("\n"))
		cols, _ := columns(line)
		if _, ok := recognise(cols); ok {
			return 95
		}
		if first && more && plausible(line, cols) {
			first = false
		}
		rest = after
	}
	if !first {
		return 15 // some header; needs a mapping
	}
	return 0
}

// plausible reports whether a line may be a header at all.
func plausible(line []byte, cols []string) bool {
	if len(cols) < 3 || bytes.ContainsAny(line, "{<#\x00") {
		return false
	}
	return !slices.ContainsFunc(cols, func(c string) bool { return c == "" || len(c) > 64 || strings.ContainsAny(c, "=;[]") })
}

// alertMapping is what the recognised header means.
var alertMapping = format.CSVMapping{Time: "time", Layout: "epoch", Product: "alert", Category: "alert"}

// maxJoined is how many lines a quoted value may span before the quote is
// taken for damage.
const maxJoined = 50

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	d := decoder{src: src, emit: emit}
	err := format.EachLine(ctx, r, func(l format.Line) error {
		if l.Long {
			d.damaged(l.Pos, fmt.Errorf("longer than %d bytes", format.MaxRecord))
			return nil
		}
		return d.line(row{bytes.Clone(l.Text), l.Pos})
	})
	if err == nil {
		err = d.flush()
	}
	if err == nil && d.cols == nil && d.before > 0 {
		err = d.headless()
	}
	return d.st, err
}

// row is one line, or several that a quoted value joins.
type row struct {
	text []byte
	pos  format.Pos
}

type decoder struct {
	m       format.CSVMapping
	src     format.Source
	emit    format.Emit
	st      format.Stats
	cols    []string // nil before the header
	sep     byte
	before  int        // lines before the header
	first   [][]string // their columns
	timeCol int
	open    []row // lines of a value whose quote has not closed yet
}

// line takes the next line. One with an open quote waits for its end; when that
// does not come, the first line is damaged and the others stand alone again, so
// that a stray quote hides nothing.
func (d *decoder) line(l row) error {
	odd := bytes.Count(l.text, []byte(`"`))%2 == 1
	if len(d.open) == 0 && !odd {
		return d.row(l)
	}
	d.open = append(d.open, l)
	if len(d.open) > 1 && odd {
		all := d.open[0]
		for _, x := range d.open[1:] {
			all.text = append(append(all.text, '\n'), x.text...)
		}
		d.open = d.open[:0]
		return d.row(all)
	}
	if len(d.open) >= maxJoined {
		return d.giveUp()
	}
	return nil
}

func (d *decoder) giveUp() error {
	lines := d.open
	d.open = nil
	d.damaged(lines[0].pos, errors.New("a quote without an end"))
	for _, l := range lines[1:] {
		if err := d.line(l); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) flush() error {
	for len(d.open) > 0 {
		if err := d.giveUp(); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) damaged(p format.Pos, err error) {
	d.st.Damaged++
	d.st.Note("line %d at byte %d: %v", p.Line, p.Offset, err)
}

func (d *decoder) row(l row) error {
	if d.cols == nil {
		return d.header(l.text)
	}
	vals, err := format.SplitCSV(l.text, d.sep)
	var e *event.Event
	if err == nil {
		e, err = d.record(vals, l)
	}
	if err != nil {
		d.damaged(l.pos, err)
		return nil
	}
	d.st.Saw(e)
	return d.emit(e)
}

// header takes the line of the columns. Lines of a preamble are skipped.
func (d *decoder) header(line []byte) error {
	cols, sep := columns(line)
	m, ok := recognise(cols)
	if d.src.CSV != nil {
		m, ok = *d.src.CSV, slices.Contains(cols, d.src.CSV.Time)
	}
	if !ok {
		if d.before++; d.before < maxPreamble {
			d.st.Skipped++
			d.first = append(d.first, cols)
			return nil
		}
		return d.headless()
	}
	d.m, d.sep, d.timeCol = m, sep, slices.Index(cols, m.Time)
	for i, c := range cols {
		if n, ok := m.Rename[c]; ok {
			cols[i] = n
		}
	}
	d.cols = cols
	return nil
}

// headless says what to do about a file whose header is unknown, by the first of
// its lines that can be one.
func (d *decoder) headless() error {
	var cols []string
	for _, c := range d.first {
		if len(c) > len(cols) {
			cols = c
		}
	}
	if d.src.CSV != nil {
		return fmt.Errorf("the CSV has no column %q for the time; it has %s", d.src.CSV.Time, strings.Join(cols, ", "))
	}
	return fmt.Errorf("a CSV with the columns %s needs a mapping: name its time column under csv: in the configuration", strings.Join(cols, ", "))
}

func (d *decoder) record(vals []string, l row) (*event.Event, error) {
	if len(vals) != len(d.cols) {
		return nil, fmt.Errorf("%d values for %d columns", len(vals), len(d.cols))
	}
	e := d.src.Event(name, l.pos)
	if d.timeCol >= 0 && (vals[d.timeCol] != "" || d.m.Product != velociraptor) {
		t, assumed, err := d.time(vals[d.timeCol])
		if err != nil {
			return nil, err
		}
		e.Time, e.TimeRaw, e.ZoneAssumed = t, vals[d.timeCol], assumed
	}
	e.Product, e.Category, e.Service = d.m.Product, d.m.Category, d.m.Service
	e.Raw = l.text
	e.Fields = make(event.Fields, len(vals))
	for i, v := range vals {
		e.Fields[i] = event.Field{Name: d.cols[i], Value: event.T(v)}
	}
	if d.m.Product == velociraptor {
		e.Service = e.Fields.First("_Source", "Artifact")
	}
	if d.m.Product == "alert" && e.Service == "" {
		// "Wazuh: ...", "Suricata: Alert - ...", "AMiner: ...": the product that raised it.
		if tool, _, ok := strings.Cut(e.Fields.Str("name"), ":"); ok && len(tool) < 32 {
			e.Service = strings.ToLower(tool)
		}
	}
	return e, nil
}

func (d *decoder) time(s string) (time.Time, bool, error) {
	switch d.m.Layout {
	case "epoch":
		t, err := format.Epoch(s)
		return t, false, err
	case "epoch_ms", "":
		return consoleTime(s, d.src.Location())
	}
	t, err := time.ParseInLocation(d.m.Layout, s, d.src.Location())
	zoned := strings.Contains(d.m.Layout, "Z07") || strings.Contains(d.m.Layout, "-07") || strings.Contains(d.m.Layout, "MST")
	return t.UTC(), !zoned, err
}
