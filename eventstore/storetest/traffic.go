// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
)

// Traffic makes what a city's sources send, for benchmarks: 45 % firewall, 30 % Sysmon, 20 %
// Windows Security, 5 % Linux, of 2,000 hosts with a long tail. The same seed
// gives the same events.
type Traffic struct {
	r     *rand.Rand
	zipf  *rand.Zipf
	at    time.Time
	step  time.Duration
	seq   uint64
	agent string
}

// NewTraffic returns traffic from begin on, a record every step.
func NewTraffic(seed uint64, begin time.Time, step time.Duration) *Traffic {
	r := rand.New(rand.NewPCG(seed, 1))
	return &Traffic{r: r, zipf: rand.NewZipf(r, 1.1, 8, 1999), at: begin, step: step, agent: fmt.Sprint("agent-", seed)}
}

var (
	images = []string{
		`C:\Windows\System32\svchost.exe`, `C:\Windows\System32\cmd.exe`, `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`,
		`C:\Program Files\Google\Chrome\Application\chrome.exe`, `C:\Windows\explorer.exe`, `C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE`,
	}
	services = []string{"HTTPS", "HTTP", "DNS", "SMB", "RDP", "LDAP", "NTP"}
)

// Batch returns the next n events as a batch.
func (t *Traffic) Batch(msgID string, n int) eventstore.Batch {
	b := eventstore.Batch{MsgID: msgID, Events: make([]*event.Event, n)}
	for i := range b.Events {
		b.Events[i] = t.next()
	}
	return b
}

func (t *Traffic) next() *event.Event {
	t.seq++
	t.at = t.at.Add(t.step)
	r := t.r
	n := int(t.zipf.Uint64())
	host, ip := fmt.Sprintf("pc%04d", n), fmt.Sprintf("10.%d.%d.%d", 1+n/1000, n/250%4, 1+n%250)
	at := t.at.Add(-time.Duration(r.IntN(3000)) * time.Millisecond) // sources are late by different amounts
	e := &event.Event{
		ID: event.NewID(t.agent, "live", t.seq), Realm: asset.City, Agency: "agency" + strconv.Itoa(n%30), Time: at, Received: t.at,
		TimeRaw: at.Format(time.RFC3339Nano), Uncertainty: time.Millisecond, Source: host,
		Origin: event.Origin{Format: "jsonl", Stream: "tcp/" + t.agent, Offset: int64(t.seq) * 420},
	}
	f := &e.Fields
	hex := func() string { return "0x" + strconv.FormatUint(uint64(r.Uint32()), 16) }
	guid := func() string { return fmt.Sprintf("{%08X-0000-0000-%04X-%012X}", r.Uint32(), n, r.Uint64()>>16) }
	user := fmt.Sprint("user", n%1500)
	switch k := r.IntN(100); {
	case k < 45:
		e.Product, e.Category, e.Service = "fortinet", "firewall", "traffic"
		for _, kv := range [][2]string{
			{"devname", "fw" + strconv.Itoa(n%12)}, {"type", "traffic"}, {"subtype", "forward"}, {"srcip", ip}, {"srcport", strconv.Itoa(1024 + r.IntN(60000))},
			{"dstip", fmt.Sprintf("203.0.%d.%d", 113+r.IntN(4), r.IntN(250))}, {"dstport", []string{"443", "80", "53", "445", "3389"}[r.IntN(5)]},
			{"proto", "6"}, {"action", []string{"close", "accept", "deny"}[r.IntN(3)]}, {"policyid", strconv.Itoa(r.IntN(60))},
			{"service", services[r.IntN(len(services))]}, {"sentbyte", strconv.Itoa(r.IntN(1 << 20))}, {"rcvdbyte", strconv.Itoa(r.IntN(1 << 22))},
			{"duration", strconv.Itoa(r.IntN(300))}, {"sessionid", strconv.Itoa(int(t.seq))},
		} {
			f.Add(kv[0], kv[1])
		}
	case k < 75:
		e.Product, e.Category, e.Service = "windows", "process_creation", "sysmon"
		img := images[r.IntN(len(images))]
		cmd := fmt.Sprintf(`"%s" -k %d --type=renderer --lang=zh-TW /prefetch:%d`, img, r.IntN(1000), r.IntN(9))
		if r.IntN(430) == 0 {
			cmd = `vssadmin.exe delete shadows /all /quiet`
		}
		for _, kv := range [][2]string{
			{"EventID", "1"}, {"Channel", "Microsoft-Windows-Sysmon/Operational"}, {"Computer", host + ".city.example"}, {"RuleName", "-"},
			{"UtcTime", at.Format("2006-01-02 15:04:05.000")}, {"ProcessGuid", guid()}, {"ProcessId", strconv.Itoa(r.IntN(30000))}, {"Image", img},
			{"CommandLine", cmd}, {"User", `CITY\` + user}, {"LogonId", hex()}, {"IntegrityLevel", "Medium"},
			{"Hashes", "SHA256=" + fmt.Sprintf("%064X", uint64(len(img))*0x9e3779b97f4a7c15)}, {"ParentImage", images[r.IntN(len(images))]},
		} {
			f.Add(kv[0], kv[1])
		}
	case k < 95:
		e.Product, e.Service = "windows", "security"
		for _, kv := range [][2]string{
			{"EventID", []string{"4624", "4625", "4634", "4672"}[r.IntN(4)]}, {"Channel", "Security"}, {"Computer", host + ".city.example"},
			{"SubjectUserSid", "S-1-5-18"}, {"SubjectLogonId", "0x3e7"}, {"TargetUserName", user}, {"TargetDomainName", "CITY"},
			{"TargetLogonId", hex()}, {"LogonType", []string{"2", "3", "10"}[r.IntN(3)]}, {"IpAddress", ip}, {"IpPort", strconv.Itoa(1024 + r.IntN(60000))},
			{"WorkstationName", host}, {"LogonProcessName", "NtLmSsp "}, {"AuthenticationPackageName", "NTLM"},
		} {
			f.Add(kv[0], kv[1])
		}
	default:
		e.Product, e.Service = "linux", "sshd"
		f.Add("hostname", "srv"+strconv.Itoa(n%200))
		f.Add("appname", "sshd")
		f.Add("message", fmt.Sprintf("Accepted publickey for %s from %s port %d ssh2", user, ip, 1024+r.IntN(60000)))
	}
	e.Raw = eventstore.AppendFields(nil, e.Fields)
	return e
}
