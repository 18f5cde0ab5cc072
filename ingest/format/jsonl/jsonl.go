// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package jsonl decodes JSON lines: Windows events in the shapes of evtx_dump,
// Winlogbeat (ECS) and NXLog, ECS records of other products, audit records of
// cloud services (also the files in which AWS and Azure put many into one
// object), and generic objects.
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
	"sync"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "jsonl"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: decode, Record: record}
}

func sniff(head []byte) int {
	if envelope(head) != "" {
		return 60
	}
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

// reader decodes one record after the other. It keeps a parser for each shape,
// which knows the shape's names, and tries first that of the last record: a
// file seldom changes its mind. Which one it tries changes no result.
type reader struct {
	parsers [shapes]flatjson.Parser
	last    shape
}

// readers are those of record: the memory of a parser pays when it lasts.
var readers = sync.Pool{New: func() any {
	r := new(reader)
	for s := range r.parsers {
		r.parsers[s].Alias = aliases(shape(s))
	}
	return r
}}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	r := readers.Get().(*reader)
	defer readers.Put(r)
	f, class, err := r.parsers[r.last].Parse(rec)
	if s := shapeOf(class); s != r.last && err == nil {
		r.last = s
		f, _, err = r.parsers[s].Parse(rec)
	}
	if err != nil {
		return nil, err
	}
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	switch r.last {
	case evtxDump:
		err = finish(e, f, f.Str("TimeCreated_SystemTime"))
	case winlogbeat:
		err = fromWinlogbeat(e, f)
	case nxlog:
		err = fromNXLog(e, f, src)
	default:
		if class&isAudit != 0 {
			if a := auditOf(f); a != nil {
				fromAudit(e, f, a)
				return e, nil
			}
		}
		err = generic(e, f, src)
	}
	return e, err
}

// shape is whose JSON a record is.
type shape uint8

const (
	other shape = iota
	evtxDump
	winlogbeat
	nxlog
	shapes
)

// Classes of names, by which a shape is known (flatjson.Parser.Alias).
const (
	isEvtxDump uint8 = 1 << iota
	isWinlogbeat
	isEventTime
	isSourceName
	isChannel
	isEventID
	isAudit
	isNXLog = isEventTime | isSourceName | isChannel | isEventID
)

func classOf(n string) uint8 {
	switch {
	case strings.HasPrefix(n, "Event.System."):
		return isEvtxDump
	case strings.HasPrefix(n, "winlog."):
		return isWinlogbeat
	case n == "EventTime":
		return isEventTime
	case n == "SourceName":
		return isSourceName
	case n == "Channel":
		return isChannel
	case n == "EventID":
		return isEventID
	case isAuditName(n):
		return isAudit
	}
	return 0
}

func shapeOf(class uint8) shape {
	switch {
	case class&isEvtxDump != 0:
		return evtxDump
	case class&isWinlogbeat != 0:
		return winlogbeat
	case class&isNXLog == isNXLog:
		return nxlog
	}
	return other
}

// aliases gives the native names of a shape.
func aliases(s shape) func(string) (string, uint8) {
	native := [shapes]func(string) string{evtxDump: evtxDumpName, winlogbeat: winlogbeatName, nxlog: nxlogName}[s]
	return func(n string) (string, uint8) {
		class := classOf(n)
		if native != nil {
			n = native(n)
		}
		return n, class
	}
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
