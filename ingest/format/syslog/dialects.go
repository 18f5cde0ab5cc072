// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"sync"

	"citywall/ingest/format"
	"citywall/ingest/format/amavis"
	"citywall/ingest/format/antivirus"
	"citywall/ingest/format/apache"
	"citywall/ingest/format/auditd"
	"citywall/ingest/format/authlog"
	"citywall/ingest/format/cef"
	"citywall/ingest/format/checkpoint"
	"citywall/ingest/format/cisco"
	"citywall/ingest/format/clamav"
	"citywall/ingest/format/dhcp"
	"citywall/ingest/format/esxi"
	"citywall/ingest/format/eve"
	"citywall/ingest/format/fortios"
	"citywall/ingest/format/haproxy"
	"citywall/ingest/format/jsonl"
	"citywall/ingest/format/juniper"
	"citywall/ingest/format/leef"
	"citywall/ingest/format/mikrotik"
	"citywall/ingest/format/nameserver"
	"citywall/ingest/format/ncsa"
	"citywall/ingest/format/nginx"
	"citywall/ingest/format/openvpn"
	"citywall/ingest/format/osquery"
	"citywall/ingest/format/panos"
	"citywall/ingest/format/postfix"
	"citywall/ingest/format/qnap"
	"citywall/ingest/format/radius"
	"citywall/ingest/format/rspamd"
	"citywall/ingest/format/squid"
	"citywall/ingest/format/strongswan"
	"citywall/ingest/format/synology"
	"citywall/ingest/format/wazuh"
	"citywall/ingest/format/zyxel"
)

// dialects lists what a message may be, the more particular before the general.
// The first that matches reads it.
var dialects = sync.OnceValue(func() []format.Dialect {
	return []format.Dialect{
		auditd.Dialect(),
		juniper.Dialect(),
		authlog.Dialect(),
		postfix.Dialect(),
		rspamd.Dialect(),
		amavis.Dialect(),
		clamav.Dialect(),
		antivirus.SEPM(),
		antivirus.ESET(),
		nginx.Dialect(),
		haproxy.Dialect(),
		squid.Dialect(),
		dhcp.Dialect(),
		nameserver.Dialect(),
		apache.Dialect(),
		ncsa.Dialect(),
		fortios.Dialect(),
		cef.Dialect(),
		leef.Dialect(),
		panos.Dialect(),
		cisco.Dialect(),
		esxi.Dialect(),
		synology.Dialect(),
		qnap.Dialect(),
		mikrotik.Dialect(),
		zyxel.Dialect(),
		checkpoint.Dialect(),
		radius.Dialect(),
		strongswan.Dialect(),
		openvpn.Dialect(),
		eve.Dialect(),
		wazuh.Dialect(),
		osquery.Dialect(),
		jsonl.Dialect(),
	}
})

// DialectOf returns the dialect that reads what app wrote, nil when none does.
// The journal of systemd has the same messages under another header.
func DialectOf(app, msg string) *format.Dialect {
	list := dialects()
	for i := range list {
		if d := &list[i]; d.Match(app, msg) {
			return d
		}
	}
	return nil
}

// standalone returns the dialect of a line that stands without a syslog header,
// nil when there is none.
func standalone(line string) *format.Dialect {
	list := dialects()
	for i := range list {
		if d := &list[i]; d.Headless && d.Match("", line) {
			return d
		}
	}
	return nil
}
