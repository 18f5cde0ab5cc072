// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

var bound = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestRecord(t *testing.T) {
	for _, c := range []struct {
		name, in         string
		product, service string
		time, host, msg  string
		assumed          bool
	}{
		{"5424", `<34>1 2026-01-01T22:14:15.003Z mymachine.example su 77 ID47 [x@1 a="b\"c"] 'su root' failed`, "linux", "su", "2026-01-01T22:14:15.003Z", "mymachine", "'su root' failed", false},
		{"5424 with nanoseconds", `<34>1 2026-01-01T22:14:15.123456789+08:00 m su - - - x`, "linux", "su", "2026-01-01T14:14:15.123456789Z", "m", "x", false},
		{"3164 over New Year", `<34>Dec 31 23:59:59 web01 sshd[123]: Failed password for invalid user bob from 203.0.113.5 port 4242 ssh2`, "linux", "sshd", "2025-12-31T15:59:59Z", "web01", "Failed password for invalid user bob from 203.0.113.5 port 4242 ssh2", true},
		{"file, no priority", `Jan  2 08:00:01 web01 sudo:   alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh`, "linux", "sudo", "2026-01-02T00:00:01Z", "web01", "", true},
		{"file, ISO", `2026-01-02T08:00:01.123456+08:00 web01 sshd[9]: Accepted publickey for deploy from 10.0.0.7 port 5000 ssh2: ED25519 x`, "linux", "sshd", "2026-01-02T00:00:01.123456Z", "web01", "", false},
		{"FortiOS bare", `<189>date=2026-01-02 time=08:00:00 devname="FW-1" devid="FGT60" logid="0000000013" type="traffic" subtype="forward" srcip=10.1.1.1 srcport=5 dstip=203.0.113.7 dstport=443 proto=6 action="close" sentbyte=10 rcvdbyte=20 msg="a \"b\""`, "fortinet", "forward", "2026-01-02T00:00:00Z", "", "a \"b\"", true},
		{"FortiOS behind a relay", `<189>Jan  2 08:00:03 relay date=2026-01-02 time=08:00:00 devname="FW-1" eventtime=1767312000123456789 tz="+0800" logid="1" type="event" subtype="vpn" action="tunnel-up" remip=203.0.113.9 tunnelip=10.9.0.3 user="wang"`, "fortinet", "vpn", "2026-01-02T00:00:00.123456789Z", "", "", false},
		{"EVE inside", `<13>1 2026-01-01T00:00:00Z ids suricata - - - {"timestamp":"2026-01-01T00:00:01.5+0000","event_type":"alert","src_ip":"1.2.3.4","alert":{"signature":"x"}}`, "suricata", "alert", "2026-01-01T00:00:01.5Z", "", "x", false},
	} {
		e, err := record([]byte(c.in), format.Pos{}, format.Source{NotAfter: bound})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		v := e.View()
		if e.Product != c.product || e.Service != c.service || e.Time.Format(time.RFC3339Nano) != c.time || e.ZoneAssumed != c.assumed ||
			c.host != "" && v.Host != c.host || c.msg != "" && v.Message != c.msg {
			t.Errorf("%s: product %s, service %s, time %s (zone assumed %v), host %s, message %q, fields %v", c.name, e.Product, e.Service, e.Time.Format(time.RFC3339Nano), e.ZoneAssumed, v.Host, v.Message, e.Fields)
		}
		if sniff([]byte(c.in)) == 0 {
			t.Errorf("%s: not recognised", c.name)
		}
	}
	for _, bad := range []string{"hello world, nothing here", "<999>x", `<1>date=2026-01-01 type="x logid=`} {
		if e, err := record([]byte(bad), format.Pos{}, format.Source{NotAfter: bound}); err == nil {
			t.Errorf("%q was accepted: %+v", bad, e)
		}
	}
}

func TestViews(t *testing.T) {
	get := func(s string) event.View {
		e, err := record([]byte(s), format.Pos{}, format.Source{NotAfter: bound})
		if err != nil {
			t.Fatal(err)
		}
		return e.View()
	}
	if v := get(`Jan  2 08:00:01 web01 sshd[9]: Failed password for invalid user bob from 203.0.113.5 port 4242 ssh2`); v.Action != event.LogonFailed || v.User.Name != "bob" || v.Src.String() != "203.0.113.5" || v.SrcPort != 4242 {
		t.Errorf("sshd: %+v", v)
	}
	if v := get(`Jan  2 08:00:01 web01 sudo:   alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c x`); v.Action != event.Privilege || v.User.Name != "alice" || v.Target.Name != "root" || v.Command != "/bin/sh -c x" {
		t.Errorf("sudo: %+v", v)
	}
	if v := get(`Jan  2 08:00:01 web01 su: (to root) www-data on pts/1`); v.Target.Name != "root" || v.User.Name != "www-data" {
		t.Errorf("su: %+v", v)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(`<34>1 2026-01-01T22:14:15.003Z m su - ID47 [x a="b"] y`)
	f.Add(`date=2026-01-02 time=08:00:00 type="traffic" logid="1" a="\`)
	f.Add(`Feb 29 00:00:00 h x: y`)
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		st, err := Format().Decode(context.Background(), strings.NewReader(s), format.Source{NotAfter: bound}, func(e *event.Event) error { n++; e.View(); return nil })
		if err != nil || int64(n) != st.Decoded {
			t.Fatalf("%v, %d events, %+v", err, n, st)
		}
	})
}
