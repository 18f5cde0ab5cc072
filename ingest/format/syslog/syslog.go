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
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	golog "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/rfc3164"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "syslog"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: format.Lines(record), Record: record}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte("\n"))
	if _, rest, ok := priority(line); ok {
		if len(rest) > 0 {
			return 80
		}
		return 0
	}
	if headless(line) {
		return 75
	}
	if _, _, ok := stamp(string(line), time.UTC, time.Time{}); ok {
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
	pri, body, hasPri := priority(rec)
	if hasPri {
		e.Fields.Add("facility", strconv.Itoa(pri/8))
		e.Fields.Add("severity", strconv.Itoa(pri%8))
	}
	var msg string
	var err error
	switch {
	case headless(body): // FortiOS and others write no header of their own over UDP
		msg = string(body)
	case hasPri && len(body) > 1 && body[0] >= '1' && body[0] <= '9' && body[1] == ' ':
		msg, err = modern(rec, e)
	default:
		msg, err = classic(rec, body, hasPri, e, src)
	}
	if err != nil {
		return nil, err
	}
	return e, content(e, msg, p, src)
}

// modern reads RFC 5424. Structured data become fields id.name.
func modern(rec []byte, e *event.Event) (string, error) {
	raw, _, _ := strings.Cut(afterSpaces(string(rec), 1), " ")
	at, timeErr := time.Parse(time.RFC3339Nano, raw)
	if i := strings.IndexByte(raw, '.'); timeErr == nil && i > 0 {
		// The grammar has at most six digits of a second, some senders write
		// nine: they are kept here and hidden from the parser.
		if zone := strings.TrimLeft(raw[i+1:], "0123456789"); len(raw)-i-1-len(zone) > 6 {
			rec = bytes.Replace(rec, []byte(raw), []byte(raw[:i+7]+zone), 1)
		}
	}
	m, err := rfc5424.NewParser(rfc5424.WithBestEffort()).Parse(rec)
	sm, ok := m.(*rfc5424.SyslogMessage)
	if !ok || sm == nil {
		return "", fmt.Errorf("RFC 5424: %w", err)
	}
	if sm.Timestamp == nil && err != nil {
		return "", fmt.Errorf("RFC 5424: %w", err)
	}
	base(&sm.Base, e)
	if sm.StructuredData != nil {
		for _, id := range sortedKeys(*sm.StructuredData) {
			params := (*sm.StructuredData)[id]
			for _, n := range sortedKeys(params) {
				if len(e.Fields) >= format.MaxFields {
					return "", errors.New("too many structured data parameters")
				}
				e.Fields.Add(id+"."+n, params[n])
			}
		}
	}
	if sm.Timestamp != nil {
		e.Time, e.TimeRaw = sm.Timestamp.UTC(), raw
		if timeErr == nil {
			e.Time = at.UTC()
		}
	}
	if sm.Message == nil {
		return "", nil
	}
	return strings.TrimPrefix(*sm.Message, "\ufeff"), nil
}

// afterSpaces returns what follows the n-th space.
func afterSpaces(s string, n int) string {
	for range n {
		_, s, _ = strings.Cut(s, " ")
	}
	return s
}

// classic reads RFC 3164 and its common relatives (ISO times, no priority).
func classic(rec, body []byte, hasPri bool, e *event.Event, src format.Source) (string, error) {
	text := string(body)
	if !hasPri {
		rec = append([]byte("<13>"), rec...)
	}
	t, raw, ok := stamp(text, src.Location(), src.NotAfter)
	if !ok {
		return "", errors.New("no syslog header: want <priority> or a time at the start of the line")
	}
	e.Time, e.TimeRaw = t.at, raw
	e.ZoneAssumed, e.Uncertainty = t.assumed, t.resolution/2
	opts := []golog.MachineOption{rfc3164.WithBestEffort(), rfc3164.WithYear(rfc3164.Year{YYYY: 2000}), rfc3164.WithRFC3339(), rfc3164.WithSecondFractions()}
	m, _ := rfc3164.NewParser(opts...).Parse(rec)
	sm, okm := m.(*rfc3164.SyslogMessage)
	if okm && sm != nil && sm.Hostname != nil && sm.Message != nil {
		base(&sm.Base, e)
		return *sm.Message, nil
	}
	// The grammar of the field is looser than the parser's: take host and tag by
	// position.
	rest := strings.TrimLeft(text[len(raw):], " ")
	host, rest, _ := strings.Cut(rest, " ")
	e.Fields.Add("hostname", strings.TrimSuffix(host, ":"))
	tag, msg, ok := strings.Cut(rest, ": ")
	if !ok || strings.ContainsAny(tag, " \t") {
		return rest, nil
	}
	app, pid, _ := strings.Cut(tag, "[")
	e.Fields.Add("appname", app)
	if pid != "" {
		e.Fields.Add("procid", strings.TrimSuffix(pid, "]"))
	}
	return msg, nil
}

func base(b *golog.Base, e *event.Event) {
	for _, x := range [...]struct {
		name string
		v    *string
	}{{"hostname", b.Hostname}, {"appname", b.Appname}, {"procid", b.ProcID}, {"msgid", b.MsgID}} {
		if x.v != nil && *x.v != "" {
			e.Fields.Add(x.name, *x.v)
		}
	}
}

// content lets the dialect that knows the message read it.
func content(e *event.Event, msg string, p format.Pos, src format.Source) error {
	app := e.Fields.Str("appname")
	trimmed := strings.TrimSpace(msg)
	for _, d := range dialects() {
		if d.Match(app, trimmed) {
			return d.Read(trimmed, e, p, src)
		}
	}
	e.Product = "linux"
	e.Service = strings.ToLower(app)
	e.Fields.Add("message", msg)
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
