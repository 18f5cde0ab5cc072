// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ocsf

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/event"
)

// required is what schema 1.5.0 asks of each class: attributes that must be
// there, and sets of which one must be.
var required = map[int]struct {
	all []string
	one []string
}{
	baseEvent:       {},
	fileActivity:    {all: []string{"actor", "device", "file"}},
	jobActivity:     {all: []string{"actor", "device", "job"}},
	processActivity: {all: []string{"actor", "device", "process"}},
	logActivity:     {all: []string{"actor", "device"}, one: []string{"log_name"}},
	scriptActivity:  {all: []string{"actor", "device", "script"}},
	serviceActivity: {all: []string{"actor", "device", "win_service"}},
	detection:       {all: []string{"finding_info"}},
	authentication:  {all: []string{"user"}, one: []string{"service", "dst_endpoint"}},
	authorize:       {all: []string{"user"}, one: []string{"privileges", "group"}},
	network:         {one: []string{"src_endpoint", "dst_endpoint"}},
	http:            {all: []string{"http_request"}, one: []string{"src_endpoint", "dst_endpoint"}},
	dns:             {one: []string{"src_endpoint", "dst_endpoint"}},
	smb:             {one: []string{"src_endpoint", "dst_endpoint"}},
}

// hold fails when o lacks what its class requires.
func hold(t interface{ Fatalf(string, ...any) }, o Object) {
	for _, k := range []string{"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"} {
		if o[k] == nil {
			t.Fatalf("no %s in %v", k, o)
		}
	}
	uid := o["class_uid"].(int)
	if o["type_uid"] != uid*100+o["activity_id"].(int) || o["category_uid"] != uid%100_000/1000 {
		t.Fatalf("numbers do not agree: %v %v %v", uid, o["type_uid"], o["category_uid"])
	}
	need, ok := required[uid]
	if !ok {
		t.Fatalf("class %d is not one we know", uid)
	}
	filled := func(k string) bool {
		switch x := o[k].(type) {
		case Object:
			return len(x) > 0
		case []string:
			return len(x) > 0
		case string:
			return x != ""
		}
		return false
	}
	for _, k := range need.all {
		if !filled(k) {
			t.Fatalf("class %d without %s: %v", uid, k, o)
		}
	}
	one := len(need.one) == 0
	for _, k := range need.one {
		one = one || filled(k)
	}
	if !one {
		t.Fatalf("class %d without any of %v", uid, need.one)
	}
	if o["activity_id"] == other && uid != baseEvent && o["activity_name"] == "" {
		t.Fatalf("activity 99 without a name")
	}
	if _, err := json.Marshal(o); err != nil {
		t.Fatalf("%v", err)
	}
}

func windows(fields ...string) *event.Event {
	e := &event.Event{Product: "windows", Time: time.Date(2026, 11, 20, 18, 59, 42, 110_000_000, time.UTC), TimeRaw: "2026-11-20T18:59:42.110Z", Source: "opd-pc01", Raw: []byte(`{"EventID":"1"}`)}
	for i := 0; i+1 < len(fields); i += 2 {
		e.Fields = append(e.Fields, event.Field{Name: fields[i], Value: event.T(fields[i+1])})
	}
	return e
}

func TestClasses(t *testing.T) {
	zeek := func(service string, fields ...string) *event.Event {
		e := windows(fields...)
		e.Product, e.Service = "zeek", service
		return e
	}
	for _, c := range []struct {
		name            string
		e               *event.Event
		class, activity int
	}{
		{"logon", windows("EventID", "4624", "Channel", "Security", "Computer", "dc01.hosp.example", "TargetUserName", "wu", "TargetDomainName", "HOSP", "LogonType", "3", "IpAddress", "10.0.0.9"), authentication, 1},
		{"failed logon", windows("EventID", "4625", "Channel", "Security", "Computer", "dc01", "TargetUserName", "wu", "LogonType", "3"), authentication, 1},
		{"service ticket", windows("EventID", "4769", "Channel", "Security", "Computer", "dc01", "TargetUserName", "wu@HOSP", "ServiceName", "fs01$", "IpAddress", "::ffff:10.0.0.9"), authentication, 4},
		{"process", windows("EventID", "1", "Channel", "Microsoft-Windows-Sysmon/Operational", "Computer", "pc1", "ProcessGuid", "{a}", "ProcessId", "4242", "Image", `C:\x\a.exe`, "CommandLine", "a.exe -q", "User", `HOSP\wu`), processActivity, 1},
		{"process without a number", windows("EventID", "1", "Channel", "Microsoft-Windows-Sysmon/Operational", "Computer", "pc1", "Image", `C:\x\a.exe`, "User", `HOSP\wu`), baseEvent, other},
		{"log cleared", windows("EventID", "1102", "Channel", "Security", "Computer", "pc1", "SubjectUserName", "wu", "SubjectDomainName", "HOSP"), logActivity, 1},
		{"flow", zeek("conn", "id.orig_h", "10.0.0.1", "id.orig_p", "50000", "id.resp_h", "10.0.0.2", "id.resp_p", "445", "proto", "tcp", "conn_state", "SF", "orig_bytes", "10", "resp_bytes", "20"), network, 6},
		{"refused flow", zeek("conn", "id.orig_h", "10.0.0.1", "id.orig_p", "50000", "id.resp_h", "10.0.0.2", "id.resp_p", "445", "proto", "tcp", "conn_state", "REJ"), network, 5},
		{"nothing known", windows("foo", "bar"), baseEvent, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := From(c.e)
			hold(t, o)
			if o["class_uid"] != c.class || o["activity_id"] != c.activity {
				t.Errorf("class %v activity %v, want %d %d (%s)", o["class_uid"], o["activity_id"], c.class, c.activity, c.e.View().Action)
			}
			if u := o["unmapped"].(Object); len(u["fields"].(Object)) != len(c.e.Fields) || u["origin"] != c.e.Origin {
				t.Error("native fields or the way back to the bytes were lost")
			}
			if o["time"] != int64(1795201182110) {
				t.Errorf("time %v", o["time"])
			}
		})
	}
}

// TestNeverAWrongClass makes records of every kind with any of their fields
// missing or odd.
func TestNeverAWrongClass(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.OneOf(rapid.SampledFrom([]string{"", "-", "10.0.0.1", "0x1a4", "wu", `C:\a\b.exe`, "Security", "tcp", "\xff"}), rapid.String())
		e := &event.Event{Product: rapid.SampledFrom([]string{"windows", "zeek", "suricata", "linux", "fortinet", "alert", ""}).Draw(r, "product"),
			Service: rapid.SampledFrom([]string{"", "conn", "dns", "http", "security", "sysmon", "smb_files", "sshd", "wazuh"}).Draw(r, "service")}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"EventID", "Channel", "Computer", "TargetUserName", "SubjectUserName", "LogonType", "IpAddress", "ProcessGuid", "NewProcessId", "ProcessId",
			"Image", "CommandLine", "User", "id.orig_h", "id.resp_h", "query", "method", "uri", "host", "proto", "conn_state", "event_type", "src_ip", "dest_ip", "PrivilegeList", "ServiceName", "ImagePath", "TaskName",
			"ScriptBlockText", "TargetFilename", "name", "short", "message"}), 0, 12).Draw(r, "names") {
			v := text.Draw(r, name)
			if name == "EventID" {
				v = rapid.SampledFrom([]string{"1", "3", "11", "22", "104", "1102", "4104", "4624", "4625", "4634", "4648", "4672", "4688", "4698", "4768", "4769", "5140", "5145", "7045", "9999"}).Draw(r, "id")
			}
			e.Fields.Add(name, v)
		}
		e.Raw = []byte(text.Draw(r, "raw"))
		hold(r, From(e))
	})
}
