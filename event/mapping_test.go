// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"citywall/asset"
)

func parseTable(rows string) (*mapping, error) {
	ms, err := parseMappings(fstest.MapFS{"mapping/x.yaml": {Data: []byte("product: x\nrows:\n" + rows)}})
	if err != nil {
		return nil, err
	}
	return ms[0], nil
}

func rec(kv ...string) *Event {
	e := &Event{Product: "x", Time: time.Date(2026, 3, 13, 10, 50, 0, 0, time.UTC)}
	for i := 0; i+1 < len(kv); i += 2 {
		e.Fields = append(e.Fields, Field{kv[i], T(kv[i+1])})
	}
	return e
}

// TestGrammar: what README.md of the tables promises.
func TestGrammar(t *testing.T) {
	for _, c := range []struct {
		name, rows string
		e          *Event
		want       View
	}{
		{"the first that says something counts", "- set: {src: [a, b], message: [c, d]}", rec("a", "-", "b", "10.0.0.1", "c", "", "d", "x"), View{Src: netip.MustParseAddr("10.0.0.1"), Message: "x"}},
		{"an empty value does not erase", "- set: {src: a, user: u}\n- set: {src: b, user: w}", rec("a", "10.0.0.1", "b", "junk", "u", "wu", "w", "-"), View{Src: netip.MustParseAddr("10.0.0.1"), User: asset.ParseAccount("", "wu")}},
		{"a value given as a way to say nothing does", "- set: {user: u}\n- set: {user: {from: w, values: {n/a: \"\"}}}", rec("u", "wu", "w", "N/A"), View{}},
		{"clear, then set", "- set: {host: a, message: a}\n- {clear: [host, message], set: {observer: a}}", rec("a", "FW.example"), View{Observer: "fw"}},
		{"conditions ignore case and take ends", "- {when: {a: [\"x*\", \"*y\", \"*mid*\"]}, action: flow, outcome: success}", rec("a", "..MID.."), View{Action: Flow, Outcome: Success}},
		{"empty is absent", "- {when: {a: \"\"}, action: flow}", rec("b", ""), View{Action: Flow}},
		{"unless", "- {unless: {a: \"1\"}, action: flow}", rec("a", "1"), View{}},
		{"an action takes its outcome along", "- {action: flow, outcome: success}\n- {action: logoff}", rec(), View{Action: Logoff}},
		{"copies", "- set: {src: a, host_addr: {view: src}, host: h, dst_host: {view: host}, src_host: {view: dst}, dst: b}", rec("a", "10.0.0.1", "h", "PC1", "b", "10.0.0.2"),
			View{Src: netip.MustParseAddr("10.0.0.1"), HostAddr: netip.MustParseAddr("10.0.0.1"), Host: "pc1", DstHost: "pc1", Dst: netip.MustParseAddr("10.0.0.2"), SrcHost: "10.0.0.2"}},
		{"units and before", "- set: {duration: {from: d, unit: ms}, start: {before: duration}}", rec("d", "1500"), View{Duration: 1500 * time.Millisecond, Start: time.Date(2026, 3, 13, 10, 49, 58, 500_000_000, time.UTC)}},
		{"join", "- set: {message: {join: \"{m} {h}{u}\"}, file: {join: \"{n}/{n}\"}}", rec("m", "GET", "u", "/a"), View{Message: "GET /a"}},
		{"values", "- set: {proto: {from: p, values: {\"0x6\": tcp}}, service: {text: VPN}}", rec("p", "0X6"), View{Proto: "tcp", Service: "vpn"}},
		{"lists are joined", "- set: {answer: a}", &Event{Fields: Fields{{"a", L("10.0.0.1", "10.0.0.2")}}}, View{Answer: "10.0.0.1, 10.0.0.2"}},
		{"several are not one", "- set: {host: a, src: b, user: c}", &Event{Fields: Fields{{"a", L("x", "y")}, {"b", L("10.0.0.1")}, {"c", L("wu", "li")}}}, View{Src: netip.MustParseAddr("10.0.0.1")}},
		{"the first of two fields of one name", "- set: {message: a}", rec("a", "1", "a", "2"), View{Message: "1"}},
		{"take hash", "- set: {hash: {from: h, take: hash}}", rec("h", "md5=AA,Sha1=BB"), View{Hash: "bb"}},
		{"take backslashes", "- set: {file: {from: f, take: backslashes}}", rec("f", `C:\\a\\b`), View{File: `C:\a\b`}},
		{"take address and port", "- set: {src: {from: a, take: address}, src_port: {from: a, take: port}, dst: {from: b, take: address}, dst_port: {from: b, take: port}}", rec("a", "[2001:db8::1]:25", "b", "10.0.0.1"),
			View{Src: netip.MustParseAddr("2001:db8::1"), SrcPort: 25, Dst: netip.MustParseAddr("10.0.0.1")}},
		{"take no_uuid", "- set: {host: {from: [a, b], take: no_uuid}}", rec("a", "4C4C4544-0042-3510-8052-B4C04F4E3132", "b", "web01"), View{Host: "web01"}},
		{"take list", "- set: {answer: {from: a, take: list}}", rec("a", "10.0.0.1;::1;"), View{Answer: "10.0.0.1, ::1"}},
		{"take principal", "- set: {user: {from: a, take: principal}}", rec("a", "wu/HOSP.EXAMPLE"), View{User: asset.ParseAccount("", "wu@hosp")}},
		{"take spn_host", "- set: {dst_host: {from: a, take: spn_host}}", rec("a", "cifs/FS01.hosp/x"), View{DstHost: "fs01"}},
		{"seconds exactly", "- set: {duration: a}", rec("a", "0.000123"), View{Duration: 123 * time.Microsecond}},
		{"seconds with an exponent", "- set: {duration: a}", rec("a", "1.5e-05"), View{Duration: 15 * time.Microsecond}},
		{"seconds of many digits", "- set: {duration: a}", rec("a", "1.0000000019"), View{Duration: time.Second + 1}},
		{"no seconds", "- set: {duration: a, message: a}", rec("a", "1.2.3"), View{Message: "1.2.3"}},
		{"a time with its zone", "- set: {start: a}", rec("a", "2026-03-13T18:50:00.25+0800"), View{Start: time.Date(2026, 3, 13, 10, 50, 0, 250_000_000, time.UTC)}},
	} {
		m, err := parseTable(c.rows)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		tb, err := compile(m)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var v View
		tb.apply(c.e, &v)
		if v != c.want {
			t.Errorf("%s:\n got  %+v\n want %+v", c.name, v, c.want)
		}
	}
}

// TestTablesRefuse: a table that says what cannot be is found when tests run.
func TestTablesRefuse(t *testing.T) {
	for rows, want := range map[string]string{
		"- set: {nobody: a}":                            "no such field",
		"- set: {src: {from: a, text: b}}":              "want one of",
		"- set: {src: {text: \"\"}}":                    "want one of",
		"- set: {message: {view: message}}":             "can be copied",
		"- set: {start: {before: lunch}}":               "before",
		"- set: {duration: {from: a, unit: week}}":      "unit",
		"- set: {message: {from: a, unit: ms}}":         "unit",
		"- set: {message: {from: a, domain: b}}":        "domain",
		"- set: {message: {from: a, take: over}}":       "no way",
		"- set: {message: {from: a, values: {GET: x}}}": "lower case",
		"- set: {message: {join: \"{a\"}}":              "join",
		"- {when: {a: []}, action: flow}":               "names no text",
		"- {action: flew}":                              "no action",
		"- {outcome: maybe}":                            "want success",
		"- {clear: [nobody]}":                           "no field",
		"- {action: flow, colour: red}":                 "colour",
		"- set: {message: [" + strings.Repeat("x, ", 3) + "]}\n- set: {file: {join: \"" + manyNames() + "\"}}": "at most",
	} {
		m, err := parseTable(rows)
		if err == nil {
			_, err = compile(m)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", rows, err, want)
		}
	}
	if _, err := parseMappings(fstest.MapFS{"mapping/a.yaml": {Data: []byte("product: x")}, "mapping/b.yaml": {Data: []byte("product: x")}}); err == nil {
		t.Error("two tables of one product")
	}
}

func manyNames() string {
	var b strings.Builder
	for i := range maxNames + 1 {
		b.WriteString("{n" + strings.Repeat("i", i) + "}")
	}
	return b.String()
}

// TestBranchesChangeNothing: a table divided by keys reads as the same rows tried
// one by one.
func TestBranchesChangeNothing(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "1", "2", "x", "X", "xy", "XY", "*", "x*", "*y", "*x*", "é", "É", "@", "`"})
	name := rapid.SampledFrom([]string{"a", "b", "c", "dd"})
	conds := rapid.MapOfN(name, rapid.Map(rapid.SliceOfN(text, 1, 3), func(l []string) textList { return l }), 0, 3)
	labels := rapid.SliceOfN(rapid.SampledFrom([]string{"s", "S", "t"}), 0, 2)
	rapid.Check(t, func(t *rapid.T) {
		m := &mapping{Product: "x"}
		for range rapid.IntRange(0, 12).Draw(t, "rows") {
			m.Rows = append(m.Rows, &mappingRow{
				Service: labels.Draw(t, "service"), Category: labels.Draw(t, "category"), When: conds.Draw(t, "when"), Unless: conds.Draw(t, "unless"),
				Action: rapid.SampledFrom(actions[:]).Draw(t, "action"), Set: map[string]*reading{"message": {From: textList{name.Draw(t, "from")}}},
			})
		}
		tb, err := compile(m)
		if err != nil {
			t.Fatal(err)
		}
		flat := &table{}
		var rows []row
		for _, r := range m.Rows {
			c, err := flat.row(r)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, c)
		}
		flat.names.index()
		flat.root = &branch{rows: rows}
		e := &Event{Service: rapid.SampledFrom([]string{"", "s", "S", "u"}).Draw(t, "e.service"), Category: rapid.SampledFrom([]string{"", "s", "t"}).Draw(t, "e.category")}
		for _, n := range rapid.SliceOfN(name, 0, 5).Draw(t, "fields") {
			e.Fields = append(e.Fields, Field{n, T(text.Draw(t, n))})
		}
		var a, b View
		tb.apply(e, &a)
		flat.apply(e, &b)
		if a != b {
			t.Fatalf("divided %+v, one by one %+v", a, b)
		}
	})
}

// BenchmarkView reads a record of each kind. cpu-ns/op is processor time, which
// stays true on a machine that does other work as well.
func BenchmarkView(b *testing.B) {
	for name, e := range map[string]*Event{
		"zeek": {Product: "zeek", Service: "conn", Fields: rec("ts", "1588205102.1", "uid", "CAbc123", "id.orig_h", "10.0.1.4", "id.orig_p", "50123", "id.resp_h", "192.168.0.4", "id.resp_p", "445",
			"proto", "tcp", "service", "gssapi,smb", "duration", "0.5", "orig_bytes", "1200", "resp_bytes", "900", "conn_state", "SF", "local_orig", "true", "missed_bytes", "0", "history", "ShADad", "orig_pkts", "12").Fields},
		"suricata": {Product: "suricata", Service: "flow", Fields: rec("timestamp", "2026-03-01T10:00:00.0+0800", "flow_id", "123456789", "event_type", "flow", "src_ip", "10.0.0.1", "src_port", "50000", "dest_ip", "10.0.0.2",
			"dest_port", "445", "proto", "TCP", "app_proto", "smb", "flow.pkts_toserver", "10", "flow.bytes_toserver", "1000", "flow.bytes_toclient", "800", "flow.start", "2026-03-01T09:59:00.000000+0800", "flow.age", "60", "flow.state", "closed").Fields},
		"windows": {Product: "windows", Service: "security", Fields: rec("Provider_Name", "Microsoft-Windows-Security-Auditing", "EventID", "4624", "Version", "2", "Level", "0", "Task", "12544", "EventRecordID", "12", "Execution_ProcessID", "4",
			"Channel", "Security", "Computer", "FS01.corp.example", "SubjectUserName", "-", "SubjectLogonId", "0x0", "TargetUserSid", "S-1-5-21", "TargetUserName", "alice", "TargetDomainName", "CORP", "TargetLogonId", "0x1410",
			"LogonType", "3", "LogonProcessName", "NtLmSsp", "WorkstationName", "PC7", "KeyLength", "128", "ProcessName", "-", "IpAddress", "10.0.0.9", "IpPort", "50123").Fields},
		"unknown": {Product: "edr", Fields: rec("@timestamp", "2026", "host.name", "PC1", "host.ip", "10.0.0.1", "source.ip", "10.0.0.1", "destination.ip", "10.0.0.2", "destination.port", "445", "user.name", "alice", "message", "hello").Fields},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			start := processorTime(b)
			for b.Loop() {
				e.View()
			}
			b.ReportMetric(float64(processorTime(b)-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
