// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package eve decodes Suricata's EVE JSON log: one object a line, told apart by
// event_type.
//
// Product is "suricata", Service the event type (alert, flow, dns, http, tls,
// smb, ...). Fields keep EVE's nesting as dots (alert.signature, flow.start).
// Source: the EVE JSON format chapter of the Suricata user guide.
package eve

import (
	"bytes"
	"errors"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "eve"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"event_type"}, Decode: format.Lines(record), Record: record}
}

// Dialect returns EVE as the message of a syslog line. The header's fields stay
// beside the record's.
func Dialect() format.Dialect {
	match := func(_, msg string) bool { return strings.HasPrefix(msg, "{") && strings.Contains(msg, `"event_type"`) }
	return format.Dialect{Name: name, Match: match, Read: func(msg string, e *event.Event, p format.Pos, src format.Source) error {
		in, err := record([]byte(msg), p, src)
		if err != nil {
			return err
		}
		e.Product, e.Service = in.Product, in.Service
		e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = in.Time, in.TimeRaw, in.ZoneAssumed, 0
		for _, f := range in.Fields {
			if _, there := e.Fields.Get(f.Name); !there {
				e.Fields = append(e.Fields, f)
			}
		}
		return nil
	}}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte("\n"))
	if len(line) > 0 && line[0] == '{' && bytes.Contains(line, []byte(`"event_type":`)) && bytes.Contains(line, []byte(`"timestamp":`)) {
		return 90
	}
	return 0
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	f, err := flatjson.Parse(rec)
	if err != nil {
		return nil, err
	}
	e := src.Event(name, p)
	e.Product, e.Service = "suricata", f.Str("event_type")
	e.Fields, e.Raw = f, bytes.Clone(rec)
	if e.Service == "" {
		return nil, errors.New("no event_type: not an EVE record")
	}
	e.TimeRaw = f.Str("timestamp")
	e.Time, e.ZoneAssumed, err = format.Time(e.TimeRaw, src.Location())
	return e, err
}
