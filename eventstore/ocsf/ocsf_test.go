// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ocsf

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/event"
)

// record makes an event of a product out of pairs of name and value.
func record(product, service string, kv ...string) *event.Event {
	e := &event.Event{
		ID: event.NewID("ocsf", service, uint64(len(kv))), Realm: asset.City, Agency: "edu", Product: product, Service: service, Source: "sensor1",
		Time: time.Date(2026, 11, 2, 3, 4, 5, 123456789, time.UTC), TimeRaw: "2026-11-02T03:04:05.123456789Z", Received: time.Date(2026, 11, 2, 3, 4, 6, 0, time.UTC),
		Raw: []byte("raw"), Origin: event.Origin{Format: "jsonl", File: "a.zip", Inner: "b.json", Offset: 7, Record: 42},
	}
	for i := 0; i+1 < len(kv); i += 2 {
		e.Fields.Add(kv[i], kv[i+1])
	}
	return e
}

func sysmon(id string, kv ...string) *event.Event {
	return record("windows", "sysmon", append([]string{"EventID", id, "Channel", "Microsoft-Windows-Sysmon/Operational", "Computer", "pc1.city.example"}, kv...)...)
}

func security(id string, kv ...string) *event.Event {
	return record("windows", "security", append([]string{"EventID", id, "Channel", "Security", "Computer", "dc1.city.example"}, kv...)...)
}

// at reads a path like "process.file.name" out of a line.
func at(t *testing.T, line []byte, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(line, &v); err != nil {
		t.Fatal(err)
	}
	for _, k := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[k]
		case []any:
			v = x[0].(map[string]any)[k]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(b), `"`)
}

func TestClasses(t *testing.T) {
	logon := []string{"TargetUserName", "alice", "TargetDomainName", "CITY", "LogonType", "10", "IpAddress", "10.0.0.5", "IpPort", "50000", "WorkstationName", "PC7", "TargetLogonId", "0x1a"}
	for name, c := range map[string]struct {
		e    *event.Event
		want map[string]string
	}{
		"logon": {security("4624", logon...), map[string]string{
			"class_uid": "3002", "category_uid": "3", "activity_id": "1", "type_uid": "300201", "status_id": "1", "user.name": "alice", "user.domain": "city", "logon_type_id": "10",
			"src_endpoint.ip": "10.0.0.5", "src_endpoint.hostname": "pc7", "src_endpoint.port": "50000", "dst_endpoint.hostname": "dc1", "session.uid": "0x1a", "time": "1793588645123",
			"metadata.version": Version, "metadata.product.vendor_name": "Microsoft", "metadata.event_code": "4624", "metadata.log_name": "Security", "metadata.original_event_uid": "42",
			"metadata.log_source": "a.zip!b.json", "metadata.logged_time": "1793588646000", "metadata.tenant_uid": "edu", "unmapped.origin.offset": "7", "unmapped.fields.IpPort": "50000", "raw_data": "raw",
		}},
		"failed logon": {security("4625", logon...), map[string]string{"class_uid": "3002", "activity_id": "1", "status_id": "2"}},
		"logoff":       {security("4634", logon...), map[string]string{"class_uid": "3002", "activity_id": "2"}},
		"ticket": {security("4769", "TargetUserName", "alice@CITY.EXAMPLE", "ServiceName", "FILE1$", "IpAddress", "::ffff:10.0.0.7"), map[string]string{
			"class_uid": "3002", "activity_id": "4", "service.name": "FILE1$", "src_endpoint.ip": "10.0.0.7",
		}},
		"logon of nobody": {security("4624", "TargetUserName", "-"), map[string]string{"class_uid": "0", "category_uid": "0", "type_uid": "0", "unmapped.view.action": "logon"}},
		"process": {sysmon("1", "ProcessGuid", "{1}", "ProcessId", "77", "Image", `C:\Windows\cmd.exe`, "CommandLine", "cmd /c x", "User", `CITY\bob`, "ParentImage", `C:\a.exe`, "ParentProcessId", "5", "Hashes", "SHA256="+strings.Repeat("AB", 32)), map[string]string{
			"class_uid": "1007", "activity_id": "1", "process.pid": "77", "process.uid": "{1}", "process.file.name": "cmd.exe", "process.file.path": `C:\\Windows\\cmd.exe`, "process.cmd_line": "cmd /c x",
			"process.file.hashes.algorithm_id": "3", "actor.user.name": "bob", "actor.process.pid": "5", "actor.process.name": "a.exe", "device.hostname": "pc1", "device.type_id": "0",
		}},
		"process 4688":             {security("4688", "NewProcessId", "0x1f4", "NewProcessName", `C:\x.exe`, "ProcessId", "0x10", "SubjectUserName", "eve", "SubjectDomainName", "CITY"), map[string]string{"class_uid": "1007", "process.pid": "500"}},
		"process without a number": {sysmon("1", "Image", `C:\Windows\cmd.exe`, "User", `CITY\bob`), map[string]string{"class_uid": "0"}},
		"file":                     {sysmon("11", "ProcessGuid", "{1}", "ProcessId", "77", "Image", `C:\w.exe`, "TargetFilename", `C:\Users\a\note.txt`, "User", `CITY\bob`), map[string]string{"class_uid": "1001", "activity_id": "1", "file.name": "note.txt", "actor.process.pid": "77"}},
		"flow": {record("fortinet", "traffic", "devname", "fw1", "type", "traffic", "subtype", "forward", "srcip", "10.0.0.5", "srcport", "1234", "dstip", "203.0.113.9", "dstport", "443", "proto", "6", "action", "close", "sentbyte", "10", "rcvdbyte", "20"), map[string]string{
			"class_uid": "4001", "activity_id": "6", "traffic.bytes_out": "10", "traffic.bytes_in": "20", "traffic.bytes": "30", "connection_info.protocol_name": "tcp", "connection_info.direction_id": "0", "metadata.product.name": "FortiGate",
		}},
		"refused flow": {record("fortinet", "traffic", "type", "traffic", "subtype", "forward", "srcip", "10.0.0.5", "dstip", "203.0.113.9", "proto", "6", "action", "deny"), map[string]string{"class_uid": "4001", "activity_id": "5", "status_id": "2"}},
		"http": {record("zeek", "http", "uid", "C1", "id.orig_h", "10.0.0.5", "id.resp_h", "203.0.113.9", "id.resp_p", "80", "method", "POST", "host", "x.example", "uri", "/a?b", "user_agent", "curl", "status_code", "404"), map[string]string{
			"class_uid": "4002", "activity_id": "6", "http_request.http_method": "POST", "http_request.url.url_string": "/a?b", "http_request.url.hostname": "x.example", "http_response.code": "404", "src_endpoint.ip": "10.0.0.5",
		}},
		"dns":        {record("zeek", "dns", "uid", "C1", "id.orig_h", "10.0.0.5", "id.resp_h", "10.0.0.1", "query", "evil.example", "qtype_name", "TXT", "rcode_name", "NOERROR"), map[string]string{"class_uid": "4003", "activity_id": "6", "query.hostname": "evil.example", "query.type": "TXT", "rcode": "NOERROR"}},
		"dns sysmon": {sysmon("22", "QueryName", "evil.example", "Image", `C:\a.exe`), map[string]string{"class_uid": "4003", "query.hostname": "evil.example", "src_endpoint.hostname": "pc1"}},
		"alert": {record("suricata", "alert", "event_type", "alert", "src_ip", "10.0.0.5", "src_port", "1", "dest_ip", "10.0.0.6", "dest_port", "445", "proto", "TCP", "alert.signature", "ET EXPLOIT", "alert.severity", "1"), map[string]string{
			"class_uid": "2004", "activity_id": "1", "finding_info.title": "ET EXPLOIT", "severity_id": "4", "is_alert": "true", "evidences.src_endpoint.ip": "10.0.0.5", "status_id": "1",
		}},
		"something else": {record("x", "y", "a", "b"), map[string]string{"class_uid": "0", "activity_id": "0", "severity_id": "0", "unmapped.fields.a": "b", "metadata.product.name": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			line, err := Line(c.e)
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range c.want {
				if got := at(t, line, path); got != want {
					t.Errorf("%s is %q, want %q in %s", path, got, want, line)
				}
			}
			keepsSchema(t, Object(c.e))
		})
	}
}

// What the schema demands of the classes and objects that we write: required
// attributes, and groups of which one must be there.
var (
	required = map[int][]string{
		FileActivity: {"actor", "device", "file"}, ProcessActivity: {"actor", "device", "process"}, DetectionFinding: {"finding_info"}, Authentication: {"user"},
	}
	oneOf = map[string][]string{
		"4001": {"src_endpoint", "dst_endpoint"}, "4002": {"src_endpoint", "dst_endpoint"}, "4003": {"src_endpoint", "dst_endpoint"}, "3002": {"service", "dst_endpoint"},
		"process": {"pid", "uid"}, "src_endpoint": {"ip", "hostname"}, "dst_endpoint": {"ip", "hostname"}, "device": {"ip", "hostname"}, "actor": {"process", "user"}, "user": {"name"},
	}
	inside = map[string][]string{
		"file": {"name", "type_id"}, "device": {"type_id"}, "connection_info": {"direction_id"}, "http_request": {"url"}, "http_response": {"code"}, "query": {"hostname"},
		"finding_info": {"uid"}, "hashes": {"algorithm_id", "value"}, "metadata": {"version", "product"}, "product": {"name"},
	}
)

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func keepsSchema(t fataler, o map[string]any) {
	t.Helper()
	for _, k := range []string{"activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time", "metadata"} {
		if _, ok := o[k]; !ok {
			t.Fatalf("no %s in %v", k, o)
		}
	}
	class := o["class_uid"].(int)
	for _, k := range required[class] {
		if _, ok := o[k]; !ok {
			t.Fatalf("class %d without %s: %v", class, k, o)
		}
	}
	if g := oneOf[string(mustJSON(t, class))]; g != nil && !has(o, g) {
		t.Fatalf("class %d without any of %v: %v", class, g, o)
	}
	var walk func(name string, v any)
	walk = func(name string, v any) {
		if name == "unmapped" {
			return
		}
		x, ok := v.(object)
		if list, isList := v.([]object); isList {
			for _, y := range list {
				walk(name, y)
			}
		}
		if !ok {
			return
		}
		for _, k := range inside[name] {
			if _, ok := x[k]; !ok {
				t.Fatalf("%s without %s: %v", name, k, x)
			}
		}
		if g := oneOf[name]; g != nil && !has(x, g) {
			t.Fatalf("%s without any of %v: %v", name, g, x)
		}
		for k, y := range x {
			walk(k, y)
		}
	}
	walk("", object(o))
}

func has(o map[string]any, keys []string) bool {
	for _, k := range keys {
		if _, ok := o[k]; ok {
			return true
		}
	}
	return false
}

func mustJSON(t fataler, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return b
}

// Whatever stands in a record, the line is JSON, the same twice, and keeps the
// schema.
func TestAnyRecord(t *testing.T) {
	names := []string{
		"Channel", "EventID", "Computer", "TargetUserName", "SubjectUserName", "LogonType", "IpAddress", "ProcessId", "ProcessGuid", "Image", "TargetFilename", "User", "QueryName", "Hashes",
		"id.orig_h", "id.resp_h", "query", "uri", "method", "host", "event_type", "src_ip", "dest_ip", "alert.signature", "alert.severity", "type", "subtype", "srcip", "dstip", "action", "name", "ip", "http.url", "dns.rrname",
	}
	values := []string{
		"", "-", "Security", "Microsoft-Windows-Sysmon/Operational", "1", "3", "11", "22", "4624", "4688", "0x1", "pc1", "alice", "10.0.0.5", "fe80::1", "traffic", "forward", "deny", "alert", "http", "dns", "flow", `C:\a\`, "/", "\xff\x00", "SHA256=ab", "99999999999999999999",
	}
	rapid.Check(t, func(t *rapid.T) {
		e := record(rapid.SampledFrom([]string{"windows", "zeek", "suricata", "fortinet", "linux", "alert", "x"}).Draw(t, "product"), rapid.SampledFrom([]string{"security", "sysmon", "conn", "http", "dns", "sshd", "wazuh", ""}).Draw(t, "service"))
		for range rapid.IntRange(0, 12).Draw(t, "fields") {
			e.Fields.Set(rapid.SampledFrom(names).Draw(t, "name"), event.T(rapid.SampledFrom(values).Draw(t, "value")))
		}
		if rapid.Bool().Draw(t, "no time") {
			e.Time = time.Time{}
		}
		keepsSchema(t, Object(e))
		a, err := Line(e)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Line(e)
		if err != nil || !bytes.Equal(a, b) || bytes.ContainsRune(a, '\n') {
			t.Fatalf("%s\n%s\n%v", a, b, err)
		}
	})
}
