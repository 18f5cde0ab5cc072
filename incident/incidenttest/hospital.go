// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package incidenttest holds one incident written out in full, for tests and
// pictures of whatever shows incidents: a city hospital is entered through its
// registration server and encrypted by group policy three days later.
//
// It promises that every kind of record of package incident occurs, also the
// awkward ones: an open lower end, an assumed hop, thirty hosts that fall in
// one minute, hosts without addresses. Nothing in it happened; addresses are of
// the documentation ranges or private. Only tests import it.
package incidenttest

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
)

// At returns a moment of the incident: day of November 2026 and clock, UTC.
func At(day int, clock string) time.Time {
	t, err := time.Parse("15:04:05.999", clock)
	if err != nil {
		panic(err) // a literal of a test is wrong
	}
	return time.Date(2026, 11, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// Stream is the stream that the records below came through, for event ids.
const Stream = "http:8480"

// Record returns the pointer to the n-th record of a source.
func Record(source, format string, n uint64) incident.Pointer {
	return incident.Pointer{
		Event:  event.NewID(source, Stream, n),
		Origin: event.Origin{Format: format, File: source, Stream: Stream, Offset: int64(n) * 612, Line: int64(n), Record: 880000 + n},
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(s string) []netip.Addr { return []netip.Addr{addr(s)} }

func end(host, a string) incident.Endpoint {
	e := incident.Endpoint{Host: host}
	if a != "" {
		e.Addr = addr(a)
	}
	return e
}

func why(code string, plus float64, pairs ...string) incident.Reason {
	r := incident.Reason{Code: code, Plus: plus}
	for i := 0; i+1 < len(pairs); i += 2 {
		if r.Args == nil {
			r.Args = map[string]string{}
		}
		r.Args[pairs[i]] = pairs[i+1]
	}
	return r
}

var (
	backup = asset.Account{Domain: "hosp", Name: "svc_backup"}
	domain = asset.Account{Domain: "hosp", Name: "admin.lin"}
	clerk  = asset.Account{Domain: "hosp", Name: "wu.yt"}
)

// Encrypted is how many workstations the group policy reaches.
const Encrypted = 30

// Workstation returns name and address of the n-th encrypted host, from 1.
func Workstation(n int) (string, netip.Addr) {
	return fmt.Sprintf("opd-pc%02d", n), netip.AddrFrom4([4]byte{10, 20, 32, byte(100 + n)})
}

// Hospital returns the incident.
func Hospital() incident.Incident {
	in := incident.Incident{
		ID: "6f0c1c52-0d0a-5b7e-9a51-2f6a7f0e4d11", Realm: asset.City, Agencies: []string{"hospital"},
		Title:    why("ransomware", 0, "hosts", "35", "host", "web-reg01"),
		Severity: detect.Critical,
		SeverityReasons: []incident.Reason{
			why("encryption", 3, "hosts", "30"), why("domain_controller", 2, "host", "dc01"),
			why("protected_class", 2, "host", "opd-pc29", "role", "medical"), why("exfiltration", 1, "bytes", "41231688192"),
		},
		First: At(17, "06:12:31.204"), Last: At(20, "19:07:44.090"),
		FirstCompromise: &incident.FirstCompromise{
			Host: "web-reg01", Addr: addr("10.20.5.11"), Earliest: At(16, "17:40:00"), Latest: At(17, "06:14:02.517"),
			LogsBegin: At(10, "00:00:04.100"),
			KnownGood: why("quiet_before", 0, "days", "6.7", "until", "2026-11-16T17:40:00Z"),
			FirstBad:  why("first_bad_sign", 0, "step", "web_shell", "what", "Command through the web server"),
			Evidence:  []incident.Pointer{Record("web-reg01", "ecs", 7), Record("edge-fw", "fortinet", 12)},
		},
		Entry: incident.Entry{
			Kind: "web", Vector: "https://reg.hospital.example/upload.aspx", Technique: "T1190", Determined: true,
			Reasons: []incident.Reason{why("attempts_then_sign", 2, "attempts", "2310", "began", "2026-11-17T05:58:12.000Z", "ended", "2026-11-17T06:12:20.000Z"), why("entry_by_finding", 3, "what", "Command through the web server")},
		},
		BaselineDays: 7.3,
		Parameters:   map[string]string{"k_paths": "5", "window_hours": "72", "gap_penalty": "0.05", "first_time_edge": "2.0"},
		SeparateFrom: []incident.Separation{{Incident: "1d8a2f00-7c57-5a4e-8f5d-5a0d6fdcb210", Reason: why("disjoint_paths", 0, "root", "web-reg01", "other", "edu-share02")}},
	}
	in.Hops = hops()
	in.Steps = steps()
	in.Hosts = hosts()
	in.Accounts = []incident.AccountState{
		{Account: backup, First: At(18, "17:22:10"), Hosts: []string{"adm-pc07", "fs01"}, Privileged: true, Compromised: true,
			Reasons: []incident.Reason{why("credential_switch", 2, "from", `iis apppool\reg`, "to", `hosp\svc_backup`, "clear", "yes")}},
		{Account: domain, First: At(19, "18:31:47"), Hosts: []string{"adm-pc07", "dc01", "bk01"}, Privileged: true, Compromised: true,
			Reasons: []incident.Reason{why("used_on_hop", 3, "hop", "5", "kind", "winrm", "dst", "dc01")}},
		{Account: clerk, First: At(19, "18:02:00"), Hosts: []string{"adm-pc07"},
			Reasons: []incident.Reason{why("at_keyboard", 0, "hop", "5")}},
	}
	in.Suspicious = suspicious()
	in.Breakpoints = breakpoints()
	for _, s := range in.Steps {
		in.Findings = append(in.Findings, s.Findings...)
	}
	return in
}

func hops() []incident.Hop {
	web, adm := end("web-reg01", "10.20.5.11"), end("adm-pc07", "10.20.31.17")
	fs, dc, bk := end("fs01", "10.20.4.21"), end("dc01", "10.20.4.10"), end("bk01", "10.20.4.30")
	out := []incident.Hop{
		{Time: At(17, "06:12:31.204"), Last: At(17, "06:40:11"), Count: 14, Src: end("", "203.0.113.77"), Dst: web, DstPort: 443, Proto: "tcp",
			Kind: "web", Technique: "T1190", Tactic: "initial-access", Grade: incident.Observed, BytesOut: 48_211, BytesIn: 1_204_992, Score: 5.5,
			Reasons:  []incident.Reason{why("from_outside", 2, "address", "203.0.113.77"), why("alert_on_edge", 3, "alert", "Command through the web server", "level", "high")},
			Evidence: []incident.Pointer{Record("edge-fw", "fortinet", 12), Record("web-reg01", "ecs", 7)}, Sensors: []string{"edge-fw", "web-reg01"}},
		{Time: At(17, "06:21:09.880"), Last: At(20, "18:59:58"), Count: 1_742, Uncertainty: 40 * time.Millisecond, Src: web, Dst: end("", "203.0.113.90"), DstPort: 8443, Proto: "tcp",
			Kind: "c2", Technique: "T1571", Tactic: "command-and-control", Grade: incident.Observed, BytesOut: 18_411_020, BytesIn: 92_110_551, Score: 4.5,
			Reasons:  []incident.Reason{why("regular_beacon", 2, "median_s", "59.8", "spread", "0.06", "connections", "1742"), why("odd_port", 1.5, "port", "8443")},
			Evidence: []incident.Pointer{Record("core-zeek", "zeek", 31)}, Sensors: []string{"core-zeek"}},
		{Time: At(18, "17:22:10.003"), Last: At(18, "18:04:51"), Count: 2, Src: web, Dst: adm, DstPort: 3389, Proto: "tcp", User: backup,
			Kind: "rdp", Technique: "T1021.001", Tactic: "lateral-movement", Grade: incident.Observed, BytesOut: 3_110_233, BytesIn: 22_480_110, Score: 5,
			Reasons:  []incident.Reason{why("first_time_pair", 2, "days", "7.3"), why("credential_switch", 2, "from", `iis apppool\reg`, "to", `hosp\svc_backup`, "clear", "yes"), why("outside_hours", 1, "hour", "01")},
			Evidence: []incident.Pointer{Record("adm-pc07", "ecs", 101), Record("core-zeek", "zeek", 44)}, Sensors: []string{"adm-pc07", "core-zeek"}},
		{Time: At(19, "17:48:32.670"), Last: At(19, "17:59:02"), Count: 6, Src: adm, Dst: fs, DstPort: 445, Proto: "tcp", User: backup,
			Kind: "smb", Technique: "T1021.002", Tactic: "lateral-movement", Grade: incident.Observed, BytesOut: 5_901_055, BytesIn: 105_335, Score: 5.5,
			Reasons:  []incident.Reason{why("admin_share_write", 1.5, "share", "ADMIN$"), why("remote_exec", 2, "kind", "service", "what", "updsvc"), why("first_time_pair", 2, "days", "7.3")},
			Evidence: []incident.Pointer{Record("fs01", "ecs", 210), Record("fs01", "ecs", 214)}, Sensors: []string{"fs01"}},
		{Time: At(19, "18:31:47.112"), Last: At(19, "19:20:00"), Count: 3, Src: adm, Dst: dc, DstPort: 5985, Proto: "tcp", User: domain, Causal: clerk,
			Kind: "winrm", Technique: "T1021.006", Tactic: "lateral-movement", Grade: incident.Inferred, BytesOut: 56_752, BytesIn: 27_653, Score: 4,
			Reasons:  []incident.Reason{why("credential_switch", 2, "from", `hosp\wu.yt`, "to", `hosp\admin.lin`, "clear", "yes"), why("first_time_pair", 2, "days", "7.3")},
			Evidence: []incident.Pointer{Record("dc01", "ecs", 330)}, Sensors: []string{"dc01"}},
		{Time: At(19, "19:41:00.430"), Last: At(20, "02:12:44"), Count: 12, Src: fs, Dst: end("", "198.51.100.23"), DstPort: 443, Proto: "tcp",
			Kind: "exfiltration", Technique: "T1048", Tactic: "exfiltration", Grade: incident.Observed, BytesOut: 41_231_688_192, BytesIn: 88_120_442, Score: 3.5,
			Reasons:  []incident.Reason{why("upload", 3.5, "bytes", "41231688192")},
			Evidence: []incident.Pointer{Record("core-zeek", "zeek", 61)}, Sensors: []string{"core-zeek"}},
		{Time: At(20, "18:20:05"), Last: At(20, "18:20:05"), Count: 1, Uncertainty: 9 * time.Minute, Src: dc, Dst: bk, User: domain,
			Kind: "rdp", Technique: "T1021.001", Tactic: "lateral-movement", Grade: incident.Assumed, Score: 1,
			Reasons: []incident.Reason{why("source_bad", 1, "since", "2026-11-20T18:12:19.000Z")}},
	}
	for i := 1; i <= Encrypted; i++ {
		name, a := Workstation(i)
		at := At(20, "18:58:02").Add(time.Duration(i) * 1370 * time.Millisecond)
		out = append(out, incident.Hop{Time: at, Last: at, Count: 1, Src: dc, Dst: incident.Endpoint{Host: name, Addr: a}, DstPort: 445, Proto: "tcp", User: domain,
			Kind: "gpo", Technique: "T1484.001", Tactic: "lateral-movement", Grade: incident.Observed, BytesOut: 0, BytesIn: 611_840, Score: 4,
			Reasons:  []incident.Reason{why("policy_push", 4, "what", "updsvc.exe", "hosts", "30", "policy", "{6AC1786C-016F-11D2-945F-00C04FB984F9}", "changed", "2026-11-20T18:51:20.000Z")},
			Evidence: []incident.Pointer{Record(name, "ecs", uint64(400+i))}, Sensors: []string{name}})
	}
	for i := range out {
		out[i].N = i + 1
	}
	return out
}

func steps() []incident.StepEvent {
	step := func(at time.Time, host string, s detect.Step, what, tech string, rows int, n uint64) incident.StepEvent {
		x := incident.StepEvent{Time: at, Last: at.Add(time.Duration(rows) * time.Second), Host: host, Step: s, What: what, Technique: tech, Rows: rows,
			Evidence: []incident.Pointer{Record(host, "ecs", n)}}
		x.Findings = []string{finding(x).ID}
		return x
	}
	out := []incident.StepEvent{
		step(At(17, "05:58:12"), "web-reg01", detect.StepRecon, "Directory search on a web server", "T1595.003", 2_310, 2),
		step(At(17, "06:14:02.517"), "web-reg01", detect.StepWebShell, "Command through the web server", "T1505.003", 9, 7),
		step(At(17, "06:44:40"), "web-reg01", detect.StepPrivilege, "SYSTEM gained through a named pipe", "T1068", 1, 9),
		step(At(18, "17:31:00"), "adm-pc07", detect.StepDiscovery, "Domain administrators listed", "T1069.002", 4, 103),
		step(At(19, "18:02:51"), "adm-pc07", detect.StepCredential, "Memory of LSASS read", "T1003.001", 1, 140),
		step(At(20, "18:12:19"), "dc01", detect.StepEvasion, "Antivirus ended by a vulnerable driver", "T1562.001", 3, 341),
		step(At(20, "18:33:30"), "bk01", detect.StepInhibit, "Backup catalogue deleted", "T1490", 2, 355),
		step(At(20, "18:51:20"), "dc01", detect.StepPersist, "Group policy pushes a program", "T1484.001", 1, 360),
	}
	for i := 1; i <= Encrypted; i++ {
		name, _ := Workstation(i)
		at := At(20, "18:59:40").Add(time.Duration(i) * 2110 * time.Millisecond)
		out = append(out, step(at, name, detect.StepEncrypt, "Files renamed in bulk", "T1486", 50+i, uint64(500+i)))
	}
	fall := At(20, "19:05:10")
	return append(out,
		step(fall, "fs01", detect.StepEncrypt, "Files renamed in bulk", "T1486", 18_404, 601),
		step(fall.Add(90*time.Second), "fs01", detect.StepNote, "Ransom note written", "T1486", 212, 602))
}

func hosts() []incident.HostState {
	out := []incident.HostState{
		{Host: "203.0.113.77", Addresses: []netip.Addr{addr("203.0.113.77")}, External: true, First: At(17, "05:58:12"), Last: At(17, "06:40:11"), Isolate: "no"},
		{Host: "203.0.113.90", Addresses: []netip.Addr{addr("203.0.113.90")}, External: true, First: At(17, "06:21:09.880"), Last: At(20, "18:59:58"), Isolate: "no"},
		{Host: "198.51.100.23", Addresses: []netip.Addr{addr("198.51.100.23")}, External: true, First: At(19, "19:41:00.430"), Last: At(20, "02:12:44"), Isolate: "no"},
	}
	in := func(name, a string, first time.Time, isolate string, roles []asset.Role, rs ...incident.Reason) {
		out = append(out, incident.HostState{Host: name, Addresses: []netip.Addr{addr(a)}, Agency: "hospital", Compromised: true,
			First: first, Last: At(20, "19:07:44.090"), Roles: roles, Reasons: rs, Isolate: isolate})
	}
	in("web-reg01", "10.20.5.11", At(17, "06:14:02.517"), "now", []asset.Role{asset.RoleWeb}, why("entry_host", 0), why("shows_step", 0, "step", "web_shell", "time", "2026-11-17T06:14:02.517Z", "what", "Command through the web server"))
	in("adm-pc07", "10.20.31.17", At(18, "17:22:10.003"), "now", []asset.Role{asset.RoleWorkstation}, why("reached_by", 0, "from", "web-reg01", "kind", "rdp", "hop", "3"), why("shows_step", 0, "step", "credential", "time", "2026-11-19T18:02:51.000Z", "what", "Memory of LSASS read"))
	in("fs01", "10.20.4.21", At(19, "17:48:32.670"), "now", []asset.Role{asset.RoleFile}, why("reached_by", 0, "from", "adm-pc07", "kind", "smb", "hop", "4"))
	in("dc01", "10.20.4.10", At(19, "18:31:47.112"), "two_people", []asset.Role{asset.RoleDC, asset.RoleDNS}, why("reached_by", 0, "from", "adm-pc07", "kind", "winrm", "hop", "5"), why("shows_step", 0, "step", "persistence", "time", "2026-11-20T18:51:20.000Z", "what", "Group policy pushes a program"))
	in("bk01", "10.20.4.30", At(20, "18:20:05"), "now", []asset.Role{asset.RoleBackup}, why("reached_by", 0, "from", "dc01", "kind", "rdp", "hop", "7"))
	for i := 1; i <= Encrypted; i++ {
		name, a := Workstation(i)
		role, isolate := asset.RoleWorkstation, "now"
		if i > Encrypted-2 {
			role, isolate = asset.RoleMedical, "two_people"
		}
		in(name, a.String(), At(20, "18:58:02").Add(time.Duration(i)*1370*time.Millisecond), isolate, []asset.Role{role}, why("mass_rename", 0, "files", strconv.Itoa(50+i), "extension", ".crypt7"))
	}
	for i := 1; i <= 37; i++ {
		out = append(out, incident.HostState{Host: fmt.Sprintf("ward-pc%02d", i), Agency: "hospital", First: At(20, "18:58:00"), Last: At(20, "19:00:00"),
			Roles: []asset.Role{asset.RoleWorkstation}, Reasons: []incident.Reason{why("possibly_touched", 0, "since", "2026-11-20T18:58:00.000Z")}, Isolate: "no"})
	}
	return out
}

func suspicious() []incident.Suspect {
	return []incident.Suspect{
		{Addr: addr("203.0.113.90"), First: At(17, "06:21:09.880"), Last: At(20, "18:59:58"), Hosts: []string{"web-reg01"}, Ports: []uint16{8443}, Count: 1_742,
			BytesOut: 18_411_020, BytesIn: 92_110_551, Before: &incident.Traffic{Days: 7.3}, After: incident.Traffic{Days: 3.5, Connections: 1_742, BytesOut: 18_411_020, BytesIn: 92_110_551},
			Reasons:  []incident.Reason{why("controls", 0, "host", "web-reg01", "port", "8443"), why("regular_beacon", 0, "median_s", "59.8", "spread", "0.06", "connections", "1742"), why("new_peer", 0, "days", "7.3")},
			Evidence: []incident.Pointer{Record("core-zeek", "zeek", 31)}},
		{Addr: addr("198.51.100.23"), First: At(19, "19:41:00.430"), Last: At(20, "02:12:44"), Hosts: []string{"fs01"}, Ports: []uint16{443}, Count: 12,
			BytesOut: 41_231_688_192, BytesIn: 88_120_442, Before: &incident.Traffic{Days: 7.3, Connections: 3, BytesOut: 20_133_011, BytesIn: 1_200_340},
			After:    incident.Traffic{Days: 1.2, Connections: 12, BytesOut: 41_231_688_192, BytesIn: 88_120_442},
			Reasons:  []incident.Reason{why("took_data", 0, "bytes", "41231688192", "host", "fs01")},
			Evidence: []incident.Pointer{Record("core-zeek", "zeek", 61)}},
		{Addr: addr("203.0.113.77"), First: At(17, "05:58:12"), Last: At(17, "06:40:11"), Hosts: []string{"web-reg01"}, Ports: []uint16{80, 443}, Count: 2_324,
			BytesOut: 1_204_992, BytesIn: 48_211, After: incident.Traffic{Days: 0.1, Connections: 2_324, BytesOut: 1_204_992, BytesIn: 48_211},
			Reasons:  []incident.Reason{why("came_in", 0, "kind", "web", "host", "web-reg01"), why("tried", 0, "attempts", "2310", "hosts", "1")},
			Evidence: []incident.Pointer{Record("edge-fw", "fortinet", 12)}},
	}
}

func breakpoints() []incident.Breakpoint {
	return []incident.Breakpoint{
		{Code: "BP-VPS", Hop: 2, From: At(17, "06:21:09.880"), To: At(20, "18:59:58"), Src: end("web-reg01", "10.20.5.11"), SrcPort: 50122, Dst: end("", "203.0.113.90"), DstPort: 8443,
			Strength: "probable", Reasons: []incident.Reason{why("new_peer", 0, "days", "7.3")}, Next: "preserve", Evidence: []incident.Pointer{Record("core-zeek", "zeek", 31)}},
		{Code: "BP-LOG-GAP", Hop: 7, From: At(20, "18:11:00"), To: At(20, "18:33:30"), Src: end("dc01", "10.20.4.10"), Dst: end("bk01", "10.20.4.30"),
			Strength: "confirmed", Reasons: []incident.Reason{why("break_silent", 0, "source", "bk01", "hours", "0.4")}, Next: "recover_logs"},
	}
}
