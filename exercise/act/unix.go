// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"fmt"
	"math/rand/v2"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// say writes a syslog record of an appliance or a Unix machine, if it sends
// any.
func (s *Scene) say(t time.Time, h *city.Host, pid uint32, sc *logs.Schema, pairs ...string) Seen {
	if h == nil || h.Syslog == nil {
		return Seen{}
	}
	rec := logs.New(h.Syslog, sc, t, pairs...)
	rec.PID = pid
	return s.emit(rec)
}

func esxiPID(h *city.Host) uint32 { return 2097000 + hash(h.Name)%3000 }

// hostEvent is an event of ESXi's host agent.
func (s *Scene) hostEvent(r *rand.Rand, t time.Time, h *city.Host, by string, sc *logs.Schema, pairs ...string) Seen {
	return s.say(t, h, esxiPID(h), sc, append(pairs, "n", itoa(1000+int(t.Unix()/30%9000)), "by", by, "op", fmt.Sprintf("%04x-%04x", r.Uint32N(1<<16), r.Uint32N(1<<16)), "thread", itoa(esxiPID(h)+1+r.Uint32N(90)))...)
}

const hostClient = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"

// HostClient is somebody at the management page of an ESXi host, or a program
// at its interface: agent is what it calls itself, "" for a browser.
func (s *Scene) HostClient(r *rand.Rand, t time.Time, m Remote, agent string) Seen {
	if agent == "" {
		agent = hostClient
	}
	if m.For == 0 {
		m.For = between(r, 3*time.Minute, 15*time.Minute)
	}
	_, f := s.TLS(r, t, Conn{Src: m.Src, Dst: On(m.Dst), Cert: "self signed certificate", Out: 60_000 + r.Int64N(90_000), In: 900_000 + r.Int64N(3_000_000), For: m.For, Name: m.Dst.FQDN()})
	user := esxiUser(m.Account)
	in := s.hostEvent(r, ms(t, 2100), m.Dst, user, logs.ESXiLogin, "user", user, "ip", m.Src.Addr.String(), "agent", agent)
	f.see(in)
	s.hostEvent(r, t.Add(m.For), m.Dst, user, logs.ESXiLogout, "user", user, "ip", m.Src.Addr.String(), "agent", agent, "since", t.UTC().Format("Monday, 02 January, 2006 03:04:05 PM"))
	return f
}

func esxiUser(a *city.Account) string {
	if a.Domain.NetBIOS == "" {
		return a.Name
	}
	return a.Domain.NetBIOS + `\` + a.Name
}

// Root is the local superuser of a Unix machine.
func Root() *city.Account { return &city.Account{Domain: &city.Domain{}, Name: "root"} }

// AllowSSH is the shell of an ESXi host opened to the network, and a new
// password for root if asked for.
func (s *Scene) AllowSSH(r *rand.Rand, t time.Time, h *city.Host, by *city.Account, password bool) Seen {
	var f Seen
	user := esxiUser(by)
	f.see(s.hostEvent(r, t, h, user, logs.ESXiSSHOn))
	f.see(s.say(ms(t, 30), h, esxiPID(h)-40, logs.ESXiObserved, "us", itoa(t.UnixMicro()%1e12)))
	if password {
		f.see(s.hostEvent(r, t.Add(25*time.Second), h, user, logs.ESXiAccount, "account", "root", "host", h.Syslog.Computer))
	}
	return f
}

// SSH is a session at a Unix machine or an ESXi host. A client on Windows is a
// process there.
func (s *Scene) SSH(r *rand.Rand, t time.Time, m Remote) Seen {
	if m.For == 0 {
		m.For = between(r, time.Minute, 10*time.Minute)
	}
	c := Conn{Src: m.Src, Dst: On(m.Dst), Port: 22, Service: "ssh", App: "ssh", Out: 9_000 + r.Int64N(30_000), In: 20_000 + r.Int64N(200_000), For: m.For}
	if m.By.Host != nil && m.Src.Host != nil && m.Src.Host.Windows() {
		user := m.Account.Name
		p, _ := s.Start(r, t, m.By, Running(m.By, Explorer), `C:\Windows\System32\OpenSSH\ssh.exe`, `"C:\Windows\System32\OpenSSH\ssh.exe" `+user+"@"+m.Dst.Addr.String())
		c.By, t = &p, t.Add(time.Second)
	}
	c, f := s.Connect(r, t, c)
	ip, port, pid := c.Src.Addr.String(), itoa(c.SrcPort), 2100000+r.Uint32N(90000)
	user := esxiUser(m.Account)
	if len(m.Dst.Guests) == 0 {
		f.see(s.say(ms(t, 900), m.Dst, pid%60000, logs.SSHIn, "user", user, "ip", ip, "port", port))
		return f
	}
	f.see(s.say(ms(t, 40), m.Dst, pid, logs.ESXiSSHFrom, "ip", ip, "port", port))
	f.see(s.say(ms(t, 4200), m.Dst, pid, logs.ESXiSSHIn, "user", user, "ip", ip, "port", port))
	f.see(s.say(ms(t, 4240), m.Dst, esxiPID(m.Dst)-40, logs.ESXiSession, "us", itoa(t.UnixMicro()%1e12), "user", user, "ip", ip))
	s.say(t.Add(m.For), m.Dst, pid, logs.ESXiSSHOut, "user", user)
	return f
}

// Shell is a command typed in the shell of an ESXi host.
func (s *Scene) Shell(t time.Time, h *city.Host, session uint32, command string) Seen {
	return s.say(t, h, session, logs.ESXiShell, "command", command)
}

// Power switches a guest on or off.
func (s *Scene) Power(r *rand.Rand, t time.Time, host, guest *city.Host, by string, on bool) Seen {
	sc := logs.ESXiPowerOff
	if on {
		sc = logs.ESXiPowerOn
	}
	return s.hostEvent(r, t, host, by, sc, "vm", guest.Key(), "host", host.Syslog.Computer)
}

// Snapshot is a task on a guest's snapshots: createSnapshot, removeAllSnapshots.
func (s *Scene) Snapshot(r *rand.Rand, t time.Time, host, guest *city.Host, by, what string) Seen {
	return s.hostEvent(r, t, host, by, logs.ESXiTask, "vm", itoa(1+int(hash(guest.Name))%40), "what", what)
}

// Mount is a share of a NAS opened.
func (s *Scene) Mount(r *rand.Rand, t time.Time, from End, nas *city.Host, user string, d time.Duration) Seen {
	_, f := s.Connect(r, t, Conn{Src: from, Dst: On(nas), Port: 445, Service: "smb,ntlm", Out: 6000 + r.Int64N(90000), In: 20000 + r.Int64N(4_000_000), For: d})
	f.see(s.say(ms(t, 160), nas, 0, logs.NASLogin, "user", user, "ip", from.Addr.String()))
	return f
}

// Stored is a file read, written or renamed on a NAS, as its transfer log has
// it.
func (s *Scene) Stored(r *rand.Rand, t time.Time, nas *city.Host, from End, user, event, path string, size int64) Seen {
	return s.say(t, nas, 0, logs.NASFile, "event", event, "path", path, "size", fmt.Sprintf("%.2f MB", float64(size)/1e6), "user", user, "ip", from.Addr.String())
}

// Letter is a mail.
type Letter struct {
	From     string // address of the sender
	To       *city.Account
	Subject  string
	Size     int64
	Server   string // name by which the sending server greets
	Mistyped bool   // nobody has that address
}

// Mail comes in from outside over the mail gateway.
func (s *Scene) Mail(r *rand.Rand, t time.Time, from End, l Letter) Seen {
	gw := s.City.Srv.Gateway
	c, f := s.Connect(r, t, Conn{Src: from, Dst: On(gw), Port: 25, Service: "smtp,ssl", App: "smtp", Out: l.Size + 900, In: 1800, For: between(r, time.Second, 9*time.Second)})
	ip, pid := from.Addr.String(), 1000+r.Uint32N(40000)
	to := Mailbox(l.To)
	if l.Mistyped {
		s.say(ms(t, 700), gw, pid, logs.MailRefused, "name", l.Server, "ip", ip, "to", "x"+to, "from", l.From, "helo", l.Server)
		return f
	}
	id, msg := fmt.Sprintf("%010X", r.Uint64N(1<<40)), fmt.Sprintf("%x@%s", r.Uint64(), l.Server)
	size := itoa(l.Size)
	f.see(s.say(ms(t, 700), gw, pid, logs.MailFrom, "id", id, "name", l.Server, "ip", ip))
	s.say(ms(t, 850), gw, pid+1, logs.MailID, "id", id, "message", msg)
	f.see(s.say(ms(t, 1400), gw, 911, logs.MailQueued, "id", id, "from", l.From, "size", size))
	took := 600 + r.IntN(3000)
	f.see(s.say(ms(t, 1500+took), gw, pid+2, logs.MailScanned, "n", fmt.Sprintf("%05d-%02d", pid, r.IntN(20)), "verdict", "{RelayedInbound}", "ip", ip, "port", itoa(c.SrcPort), "from", l.From, "to", to, "id", id, "message", msg,
		"hits", fmt.Sprintf("%.3f", r.NormFloat64()*1.4), "size", size, "subject", l.Subject, "ms", itoa(took)))
	s.say(ms(t, 2600+took), gw, pid+3, logs.MailSent, "id", id, "to", to, "message", msg, "relay", "dib-mail01."+s.City.Bureau.Domain.DNS+"["+s.City.Srv.Mail.Addr.String()+"]", "delay", fmt.Sprintf("%.1f", 2+float64(took)/1000))
	return f
}

// Mailbox is somebody's mail address.
func Mailbox(a *city.Account) string { return a.Name + "@" + a.Domain.DNS }
