// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"strconv"
	"strings"
	"time"
)

// taipei is the zone of the city's devices. It has had no daylight saving
// since 1980.
var taipei = time.FixedZone("Asia/Taipei", 8*3600)

func forti(name, logid, spec string) *Schema {
	typ, sub, _ := strings.Cut(name, "/")
	return &Schema{Kind: FortiGate, Name: name, Fields: fields("logid="+logid+" type="+typ+" subtype="+sub+" "+spec, "")}
}

const fortiTraffic = `level=notice vd=root srcip:plain srcport:plain srcintf srcintfrole=undefined dstip:plain dstport:plain dstintf dstintfrole=undefined
	srccountry=Reserved dstcountry=Reserved sessionid:plain proto:plain=6 action policyid:plain policytype=policy service trandisp=noop transip:plain transport:plain
	duration:plain=0 sentbyte:plain=0 rcvdbyte:plain=0 sentpkt:plain=0 rcvdpkt:plain=0 appcat=unscanned`

// FortiGate's records (FortiOS 7 log reference: traffic 13 and 14, VPN 39424,
// 39425, 39426).
var (
	FortiForward = forti("traffic/forward", "0000000013", fortiTraffic)
	FortiLocal   = forti("traffic/local", "0001000014", fortiTraffic)

	fortiVPN    = ` vd=root tunneltype=ssl-tunnel tunnelid:plain remip:plain tunnelip:plain user group=vpn-users dst_host=N/A `
	FortiVPNUp  = forti("event/vpn", "0101039424", "level=information"+fortiVPN+"logdesc=SSL~VPN~tunnel~up action=tunnel-up reason=tunnel~established msg=SSL~tunnel~established")
	FortiVPNEnd = forti("event/vpn", "0101039425", "level=information"+fortiVPN+"reason=N/A duration:plain=0 sentbyte:plain=0 rcvdbyte:plain=0 logdesc=SSL~VPN~tunnel~down action=tunnel-down msg=SSL~tunnel~shutdown")
	FortiVPNBad = forti("event/vpn", "0101039426", "level=alert"+fortiVPN+"reason=sslvpn_login_permission_denied logdesc=SSL~VPN~login~fail action=ssl-login-fail msg=SSL~user~failed~to~logged~in")
)

// appendFortiGate writes a syslog line: RFC 5424 or, on the older device, RFC
// 3164, whose time has no year and no zone.
func (r *Record) appendFortiGate(b []byte) []byte {
	at := r.Stamp.In(taipei)
	pri := 189 // local7.notice
	switch r.Get("level") {
	case "information":
		pri = 190
	case "warning":
		pri = 188
	case "alert":
		pri = 185
	}
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(pri), 10)
	b = append(b, '>')
	if r.Source.RFC3164 {
		b = at.AppendFormat(b, time.Stamp)
		b = append(append(append(b, ' '), r.Source.Name...), ' ')
	} else {
		b = append(b, '1', ' ')
		b = at.AppendFormat(b, "2006-01-02T15:04:05.000000-07:00")
		b = append(append(append(b, ' '), r.Source.Name...), " fortigate - "...)
		b = append(append(b, r.Values[0]...), " - "...)
	}
	return r.appendPairs(b, at)
}

func (r *Record) appendPairs(b []byte, at time.Time) []byte {
	b = append(b, "date="...)
	b = at.AppendFormat(b, time.DateOnly)
	b = append(b, " time="...)
	b = at.AppendFormat(b, time.TimeOnly)
	b = append(append(append(b, ` devname="`...), r.Source.Name...), `" devid="`...)
	b = append(append(b, r.Source.Device...), `" eventtime=`...)
	b = strconv.AppendInt(b, at.UnixNano(), 10)
	b = append(b, ` tz="+0800"`...)
	for i, f := range r.Schema.Fields {
		v := r.Values[i]
		if v == "" {
			continue
		}
		b = append(append(append(b, ' '), f.Name...), '=')
		if f.Type == Plain {
			b = append(b, v...)
			continue
		}
		b = append(b, '"')
		for j := 0; j < len(v); j++ {
			if v[j] == '"' || v[j] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, v[j])
		}
		b = append(b, '"')
	}
	return b
}
