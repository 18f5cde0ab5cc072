// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package nginx decodes the error log of nginx, in files and inside syslog. Its
// access logs are package ncsa's.
//
// It promises level, pid, tid, connection, the message, and what nginx adds to
// it (client, server, request, upstream, host, referrer) as fields named like
// those of access logs. Times are local to the server and have no zone.
package nginx

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/ncsa"
)

const name = "nginx_error"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: format.Lines(record), Record: record}
}

// Dialect returns the reading of error lines inside syslog (error_log syslog:).
func Dialect() format.Dialect {
	return format.Dialect{
		Name: name, Read: read,
		Match: func(app, msg string) bool { return app == "nginx" && is(msg) },
	}
}

func sniff(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool { return len(l) > 30 && l[4] == '/' && is(string(l)) }) {
		return 90
	}
	return 0
}

// is reports "2026/03/13 18:50:00 [error] 12#34: ".
func is(s string) bool {
	if len(s) < 30 || s[4] != '/' || s[7] != '/' || s[10] != ' ' || s[13] != ':' || s[16] != ':' || s[19:21] != " [" {
		return false
	}
	level, rest, ok := strings.Cut(s[21:], "] ")
	pid, _, ok2 := strings.Cut(rest, ": ")
	return ok && ok2 && isLevel(level) && strings.IndexByte(pid, '#') > 0 && strings.Trim(pid, "0123456789#") == ""
}

func isLevel(s string) bool {
	switch s {
	case "debug", "info", "notice", "warn", "error", "crit", "alert", "emerg":
		return true
	}
	return false
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	return e, read(string(rec), e, p, src)
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	if !is(msg) {
		return errors.New("want YYYY/MM/DD hh:mm:ss [level] PID#TID: message")
	}
	at, err := time.ParseInLocation("2006/01/02 15:04:05", msg[:19], src.Location())
	if err != nil {
		return err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = at.UTC(), msg[:19], true, time.Second/2
	e.Product, e.Category, e.Service = "nginx", "webserver", "error"
	f := format.NewBody(&e.Fields, 12)
	level, rest, _ := strings.Cut(msg[21:], "] ")
	f.Add("level", level)
	ids, rest, _ := strings.Cut(rest, ": ")
	pid, tid, _ := strings.Cut(ids, "#")
	f.Add("pid", pid)
	f.Add("tid", tid)
	if strings.HasPrefix(rest, "*") {
		if n, r, ok := strings.Cut(rest[1:], " "); ok {
			f.Add("connection", n)
			rest = r
		}
	}
	rest = context(rest, f)
	f.Add("message", rest)
	return nil
}

// parts are what nginx appends to a message, in its order (ngx_http_log_error).
var parts = []string{"client", "server", "request", "subrequest", "upstream", "host", "referrer"}

// context takes ", client: 192.0.2.1, server: x, request: "GET / HTTP/1.1", …"
// off the end and returns the message before it. A path in the message and the
// request are the client's text and may hold ", client: " too: the parts count
// that reach to the end of the line.
func context(s string, f *format.Body) string {
	for from := 0; ; {
		i := strings.Index(s[from:], ", client: ")
		if i < 0 {
			return s
		}
		i += from
		if kv, ok := cut(s[i:]); ok {
			for k := 0; k+1 < len(kv); k += 2 {
				put(f, kv[k], ncsa.Unescape(kv[k+1]))
			}
			return s[:i]
		}
		from = i + 1
	}
}

// cut reads the parts, names and values in turn, and reports whether nothing
// is left.
func cut(tail string) (kv []string, whole bool) {
	for _, key := range parts {
		v, ok := strings.CutPrefix(tail, ", "+key+": ")
		if !ok {
			continue
		}
		end := strings.Index(v, ", ")
		if strings.HasPrefix(v, `"`) {
			if end = strings.Index(v[1:], `"`) + 2; end == 1 {
				end = len(v) // cut off
			}
		}
		if end < 0 {
			end = len(v)
		}
		kv, tail = append(kv, key, strings.Trim(v[:end], `"`)), v[end:]
	}
	return kv, tail == ""
}

func put(f *format.Body, key, v string) {
	switch key {
	case "client":
		f.Add("c-ip", strings.TrimPrefix(v, "unix:"))
	case "server":
		f.Add("server", v)
	case "request":
		ncsa.Request(v, f.Add)
	case "host":
		f.Add("cs-host", v)
	case "referrer":
		f.Add("cs-referer", v)
	default:
		f.Add(key, v)
	}
}
