// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"strings"

	"citywall/event"
	"citywall/ingest/format"
)

// Dialect returns a JSON object as the message of a syslog line, which is how
// NXLog and others carry Windows events. Any object counts: those that a product
// of its own reads stand before it in the list. The header's fields stay beside
// the record's under names of their own, so that a record's hostname wins.
func Dialect() format.Dialect {
	match := func(_, msg string) bool { return strings.HasPrefix(msg, "{") && strings.HasSuffix(msg, "}") }
	return format.Dialect{Name: name, Match: match, Read: func(msg string, e *event.Event, p format.Pos, src format.Source) error {
		in, err := record([]byte(msg), p, src)
		if err != nil {
			return err
		}
		header := e.Fields
		e.Fields = in.Fields
		for _, f := range header {
			e.Fields.Set("syslog."+f.Name, f.Value)
		}
		e.Product, e.Category, e.Service = in.Product, in.Category, in.Service
		if !in.Time.IsZero() {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = in.Time, in.TimeRaw, in.ZoneAssumed, in.Uncertainty
		}
		return nil
	}}
}
