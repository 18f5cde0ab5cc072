// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format/recordtest"
)

// TestServices: the same deed, as different services log it, makes the same
// public rules fire. The oracle is the rule's own words: each deed is written so
// that the named rules hold.
func TestServices(t *testing.T) {
	eng := hq(t)
	const iis = "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status\n2026-03-13 10:50:00 10.1.2.3 "
	web := func(stem, query, agent string) map[string]string {
		uri := stem
		if query != "" {
			uri += "?" + query
		}
		dash := func(s string) string {
			if s == "" {
				return "-"
			}
			return s
		}
		access := `203.0.113.40 - - [13/Mar/2026:18:50:00 +0800] "GET ` + uri + ` HTTP/1.1" 200 12 "-" "` + dash(agent) + `"`
		return map[string]string{
			"apache":           access,
			"nginx in syslog":  "<190>Mar 13 18:50:00 web01 nginx: " + access,
			"iis":              iis + "GET " + stem + " " + dash(query) + " 443 - 203.0.113.40 " + strings.ReplaceAll(dash(agent), " ", "+") + " - 200",
			"journal of nginx": `{"__REALTIME_TIMESTAMP":"1773399007000000","_HOSTNAME":"web01","SYSLOG_IDENTIFIER":"nginx","MESSAGE":"` + strings.ReplaceAll(access, `"`, `\"`) + `"}`,
		}
	}
	for _, c := range []struct {
		rules []string
		logs  map[string]string
	}{
		{[]string{"Path Traversal Exploitation Attempts"}, web("/index.php", "f=../../../../../etc/passwd", "")},
		{[]string{"SQL Injection Strings In URI"}, web("/list.php", "q=%27%20union%20select%201", "")},
		{[]string{"Windows Webshell Strings"}, web("/cmd.aspx", "cmd=whoami", "")},
		{[]string{"Cross Site Scripting Strings"}, web("/", "q=<script>alert(1)</script>", "")},
		{[]string{"Log4j RCE CVE-2021-44228 Generic", "Log4j RCE CVE-2021-44228 in Fields"}, web("/x", "", "${jndi:ldap://203.0.113.9/a}")},
		{[]string{"Telegram Bot API Request"}, map[string]string{
			"bind":    "13-Mar-2026 18:50:00.123 queries: info: client @0x7f3c4c0b3e68 10.1.9.4#53124 (api.telegram.org): query: api.telegram.org IN A + (10.1.1.5)",
			"unbound": "[1773398400] unbound[812:0] info: 10.1.9.4 api.telegram.org. A IN",
			"windows": "3/13/2026 6:50:00 PM 0B7C PACKET  000001A2B3C4D5E0 UDP Rcv 10.1.9.4        4a5b   Q [0001   D   NOERROR] A      (3)api(8)telegram(3)org(0)",
		}},
		{[]string{"Download From Suspicious TLD - Blacklist", "Download From Suspicious TLD - Whitelist"}, map[string]string{
			"squid": "1773398400.123    921 10.1.9.4 TCP_MISS/200 50712 GET http://files.bad.xyz/tool.exe - HIER_DIRECT/203.0.113.9 application/octet-stream",
		}},
		{[]string{"Cleartext Protocol Usage Via Netflow"}, map[string]string{
			"netflow": `{"netflow":"v9","exporter":"10.255.0.1","domain":0,"exportTime":"2026-03-13T10:40:00.000Z","sourceIPv4Address":"10.1.9.4","destinationIPv4Address":"10.1.2.3","sourceTransportPort":40001,"destinationTransportPort":23,"protocolIdentifier":6}`,
		}},
		{[]string{"Suspicious Activity in Shell Commands", "Suspicious Commands Linux"}, map[string]string{
			"audit.log": "type=SYSCALL msg=audit(1773398400.123:501): arch=c000003e syscall=59 success=yes exit=0 pid=1 uid=0 comm=\"cp\" exe=\"/usr/bin/cp\"\ntype=EXECVE msg=audit(1773398400.123:501): argc=3 a0=\"cp\" a1=\"/bin/sh\" a2=\"/tmp/x\"",
			"audispd":   "Mar 13 18:40:00 web01 audispd: type=EXECVE msg=audit(1773398400.123:515): argc=3 a0=\"cp\" a1=\"/bin/sh\" a2=\"/tmp/x\"",
		}},
		{[]string{"Cisco Disabling Logging"}, map[string]string{
			"ios": "<189>4716: Mar 13 18:50:00.800: %PARSER-5-CFGLOG_LOGGEDCMD: User:admin  logged command:no logging host 10.0.0.50",
		}},
		{[]string{"Juniper BGP Missing MD5"}, map[string]string{
			"junos": "<29>Mar 13 18:50:00 r1 rpd[1200]: tcp_auth_ok: Packet from 10.0.0.9:179 missing MD5 digest",
		}},
	} {
		for name, text := range c.logs {
			f, ok := ingest.Recognise([]byte(text + "\n"))
			if !ok {
				t.Errorf("%s: not recognised: %s", name, text)
				continue
			}
			var got []string
			m := eng.NewMatcher()
			st, err := f.Decode(context.Background(), bytes.NewReader([]byte(text+"\n")), recordtest.Source, func(e *event.Event) error {
				for _, x := range m.Match(e) {
					got = append(got, x.Rule.Title)
				}
				return nil
			})
			if err != nil || st.Decoded != 1 {
				t.Errorf("%s: %+v %v", name, st, err)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.rules) {
				t.Errorf("%s: %q fire, want %q", name, got, c.rules)
			}
		}
	}
}
