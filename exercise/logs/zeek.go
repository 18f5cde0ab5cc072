// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"strconv"
	"strings"
	"time"
)

const zeekID = " uid id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port "

func zeek(name, spec string) *Schema {
	return &Schema{Kind: Zeek, Name: name, Fields: fields(zeekID+spec, "-")}
}

// Zeek's logs with the columns of a default installation (Zeek 6, Book of
// Zeek, "Zeek log files"); ts comes first and is the record's stamp.
var (
	ZeekConn = zeek("conn", `proto:enum=tcp service duration:float orig_bytes:num resp_bytes:num conn_state=SF local_orig:bool local_resp:bool
		missed_bytes:num=0 history orig_pkts:num=0 orig_ip_bytes:num=0 resp_pkts:num=0 resp_ip_bytes:num=0 tunnel_parents:set`)
	ZeekDNS = zeek("dns", `proto:enum=udp trans_id:num rtt:float query qclass:num=1 qclass_name=C_INTERNET qtype:num=1 qtype_name=A rcode:num=0 rcode_name=NOERROR
		AA:bool=false TC:bool=false RD:bool=true RA:bool=true Z:num=0 answers:set TTLs:nums rejected:bool=false`)
	ZeekHTTP = zeek("http", `trans_depth:num=1 method=GET host uri referrer version=1.1 user_agent origin request_body_len:num=0 response_body_len:num=0
		status_code:num=200 status_msg=OK info_code:num info_msg tags:set=(empty) username password proxied:set orig_fuids:set orig_filenames:set orig_mime_types:set
		resp_fuids:set resp_filenames:set resp_mime_types:set`)
	ZeekSSL = zeek("ssl", `version=TLSv13 cipher=TLS_AES_256_GCM_SHA384 curve=x25519 server_name resumed:bool=false last_alert next_protocol established:bool=true
		ssl_history cert_chain_fps:set client_cert_chain_fps:set sni_matches_cert:bool validation_status`)
	ZeekKerberos = zeek("kerberos", `request_type=TGS client service success:bool=true error_msg from:float till:float cipher=aes256-cts-hmac-sha1-96
		forwardable:bool=true renewable:bool=true client_cert_subject client_cert_fuid server_cert_subject server_cert_fuid`)
	ZeekSMBMapping = zeek("smb_mapping", `path service native_file_system share_type=DISK`)
	ZeekSMBFiles   = zeek("smb_files", `fuid action:enum=SMB::FILE_OPEN path name size:num=0 prev_name times.modified:float times.accessed:float times.created:float times.changed:float`)
	ZeekDHCP       = &Schema{Kind: Zeek, Name: "dhcp", Fields: fields(`uids:set client_addr:addr server_addr:addr mac host_name client_fqdn domain requested_addr:addr assigned_addr:addr
		lease_time:float=28800.000000 client_message server_message msg_types:set=REQUEST,ACK duration:float=0.004100`, "-")}
	ZeekRPC = zeek("dce_rpc", `rtt:float=0.000912 named_pipe endpoint operation`)
)

// ZeekLogs lists the logs in the order files are made.
func ZeekLogs() []*Schema {
	return []*Schema{ZeekConn, ZeekDNS, ZeekHTTP, ZeekSSL, ZeekKerberos, ZeekSMBMapping, ZeekSMBFiles, ZeekRPC, ZeekDHCP}
}

// appendZeekJSON writes the JSON of Zeek's streaming logs: _path tells the log.
func (r *Record) appendZeekJSON(b []byte) []byte {
	b = append(b, `{"_path":`...)
	b = quote(b, r.Schema.Name)
	b = member(b, "_system_name", r.Source.Name)
	b = append(b, `,"_write_ts":"`...)
	b = r.Write.Add(r.Source.Offset).UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = append(b, `","ts":`...)
	b = appendEpoch(b, r.Stamp)
	for i, f := range r.Schema.Fields {
		v := r.Values[i]
		if v == "-" {
			continue
		}
		b = append(b, ',')
		b = quote(b, f.Name)
		b = append(b, ':')
		switch f.Type {
		case Num, Port, Float, Bool:
			b = append(b, v...)
		case Set, Nums:
			b = append(b, '[')
			if v != "(empty)" && v != "" {
				for j, x := range strings.Split(v, ",") {
					if j > 0 {
						b = append(b, ',')
					}
					if f.Type == Nums {
						b = append(b, x...)
					} else {
						b = quote(b, x)
					}
				}
			}
			b = append(b, ']')
		default:
			b = quote(b, v)
		}
	}
	return append(b, '}')
}

// appendEpoch writes seconds since 1970 with microseconds, as Zeek does.
func appendEpoch(b []byte, t time.Time) []byte {
	b = strconv.AppendInt(b, t.Unix(), 10)
	b = append(b, '.')
	us := t.Nanosecond() / 1000
	for n := 100000; n > 0; n /= 10 {
		b = append(b, byte('0'+us/n%10))
	}
	return b
}

// AppendZeekTSV writes one line of the native form.
func (r *Record) AppendZeekTSV(b []byte) []byte {
	b = appendEpoch(b, r.Stamp)
	for i, f := range r.Schema.Fields {
		b = append(b, '\t')
		v := r.Values[i]
		switch {
		case f.Type == Bool && v == "true":
			b = append(b, 'T')
		case f.Type == Bool && v == "false":
			b = append(b, 'F')
		case v == "":
			b = append(b, "(empty)"...)
		default:
			for j := 0; j < len(v); j++ {
				switch v[j] { // separators are escaped as \xNN
				case '\t':
					b = append(b, `\x09`...)
				case '\\':
					b = append(b, `\\`...)
				default:
					b = append(b, v[j])
				}
			}
		}
	}
	return b
}

// ZeekHeader returns the lines that open a native log.
func (s *Schema) ZeekHeader(open time.Time) string {
	var n, t strings.Builder
	n.WriteString("#fields\tts")
	t.WriteString("#types\ttime")
	for _, f := range s.Fields {
		n.WriteString("\t" + f.Name)
		t.WriteString("\t" + f.zeekType())
	}
	return "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t" + s.Name +
		"\n#open\t" + open.Format("2006-01-02-15-04-05") + "\n" + n.String() + "\n" + t.String() + "\n"
}

func (f Field) zeekType() string {
	switch f.Type {
	case Num:
		return "count"
	case Float:
		if strings.HasPrefix(f.Name, "times.") || f.Name == "from" || f.Name == "till" {
			return "time"
		}
		return "interval"
	case Bool:
		return "bool"
	case Set:
		if f.Name == "tunnel_parents" || f.Name == "proxied" || f.Name == "uids" {
			return "set[string]"
		}
		return "vector[string]"
	case Nums:
		return "vector[interval]"
	case Addr:
		return "addr"
	case Port:
		return "port"
	case Enum:
		return "enum"
	}
	return "string"
}
