// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package authlog

import "strings"

// sshd reads OpenSSH's sentences (auth.c, auth2.c, packet.c, sshd-session.c of
// 7.x to 10.x).
func (w words) sshd(m string) {
	m = strings.TrimPrefix(m, "error: ")
	m = strings.TrimPrefix(m, "fatal: ")
	verb, rest, _ := strings.Cut(m, " ")
	switch verb {
	case "Accepted", "Failed", "Postponed", "Partial":
		method, who, ok := strings.Cut(rest, " for ")
		if !ok {
			return
		}
		w.put("event", strings.ToLower(verb), "auth_method", method)
		name := w.from(who)
		if _, key, ok := strings.Cut(who[len(name):], " ssh2: "); ok { // "RSA SHA256:…"
			kind, print, _ := strings.Cut(key, " ")
			w.put("key_type", kind, "key_fingerprint", print)
		}
		w.user(name)
	case "Invalid": // user NAME from ADDRESS port N
		if who, ok := strings.CutPrefix(rest, "user "); ok {
			w.put("event", "invalid_user", "user_unknown", "true")
			w.user(w.from(who))
		}
	case "User": // NAME from ADDRESS not allowed because …
		if i := strings.LastIndex(rest, " not allowed because "); i >= 0 {
			w.put("event", "not_allowed", "reason", rest[i+len(" not allowed because "):])
			w.user(w.from(rest[:i]))
		}
	case "Connection":
		switch kind, who, _ := strings.Cut(rest, " "); kind {
		case "from": // ADDRESS port N on ADDRESS port 22
			w.put("event", "connection")
			w.peer(who)
		case "closed", "reset":
			w.put("event", "connection_"+kind)
			w.phase(strings.TrimPrefix(who, "by "))
		}
	case "Disconnected", "Disconnecting":
		w.put("event", "disconnected")
		who, reason, _ := strings.Cut(strings.TrimPrefix(rest, "from "), ": ")
		w.put("reason", reason)
		w.phase(who)
	case "Received": // disconnect from ADDRESS port N:11: reason
		if who, ok := strings.CutPrefix(rest, "disconnect from "); ok {
			addr, port, _ := strings.Cut(who, " port ")
			w.put("event", "received_disconnect", "src_ip", addr)
			if p, reason, ok := strings.Cut(port, ":"); ok {
				w.put("src_port", p, "reason", strings.TrimSpace(reason))
			}
		}
	case "maximum": // authentication attempts exceeded for NAME from …
		if who, ok := strings.CutPrefix(rest, "authentication attempts exceeded for "); ok {
			w.put("event", "too_many_attempts")
			w.user(w.from(who))
		}
	case "Did", "Bad", "Unable", "banner":
		w.put("event", "no_protocol")
		if _, who, ok := strings.Cut(m, " negotiate with "); ok {
			w.peer(who)
			return
		}
		w.from(m)
	case "Starting": // session: shell on pts/0 for NAME from ADDRESS port N id 0
		if what, ok := strings.CutPrefix(rest, "session: "); ok {
			w.put("event", "session_started")
			what = w.from(what)
			if i := strings.LastIndex(what, " for "); i >= 0 {
				w.put("user", what[i+len(" for "):], "command", what[:i])
			}
		}
	case "subsystem": // request for sftp by user NAME
		if what, ok := strings.CutPrefix(rest, "request for "); ok {
			what, who, _ := strings.Cut(what, " by user ")
			w.put("event", "subsystem", "command", what, "user", who)
		}
	case "Server": // listening on 0.0.0.0 port 22.
		w.put("event", "listening")
	}
}

// phase reads "[authenticating user NAME |invalid user NAME |user NAME ]ADDRESS port N[ [preauth]]".
func (w words) phase(s string) {
	s = strings.TrimSuffix(s, " [preauth]")
	i := strings.LastIndex(s, " port ")
	if i < 0 {
		w.peer(s)
		return
	}
	at := strings.LastIndexByte(s[:i], ' ') + 1
	w.peer(s[at:])
	who := strings.TrimSpace(s[:at])
	for _, p := range [...]string{"authenticating user ", "user ", "invalid user "} {
		if u, ok := strings.CutPrefix(who, p); ok {
			if p == "invalid user " {
				w.put("user_unknown", "true")
			}
			w.put("user", u)
			return
		}
	}
}
