// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package openvpn reads the log of an OpenVPN server, by syslog and as its own
// file, and its status file.
//
// It promises the client's name, address and port in front of a message, and for
// the sentences listed in texts what they tell. A status file gives one event for
// each client that was connected. It never reads a client's log.
package openvpn

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

// Dialect returns the dialect of the log.
func Dialect() format.Dialect {
	return format.Dialect{Name: "openvpn", Match: match, Headless: true, Read: read}
}

func match(app, msg string) bool {
	switch {
	case app == "openvpn", strings.HasPrefix(app, "ovpn-"), strings.HasPrefix(app, "openvpn-"), strings.HasPrefix(app, "openvpn@"):
		return true
	case app != "":
		return false
	}
	_, rest, ok := ownStamp(msg)
	if !ok {
		return false
	}
	_, _, _, text, ok := client(rest)
	if !ok {
		return false
	}
	for _, w := range marks {
		if strings.HasPrefix(text, w) {
			return true
		}
	}
	return false
}

// marks begin the messages of a server about a client.
var marks = [...]string{"MULTI", "TLS", "VERIFY", "SIG", "PUSH", "SENT CONTROL", "[", "Data Channel", "Outgoing Data Channel", "Incoming Data Channel", "peer info:", "Control Channel"}

// ownStamp cuts "2026-03-13 18:50:00 " or, up to 2.4, "Fri Mar 13 18:50:00 2026 ".
func ownStamp(s string) (at, rest string, ok bool) {
	for _, n := range [...]int{19, 24} {
		if len(s) > n+10 && s[n] == ' ' && (n == 19 && s[4] == '-' && s[10] == ' ' && s[13] == ':' || n == 24 && s[3] == ' ' && s[13] == ':' && s[16] == ':') {
			return s[:n], s[n+1:], true
		}
	}
	return "", s, false
}

// client cuts "lin/203.0.113.60:51000 " or "203.0.113.60:51000 ".
func client(s string) (name, ip, port, text string, ok bool) {
	word, text, ok := strings.Cut(s, " ")
	if !ok {
		return "", "", "", s, false
	}
	addr := word
	if i := strings.LastIndexByte(word, '/'); i >= 0 {
		name, addr = word[:i], word[i+1:]
	}
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return "", "", "", s, false
	}
	i := strings.LastIndexByte(addr, ':')
	return name, a.Addr().Unmap().String(), addr[i+1:], text, true
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	b := format.NewBody(&e.Fields, 10)
	if raw, rest, ok := ownStamp(msg); ok {
		for _, l := range [...]string{"2006-01-02 15:04:05", "Mon Jan _2 15:04:05 2006"} {
			if t, err := time.ParseInLocation(l, raw, src.Location()); err == nil {
				e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), raw, true, time.Second/2
				msg = rest
			}
		}
	}
	e.Product, e.Category, e.Service = "openvpn", "vpn", "server"
	name, ip, port, text, ok := client(msg)
	if ok {
		if name != "" {
			b.Add("common_name", name)
		}
		b.Add("src_ip", ip)
		b.Add("src_port", port)
	}
	b.Add("message", text)
	ev := sentences().Read("", text, func(k, v string) {
		if strings.HasPrefix(k, "assigned_ip") { // behind the client's address, which has a colon itself
			v = v[strings.LastIndexByte(v, ' ')+1:]
		}
		if k != "common_name" || name == "" {
			b.Add(k, v)
		}
	})
	if ev != "" {
		b.Add("event", ev)
	}
	return nil
}

// texts of OpenVPN 2.4 to 2.6.
const texts = `
|up|MULTI: primary virtual IP for {_}: {assigned_ip}
|up6|MULTI: primary virtual IPv6 for {_}: {assigned_ip6}
|initiated|[{common_name}] Peer Connection Initiated with {_}
|password-ok|TLS: Username/Password authentication succeeded for username '{user}'
|password-ok|TLS: Username/Password authentication succeeded for username '{user}' [CN SET]
|failed|TLS Auth Error: Auth Username/Password verification failed for peer
|failed|TLS Auth Error: username/password verification failed for peer
|failed|TLS Auth Error: --client-config-dir authentication failed for common name '{common_name}' {_}
|refused|VERIFY ERROR: {reason}
|refused|TLS Error: {reason}
|down|SIGTERM[soft,{reason}] received, client-instance exiting
|down|SIGUSR1[soft,{reason}] received, client-instance restarting
|down|SIGHUP[soft,{reason}] received, client-instance restarting
`

var sentences = sync.OnceValue(func() sentence.Table { return sentence.Parse(texts) })
