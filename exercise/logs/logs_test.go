// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"citywall/ingest/format/evtx/evtxwrite"
)

var at = time.Date(2026, 3, 13, 10, 50, 0, 123456789, time.UTC)

// TestForms shows each form once, with the oddities that matter: hex and
// backslashes kept, unset values left out or marked, clocks off.
func TestForms(t *testing.T) {
	dc := &Source{Kind: Windows, Name: "wec-hos", Computer: "HOS-DC01.hosp.example", Offset: -20 * time.Millisecond}
	edge := &Source{Kind: FortiGate, Name: "fw-edge", Device: "FG600"}
	old := &Source{Kind: FortiGate, Name: "fw-hos", Device: "FG100", RFC3164: true}
	core := &Source{Kind: Zeek, Name: "zeek-core"}
	ids := &Source{Kind: Suricata, Name: "ids-edge"}
	for _, c := range []struct {
		name string
		rec  Record
		want string
	}{
		{"winlogbeat", New(dc, Logoff, at, "TargetUserName", `a"b\c`, "TargetLogonId", "0x1f4c65f", "LogonType", "3"),
			`{"@timestamp":"2026-03-13T10:50:00.103Z","event":{"kind":"event","code":"4634","provider":"Microsoft-Windows-Security-Auditing","action":"Logoff","outcome":"success","created":"2026-03-13T10:50:00.103Z"},"log":{"level":"information"},"message":"An account was logged off.","host":{"name":"HOS-DC01.hosp.example"},"winlog":{"api":"wineventlog","channel":"Security","computer_name":"HOS-DC01.hosp.example","event_id":"4634","provider_name":"Microsoft-Windows-Security-Auditing","provider_guid":"{54849625-5478-4994-A5BA-3E3B0328C30D}","record_id":"0","task":"Logoff","opcode":"Info","keywords":["Audit Success"],"process":{"pid":0,"thread":{"id":0}},"event_data":{"TargetUserSid":"-","TargetUserName":"a\"b\\c","TargetDomainName":"-","TargetLogonId":"0x1f4c65f","LogonType":"3"}},"agent":{"type":"winlogbeat","version":"8.17.2","name":"wec-hos"},"ecs":{"version":"8.0.0"}}`},
		{"winlogbeat user data", New(dc, LogCleared, at, "SubjectUserName", "x"),
			`"user_data":{"xml_name":"LogFileCleared","SubjectUserName":"x"}}`},
		{"fortigate 5424", New(edge, FortiVPNUp, at, "remip", "198.51.100.7", "tunnelip", "10.254.0.9", "user", `o"x`),
			`<190>1 2026-03-13T18:50:00.123456+08:00 fw-edge fortigate - 0101039424 - date=2026-03-13 time=18:50:00 devname="fw-edge" devid="FG600" eventtime=1773399000123456000 tz="+0800" logid="0101039424" type="event" subtype="vpn" level="information" vd="root" tunneltype="ssl-tunnel" remip=198.51.100.7 tunnelip=10.254.0.9 user="o\"x" group="vpn-users" dst_host="N/A" logdesc="SSL VPN tunnel up" action="tunnel-up" reason="tunnel established" msg="SSL tunnel established"`},
		{"fortigate 3164", New(old, FortiForward, at, "srcip", "10.0.0.1", "action", "deny"),
			`<189>Mar 13 18:50:00 fw-hos date=2026-03-13 time=18:50:00 devname="fw-hos" devid="FG100" eventtime=1773399000123456000 tz="+0800" logid="0000000013" type="traffic" subtype="forward" level="notice" vd="root" srcip=10.0.0.1 srcintfrole="undefined"`},
		{"zeek json", New(core, ZeekDNS, at, "uid", "Cx", "id.orig_h", "10.0.0.1", "id.orig_p", "53000", "query", "a.example", "answers", "10.0.0.2,10.0.0.3", "TTLs", "60.000000"),
			`{"_path":"dns","_system_name":"zeek-core","_write_ts":"2026-03-13T10:50:00.123456Z","ts":1773399000.123456,"uid":"Cx","id.orig_h":"10.0.0.1","id.orig_p":53000,"proto":"udp","query":"a.example","qclass":1,"qclass_name":"C_INTERNET","qtype":1,"qtype_name":"A","rcode":0,"rcode_name":"NOERROR","AA":false,"TC":false,"RD":true,"RA":true,"Z":0,"answers":["10.0.0.2","10.0.0.3"],"TTLs":[60.000000],"rejected":false}`},
		{"eve", New(ids, EveHTTP, at, "flow_id", "7", "src_ip", "198.51.100.7", "http.hostname", "h", "http.url", "/"),
			`{"timestamp":"2026-03-13T18:50:00.123456+0800","event_type":"http","host":"ids-edge","flow_id":7,"in_iface":"eth1","src_ip":"198.51.100.7","proto":"TCP","tx_id":0,"http":{"hostname":"h","url":"/","http_method":"GET","protocol":"HTTP/1.1","status":200,"length":0}}`},
	} {
		got := string(c.rec.Append(nil))
		if !strings.Contains(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if got[0] == '{' && !json.Valid([]byte(got)) {
			t.Errorf("%s: not JSON: %s", c.name, got)
		}
	}
	tsv := New(core, ZeekSMBFiles, at, "uid", "Cx", "name", "a\tb\\c")
	line, head := string(tsv.AppendZeekTSV(nil)), ZeekSMBFiles.ZeekHeader(at)
	if !strings.Contains(line, `a\x09b\\c`) || !strings.HasPrefix(line, "1773399000.123456\tCx\t-\t") {
		t.Errorf("TSV line %q", line)
	}
	lines := strings.Split(head, "\n")
	if n := strings.Count(lines[6], "\t"); n != strings.Count(lines[7], "\t") || n != strings.Count(line, "\t")+1 {
		t.Errorf("TSV header does not fit the line:\n%s%s", head, line)
	}
}

// TestEverySchemaIsWritten writes a record of every Windows schema as EVTX with
// plausible values: a wrong type in a table shows here.
func TestEverySchemaIsWritten(t *testing.T) {
	src := &Source{Kind: Windows, Computer: "X.example"}
	all := []*Schema{
		Logon, LogonFailed, Logoff, ExplicitLogon, Special, ProcessCreated, ServiceAdded, TaskCreated, TicketGranting, ServiceTicket, PreAuthFailed, NTLMChecked,
		ObjectModified, ShareOpened, ShareChecked, SysmonProcess, SysmonConnect, SysmonEnd, SysmonDriver, SysmonAccess, SysmonFile, SysmonValue, SysmonPipe, SysmonDNS,
		SysmonDeleted, ServiceInstalled, ServiceState, ServiceStart, SessionLogon, SessionEnd, RemoteAuth, LogCleared, ScriptBlock, DefenderOff, DefenderFound, TaskLogged, TaskRan, WinRMShell,
		DeviceAdded, GroupMember, GroupCreated, UserCreated, PasswordReset, LockedOut, CertIssued, SysmonStream, SessionLeft, SessionBack, RDPAccepted, Shutdown, LogStarted, Updated,
	}
	var recs []evtxwrite.Record
	for i, sc := range all {
		r := New(src, sc, at)
		r.ID = uint64(i + 1)
		for j, f := range sc.Fields {
			switch {
			case r.Values[j] != "-" && r.Values[j] != "":
			case f.Type == Num:
				r.Values[j] = "7"
			case f.Type == Hex32 || f.Type == Hex64:
				r.Values[j] = "0x7"
			case f.Type == SID:
				r.Values[j] = "S-1-5-18"
			case f.Type == GUID:
				r.Values[j] = GUIDOf(1, 2)
			case f.Type == Bool:
				r.Values[j] = "true"
			}
		}
		recs = append(recs, r.EVTX())
		if !json.Valid(r.Append(nil)) {
			t.Errorf("%s: not JSON", sc.Name)
		}
	}
	if _, err := evtxwrite.Bytes(recs...); err != nil {
		t.Error(err)
	}
}

// TestUnknownFieldPanics: a misspelt name would lose a field in silence.
func TestUnknownFieldPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New(&Source{}, Logoff, at, "TargetUser", "x")
}

// TestRecordIDs count for each channel alone, from where the host's log stood.
func TestRecordIDs(t *testing.T) {
	s := &Source{}
	got := []uint64{s.RecordID(Security, 50), s.RecordID(Sysmon, 9), s.RecordID(Security, 50), s.RecordID(Security, 50)}
	s.Forget()
	got = append(got, s.RecordID(Security, 50))
	for i, want := range []uint64{50, 9, 51, 52, 50} {
		if got[i] != want {
			t.Fatalf("record ids %v", got)
		}
	}
	if GUIDOf(0x123456789abcdef0, 0x1122334455667788) != "{12345678-9ABC-DEF0-1122-334455667788}" {
		t.Error(GUIDOf(0x123456789abcdef0, 0x1122334455667788))
	}
}
