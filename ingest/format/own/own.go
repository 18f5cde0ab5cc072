// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package own reads what Citywall itself has to say of its sources: one JSON
// object a line with "citywall":"source". They come over the queue like
// everything else, so that a source that falls silent is an event, can raise a
// finding, and leads back to a record.
//
// Product is "citywall", category "source", service the condition: silent, late,
// clock, volume, format, damage. It reads nothing that pipeline/live does not
// write.
package own

import (
	"bytes"
	"errors"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "own"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"citywall"}, Decode: format.Lines(record), Record: record}
}

func sniff(head []byte) int {
	if bytes.HasPrefix(bytes.TrimSpace(head), []byte(`{"citywall":"source",`)) {
		return 100
	}
	return 0
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	f, err := flatjson.Parse(rec)
	if err != nil {
		return nil, err
	}
	e := src.Event(name, p)
	e.Product, e.Category, e.Service = "citywall", "source", f.Str("condition")
	e.Fields, e.Raw = f, bytes.Clone(rec)
	if f.Str("citywall") != "source" || e.Service == "" {
		return nil, errors.New("no record of Citywall about a source")
	}
	if a := f.Str("agency"); a != "" {
		e.Agency = a
	}
	e.TimeRaw = f.Str("time")
	e.Time, e.ZoneAssumed, err = format.Time(e.TimeRaw, src.Location())
	return e, err
}
