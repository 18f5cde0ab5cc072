// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package apache decodes the error log of Apache httpd, 2.2 and 2.4, in files
// and inside syslog. Its access logs are package ncsa's.
//
// It promises the parts of the default ErrorLogFormat as fields (module, level,
// pid, client, code AHnnnnn) and the rest as message. Times are local to the
// server and have no zone. It never takes a line without a level for its own.
package apache

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "apache_error"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: format.Lines(record), Record: record}
}

// Dialect returns the reading of error lines inside syslog (ErrorLog syslog).
func Dialect() format.Dialect {
	return format.Dialect{Name: name, Match: match, Read: read}
}

func sniff(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool {
		if l[0] != '[' {
			return false
		}
		at, rest, _ := bracket(string(l))
		_, _, err := stamp(at, time.UTC)
		_, ok := levelOf(rest)
		return err == nil && ok
	}) {
		return 85
	}
	return 0
}

func match(app, msg string) bool {
	switch app {
	case "apache", "apache2", "httpd", "apache_error", "httpd_error":
	default:
		return false
	}
	if at, rest, ok := bracket(msg); ok {
		if _, _, err := stamp(at, time.UTC); err == nil {
			msg = rest
		}
	}
	_, ok := levelOf(msg)
	return ok
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	if err := read(string(rec), e, p, src); err != nil {
		return nil, err
	}
	if e.Time.IsZero() {
		return nil, errors.New("want [time] at the start of the line")
	}
	return e, nil
}

// bracket cuts "[…]" from the start.
func bracket(s string) (in, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if !strings.HasPrefix(s, "[") {
		return "", s, false
	}
	in, rest, ok = strings.Cut(s[1:], "]")
	return in, strings.TrimLeft(rest, " "), ok
}

// levelOf reports whether s goes on with "[core:error]" or "[error]".
func levelOf(s string) (string, bool) {
	in, _, ok := bracket(s)
	_, level, both := strings.Cut(in, ":")
	if !both {
		level = in
	}
	return in, ok && isLevel(level)
}

func isLevel(s string) bool {
	switch s {
	case "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug",
		"trace1", "trace2", "trace3", "trace4", "trace5", "trace6", "trace7", "trace8":
		return true
	}
	return false
}

// stamp reads "Fri Mar 13 18:50:00.123456 2026", 2.2 without the fraction.
func stamp(s string, loc *time.Location) (time.Time, time.Duration, error) {
	if t, err := time.ParseInLocation("Mon Jan _2 15:04:05.000000 2006", s, loc); err == nil {
		return t.UTC(), 0, nil
	}
	t, err := time.ParseInLocation("Mon Jan _2 15:04:05 2006", s, loc)
	return t.UTC(), time.Second / 2, err
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	f := format.NewBody(&e.Fields, 8)
	if at, rest, ok := bracket(msg); ok {
		if t, res, err := stamp(at, src.Location()); err == nil {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, at, true, res
			msg = rest
		}
	}
	in, ok := levelOf(msg)
	if !ok {
		return errors.New("want [module:level] or [level]")
	}
	e.Product, e.Category, e.Service = "apache", "webserver", "error"
	if module, level, both := strings.Cut(in, ":"); both {
		f.Add("module", module)
		f.Add("level", level)
	} else {
		f.Add("level", in)
	}
	_, msg, _ = bracket(msg)
	for range 8 { // [pid 12:tid 34] [client 192.0.2.1:5000] [remote …]
		in, rest, ok := bracket(msg)
		key, v, spaced := strings.Cut(in, " ")
		if !ok || !spaced || key != "pid" && key != "client" && key != "remote" && key != "host" && key != "unique_id" {
			break
		}
		msg = rest
		switch key {
		case "pid":
			pid, tid, _ := strings.Cut(v, ":tid ")
			f.Add("pid", pid)
			if tid != "" {
				f.Add("tid", tid)
			}
		case "client", "remote":
			addr(f, v)
		default:
			f.Add(key, v)
		}
	}
	// "(13)Permission denied: [client …] AH00035: …": the system's error comes first.
	if strings.HasPrefix(msg, "(") {
		if sys, rest, ok := strings.Cut(msg, ": "); ok && strings.HasPrefix(rest, "[client ") {
			f.Add("system_error", sys)
			in, rest, _ := bracket(rest)
			addr(f, strings.TrimPrefix(in, "client "))
			msg = rest
		}
	}
	if len(msg) > 8 && strings.HasPrefix(msg, "AH") && msg[7] == ':' && strings.Trim(msg[2:7], "0123456789") == "" {
		f.Add("code", msg[:7])
		msg = strings.TrimLeft(msg[8:], " ")
	}
	if i := strings.LastIndex(msg, ", referer: "); i >= 0 {
		f.Add("cs-referer", msg[i+len(", referer: "):])
		msg = msg[:i]
	}
	f.Add("message", msg)
	return nil
}

// addr reads "192.0.2.1:5000", "[2001:db8::1]:5000" or 2.2's "192.0.2.1".
func addr(f *format.Body, s string) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		f.Add("c-ip", ap.Addr().String())
		_, port, _ := strings.Cut(s[strings.LastIndexByte(s, ']')+1:], ":")
		f.Add("c-port", port)
		return
	}
	// 2.4 writes IPv6 without brackets: the port follows the last colon.
	if i := strings.LastIndexByte(s, ':'); i > 0 && strings.Count(s, ":") > 1 {
		if a, err := netip.ParseAddr(s[:i]); err == nil {
			f.Add("c-ip", a.String())
			f.Add("c-port", s[i+1:])
			return
		}
	}
	f.Add("c-ip", s)
}
