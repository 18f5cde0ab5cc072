// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package ingest is the list of formats that Citywall reads, and how one is
// recognised by its content.
//
// Transport (how bytes arrive) and format (what they mean) stay apart: see
// ingest/transport, ingest/file and ingest/format. README.md says how to add a
// format. It promises that recognition looks at bytes, never at a file's name,
// and never guesses between two formats that are equally sure.
package ingest

import (
	"bytes"
	"errors"
	"sync"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/amavis"
	"citywall/ingest/format/antivirus"
	"citywall/ingest/format/apache"
	"citywall/ingest/format/auditd"
	"citywall/ingest/format/clamav"
	"citywall/ingest/format/csvlog"
	"citywall/ingest/format/cuckoo"
	"citywall/ingest/format/defender"
	"citywall/ingest/format/dhcp"
	"citywall/ingest/format/eve"
	"citywall/ingest/format/evtx"
	"citywall/ingest/format/exchange"
	"citywall/ingest/format/iis"
	"citywall/ingest/format/journald"
	"citywall/ingest/format/jsonl"
	"citywall/ingest/format/modsecurity"
	"citywall/ingest/format/nameserver"
	"citywall/ingest/format/ncsa"
	"citywall/ingest/format/netflow"
	"citywall/ingest/format/nginx"
	"citywall/ingest/format/nps"
	"citywall/ingest/format/openvpn"
	"citywall/ingest/format/osquery"
	"citywall/ingest/format/own"
	"citywall/ingest/format/radius"
	"citywall/ingest/format/rspamd"
	"citywall/ingest/format/squid"
	"citywall/ingest/format/syslog"
	"citywall/ingest/format/utmp"
	"citywall/ingest/format/velociraptor"
	"citywall/ingest/format/wazuh"
	"citywall/ingest/format/zeek"
)

// Formats returns every format, the more particular before the general.
func Formats() []format.Format {
	return []format.Format{
		evtx.Format(),
		own.Format(),
		zeek.Format(),
		netflow.Format(),
		eve.Format(),
		journald.Format(),
		utmp.Format(),
		auditd.Format(),
		modsecurity.Format(),
		clamav.Format(),
		antivirus.Format(),
		defender.Format(),
		exchange.Format(),
		cuckoo.Format(),
		osquery.Format(),
		velociraptor.Format(),
		rspamd.Format(),
		amavis.Format(),
		wazuh.Format(),
		iis.Format(),
		nginx.Format(),
		apache.Format(),
		squid.Format(),
		ncsa.Format(),
		nameserver.BIND(),
		nameserver.Unbound(),
		nameserver.Windows(),
		dhcp.Leases(),
		dhcp.KeaLeases(),
		dhcp.KeaLog(),
		dhcp.Windows(),
		nps.Format(),
		radius.Format(),
		openvpn.Format(),
		syslog.Format(),
		csvlog.Format(),
		jsonl.Format(),
	}
}

// formats is the list, made once: it is asked for every live record.
var formats = sync.OnceValue(Formats)

// minimum is the confidence below which content counts as unknown.
const minimum = 30

// Recognise returns the format that is surest of the first up to 4 KiB of a
// file. With equal confidence the earlier in Formats wins.
func Recognise(head []byte) (format.Format, bool) {
	head = format.PlainHead(head)
	var best format.Format
	score := minimum - 1
	for _, f := range formats() {
		if s := f.Sniff(head); s > score {
			best, score = f, s
		}
	}
	return best, best.Name != ""
}

// ByName returns the format of that name.
func ByName(name string) (format.Format, bool) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, true
		}
	}
	return format.Format{}, false
}

// prioritised reports whether a record begins with a syslog priority, <0> to
// <999>.
func prioritised(b []byte) bool {
	i := bytes.IndexByte(b[:min(len(b), 5)], '>')
	if i < 2 || b[0] != '<' {
		return false
	}
	for _, c := range b[1:i] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

var syslogRecord = sync.OnceValue(func() func([]byte, format.Pos, format.Source) (*event.Event, error) { return syslog.Format().Record })

// errUnknown is what a live record of no known form gets.
var errUnknown = errors.New("not a record of a known format (syslog, JSON, Zeek JSON, EVE)")

// Record decodes one live record that stands alone, recognised by its content.
func Record(line []byte, p format.Pos, s format.Source) (*event.Event, error) {
	line = bytes.TrimRight(line, "\r\n\x00")
	if prioritised(line) { // most of what arrives: only syslog begins so, and nobody else need look
		return syslogRecord()(line, p, s)
	}
	var best format.Format
	score := minimum - 1
	for _, f := range formats() {
		if f.Record == nil {
			continue
		}
		if n := f.Sniff(line); n > score {
			best, score = f, n
		}
	}
	if best.Record == nil {
		return nil, errUnknown
	}
	return best.Record(line, p, s)
}
