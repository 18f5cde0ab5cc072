// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package strongswan reads the log of strongSwan's daemon (charon) about who set
// up a tunnel, by syslog and as its own file.
//
// It promises thread, group and message, and for the sentences listed in texts
// what they tell; peer_user is a peer's identity that names a person and not
// another gateway. It never follows the steps of a key exchange.
package strongswan

import (
	"net/netip"
	"strings"
	"sync"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "strongswan", Match: match, Headless: true, Read: read}
}

func match(app, msg string) bool {
	switch app {
	case "charon", "charon-systemd", "ipsec", "charon-custom":
		_, _, _, ok := group(msg)
		return ok
	case "":
		if len(msg) < 24 || msg[15] != ' ' || msg[18] != '[' { // "Mar 13 18:50:00 08[IKE] "
			return false
		}
		_, _, _, ok := group(msg[16:])
		return ok
	}
	return false
}

// group cuts "08[IKE] <rw|12> ".
func group(s string) (thread, group, text string, ok bool) {
	if len(s) < 8 || s[0] < '0' || s[0] > '9' || s[2] != '[' || s[6] != ']' {
		return "", "", s, false
	}
	text = strings.TrimLeft(s[7:], " ")
	if strings.HasPrefix(text, "<") {
		if _, t, ok := strings.Cut(text, "> "); ok {
			text = t
		}
	}
	return s[:2], s[3:6], text, true
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	b := format.NewBody(&e.Fields, 12)
	if t, raw, ok := format.Stamp(msg, src.Location(), src.NotAfter); ok {
		e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.At, raw, t.Assumed, t.Resolution/2
		msg = strings.TrimLeft(msg[len(raw):], " ")
	}
	e.Product, e.Category, e.Service = "strongswan", "vpn", "charon"
	thread, grp, text, ok := group(msg)
	if ok {
		b.Add("thread", thread)
		b.Add("group", grp)
	}
	b.Add("message", text)
	ev := sentences().Read("", text, b.Add)
	if ev == "" {
		return nil
	}
	b.Add("event", ev)
	if id := e.Fields.Str("peer_id"); person(id) {
		b.Add("peer_user", personName(id))
	}
	if e.Fields.Str("src_ip") == "" {
		if a, err := netip.ParseAddr(e.Fields.Str("peer")); err == nil {
			b.Add("src_ip", a.String())
		}
	}
	return nil
}

// person reports whether an identity is a user's: a bare name, an e-mail
// address, or a certificate's subject with one. A host's name or address is
// another gateway's.
func person(id string) bool {
	if id == "" || id == "%any" {
		return false
	}
	if _, err := netip.ParseAddr(id); err == nil {
		return false
	}
	return strings.Contains(id, "@") || !strings.Contains(personName(id), ".")
}

// personName takes the name out of "C=TW, O=City, CN=lin".
func personName(id string) string {
	if i := strings.LastIndex(id, "CN="); i >= 0 {
		id, _, _ = strings.Cut(id[i+3:], ",")
	}
	return id
}

// texts of charon 5.x and 6.
const texts = `
|established|IKE_SA {connection}[{sa}] established between {local_ip}[{local_id}]...{src_ip}[{peer_id}]
|ended|deleting IKE_SA {connection}[{sa}] between {local_ip}[{local_id}]...{src_ip}[{peer_id}]
|assigned|assigning virtual IP {assigned_ip} to peer '{peer_id}'
|authenticated|authentication of '{peer_id}' with {method} successful
|failed|authentication of '{peer_id}' with {method} failed
|failed|EAP method {method} failed for peer {peer}
|failed|no EAP key found for hosts '{local_id}' - '{peer_id}'
|failed|tried {tries} shared keys for '{local_id}' - '{peer_id}', but MAC mismatched
|failed|tried {tries} shared key for '{local_id}' - '{peer_id}', but MAC mismatched
|contact|{src_ip} is initiating an IKE_SA
|contact|{src_ip} is initiating a {mode} Mode IKE_SA
|child|CHILD_SA {child} established with SPIs {_} and TS {ts_local} === {ts_remote}
|released|lease {assigned_ip} by '{peer_id}' went offline
`

var sentences = sync.OnceValue(func() sentence.Table { return sentence.Parse(strings.TrimSpace(texts)) })
