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
	"citywall/identity"
)

// All seeded events lie in these three days, but for a few that are old on
// purpose.
var (
	begin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	end   = begin.Add(72 * time.Hour)
	city  = identity.Scope{Realm: asset.City}
	all   = eventstore.Query{From: begin, To: end}
)

// hostile are texts that break careless engines.
var hostile = []string{
	"", " ", `"`, `'`, `\`, `\\`, `\n`, "\n", "\r\n\t", "\x00", "a\x00b", "\x1f", `"}`, `","x":"`, `%`, `_`, `a%b_c!d`, `!`, `*`, `?`, `[*]`, `/`, `~`, `~1/`, `$`, `$.a`,
	"'; DROP TABLE events; --", `") OR 1=1 --`, "null", "NULL", "[]", `["a","b"]`, "{}", "true", "0x1F", "1e3", "NaN", "007", "-5", "+5", "12.50",
	"9007199254740993", "9007199254740992", "123456789012345678", "加密勒索", "ＡＢＣ", "İstanbul", "STRASSE straße", "Ω ω", "\u2028", "🏴‍☠️", "a\u0301", "��",
	`C:\Windows\System32\cmd.exe`, `\\server\share$\new.txt`, "line one\nInvoke-Mimikatz", "10.0.0.5", "::ffff:10.0.0.5", "10.0.0.256", "fe80::1%eth0", "2001:db8::1",
}

// hostileNames are names of native fields. Each differs from the others also
// when case is ignored, but for the last three.
var hostileNames = []string{
	"", " ", ".", "a.b", `q"t`, `it's`, `back\slash`, "sl/ash", "ti~lde", "~1", "*", "$", "$.x", "#", "0", "1", "[0]", "na me", "名稱", "tab\t", "nul\x00", "user", "host", "native.x", "Éa", "-1",
	"WinLog.Event_Data.X", "winlog.event_data.x", "WINLOG.EVENT_DATA.X",
}

// seeds are the events that queries are asked on. They are the same in every
// run.
func seeds() []eventstore.Batch {
	r := rand.New(rand.NewPCG(7, 7))
	var out []eventstore.Batch
	seq := uint64(0)
	batch := func(id, caseID string, n int, make func(i int) *event.Event) {
		b := eventstore.Batch{MsgID: id, Case: caseID}
		for i := range n {
			e := make(i)
			seq++
			e.ID = event.NewID("storetest", id, seq)
			if e.Realm == "" {
				e.Realm = asset.City
			}
			b.Events = append(b.Events, e)
		}
		out = append(out, b)
	}
	at := func() time.Time { return begin.Add(time.Duration(r.Int64N(int64(72 * time.Hour)))) }
	base := func(product, service string, kv ...string) *event.Event {
		t := at()
		e := &event.Event{
			Time: t, Received: t.Add(time.Duration(r.IntN(5000)) * time.Millisecond), TimeRaw: t.Format(time.RFC3339Nano), Agency: []string{"", "edu", "health", "fire"}[r.IntN(4)],
			Source: "src" + strconv.Itoa(r.IntN(3)), Product: product, Service: service, Uncertainty: time.Duration(r.IntN(3)) * time.Second, ZoneAssumed: r.IntN(2) == 0,
			Raw:    []byte(fmt.Sprint("raw ", seq)),
			Origin: event.Origin{Format: "jsonl", File: "/data/log " + service + ".json", SHA256: fmt.Sprintf("%064x", r.IntN(3)), Offset: int64(seq * 100), Line: int64(seq)},
		}
		for i := 0; i+1 < len(kv); i += 2 {
			e.Fields.Add(kv[i], kv[i+1])
		}
		return e
	}
	user := func() string { return []string{"alice", "Bob", "svc_backup", "PC7$", "王小明"}[r.IntN(5)] }
	ip := func() string {
		return []string{"10.0.0.5", "10.0.1.7", "10.20.0.9", "172.16.3.4", "203.0.113.9", "2001:db8::1", "2001:db8:1::2", "::ffff:10.0.0.5"}[r.IntN(8)]
	}
	batch("windows", "", 120, func(i int) *event.Event {
		return base(
			"windows", "security", "EventID", []string{"4624", "4625", "4634", "4672"}[r.IntN(4)], "Channel", "Security", "Computer", []string{"WEB1.city.example", "dc01", "PC7"}[r.IntN(3)],
			"TargetUserName", user(), "TargetDomainName", []string{"CITY", "EDU.city.example", "-"}[r.IntN(3)], "LogonType", []string{"2", "3", "10"}[r.IntN(3)],
			"IpAddress", ip(), "IpPort", strconv.Itoa(r.IntN(65536)), "WorkstationName", "PC"+strconv.Itoa(r.IntN(9)),
		)
	})
	batch("sysmon", "", 80, func(i int) *event.Event {
		return base(
			"windows", "sysmon", "EventID", "1", "Channel", "Microsoft-Windows-Sysmon/Operational", "Computer", "PC"+strconv.Itoa(r.IntN(9)), "User", `CITY\`+user(),
			"Image", []string{`C:\Windows\System32\cmd.exe`, `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, `C:\Temp\CMD.EXE`, `cmd.exe`}[r.IntN(4)],
			"CommandLine", []string{`cmd.exe /c vssadmin Delete Shadows /all`, `powershell -enc AAAA`, "cmd /c echo 100%_!", "line one\nInvoke-Mimikatz"}[r.IntN(4)],
			"ParentImage", `C:\Windows\explorer.exe`, "Hashes", "SHA256="+fmt.Sprintf("%064X", r.IntN(4)),
		)
	})
	batch("firewall", "", 120, func(i int) *event.Event {
		return base(
			"fortinet", "traffic", "devname", "FW-"+strconv.Itoa(r.IntN(2)), "type", "traffic", "subtype", "forward", "srcip", ip(), "srcport", strconv.Itoa(r.IntN(65536)), "dstip", ip(),
			"dstport", []string{"443", "445", "80"}[r.IntN(3)], "proto", []string{"6", "17"}[r.IntN(2)], "action", []string{"accept", "deny"}[r.IntN(2)],
			"sentbyte", strconv.Itoa(r.IntN(3_000_000)), "rcvdbyte", strconv.Itoa(r.IntN(2)*1_500_000), "service", "HTTPS",
		)
	})
	batch("lists", "", 60, func(i int) *event.Event {
		e := base("other", "")
		e.Fields.Set("tags", event.L([][]string{{"a", "B"}, {}, {"alpha", "beta", "alpha"}, {`["a"`, `x","y`}}[r.IntN(4)]...))
		e.Fields.Set("Answers", []event.Value{event.L("10.0.0.5", "2001:db8::1"), event.T("10.0.0.5"), {}, event.T("")}[r.IntN(4)])
		e.Fields.Set("n", event.T(hostile[r.IntN(len(hostile))]))
		if r.IntN(2) == 0 {
			e.Fields.Set([]string{"Name", "NAME", "name"}[r.IntN(3)], event.T([]string{"x", "Y", "10"}[r.IntN(3)]))
		}
		return e
	})
	batch("hostile", "", len(hostile), func(i int) *event.Event {
		e := base("other", "hostile", "text", hostile[i], hostileNames[i%len(hostileNames)], hostile[(i*7+1)%len(hostile)])
		e.Source, e.Category = hostile[(i+1)%len(hostile)], hostile[(i+2)%len(hostile)]
		e.Raw = []byte(hostile[i] + "\xff\xfe")
		return e
	})
	batch("edges", "", 40, func(i int) *event.Event {
		e := base("linux", "sshd", "hostname", "srv1", "appname", "sshd", "message", "Accepted password for alice from 10.0.0.5 port 22 ssh2")
		switch i % 8 {
		case 0: // no time of its own
			e.Time = time.Time{}
		case 1: // never received live
			e.Received = time.Time{}
		case 2: // the same instant as others, to the nanosecond
			e.Time = begin.Add(36*time.Hour + 123456789)
		case 3: // less than a microsecond beside it
			e.Time = begin.Add(36*time.Hour + 123456000 + time.Duration(r.IntN(1000)))
		case 4: // the edges of days
			e.Time = begin.Add(time.Duration(i/8) * 24 * time.Hour).Add(-time.Duration(r.IntN(2)))
		case 5: // long ago, and FILETIME zero
			e.Time = []time.Time{time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999_999_900, time.UTC)}[i/8%2]
		case 6: // neither
			e.Time, e.Received = time.Time{}, time.Time{}
		}
		return e
	})
	batch("police", "", 10, func(i int) *event.Event {
		e := base("windows", "security", "EventID", "4624", "Channel", "Security", "Computer", "evidence1")
		e.Realm = asset.Police
		return e
	})
	for _, c := range []string{"115-0001", "115-0002", "x' OR '1'='1"} {
		batch("case "+c, c, 10, func(i int) *event.Event {
			e := base("windows", "security", "EventID", "4625", "Channel", "Security", "Computer", "exhibit")
			e.Realm, e.Origin.Exhibit = asset.Police, "A-1"
			return e
		})
	}
	return out
}
