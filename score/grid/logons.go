// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package grid

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/exercise"
)

// Logons writes n Windows logon events of four weeks in an estate of 860
// machines as Winlogbeat writes them, one JSON object a line, and an attack among
// them: passwords tried at a remote desktop that faces the internet, then four
// moves with two stolen accounts, then shadow copies deleted. It returns what
// happened. The same seed writes the same bytes. All of it is simulated.
//
// Most events are the tickets, logons, privileges and logoffs of people at work
// and of a backup at night (4768, 4769, 4624, 4672, 4634), with wrong passwords
// (4625) and second accounts (4648) among them; the attack adds three process
// records (4688).
func Logons(w io.Writer, n int, seed uint64) (exercise.Truth, error) {
	g := &logons{
		w: bufio.NewWriterSize(w, 1<<20), r: rand.New(rand.NewPCG(seed, 0x10605)), left: n - attackEvents,
		begin: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), ids: map[string]int{},
	}
	if g.left < 1000 {
		return exercise.Truth{}, fmt.Errorf("write logons: %d events are too few for an attack among them; want at least %d", n, 1000+attackEvents)
	}
	// One person's visit to a server is about five events, a backup's three.
	visits := g.left/5 + 1
	span := 28 * 24 * time.Hour
	attackAt := g.begin.Add(span * 27 / 28).Add(11 * time.Hour)
	t := g.begin
	for i := 0; g.left > 0; i++ {
		if len(g.truth.Hops) == 0 && !t.Before(attackAt) {
			g.attack(attackAt)
		}
		g.visit(t)
		t = g.begin.Add(time.Duration(float64(span) * float64(min(i+1, visits)) / float64(visits)))
	}
	if len(g.truth.Hops) == 0 { // the last visits were long
		g.attack(attackAt)
	}
	return g.truth, g.w.Flush()
}

const (
	attackEvents = 34
	logonPCs     = 800
	logonServers = 57
	logonDCs     = 3
)

type logons struct {
	w     *bufio.Writer
	r     *rand.Rand
	begin time.Time
	left  int // events still to be written, without the attack's
	buf   []byte
	ids   map[string]int // record ids by computer
	sess  uint64
	truth exercise.Truth
}

type machine struct {
	name string
	addr netip.Addr
}

func pc(i int) machine {
	return machine{fmt.Sprintf("OFF-PC-%04d", i), netip.AddrFrom4([4]byte{10, 20, byte(16 + i/200), byte(10 + i%200)})}
}

func server(i int) machine {
	return machine{fmt.Sprintf("OFF-SRV-%02d", i), netip.AddrFrom4([4]byte{10, 20, 1, byte(20 + i)})}
}

func controller(i int) machine {
	return machine{fmt.Sprintf("OFF-DC-%02d", i), netip.AddrFrom4([4]byte{10, 20, 1, byte(10 + i)})}
}

// visit is a person who uses a server, a quarter of the time after arriving at
// the desk; at night it is the backup.
func (g *logons) visit(t time.Time) {
	hour := (t.Hour() + 8) % 24
	if hour < 7 || hour >= 20 {
		dst := server(g.r.IntN(logonServers))
		g.remote(t, "svc.backup", server(0), dst, controller(0), 3, true)
		return
	}
	if g.r.IntN(8) == 0 { // a computer's own account
		src := pc(g.r.IntN(logonPCs))
		if g.r.IntN(4) == 0 {
			src = server(g.r.IntN(logonServers))
		}
		dc := controller(g.r.IntN(logonDCs))
		g.remote(t, src.name+"$", src, dc, dc, 3, false)
		return
	}
	i := g.r.IntN(logonPCs)
	user, home := fmt.Sprintf("user%04d", i), pc(i)
	dc := controller(g.r.IntN(logonDCs))
	at := t
	if g.r.IntN(4) == 0 {
		if g.r.IntN(10) == 0 {
			g.refused(at, user, home, netip.MustParseAddr("127.0.0.1"), 2)
			at = at.Add(4 * time.Second)
		}
		g.tgt(at, user, home, dc)
		g.logon(at.Add(20*time.Millisecond), user, home, netip.MustParseAddr("127.0.0.1"), 0, 2, false)
		at = at.Add(2 * time.Second)
	}
	dst := server(1 + i%12) // everybody has a file server and an application
	if g.r.IntN(3) == 0 {
		dst = server(13 + (i*7+g.r.IntN(3))%(logonServers-13))
	}
	if i%40 == 3 && g.r.IntN(6) == 0 { // an administrator's second account
		adm := "adm." + user
		g.switched(at, user, adm, home, dst)
		g.remote(at.Add(50*time.Millisecond), adm, home, server(g.r.IntN(logonServers)), dc, 10, true)
		return
	}
	g.remote(at, user, home, dst, dc, 3, false)
}

// remote is a logon over the network with its ticket.
func (g *logons) remote(t time.Time, user string, src, dst, dc machine, typ int, privileged bool) {
	g.ticket(t, user, src, dst, dc)
	at := t.Add(time.Duration(8+g.r.IntN(40)) * time.Millisecond)
	id := g.logon(at, user, dst, src.addr, 49152+g.r.IntN(16000), typ, privileged)
	g.logoff(at.Add(time.Duration(1+g.r.IntN(900))*time.Second), user, dst, id, typ)
}

func (g *logons) attack(t time.Time) {
	g.left += attackEvents
	outside, first := machine{"203.0.113.77", netip.MustParseAddr("203.0.113.77")}, server(41)
	stolen, admin := "user0219", "adm.user0403"
	for i := range 18 {
		g.refused(t.Add(time.Duration(i*7)*time.Second), []string{"administrator", "scanner", stolen}[i%3], first, outside.addr, 10)
	}
	t = t.Add(3 * time.Minute)
	tr := &g.truth
	*tr = exercise.Truth{Scenario: "logons", Begin: g.begin, End: t.Add(4 * time.Hour), Suspicious: []netip.Addr{outside.addr},
		Accounts: []string{`off\` + stolen, `off\` + admin}}
	move := func(at time.Time, src, dst machine, user, kind, technique string, port uint16) {
		tr.Hops = append(tr.Hops, exercise.TruthHop{Time: at, Src: hostKey(src), SrcAddr: src.addr, Dst: hostKey(dst), DstAddr: dst.addr, DstPort: port, User: `off\` + user, Kind: kind, Technique: technique})
		tr.Hosts = append(tr.Hosts, exercise.TruthHost{Host: hostKey(dst), Addr: dst.addr, First: at})
		tr.Isolate = append(tr.Isolate, hostKey(dst))
	}
	g.logon(t, stolen, first, outside.addr, 50211, 10, false)
	move(t, outside, first, stolen, "rdp", "T1133", 3389)
	tr.Entry = exercise.TruthEntry{Host: hostKey(first), Addr: first.addr, Time: t, Kind: "rdp", Vector: outside.name, External: outside.addr}
	at := first
	for i, to := range []machine{server(22), server(9), server(30)} {
		t = t.Add(time.Duration(25+10*i) * time.Minute)
		g.switched(t, stolen, admin, at, to)
		g.ticket(t.Add(30*time.Millisecond), admin, at, to, controller(1))
		g.logon(t.Add(60*time.Millisecond), admin, to, at.addr, 51000+i, 10, true)
		move(t.Add(60*time.Millisecond), at, to, admin, "rdp", "T1021.001", 3389)
		at, stolen = to, admin
	}
	t = t.Add(20 * time.Minute)
	for i, on := range []machine{server(22), server(9), server(30)} {
		g.process(t.Add(time.Duration(i)*time.Minute), admin, on, `C:\Windows\System32\vssadmin.exe`, "vssadmin.exe delete shadows /all /quiet")
	}
}

func hostKey(m machine) string { return asset.HostName(m.name) }

// The records below have the members and the order of Winlogbeat 8.

func (g *logons) tgt(t time.Time, user string, src, dc machine) {
	g.begun(t, dc, "4768", "Kerberos Authentication Service", "success", "A Kerberos authentication ticket (TGT) was requested.")
	g.data("TargetUserName", user, "TargetDomainName", "OFF", "TargetSid", sid(user), "ServiceName", "krbtgt", "ServiceSid", "S-1-5-21-1004336348-1177238915-682003330-502",
		"TicketOptions", "0x40810010", "Status", "0x0", "TicketEncryptionType", "0x12", "PreAuthType", "2", "IpAddress", "::ffff:"+src.addr.String(), "IpPort", strconv.Itoa(49152+g.r.IntN(16000)))
}

func (g *logons) ticket(t time.Time, user string, src, dst, dc machine) {
	g.begun(t, dc, "4769", "Kerberos Service Ticket Operations", "success", "A Kerberos service ticket was requested.")
	g.data("TargetUserName", user+"@OFF.EXAMPLE", "TargetDomainName", "OFF.EXAMPLE", "ServiceName", dst.name+"$", "ServiceSid", sid(dst.name), "TicketOptions", "0x40810000",
		"TicketEncryptionType", "0x12", "IpAddress", "::ffff:"+src.addr.String(), "IpPort", strconv.Itoa(49152+g.r.IntN(16000)), "Status", "0x0", "LogonGuid", g.guid(), "TransmittedServices", "-")
}

func (g *logons) logon(t time.Time, user string, dst machine, src netip.Addr, port, typ int, privileged bool) string {
	g.sess++
	id := "0x" + strconv.FormatUint(0x10000+g.sess*37, 16)
	process := "-"
	if typ != 3 {
		process = `C:\\Windows\\System32\\svchost.exe`
	}
	g.begun(t, dst, "4624", "Logon", "success", "An account was successfully logged on.")
	g.data("SubjectUserSid", "S-1-0-0", "SubjectUserName", "-", "SubjectDomainName", "-", "SubjectLogonId", "0x0", "TargetUserSid", sid(user), "TargetUserName", user, "TargetDomainName", "OFF",
		"TargetLogonId", id, "LogonType", strconv.Itoa(typ), "LogonProcessName", "Kerberos", "AuthenticationPackageName", "Kerberos", "WorkstationName", "-", "LogonGuid", g.guid(),
		"TransmittedServices", "-", "LmPackageName", "-", "KeyLength", "0", "ProcessId", "0x0", "ProcessName", process, "IpAddress", src.String(), "IpPort", strconv.Itoa(port),
		"ImpersonationLevel", "%%1833", "RestrictedAdminMode", "-", "TargetOutboundUserName", "-", "TargetOutboundDomainName", "-", "VirtualAccount", "%%1843", "TargetLinkedLogonId", "0x0", "ElevatedToken", "%%1843")
	if privileged {
		g.begun(t.Add(time.Millisecond), dst, "4672", "Special Logon", "success", "Special privileges assigned to new logon.")
		g.data("SubjectUserSid", sid(user), "SubjectUserName", user, "SubjectDomainName", "OFF", "SubjectLogonId", id,
			"PrivilegeList", `SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\tSeRestorePrivilege\n\t\t\tSeTakeOwnershipPrivilege\n\t\t\tSeDebugPrivilege\n\t\t\tSeImpersonatePrivilege`)
	}
	return id
}

func (g *logons) logoff(t time.Time, user string, dst machine, id string, typ int) {
	g.begun(t, dst, "4634", "Logoff", "success", "An account was logged off.")
	g.data("TargetUserSid", sid(user), "TargetUserName", user, "TargetDomainName", "OFF", "TargetLogonId", id, "LogonType", strconv.Itoa(typ))
}

func (g *logons) refused(t time.Time, user string, dst machine, src netip.Addr, typ int) {
	g.begun(t, dst, "4625", "Logon", "failure", "An account failed to log on.")
	g.data("SubjectUserSid", "S-1-5-18", "SubjectUserName", dst.name+"$", "SubjectDomainName", "OFF", "SubjectLogonId", "0x3e7", "TargetUserSid", "S-1-0-0", "TargetUserName", user, "TargetDomainName", "OFF",
		"Status", "0xc000006d", "FailureReason", "%%2313", "SubStatus", "0xc000006a", "LogonType", strconv.Itoa(typ), "LogonProcessName", "User32 ", "AuthenticationPackageName", "Negotiate",
		"WorkstationName", dst.name, "TransmittedServices", "-", "LmPackageName", "-", "KeyLength", "0", "ProcessId", "0x6f4", "ProcessName", `C:\\Windows\\System32\\svchost.exe`, "IpAddress", src.String(), "IpPort", "0")
}

func (g *logons) switched(t time.Time, user, other string, src, dst machine) {
	g.begun(t, src, "4648", "Logon", "success", "A logon was attempted using explicit credentials.")
	g.data("SubjectUserSid", sid(user), "SubjectUserName", user, "SubjectDomainName", "OFF", "SubjectLogonId", "0x43c5a", "LogonGuid", "{00000000-0000-0000-0000-000000000000}",
		"TargetUserName", other, "TargetDomainName", "OFF", "TargetLogonGuid", "{00000000-0000-0000-0000-000000000000}", "TargetServerName", dst.name+".off.example", "TargetInfo", "TERMSRV/"+dst.name+".off.example",
		"ProcessId", "0x4", "ProcessName", `C:\\Windows\\System32\\lsass.exe`, "IpAddress", "-", "IpPort", "-")
}

func (g *logons) process(t time.Time, user string, on machine, image, command string) {
	g.begun(t, on, "4688", "Process Creation", "success", "A new process has been created.")
	g.data("SubjectUserSid", sid(user), "SubjectUserName", user, "SubjectDomainName", "OFF", "SubjectLogonId", "0x10025", "NewProcessId", "0x1f40", "NewProcessName", strings.ReplaceAll(image, `\`, `\\`), "TokenElevationType", "%%1937",
		"ProcessId", "0x1a2c", "CommandLine", command, "TargetUserSid", "S-1-0-0", "TargetUserName", "-", "TargetDomainName", "-", "TargetLogonId", "0x0", "ParentProcessName", `C:\\Windows\\System32\\cmd.exe`, "MandatoryLabel", "S-1-16-12288")
}

// begun starts a record up to its event_data.
func (g *logons) begun(t time.Time, on machine, id, task, outcome, message string) {
	g.ids[on.name]++
	b := g.buf[:0]
	str := func(s string) { b = append(b, s...) }
	at := t.UTC().Format("2006-01-02T15:04:05.000Z")
	str(`{"@timestamp":"` + at + `","event":{"kind":"event","code":"` + id + `","provider":"Microsoft-Windows-Security-Auditing","action":"` + task + `","outcome":"` + outcome + `","created":"` + at + `"},"log":{"level":"information"},"message":"` + message)
	str(`","host":{"name":"` + on.name + `.off.example"},"winlog":{"api":"wineventlog","channel":"Security","computer_name":"` + on.name + `.off.example","event_id":"` + id)
	str(`","provider_name":"Microsoft-Windows-Security-Auditing","provider_guid":"{54849625-5478-4994-A5BA-3E3B0328C30D}","record_id":"` + strconv.Itoa(100000+g.ids[on.name]))
	str(`","task":"` + task + `","opcode":"Info","keywords":["Audit ` + map[string]string{"success": "Success", "failure": "Failure"}[outcome] + `"],"process":{"pid":752,"thread":{"id":` + strconv.Itoa(1000+g.r.IntN(9000)) + `}},"event_data":{`)
	g.buf = b
}

// data ends it. Values are JSON text already.
func (g *logons) data(pairs ...string) {
	b := g.buf
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(append(append(b, '"'), pairs[i]...), `":"`...), pairs[i+1]...), '"')
	}
	b = append(b, `}},"agent":{"type":"winlogbeat","version":"8.17.2","name":"wec-off"},"ecs":{"version":"8.0.0"}}`...)
	b = append(b, '\n')
	g.buf = b
	if g.left == 0 {
		return // the visit is cut short: exactly so many were wanted
	}
	g.left--
	_, _ = g.w.Write(b) // its error comes back from Flush
}

func (g *logons) guid() string {
	const hex = "0123456789ABCDEF"
	var b [38]byte
	b[0], b[37] = '{', '}'
	x, y := g.r.Uint64(), g.r.Uint64()
	for i := 1; i < 37; i++ {
		switch i {
		case 9, 14, 19, 24:
			b[i] = '-'
		default:
			b[i] = hex[x&15]
			if x >>= 4; i == 18 {
				x = y
			}
		}
	}
	return string(b[:])
}

// sid is a security identifier that depends on the name.
func sid(name string) string {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return "S-1-5-21-1004336348-1177238915-682003330-" + strconv.Itoa(1100+int(h%60000))
}
