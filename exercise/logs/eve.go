// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import "strings"

const eveHead = " flow_id:num in_iface=eth1 src_ip src_port:num dest_ip dest_port:num proto=TCP "

func eve(name, spec string) *Schema {
	return &Schema{Kind: Suricata, Name: name, Fields: fields(eveHead+spec, "")}
}

// Suricata's EVE records (Suricata user guide, "EVE JSON format"). A dot in a
// name opens an object; members of one object stand together.
var (
	EveFlow = eve("flow", `app_proto flow.pkts_toserver:num flow.pkts_toclient:num flow.bytes_toserver:num flow.bytes_toclient:num flow.start flow.end flow.age:num
		flow.state=closed flow.reason=timeout flow.alerted:bool=false`)
	EveAlert = eve("alert", `app_proto alert.action=allowed alert.gid:num=1 alert.signature_id:num alert.rev:num=1 alert.signature alert.category alert.severity:num
		flow.pkts_toserver:num flow.pkts_toclient:num flow.bytes_toserver:num flow.bytes_toclient:num flow.start`)
	EveHTTP = eve("http", `tx_id:num=0 http.hostname http.url http.http_user_agent http.http_content_type http.http_method=GET http.protocol=HTTP/1.1 http.status:num=200 http.length:num=0`)
	EveDNS  = eve("dns", `dns.version:num=2 dns.type=answer dns.id:num dns.flags=8180 dns.qr:bool=true dns.rd:bool=true dns.ra:bool=true dns.opcode:num=0 dns.rrname dns.rrtype=A dns.rcode=NOERROR`)
)

// eveStamp is how EVE writes times: local zone without a colon.
const eveStamp = "2006-01-02T15:04:05.000000-0700"

func (r *Record) appendEVE(b []byte) []byte {
	b = append(b, `{"timestamp":"`...)
	b = r.Stamp.In(taipei).AppendFormat(b, eveStamp)
	b = append(b, `","event_type":`...)
	b = quote(b, r.Schema.Name)
	b = member(b, "host", r.Source.Name)
	object := ""
	for i, f := range r.Schema.Fields {
		v := r.Values[i]
		if v == "" {
			continue
		}
		in, name, ok := strings.Cut(f.Name, ".")
		if !ok {
			in, name = "", f.Name
		}
		if in != object {
			if object != "" {
				b = append(b, '}')
			}
			if object = in; in != "" {
				b = append(b, ',')
				b = quote(b, in)
				b = append(b, ':', '{')
			}
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = quote(b, name)
		b = append(b, ':')
		if f.Type == Num || f.Type == Bool {
			b = append(b, v...)
		} else {
			b = quote(b, v)
		}
	}
	if object != "" {
		b = append(b, '}')
	}
	return append(b, '}')
}
