// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"testing"
)

func windows(channel, id string, kv ...string) *Event {
	e := &Event{Product: "windows"}
	e.Fields.Add("Channel", channel)
	e.Fields.Add("EventID", id)
	e.Fields.Add("Computer", "SRV-1.corp.example")
	for i := 0; i+1 < len(kv); i += 2 {
		e.Fields.Add(kv[i], kv[i+1])
	}
	return e
}

// TestWindowsViews: subject and observer by attackpath.md §2 and §3.2.
func TestWindowsViews(t *testing.T) {
	v := windows("Security", "4769", "TargetUserName", "alice@CORP.EXAMPLE", "ServiceName", "FILE01$", "IpAddress", "::ffff:10.0.0.9", "Status", "0x0").View()
	if v.Observer != "srv-1" || v.Host != "" || v.DstHost != "file01" || v.Src.String() != "10.0.0.9" || v.User.String() != `corp\alice` || v.Outcome != Success {
		t.Errorf("4769: %+v", v)
	}
	v = windows("Security", "4648", "SubjectUserName", "bob", "TargetUserName", "admin", "TargetServerName", "FILE01.corp.example").View()
	if v.SrcHost != "srv-1" || v.DstHost != "file01" || v.Target.Name != "admin" || v.Action != Credential {
		t.Errorf("4648: %+v", v)
	}
	v = windows("Security", "4624", "TargetUserName", "WS$", "LogonType", "3", "IpAddress", "-").View()
	if v.Src.IsValid() || !v.User.Machine || v.Logon != 3 {
		t.Errorf("4624: %+v", v)
	}
	v = windows("Microsoft-Windows-Sysmon/Operational", "3", "SourceIp", "10.0.0.1", "DestinationIp", "203.0.113.1", "DestinationPort", "443", "Initiated", "true", "Protocol", "TCP").View()
	if v.Action != Flow || v.HostAddr.String() != "10.0.0.1" || v.Proto != "tcp" {
		t.Errorf("sysmon 3: %+v", v)
	}
	v = windows("Microsoft-Windows-Sysmon/Operational", "11", "TargetFilename", `C:\a`, "Hashes", "MD5=00,SHA256=AB,IMPHASH=1").View()
	if v.Action != File || v.Hash != "ab" {
		t.Errorf("sysmon 11: %+v", v)
	}
	v = windows("Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational", "1149", "Param1", "alice", "Param2", "CORP", "Param3", "203.0.113.7").View()
	if v.Action != Logon || v.Logon != 10 || v.Src.String() != "203.0.113.7" || v.DstPort != 3389 {
		t.Errorf("1149: %+v", v)
	}
	if v := windows("security", "1102").View(); v.Action != LogCleared {
		t.Errorf("channels are compared without case: %+v", v)
	}
}

// TestFortinetViews: what was accepted is a flow, what never answered is not.
func TestFortinetViews(t *testing.T) {
	f := func(kv ...string) View {
		e := &Event{Product: "fortinet"}
		for i := 0; i+1 < len(kv); i += 2 {
			e.Fields.Add(kv[i], kv[i+1])
		}
		return e.View()
	}
	base := []string{"type", "traffic", "subtype", "forward", "srcip", "10.0.0.1", "dstip", "203.0.113.1", "dstport", "443", "proto", "6", "sentbyte", "100"}
	if v := f(append(base, "action", "close", "rcvdbyte", "5")...); v.Action != Flow || v.Proto != "tcp" || v.BytesOut != 100 {
		t.Errorf("close: %+v", v)
	}
	for _, a := range []string{"deny", "timeout"} {
		if v := f(append(base, "action", a, "rcvdbyte", "0")...); v.Action != FlowRefused {
			t.Errorf("%s without an answer: %+v", a, v)
		}
	}
	v := f("type", "event", "subtype", "vpn", "action", "tunnel-up", "remip", "203.0.113.9", "tunnelip", "10.9.0.3", "user", "wang")
	if v.Action != Logon || v.Src.String() != "203.0.113.9" || v.Dst.String() != "10.9.0.3" || v.User.Name != "wang" {
		t.Errorf("vpn: %+v", v)
	}
}
