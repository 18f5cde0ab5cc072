// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package iis decodes the logs of Microsoft IIS: W3C extended (with the fields
// that #Fields names, which may change inside a file), HTTP.sys's error log,
// which has the same form, and IIS's own comma-separated form. IIS's NCSA form
// is package ncsa's.
//
// W3C times are UTC; those of the own form are the server's local time. Fields
// keep the names of #Fields. It promises that a line which does not fit its
// header is counted as damaged, never shifted into the wrong columns.
package iis

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

const name = "iis"

// Format returns the decoder. A W3C line means nothing without its header, so
// only lines of IIS's own form stand alone.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: decode, Record: record}
}

// record decodes a line of IIS's own form.
func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	d := decoder{src: src}
	return d.line(format.Line{Text: rec, Pos: p})
}

func sniff(head []byte) int {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if len(head) > 0 && head[0] == '#' {
		if bytes.Contains(head, []byte("#Software: Microsoft Internet Information Services")) || bytes.Contains(head, []byte("#Software: Microsoft HTTP API")) {
			return 95
		}
		if i := bytes.Index(head, []byte("#Fields: ")); i >= 0 {
			line, _, _ := bytes.Cut(head[i:], []byte("\n"))
			if bytes.Contains(line, []byte("cs-method")) && bytes.Contains(line, []byte("c-ip")) && !bytes.ContainsAny(line, "\t,") {
				return 90
			}
		}
		return 0
	}
	if format.SniffLines(head, func(l []byte) bool { return bytes.Contains(l, []byte("SVC")) && isOwn(string(l)) }) {
		return 85
	}
	return 0
}

type decoder struct {
	src  format.Source
	cols []string
	date string    // of the last #Date, for files whose #Fields has no date
	last time.Time // of a file without dates: the latest time
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	d := decoder{src: src}
	err := format.EachLine(ctx, r, func(l format.Line) error {
		if l.Text[0] == '#' {
			d.header(string(l.Text))
			return nil
		}
		var e *event.Event
		err := fmt.Errorf("longer than %d bytes", format.MaxRecord)
		if !l.Long {
			e, err = d.line(l)
		}
		if err != nil {
			st.Damaged++
			st.Note("line %d at byte %d: %v", l.Pos.Line, l.Pos.Offset, err)
			return nil
		}
		st.Saw(e)
		return emit(e)
	})
	return st, err
}

func (d *decoder) header(s string) {
	key, v, _ := strings.Cut(s, ":")
	switch v = strings.TrimSpace(v); key {
	case "#Fields":
		if d.cols = strings.Fields(v); len(d.cols) > format.MaxFields {
			d.cols = nil
		}
	case "#Date":
		d.date, _, _ = strings.Cut(v, " ")
		d.last = time.Time{}
	}
}

func (d *decoder) line(l format.Line) (*event.Event, error) {
	s := string(l.Text)
	e := d.src.Event(name, l.Pos)
	e.Raw = bytes.Clone(l.Text)
	e.Product, e.Category, e.Service = "iis", "webserver", "access"
	if d.cols == nil {
		if !isOwn(s) {
			return nil, errors.New("no #Fields line came before it")
		}
		return e, own(s, e, d.src)
	}
	f := make(event.Fields, 0, len(d.cols)+1)
	var date, clock, stem, query string
	both := false
	for i := 0; ; i++ {
		s = strings.TrimLeft(s, " ") // an empty value is "-": two spaces are one that is wrong
		if s == "" {
			if i != len(d.cols) {
				return nil, fmt.Errorf("%d values for %d fields", i, len(d.cols))
			}
			break
		}
		if i == len(d.cols) {
			return nil, fmt.Errorf("more values than the %d fields", i)
		}
		v := s
		if n := strings.IndexByte(s, ' '); n >= 0 {
			v, s = s[:n], s[n+1:]
		} else {
			s = ""
		}
		switch d.cols[i] {
		case "date":
			date = v
		case "time":
			clock = v
		case "cs-uri-stem":
			stem = v
		case "cs-uri-query":
			query, both = v, true
		case "s-reason":
			e.Service = "error" // HTTP.sys
		}
		f = append(f, event.Field{Name: d.cols[i], Value: event.T(v)})
	}
	if stem != "" {
		uri := stem
		if both && query != "-" && query != "" {
			uri += "?" + query
		}
		f = append(f, event.Field{Name: "cs-uri", Value: event.T(uri)})
	}
	e.Fields = f
	return e, d.time(e, date, clock)
}

// time: W3C extended log file format and Microsoft's page say UTC.
func (d *decoder) time(e *event.Event, date, clock string) error {
	dated := date != ""
	if !dated {
		date = d.date
	}
	if date == "" || clock == "" {
		return errors.New("neither the line nor a #Date has a date")
	}
	e.TimeRaw = date + " " + clock
	t, err := time.Parse("2006-01-02 15:04:05.999", e.TimeRaw)
	if err != nil {
		return err
	}
	e.Uncertainty = time.Second / 2
	if !dated { // times only: over midnight they begin anew
		for t.Before(d.last.Add(-12 * time.Hour)) {
			t = t.Add(24 * time.Hour)
		}
		if t.After(d.last) {
			d.last = t
		}
	}
	e.Time = t
	return nil
}

// ownNames are the columns of IIS's own form, in W3C's names where they have
// one (Microsoft Learn, "IIS log file formats").
var ownNames = [...]string{
	"c-ip", "cs-username", "date", "time", "s-sitename", "s-computername", "s-ip", "time-taken", "cs-bytes", "sc-bytes", "sc-status", "sc-win32-status",
	"cs-method", "cs-uri-stem", "cs-uri-query",
}

// isOwn reports "192.0.2.1, -, 03/20/26, 7:55:20, W3SVC2, SALES1, …, -,".
func isOwn(s string) bool {
	if strings.Count(s, ", ") < len(ownNames)-1 || !strings.Contains(s, "SVC") {
		return false
	}
	p := strings.SplitN(s, ", ", 6)
	return strings.Count(p[2], "/") == 2 && strings.Count(p[3], ":") == 2 && strings.Contains(p[4], "SVC")
}

func own(s string, e *event.Event, src format.Source) error {
	f := make(event.Fields, 0, len(ownNames)+1)
	vals := strings.SplitN(strings.TrimRight(s, ", "), ", ", len(ownNames))
	if len(vals) < len(ownNames)-1 {
		return fmt.Errorf("%d values for %d columns", len(vals), len(ownNames))
	}
	for i, v := range vals {
		f = append(f, event.Field{Name: ownNames[i], Value: event.T(strings.TrimSpace(v))})
	}
	uri := f.Str("cs-uri-stem")
	if q := f.Str("cs-uri-query"); q != "" && q != "-" {
		uri += "?" + q
	}
	f.Add("cs-uri", uri)
	e.Fields = f
	e.TimeRaw = f.Str("date") + " " + f.Str("time")
	for _, layout := range [...]string{"01/02/06 15:04:05", "1/2/2006 15:04:05", "01/02/2006 15:04:05"} {
		if t, err := time.ParseInLocation(layout, e.TimeRaw, src.Location()); err == nil {
			e.Time, e.ZoneAssumed, e.Uncertainty = t.UTC(), true, time.Second/2
			return nil
		}
	}
	return fmt.Errorf("time %q: want MM/DD/YY hh:mm:ss", e.TimeRaw)
}
