// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package clamav reads what the programs of ClamAV write: clamd, freshclam,
// clamonacc and clamav-milter with their own time or in syslog, and clamscan's
// report.
//
// Their lines are sentences; Signature and Filename take Sigma's names for
// antivirus logs, event says which sentence it was, and message is the whole.
// A report of clamscan dates its finds only by begin and end of the scan, so the
// time of a find lies between them, with half the distance as uncertainty.
//
// It never opens a file that a line names.
package clamav

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "clamav"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: decode, Record: record}
}

// Dialect returns the programs' lines in syslog.
func Dialect() format.Dialect {
	return format.Dialect{Name: name, Match: func(app, _ string) bool { return service(app) != "" }, Read: func(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
		e.Product, e.Category, e.Service = "clamav", "antivirus", service(e.Fields.Str("appname"))
		if _, text, ok := stamp(msg); ok { // LogTime and LogSyslog together
			msg = text
		}
		b := format.NewBody(&e.Fields, 8)
		b.Add("message", msg)
		sentence(b, msg)
		return nil
	}}
}

func service(app string) string {
	app = strings.ToLower(app[strings.LastIndexByte(app, '/')+1:])
	switch app {
	case "clamd", "freshclam", "clamscan", "clamdscan", "clamonacc", "clamav-milter":
		return app
	case "clamav":
		return "clamd"
	}
	return ""
}

func sniff(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool { _, _, ok := stamp(string(l)); return ok }) {
		return 90
	}
	text := string(head)
	if strings.Contains(text, "SCAN SUMMARY") && strings.Contains(text, "Known viruses: ") {
		return 90
	}
	if format.SniffLines(head, func(l []byte) bool {
		path, verdict, ok := cutVerdict(string(l))
		return ok && (verdict == "OK" || strings.HasSuffix(verdict, " FOUND")) && rooted(path)
	}) {
		return 60
	}
	return 0
}

// rooted reports an absolute path of Unix or Windows.
func rooted(p string) bool {
	return strings.HasPrefix(p, "/") || len(p) > 2 && p[1] == ':' && (p[2] == '\\' || p[2] == '/')
}

// stamp cuts "Fri Mar 13 18:50:00 2026 -> ".
func stamp(s string) (at, text string, ok bool) {
	const n = len("Fri Mar 13 18:50:00 2026")
	if len(s) < n+4 || s[n:n+4] != " -> " || s[3] != ' ' || s[13] != ':' {
		return "", s, false
	}
	return s[:n], s[n+4:], true
}

const layout = "Mon Jan _2 15:04:05 2006"

// record reads a line with its own time.
func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	at, text, ok := stamp(string(rec))
	if !ok {
		return nil, errors.New("no time and arrow: want \"Fri Mar 13 18:50:00 2026 -> …\"")
	}
	t, err := time.ParseInLocation(layout, at, src.Location())
	if err != nil {
		return nil, fmt.Errorf("time %q: %w", at, err)
	}
	if strings.Trim(text, "-+*= ") == "" {
		return nil, format.ErrSkip
	}
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	e.Product, e.Category = "clamav", "antivirus"
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), at, true, time.Second/2
	b := format.NewBody(&e.Fields, 8)
	b.Add("message", text)
	e.Service = "clamd"
	if kind := sentence(b, text); kind == "update" || kind == "updated" || kind == "outdated" {
		e.Service = "freshclam"
	}
	return e, nil
}

// maxHeld is how many finds of one scan wait for its dates; beyond it they are
// given without a time.
const maxHeld = 10_000

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	d := decoder{src: src, emit: emit}
	err := format.EachLine(ctx, r, d.line)
	if err == nil {
		err = d.release()
	}
	return d.st, err
}

// decoder reads a file of either kind of line.
type decoder struct {
	src        format.Source
	emit       format.Emit
	st         format.Stats
	held       []*event.Event // finds of the scan being read
	begin, end string
}

func (d *decoder) line(l format.Line) error {
	if l.Long {
		return d.damaged(l.Pos, fmt.Errorf("longer than %d bytes", format.MaxRecord))
	}
	text := string(l.Text)
	if _, _, ok := stamp(text); ok {
		e, err := record(l.Text, l.Pos, d.src)
		switch {
		case errors.Is(err, format.ErrSkip):
			d.st.Skipped++
			return nil
		case err != nil:
			return d.damaged(l.Pos, err)
		}
		d.st.Saw(e)
		return d.emit(e)
	}
	return d.report(l, text)
}

func (d *decoder) damaged(p format.Pos, err error) error {
	d.st.Damaged++
	d.st.Note("line %d at byte %d: %v", p.Line, p.Offset, err)
	return nil
}

// report reads a line of clamscan's.
func (d *decoder) report(l format.Line, text string) error {
	if key, v, ok := strings.Cut(text, ": "); ok {
		switch v = strings.TrimSpace(v); key {
		case "Start Date":
			d.begin, d.st.Skipped = v, d.st.Skipped+1
			return nil
		case "End Date":
			d.end, d.st.Skipped = v, d.st.Skipped+1
			return d.release()
		case "Known viruses", "Engine version", "Scanned directories", "Scanned files", "Infected files", "Total errors", "Data scanned", "Data read", "Time":
			d.st.Skipped++
			return nil
		}
	}
	path, verdict, ok := cutVerdict(text)
	switch {
	case ok && strings.HasSuffix(verdict, " FOUND"), strings.HasPrefix(text, "WARNING: "), strings.HasPrefix(text, "ERROR: "), strings.HasPrefix(text, "LibClamAV "):
	case ok && rooted(path), strings.Trim(text, "-= ") == "", strings.Contains(text, "SCAN SUMMARY"):
		d.st.Skipped++ // clean, empty, excluded, a rule
		if strings.Trim(text, "-") == "" && len(text) > 20 {
			return d.release() // the rule before the next scan
		}
		return nil
	default:
		return d.damaged(l.Pos, errors.New("neither a line with a time nor one of a scan's report"))
	}
	e := d.src.Event(name, l.Pos)
	e.Raw = bytes.Clone(l.Text)
	e.Product, e.Category, e.Service = "clamav", "antivirus", "clamscan"
	b := format.NewBody(&e.Fields, 8)
	b.Add("message", text)
	sentence(b, text)
	d.held = append(d.held, e)
	if len(d.held) >= maxHeld {
		d.st.Note("line %d: more than %d finds before the scan's dates: they have no time", l.Pos.Line, maxHeld)
		return d.release()
	}
	return nil
}

// release dates the finds of a scan between its begin and end and hands them on.
func (d *decoder) release() error {
	const dates = "2006:01:02 15:04:05"
	from, err1 := time.ParseInLocation(dates, d.begin, d.src.Location())
	to, err2 := time.ParseInLocation(dates, d.end, d.src.Location())
	for _, e := range d.held {
		if err1 == nil && err2 == nil && !to.Before(from) {
			half := to.Sub(from) / 2
			e.Time, e.Uncertainty, e.TimeRaw, e.ZoneAssumed = from.Add(half).UTC(), half+time.Second/2, d.begin+" to "+d.end, true
		}
		d.st.Saw(e)
		if err := d.emit(e); err != nil {
			return err
		}
	}
	d.held, d.begin, d.end = nil, "", ""
	return nil
}

// cutVerdict cuts "path: verdict" at the last colon: a path may hold one.
func cutVerdict(s string) (path, verdict string, ok bool) {
	i := strings.LastIndex(s, ": ")
	if i <= 0 {
		return "", "", false
	}
	return s[:i], s[i+2:], true
}
