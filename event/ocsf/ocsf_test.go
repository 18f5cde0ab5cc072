// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ocsf

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/event"
)

// The numbers of the classes, and what schema 1.5.0 asks of each (events/*.json of
// ocsf/ocsf-schema at v1.5.0, with what is inherited): attributes that must be
// there, and sets of which one must be. An oracle apart from classes.yaml.
const (
	fileActivity    = 1001
	jobActivity     = 1006
	processActivity = 1007
	logActivity     = 1008
	scriptActivity  = 1009
	serviceActivity = 201004 // of the Windows extension
	detection       = 2004
	authentication  = 3002
	authorize       = 3003
	network         = 4001
	http            = 4002
	dns             = 4003
	dhcp            = 4004
	rdp             = 4005
	smb             = 4006
	ssh             = 4007
	email           = 4009
	tunnel          = 4014
)

var required = map[int]struct {
	all, one   []string
	activities int // the largest number beside 99
}{
	baseEvent:       {},
	fileActivity:    {[]string{"actor", "device", "file"}, nil, 14},
	jobActivity:     {[]string{"device", "job"}, nil, 6},
	processActivity: {[]string{"actor", "device", "process"}, nil, 5},
	logActivity:     {nil, []string{"log_file", "log_name", "log_provider", "log_type", "log_type_id"}, 10},
	scriptActivity:  {[]string{"actor", "device", "script"}, nil, 1},
	serviceActivity: {[]string{"actor", "device", "win_service"}, nil, 7},
	detection:       {[]string{"finding_info"}, nil, 3},
	authentication:  {[]string{"user"}, []string{"service", "dst_endpoint"}, 6},
	authorize:       {[]string{"user", "privileges"}, nil, 2},
	network:         {nil, []string{"src_endpoint", "dst_endpoint"}, 7},
	http:            {nil, []string{"http_request", "http_response"}, 8},
	dns:             {nil, []string{"src_endpoint", "dst_endpoint"}, 6},
	dhcp:            {nil, []string{"src_endpoint", "dst_endpoint"}, 9},
	rdp:             {nil, []string{"src_endpoint", "dst_endpoint"}, 6},
	smb:             {nil, []string{"src_endpoint", "dst_endpoint"}, 6},
	ssh:             {nil, []string{"src_endpoint", "dst_endpoint"}, 7},
	email:           {[]string{"direction_id", "email"}, nil, 4},
	tunnel:          {nil, []string{"connection_info", "session", "src_endpoint", "traffic", "tunnel_interface", "tunnel_type_id"}, 3},
}

// objects are what schema 1.5.0 asks of the objects that we write, wherever they
// stand.
var objectNeeds = map[string]struct{ all, one []string }{
	"src_endpoint":    {one: []string{"ip", "hostname"}},
	"dst_endpoint":    {one: []string{"ip", "hostname"}},
	"device":          {[]string{"type_id"}, []string{"ip", "hostname"}},
	"user":            {one: []string{"name"}},
	"actor":           {one: []string{"user", "process"}},
	"process":         {one: []string{"pid", "uid"}},
	"parent_process":  {one: []string{"pid", "uid"}},
	"file":            {all: []string{"name", "type_id"}},
	"job":             {all: []string{"name", "file"}},
	"script":          {all: []string{"script_content", "type_id"}},
	"win_service":     {[]string{"name"}, []string{"cmd_line"}},
	"email":           {one: []string{"from", "to"}},
	"finding_info":    {all: []string{"uid"}},
	"query":           {all: []string{"hostname"}},
	"url":             {one: []string{"url_string"}},
	"http_response":   {all: []string{"code"}},
	"connection_info": {all: []string{"direction_id"}},
	"service":         {one: []string{"name"}},
	"metadata":        {all: []string{"product", "version"}},
	"product":         {one: []string{"name"}},
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
	lacks(t, fmt.Sprint("class ", uid), o, need.all, need.one)
	if n := o["activity_id"].(int); n != other && n > need.activities {
		t.Fatalf("class %d has no activity %d", uid, n)
	}
	if o["activity_id"] == other && uid != baseEvent && o["activity_name"] == "" {
		t.Fatalf("activity 99 without a name")
	}
	objects(t, o)
	if _, err := json.Marshal(o); err != nil {
		t.Fatalf("%v", err)
	}
}

func lacks(t interface{ Fatalf(string, ...any) }, what string, o Object, all, one []string) {
	filled := func(k string) bool {
		switch x := o[k].(type) {
		case Object:
			return len(x) > 0
		case []string:
			return len(x) > 0
		case string:
			return x != ""
		}
		return o[k] != nil
	}
	for _, k := range all {
		if !filled(k) {
			t.Fatalf("%s without %s: %v", what, k, o)
		}
	}
	if len(one) > 0 && !slices.ContainsFunc(one, filled) {
		t.Fatalf("%s without any of %v: %v", what, one, o)
	}
}

// objects holds every object in o to what the schema asks of it.
func objects(t interface{ Fatalf(string, ...any) }, o Object) {
	for k, x := range o {
		in, ok := x.(Object)
		if !ok || k == "unmapped" {
			continue
		}
		if need, ok := objectNeeds[k]; ok {
			lacks(t, k, in, need.all, need.one)
		}
		objects(t, in)
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
			Service: rapid.SampledFrom([]string{"", "conn", "dns", "http", "security", "sysmon", "smb_files", "sshd", "wazuh"}).Draw(r, "service"), Origin: event.Origin{Format: "syslog"}}
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
