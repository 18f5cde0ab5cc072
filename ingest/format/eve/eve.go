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

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "eve"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: format.Lines(record), Record: record}
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
