// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package amavis reads the verdicts of the Amavis mail filter: the line in syslog
// ("Passed CLEAN …", "Blocked INFECTED …") and the JSON report.
//
// Names of the line are Amavis' own where it writes one (Queue-ID, Hits, mail_id);
// README.md lists the others. Addresses are the letter's own text.
//
// It never joins a letter's recipients that Amavis reports apart.
package amavis

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "amavis"

// Format returns the decoder of JSON reports.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"mail_id"}, Decode: format.Lines(record), Record: record}
}

// Dialect returns Amavis' lines in syslog.
func Dialect() format.Dialect {
	return format.Dialect{Name: name, Match: match, Read: read}
}

func match(app, msg string) bool {
	return app == "amavis" || app == "amavisd" || app == "amavisd-new" || strings.HasPrefix(msg, "{") && isReport([]byte(msg))
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte("\n"))
	if isReport(line) {
		return 92
	}
	return 0
}

func isReport(l []byte) bool {
	has := func(s string) bool { return bytes.Contains(l, []byte(s)) }
	return len(l) > 0 && l[0] == '{' && has(`"mail_id"`) && (has(`"policy_banks"`) || has(`"type":"amavis"`) || has(`"type": "amavis"`) || has(`"content_type"`)) && (has(`"@timestamp"`) || has(`"time_unix"`))
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	return e, report(e, rec)
}

func report(e *event.Event, rec []byte) error {
	if !isReport(rec) {
		return errors.New("not a report of Amavis")
	}
	f, err := flatjson.Parse(rec)
	if err != nil {
		return err
	}
	e.Product, e.Category, e.Service = "amavis", "mail", "report"
	have := len(e.Fields)
	for _, x := range f {
		for i := range have {
			if e.Fields[i].Name == x.Name {
				e.Fields[i].Name = "header." + x.Name
			}
		}
		e.Fields = append(e.Fields, x)
	}
	e.TimeRaw = f.First("@timestamp", "time_unix")
	e.Time, e.ZoneAssumed, err = format.Time(e.TimeRaw, time.UTC)
	e.Uncertainty = 0
	return err
}

func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
	if strings.HasPrefix(msg, "{") && isReport([]byte(msg)) {
		return report(e, []byte(msg))
	}
	e.Product, e.Category, e.Service = "amavis", "mail", "amavis"
	b := format.NewBody(&e.Fields, 24)
	b.Add("message", msg)
	text := msg
	if id, rest, ok := strings.Cut(msg, ") "); ok && strings.HasPrefix(id, "(") && len(id) < 40 {
		b.Add("am_id", id[1:])
		text = rest
	}
	if verb, rest, ok := strings.Cut(text, " "); ok && (verb == "Passed" || verb == "Blocked") {
		e.Service = "verdict"
		verdict(b, verb, rest)
	}
	return nil
}

// verdict reads "INFECTED (name) {DiscardedInbound}, [203.0.113.9]:51234 [198.51.100.7]
// <a> -> <b>,<c>, quarantine: x, Queue-ID: y, …, 456 ms".
func verdict(b *format.Body, verb, s string) {
	put := func(k, v string) {
		if v = strings.TrimSpace(v); v != "" && b.Len() < format.MaxFields {
			b.Add(k, v)
		}
	}
	put("verdict", verb)
	n := strings.IndexAny(s, " ,")
	if n < 0 {
		n = len(s)
	}
	put("content", s[:n])
	s = strings.TrimLeft(s[n:], " ")
	if strings.HasPrefix(s, "(") {
		if names, rest, ok := cutBrackets(s); ok {
			put("names", names)
			s = strings.TrimLeft(rest, " ")
		}
	}
	if did, rest, ok := strings.Cut(s, "}"); ok && strings.HasPrefix(did, "{") {
		put("done", did[1:])
		s = rest
	}
	s = strings.TrimLeft(s, ", ")
	peers, rest, ok := strings.Cut(s, "<")
	if !ok {
		return
	}
	for w := range strings.FieldsSeq(peers) {
		text, port, hasPort := strings.Cut(strings.TrimPrefix(w, "["), "]:")
		a, err := netip.ParseAddr(strings.TrimPrefix(strings.TrimSuffix(text, "]"), "IPv6:"))
		switch {
		case err != nil:
			put("policy_bank", w)
		case hasPort:
			put("client_ip", a.String())
			put("client_port", port)
		default:
			put("sender_ip", a.String())
		}
	}
	from, rest, ok := strings.Cut(rest, "> -> <")
	if !ok {
		return
	}
	put("from", orNull(from))
	to, rest, _ := strings.Cut(rest, ">, ")
	for r := range strings.SplitSeq(strings.TrimSuffix(to, ">"), ">,<") {
		put("to", r)
	}
	for part := range strings.SplitSeq(rest, ", ") {
		if k, v, ok := strings.Cut(part, ": "); ok && key(k) {
			put(k, strings.Trim(v, "<>"))
		} else if k, v, ok := strings.Cut(part, "="); ok && key(k) {
			put(k, v)
		} else if ms, ok := strings.CutSuffix(part, " ms"); ok {
			put("ms", ms)
		}
	}
}

func orNull(s string) string {
	if s == "" {
		return "<>"
	}
	return s
}

func key(k string) bool {
	return k != "" && len(k) < 24 && !strings.ContainsAny(k, ` <>"@()`)
}

// cutBrackets cuts "(a (b), c) rest" at the bracket that closes the first.
func cutBrackets(s string) (in, rest string, ok bool) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[1:i], s[i+1:], true
			}
		}
	}
	return "", s, false
}
