// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package checkpoint reads what Check Point's Log Exporter sends: its syslog
// form ([action:"Accept"; src:"10.0.0.5"; …]) and its "splunk" form
// (time=…|action=Accept|src=10.0.0.5|…).
//
// It promises the exporter's field names and texts, and the time of the log in
// place of the exporter's. Its CEF, LEEF and JSON are read by packages of that
// name. It never asks which blade a field belongs to.
package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "checkpoint", Match: match, Headless: true, Read: read}
}

func match(_, msg string) bool {
	switch {
	case strings.HasPrefix(msg, "["):
		key, rest, ok := strings.Cut(msg[1:min(len(msg), 48)], `:"`)
		return ok && keyLike(key) && rest != "" && (strings.Contains(msg, `"; product:"`) || strings.Contains(msg, `"; loguid:"`) || strings.Contains(msg, `"; origin:"`))
	case strings.HasPrefix(msg, "time="):
		return strings.Contains(msg, "|product=") && (strings.Contains(msg, "|loguid=") || strings.Contains(msg, "|origin="))
	}
	return false
}

func keyLike(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' && c != ' ' {
			return false
		}
	}
	return s != ""
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	var err error
	if strings.HasPrefix(msg, "[") {
		err = quoted(msg[1:], format.NewBody(&e.Fields, strings.Count(msg, `:"`)))
	} else {
		err = piped(msg, format.NewBody(&e.Fields, strings.Count(msg, "|")+1))
	}
	if err != nil {
		return err
	}
	e.Product, e.Category, e.Service = "checkpoint", "firewall", strings.ToLower(e.Fields.Str("product"))
	if s := e.Fields.Str("time"); s != "" {
		if t, assumed, err := format.Time(s, src.Location()); err == nil {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, s, assumed, 0
			if len(s) <= 11 {
				e.Uncertainty = time.Second / 2
			}
		}
	}
	return nil
}

// quoted reads key:"value"; with \" \\ and \] escaped, up to the bracket.
func quoted(s string, b *format.Body) error {
	for n := 0; ; n++ {
		s = strings.TrimLeft(s, " ;")
		if s == "" || s[0] == ']' {
			return nil
		}
		if n >= format.MaxFields {
			return errors.New("checkpoint: too many fields")
		}
		key, rest, ok := strings.Cut(s, `:"`)
		if !ok || !keyLike(key) {
			return fmt.Errorf("checkpoint: want key:\"value\" at %q", s[:min(len(s), 40)])
		}
		i := strings.IndexAny(rest, `"\`)
		if i < 0 {
			return fmt.Errorf("checkpoint: the value of %s has no closing quote", key)
		}
		if rest[i] == '"' {
			b.Add(key, rest[:i])
			s = rest[i+1:]
			continue
		}
		var v strings.Builder
		for i = 0; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == '\\' && i+1 < len(rest) && strings.IndexByte(`"\]`, rest[i+1]) >= 0 {
				i++
			}
			v.WriteByte(rest[i])
		}
		if i >= len(rest) {
			return fmt.Errorf("checkpoint: the value of %s has no closing quote", key)
		}
		b.Add(key, v.String())
		s = rest[i+1:]
	}
}

// piped reads key=value|key=value; a bar in a value is written \|.
func piped(s string, b *format.Body) error {
	for n := 0; s != ""; n++ {
		if n >= format.MaxFields {
			return errors.New("checkpoint: too many fields")
		}
		end, escaped := 0, false
		for end < len(s) && s[end] != '|' {
			if s[end] == '\\' && end+1 < len(s) {
				escaped = true
				end++
			}
			end++
		}
		part := s[:min(end, len(s))]
		s = s[min(end+1, len(s)):]
		key, v, ok := strings.Cut(part, "=")
		if !ok || !keyLike(key) {
			if strings.TrimSpace(part) == "" {
				continue
			}
			return fmt.Errorf("checkpoint: want key=value at %q", part[:min(len(part), 40)])
		}
		if escaped {
			v = strings.NewReplacer(`\|`, `|`, `\=`, `=`, `\\`, `\`).Replace(v)
		}
		b.Add(key, v)
	}
	return nil
}
