// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strconv"
	"strings"

	"citywall/asset"
)

// viewWindows reads Windows event log records. Field names are those of the
// providers' manifests (Microsoft Learn, "Appendix L: Events to Monitor" and the
// Sysmon page); attackpath.md §2 says which matter.
func viewWindows(e *Event, v *View) {
	f := e.Fields
	v.Host = asset.HostName(f.Str("Computer"))
	v.EventID = f.Str("EventID")
	v.Channel = f.Str("Channel")
	switch strings.ToLower(v.Channel) {
	case "security":
		windowsSecurity(f, v)
	case "system":
		windowsSystem(f, v)
	case "microsoft-windows-sysmon/operational":
		sysmon(f, v)
	case "microsoft-windows-terminalservices-localsessionmanager/operational", "microsoft-windows-terminalservices-remoteconnectionmanager/operational":
		terminalServices(f, v)
	case "microsoft-windows-powershell/operational", "powershellcore/operational", "windows powershell":
		v.User = asset.ParseAccount("", f.Str("Security_UserID"))
		if v.EventID == "4104" || v.EventID == "4103" {
			v.Action, v.Command = Script, f.First("ScriptBlockText", "Payload")
			v.File = f.Str("Path")
		} else {
			v.Command = f.First("HostApplication", "CommandLine")
		}
	case "microsoft-windows-windows defender/operational":
		switch v.EventID {
		case "1006", "1007", "1008", "1015", "1116", "1117", "1118", "1119":
			v.Action = Alert
		}
		v.Message = f.First("Threat Name", "ThreatName", "Product Name")
		v.File = f.First("Path", "FileName")
		v.User = asset.ParseAccount("", f.First("Detection User", "DetectionUser", "User"))
		v.Process = f.First("Process Name", "ProcessName")
	case "microsoft-windows-taskscheduler/operational":
		v.Message = f.Str("TaskName")
		v.User = asset.ParseAccount("", f.First("UserContext", "UserName"))
		if v.EventID == "106" {
			v.Action = Task
		}
	case "microsoft-windows-winrm/operational":
		v.Message = f.First("connection", "resourceUri", "operationName")
	}
}

// subject is who did it, target whose account it was done with.
func subject(f Fields) asset.Account {
	return asset.ParseAccount(f.Str("SubjectDomainName"), f.Str("SubjectUserName"))
}

func target(f Fields) asset.Account {
	return asset.ParseAccount(f.Str("TargetDomainName"), f.Str("TargetUserName"))
}

// from sets where a remote action came from. WorkstationName is written by the
// client and proves nothing; it is kept as a name only.
func from(f Fields, v *View) {
	v.Src = addr(f.First("IpAddress", "ClientAddress"))
	v.SrcPort = port(f.Str("IpPort"))
	v.SrcHost = asset.HostName(f.First("WorkstationName", "ClientName", "Workstation"))
	v.DstHost = v.Host
}

func windowsSecurity(f Fields, v *View) {
	switch v.EventID {
	case "4624", "4625":
		v.Action, v.Outcome = Logon, Success
		if v.EventID == "4625" {
			v.Action, v.Outcome, v.Message = LogonFailed, Failure, f.First("SubStatus", "Status")
		}
		v.User = target(f)
		v.Logon, _ = strconv.Atoi(f.Str("LogonType"))
		v.Session, v.Process = f.Str("TargetLogonId"), f.Str("ProcessName")
		from(f, v)
		if v.Logon == 9 { // new credentials: the caller stays, the network sees another
			v.Target = asset.ParseAccount(f.Str("TargetOutboundDomainName"), f.Str("TargetOutboundUserName"))
		}
	case "4634", "4647":
		v.Action, v.User, v.Session = Logoff, target(f), f.Str("TargetLogonId")
		v.Logon, _ = strconv.Atoi(f.Str("LogonType"))
	case "4648":
		v.Action, v.User, v.Target = Credential, subject(f), target(f)
		v.Session, v.Process = f.Str("SubjectLogonId"), f.Str("ProcessName")
		v.SrcHost = v.Host
		if v.DstHost = asset.HostName(f.Str("TargetServerName")); v.DstHost == "localhost" {
			v.DstHost = v.Host
		}
		v.Dst = addr(f.Str("IpAddress"))
	case "4672":
		v.Action, v.User, v.Session, v.Message = Privilege, subject(f), f.Str("SubjectLogonId"), f.Str("PrivilegeList")
	case "4768", "4769", "4771":
		v.Action, v.Outcome = Ticket, Success
		if s := f.Str("Status"); v.EventID == "4771" || s != "" && s != "0x0" {
			v.Outcome = Failure
		}
		v.User, v.Message = target(f), f.Str("ServiceName")
		v.Observer, v.Host = v.Host, ""
		v.Src, v.SrcPort = addr(f.Str("IpAddress")), port(f.Str("IpPort"))
		v.HostAddr = v.Src
		if s := f.Str("ServiceName"); v.EventID == "4769" && strings.HasSuffix(s, "$") {
			v.DstHost = asset.HostName(strings.TrimSuffix(s, "$"))
		}
		v.Session = f.Str("LogonGuid")
	case "4776":
		v.Action, v.Outcome = Ticket, Success
		if s := f.Str("Status"); s != "" && s != "0x0" {
			v.Outcome = Failure
		}
		v.User = asset.ParseAccount("", f.Str("TargetUserName"))
		v.Observer, v.Host = v.Host, ""
		v.SrcHost = asset.HostName(f.Str("Workstation"))
	case "4778", "4779":
		v.Action = Logon
		if v.EventID == "4779" {
			v.Action = Logoff
		}
		v.User, v.Session, v.Logon = asset.ParseAccount(f.Str("AccountDomain"), f.Str("AccountName")), f.Str("LogonID"), 10
		from(f, v)
	case "5140", "5145":
		v.Action, v.User, v.Session = Share, subject(f), f.Str("SubjectLogonId")
		from(f, v)
		v.Message, v.File = f.Str("ShareName"), f.Str("RelativeTargetName")
		v.DstPort, v.Proto = 445, "tcp"
	case "4688":
		v.Action, v.User, v.Session = Process, subject(f), f.Str("SubjectLogonId")
		v.Process, v.Parent, v.Command = f.Str("NewProcessName"), f.Str("ParentProcessName"), f.Str("CommandLine")
		v.Target = target(f)
	case "4697":
		v.Action, v.User, v.Session = Service, subject(f), f.Str("SubjectLogonId")
		v.Message, v.Command = f.Str("ServiceName"), f.Str("ServiceFileName")
	case "4698", "4702":
		v.Action, v.User, v.Session = Task, subject(f), f.Str("SubjectLogonId")
		v.Message, v.Command = f.Str("TaskName"), f.First("TaskContent", "TaskContentNew")
	case "4663", "4656", "4660":
		v.Action, v.User, v.Session = File, subject(f), f.Str("SubjectLogonId")
		v.File, v.Process = f.Str("ObjectName"), f.Str("ProcessName")
	case "5136", "5137", "5141":
		v.User, v.Message, v.Session = subject(f), f.Str("ObjectDN"), f.Str("SubjectLogonId")
	case "5156", "5157":
		v.Action = Flow
		if v.EventID == "5157" {
			v.Action = FlowRefused
		}
		v.Src, v.Dst = addr(f.Str("SourceAddress")), addr(f.Str("DestAddress"))
		v.SrcPort, v.DstPort = port(f.Str("SourcePort")), port(f.Str("DestPort"))
		v.Process, v.Proto = f.Str("Application"), protoName(f.Str("Protocol"))
	case "1102":
		v.Action, v.User = LogCleared, subject(f)
	default:
		v.User, v.Target, v.Session = subject(f), target(f), f.Str("SubjectLogonId")
		v.Process = f.Str("ProcessName")
	}
}

func windowsSystem(f Fields, v *View) {
	switch v.EventID {
	case "7045":
		v.Action = Service
		v.Message, v.Command = f.Str("ServiceName"), f.Str("ImagePath")
		v.User = asset.ParseAccount("", f.Str("AccountName"))
	case "104":
		v.Action = LogCleared
		v.User = asset.ParseAccount(f.Str("SubjectDomainName"), f.Str("SubjectUserName"))
		v.Message = f.Str("UserData.Channel")
	case "7036", "7040":
		v.Message = f.First("param1", "Data")
	}
}

func sysmon(f Fields, v *View) {
	v.User = asset.ParseAccount("", f.Str("User"))
	v.Process, v.Session = f.Str("Image"), f.Str("LogonId")
	v.Hash = hashOf(f.First("Hashes", "Hash"))
	switch v.EventID {
	case "1":
		v.Action = Process
		v.Parent, v.Command = f.Str("ParentImage"), f.Str("CommandLine")
	case "3":
		v.Action = Flow
		v.Src, v.Dst = addr(f.Str("SourceIp")), addr(f.Str("DestinationIp"))
		v.SrcPort, v.DstPort = port(f.Str("SourcePort")), port(f.Str("DestinationPort"))
		v.SrcHost, v.DstHost = asset.HostName(f.Str("SourceHostname")), asset.HostName(f.Str("DestinationHostname"))
		v.Proto = strings.ToLower(f.Str("Protocol"))
		if f.Str("Initiated") == "false" {
			v.HostAddr = v.Dst
		} else {
			v.HostAddr = v.Src
		}
	case "2", "11", "15", "23", "26", "29":
		v.Action, v.File = File, f.Str("TargetFilename")
	case "6", "7":
		v.File = f.Str("ImageLoaded")
	case "8", "10":
		v.Process, v.File = f.Str("SourceImage"), f.Str("TargetImage")
	case "12", "13", "14":
		v.File, v.Message = f.Str("TargetObject"), f.Str("Details")
	case "17", "18":
		v.File = f.Str("PipeName")
	case "22":
		v.Action, v.Message = DNS, f.Str("QueryName")
		v.Answer = strings.ReplaceAll(f.Str("QueryResults"), ";", ", ")
	}
}

// terminalServices reads RDP session records: they stay when Security is gone.
func terminalServices(f Fields, v *View) {
	switch v.EventID {
	case "1149":
		v.Action, v.Outcome, v.Logon = Logon, Success, 10
		v.User = asset.ParseAccount(f.Str("Param2"), f.Str("Param1"))
		v.Src = addr(f.Str("Param3"))
	case "21", "22", "25":
		v.Action, v.Outcome, v.Logon = Logon, Success, 10
		v.User, v.Src, v.Session = asset.ParseAccount("", f.Str("User")), addr(f.Str("Address")), f.Str("SessionID")
	case "23", "24":
		v.Action, v.Logon = Logoff, 10
		v.User, v.Src, v.Session = asset.ParseAccount("", f.Str("User")), addr(f.Str("Address")), f.Str("SessionID")
	}
	v.DstHost, v.DstPort, v.Proto = v.Host, 3389, "tcp"
}

// protoName turns an IP protocol number into a name.
func protoName(s string) string {
	switch s {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "1", "58":
		return "icmp"
	}
	return strings.ToLower(s)
}
