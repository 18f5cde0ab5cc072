// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"
	"time"

	"citywall/asset"
)

// viewZeek reads Zeek's logs. The subject of a flow is its originator; the
// sensor is nobody's victim.
func viewZeek(e *Event, v *View) {
	f := e.Fields
	v.Observer = asset.HostName(f.First("_system_name", "@system"))
	v.Src, v.Dst = addr(f.Str("id.orig_h")), addr(f.Str("id.resp_h"))
	v.SrcPort, v.DstPort = port(f.Str("id.orig_p")), port(f.Str("id.resp_p"))
	v.HostAddr = v.Src
	v.Session, v.Proto, v.Service = f.Str("uid"), f.Str("proto"), f.Str("service")
	switch e.Service {
	case "conn":
		v.BytesOut, v.BytesIn = count(f.Str("orig_bytes")), count(f.Str("resp_bytes"))
		v.Duration = seconds(f.Str("duration"))
		v.Action, v.Outcome = Flow, Success
		if !zeekEstablished(f.Str("conn_state"), v) {
			v.Action, v.Outcome = FlowRefused, Failure
		}
		v.Message = f.Str("conn_state")
	case "kerberos":
		v.Action, v.Service = Ticket, "kerberos"
		user, realm, _ := strings.Cut(f.Str("client"), "/")
		v.User = asset.ParseAccount(realm, user)
		v.Message = f.Str("service")
		switch f.Str("success") {
		case "true", "T":
			v.Outcome = Success
		case "false", "F":
			v.Outcome = Failure
		}
		if h, ok := kerberosHost(v.Message); ok && f.Str("request_type") == "TGS" {
			v.DstHost = h
			v.Dst = addr("") // the peer is the DC, not where the ticket leads
		}
	case "ntlm":
		v.Action, v.Service = Logon, "ntlm"
		v.User = asset.ParseAccount(f.Str("domainname"), f.Str("username"))
		v.SrcHost = asset.HostName(f.Str("hostname"))
		v.DstHost = asset.HostName(f.First("server_nb_computer_name", "server_dns_computer_name"))
		v.Outcome = Success
		if f.Str("success") == "false" || f.Str("success") == "F" {
			v.Action, v.Outcome = LogonFailed, Failure
		}
	case "smb_mapping":
		v.Action, v.Service, v.Message = Share, "smb", f.Str("path")
	case "smb_files":
		v.Action, v.Service = Share, "smb"
		v.Message, v.File = f.Str("path"), f.Str("name")
	case "dce_rpc":
		v.Action, v.Service = RPC, "dce_rpc"
		v.Message = f.Str("endpoint") + "::" + f.Str("operation")
	case "http":
		v.Action, v.Service = HTTP, "http"
		v.Message = strings.TrimSpace(f.Str("method") + " " + f.Str("host") + f.Str("uri"))
		v.BytesOut, v.BytesIn = count(f.Str("request_body_len")), count(f.Str("response_body_len"))
	case "dns":
		v.Action, v.Service, v.Message, v.Answer = DNS, "dns", f.Str("query"), f.Str("answers")
	case "ssl":
		v.Service, v.Message, v.Trust = "ssl", f.Str("server_name"), f.Str("validation_status")
	case "notice":
		v.Action = Alert
		v.Message = strings.TrimSpace(f.Str("note") + " " + f.Str("msg"))
		if !v.Src.IsValid() {
			v.Src = addr(f.Str("src"))
			v.HostAddr = v.Src
		}
		if !v.Dst.IsValid() {
			v.Dst = addr(f.Str("dst"))
		}
	}
}

// zeekEstablished tells a connection from an attempt: no answer, a rejection,
// or a reset before any payload (attackpath.md §2, Zeek conn).
func zeekEstablished(state string, v *View) bool {
	switch state {
	case "S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR":
		return false
	case "RSTO", "RSTR", "OTH", "S1":
		return v.BytesOut+v.BytesIn > 0
	}
	return true
}

// kerberosHost takes the host out of a service principal: cifs/NASHUA.corp or
// host$.
func kerberosHost(spn string) (string, bool) {
	class, host, ok := strings.Cut(spn, "/")
	if !ok {
		if h, ok := strings.CutSuffix(spn, "$"); ok {
			return asset.HostName(h), true
		}
		return "", false
	}
	if strings.EqualFold(class, "krbtgt") {
		return "", false
	}
	host, _, _ = strings.Cut(host, "/")
	return asset.HostName(host), true
}

// viewSuricata reads EVE records.
func viewSuricata(e *Event, v *View) {
	f := e.Fields
	v.Observer = asset.HostName(f.Str("host"))
	v.Src, v.Dst = addr(f.Str("src_ip")), addr(f.Str("dest_ip"))
	v.SrcPort, v.DstPort = port(f.Str("src_port")), port(f.Str("dest_port"))
	v.HostAddr = v.Src
	v.Proto, v.Service, v.Session = strings.ToLower(f.Str("proto")), f.Str("app_proto"), f.Str("flow_id")
	v.BytesOut, v.BytesIn = count(f.Str("flow.bytes_toserver")), count(f.Str("flow.bytes_toclient"))
	switch e.Service {
	case "alert":
		v.Action, v.Message = Alert, f.Str("alert.signature")
	case "flow", "netflow":
		v.Action, v.Outcome = Flow, Success
		if f.Str("flow.state") == "new" || v.BytesIn == 0 && v.Proto == "tcp" {
			v.Action, v.Outcome = FlowRefused, Failure
		}
		v.Duration = seconds(f.Str("flow.age"))
		v.Start = eveStart(f.Str("flow.start"))
	case "dns":
		v.Action, v.Message = DNS, f.First("dns.rrname", "dns.query.rrname", "dns.queries.rrname")
		v.Answer = f.First("dns.grouped.A", "dns.rdata", "dns.answers.rdata")
	case "http":
		v.Action = HTTP
		v.Message = strings.TrimSpace(f.Str("http.http_method") + " " + f.Str("http.hostname") + f.Str("http.url"))
	case "tls":
		v.Message = f.Str("tls.sni")
	case "smb":
		v.Action, v.File, v.Message = Share, f.Str("smb.filename"), f.First("smb.share", "smb.command")
	case "fileinfo":
		v.File, v.Hash = f.Str("fileinfo.filename"), f.First("fileinfo.sha256", "fileinfo.md5")
	}
}

// eveStart reads flow.start; a flow record is written when the flow times out.
func eveStart(s string) time.Time {
	for _, layout := range [...]string{"2006-01-02T15:04:05.999999999-0700", time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// side keeps the interface roles that say something.
func side(role string) string {
	switch role = strings.ToLower(role); role {
	case "lan", "wan", "dmz":
		return role
	}
	return ""
}
