// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// Tool is a product for remote management, which help desks and intruders use
// alike.
type Tool struct {
	Name    string
	Setup   string // file a user or an administrator runs
	Service string
	Image   string // of the service; %s is the instance
	Args    string
	Runner  string // what commands are children of, "" for the service itself
	Domain  string // of the relays
	Port    uint16
}

// Tools lists them.
func Tools() []Tool {
	return []Tool{
		{"ScreenConnect", "ScreenConnect.ClientSetup.exe", "ScreenConnect Client (%s)", `C:\Program Files (x86)\ScreenConnect Client (%s)\ScreenConnect.ClientService.exe`, ` "?e=Access&y=Guest&h=%s&p=443&s=b2b1c7f4"`, "", "relay.screenconnect.example", 443},
		{"AnyDesk", "AnyDesk.exe", "AnyDesk Service", `C:\Program Files (x86)\AnyDesk\AnyDesk.exe`, ` --service`, "", "net.anydesk.example", 443},
		{"Atera", "setup_undefined.msi", "AteraAgent", `C:\Program Files\ATERA Networks\AteraAgent\AteraAgent.exe`, "", `C:\Program Files\ATERA Networks\AteraAgent\Packages\AgentPackageRunCommandInteractive\AgentPackageRunCommandInteractive.exe`, "agent-api.atera.example", 443},
	}
}

// Agent is a tool's service on one machine: whose it is, is in Instance and
// Relay.
type Agent struct {
	Tool
	Instance string     // of the account with the maker, 16 hex digits
	Relay    netip.Addr // where it calls
	Host     *city.Host
}

func (a *Agent) name() string { return fill(a.Service, a.Instance) }
func (a *Agent) image() string {
	return fill(a.Image, a.Instance)
}
func (a *Agent) relay() string { return "i" + a.Instance[:6] + "." + a.Domain }
func (a *Agent) command() string {
	return `"` + a.image() + `"` + fill(a.Args, a.relay())
}

// fill puts s in the place of %s, if there is one.
func fill(pattern, s string) string { return strings.Replace(pattern, "%s", s, 1) }

// Process is the agent's service.
func (a *Agent) Process() Proc {
	p := Running(System(a.Host), a.image())
	p.Command = a.command()
	return p
}

// Install sets the agent up once its setup runs: the installer, the
// service, its first call.
func (s *Scene) Install(r *rand.Rand, t time.Time, a *Agent) Seen {
	h := a.Host
	sys := System(h)
	msi, _ := s.Start(r, t.Add(4*time.Second), sys, Running(sys, Services), `C:\Windows\System32\msiexec.exe`, `C:\Windows\system32\msiexec.exe /V`)
	s.File(r, t.Add(7*time.Second), msi, a.image())
	f := s.InstallService(r, t.Add(8*time.Second), sys, a.name(), a.command(), false)
	_, at := s.Start(r, t.Add(8500*time.Millisecond), sys, Running(sys, Services), a.image(), a.command())
	f.see(at)
	s.ServiceState(r, t.Add(8700*time.Millisecond), h, a.name(), "running")
	return f
}

// Call is the agent's standing connection to its relay for some time.
func (s *Scene) Call(r *rand.Rand, t time.Time, a *Agent, d time.Duration, out, in int64) Seen {
	p := a.Process()
	s.Resolve(r, t, a.Host, a.relay(), a.Relay)
	s.Asked(r, t, p, a.relay(), a.Relay)
	_, f := s.TLS(r, ms(t, 40), Conn{Src: On(a.Host), Dst: End{Addr: a.Relay}, Port: a.Port, Out: out, In: in, For: d, By: &p, Name: a.relay()})
	return f
}

// Order is a command that comes down through the agent.
func (s *Scene) Order(r *rand.Rand, t time.Time, a *Agent, image, command string) (Proc, Seen) {
	sys, parent := System(a.Host), a.Process()
	if a.Runner != "" {
		parent, _ = s.Start(r, t, sys, parent, a.Runner, `"`+a.Runner+`"`)
		t = ms(t, 120)
	}
	return s.Start(r, t, sys, parent, image, command)
}

// Stick is a removable disk.
type Stick struct{ Vendor, Serial string }

// PlugIn is a stick put into a machine (6416). It gets the letter E.
func (s *Scene) PlugIn(r *rand.Rand, t time.Time, h *city.Host, d Stick) Seen {
	return s.windows(r, t, h, logs.DeviceAdded, append(subject(System(h)),
		"DeviceId", `USBSTOR\Disk&Ven_`+d.Vendor+`&Prod_Ultra&Rev_1.00\`+d.Serial+`&0`, "DeviceDescription", d.Vendor+" Ultra USB Device", "ClassId", "{4D36E967-E325-11CE-BFC1-08002BE10318}", "ClassName", "DiskDrive",
		"VendorIds", "USBSTOR\\Disk"+d.Vendor+"\n\t\t\tUSBSTOR\\Disk", "CompatibleIds", "USBSTOR\\Disk\n\t\t\tUSBSTOR\\RAW\n\t\t\tGenDisk")...)
}

// Download is a file that a browser keeps, with the mark of where it came from
// (Sysmon 11 and 15).
func (s *Scene) Download(r *rand.Rand, t time.Time, p Proc, path, url string) Seen {
	f := s.File(r, t, p, path)
	f.see(s.sysmon(r, ms(t, 40), p.Host, logs.SysmonStream, "ProcessGuid", p.GUID, "ProcessId", itoa(p.PID), "Image", p.Image, "TargetFilename", path+":Zone.Identifier", "CreationUtcTime", s.local(p.Host, t),
		"Hash", s.hashesOf(path+":Zone.Identifier"), "Contents", "[ZoneTransfer]  ZoneId=3  HostUrl="+url, "User", p.user()))
	return f
}

// AddMember puts an account into a group, which is created first if it is new
// (4727, 4728 at a domain controller).
func (s *Scene) AddMember(r *rand.Rand, t time.Time, by Actor, d *city.Domain, a *city.Account, group string, fresh bool) Seen {
	at := by
	if at.Host != d.DCs[0] {
		at.Logon = logonID(r)
	}
	at.Host = d.DCs[0]
	sid := fmt.Sprintf("%s-%d", d.SID, 2000+hash(group)%900)
	var f Seen
	if fresh {
		f.see(s.windows(r, t, d.DCs[0], logs.GroupCreated, append(subject(at), "TargetUserName", group, "TargetDomainName", d.NetBIOS, "TargetSid", sid, "SamAccountName", group)...))
	}
	f.see(s.windows(r, t.Add(3*time.Second), d.DCs[0], logs.GroupMember, append(subject(at), "MemberName", "CN="+a.Name+",CN=Users,DC="+strings.ReplaceAll(d.DNS, ".", ",DC="), "MemberSid", a.SID,
		"TargetUserName", group, "TargetDomainName", d.NetBIOS, "TargetSid", sid)...))
	return f
}

// NewAccount is an account made and given its first password (4720, 4724).
func (s *Scene) NewAccount(r *rand.Rand, t time.Time, by Actor, a *city.Account) Seen {
	at := by
	at.Host, at.Logon = a.Domain.DCs[0], logonID(r)
	f := s.windows(r, t, at.Host, logs.UserCreated, append(subject(at), "TargetUserName", a.Name, "TargetDomainName", a.Domain.NetBIOS, "TargetSid", a.SID, "SamAccountName", a.Name, "UserPrincipalName", Mailbox(a))...)
	s.ResetPassword(r, t.Add(2*time.Second), by, a)
	return f
}

// ResetPassword is a password set by somebody else (4724).
func (s *Scene) ResetPassword(r *rand.Rand, t time.Time, by Actor, a *city.Account) Seen {
	at := by
	at.Host, at.Logon = a.Domain.DCs[0], logonID(r)
	return s.windows(r, t, at.Host, logs.PasswordReset, append(subject(at), "TargetUserName", a.Name, "TargetDomainName", a.Domain.NetBIOS, "TargetSid", a.SID)...)
}

// LockOut is an account locked after too many mistakes (4740).
func (s *Scene) LockOut(r *rand.Rand, t time.Time, a *city.Account, from *city.Host) Seen {
	d := dc(a.Domain, from.Name)
	return s.windows(r, t, d, logs.LockedOut, append(subject(System(d)), "TargetUserName", a.Name, "TargetDomainName", from.Name, "TargetSid", a.SID)...)
}

// Certificate is one issued by the domain's authority (4887).
func (s *Scene) Certificate(r *rand.Rand, t time.Time, h *city.Host) Seen {
	d := h.Agency.Domain.DCs[0]
	return s.windows(r, t, d, logs.CertIssued, "RequestId", itoa(1000+int(t.Unix()/60%90000)), "Requester", h.Agency.Domain.NetBIOS+`\`+h.Name+"$", "SubjectKeyIdentifier", fmt.Sprintf("%x", r.Uint64()), "Subject", "CN="+h.FQDN())
}

// Patch is an update installed, and a restart (19, 1074, 6005).
func (s *Scene) Patch(r *rand.Rand, t time.Time, h *city.Host, title string) {
	s.windows(r, t, h, logs.Updated, "updateTitle", title, "updateGuid", guid(r))
	s.windows(r, t.Add(90*time.Second), h, logs.Shutdown, "param1", `C:\Windows\system32\svchost.exe (`+h.Name+`)`, "param2", h.Name)
	s.windows(r, t.Add(160*time.Second), h, logs.LogStarted)
}
