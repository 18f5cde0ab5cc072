// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package haproxy reads what HAProxy logs: HTTP, HTTPS and TCP lines in the
// default formats of "option httplog", "httpslog" and "tcplog", errors of
// connections, and what it says of servers going up and down. HAProxy logs by
// syslog only.
//
// Web fields have the names of Sigma's webserver taxonomy, the rest those of
// HAProxy's log variables. The time is when the connection was accepted, in the
// proxy's local time, to the millisecond. See README.md.
package haproxy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/ncsa"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "haproxy", Match: func(app, _ string) bool { return app == "haproxy" }, Read: read}
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	e.Product, e.Category, e.Service = "haproxy", "webserver", "notice"
	f := format.NewBody(&e.Fields, 32)
	peer, rest, ok := strings.Cut(msg, " [")
	stamp, rest, ok2 := strings.Cut(rest, "] ")
	ap, err := netip.ParseAddrPort(bracketed(peer))
	if !ok || !ok2 || err != nil {
		if !isUnix(peer) || !ok2 {
			f.Add("message", msg)
			notice(msg, e, f)
			return nil
		}
	}
	t, terr := time.ParseInLocation("02/Jan/2006:15:04:05.000", stamp, src.Location())
	if terr != nil {
		return fmt.Errorf("accept date: %w", terr)
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), stamp, true, time.Millisecond/2
	if err == nil {
		f.Add("c-ip", ap.Addr().String())
		f.Add("c-port", peer[strings.LastIndexByte(peer, ':')+1:])
	} else {
		f.Add("c-ip", peer)
	}
	line(rest, e, f)
	return nil
}

// bracketed puts the brackets around IPv6 that HAProxy leaves out.
func bracketed(s string) string {
	i := strings.LastIndexByte(s, ':')
	if i > 0 && strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
		return "[" + s[:i] + "]" + s[i:]
	}
	return s
}

func isUnix(s string) bool { return strings.HasPrefix(s, "unix:") || s == "-" || s == "<internal>:0" }

// timers of HTTP lines (five) and of TCP lines (three), by their names.
var (
	httpTimers  = []string{"TR", "Tw", "Tc", "Tr", "Ta"}
	tcpTimers   = []string{"Tw", "Tc", "Tt"}
	connections = []string{"actconn", "feconn", "beconn", "srv_conn", "retries"}
	queues      = []string{"srv_queue", "backend_queue"}
)

// line reads what follows the accept date.
func line(s string, e *event.Event, f *format.Body) {
	frontend, rest, _ := strings.Cut(s, " ")
	if name, bind, ok := strings.Cut(frontend, "/"); ok && strings.HasSuffix(bind, ":") { // "front/1: SSL handshake failure"
		e.Service = "error"
		f.Add("frontend", name)
		f.Add("message", rest)
		return
	}
	if strings.HasSuffix(frontend, "~") { // came by TLS
		f.Add("ssl", "true")
		frontend = strings.TrimSuffix(frontend, "~")
	}
	f.Add("frontend", frontend)
	place, rest, _ := strings.Cut(rest, " ")
	backend, server, _ := strings.Cut(place, "/")
	f.Add("backend", backend)
	f.Add("server", server)
	timers, rest, _ := strings.Cut(rest, " ")
	if strings.Count(timers, "/") == 2 {
		e.Service = "tcp"
		slashed(timers, tcpTimers, f)
		words(rest, []string{"sc-bytes", "termination_state"}, f)
		w := strings.Fields(rest)
		if len(w) > 3 {
			slashed(w[2], connections, f)
			slashed(w[3], queues, f)
		}
		return
	}
	e.Service = "access"
	slashed(timers, httpTimers, f)
	before, request, ok := strings.Cut(rest, ` "`)
	names := []string{"sc-status", "sc-bytes", "captured_request_cookie", "captured_response_cookie", "termination_state"}
	words(before, names, f)
	w := strings.SplitN(before, " ", 8)
	if len(w) > 6 {
		slashed(w[5], connections, f)
		slashed(w[6], queues, f)
	}
	if len(w) > 7 { // "{request headers} {response headers}", either may be missing
		in, out, both := strings.Cut(w[7], "} {")
		if both {
			f.Add("captured_request_headers", strings.TrimPrefix(in, "{"))
			f.Add("captured_response_headers", strings.TrimSuffix(out, "}"))
		} else {
			f.Add("captured_headers", strings.Trim(in, "{}"))
		}
	}
	if !ok {
		return
	}
	end := strings.LastIndexByte(request, '"')
	tail := ""
	if end >= 0 {
		request, tail = request[:end], strings.TrimSpace(request[end+1:])
	}
	ncsa.Request(request, f.Add)
	if tail != "" { // httpslog: errors, then sni/version/cipher
		if i := strings.LastIndexByte(tail, ' '); i >= 0 {
			f.Add("ssl_errors", tail[:i])
			tail = tail[i+1:]
		}
		slashed(tail, []string{"ssl_sni", "ssl_version", "ssl_cipher"}, f)
	}
}

func words(s string, names []string, f *format.Body) {
	for i, w := range strings.SplitN(s, " ", len(names)+1) {
		if i < len(names) {
			f.Add(names[i], w)
		}
	}
}

func slashed(s string, names []string, f *format.Body) {
	for i, w := range strings.SplitN(s, "/", len(names)) {
		f.Add(names[i], w)
	}
}

// notice reads "Server back/srv1 is DOWN, reason: …" and "Connect from
// 10.0.1.2:33312 to 10.0.3.31:8012 (www/HTTP)".
func notice(msg string, e *event.Event, f *format.Body) {
	switch {
	case strings.HasPrefix(msg, "Server "), strings.HasPrefix(msg, "Backup Server "):
		_, rest, _ := strings.Cut(msg, "Server ")
		place, rest, _ := strings.Cut(rest, " is ")
		backend, server, _ := strings.Cut(place, "/")
		state, _, _ := strings.Cut(rest, ",")
		f.Add("backend", backend)
		f.Add("server", server)
		f.Add("state", strings.TrimSuffix(state, "."))
	case strings.HasPrefix(msg, "Connect from "):
		from, rest, _ := strings.Cut(msg[len("Connect from "):], " to ")
		to, name, _ := strings.Cut(rest, " (")
		e.Service = "tcp"
		for _, x := range [...][3]string{{from, "c-ip", "c-port"}, {to, "s-ip", "s-port"}} {
			if ap, err := netip.ParseAddrPort(bracketed(x[0])); err == nil {
				f.Add(x[1], ap.Addr().String())
				f.Add(x[2], x[0][strings.LastIndexByte(x[0], ':')+1:])
			}
		}
		frontend, _, _ := strings.Cut(name, "/")
		f.Add("frontend", frontend)
	}
}
