// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zyxel reads the syslog of Zyxel's ZyWALL, USG, ATP and USG FLEX:
// src="10.0.0.5:51000" dst="…" msg="…" note="…" user="…" devID="…" cat="…".
//
// It promises the device's pairs, address and port of src and dst apart as
// src_ip, src_port, dst_ip, dst_port, and who came and how of the sentences
// listed in texts. The same devices' CEF is read by package cef.
package zyxel

import (
	"strings"
	"sync"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "zyxel", Match: func(_, msg string) bool { return match(msg) }, Headless: true, Read: read}
}

func match(s string) bool {
	return strings.HasPrefix(s, `src="`) && strings.Contains(s, ` msg="`) && strings.Contains(s, ` cat="`) && strings.Contains(s, ` devID="`)
}

func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
	if err := format.Pairs(msg, &e.Fields); err != nil {
		return err
	}
	f := e.Fields
	e.Product, e.Category, e.Service = "zyxel", "firewall", strings.ToLower(f.Str("cat"))
	b := format.NewBody(&e.Fields, 8)
	for _, side := range [...]string{"src", "dst"} {
		ip, port := apart(f.Str(side))
		if ip != "" {
			b.Add(side+"_ip", ip)
		}
		if port != "" {
			b.Add(side+"_port", port)
		}
	}
	if ev := sentences().Read("", f.Str("msg"), b.Add); ev != "" {
		b.Add("event", ev)
	}
	if who, ok := strings.CutPrefix(f.Str("note"), "Account: "); ok && e.Fields.Str("login_user") == "" {
		b.Add("login_user", who)
	}
	return nil
}

// apart reads 10.0.0.5:51000, [2001:db8::5]:443 and an address alone.
func apart(s string) (ip, port string) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && (strings.Count(s, ":") == 1 || i > 0 && s[i-1] == ']') {
		s, port = s[:i], s[i+1:]
	}
	if port == "0" {
		port = ""
	}
	return strings.Trim(s, "[]"), port
}

// texts of ZLD 4 and 5 and uOS.
const texts = `
|login-ok|Administrator {login_user}(MAC={_}) from {via} has logged in Device
|login-ok|Administrator {login_user} from {via} has logged in Device
|login-ok|Administrator {login_user} from {login_ip} has logged in Web Configurator
|login-end|Administrator {login_user}(MAC={_}) from {via} has logged out Device
|login-end|Administrator {login_user} from {via} has logged out Device
|user-in|User {login_user}(MAC={_}) from {via} has logged in Device
|user-in|User {login_user} from {via} has logged in Device
|user-out|User {login_user}(MAC={_}) from {via} has logged out Device
|user-out|User {login_user} from {via} has logged out Device
|login-failed|Failed login attempt to Device from {via} ({reason})
|login-failed|Failed {_} login attempt to Device from {via} ({reason})
`

var sentences = sync.OnceValue(func() sentence.Table { return sentence.Parse(texts) })
