// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package postfix

import "strings"

// sentence reads what follows the level and the queue id.
func (l line) sentence(service, s string) {
	switch service {
	case "postscreen", "dnsblog":
		if l.postscreen(s) {
			return
		}
	case "anvil":
		l.anvil(s)
		return
	case "bounce":
		if kind, id, ok := strings.Cut(s, "notification: "); ok {
			l.put("event", "notification", "kind", strings.TrimSpace(kind), "new_queue_id", id)
			return
		}
	}
	verb, rest, _ := strings.Cut(s, " ")
	switch verb {
	case "reject:", "milter-reject:", "discard:", "milter-discard:", "hold:", "milter-hold:", "redirect:", "filter:", "warn:", "replace:", "prepend:", "bcc:", "client-reject:":
		l.decision(strings.TrimSuffix(verb, ":"), rest)
		return
	case "warning:":
		l.decision("warn", rest)
		return
	case "removed":
		l.put("event", "removed")
		return
	case "skipped,":
		l.put("event", "skipped")
		return
	}
	switch {
	case l.smtpd(s), l.smtp(s):
	case strings.HasPrefix(s, "client="):
		l.put("event", "client")
		l.pairs(s)
	case strings.HasPrefix(s, "message-id="), strings.HasPrefix(s, "resent-message-id="):
		l.put("event", "message_id")
		l.pairs(s)
	case strings.HasPrefix(s, "uid="):
		l.put("event", "pickup")
		l.pairs(s)
	case strings.HasPrefix(s, "to=<"):
		l.put("event", "delivery")
		l.pairs(s)
	case strings.HasPrefix(s, "from=<"):
		l.queue(s)
	}
}

// queue reads qmgr: "from=<a>, size=1, nrcpt=1 (queue active)" and
// "from=<a>, status=expired, returned to sender".
func (l line) queue(s string) {
	if _, after, ok := strings.Cut(s, ">, status="); ok && strings.HasPrefix(after, "expired") {
		l.put("event", "expired", "from", orNull(s[len("from=<"):strings.Index(s, ">, status=")]), "status", "expired")
		return
	}
	l.put("event", "queued")
	l.put("queue", strings.TrimPrefix(parenthesis(l.pairs(s)), "queue "))
}

func orNull(s string) string {
	if s == "" {
		return "<>"
	}
	return s
}

// smtpd reads what a server says of a client's connection.
func (l line) smtpd(s string) bool {
	for _, x := range [...]struct{ begin, event string }{
		{"connect from ", "connect"}, {"disconnect from ", "disconnect"},
		{"Anonymous TLS connection established from ", "tls"}, {"Untrusted TLS connection established from ", "tls"},
		{"Trusted TLS connection established from ", "tls"}, {"Verified TLS connection established from ", "tls"},
	} {
		rest, ok := strings.CutPrefix(s, x.begin)
		if !ok {
			continue
		}
		l.put("event", x.event)
		rest = l.peer("client", rest)
		switch x.event {
		case "disconnect":
			for f := range strings.FieldsSeq(rest) { // ehlo=1 auth=0/1 rcpt=1/3 commands=5
				if k, v, ok := strings.Cut(f, "="); ok && word(k) {
					l.put("commands."+k, v)
				}
			}
		case "tls":
			l.tls(rest)
		}
		return true
	}
	for _, x := range [...]struct{ begin, event string }{
		{"lost connection after ", "lost_connection"}, {"timeout after ", "timeout"}, {"too many errors after ", "too_many_errors"},
		{"improper command pipelining after ", "pipelining"}, {"non-SMTP command from ", "non_smtp"}, {"SSL_accept error from ", "tls_error"},
	} {
		rest, ok := strings.CutPrefix(s, x.begin)
		if !ok {
			continue
		}
		l.put("event", x.event)
		if stage, peer, ok := strings.Cut(rest, " from "); ok {
			l.put("stage", stage)
			rest = peer
		}
		l.put("reason", strings.TrimLeft(l.peer("client", rest), ": "))
		return true
	}
	return l.sasl(s)
}

// sasl reads "name[address]: SASL LOGIN authentication failed: reason, sasl_username=x".
func (l line) sasl(s string) bool {
	who, rest, ok := strings.Cut(s, ": SASL ")
	method, reason, ok2 := strings.Cut(rest, " authentication ")
	if !ok || !ok2 || strings.ContainsAny(who, " ") {
		return false
	}
	l.put("event", "auth_failed", "sasl_method", method)
	l.peer("client", who)
	if i := strings.LastIndex(reason, ", sasl_username="); i >= 0 {
		l.put("sasl_username", reason[i+len(", sasl_username="):])
		reason = reason[:i]
	}
	l.put("reason", strings.TrimPrefix(reason, "failed: "))
	return true
}

func (l line) tls(s string) {
	s = strings.TrimLeft(s, ": ")
	v, rest, ok := strings.Cut(s, " with cipher ")
	if i := strings.LastIndex(v, ": "); i >= 0 { // "to mail.example[…]: TLSv1.3"
		v = v[i+2:]
	}
	c, _, _ := strings.Cut(rest, " ")
	if ok {
		l.put("tls_version", v, "tls_cipher", c)
	}
}

// decision reads what an access table, a header check or a milter made of a
// letter: "RCPT from name[ip]: 554 5.7.1 text; from=<a> to=<b> proto=ESMTP helo=<h>",
// and of cleanup "header Subject: text from name[ip]; from=<a> to=<b>: reply".
func (l line) decision(what, s string) {
	l.put("event", strings.ReplaceAll(what, "-", "_"))
	if i := strings.LastIndex(s, "; from=<"); i >= 0 {
		tail := l.pairs(s[i+2:])
		if r := strings.TrimLeft(tail, ": "); r != "" {
			l.put("reply", r)
		}
		s = s[:i]
	}
	if part, rest, ok := strings.Cut(s, " "); ok && (part == "header" || part == "body" || part == "mime-header" || part == "nested-header" || part == "content") {
		l.put("part", part)
		if i := strings.LastIndex(rest, " from "); i >= 0 {
			l.peer("client", rest[i+len(" from "):])
			rest = rest[:i]
		}
		l.put("text", rest)
		return
	}
	stage, rest, ok := strings.Cut(s, " from ")
	if !ok || strings.ContainsAny(stage, " <:") {
		l.put("reply", s)
		return
	}
	l.put("stage", stage)
	l.put("reply", strings.TrimLeft(l.peer("client", rest), ": "))
}

// smtp reads what a client says of another server's connection.
func (l line) smtp(s string) bool {
	switch {
	case strings.HasPrefix(s, "connect to "):
		l.put("event", "connect_failed", "reason", strings.TrimLeft(l.peer("relay", s[len("connect to "):]), ": "))
	case strings.HasPrefix(s, "host "):
		rest := l.peer("relay", s[len("host "):])
		if r, ok := strings.CutPrefix(rest, " said: "); ok {
			l.put("event", "remote_reply", "reply", r)
		} else {
			l.put("event", "remote_refused", "reason", strings.TrimSpace(rest))
		}
	case strings.HasPrefix(s, "lost connection with "), strings.HasPrefix(s, "conversation with "):
		_, rest, _ := strings.Cut(s, " with ")
		l.put("event", "relay_lost", "reason", strings.TrimSpace(l.peer("relay", rest)))
	case strings.Contains(s[:min(len(s), 48)], "TLS connection established to "):
		_, rest, _ := strings.Cut(s, " established to ")
		l.put("event", "relay_tls")
		l.tls(l.peer("relay", rest))
	default:
		return false
	}
	return true
}

// anvil reads "max connection rate 5/60s for (smtp:203.0.113.9) at Mar 13 …".
func (l line) anvil(s string) {
	rate, rest, ok := strings.Cut(s, " for (")
	who, at, ok2 := strings.Cut(rest, ")")
	if !ok || !ok2 {
		return
	}
	i := strings.LastIndexByte(rate, ' ')
	l.put("event", "rate", "kind", rate[:max(i, 0)], "rate", rate[i+1:])
	if svc, ip, ok := strings.Cut(who, ":"); ok {
		l.put("smtp_service", svc)
		l.peer("client", "["+ip+"]")
	}
	l.put("rate_at", strings.TrimPrefix(at, " at "))
}

// postscreen reads its one-word verdicts, all of which name [address]:port.
func (l line) postscreen(s string) bool {
	verb, rest, _ := strings.Cut(s, " ")
	switch verb {
	case "CONNECT":
		if rest, ok := strings.CutPrefix(rest, "from "); ok {
			l.put("event", "connect")
			if _, to, ok := strings.Cut(l.peer("client", rest), " to "); ok {
				l.peer("server", to)
			}
			return true
		}
	case "PASS", "DISCONNECT", "WHITELISTED", "ALLOWLISTED", "BLACKLISTED", "DENYLISTED", "WHITELIST", "ALLOWLIST":
		if kind, peer, ok := strings.Cut(rest, " "); ok && (verb == "PASS" || strings.HasSuffix(verb, "LIST")) {
			l.put("kind", kind)
			rest = peer
		}
		l.put("event", strings.ToLower(verb))
		l.peer("client", rest)
		return true
	case "PREGREET", "HANGUP", "BARE", "COMMAND", "NON-SMTP", "DNSBL":
		for _, sep := range [...]string{" from ", " for "} {
			if detail, peer, ok := strings.Cut(rest, sep); ok {
				l.put("event", strings.ToLower(verb), "reason", strings.TrimSpace(detail))
				l.put("text", strings.TrimLeft(l.peer("client", peer), ": "))
				return true
			}
		}
	case "addr": // dnsblog: addr 203.0.113.9 listed by domain zen.example as 127.0.0.4
		ip, rest, ok := strings.Cut(rest, " listed by domain ")
		if ok {
			list, as, _ := strings.Cut(rest, " as ")
			l.put("event", "dnsbl_listed", "list", list, "answer", as)
			l.peer("client", "["+ip+"]")
			return true
		}
	}
	return false
}
