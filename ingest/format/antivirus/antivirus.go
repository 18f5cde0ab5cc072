// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package antivirus reads what antivirus products write on an endpoint and what
// their servers send: McAfee VirusScan's access protection and on-access logs,
// Trend Micro OfficeScan's pccnt35.log and OfcUrlf.log, Symantec's AV log, Sophos'
// SAV.txt; Symantec Endpoint Protection Manager's and ESET Protect's syslog.
//
// Exports of consoles are CSV: package csvlog. Columns without a name of their own
// get that of the product's documentation; README.md has all of them.
//
// It never maps a product's codes to words: they are kept as written.
package antivirus

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "antivirus"

// Format returns the decoder of files.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"event_type"}, Decode: format.Lines(record), Record: record}
}

// forms are the kinds of line, each surer of itself than the next.
var forms = [...]struct {
	service string
	is      func(string) bool
	read    func(string, *event.Event, format.Source) error
	sure    int
}{
	{"eset", isESET, readESET, 94}, // JSON with event_type, as EVE has
	{"officescan", isOfficeScan, readOfficeScan, 90},
	{"symantec", isSymantec, readSymantec, 88},
	{"sophos", isSophos, readSophos, 45},
	{"mcafee", isMcAfee, readMcAfee, 85},
}

// sniff wants most lines to be one of the forms, and is as sure as the least sure
// of those it met.
func sniff(head []byte) int {
	sure := 100
	if !format.SniffLines(head, func(l []byte) bool {
		for _, f := range forms {
			if f.is(string(l)) {
				sure = min(sure, f.sure)
				return true
			}
		}
		return false
	}) {
		return 0
	}
	return sure
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	line := string(bytes.TrimPrefix(rec, []byte("\xef\xbb\xbf")))
	for _, f := range forms {
		if !f.is(line) {
			continue
		}
		e := src.Event(name, p)
		e.Product, e.Category, e.Service, e.Raw = "antivirus", "antivirus", f.service, bytes.Clone(rec)
		if err := f.read(line, e, src); err != nil {
			return nil, err
		}
		return e, nil
	}
	return nil, errors.New("no line of an antivirus product that is known")
}

// fields names the values of a line; those beyond the names are numbered. Empty
// values stay, as the line has them.
func fields(e *event.Event, names []string, vals []string) {
	for i, v := range vals {
		n := "column" + strconv.Itoa(i+1)
		if i < len(names) {
			n = names[i]
		}
		e.Fields = append(e.Fields, event.Field{Name: n, Value: event.T(v)})
	}
}

func digits(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789") == ""
}

// at sets the time of a text without a zone.
func at(e *event.Event, layout, s string, src format.Source, resolution time.Duration) error {
	t, err := time.ParseInLocation(layout, s, src.Location())
	if err != nil {
		return err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), s, true, resolution/2
	return nil
}
