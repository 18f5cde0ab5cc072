// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package qnap reads the connection and event logs that a QNAP NAS sends
// (qulogd of QTS and QuTS hero).
//
// It promises the pairs of the record under their own names; "---" means that
// the NAS had nothing to say and is left out. It never reads the short second
// form of an event that some releases send as well: the long one has it.
package qnap

import (
	"errors"
	"fmt"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
)

// Dialect returns the dialect.
func Dialect() format.Dialect { return format.Dialect{Name: "qnap", Match: match, Read: read} }

func match(_, msg string) bool {
	return strings.HasPrefix(msg, "conn log: Users: ") || strings.HasPrefix(msg, "event log: Users: ") || strings.HasPrefix(msg, "err log: Users: ")
}

// last are the keys whose value is the rest of the record.
var last = map[string]bool{"Content": true, "Action": true}

// next are the keys, each of which begins behind ", ".
var next = [...]string{"Source IP", "Computer name", "Connection type", "Accessed resources", "Action", "Application", "Category", "Content"}

func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
	kind, s, ok := strings.Cut(msg, " log: ")
	if !ok {
		return errors.New("QNAP: want conn log, event log or err log")
	}
	b := format.NewBody(&e.Fields, 12)
	b.Add("log", kind)
	e.Product, e.Service = "qnap", "system"
	if kind == "conn" {
		e.Service = "connection"
	}
	for n := 0; s != ""; n++ {
		if n > 2*len(next) { // a record has each key once
			return errors.New("QNAP: too many keys")
		}
		key, rest, ok := strings.Cut(s, ": ")
		if !ok || key == "" || len(key) > 32 {
			return fmt.Errorf("QNAP: want key: value at %q", s[:min(len(s), 40)])
		}
		v := rest
		s = ""
		if !last[key] || key == "Action" && strings.Contains(rest, ", ") {
			// A resource may hold a comma: the next key ends it.
			at := -1
			for _, k := range next {
				if i := strings.Index(rest, ", "+k+": "); i >= 0 && (at < 0 || i < at) {
					at = i
				}
			}
			if at < 0 {
				return fmt.Errorf("QNAP: the record ends in its %s", key)
			}
			v, s = rest[:at], rest[at+2:]
		}
		if v = strings.TrimSpace(v); v != "---" && v != "" {
			b.Add(key, v)
		}
	}
	// An event says from where only in its words.
	if kind != "conn" && e.Fields.Str("Source IP") == "" {
		if _, ip, ok := strings.Cut(e.Fields.Str("Content"), "Source IP address: "); ok {
			b.Add("src_ip", strings.TrimRight(ip, ". "))
		}
	}
	if _, u, ok := strings.Cut(e.Fields.Str("Content"), `user account "`); ok {
		if u, _, ok = strings.Cut(u, `"`); ok {
			b.Add("account", u)
		}
	}
	return nil
}
