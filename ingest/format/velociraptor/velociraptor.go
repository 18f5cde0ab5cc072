// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package velociraptor decodes what Velociraptor exports: rows of artifacts as
// JSON lines, with the client, flow or artifact on them. (CSV exports are read by
// package csvlog.)
//
// Rows of Windows event logs become Windows events under the names that the EVTX
// decoder gives; all others keep their columns, nested ones dotted.
//
// It never guesses what a column means beyond the time: README.md lists which
// columns it takes for one.
package velociraptor

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "velociraptor"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"ClientId", "FlowId", "HuntId", "System"}, Decode: format.Lines(record), Record: record}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))), []byte("\n"))
	if len(line) > 0 && line[0] == '{' && isRow(line) {
		return 92
	}
	return 0
}

// isRow knows a row by the ids of Velociraptor (C.…, F.…, H.…), or by its way to
// write an event of Windows.
func isRow(l []byte) bool {
	has := func(s string) bool { return bytes.Contains(l, []byte(s)) }
	client := has(`"ClientId":"C.`) || has(`"ClientId": "C.`)
	flow := has(`"FlowId":"F.`) || has(`"FlowId": "F.`) || has(`"HuntId":"H.`) || has(`"HuntId": "H.`)
	source := has(`"_Source":"`) || has(`"_Source": "`) || has(`"Fqdn":`)
	evtx := has(`"System":{"Provider":{`) && has(`"EventID":{"Value":`) && has(`"TimeCreated":{"SystemTime":`)
	return client && (flow || source) || flow && source || evtx
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	rec = bytes.TrimPrefix(rec, []byte("\xef\xbb\xbf"))
	if !isRow(rec) {
		return nil, errors.New("not a row of Velociraptor: neither client nor flow nor artifact on it")
	}
	f, err := flatjson.Parse(rec)
	if err != nil {
		return nil, err
	}
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	if f.Str("System.EventID.Value") != "" && f.Str("System.Channel") != "" {
		return windows(e, f)
	}
	e.Product, e.Service, e.Fields = "velociraptor", f.First("_Source", "Artifact", "_Artifact"), f
	return e, setTime(e, src.Location())
}

// times are the columns that may say when, best first: of an event, then of a
// thing's beginning, then of a file.
var times = [...]string{"_ts", "EventTime", "Timestamp", "timestamp", "Time", "CreateTime", "StartTime", "LastRunTime", "Mtime", "ModTime", "Btime"}

// setTime takes the first column that is a time. A row without one is an event
// without a time: half a record is better evidence than none.
func setTime(e *event.Event, loc *time.Location) error {
	for _, n := range times {
		s := e.Fields.Str(n)
		if s == "" {
			continue
		}
		if t, assumed, err := format.Time(s, loc); err == nil {
			e.Time, e.TimeRaw, e.ZoneAssumed = t, s, assumed
			return nil
		}
	}
	return nil
}

// windows gives a row of a Windows event log the names of the event log's own.
func windows(e *event.Event, f event.Fields) (*event.Event, error) {
	e.Product = "windows"
	out := make(event.Fields, 0, len(f))
	for _, x := range f {
		n := x.Name
		switch {
		case n == "System.EventID.Value":
			n = "EventID"
		case strings.HasPrefix(n, "System."):
			n = strings.ReplaceAll(strings.TrimPrefix(n, "System."), ".", "_")
		case strings.HasPrefix(n, "EventData."):
			n = strings.TrimPrefix(n, "EventData.")
		case strings.HasPrefix(n, "UserData."):
			n = n[strings.LastIndexByte(n, '.')+1:]
		}
		out = append(out, event.Field{Name: n, Value: x.Value})
	}
	e.Fields = out
	e.Origin.Record, _ = strconv.ParseUint(out.Str("EventRecordID"), 10, 64)
	e.TimeRaw = out.Str("TimeCreated_SystemTime")
	var err error
	e.Time, _, err = format.Time(e.TimeRaw, time.UTC)
	return e, err
}
