// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package postfix reads what the daemons of the Postfix mail system write to
// syslog: smtpd, postscreen, cleanup, qmgr, smtp and the other delivery agents,
// bounce, pickup, anvil, and the rest.
//
// Keys that Postfix writes (client, from, to, relay, status …) keep their names;
// queue_id, event, client_ip and what else stands in the sentence is in README.md.
// Addresses of letters are the sender's text: a quoted local part may hold
// anything, so nothing that follows an address is trusted to be Postfix's own
// when an earlier field already has the name.
//
// It never joins the lines of one letter: that is a search for its queue_id.
package postfix

import (
	"net/netip"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "postfix", Match: match, Read: read}
}

// match takes Postfix's syslog_name by its beginning: postfix/smtpd,
// postfix/submission/smtpd, and instances such as postfix-out/qmgr.
func match(app, _ string) bool {
	if !strings.HasPrefix(app, "postfix") {
		return false
	}
	i := strings.IndexByte(app, '/')
	return i > 0 && i+1 < len(app) && (i == len("postfix") || app[len("postfix")] == '-')
}

func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
	e.Product, e.Category = "postfix", "mail"
	app := e.Fields.Str("appname")
	e.Service = app[strings.LastIndexByte(app, '/')+1:]
	l := line{format.NewBody(&e.Fields, 16), map[string]bool{}}
	l.b.Add("message", msg)
	if level, rest, ok := strings.Cut(msg, ": "); ok {
		switch level {
		case "warning", "error", "fatal", "panic", "statistics", "info":
			l.put("level", level)
			msg = rest
		}
	}
	if id, rest, ok := queueID(msg); ok {
		l.put("queue_id", id)
		msg = rest
	}
	l.sentence(e.Service, msg)
	return nil
}

// queueID cuts "ID: ": short ids are upper-case hexadecimal, long ones of letters
// without vowels and digits (enable_long_queue_ids), NOQUEUE stands for none.
func queueID(s string) (id, rest string, ok bool) {
	id, rest, ok = strings.Cut(s, ": ")
	if !ok || len(id) < 6 || len(id) > 24 {
		return "", s, false
	}
	if id == "NOQUEUE" {
		return id, rest, true
	}
	hex, digits, vowel := true, false, false
	for i := range len(id) {
		switch c := id[i]; {
		case c >= '0' && c <= '9':
			digits = true
		case c >= 'A' && c <= 'F':
			vowel = vowel || c == 'A' || c == 'E'
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			hex = false
			vowel = vowel || strings.IndexByte("aeiouAEIOU", c) >= 0
		default:
			return "", s, false
		}
	}
	if digits && (hex || !vowel && len(id) >= 10) {
		return id, rest, true
	}
	return "", s, false
}

// line collects fields; the first value of a name counts.
type line struct {
	b    *format.Body
	seen map[string]bool
}

func (l line) put(kv ...string) {
	for i := 0; i+1 < len(kv); i += 2 {
		if k, v := kv[i], kv[i+1]; v != "" && !l.seen[k] {
			l.seen[k] = true
			l.b.Add(k, v)
		}
	}
}

// peer reads "name[address]" or "name[address]:port", also without a name, into
// prefix_name, prefix_ip and prefix_port, and returns what follows.
func (l line) peer(prefix, s string) string {
	name, rest, ok := strings.Cut(s, "[")
	addr, rest, ok2 := strings.Cut(rest, "]")
	if !ok || !ok2 || strings.ContainsAny(name, " ,;<>") {
		return s
	}
	if _, err := netip.ParseAddr(strings.TrimPrefix(addr, "IPv6:")); err != nil {
		return s
	}
	if name != "unknown" {
		l.put(prefix+"_name", name)
	}
	l.put(prefix+"_ip", strings.TrimPrefix(addr, "IPv6:"))
	if p, ok := strings.CutPrefix(rest, ":"); ok {
		n := 0
		for n < len(p) && p[n] >= '0' && p[n] <= '9' {
			n++
		}
		if n > 0 {
			l.put(prefix+"_port", p[:n])
			rest = p[n:]
		}
	}
	return rest
}

// pairs reads "key=value" and "key=<value>" separated by ", " or " " and returns
// what is none.
func (l line) pairs(s string) string {
	for range 64 {
		s = strings.TrimLeft(s, ", ")
		key, rest, ok := strings.Cut(s, "=")
		if !ok || key == "" || !word(key) {
			return s
		}
		var v string
		if strings.HasPrefix(rest, "<") {
			n := closing(rest)
			v, rest = rest[1:n], rest[min(n+1, len(rest)):]
		} else {
			n := strings.IndexAny(rest, ", ")
			if n < 0 {
				n = len(rest)
			}
			v, rest = rest[:n], rest[n:]
		}
		if v == "" && (key == "from" || key == "to") {
			v = "<>" // the null sender
		}
		l.put(key, v)
		s = rest
		switch key {
		case "client", "relay":
			l.peer(key, v)
		case "status":
			l.put("reply", parenthesis(rest))
			return ""
		}
	}
	return s
}

// closing returns where the > lies that ends s, which begins with <. A quoted
// local part is the sender's text and may hold one itself.
func closing(s string) int {
	i := 1
	if strings.HasPrefix(s, `<"`) {
		for i = 2; i < len(s) && s[i] != '"'; i++ {
			if s[i] == '\\' {
				i++
			}
		}
	}
	for ; i < len(s); i++ {
		if s[i] == '>' && (i+1 == len(s) || s[i+1] == ',' || s[i+1] == ' ' || s[i+1] == ';' || s[i+1] == ':') {
			return i
		}
	}
	return len(s)
}

// word reports a key as Postfix writes them.
func word(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// parenthesis returns what stands in the outermost brackets of " (text)".
func parenthesis(s string) string {
	_, s, _ = strings.Cut(s, "(")
	if i := strings.LastIndexByte(s, ')'); i >= 0 {
		return s[:i]
	}
	return s
}
