// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package osquery decodes the JSON of osquery's result log and status log: a
// differential row, a batch of rows, a snapshot, or a status, one a line, also
// inside syslog.
//
// Names keep osquery's nesting as dots (columns.path). One line is one event; of
// batches and snapshots each column is a list with a value for each row, in the
// order of the rows.
//
// It never asks a host anything and never guesses which table a query read.
package osquery

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "osquery"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"hostIdentifier"}, Decode: format.Lines(record), Record: record}
}

// Dialect returns the records inside syslog (logger_plugin syslog, forwarders).
func Dialect() format.Dialect {
	return format.Dialect{Name: name, Match: func(_, msg string) bool { return strings.HasPrefix(msg, "{") && isOsquery([]byte(msg)) }, Read: func(msg string, e *event.Event, _ format.Pos, src format.Source) error {
		return read(e, []byte(msg), src)
	}}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))), []byte("\n"))
	if len(line) > 0 && line[0] == '{' && isOsquery(line) {
		return 92
	}
	return 0
}

// isOsquery knows the log by its two times and the host's identifier.
func isOsquery(l []byte) bool {
	has := func(s string) bool { return bytes.Contains(l, []byte(s)) }
	return has(`"hostIdentifier"`) && has(`"calendarTime"`) && has(`"unixTime"`)
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	return e, read(e, bytes.TrimPrefix(rec, []byte("\xef\xbb\xbf")), src)
}

func read(e *event.Event, b []byte, src format.Source) error {
	f, err := flatjson.Parse(b)
	if err != nil {
		return err
	}
	if f.Str("hostIdentifier") == "" && f.Str("unixTime") == "" {
		return errors.New("not a record of osquery")
	}
	e.Product, e.Service = "osquery", f.Str("name")
	if e.Service == "" && f.Str("severity") != "" {
		e.Service = "status"
	}
	have := len(e.Fields)
	for _, x := range f {
		for i := range have {
			if e.Fields[i].Name == x.Name {
				e.Fields[i].Name = "header." + x.Name
			}
		}
		e.Fields = append(e.Fields, x)
	}
	e.TimeRaw = f.Str("unixTime")
	if e.Time, err = format.Epoch(e.TimeRaw); err != nil {
		return err
	}
	e.ZoneAssumed, e.Uncertainty = false, time.Second/2
	// Tables of events (process_events, socket_events …) have a time of their own;
	// the record's is when the query ran.
	if raw := f.Str("columns.time"); raw != "" && strings.Contains(e.Service, "_events") {
		if t, err := format.Epoch(raw); err == nil && !t.After(e.Time.Add(time.Minute)) && e.Time.Sub(t) < 7*24*time.Hour {
			e.Time, e.TimeRaw = t, raw
		}
	}
	return nil
}
