// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package wazuh decodes the JSON that a Wazuh manager writes: alerts.json,
// archives.json, what Filebeat makes of them for the indexer, and the same
// inside syslog.
//
// Names keep Wazuh's nesting as dots (rule.description, data.srcip). What raised
// the alert is the agent's record; the manager only tells.
//
// It never turns an alert back into the record beneath it: full_log and
// data.win stay what they are.
package wazuh

import (
	"bytes"
	"errors"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "wazuh"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"manager"}, Decode: format.Lines(record), Record: record}
}

// Dialect returns Wazuh's JSON as the message of a syslog line (syslog_output
// with format json does not write it: forwarders do).
func Dialect() format.Dialect {
	match := func(_, msg string) bool { return strings.HasPrefix(msg, "{") && isWazuh([]byte(msg)) }
	return format.Dialect{Name: name, Match: match, Read: func(msg string, e *event.Event, _ format.Pos, src format.Source) error {
		return read(e, []byte(msg), src)
	}}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))), []byte("\n"))
	if len(line) > 0 && line[0] == '{' && isWazuh(line) {
		return 92
	}
	return 0
}

// isWazuh knows the manager by the three objects that it puts in every record.
func isWazuh(line []byte) bool {
	return bytes.Contains(line, []byte(`"manager":{"name":`)) && bytes.Contains(line, []byte(`"agent":{`)) &&
		(bytes.Contains(line, []byte(`"decoder":{`)) || bytes.Contains(line, []byte(`"rule":{`)))
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	if err := read(e, bytes.TrimPrefix(rec, []byte("\xef\xbb\xbf")), src); err != nil {
		return nil, err
	}
	return e, nil
}

func read(e *event.Event, b []byte, src format.Source) error {
	f, err := flatjson.Parse(b)
	if err != nil {
		return err
	}
	if f.Str("manager.name") == "" {
		return errors.New("no manager.name: not a record of Wazuh")
	}
	e.Product, e.Service = "wazuh", strings.ToLower(f.Str("decoder.name"))
	if f.Str("rule.id") != "" {
		e.Category = "alert"
	}
	for i := range f { // a header's fields stay beside the record's
		if _, there := e.Fields.Get(f[i].Name); there {
			f[i].Name = "message." + f[i].Name
		}
	}
	e.Fields = append(e.Fields, f...)
	s := f.First("timestamp", "@timestamp")
	t, assumed, err := format.Time(s, src.Location())
	if err != nil {
		return err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, s, assumed, 0
	return nil
}
