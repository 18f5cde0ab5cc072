// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package syslog decodes syslog lines, RFC 5424 and RFC 3164, with or without
// the priority that files lack.
//
// What the message carries decides the product: the list of dialects in
// dialects.go, each a package of its own; anything else is "linux" with appname
// and message. A time without a year
// takes the latest year that does not lie after the source's NotAfter, so that
// December read in January is last year's; a time without a zone takes the
// source's zone and is marked.
//
// It never listens: that is ingest/transport/syslog.
package syslog

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "syslog"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: format.Lines(record), Record: record}
}

// sniffed is how many lines at the start of a file may be something else: the
// end of a line that rotation cut, the banner of a daemon.
const sniffed = 4

func sniff(head []byte) int {
	for i := range sniffed {
		line, rest, more := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte("\n"))
		if n := sniffLine(line); n > 0 {
			return n - 5*i
		}
		if !more {
			break
		}
		head = rest
	}
	return 0
}

func sniffLine(line []byte) int {
	if _, rest, ok := priority(line); ok {
		if len(rest) > 0 {
			return 80
		}
		return 0
	}
	text := string(line)
	if standalone(text) != nil {
		return 75
	}
	if _, _, ok := format.Stamp(text, time.UTC, time.Time{}); ok {
		return 60
	}
	return 0
}

// priority cuts <PRI>. RFC 5424 §6.2.1: 0 to 191.
func priority(b []byte) (int, []byte, bool) {
	if len(b) < 3 || b[0] != '<' {
		return 0, b, false
	}
	i := bytes.IndexByte(b[:min(len(b), 5)], '>')
	if i < 2 {
		return 0, b, false
	}
	n, err := strconv.Atoi(string(b[1:i]))
	if err != nil || n > 191 {
		return 0, b, false
	}
	return n, b[i+1:], true
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	e.Fields = make(event.Fields, 0, 8) // the header's
	pri, body, hasPri := priority(rec)
	if hasPri {
		e.Fields = append(e.Fields,
			event.Field{Name: "facility", Value: event.T(strconv.Itoa(pri / 8))},
			event.Field{Name: "severity", Value: event.T(strconv.Itoa(pri % 8))})
	}
	msg := strings.TrimLeft(string(body), " ")
	var err error
	if d := standalone(msg); d != nil { // FortiOS and others write no header of their own over UDP
		err = d.Read(strings.TrimSpace(msg), e, p, src)
	} else {
		if hasPri && len(msg) > 1 && msg[0] >= '1' && msg[0] <= '9' && msg[1] == ' ' {
			msg, err = modern(msg, e, src)
		} else {
			msg, err = classic(msg, e, src)
		}
		if err == nil {
			err = content(e, msg, p, src)
		}
	}
	if err != nil {
		return nil, err
	}
	if e.Time.IsZero() && e.TimeRaw == "" && !src.Received.IsZero() {
		// Written without a time and sent at once: RFC 3164 §4.3.2 lets the receiver
		// supply it. TimeRaw stays empty and says so.
		e.Time, e.Uncertainty = src.Received, time.Second
	}
	return e, nil
}

// content lets the dialect that knows the message read it.
func content(e *event.Event, msg string, p format.Pos, src format.Source) error {
	app := e.Fields.Str("appname")
	trimmed := strings.TrimSpace(msg)
	if d := DialectOf(app, trimmed); d != nil {
		return d.Read(trimmed, e, p, src)
	}
	e.Product = "linux"
	e.Service = strings.ToLower(app)
	e.Fields.Add("message", msg)
	return nil
}
