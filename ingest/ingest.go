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
	"sync"

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

// formats is the list, made once: it is asked for again and again.
var formats = sync.OnceValue(Formats)

// minimum is the confidence below which content counts as unknown.
const minimum = 30

// certain is the confidence that no other format can beat.
const certain = 100

// Recognise returns the format that is surest of the first up to 4 KiB of a
// file. With equal confidence the earlier in Formats wins.
func Recognise(head []byte) (format.Format, bool) {
	head = format.PlainHead(head)
	var best format.Format
	score := minimum - 1
	for _, f := range formats() {
		if s := f.Sniff(head); s > score {
			best, score = f, s
			if s >= certain {
				break
			}
		}
	}
	return best, best.Name != ""
}

// ByName returns the format of that name.
func ByName(name string) (format.Format, bool) {
	for _, f := range formats() {
		if f.Name == name {
			return f, true
		}
	}
	return format.Format{}, false
}
