// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package juniper reads what Junos writes about traffic and logons: RT_FLOW,
// RT_IDP, RT_UTM, RT_SCREEN and RT_AAMW of the SRX, structured (RFC 5424) and
// unstructured, and the logons and commands of any Junos device.
//
// It promises the names of the structured data for both forms
// (source-address, policy-name …), and for the sentences listed in texts what
// they tell. It never reads the routing daemons' messages: those keep their text.
package juniper

import (
	"strings"
	"sync"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

// Dialect returns the dialect. It stands before sshd's.
func Dialect() format.Dialect {
	return format.Dialect{Name: "juniper", Match: match, Read: read}
}

// engines of the SRX that log by themselves.
var engines = map[string]bool{"RT_FLOW": true, "RT_IDP": true, "RT_UTM": true, "RT_SCREEN": true, "RT_AAMW": true, "RT_SECINTEL": true, "RT_IDS": true, "RT_IPSEC": true}

func match(app, msg string) bool {
	switch {
	case engines[app], app == "mgd", strings.HasPrefix(app, "RT_FLOW_SESSION_"):
		return true
	case app == "sshd":
		return strings.HasPrefix(msg, "SSHD_LOGIN_") || strings.HasPrefix(msg, "Login failed for user '")
	case app == "login":
		return strings.HasPrefix(msg, "LOGIN_") || strings.HasPrefix(msg, "User ") && strings.Contains(msg, " logged in from host ")
	}
	return false
}

func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
	f := e.Fields
	structured := false
	for i := range f { // junos@2636.1.1.1.2.129.source-address
		if rest, ok := strings.CutPrefix(f[i].Name, "junos@"); ok {
			if j := strings.LastIndexByte(rest, '.'); j >= 0 {
				f[i].Name, structured = rest[j+1:], true
			}
		}
	}
	for i := range f { // a header without a host: "RT_FLOW: RT_FLOW_SESSION_CLOSE: …"
		if f[i].Name == "hostname" && engines[f[i].Value.Text] {
			f[i].Name = "appname"
			if i+1 < len(f) && f[i+1].Name == "appname" {
				f[i+1].Name = "msgid"
			}
		}
	}
	b := format.NewBody(&e.Fields, 24)
	app := f.Str("appname")
	e.Product, e.Category, e.Service = "juniper", "firewall", "junos"
	if engines[app] {
		e.Service = "srx"
	}
	id, text := f.Str("msgid"), msg
	if tag, rest, ok := strings.Cut(msg, ": "); ok && id == "" && upper(tag) { // unstructured: the id begins the text
		id, text = tag, rest
		b.Add("msgid", id)
	}
	if text != "" {
		b.Add("message", text)
	}
	if structured || text == "" {
		peer(f, b)
		return nil
	}
	if strings.HasPrefix(id, "RT_FLOW_SESSION_") || strings.HasPrefix(id, "APPTRACK_SESSION_") {
		flow(text, b)
		return nil
	}
	if ev := sentences().Read(id, text, b.Add); ev == "" && id == "" {
		sentences().Read(app, text, b.Add)
	}
	peer(e.Fields, b)
	return nil
}

// peer reads who came out of ssh-connection '10.0.0.99 50000 10.0.0.1 22'.
func peer(f event.Fields, b *format.Body) {
	t := strings.Fields(f.Str("ssh-connection"))
	if len(t) == 4 {
		b.Add("source-address", t[0])
		b.Add("source-port", t[1])
		b.Add("destination-address", t[2])
		b.Add("destination-port", t[3])
	}
}

func upper(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(s) > 3
}

// flow reads the unstructured texts of sessions. Releases differ in what stands
// in the middle, so the ends are found by their form: two counts "12(3400)" of a
// closed session, "user(roles)" of a new one, "6(0)" of a denied one.
func flow(s string, b *format.Body) {
	var reason string
	switch {
	case strings.HasPrefix(s, "session closed "):
		reason, s, _ = strings.Cut(s[len("session closed "):], ": ")
		b.Add("reason", reason)
	case strings.HasPrefix(s, "session created "):
		s = s[len("session created "):]
	case strings.HasPrefix(s, "session denied "):
		s = s[len("session denied "):]
		reason = "denied"
	default:
		return
	}
	t := strings.Fields(s)
	if len(t) < 4 || len(t) > 80 || !pair(t[0], "", b) {
		return
	}
	i := skip0x(t, 1)
	if i >= len(t) {
		return
	}
	b.Add("service-name", t[i])
	i++
	if i < len(t) && strings.Contains(t[i], "->") {
		pair(t[i], "nat-", b)
		i = skip0x(t, i+1)
	}
	closed := reason != "" && reason != "denied"
	for k := i; k < len(t); k++ {
		switch {
		case closed && k+1 < len(t) && counts(t[k]) && counts(t[k+1]):
			behind(t, k, b)
			p, n, _ := strings.Cut(strings.TrimSuffix(t[k], ")"), "(")
			b.Add("packets-from-client", p)
			b.Add("bytes-from-client", n)
			p, n, _ = strings.Cut(strings.TrimSuffix(t[k+1], ")"), "(")
			b.Add("packets-from-server", p)
			b.Add("bytes-from-server", n)
			at(t, k+2, "elapsed-time", b)
			at(t, k+3, "application", b)
			at(t, k+4, "nested-application", b)
			user(t, k+5, b)
			return
		case reason == "" && roles(t[k]): // "session-id user(roles) interface"
			behind(t, k, b)
			user(t, k, b)
			return
		case reason == "denied" && (counts(t[k]) || digits(t[k])):
			proto, icmp, _ := strings.Cut(strings.TrimSuffix(t[k], ")"), "(")
			b.Add("protocol-id", proto)
			if icmp != "" {
				b.Add("icmp-type", icmp)
			}
			at(t, k+1, "policy-name", b)
			at(t, k+2, "source-zone-name", b)
			at(t, k+3, "destination-zone-name", b)
			for m := k + 4; m < len(t); m++ {
				if roles(t[m]) {
					user(t, m, b)
					break
				}
			}
			return
		}
	}
}

// behind adds the five columns before k: protocol, policy, zones, session.
func behind(t []string, k int, b *format.Body) {
	for j, name := range [...]string{"protocol-id", "policy-name", "source-zone-name", "destination-zone-name", "session-id-32"} {
		if i := k - 5 + j; i >= 0 {
			b.Add(name, t[i])
		}
	}
}

func user(t []string, k int, b *format.Body) {
	if k >= len(t) || !roles(t[k]) {
		return
	}
	u, r, _ := strings.Cut(strings.TrimSuffix(t[k], ")"), "(")
	b.Add("username", u)
	b.Add("roles", r)
	at(t, k+1, "packet-incoming-interface", b)
}

func at(t []string, i int, name string, b *format.Body) {
	if i < len(t) {
		b.Add(name, t[i])
	}
}

// pair reads 10.0.0.5/51000->203.0.113.9/443.
func pair(s, prefix string, b *format.Body) bool {
	from, to, ok := strings.Cut(s, "->")
	fip, fport, ok2 := strings.Cut(from, "/")
	tip, tport, ok3 := strings.Cut(to, "/")
	if !ok || !ok2 || !ok3 {
		return false
	}
	b.Add(prefix+"source-address", fip)
	b.Add(prefix+"source-port", fport)
	b.Add(prefix+"destination-address", tip)
	b.Add(prefix+"destination-port", tport)
	return true
}

func skip0x(t []string, i int) int {
	if i < len(t) && strings.HasPrefix(t[i], "0x") {
		i++
	}
	return i
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func counts(s string) bool {
	p, n, ok := strings.Cut(s, "(")
	return ok && digits(p) && strings.HasSuffix(n, ")") && digits(n[:len(n)-1])
}

func roles(s string) bool {
	u, r, ok := strings.Cut(s, "(")
	return ok && u != "" && strings.HasSuffix(r, ")") && !digits(u)
}

// texts of logons and commands, by message id; of structured records the data
// have it all.
const texts = `
SSHD_LOGIN_FAILED||Login failed for user '{username}' from host '{source-address}'
sshd||Login failed for user '{username}' from host '{source-address}'
LOGIN_INFORMATION||User {username} logged in from host {source-address} on device {tty-name}
LOGIN_FAILED||Login failed for user {username} from host {source-address}
login||User {username} logged in from host {source-address} on device {tty-name}
UI_LOGIN_EVENT||User '{username}' login, class '{class-name}' [{local-peer}], ssh-connection '{ssh-connection}', client-mode '{client-mode}'
UI_LOGOUT_EVENT||User '{username}' logout
UI_AUTH_EVENT||Authenticated user '{username}' {_} permission level '{authentication-level}'
UI_CMDLINE_READ_LINE||User '{username}', command '{command}'
UI_CFG_AUDIT_SET||User '{username}' set: {pathname} {_} -> {value}
UI_CFG_AUDIT_OTHER||User '{username}' {action}: {pathname}
UI_COMMIT||User '{username}' requested 'commit' operation (comment: {message-text})
`

var sentences = sync.OnceValue(func() sentence.Table { return sentence.Parse(texts) })
