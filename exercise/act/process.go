// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// Proc is a running process.
type Proc struct {
	Actor
	Image, Command string
	GUID           string
	PID            uint32
}

// user is how Sysmon writes the process's user.
func (p *Proc) user() string {
	if p.Account == nil {
		return `NT AUTHORITY\SYSTEM`
	}
	return p.Account.Domain.NetBIOS + `\` + p.Account.Name
}

// Running returns a process that was there before: services.exe, explorer.exe.
// The same host and image have the same ids.
func Running(who Actor, image string) Proc {
	n := hash(who.Host.Name + image + who.Logon)
	return Proc{Actor: who, Image: image, Command: image, PID: 500 + n%2000*4, GUID: logs.GUIDOf(uint64(hash(who.Host.Name))<<32|uint64(n), uint64(n)<<20)}
}

// Images that start others.
const (
	Services = `C:\Windows\System32\services.exe`
	Svchost  = `C:\Windows\System32\svchost.exe`
	Explorer = `C:\Windows\explorer.exe`
	Cmd      = `C:\Windows\System32\cmd.exe`
	Posh     = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`
	W3WP     = `C:\Windows\System32\inetsrv\w3wp.exe`
	Tomcat   = `C:\Program Files\Apache Software Foundation\Tomcat 9.0\bin\Tomcat9.exe`
	WmiPrvSE = `C:\Windows\System32\wbem\WmiPrvSE.exe`
	WsmProv  = `C:\Windows\System32\wsmprovhost.exe`
	Mstsc    = `C:\Windows\System32\mstsc.exe`
	Lsass    = `C:\Windows\System32\lsass.exe`
	kernel   = `System`
)

// Start runs a program. Where Sysmon runs it is a Sysmon 1 record, else a 4688.
func (s *Scene) Start(r *rand.Rand, t time.Time, who Actor, parent Proc, image, command string) (Proc, Seen) {
	p := Proc{Actor: who, Image: image, Command: command, PID: 1000 + r.Uint32N(14000)*4}
	p.GUID = logs.GUIDOf(uint64(hash(who.Host.Name))<<32|r.Uint64N(1<<32), r.Uint64())
	if !who.Host.Sysmon {
		return p, s.processAudit(r, t, &p, &parent)
	}
	level, dir := "High", `C:\Windows\system32\`
	switch {
	case who.Account == nil:
		level = "System"
	case who.Account.Kind == city.Person:
		level, dir = "Medium", `C:\Users\`+who.Account.Name+`\`
	case who.Account.Kind == city.Service:
		level = "High"
	}
	m := metaOf(image)
	return p, s.sysmon(r, t, who.Host, logs.SysmonProcess,
		"ProcessGuid", p.GUID, "ProcessId", itoa(p.PID), "Image", image, "FileVersion", m.version, "Description", m.description, "Product", m.product, "Company", m.company,
		"OriginalFileName", m.original, "CommandLine", command, "CurrentDirectory", dir, "User", p.user(), "LogonId", who.Logon, "TerminalSessionId", itoa(who.Session),
		"IntegrityLevel", level, "Hashes", s.hashesOf(image), "ParentProcessGuid", parent.GUID, "ParentProcessId", itoa(parent.PID), "ParentImage", parent.Image,
		"ParentCommandLine", parent.Command, "ParentUser", parent.user())
}

func (s *Scene) processAudit(r *rand.Rand, t time.Time, p, parent *Proc) Seen {
	return s.windows(r, t, p.Host, logs.ProcessCreated, append(subject(p.Actor),
		"NewProcessId", hex(p.PID), "NewProcessName", p.Image, "ProcessId", hex(parent.PID), "CommandLine", p.Command, "ParentProcessName", parent.Image)...)
}

func hex(n uint32) string { return "0x" + strconv.FormatUint(uint64(n), 16) }

// subject fills the Subject fields of a Security record.
func subject(a Actor) []string {
	if a.Account == nil {
		return []string{"SubjectUserSid", "S-1-5-18", "SubjectUserName", a.Host.Name + "$", "SubjectDomainName", a.Host.Agency.Domain.NetBIOS, "SubjectLogonId", "0x3e7"}
	}
	return []string{"SubjectUserSid", a.Account.SID, "SubjectUserName", a.Account.Name, "SubjectDomainName", a.Account.Domain.NetBIOS, "SubjectLogonId", a.Logon}
}

// File is a file created or overwritten, as Sysmon 11 reports it.
func (s *Scene) File(r *rand.Rand, t time.Time, p Proc, path string) Seen {
	return s.sysmon(r, t, p.Host, logs.SysmonFile, "ProcessGuid", p.GUID, "ProcessId", itoa(p.PID), "Image", p.Image, "TargetFilename", path,
		"CreationUtcTime", s.local(p.Host, t), "User", p.user())
}

// local is a time by the clock of a machine, as Sysmon writes it.
func (s *Scene) local(h *city.Host, t time.Time) string {
	if h.Logs != nil {
		t = t.Add(h.Logs.Offset)
	}
	return logs.SysmonTime(t)
}

// Delete is a file deleted, as Sysmon 26 reports it.
func (s *Scene) Delete(r *rand.Rand, t time.Time, p Proc, path string) Seen {
	return s.sysmon(r, t, p.Host, logs.SysmonDeleted, "ProcessGuid", p.GUID, "ProcessId", itoa(p.PID), "User", p.user(), "Image", p.Image,
		"TargetFilename", path, "Hashes", s.hashesOf(path))
}

// Open is one process opening another with the given rights (Sysmon 10).
func (s *Scene) Open(r *rand.Rand, t time.Time, p, target Proc, rights, trace string) Seen {
	return s.sysmon(r, t, p.Host, logs.SysmonAccess, "SourceProcessGUID", p.GUID, "SourceProcessId", itoa(p.PID), "SourceThreadId", itoa(1000+r.Uint32N(900)*4), "SourceImage", p.Image,
		"TargetProcessGUID", target.GUID, "TargetProcessId", itoa(target.PID), "TargetImage", target.Image, "GrantedAccess", rights, "CallTrace", trace,
		"SourceUser", p.user(), "TargetUser", target.user())
}

// End is the end of a process (Sysmon 5).
func (s *Scene) End(r *rand.Rand, t time.Time, p Proc) Seen {
	return s.sysmon(r, t, p.Host, logs.SysmonEnd, "ProcessGuid", p.GUID, "ProcessId", itoa(p.PID), "Image", p.Image, "User", p.user())
}

// Driver is a kernel driver loaded (Sysmon 6).
func (s *Scene) Driver(r *rand.Rand, t time.Time, h *city.Host, path, signer string) Seen {
	return s.sysmon(r, t, h, logs.SysmonDriver, "ImageLoaded", path, "Hashes", s.hashesOf(path), "Signature", signer)
}

// RegistryValue is a registry value set (Sysmon 13).
func (s *Scene) RegistryValue(r *rand.Rand, t time.Time, p Proc, object, details string) Seen {
	return s.sysmon(r, t, p.Host, logs.SysmonValue, "ProcessGuid", p.GUID, "ProcessId", itoa(p.PID), "Image", p.Image, "TargetObject", object, "Details", details, "User", p.user())
}

// Script is a PowerShell script block (4104).
func (s *Scene) Script(r *rand.Rand, t time.Time, p Proc, text string) Seen {
	if p.Host.Logs == nil {
		return Seen{}
	}
	rec := s.event(r, t, p.Host, logs.ScriptBlock, "ScriptBlockText", text, "ScriptBlockId", strings.ToLower(strings.Trim(guid(r), "{}")))
	rec.PID = p.PID
	if p.Account != nil {
		rec.User = p.Account.SID
	}
	return s.emit(rec)
}

// ServiceState is a service that started or stopped (7036).
func (s *Scene) ServiceState(r *rand.Rand, t time.Time, h *city.Host, name, state string) Seen {
	return s.windows(r, t, h, logs.ServiceState, "param1", name, "param2", state)
}

// DefenderOff is real-time protection switched off (5001).
func (s *Scene) DefenderOff(r *rand.Rand, t time.Time, h *city.Host) Seen {
	return s.windows(r, t, h, logs.DefenderOff)
}

// ClearLog is the audit log cleared (1102).
func (s *Scene) ClearLog(r *rand.Rand, t time.Time, who Actor) Seen {
	return s.windows(r, t, who.Host, logs.LogCleared, subject(who)...)
}

// InstallService writes what the service manager and the audit say of a new
// service.
func (s *Scene) InstallService(r *rand.Rand, t time.Time, who Actor, name, image string, driver bool) Seen {
	typ, code := "user mode service", "0x10"
	account := "LocalSystem"
	if driver {
		typ, code, account = "kernel mode driver", "0x1", ""
	}
	var f Seen
	if who.Host.Logs != nil {
		rec := s.event(r, t, who.Host, logs.ServiceInstalled, "ServiceName", name, "ImagePath", image, "ServiceType", typ, "AccountName", account)
		if rec.User = "S-1-5-18"; who.Account != nil {
			rec.User = who.Account.SID
		}
		f.see(s.emit(rec))
	}
	f.see(s.windows(r, ms(t, 4), who.Host, logs.ServiceAdded, append(subject(who), "ServiceName", name, "ServiceFileName", image, "ServiceType", code)...))
	return f
}

// meta is what Sysmon reads from an image's version resource.
type meta struct{ version, description, product, company, original string }

var nothing = meta{"-", "-", "-", "-", "-"}

// metaOf returns the version resource of well-known programs; Microsoft's own
// share product and company.
func metaOf(image string) meta {
	base := strings.ToLower(image[strings.LastIndexByte(image, '\\')+1:])
	if d, ok := descriptions[base]; ok && strings.HasPrefix(image, `C:\Windows\`) {
		name := base
		if base == "cmd.exe" || base == "powershell.exe" || base == "net.exe" {
			name = map[string]string{"cmd.exe": "Cmd.Exe", "powershell.exe": "PowerShell.EXE", "net.exe": "net.exe"}[base]
		}
		return meta{"10.0.17763.1 (WinBuild.160101.0800)", d, "Microsoft® Windows® Operating System", "Microsoft Corporation", name}
	}
	if m, ok := products[base]; ok {
		return m
	}
	return nothing
}

var descriptions = map[string]string{
	"cmd.exe": "Windows Command Processor", "powershell.exe": "Windows PowerShell", "net.exe": "Net Command", "net1.exe": "Net Command", "whoami.exe": "whoami - displays logged on user information",
	"ipconfig.exe": "IP Configuration Utility", "systeminfo.exe": "Displays system information", "nltest.exe": "Microsoft® Logon Server Test Utility", "tasklist.exe": "Lists the current running tasks",
	"svchost.exe": "Host Process for Windows Services", "rundll32.exe": "Windows host process (Rundll32)", "vssadmin.exe": "Command Line Interface for Microsoft® Volume Shadow Copy Service ",
	"wbadmin.exe": "Command Line Interface for Microsoft® BLB Backup", "bcdedit.exe": "Boot Configuration Data Editor", "sc.exe": "Service Control Manager Configuration Tool", "mstsc.exe": "Remote Desktop Connection",
	"wsmprovhost.exe": "Host process for WinRM plug-ins", "taskhostw.exe": "Host Process for Windows Tasks", "conhost.exe": "Console Window Host", "gpupdate.exe": "Microsoft® Group Policy Update Utility",
	"mmc.exe": "Microsoft Management Console", "notepad.exe": "Notepad", "reg.exe": "Registry Console Tool", "backgroundtaskhost.exe": "Background Task Host", "searchindexer.exe": "Microsoft Windows Search Indexer",
	"dllhost.exe": "COM Surrogate", "msiexec.exe": "Windows® installer", "certutil.exe": "CertUtil.exe", "wevtutil.exe": "Eventing Command Line Utility", "schtasks.exe": "Task Scheduler Configuration Tool",
	"userinit.exe": "Userinit Logon Application", "werfault.exe": "Windows Problem Reporting", "wmic.exe": "WMI Commandline Utility", "quser.exe": "Query User Utility", "dsquery.exe": "Microsoft AD DS/LDS query command line utility",
	"csc.exe": "Visual C# Command Line Compiler", "ping.exe": "TCP/IP Ping Command", "arp.exe": "TCP/IP Arp Command", "netstat.exe": "TCP/IP Netstat Command",
}

var products = map[string]meta{
	"chrome.exe":   {"131.0.6778.86", "Google Chrome", "Google Chrome", "Google LLC", "chrome.exe"},
	"msedge.exe":   {"131.0.2903.70", "Microsoft Edge", "Microsoft Edge", "Microsoft Corporation", "msedge.exe"},
	"winword.exe":  {"16.0.17928.20216", "Microsoft Word", "Microsoft Office", "Microsoft Corporation", "WinWord.exe"},
	"excel.exe":    {"16.0.17928.20216", "Microsoft Excel", "Microsoft Office", "Microsoft Corporation", "Excel.exe"},
	"outlook.exe":  {"16.0.17928.20216", "Microsoft Outlook", "Microsoft Office", "Microsoft Corporation", "Outlook.exe"},
	"acrord32.exe": {"24.4.20272.0", "Adobe Acrobat Reader", "Adobe Acrobat Reader", "Adobe Systems Incorporated", "AcroRd32.exe"},
	"7z.exe":       {"24.08", "7-Zip Console", "7-Zip", "Igor Pavlov", "7z.exe"},
	"rclone.exe":   {"1.66.0", "Rsync for cloud storage", "Rclone", "https://rclone.org", "rclone.exe"},
	"msmpeng.exe":  {"4.18.24090.11", "Antimalware Service Executable", "Microsoft® Windows® Operating System", "Microsoft Corporation", "MsMpEng.exe"},
}
