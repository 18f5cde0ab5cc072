// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"math/rand/v2"
	"strings"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// Share is use of a share of another machine.
type Share struct {
	Remote
	Share   string   // "public", "ADMIN$", "C$", "SYSVOL"
	Files   []string // relative paths touched
	Write   bool
	Out, In int64
	Quiet   bool // the audit of single files (5145) is off for it
	Known   bool // the session has its ticket already
}

// localPaths of the administrative shares.
var localPaths = map[string]string{"ADMIN$": `\??\C:\Windows`, "C$": `\??\C:\`, "SYSVOL": `\??\C:\Windows\SYSVOL\sysvol`, "IPC$": ""}

// lead is how long the Kerberos exchange comes before the connection, in
// milliseconds.
const lead = 50

// smb opens the connection and the session that everything over port 445 rides
// on.
func (s *Scene) smb(r *rand.Rand, t time.Time, m *Remote, service string, out, in int64, known bool) (Conn, Actor, Seen) {
	var f Seen
	if !known {
		s.authenticate(r, t, m, "cifs")
	}
	t = ms(t, lead)
	c, at := s.Connect(r, t, Conn{Src: m.Src, Dst: On(m.Dst), Port: 445, Service: service, App: "smb", Out: out, In: in, For: m.For})
	f.see(at)
	who, at := s.logon(r, ms(t, 35), m.Dst, m.Account, 3, &c, m.Station)
	f.see(at)
	s.Logoff(r, t.Add(m.For), who, 3)
	return c, who, f
}

// SMB opens files on a share.
func (s *Scene) SMB(r *rand.Rand, t time.Time, m Share) (Actor, Seen) {
	if m.For == 0 {
		m.For = between(r, 5*time.Second, 5*time.Minute)
	}
	service := "gssapi,smb,krb"
	if m.Station != "" {
		service = "gssapi,smb,ntlm"
	}
	c, who, at := s.smb(r, t, &m.Remote, service, m.Out, m.In, m.Known)
	f, t := at, ms(t, lead)
	s.mapping(&c, ms(t, 60), m.Dst, m.Share, "DISK")
	f.see(s.share(r, ms(t, 70), who, &c, m.Share))
	action := "SMB::FILE_OPEN"
	if m.Write {
		action = "SMB::FILE_WRITE"
	}
	for i, name := range m.Files {
		t := ms(t, 110+i*40)
		if s.core(&c) {
			s.emit(logs.New(s.City.Core, logs.ZeekSMBFiles, t, append(zeekID(&c), "action", action, "path", `\\`+m.Dst.FQDN()+`\`+m.Share, "name", name,
				"size", itoa(1+(m.Out+m.In)/int64(len(m.Files))))...))
		}
		if !m.Quiet {
			f.see(s.checked(r, ms(t, 5), who, &c, m.Share, name, m.Write))
		}
	}
	return who, f
}

func (s *Scene) core(c *Conn) bool { return s.route(c.Src.Addr, c.Dst.Addr).core }

func (s *Scene) mapping(c *Conn, t time.Time, dst *city.Host, share, typ string) {
	if s.core(c) {
		s.emit(logs.New(s.City.Core, logs.ZeekSMBMapping, t, append(zeekID(c), "path", `\\`+dst.FQDN()+`\`+share, "share_type", typ)...))
	}
}

// share is a 5140.
func (s *Scene) share(r *rand.Rand, t time.Time, who Actor, c *Conn, share string) Seen {
	return s.windows(r, t, who.Host, logs.ShareOpened, append(subject(who), "IpAddress", c.Src.Addr.String(), "IpPort", itoa(c.SrcPort), "ShareName", `\\*\`+share, "ShareLocalPath", local(share))...)
}

func local(share string) string {
	if p, ok := localPaths[share]; ok {
		return p
	}
	return `\??\D:\` + share
}

// checked is a 5145.
func (s *Scene) checked(r *rand.Rand, t time.Time, who Actor, c *Conn, share, name string, write bool) Seen {
	pairs := append(subject(who), "IpAddress", c.Src.Addr.String(), "IpPort", itoa(c.SrcPort), "ShareName", `\\*\`+share, "ShareLocalPath", local(share), "RelativeTargetName", name)
	if write {
		pairs = append(pairs, "AccessMask", "0x2", "AccessList", "%%4417\n\t\t\t\t")
	}
	return s.windows(r, t, who.Host, logs.ShareChecked, pairs...)
}

// rpc is a call over a named pipe or a port, as Zeek sees it.
func (s *Scene) rpc(c *Conn, t time.Time, pipe, endpoint string, operations ...string) {
	if !s.core(c) {
		return
	}
	for i, op := range operations {
		s.emit(logs.New(s.City.Core, logs.ZeekRPC, ms(t, i*12), append(zeekID(c), "named_pipe", pipe, "endpoint", endpoint, "operation", op)...))
	}
}

// RemoteService copies a program to ADMIN$ and runs it as a service, as
// software distribution and intruders both do. It returns the service's
// process.
func (s *Scene) RemoteService(r *rand.Rand, t time.Time, m Remote, name, file, command string, size int64) (Proc, Seen) {
	if m.For == 0 {
		m.For = between(r, 20*time.Second, 2*time.Minute)
	}
	c, who, at := s.smb(r, t, &m, "gssapi,smb,krb,dce_rpc", size+9000, 14000, false)
	f, t := at, ms(t, lead)
	s.mapping(&c, ms(t, 50), m.Dst, "ADMIN$", "DISK")
	f.see(s.share(r, ms(t, 55), who, &c, "ADMIN$"))
	if s.core(&c) {
		s.emit(logs.New(s.City.Core, logs.ZeekSMBFiles, ms(t, 90), append(zeekID(&c), "action", "SMB::FILE_WRITE", "path", `\\`+m.Dst.FQDN()+`\ADMIN$`, "name", file, "size", itoa(size))...))
	}
	f.see(s.checked(r, ms(t, 95), who, &c, "ADMIN$", file, true))
	path := `C:\Windows\` + file
	s.File(r, ms(t, 180), Running(System(m.Dst), kernel), path)
	s.mapping(&c, ms(t, 400), m.Dst, "IPC$", "PIPE")
	f.see(s.share(r, ms(t, 405), who, &c, "IPC$"))
	f.see(s.checked(r, ms(t, 420), who, &c, "IPC$", "svcctl", false))
	s.rpc(&c, ms(t, 430), `\PIPE\svcctl`, "svcctl", "OpenSCManagerW", "CreateServiceW", "StartServiceW")
	if command == "" {
		command = path
	}
	s.InstallService(r, ms(t, 480), who, name, command, false)
	p, _ := s.Start(r, ms(t, 900), System(m.Dst), Running(System(m.Dst), Services), path, command)
	s.ServiceState(r, ms(t, 980), m.Dst, name, "running")
	return p, f
}

// RemoteShell runs commands over WinRM. It returns the process that hosts them.
func (s *Scene) RemoteShell(r *rand.Rand, t time.Time, m Remote, commands ...string) (Proc, Seen) {
	if m.For == 0 {
		m.For = between(r, 10*time.Second, 3*time.Minute)
	}
	s.authenticate(r, t, &m, "HTTP")
	t = ms(t, lead)
	conn := Conn{Src: m.Src, Dst: On(m.Dst), Port: 5985, Service: "http", App: "http", Out: 18_000 + r.Int64N(40_000), In: 12_000 + r.Int64N(30_000), For: m.For}
	if m.By.Account != nil && m.Src.Host != nil {
		p := Running(m.By, Posh)
		conn.By = &p
	}
	c, at := s.Connect(r, t, conn)
	f := at
	if s.core(&c) {
		s.emit(logs.New(s.City.Core, logs.ZeekHTTP, ms(t, 8), append(zeekID(&c), "method", "POST", "host", m.Dst.Name+":5985", "uri", "/wsman?PSVersion=5.1.17763.6659",
			"user_agent", "Microsoft WinRM Client", "request_body_len", "1742", "response_body_len", "2260")...))
	}
	who, at := s.logon(r, ms(t, 40), m.Dst, m.Account, 3, &c, m.Station)
	f.see(at)
	if m.Dst.Logs != nil {
		rec := s.event(r, ms(t, 90), m.Dst, logs.WinRMShell, "ShellId", strings.ToUpper(strings.Trim(guid(r), "{}")), "resourceUri", "http://schemas.microsoft.com/powershell/Microsoft.PowerShell")
		rec.User = m.Account.SID
		s.emit(rec)
	}
	host, _ := s.Start(r, ms(t, 320), who, Running(System(m.Dst), Svchost), WsmProv, WsmProv+" -Embedding")
	for i, cmd := range commands {
		s.Start(r, t.Add(time.Duration(2+5*i)*time.Second), who, host, imageOf(cmd), cmd)
	}
	s.Logoff(r, t.Add(m.For), who, 3)
	return host, f
}

// imageOf returns the program of a command line.
func imageOf(cmd string) string {
	if rest, ok := strings.CutPrefix(cmd, `"`); ok {
		p, _, _ := strings.Cut(rest, `"`)
		return p
	}
	p, _, _ := strings.Cut(cmd, " ")
	if strings.Contains(p, `\`) {
		return p
	}
	if !strings.HasSuffix(p, ".exe") {
		p += ".exe"
	}
	if p == "powershell.exe" {
		return Posh
	}
	return `C:\Windows\System32\` + p
}

// RemoteWMI starts a command on another machine through WMI.
func (s *Scene) RemoteWMI(r *rand.Rand, t time.Time, m Remote, command string) (Proc, Seen) {
	if m.For == 0 {
		m.For = between(r, 5*time.Second, time.Minute)
	}
	s.authenticate(r, t, &m, "RPCSS")
	t = ms(t, lead)
	c, at := s.Connect(r, t, Conn{Src: m.Src, Dst: On(m.Dst), Port: 135, Service: "dce_rpc", Out: 1400, In: 900, For: time.Second})
	f := at
	s.rpc(&c, ms(t, 20), "135", "IRemoteSCMActivator", "RemoteCreateInstance")
	d, at := s.Connect(r, ms(t, 60), Conn{Src: m.Src, Dst: On(m.Dst), Port: uint16(49664 + r.IntN(12)), Service: "gssapi,dce_rpc,krb", Out: 9000, In: 11000, For: m.For})
	f.see(at)
	s.rpc(&d, ms(t, 110), itoa(d.Port), "IWbemLevel1Login", "NTLMLogin")
	s.rpc(&d, ms(t, 140), itoa(d.Port), "IWbemServices", "GetObject", "ExecMethod")
	who, at := s.logon(r, ms(t, 70), m.Dst, m.Account, 3, &d, m.Station)
	f.see(at)
	p, _ := s.Start(r, ms(t, 420), who, Running(System(m.Dst), WmiPrvSE), imageOf(command), command)
	s.Logoff(r, t.Add(m.For), who, 3)
	return p, f
}

// Probe tries a port and gets no further.
func (s *Scene) Probe(r *rand.Rand, t time.Time, src, dst End, port uint16, state string, denied bool) Seen {
	_, at := s.Connect(r, t, Conn{Src: src, Dst: dst, Port: port, State: state, Denied: denied})
	return at
}
