// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package authlog reads what the programs of a Unix host write about who came
// in and who became whom: sshd, sudo, su, login, useradd and its relatives,
// passwd, cron, systemd-logind, and any program's PAM lines.
//
// Their lines are sentences, so the fields have no native names: event says
// which sentence it was, user, src_ip and so on what stood in it; keys that a
// program does write (USER=, rhost=, name=) keep their spelling. The whole
// sentence stays as message. README.md lists all of them.
//
// A user name in these lines may be an attacker's text, spaces and " from "
// included, so addresses are sought from the end of a line. It never guesses:
// a sentence it does not know is a message and nothing more.
package authlog

import (
	"net/netip"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "authlog", Match: Match, Read: read}
}

// Match reports whether app is one of the programs, or msg a line of PAM.
func Match(app, msg string) bool {
	return sentencesOf(service(app)) != nil || pamLine(msg)
}

func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
	e.Product = "linux"
	e.Service = service(e.Fields.Str("appname"))
	e.Fields.Add("message", msg)
	Fields(e.Service, msg, &e.Fields)
	return nil
}

// service is the name of the program without a path, lower case.
func service(app string) string {
	if i := strings.LastIndexByte(app, '/'); i >= 0 {
		app = app[i+1:]
	}
	return strings.ToLower(app)
}

// Fields adds what msg, written by the program service, says.
func Fields(service, msg string, f *event.Fields) {
	w := words{format.NewBody(f, 8)}
	if pamLine(msg) {
		w.pam(msg)
		return
	}
	if s := sentencesOf(service); s != nil {
		s(w, msg)
	}
}

func sentencesOf(service string) func(words, string) {
	switch service {
	case "sshd", "sshd-session":
		return words.sshd
	case "sudo":
		return words.sudo
	case "su":
		return words.su
	case "login":
		return words.login
	case "useradd", "userdel", "usermod", "groupadd", "groupdel", "groupmod", "passwd", "chpasswd", "gpasswd", "chage", "newusers":
		return words.accounts
	case "cron", "crond", "crontab":
		return words.cron
	case "systemd-logind":
		return words.logind
	}
	return nil
}

// words adds fields; an empty value is not written.
type words struct{ b *format.Body }

func (w words) put(kv ...string) {
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			w.b.Add(kv[i], kv[i+1])
		}
	}
}

// from reads "… from ADDRESS[ port N][ …]" and returns what stood before it.
// The last one counts: a name may hold anything.
func (w words) from(s string) string {
	i := strings.LastIndex(s, " from ")
	if i < 0 {
		return s
	}
	w.peer(s[i+len(" from "):])
	return s[:i]
}

// peer reads "ADDRESS[ port N][ …]".
func (w words) peer(s string) {
	addr, rest, _ := strings.Cut(strings.TrimLeft(s, " "), " ")
	addr = strings.TrimRight(addr, ".,:")
	if _, err := netip.ParseAddr(addr); err == nil {
		w.put("src_ip", addr)
	} else {
		w.put("src_host", addr)
	}
	if p, ok := strings.CutPrefix(rest, "port "); ok {
		n := 0
		for n < len(p) && p[n] >= '0' && p[n] <= '9' {
			n++
		}
		w.put("src_port", p[:n])
	}
}

// user reads "[invalid user ]NAME".
func (w words) user(s string) {
	if u, ok := strings.CutPrefix(s, "invalid user "); ok {
		w.put("user_unknown", "true")
		s = u
	}
	w.put("user", strings.TrimSpace(s))
}

// between returns what stands between a and b, and whether both are there.
func between(s, a, b string) (string, bool) {
	_, s, ok := strings.Cut(s, a)
	in, _, ok2 := strings.Cut(s, b)
	return in, ok && ok2
}

// unquote takes the quotes of 'name' off.
func unquote(s string) string { return strings.Trim(s, "'\"`") }
