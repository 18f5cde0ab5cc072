// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package mikrotik reads the log of RouterOS: firewall lines, logons, DHCP
// leases, VPN users and what was configured, with its topics in front.
//
// It promises topics and message as written, and for firewall lines and the
// sentences listed in texts what they tell, under names that README.md explains.
// Without topics only firewall lines are known. It never guesses what a rule did
// with a packet: the rule's log prefix may say so, in the administrator's words.
package mikrotik

import (
	"strings"
	"sync"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "mikrotik", Match: match, Headless: true, Read: read}
}

// known are RouterOS's topics; severities are topics, too.
var known = func() map[string]bool {
	m := map[string]bool{}
	for _, t := range strings.Fields(`account acme async backup bfd bgp bridge calc caps certificate container critical ddns debug dhcp disk dns dot1x dude
		e-mail error event evpn fetch firewall firmware gps gsm health hotspot igmp-proxy info interface ipsec iscsi isdn isis kid-control kvm l2tp ldp
		lora lte manager mme mpls mqtt netwatch ntp ospf ovpn packet poe-in poe-out ppp pppoe pptp ptp queue radius radvd raw read rip route rpki rsvp
		script sertcp simulator smb snmp socksify ssh ssl sstp state status store stp system telephony tftp timer tr069 update upnp ups vpls vrrp
		warning watchdog web-proxy wifi wireguard wireless write zerotier`) {
		m[t] = true
	}
	return m
}()

var severities = map[string]bool{"info": true, "warning": true, "error": true, "critical": true, "debug": true}

// topicsOf returns the topics at the start of s: known words with commas
// between, one of them a severity.
func topicsOf(s string) (string, bool) {
	word, _, ok := strings.Cut(s[:min(len(s), 64)], " ")
	if !ok || strings.IndexByte(word, ',') < 0 {
		return "", false
	}
	grave := false
	for t := range strings.SplitSeq(word, ",") {
		if !known[t] {
			return "", false
		}
		grave = grave || severities[t]
	}
	return word, grave
}

func match(app, msg string) bool {
	if chains[app] && strings.HasPrefix(msg, "in:") { // a line without topics and prefix
		return true
	}
	if app != "" {
		return false
	}
	msg = strings.TrimPrefix(msg, ": ")
	if _, ok := topicsOf(msg); ok {
		return true
	}
	if _, rest, ok := printed(msg); ok {
		_, ok := topicsOf(rest)
		return ok
	}
	return firewallLike(msg)
}

// chains are RouterOS's own, which the syslog header takes for a program.
var chains = map[string]bool{"input": true, "forward": true, "output": true, "prerouting": true, "postrouting": true, "srcnat": true, "dstnat": true}

// firewallLike knows a firewall line that came without topics. It stands behind
// no header: that is for the syslog decoder to read.
func firewallLike(s string) bool {
	i := strings.Index(s[:min(len(s), 80)], ": in:")
	if i <= 0 || s[1] == ' ' || !strings.Contains(s, " out:") || !strings.Contains(s, ", proto ") || !strings.Contains(s, "->") {
		return false
	}
	_, _, headed := format.Stamp(s, time.UTC, time.Time{})
	return !headed
}

// layouts of the times in files and in print-outs of the log.
var layouts = []string{"2006-01-02 15:04:05", "Jan/02/2006 15:04:05"}

// printed cuts the time at the start of a line of a file or print-out.
func printed(s string) (at, rest string, ok bool) {
	for _, l := range layouts {
		if len(s) > len(l) && s[len(l)] == ' ' && (s[4] == '-' || s[3] == '/') && s[len(l)-3] == ':' {
			return s[:len(l)], strings.TrimLeft(s[len(l):], " "), true
		}
	}
	return "", s, false
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	msg = strings.TrimPrefix(msg, ": ")
	if raw, rest, ok := printed(msg); ok {
		for _, l := range layouts {
			if t, err := time.ParseInLocation(l, raw, src.Location()); err == nil {
				e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), raw, true, time.Second/2
			}
		}
		msg = rest
	}
	if app := e.Fields.Str("appname"); chains[app] {
		msg = app + ": " + msg
	}
	b := format.NewBody(&e.Fields, 20)
	e.Product, e.Category, e.Service = "mikrotik", "firewall", "firewall"
	topics, ok := topicsOf(msg)
	if ok {
		b.Add("topics", topics)
		e.Service, _, _ = strings.Cut(topics, ",")
		msg = strings.TrimSpace(msg[len(topics):])
	}
	b.Add("message", msg)
	if e.Service == "firewall" || firewallLike(msg) {
		e.Service = "firewall"
		packet(msg, b)
		return nil
	}
	id := e.Service
	if strings.Contains(topics, "ppp") {
		id = "ppp"
	}
	if ev := sentences().Read(id, msg, b.Add); ev != "" {
		b.Add("event", ev)
		if ev == "config" {
			by(e.Fields.Str("by"), b)
		}
	}
	return nil
}

// by reads "admin" or "winbox-3.40/tcp-msg(winbox):admin@203.0.113.77 (…)".
func by(s string, b *format.Body) {
	s, _, _ = strings.Cut(s, " (")
	if _, who, ok := strings.Cut(s, "):"); ok {
		s = who
	}
	user, ip, _ := strings.Cut(s, "@")
	b.Add("user", user)
	if ip != "" {
		b.Add("src_ip", ip)
	}
}

// packet reads "[prefix ]forward: in:ether2 out:ether1, connection-state:new
// src-mac …, proto TCP (SYN), a:p->b:p, NAT (a:p->c:q)->b:p, len 52".
func packet(s string, b *format.Body) {
	head, rest, ok := strings.Cut(s, ": in:")
	if !ok {
		return
	}
	prefix, chain := "", head
	if i := strings.LastIndexByte(head, ' '); i >= 0 {
		prefix, chain = strings.TrimRight(strings.TrimSpace(head[:i]), ":"), head[i+1:]
	}
	if prefix != "" {
		b.Add("prefix", prefix)
		if v := verdict(prefix); v != "" {
			b.Add("verdict", v)
		}
	}
	b.Add("chain", chain)
	in, rest, _ := strings.Cut(rest, " out:")
	b.Add("in", in)
	for i := 0; rest != "" && i < 20; i++ {
		part := ""
		part, rest = cutPart(rest)
		switch {
		case i == 0:
			b.Add("out", part)
		case strings.HasPrefix(part, "proto "):
			proto, flags, _ := strings.Cut(part[6:], " ")
			b.Add("proto", proto)
			if f := strings.Trim(flags, "()"); f != "" {
				b.Add("proto_info", f)
			}
		case strings.HasPrefix(part, "NAT "):
			translated(part[4:], b)
		case strings.HasPrefix(part, "len "):
			b.Add("len", part[4:])
		case strings.HasPrefix(part, "prio "):
			b.Add("prio", part[5:])
		case strings.Contains(part, "->"):
			from, to, _ := strings.Cut(part, "->")
			endpoint(from, "src", b)
			endpoint(to, "dst", b)
		default:
			words(part, b)
		}
	}
}

// cutPart cuts at ", " outside parentheses.
func cutPart(s string) (part, rest string) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth <= 0 && i+1 < len(s) && s[i+1] == ' ' {
				return s[:i], s[i+2:]
			}
		}
	}
	return s, ""
}

// words reads "connection-mark:x connection-state:new,snat src-mac aa:…".
func words(s string, b *format.Body) {
	for s != "" {
		word, rest, _ := strings.Cut(s, " ")
		s = rest
		if k, v, ok := strings.Cut(word, ":"); ok && strings.HasPrefix(k, "connection-") {
			b.Add(k, v)
			if state, nat, ok := strings.Cut(v, ","); ok && k == "connection-state" {
				b.Add("state", state)
				b.Add("nat", nat)
			} else if k == "connection-state" {
				b.Add("state", v)
			}
		} else if word == "src-mac" {
			mac, rest, _ := strings.Cut(s, " ")
			b.Add("src-mac", mac)
			s = rest
		}
	}
}

// translated reads "(a:p->c:q)->b:r" (source) or "a:p->(b:r->d:s)"
// (destination).
func translated(s string, b *format.Body) {
	if in, ok := strings.CutPrefix(s, "("); ok {
		if in, _, ok := strings.Cut(in, ")"); ok {
			if _, to, ok := strings.Cut(in, "->"); ok {
				endpoint(to, "nat_src", b)
			}
		}
		return
	}
	if _, in, ok := strings.Cut(s, "->("); ok {
		if _, to, ok := strings.Cut(strings.TrimSuffix(in, ")"), "->"); ok {
			endpoint(to, "nat_dst", b)
		}
	}
}

// endpoint reads 10.0.0.5:51000, [2001:db8::5]:443 or an address alone.
func endpoint(s, side string, b *format.Body) {
	ip, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > 0 && (strings.Count(s, ":") == 1 || s[i-1] == ']') {
		ip, port = s[:i], s[i+1:]
	}
	if ip = strings.Trim(ip, "[]"); ip != "" {
		b.Add(side+"_ip", ip)
	}
	if port != "" {
		b.Add(side+"_port", port)
	}
}

// verdict reads what the administrator's prefix says of the rule.
func verdict(prefix string) string {
	p := strings.ToLower(prefix)
	for _, w := range [...]string{"drop", "deny", "denied", "reject", "block"} {
		if strings.Contains(p, w) {
			return "drop"
		}
	}
	for _, w := range [...]string{"accept", "allow", "permit"} {
		if strings.Contains(p, w) {
			return "accept"
		}
	}
	return ""
}

// texts of RouterOS 6 and 7.
const texts = `
system|login-ok|user {user} logged in from {src_ip} via {via}
system|login-end|user {user} logged out from {src_ip} via {via}
system|login-ok|user {user} logged in via {via}
system|login-end|user {user} logged out via {via}
system|login-failed|login failure for user {user} from {src_ip} via {via}
system|config|{object} added by {by}
system|config|{object} changed by {by}
system|config|{object} removed by {by}
system|config|{object} moved by {by}
dhcp|lease|{server} assigned {ip} for {mac} {client}
dhcp|lease|{server} assigned {ip} for {mac}
dhcp|lease|{server} assigned {ip} to {mac} {client}
dhcp|lease|{server} assigned {ip} to {mac}
dhcp|release|{server} deassigned {ip} for {mac} {client}
dhcp|release|{server} deassigned {ip} for {mac}
dhcp|release|{server} deassigned {ip} from {mac}
ppp|vpn-ok|{user} logged in, {assigned_ip} from {src_ip}
ppp|vpn-ok|{user} logged in, {assigned_ip}
ppp|vpn-end|{user} logged out, {seconds} {bytes_in} {bytes_out} {packets_in} {packets_out} from {src_ip}
ppp|vpn-end|{user} logged out, {seconds} {bytes_in} {bytes_out} {packets_in} {packets_out}
ppp|vpn-failed|<{src_ip}>: user {user} authentication failed
ppp|vpn-failed|<{src_ip}>: user {user} authentication failed - {reason}
ppp|authenticated|<{interface}>: authenticated
ppp|connected|<{interface}>: connected
ppp|disconnected|<{interface}>: disconnected
l2tp|contact|first L2TP UDP packet received from {src_ip}
pptp|contact|TCP connection established from {src_ip}
ovpn|contact|TCP connection established from {src_ip}
ovpn|contact|connection established from {src_ip}, port: {src_port} to {dst_ip}
sstp|contact|TCP connection established from {src_ip}
`

var sentences = sync.OnceValue(func() sentence.Table { return sentence.Parse(texts) })
