// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

// Flow is one direction of a connection as a switch exports it in NetFlow v9
// and Filebeat's netflow input writes it (ECS, with the native elements below
// netflow). Packets and bytes are those that were sampled: the true ones are
// about sampling_interval times as many.
var Flow = &Schema{Kind: NetFlow, Name: "netflow", Fields: fields(`src dst sport:num dport:num proto:num=6 transport=tcp octets:num packets:num flags:num=27
	start end in:num=1 out:num=2 interval:num=1`, "")}

// appendNetFlow writes one flow as Filebeat 8 does.
func (r *Record) appendNetFlow(b []byte) []byte {
	v := r.Get
	number := func(name, value string) {
		b = append(b, ',')
		b = quote(b, name)
		b = append(append(b, ':'), value...)
	}
	const stamp = "2006-01-02T15:04:05.000Z"
	b = append(b, `{"@timestamp":"`...)
	b = r.Stamp.AppendFormat(b, stamp)
	b = append(b, `","event":{"kind":"event","module":"netflow","dataset":"netflow.log","category":["network"],"type":["connection"],"action":"netflow_flow"`...)
	b = member(b, "start", v("start"))
	b = member(b, "end", v("end"))
	b = append(b, `},"netflow":{"type":"netflow_flow","exporter":{"version":9`...)
	b = member(b, "address", r.Source.Device)
	b = append(b, '}')
	b = member(b, "source_ipv4_address", v("src"))
	b = member(b, "destination_ipv4_address", v("dst"))
	number("source_transport_port", v("sport"))
	number("destination_transport_port", v("dport"))
	number("protocol_identifier", v("proto"))
	number("octet_delta_count", v("octets"))
	number("packet_delta_count", v("packets"))
	number("tcp_control_bits", v("flags"))
	number("ingress_interface", v("in"))
	number("egress_interface", v("out"))
	number("sampling_interval", v("interval"))
	b = append(b, `,"sampling_algorithm":2},"source":{"ip":`...)
	b = quote(b, v("src"))
	number("port", v("sport"))
	number("bytes", v("octets"))
	number("packets", v("packets"))
	b = append(b, `},"destination":{"ip":`...)
	b = quote(b, v("dst"))
	number("port", v("dport"))
	b = append(b, `},"network":{"type":"ipv4"`...)
	b = member(b, "transport", v("transport"))
	number("bytes", v("octets"))
	number("packets", v("packets"))
	b = append(b, `},"observer":{"type":"netflow"`...)
	b = member(b, "name", r.Source.Name)
	b = append(b, `},"agent":{"type":"filebeat","version":"8.17.2"},"ecs":{"version":"8.11.0"}}`...)
	return b
}
