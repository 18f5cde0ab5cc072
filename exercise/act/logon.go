// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"math/rand/v2"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// dc is the domain controller a host asks: always the same one.
func dc(d *city.Domain, h string) *city.Host {
	if d.Standby {
		return d.DCs[0]
	}
	return d.DCs[int(hash(h))%len(d.DCs)]
}

const privileges = "SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\tSeRestorePrivilege\n\t\t\tSeTakeOwnershipPrivilege\n\t\t\tSeDebugPrivilege\n\t\t\tSeSystemEnvironmentPrivilege\n\t\t\tSeLoadDriverPrivilege\n\t\t\tSeImpersonatePrivilege\n\t\t\tSeDelegateSessionUserImpersonatePrivilege"

// privileged reports whether a session of the account is elevated on a server.
func privileged(a *city.Account) bool { return a.Kind == city.Admin || a.Kind == city.Service }

// TicketGranting is the first Kerberos request of a session: 4768 at the
// domain controller, and Zeek where the request crosses networks.
func (s *Scene) TicketGranting(r *rand.Rand, t time.Time, a *city.Account, from *city.Host) Seen {
	d := dc(a.Domain, from.Name)
	c := s.kerberos(r, t, a, from, d, "AS", "krbtgt/"+a.Domain.DNS)
	return s.windows(r, ms(t, 3), d, logs.TicketGranting, "TargetUserName", a.Name, "TargetDomainName", a.Domain.NetBIOS, "TargetSid", a.SID,
		"ServiceSid", a.Domain.SID+"-502", "IpAddress", "::ffff:"+from.Addr.String(), "IpPort", itoa(c.SrcPort))
}

func (s *Scene) kerberos(r *rand.Rand, t time.Time, a *city.Account, from, d *city.Host, typ, service string) Conn {
	c, _ := s.Connect(r, t, Conn{Src: On(from), Dst: On(d), Port: 88, Service: "krb_tcp", Out: 280 + r.Int64N(1400), In: 1500 + r.Int64N(300), For: 4 * time.Millisecond})
	if s.route(from.Addr, d.Addr).core {
		s.emit(logs.New(s.City.Core, logs.ZeekKerberos, ms(t, 1), append(zeekID(&c), "request_type", typ, "client", a.Name+"/"+upper(a.Domain.DNS), "service", service,
			"till", "2136422885.000000")...).After(4 * time.Millisecond))
	}
	return c
}

func zeekID(c *Conn) []string {
	return []string{"uid", c.uid, "id.orig_h", c.Src.Addr.String(), "id.orig_p", itoa(c.SrcPort), "id.resp_h", c.Dst.Addr.String(), "id.resp_p", itoa(c.Port)}
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 32
		}
	}
	return string(b)
}

// Ticket is a request for a service ticket: 4769 at the domain controller of
// the service, and Zeek.
func (s *Scene) Ticket(r *rand.Rand, t time.Time, a *city.Account, from, to *city.Host, class string) Seen {
	d := dc(to.Agency.Domain, from.Name)
	c := s.kerberos(r, t, a, from, d, "TGS", class+"/"+to.FQDN())
	return s.windows(r, ms(t, 3), d, logs.ServiceTicket, "TargetUserName", a.Name+"@"+upper(a.Domain.DNS), "TargetDomainName", upper(a.Domain.DNS),
		"ServiceName", to.Name+"$", "ServiceSid", machine(to).SID, "IpAddress", "::ffff:"+from.Addr.String(), "IpPort", itoa(c.SrcPort), "LogonGuid", guid(r))
}

// logon is a 4624 at dst and, for privileged accounts, its 4672.
func (s *Scene) logon(r *rand.Rand, t time.Time, dst *city.Host, a *city.Account, typ int, c *Conn, station string) (Actor, Seen) {
	who := Actor{Account: a, Host: dst, Logon: logonID(r)}
	pairs := []string{
		"TargetUserSid", a.SID, "TargetUserName", a.Name, "TargetDomainName", a.Domain.NetBIOS, "TargetLogonId", who.Logon, "LogonType", itoa(typ),
		"ElevatedToken", elevated(a),
	}
	if c != nil {
		pairs = append(pairs, "IpAddress", c.Src.Addr.String(), "IpPort", itoa(c.SrcPort))
	}
	system := []string{
		"SubjectUserSid", "S-1-5-18", "SubjectUserName", dst.Name + "$", "SubjectDomainName", dst.Agency.Domain.NetBIOS, "SubjectLogonId", "0x3e7",
		"AuthenticationPackageName", "Negotiate", "ProcessId", hex(600 + hash(dst.Name)%400*4), "WorkstationName", dst.Name,
	}
	switch typ {
	case 3:
		if station != "" {
			pairs = append(pairs, "LogonProcessName", "NtLmSsp ", "AuthenticationPackageName", "NTLM", "LmPackageName", "NTLM V2", "KeyLength", "128", "WorkstationName", station)
		} else {
			pairs = append(pairs, "LogonProcessName", "Kerberos", "LogonGuid", guid(r))
		}
	case 5:
		pairs = append(append(pairs, system...), "LogonProcessName", "Advapi  ", "ProcessName", Services)
	case 4:
		pairs = append(append(pairs, system...), "LogonProcessName", "Advapi  ", "ProcessName", Svchost)
	default: // 2 console, 7 unlock, 10 remote, 11 cached
		pairs = append(append(pairs, system...), "LogonProcessName", "User32 ", "ProcessName", Svchost, "LogonGuid", guid(r))
		if c == nil {
			pairs = append(pairs, "IpAddress", "127.0.0.1", "IpPort", "0", "ProcessName", Svchost)
		} else {
			pairs = append(pairs, "IpPort", "0") // Windows does not know it for type 10
		}
	}
	at := s.windows(r, t, dst, logs.Logon, pairs...)
	if privileged(a) {
		s.windows(r, ms(t, 1), dst, logs.Special, append(subject(who), "PrivilegeList", privileges)...)
	}
	return who, at
}

func elevated(a *city.Account) string {
	if privileged(a) {
		return "%%1842"
	}
	return "%%1843"
}

// Logoff ends a session (4634).
func (s *Scene) Logoff(r *rand.Rand, t time.Time, who Actor, typ int) {
	s.windows(r, t, who.Host, logs.Logoff, "TargetUserSid", who.Account.SID, "TargetUserName", who.Account.Name, "TargetDomainName", who.Account.Domain.NetBIOS,
		"TargetLogonId", who.Logon, "LogonType", itoa(typ))
}

// Console is somebody sitting down at a machine: tickets, 4624 type 2 (7 when
// unlocking), the desktop.
func (s *Scene) Console(r *rand.Rand, t time.Time, a *city.Account, h *city.Host, typ int) Actor {
	s.TicketGranting(r, t, a, h)
	who, _ := s.logon(r, ms(t, 180), h, a, typ, nil, "")
	who.Session = 1
	if typ == 2 {
		s.Start(r, ms(t, 900), who, Running(who, `C:\Windows\System32\userinit.exe`), Explorer, Explorer)
	}
	return who
}

// BadPassword is a failed logon at a machine itself: 4771 at the domain
// controller and 4625 at the machine. The type is 2 at the console, 4 for a task.
func (s *Scene) BadPassword(r *rand.Rand, t time.Time, a *city.Account, h *city.Host, typ int) {
	d := dc(a.Domain, h.Name)
	c := s.kerberos(r, t, a, h, d, "AS", "krbtgt/"+a.Domain.DNS)
	s.windows(r, ms(t, 3), d, logs.PreAuthFailed, "TargetUserName", a.Name, "TargetSid", a.SID, "ServiceName", "krbtgt/"+a.Domain.NetBIOS, "IpAddress", "::ffff:"+h.Addr.String(), "IpPort", itoa(c.SrcPort))
	s.windows(r, ms(t, 8), h, logs.LogonFailed, "TargetUserName", a.Name, "TargetDomainName", a.Domain.NetBIOS, "LogonType", itoa(typ), "LogonProcessName", "User32 ", "AuthenticationPackageName", "Negotiate",
		"SubjectUserSid", "S-1-5-18", "SubjectUserName", h.Name+"$", "SubjectDomainName", h.Agency.Domain.NetBIOS, "SubjectLogonId", "0x3e7",
		"WorkstationName", h.Name, "IpAddress", "127.0.0.1", "IpPort", "0", "ProcessName", Svchost, "ProcessId", hex(600+hash(h.Name)%400*4))
}

// Remote is a logon over the network.
type Remote struct {
	Account *city.Account
	Src     End
	Dst     *city.Host
	Station string // name the client gives when it is not in the domain: NTLM
	By      Actor  // whose session on the source starts it; zero for none
	For     time.Duration
}

// authenticate writes what the domain controller and the source say of it.
func (s *Scene) authenticate(r *rand.Rand, t time.Time, m *Remote, class string) {
	if m.Station != "" {
		s.windows(r, t, dc(m.Account.Domain, m.Dst.Name), logs.NTLMChecked, "TargetUserName", m.Account.Name, "Workstation", m.Station)
		return
	}
	if m.Src.Host != nil {
		s.Resolve(r, t, m.Src.Host, m.Dst.FQDN(), m.Dst.Addr)
		s.Ticket(r, t, m.Account, m.Src.Host, m.Dst, class)
	}
	if m.By.Account != nil && m.By.Account != m.Account { // other credentials than the session's
		s.windows(r, ms(t, 2), m.Src.Host, logs.ExplicitLogon, append(subject(m.By), "TargetUserName", m.Account.Name, "TargetDomainName", m.Account.Domain.NetBIOS,
			"TargetServerName", m.Dst.FQDN(), "TargetInfo", class+"/"+m.Dst.FQDN(), "ProcessName", Lsass)...)
	}
}

// RDP is a remote desktop session. It returns who then sits on dst, and the
// earliest stamp.
func (s *Scene) RDP(r *rand.Rand, t time.Time, m Remote) (Actor, Seen) {
	var f Seen
	c := Conn{Src: m.Src, Dst: On(m.Dst), Port: 3389, Service: "ssl,rdp", App: "rdp", Out: 400_000 + r.Int64N(3_000_000), In: 4_000_000 + r.Int64N(60_000_000), For: m.For}
	if m.By.Account != nil && m.Src.Host != nil {
		p, _ := s.Start(r, t, m.By, Running(m.By, Explorer), Mstsc, `"C:\Windows\System32\mstsc.exe" /v:`+m.Dst.Name)
		c.By, t = &p, t.Add(time.Second)
	}
	c, at := s.Connect(r, t, c)
	f.see(at)
	if m.Dst.Logs != nil {
		rec := s.event(r, ms(t, 60), m.Dst, logs.RDPAccepted, "ClientIP", m.Src.Addr.String()+":"+itoa(c.SrcPort))
		rec.User = "S-1-5-20"
		f.see(s.emit(rec))
	}
	s.authenticate(r, ms(t, 120), &m, "TERMSRV")
	_, at = s.logon(r, ms(t, 260), m.Dst, m.Account, 3, &c, m.Station)
	f.see(at)
	if m.Dst.Logs != nil {
		rec := s.event(r, ms(t, 300), m.Dst, logs.RemoteAuth, "Param1", m.Account.Name, "Param2", m.Account.Domain.NetBIOS, "Param3", m.Src.Addr.String())
		rec.User = "S-1-5-20"
		f.see(s.emit(rec))
	}
	who, at := s.logon(r, ms(t, 1450), m.Dst, m.Account, 10, &c, "")
	f.see(at)
	who.Session = 2 + r.IntN(6)
	s.session(r, ms(t, 1700), who, logs.SessionLogon, "Address", m.Src.Addr.String())
	s.Start(r, ms(t, 2500), who, Running(who, `C:\Windows\System32\userinit.exe`), Explorer, Explorer)
	if m.For > 20*time.Minute && r.IntN(3) == 0 { // the line breaks off and is there again
		at := t.Add(time.Duration((0.2 + 0.6*r.Float64()) * float64(m.For)))
		s.session(r, at, who, logs.SessionLeft, "Address", m.Src.Addr.String())
		s.session(r, at.Add(between(r, 4*time.Second, 50*time.Second)), who, logs.SessionBack, "Address", m.Src.Addr.String())
	}
	s.session(r, t.Add(m.For), who, logs.SessionEnd)
	s.Logoff(r, ms(t.Add(m.For), 40), who, 10)
	return who, f
}

func (s *Scene) session(r *rand.Rand, t time.Time, who Actor, sc *logs.Schema, pairs ...string) {
	if who.Host.Logs == nil {
		return
	}
	rec := s.event(r, t, who.Host, sc, append(pairs, "User", who.Account.Domain.NetBIOS+`\`+who.Account.Name, "SessionID", itoa(who.Session))...)
	rec.User = "S-1-5-18"
	s.emit(rec)
}

// Service is a service account starting its service (4624 type 5).
func (s *Scene) Service(r *rand.Rand, t time.Time, a *city.Account, h *city.Host, typ int) Actor {
	who, _ := s.logon(r, t, h, a, typ, nil, "")
	return who
}

// Guess is a network logon that fails (4625 type 3 over NTLM, 4776 at the
// domain controller).
func (s *Scene) Guess(r *rand.Rand, t time.Time, m Remote, port uint16) {
	c, _ := s.Connect(r, t, Conn{Src: m.Src, Dst: On(m.Dst), Port: port, Service: "ntlm", Out: 900, In: 700, For: 300 * time.Millisecond})
	s.windows(r, ms(t, 60), dc(m.Account.Domain, m.Dst.Name), logs.NTLMChecked, "TargetUserName", m.Account.Name, "Workstation", m.Station, "Status", "0xc000006a")
	s.windows(r, ms(t, 80), m.Dst, logs.LogonFailed, "TargetUserName", m.Account.Name, "TargetDomainName", m.Account.Domain.NetBIOS, "LogonType", "3",
		"WorkstationName", m.Station, "IpAddress", m.Src.Addr.String(), "IpPort", itoa(c.SrcPort))
}

// Anonymous is a connection to a service from inside without an account: over
// SMB a null session, which Windows logs as ANONYMOUS LOGON; over RDP only the
// connection is on record. Old print servers and scanners make them too.
func (s *Scene) Anonymous(r *rand.Rand, t time.Time, src End, dst *city.Host, port uint16, by *Proc) Seen {
	service := "gssapi,smb,ntlm"
	if port != 445 {
		service = "ssl,rdp"
	}
	c, f := s.Connect(r, t, Conn{Src: src, Dst: On(dst), Port: port, Service: service, App: "smb", Out: 62_000 + r.Int64N(30_000), In: 6_000 + r.Int64N(4000), For: between(r, 2*time.Second, 6*time.Second), By: by})
	if port != 445 {
		rec := s.event(r, ms(t, 60), dst, logs.RDPAccepted, "ClientIP", src.Addr.String()+":"+itoa(c.SrcPort))
		rec.User = "S-1-5-20"
		f.see(s.emit(rec))
		return f
	}
	station := "-"
	if src.Host != nil {
		station = src.Host.Name
	}
	nobody := &city.Account{Domain: &city.Domain{NetBIOS: "NT AUTHORITY"}, Name: "ANONYMOUS LOGON", SID: "S-1-5-7"}
	who, at := s.logon(r, ms(t, 90), dst, nobody, 3, &c, station)
	f.see(at)
	f.see(s.share(r, ms(t, 130), who, &c, "IPC$"))
	s.Logoff(r, ms(t, 1900), who, 3)
	return f
}
