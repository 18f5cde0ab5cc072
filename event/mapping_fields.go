// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
)

// settable are the fields of the View that a mapping table can set, by their
// JSON names. A reading of another field of the View sees those above it.
var settable = []struct {
	name string
	put  func(*View, string) // nil: set in setting.apply
}{
	{"observer", func(v *View, s string) { v.Observer = asset.HostName(s) }},
	{"host", func(v *View, s string) { v.Host = asset.HostName(s) }},
	{"src", func(v *View, s string) { v.Src = addr(s) }},
	{"dst", func(v *View, s string) { v.Dst = addr(s) }},
	{"host_addr", func(v *View, s string) { v.HostAddr = addr(s) }},
	{"src_host", func(v *View, s string) { v.SrcHost = asset.HostName(s) }},
	{"dst_host", func(v *View, s string) { v.DstHost = asset.HostName(s) }},
	{"src_port", func(v *View, s string) { v.SrcPort = port(s) }},
	{"dst_port", func(v *View, s string) { v.DstPort = port(s) }},
	{"proto", func(v *View, s string) { v.Proto = protoName(strings.ToLower(s)) }},
	{"service", func(v *View, s string) { v.Service = strings.ToLower(s) }},
	{"user", nil},
	{"target", nil},
	{"process", func(v *View, s string) { v.Process = s }},
	{"parent", func(v *View, s string) { v.Parent = s }},
	{"command", func(v *View, s string) { v.Command = s }},
	{"file", func(v *View, s string) { v.File = s }},
	{"hash", func(v *View, s string) { v.Hash = strings.ToLower(s) }},
	{"event_id", func(v *View, s string) { v.EventID = s }},
	{"channel", func(v *View, s string) { v.Channel = s }},
	{"logon_type", func(v *View, s string) { v.Logon, _ = strconv.Atoi(s) }},
	{"session", func(v *View, s string) { v.Session = s }},
	{"message", func(v *View, s string) { v.Message = s }},
	{"bytes_out", func(v *View, s string) { v.BytesOut = count(s) }},
	{"bytes_in", func(v *View, s string) { v.BytesIn = count(s) }},
	{"duration", nil},
	{"start", func(v *View, s string) { v.Start = eveStart(s) }},
	{"answer", func(v *View, s string) { v.Answer = s }},
	{"trust", func(v *View, s string) { v.Trust = s }},
	{"src_side", func(v *View, s string) { v.SrcSide = side(s) }},
	{"dst_side", func(v *View, s string) { v.DstSide = side(s) }},
}

var settableNames = func() map[string]bool {
	m := map[string]bool{}
	for _, f := range settable {
		m[f.name] = true
	}
	return m
}()

// units divide seconds.
var units = map[string]time.Duration{"": 1, "s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}

var viewNames = map[string]bool{"observer": true, "host": true, "src": true, "dst": true, "host_addr": true, "src_host": true, "dst_host": true}

// text returns one of viewNames as text.
func (v *View) text(name string) string {
	a := func(x netip.Addr) string {
		if !x.IsValid() {
			return ""
		}
		return x.String()
	}
	switch name {
	case "observer":
		return v.Observer
	case "host":
		return v.Host
	case "src":
		return a(v.Src)
	case "dst":
		return a(v.Dst)
	case "host_addr":
		return a(v.HostAddr)
	case "src_host":
		return v.SrcHost
	case "dst_host":
		return v.DstHost
	}
	return ""
}

func account(domain, name string) asset.Account { return asset.ParseAccount(domain, name) }
