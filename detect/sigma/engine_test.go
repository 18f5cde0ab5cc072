// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"citywall/detect"
	"citywall/detect/sigma"
)

func source(ls, detection string) string {
	return "title: t\nid: 6d1f2c1e-0000-4000-8000-000000000001\nlogsource: {" + ls + "}\ndetection: {s: {" + detection + "}, condition: s}\nlevel: low\n"
}

// TestRouting sends rules of a log source to the events that it means, and to no
// others, with the fields mapped.
func TestRouting(t *testing.T) {
	const proc = "product: windows, category: process_creation"
	for _, c := range []struct{ ls, detection, yes, no string }{
		{proc, `Image|endswith: x.exe`, `{"_product":"windows","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Image":"x.exe"}`, `{"_product":"windows","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":5,"Image":"x.exe"}`},
		{proc, `Image|endswith: x.exe`, `{"_product":"windows","Channel":"SECURITY","EventID":4688,"NewProcessName":"x.exe"}`, `{"_product":"windows","Channel":"Security","EventID":4688,"Image":"x.exe"}`},
		{proc, `IntegrityLevel: System`, `{"_product":"windows","Channel":"Security","EventID":4688,"MandatoryLabel":"S-1-16-16384"}`, `{"_product":"windows","Channel":"Security","EventID":4688,"MandatoryLabel":"S-1-16-8192"}`},
		{"category: process_creation", `Image: x`, `{"_product":"windows","Channel":"Security","EventID":4688,"NewProcessName":"x"}`, `{"_product":"windows","Channel":"Security","EventID":4689,"NewProcessName":"x"}`},
		{proc, `sha256: AB`, `{"_product":"windows","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Hashes":"MD5=CD,SHA256=ab"}`, `{"_product":"windows","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Hashes":"MD5=ab"}`},
		{"product: windows, category: registry_delete", `TargetObject: k`, `{"_product":"windows","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":12,"EventType":"DeleteValue","TargetObject":"k"}`, `{"_product":"windows","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":12,"EventType":"CreateKey","TargetObject":"k"}`},
		{"product: windows, service: security", `EventID: 4625`, `{"_product":"windows","Channel":"Security","EventID":4625}`, `{"_product":"windows","Channel":"System","EventID":4625}`},
		{"product: windows, service: security", `EventID|startswith: 46`, `{"_product":"windows","Channel":"Security","EventID":4699}`, `{"_product":"windows","Channel":"Security","EventID":4799}`},
		{"product: windows, service: security", `EventID|neq: 4625`, `{"_product":"windows","Channel":"Security","EventID":1}`, `{"_product":"windows","Channel":"Security","EventID":4625}`},
		{"product: windows, service: security", `ComputerName: pc1`, `{"_product":"windows","Channel":"Security","EventID":1,"Computer":"PC1"}`, `{"_product":"windows","Channel":"Security","EventID":1,"Host":"PC1"}`},
		{"product: windows, category: process_creation, service: sysmon", `Image: x`, `{"_product":"windows","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Image":"x"}`, `{"_product":"windows","Channel":"Security","EventID":4688,"NewProcessName":"x"}`},
		{"product: windows", `A: 1`, `{"_product":"windows","Channel":"Strange/Operational","EventID":1,"A":1}`, `{"_product":"linux","A":1}`},
		{"product: windows, service: windefend", `ThreatName: x`, `{"_product":"windows","Channel":"Microsoft-Windows-Windows Defender/Operational","EventID":1116,"Threat Name":"x"}`, `{"_product":"windows","Channel":"Application","EventID":1116,"Threat Name":"x"}`},
		{"category: antivirus", `Signature: x`, `{"_product":"windows","Channel":"Microsoft-Windows-Windows Defender/Operational","EventID":1116,"Threat Name":"x"}`, `{"_product":"windows","Channel":"Microsoft-Windows-Windows Defender/Operational","EventID":1000,"Threat Name":"x"}`},
		{"category: antivirus", `Signature: x`, `{"_product":"fortinet","_category":"utm","_service":"virus","virus":"x"}`, `{"_product":"fortinet","_category":"utm","_service":"ips","virus":"x"}`},
		{"product: windows, category: ps_classic_start", `EngineVersion: '2.0'`, `{"_product":"windows","Channel":"Windows PowerShell","EventID":400,"Data":["Available","None","\tNewEngineState=Available\n\tEngineVersion=2.0\n\tHostApplication=x y"]}`, `{"_product":"windows","Channel":"Windows PowerShell","EventID":400,"Data":["\tEngineVersion=5.1"]}`},
		{"product: windows, category: ps_classic_start", `HostApplication: 'x y'`, `{"_product":"windows","Channel":"Windows PowerShell","EventID":400,"Data":["\tEngineVersion=2.0\n\tHostApplication=x y\n\tz=1"]}`, `{"_product":"windows","Channel":"Windows PowerShell","EventID":600,"Data":["\tHostApplication=x y\n"]}`},
		{"product: windows, category: file_rename", `TargetFilename: x`, `{"_product":"windows","_category":"file_rename","TargetFilename":"x"}`, `{"_product":"windows","_category":"file_access","TargetFilename":"x"}`},
		{"product: zeek, service: conn", `id.orig_h: 10.0.0.1`, `{"_product":"zeek","_service":"conn","id_orig_h":"10.0.0.1"}`, `{"_product":"zeek","_service":"dns","id.orig_h":"10.0.0.1"}`},
		{"category: proxy", `c-uri-stem: /a, cs-method: GET`, `{"_product":"zeek","_service":"http","uri":"/a?b","method":"GET"}`, `{"_product":"zeek","_service":"http","uri":"/b?/a","method":"GET"}`},
		{"category: proxy", `c-uri-query: b`, `{"_product":"suricata","_service":"http","http":{"url":"/a?b"}}`, `{"_product":"suricata","_service":"http","http":{"url":"/a"}}`},
		{"category: dns", `query: x`, `{"_product":"suricata","_service":"dns","dns":{"rrname":"x"}}`, `{"_product":"suricata","_service":"http","dns":{"rrname":"x"}}`},
		{"category: firewall", `dst_port: 22`, `{"_product":"fortinet","_category":"traffic","_service":"forward","dstport":22}`, `{"_product":"fortinet","_category":"event","dstport":22}`},
		{"product: linux, service: auth", `message|contains: root`, `{"_product":"linux","_service":"su","message":"to root"}`, `{"_product":"linux","_service":"nginx","message":"to root"}`},
		{"product: linux, service: syslog", `message|contains: root`, `{"_product":"linux","_service":"whatever","message":"root"}`, `{"_product":"zeek","_service":"syslog","message":"root"}`},
		{"product: linux, service: auditd", `type: EXECVE, a1: /etc/shadow`, `{"_product":"linux","_service":"audispd","message":"type=EXECVE msg=audit(1.2:3): argc=2 a0=\"cat\" a1=\"/etc/shadow\""}`, `{"_product":"linux","_service":"audispd","message":"type=EXECVE msg=audit(1.2:3): argc=2 a0=\"cat\" xa1=\"/etc/shadow\""}`},
		{"product: linux, service: auditd", `a2: 'sh -i'`, `{"_product":"linux","_service":"audispd","message":"type=EXECVE a0=\"sh\" a1=\"-c\" a2=7368202D69"}`, `{"_product":"linux","_service":"audispd","message":"type=SYSCALL a2=7ffe02"}`},
		{"product: linux, service: sudo", `USER: root, COMMAND|startswith: /bin/sh -i`, `{"_product":"linux","_service":"sudo","message":"w : TTY=x ; PWD=/ ; USER=root ; COMMAND=/bin/sh -i"}`, `{"_product":"linux","_service":"sudo","message":"w : TTY=x ; PWD=/ ; USER=w ; COMMAND=/bin/sh -i"}`},
		{"product: fortigate, service: event", `action: Delete`, `{"_product":"fortinet","_category":"event","_service":"system","action":"Delete"}`, `{"_product":"fortinet","_category":"traffic","action":"Delete"}`},
		{"product: alert", `short: W-Acc-Sus`, `{"_product":"alert","_service":"wazuh","short":"W-Acc-Sus"}`, `{"_product":"suricata","_service":"alert","short":"W-Acc-Sus"}`},
		{"product: alert, service: aminer", `short: A`, `{"_product":"alert","_category":"alert","_service":"aminer","short":"A"}`, `{"_product":"alert","_category":"alert","_service":"wazuh","short":"A"}`},
		{"product: linux, category: process_creation", `CommandLine: /bin/id`, `{"_product":"linux","_service":"sudo","event":"command","COMMAND":"/bin/id"}`, `{"_product":"linux","_service":"sudo","event":"command_refused","COMMAND":"/bin/id"}`},
		{"product: linux, category: process_creation", `Image|endswith: /sh, CommandLine|contains: shadow`, `{"_product":"linux","_category":"process_creation","_service":"auditd","type":["SYSCALL","EXECVE"],"exe":"/usr/bin/sh","argv":"sh -c cat /etc/shadow"}`, `{"_product":"linux","_service":"auditd","type":["SYSCALL"],"exe":"/usr/bin/sh","proctitle":"sh -c cat /etc/shadow"}`},
		{"product: linux, category: file_event", `TargetFilename|startswith: /etc/cron`, `{"_product":"linux","_service":"auditd","nametype":["PARENT","CREATE"],"name":["/etc/cron.d","/etc/cron.d/x"]}`, `{"_product":"linux","_service":"auditd","nametype":["NORMAL"],"name":["/etc/cron.d/x"]}`},
		{"product: linux, category: network_connection", `DestinationPort: 4444`, `{"_product":"linux","_service":"auditd","SYSCALL":"connect","laddr":"203.0.113.9","lport":"4444"}`, `{"_product":"linux","_service":"auditd","SYSCALL":"bind","laddr":"203.0.113.9","lport":"4444"}`},
		{"product: paloalto, service: threat", `subtype: spyware`, `{"_product":"paloalto","_category":"firewall","_service":"threat","subtype":"spyware"}`, `{"_product":"paloalto","_category":"firewall","_service":"system","subtype":"spyware"}`},
		{"category: firewall", `dst_ip: 10.0.0.9, dst_port: 445`, `{"_product":"paloalto","_category":"firewall","_service":"traffic","dst":"10.0.0.9","dport":"445"}`, `{"_product":"paloalto","_category":"firewall","_service":"config","dst":"10.0.0.9","dport":"445"}`},
		{"product: esxi, service: shell", `command|contains: kill`, `{"_product":"esxi","_service":"shell","command":"esxcli vm process kill"}`, `{"_product":"esxi","_service":"hostd","command":"esxcli vm process kill"}`},
		{"product: esxi, category: process_creation", `CommandLine: id`, `{"_product":"esxi","_service":"shell","event":"command","command":"id"}`, `{"_product":"esxi","_service":"auth","event":"command","command":"id"}`},
		{"product: synology, category: file", `Event: rename`, `{"_product":"synology","_service":"smb","Event":"rename"}`, `{"_product":"synology","_service":"connection","Event":"rename"}`},
		{"product: qnap, category: file", `Accessedresources|endswith: .docx`, `{"_product":"qnap","_service":"connection","Accessed resources":"a.docx"}`, `{"_product":"qnap","_service":"system","Accessed resources":"a.docx"}`},
		{"product: cisco, service: asa", `event: vpn-ok`, `{"_product":"cisco","_category":"firewall","_service":"asa","event":"vpn-ok"}`, `{"_product":"cisco","_category":"firewall","_service":"ios","event":"vpn-ok"}`},
		{"product: cisco, category: firewall", `dst_port: 22`, `{"_product":"cisco","_category":"firewall","_service":"ftd","message_id":"430003","DstPort":"22"}`, `{"_product":"cisco","_category":"firewall","_service":"ftd","message_id":"430001","DstPort":"22"}`},
		{"category: firewall", `dst_port: 22`, `{"_product":"checkpoint","_category":"firewall","_service":"vpn-1 & firewall-1","service":"22"}`, `{"_product":"checkpoint","_category":"firewall","_service":"smartconsole","service":"22"}`},
		{"category: firewall", `src_ip|cidr: 10.0.0.0/8`, `{"_product":"juniper","_category":"firewall","_service":"srx","source-address":"10.0.0.5"}`, `{"_product":"juniper","_category":"firewall","_service":"junos","source-address":"10.0.0.5"}`},
		{"category: firewall", `username: wang`, `{"_product":"zyxel","_category":"firewall","_service":"traffic log","user":"wang"}`, `{"_product":"zyxel","_category":"firewall","_service":"user","user":"wang"}`},
		{"product: mikrotik, service: system", `event: login-failed`, `{"_product":"mikrotik","_category":"firewall","_service":"system","event":"login-failed"}`, `{"_product":"mikrotik","_category":"firewall","_service":"firewall","event":"login-failed"}`},
		{"category: management", `event: login-ok`, `{"_product":"zyxel","_category":"firewall","_service":"user","event":"login-ok"}`, `{"_product":"zyxel","_category":"firewall","_service":"traffic log","event":"login-ok"}`},
		{"product: modsecurity, category: waf", `RuleID|startswith: "932"`, `{"_product":"modsecurity","_category":"waf","_service":"audit","messages.data.id":["932100"]}`, `{"_product":"modsecurity","_category":"waf","_service":"audit","messages.data.id":["920100"]}`},
		{"category: antivirus", `Signature|contains: Ransom`, `{"_product":"antivirus","_category":"antivirus","_service":"epo","Threat Name":"Ransom-X"}`, `{"_product":"antivirus","_category":"antivirus","_service":"mcafee","rule":"Ransom-X"}`},
		{"category: antivirus", `Signature|contains: Ransom, Filename|endswith: .exe`, `{"_product":"clamav","_category":"antivirus","_service":"clamd","Signature":"Win.Ransom.X","Filename":"/a.exe"}`, `{"_product":"clamav","_category":"antivirus","_service":"clamd","Signature":"Win.Ransom.X"}`},
		{"product: linux, service: clamav", `Signature: x`, `{"_product":"clamav","_category":"antivirus","_service":"clamscan","Signature":"x"}`, `{"_product":"linux","_service":"sshd","Signature":"x"}`},
		{"product: windows, category: process_creation", `Image|endswith: rclone.exe, ParentImage|endswith: cmd.exe`, `{"_product":"defender","_service":"hunting","ActionType":"ProcessCreated","FolderPath":"C:\\rclone.exe","InitiatingProcessFolderPath":"C:\\cmd.exe"}`, `{"_product":"defender","_service":"hunting","ActionType":"FileCreated","FolderPath":"C:\\rclone.exe","InitiatingProcessFolderPath":"C:\\cmd.exe"}`},
		{"product: postfix, service: smtpd", `event: auth_failed`, `{"_product":"postfix","_category":"mail","_service":"smtpd","event":"auth_failed"}`, `{"_product":"postfix","_category":"mail","_service":"qmgr","event":"auth_failed"}`},
		{"product: aws, service: cloudtrail", `eventName: X`, `{"_product":"aws","_service":"cloudtrail","eventName":"X"}`, `{"_product":"aws","_service":"other","eventName":"X"}`},
	} {
		e, rep := load(t, sigma.Options{}, source(c.ls, c.detection))
		if len(rep.Refused) > 0 {
			t.Errorf("%s: %v", c.ls, rep.Refused)
			continue
		}
		if n := len(fires(t, e, c.yes)); n != 1 {
			t.Errorf("%s {%s}: %d findings on %s", c.ls, c.detection, n, c.yes)
		}
		if len(fires(t, e, c.no)) != 0 {
			t.Errorf("%s {%s} fires on %s", c.ls, c.detection, c.no)
		}
	}
}

// TestUnrouted: a rule that no known source feeds is loaded and said so.
func TestUnrouted(t *testing.T) {
	for _, c := range []struct {
		ls     string
		routed bool
	}{
		{"product: windows, service: security", true},
		{"product: windows", true},
		{"category: process_creation", true},
		{"category: dns", true},
		{"product: windows, service: nonsense", false},
		{"product: aws, service: cloudtrail", true},
		{"product: aws, service: nonsense", false},
		{"product: windows, category: file_rename", false},
		{"product: linux, category: process_creation", true},
		{"product: macos, category: process_creation", false},
	} {
		e, rep := load(t, sigma.Options{}, source(c.ls, "A: 1"))
		if rep.Loaded != 1 || (len(rep.Unrouted) == 0) != c.routed || e.Rules()[0].Routed != c.routed {
			t.Errorf("%s: unrouted %v, want routed %v", c.ls, rep.Unrouted, c.routed)
		}
	}
}

// TestUnseen: sources with events that no rule looks at are listed.
func TestUnseen(t *testing.T) {
	e, _ := load(t, sigma.Options{}, source("product: windows, service: security", "EventID: 4625"))
	m := e.NewMatcher()
	for _, s := range []string{
		`{"_product":"windows","Channel":"Strange/Operational","EventID":1}`, `{"_product":"windows","Channel":"Strange/Operational","EventID":2}`,
		`{"_product":"windows","Channel":"Security","EventID":4624}`, `{"_product":"zeek","_service":"conn"}`,
	} {
		m.Match(ev(t, s))
	}
	want := []sigma.Unseen{{Product: "windows", Channel: "Strange/Operational", Events: 2}, {Product: "zeek", Service: "conn", Events: 1}}
	if got := m.Stats(); !reflect.DeepEqual(got.Unseen, want) || got.Events != 4 {
		t.Errorf("%+v", got)
	}
	var sum sigma.Stats
	sum.Merge(m.Stats())
	sum.Merge(m.Stats())
	if sum.Events != 8 || len(sum.Unseen) != 2 || sum.Unseen[0].Events != 4 {
		t.Errorf("merged %+v", sum)
	}
}

// TestFinding looks at all that a finding says.
func TestFinding(t *testing.T) {
	const text = `title: Say
id: 6d1f2c1e-0000-4000-8000-000000000001
status: test
author: Somebody
tags: [attack.lateral-movement, attack.t1021.002]
logsource: {product: windows, category: process_creation}
detection:
    a:
        Image|endswith: ['\one.exe', '\two.exe']
        CommandLine|contains|all: [x, y]
    b: {User: null}
    c: {ParentImage|neq: z}
    d: {Hashes: q}
    not: {Image: never}
    condition: a and b and c and not d
level: high
`
	e, rep := load(t, sigma.Options{}, text)
	if len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0].Reason, `"not" is not used`) {
		t.Errorf("warnings %v", rep.Warnings)
	}
	x := ev(t, `{"_product":"windows","_time":"2026-03-13T12:00:00Z","Channel":"Security","EventID":4688,"NewProcessName":"C:\\TWO.exe","CommandLine":"y then x","ParentProcessName":"p","Computer":"PC1.city.example"}`)
	x.Agency = "A1"
	fs := e.NewMatcher().Match(x)
	if len(fs) != 1 {
		t.Fatalf("%d findings", len(fs))
	}
	f := fs[0]
	want := []detect.Matched{
		{Field: "User", Pattern: "null"},
		{Field: "ParentProcessName", Value: "p", Pattern: "≠ z"},
		{Field: "NewProcessName", Value: `C:\TWO.exe`, Pattern: `\two.exe`},
		{Field: "CommandLine", Value: "y then x", Pattern: "x"},
		{Field: "CommandLine", Value: "y then x", Pattern: "y"},
	}
	if len(f.Matched) != len(want) {
		t.Errorf("matched %+v", f.Matched)
	}
	for _, w := range want {
		found := false
		for _, g := range f.Matched {
			found = found || g == w
		}
		if !found {
			t.Errorf("%+v is not among %+v", w, f.Matched)
		}
	}
	if f.Rule.Title != "Say" || f.Rule.Author != "Somebody" || f.Rule.Status != "test" || f.Rule.Level != detect.High || f.Rule.File != "ra.yml" || len(f.Rule.Hash) != 64 {
		t.Errorf("rule %+v", f.Rule)
	}
	if f.ID != detect.NewID(f.Rule.Hash, x.ID) || !f.Time.Equal(x.Time) || f.Agency != "A1" || f.Host != "pc1" || len(f.Events) != 1 || len(f.Origins) != 1 {
		t.Errorf("finding %+v", f)
	}
	if f.Meaning.Step != detect.StepLateral || f.Meaning.Technique != "T1021.002" || f.Meaning.Compromise {
		t.Errorf("meaning %+v", f.Meaning)
	}
}

// TestMeaning: an own block is taken as it stands, anything else is derived
// with care.
func TestMeaning(t *testing.T) {
	for _, c := range []struct {
		extra string
		want  detect.Meaning
	}{
		{"level: high\nstatus: test\ntags: [attack.t1505.003, attack.persistence]\n", detect.Meaning{Step: "web_shell", Technique: "T1505.003", Compromise: true}},
		{"level: high\nstatus: experimental\ntags: [attack.t1505.003]\n", detect.Meaning{Step: "web_shell", Technique: "T1505.003"}},
		{"level: medium\nstatus: test\ntags: [attack.t1003.001]\n", detect.Meaning{Step: "credential", Technique: "T1003.001"}},
		{"level: critical\nstatus: stable\ntags: [attack.t1059, attack.t1490]\n", detect.Meaning{Step: "inhibit", Technique: "T1490", Compromise: true, Anchor: true}},
		{"level: high\nstatus: test\ntags: [attack.t1543.003, attack.persistence]\n", detect.Meaning{Step: "persistence", Technique: "T1543.003"}},
		{"level: high\nstatus: test\ntags: [attack.defense-impairment]\n", detect.Meaning{Step: "evasion"}},
		{"level: high\nstatus: test\ntags: [attack.defense_evasion, attack.execution]\n", detect.Meaning{Step: "evasion"}},
		{"level: high\nstatus: test\ntags: [cve.2024-1]\n", detect.Meaning{Step: "other"}},
		{"level: low\ntags: [attack.t1059]\ncitywall: {step: note, subject: src, observer: true, compromise: true, anchor: true, technique: t1486}\n", detect.Meaning{Step: "note", Technique: "T1486", Subject: "src", Observer: true, Compromise: true, Anchor: true}},
	} {
		text := strings.Replace(field("F: a"), "level: low\n", c.extra, 1)
		e, rep := load(t, sigma.Options{}, text)
		if len(rep.Refused) > 0 {
			t.Errorf("%s: %v", c.extra, rep.Refused)
			continue
		}
		got := e.Rules()[0].Meaning
		got.Techniques = nil
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n%+v, want %+v", c.extra, got, c.want)
		}
	}
}

// TestFilters: a filter's condition is joined as it stands, only where its log
// source and its list of rules fit, and what it takes away is counted.
func TestFilters(t *testing.T) {
	const filter = "title: F\nid: 6d1f2c1e-0000-4000-8000-0000000000f1\nlogsource: {product: test}\nfilter:\n    rules: RULES\n    s: {User|startswith: adm_}\n    condition: not s\n"
	const base = "title: t\nid: 6d1f2c1e-0000-4000-8000-000000000001\nname: base\nlogsource: {product: test}\ndetection: {s: {A: 1}, condition: s}\nlevel: low\n"
	for _, c := range []struct {
		name, filter string
		admin, other int
		dropped      int64
		warn         string
	}{
		{"by id", strings.Replace(filter, "RULES", "[6d1f2c1e-0000-4000-8000-000000000001]", 1), 0, 1, 1, ""},
		{"by name", strings.Replace(filter, "RULES", "[base]", 1), 0, 1, 1, ""},
		{"any", strings.Replace(filter, "RULES", "any", 1), 0, 1, 1, ""},
		{"another rule", strings.Replace(filter, "RULES", "[other]", 1), 1, 1, 0, "no loaded rule"},
		{"another source", strings.Replace(strings.Replace(filter, "RULES", "any", 1), "product: test", "product: windows", 1), 1, 1, 0, "no loaded rule"},
		{"without not", strings.Replace(strings.Replace(filter, "RULES", "any", 1), "not s", "s", 1), 1, 0, 1, `no "not"`},
	} {
		e, rep := load(t, sigma.Options{}, base, c.filter)
		if rep.Filters != 1 || rep.Loaded != 1 || len(rep.Refused) > 0 {
			t.Fatalf("%s: %+v", c.name, rep)
		}
		if c.warn != "" && (len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0].Reason, c.warn)) {
			t.Errorf("%s: warnings %v", c.name, rep.Warnings)
		}
		m := e.NewMatcher()
		if n := len(m.Match(ev(t, `{"A":1,"User":"ADM_wu"}`))); n != c.admin {
			t.Errorf("%s: %d findings for the administrator, want %d", c.name, n, c.admin)
		}
		if n := len(m.Match(ev(t, `{"A":1,"User":"chen"}`))); n != c.other {
			t.Errorf("%s: %d findings for another, want %d", c.name, n, c.other)
		}
		m.Match(ev(t, `{"A":2,"User":"ADM_wu"}`)) // the rule itself does not fire: nothing is suppressed
		if n := m.Stats().Suppressed["6d1f2c1e-0000-4000-8000-0000000000f1"]; n != c.dropped {
			t.Errorf("%s: %d suppressed, want %d", c.name, n, c.dropped)
		}
	}
}

// TestDocuments: several rules in a file, comments between them, a byte order
// mark, files that are no rules.
func TestDocuments(t *testing.T) {
	one := field("F: a")
	two := strings.Replace(one, "000001", "000002", 1)
	e, rep := load(t, sigma.Options{}, "---\n# a comment\n---\n"+one+"---   \n"+two+"...\n---\n")
	if rep.Loaded != 2 || len(rep.Refused) != 0 {
		t.Fatalf("%+v", rep)
	}
	if a, b := e.Rules()[0], e.Rules()[1]; a.Hash == b.Hash || a.Line != 3 || b.Line <= a.Line {
		t.Errorf("lines %d and %d, hashes %s and %s", a.Line, b.Line, a.Hash, b.Hash)
	}
	_, rep = load(t, sigma.Options{}, "\ufeff"+strings.ReplaceAll(one, "\n", "\r\n"))
	if rep.Loaded != 1 {
		t.Errorf("with a byte order mark and CRLF: %+v", rep.Refused)
	}
	_, rep = load(t, sigma.Options{}, "name: CI\non: push\n", "- a\n- b\n", "just text\n", "")
	if rep.NotRules != 3 || len(rep.Refused) != 0 || rep.Files != 4 {
		t.Errorf("what is no rule: %+v", rep)
	}
	_, rep = load(t, sigma.Options{}, one, one)
	if rep.Loaded != 1 || len(rep.Refused) != 1 || rep.Refused[0].Class != "duplicate" {
		t.Errorf("the same id twice: %+v", rep)
	}
	e, _ = load(t, sigma.Options{}, strings.Replace(one, "id: 6d1f2c1e-0000-4000-8000-000000000001\n", "x-house: {a: 1}\n", 1))
	if r := e.Rules()[0]; len(r.ID) != 36 || len(r.Custom) != 1 {
		t.Errorf("id %q, custom %v", r.ID, r.Custom)
	}
}

// TestMatchersTogether: goroutines with a matcher each share an engine, its late
// buckets and its correlations.
func TestMatchersTogether(t *testing.T) {
	e, _ := load(t, sigma.Options{Batch: true}, corr(count3))
	evs := script(t, "0 fail a\n10 fail a\n20 fail a\n30 good a")
	var wg sync.WaitGroup
	var fired atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			m := e.NewMatcher()
			for range 50 {
				fired.Add(int64(len(m.Match(evs[3]))))
			}
			if i < 3 {
				m.Match(evs[i])
			}
		})
	}
	wg.Wait()
	if last, err := e.Flush(); fired.Load() != 400 || len(last) != 1 || err != nil {
		t.Errorf("%d findings of the rule, want 400, and one of the correlation", fired.Load())
	}
}
