// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package jsonl decodes JSON lines: Windows events in the shapes of evtx_dump,
// Winlogbeat (ECS) and NXLog, ECS records of other products, and generic
// objects.
//
// The three Windows shapes get the native field names that the EVTX decoder
// gives (EventID, Channel, Provider_Name, TargetUserName, ...), so that one rule
// and one reading serve all four. Other objects keep their own dotted names.
// detection.md §5.13.
//
// It never translates a value.
package jsonl

import (
	"bytes"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "jsonl"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: format.Lines(record), Record: record}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))), []byte("\n"))
	switch {
	case len(line) < 2 || line[0] != '{':
		return 0
	case bytes.Contains(line, []byte(`"winlog"`)), bytes.Contains(line, []byte(`"Event":`)) && bytes.Contains(line, []byte(`"System":`)):
		return 95
	case bytes.Contains(line, []byte(`"EventTime"`)) && bytes.Contains(line, []byte(`"SourceName"`)):
		return 90
	}
	return 40
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	f, err := flatjson.Parse(rec)
	if err != nil {
		return nil, err
	}
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	switch shapeOf(f) {
	case evtxDump:
		err = fromEvtxDump(e, f)
	case winlogbeat:
		err = fromWinlogbeat(e, f)
	case nxlog:
		err = fromNXLog(e, f, src)
	default:
		err = generic(e, f, src)
	}
	return e, err
}

type shape int

const (
	other shape = iota
	evtxDump
	winlogbeat
	nxlog
)

func shapeOf(f event.Fields) shape {
	var nx int
	for i := range f {
		switch n := f[i].Name; {
		case strings.HasPrefix(n, "Event.System."):
			return evtxDump
		case strings.HasPrefix(n, "winlog."):
			return winlogbeat
		case n == "EventTime", n == "SourceName", n == "Channel", n == "EventID":
			nx++
		}
	}
	if nx == 4 {
		return nxlog
	}
	return other
}

// timeNames are where generic records keep their time, best first.
var timeNames = []string{"@timestamp", "timestamp", "time", "ts", "EventTime", "eventTime", "event_time", "datetime", "date", "_time", "UtcTime", "created_at"}

// generic keeps every field under its own name. A record without a readable
// time is still an event: its time is zero and it counts as such, since half a
// record is better evidence than none.
func generic(e *event.Event, f event.Fields, src format.Source) error {
	e.Fields = f
	e.Product = strings.ToLower(f.First("event.module", "observer.product", "product"))
	if e.Product == "" {
		e.Product = "json"
	}
	e.Category, e.Service = f.Str("event.category"), f.First("event.dataset", "service.type", "service")
	for _, n := range timeNames {
		s := f.Str(n)
		if s == "" {
			continue
		}
		t, assumed, err := format.Time(s, src.Location())
		if err == nil {
			e.Time, e.TimeRaw, e.ZoneAssumed = t, s, assumed
			return nil
		}
		if e.TimeRaw == "" {
			e.TimeRaw = s
		}
	}
	return nil
}
