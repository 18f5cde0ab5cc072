// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

// windows is what the System part of a schema's records has in common.
type windows struct {
	channel, provider, guid string
	id                      uint16
	version, level          uint8
	task                    uint16
	opcode                  uint8
	keywords                uint64
	words                   string // keywords as Winlogbeat words them
	taskName, opcodeName    string
	message                 string // first line of the rendered message
	qualifiers              int32  // classic providers; -1 for none
	userData                string // element of UserData; "" for EventData
	namespace               string
}

// Channels.
const (
	Security  = "Security"
	System    = "System"
	Sysmon    = "Microsoft-Windows-Sysmon/Operational"
	Sessions  = "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"
	Remote    = "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational"
	Shell     = "Microsoft-Windows-PowerShell/Operational"
	Defender  = "Microsoft-Windows-Windows Defender/Operational"
	Scheduler = "Microsoft-Windows-TaskScheduler/Operational"
	WinRM     = "Microsoft-Windows-WinRM/Operational"
	RDPCore   = "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational"
)

const (
	success = 0x8020000000000000
	failure = 0x8010000000000000
	classic = 0x8080000000000000
	general = 0x8000000000000000
)

func audit(id uint16, version uint8, task uint16, taskName, message, spec string) *Schema {
	w := windows{
		channel: Security, provider: "Microsoft-Windows-Security-Auditing", guid: "{54849625-5478-4994-A5BA-3E3B0328C30D}", id: id, version: version,
		task: task, keywords: success, words: "Audit Success", taskName: taskName, opcodeName: "Info", message: message, qualifiers: -1,
	}
	switch id {
	case 4625, 4771:
		w.keywords, w.words = failure, "Audit Failure"
	}
	return &Schema{Kind: Windows, Name: taskName, Fields: fields(spec, "-"), win: &w}
}

func sysmon(id uint16, version uint8, message, spec string) *Schema {
	return &Schema{Kind: Windows, Name: message, Fields: fields("RuleName UtcTime "+spec, "-"), win: &windows{
		channel: Sysmon, provider: "Microsoft-Windows-Sysmon", guid: "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}", id: id, version: version, level: 4,
		task: id, keywords: general, taskName: message, opcodeName: "Info", message: message, qualifiers: -1,
	}}
}

func scm(id uint16, message, spec string) *Schema {
	return &Schema{Kind: Windows, Name: message, Fields: fields(spec, ""), win: &windows{
		channel: System, provider: "Service Control Manager", guid: "{555908D1-A6D7-4695-8E1E-26931D2012F4}", id: id, level: 4,
		keywords: classic, words: "Classic", message: message, qualifiers: 16384,
	}}
}

func system(provider, guid string, id uint16, qualifiers int32, message, spec string) *Schema {
	return &Schema{Kind: Windows, Name: message, Fields: fields(spec, ""), win: &windows{
		channel: System, provider: provider, guid: guid, id: id, level: 4, keywords: classic, words: "Classic", message: message, qualifiers: qualifiers,
	}}
}

func operational(channel, provider, guid string, id uint16, version, level uint8, task uint16, message, spec string) *Schema {
	return &Schema{Kind: Windows, Name: message, Fields: fields(spec, ""), win: &windows{
		channel: channel, provider: provider, guid: guid, id: id, version: version, level: level, task: task,
		keywords: general, opcodeName: "Info", message: message, qualifiers: -1,
	}}
}

func userData(s *Schema, element, namespace string) *Schema {
	s.win.userData, s.win.namespace = element, namespace
	return s
}

const (
	subject     = "SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:hex64=0x3e7 "
	shareObject = "ObjectType=File IpAddress IpPort ShareName ShareLocalPath= "
	logonTail   = "TransmittedServices LmPackageName KeyLength:num=0 ProcessId:hex64=0x0 ProcessName IpAddress IpPort "

	powershell = "Microsoft-Windows-PowerShell"
	tsSession  = "Microsoft-Windows-TerminalServices-LocalSessionManager"
	tsRemote   = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"
	defender   = "Microsoft-Windows-Windows Defender"
	scheduler  = "Microsoft-Windows-TaskScheduler"
	winrm      = "Microsoft-Windows-WinRM"

	nsEventXML = "Event_NS"
)

// Security audit records (field names of the provider's manifest, Windows
// Server 2019).
var (
	Logon = audit(4624, 2, 12544, "Logon", "An account was successfully logged on.",
		"SubjectUserSid:sid=S-1-0-0 SubjectUserName SubjectDomainName SubjectLogonId:hex64=0x0 TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 LogonType:num LogonProcessName AuthenticationPackageName=Kerberos WorkstationName LogonGuid:guid={00000000-0000-0000-0000-000000000000} "+logonTail+
			"ImpersonationLevel=%%1833 RestrictedAdminMode TargetOutboundUserName TargetOutboundDomainName VirtualAccount=%%1843 TargetLinkedLogonId:hex64=0x0 ElevatedToken=%%1843")
	LogonFailed = audit(4625, 0, 12544, "Logon", "An account failed to log on.",
		"SubjectUserSid:sid=S-1-0-0 SubjectUserName SubjectDomainName SubjectLogonId:hex64=0x0 TargetUserSid:sid=S-1-0-0 TargetUserName TargetDomainName Status:hex32=0xc000006d FailureReason=%%2313 SubStatus:hex32=0xc000006a LogonType:num LogonProcessName=NtLmSsp AuthenticationPackageName=NTLM WorkstationName "+logonTail)
	Logoff         = audit(4634, 0, 12545, "Logoff", "An account was logged off.", "TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 LogonType:num")
	ExplicitLogon  = audit(4648, 0, 12544, "Logon", "A logon was attempted using explicit credentials.", subject+"LogonGuid:guid={00000000-0000-0000-0000-000000000000} TargetUserName TargetDomainName TargetLogonGuid:guid={00000000-0000-0000-0000-000000000000} TargetServerName TargetInfo ProcessId:hex64=0x4 ProcessName IpAddress IpPort")
	Special        = audit(4672, 0, 12548, "Special Logon", "Special privileges assigned to new logon.", subject+"PrivilegeList")
	ProcessCreated = audit(4688, 2, 13312, "Process Creation", "A new process has been created.", subject+"NewProcessId:hex64 NewProcessName TokenElevationType=%%1936 ProcessId:hex64 CommandLine= TargetUserSid:sid=S-1-0-0 TargetUserName TargetDomainName TargetLogonId:hex64=0x0 ParentProcessName MandatoryLabel:sid=S-1-16-8192")
	ServiceAdded   = audit(4697, 0, 12289, "Security System Extension", "A service was installed in the system.", subject+"ServiceName ServiceFileName ServiceType:hex32=0x10 ServiceStartType:num=3 ServiceAccount=LocalSystem")
	TaskCreated    = audit(4698, 0, 12804, "Other Object Access Events", "A scheduled task was created.", subject+"TaskName TaskContent=")
	TicketGranting = audit(4768, 0, 14339, "Kerberos Authentication Service", "A Kerberos authentication ticket (TGT) was requested.", "TargetUserName TargetDomainName TargetSid:sid ServiceName=krbtgt ServiceSid:sid TicketOptions:hex32=0x40810010 Status:hex32=0x0 TicketEncryptionType:hex32=0x12 PreAuthType=2 IpAddress IpPort CertIssuerName= CertSerialNumber= CertThumbprint=")
	ServiceTicket  = audit(4769, 0, 14337, "Kerberos Service Ticket Operations", "A Kerberos service ticket was requested.", "TargetUserName TargetDomainName ServiceName ServiceSid:sid TicketOptions:hex32=0x40810000 TicketEncryptionType:hex32=0x12 IpAddress IpPort Status:hex32=0x0 LogonGuid:guid TransmittedServices")
	PreAuthFailed  = audit(4771, 0, 14339, "Kerberos Authentication Service", "Kerberos pre-authentication failed.", "TargetUserName TargetSid:sid ServiceName TicketOptions:hex32=0x40810010 Status:hex32=0x18 PreAuthType=2 IpAddress IpPort CertIssuerName= CertSerialNumber= CertThumbprint=")
	NTLMChecked    = audit(4776, 0, 14336, "Credential Validation", "The computer attempted to validate the credentials for an account.", "PackageName=MICROSOFT_AUTHENTICATION_PACKAGE_V1_0 TargetUserName Workstation Status:hex32=0x0")
	ObjectModified = audit(5136, 0, 14081, "Directory Service Changes", "A directory service object was modified.", "OpCorrelationID:guid AppCorrelationID "+subject+"DSName DSType=%%14676 ObjectDN ObjectGUID:guid ObjectClass AttributeLDAPDisplayName AttributeSyntaxOID AttributeValue OperationType=%%14674")
	DeviceAdded    = audit(6416, 1, 13316, "Plug and Play Events", "A new external device was recognized by the System.", subject+"DeviceId DeviceDescription ClassId:guid ClassName VendorIds= CompatibleIds= LocationInformation=")
	GroupMember    = audit(4728, 0, 13826, "Security Group Management", "A member was added to a security-enabled global group.", "MemberName MemberSid:sid TargetUserName TargetDomainName TargetSid:sid "+subject+"PrivilegeList")
	GroupCreated   = audit(4727, 0, 13826, "Security Group Management", "A security-enabled global group was created.", "TargetUserName TargetDomainName TargetSid:sid "+subject+"PrivilegeList SamAccountName SidHistory")
	UserCreated    = audit(4720, 0, 13824, "User Account Management", "A user account was created.", "TargetUserName TargetDomainName TargetSid:sid "+subject+"PrivilegeList SamAccountName DisplayName UserPrincipalName HomeDirectory HomePath ScriptPath ProfilePath UserWorkstations PasswordLastSet AccountExpires PrimaryGroupId=513 AllowedToDelegateTo OldUacValue=0x0 NewUacValue=0x15 UserAccountControl UserParameters SidHistory LogonHours")
	PasswordReset  = audit(4724, 0, 13824, "User Account Management", "An attempt was made to reset an account's password.", "TargetUserName TargetDomainName TargetSid:sid "+subject)
	LockedOut      = audit(4740, 0, 13824, "User Account Management", "A user account was locked out.", "TargetUserName TargetDomainName TargetSid:sid "+subject)
	CertIssued     = audit(4887, 0, 12805, "Certification Services", "Certificate Services approved a certificate request and issued a certificate.", "RequestId:num Requester Attributes= Disposition:num=3 SubjectKeyIdentifier Subject=")
	ShareOpened    = audit(5140, 1, 12808, "File Share", "A network share object was accessed.", subject+shareObject+"AccessMask:hex32=0x1 AccessList=%%4416")
	ShareChecked   = audit(5145, 0, 12811, "Detailed File Share", "A network share object was checked to see whether client can be granted desired access.", subject+shareObject+"RelativeTargetName AccessMask:hex32=0x120089 AccessList=%%1538~%%1541~%%4416~%%4419~%%4423 AccessReason")
)

// Sysmon 13 records (schema 4.50).
var (
	SysmonProcess = sysmon(1, 5, "Process Create", "ProcessGuid:guid ProcessId:num Image FileVersion Description Product Company OriginalFileName CommandLine CurrentDirectory User LogonGuid:guid={00000000-0000-0000-0000-000000000000} LogonId:hex64=0x3e7 TerminalSessionId:num=0 IntegrityLevel=System Hashes ParentProcessGuid:guid ParentProcessId:num ParentImage ParentCommandLine ParentUser")
	SysmonConnect = sysmon(3, 5, "Network connection detected", "ProcessGuid:guid ProcessId:num Image User Protocol=tcp Initiated:bool=true SourceIsIpv6:bool=false SourceIp SourceHostname SourcePort:num SourcePortName DestinationIsIpv6:bool=false DestinationIp DestinationHostname DestinationPort:num DestinationPortName")
	SysmonEnd     = sysmon(5, 3, "Process terminated", "ProcessGuid:guid ProcessId:num Image User")
	SysmonDriver  = sysmon(6, 4, "Driver loaded", "ImageLoaded Hashes Signed=true Signature SignatureStatus=Valid")
	SysmonAccess  = sysmon(10, 3, "Process accessed", "SourceProcessGUID:guid SourceProcessId:num SourceThreadId:num SourceImage TargetProcessGUID:guid TargetProcessId:num TargetImage GrantedAccess:hex32 CallTrace SourceUser TargetUser")
	SysmonFile    = sysmon(11, 2, "File created", "ProcessGuid:guid ProcessId:num Image TargetFilename CreationUtcTime User")
	SysmonValue   = sysmon(13, 2, "Registry value set", "EventType=SetValue ProcessGuid:guid ProcessId:num Image TargetObject Details User")
	SysmonStream  = sysmon(15, 2, "File stream created", "ProcessGuid:guid ProcessId:num Image TargetFilename CreationUtcTime Hash Contents User")
	SysmonPipe    = sysmon(17, 1, "Pipe Created", "EventType=CreatePipe ProcessGuid:guid ProcessId:num PipeName Image User")
	SysmonDNS     = sysmon(22, 5, "Dns query", "ProcessGuid:guid ProcessId:num QueryName QueryStatus=0 QueryResults Image User")
	SysmonDeleted = sysmon(26, 1, "File Delete logged", "ProcessGuid:guid ProcessId:num User Image TargetFilename Hashes IsExecutable:bool=false")
)

// System, session, PowerShell, Defender, task and WinRM records.
var (
	ServiceInstalled = scm(7045, "A service was installed in the system.", "ServiceName ImagePath ServiceType=user~mode~service StartType=demand~start AccountName=LocalSystem")
	ServiceState     = scm(7036, "The service entered a new state.", "param1 param2=running")
	ServiceStart     = scm(7040, "The start type of the service was changed.", "param1 param2=auto~start param3=disabled param4")

	SessionLogon = userData(operational(Sessions, tsSession, "{5D896912-022D-40AA-A3A8-4FA5515C76D7}", 21, 0, 4, 0, "Remote Desktop Services: Session logon succeeded:", "User SessionID:num=2 Address"), "EventXML", nsEventXML)
	SessionEnd   = userData(operational(Sessions, tsSession, "{5D896912-022D-40AA-A3A8-4FA5515C76D7}", 23, 0, 4, 0, "Remote Desktop Services: Session logoff succeeded:", "User SessionID:num=2"), "EventXML", nsEventXML)
	RemoteAuth   = userData(operational(Remote, tsRemote, "{C76BAA63-AE81-421C-B425-340B4B24157F}", 1149, 0, 4, 0, "Remote Desktop Services: User authentication succeeded:", "Param1 Param2 Param3"), "EventXML", nsEventXML)
	SessionLeft  = userData(operational(Sessions, tsSession, "{5D896912-022D-40AA-A3A8-4FA5515C76D7}", 24, 0, 4, 0, "Remote Desktop Services: Session has been disconnected:", "User SessionID:num=2 Address"), "EventXML", nsEventXML)
	SessionBack  = userData(operational(Sessions, tsSession, "{5D896912-022D-40AA-A3A8-4FA5515C76D7}", 25, 0, 4, 0, "Remote Desktop Services: Session reconnection succeeded:", "User SessionID:num=2 Address"), "EventXML", nsEventXML)
	RDPAccepted  = operational(RDPCore, "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS", "{1139C61B-B549-4251-8ED3-27250A1EDEC8}", 131, 0, 4, 4, "The server accepted a new TCP connection from client.", "ConnType=TCP ClientIP")
	Shutdown     = system("User32", "{B0AA8734-56F7-41CC-B2F4-DE228E98B946}", 1074, 32768, "The process has initiated the restart of the computer.", "param1 param2 param3=Operating~System:~Recovery~(Planned) param4=0x80020002 param5=restart param6= param7=NT~AUTHORITY\\SYSTEM")
	LogStarted   = system("EventLog", "", 6005, 32768, "The Event log service was started.", "")
	Updated      = operational(System, "Microsoft-Windows-WindowsUpdateClient", "{945A8954-C147-4ACD-923F-40C45405A658}", 19, 1, 4, 1, "Installation Successful: Windows successfully installed an update.", "updateTitle updateGuid:guid updateRevisionNumber:num=200 serviceGuid:guid={3DA21691-E39D-4DA6-8A4B-B43877BCB1B7}")
	LogCleared   = userData(operational(Security, "Microsoft-Windows-Eventlog", "{FC65DDD8-D6EF-4962-83D5-6E5CFE9CE148}", 1102, 0, 4, 104, "The audit log was cleared.", "SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:hex64"), "LogFileCleared", "http://manifests.microsoft.com/win/2004/08/windows/eventlog")

	ScriptBlock   = operational(Shell, powershell, "{A0C1853B-5C40-4B15-8766-3CF1C58F985A}", 4104, 1, 5, 2, "Creating Scriptblock text", "MessageNumber:num=1 MessageTotal:num=1 ScriptBlockText ScriptBlockId Path")
	DefenderOff   = operational(Defender, defender, "{11CD958A-C507-4EF3-B3F2-5FD9DFBD2C78}", 5001, 0, 4, 0, "Microsoft Defender Antivirus Real-time Protection scanning for malware and other potentially unwanted software was disabled.", "Product~Name=Microsoft~Defender~Antivirus Product~Version=4.18.24090.11")
	DefenderFound = operational(Defender, defender, "{11CD958A-C507-4EF3-B3F2-5FD9DFBD2C78}", 1116, 0, 3, 0, "Microsoft Defender Antivirus has detected malware or other potentially unwanted software.", "Product~Name=Microsoft~Defender~Antivirus Threat~Name Severity~Name=Severe Category~Name=Tool Path Process~Name Detection~User")
	TaskLogged    = operational(Scheduler, scheduler, "{DE7B24EA-73C8-4A09-985D-5BDADCFA9017}", 106, 0, 4, 106, "Task registered", "TaskName UserContext")
	TaskRan       = operational(Scheduler, scheduler, "{DE7B24EA-73C8-4A09-985D-5BDADCFA9017}", 200, 1, 4, 200, "Action started", "TaskName ActionName TaskInstanceId:guid EnginePID:num")
	WinRMShell    = operational(WinRM, winrm, "{A7975C8F-AC13-49F1-87DA-5A984A4AB417}", 91, 0, 4, 9, "Creating WSMan shell on server with ResourceUri", "resourceUri=http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd ShellId")
)

// Channel returns the channel of a Windows schema.
func (s *Schema) Channel() string { return s.win.channel }

// EventID returns the event id of a Windows schema.
func (s *Schema) EventID() uint16 { return s.win.id }
