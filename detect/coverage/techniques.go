// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package coverage

import (
	"fmt"
	"strings"
	"sync"
)

// tactics of ATT&CK for enterprise in the order of an attack, by their short
// names; abbr is what the table below calls them.
var tactics = []struct{ abbr, name string }{
	{"re", "reconnaissance"},
	{"rd", "resource-development"},
	{"ia", "initial-access"},
	{"ex", "execution"},
	{"pe", "persistence"},
	{"pr", "privilege-escalation"},
	{"de", "defense-evasion"},
	{"ca", "credential-access"},
	{"di", "discovery"},
	{"la", "lateral-movement"},
	{"co", "collection"},
	{"cc", "command-and-control"},
	{"xf", "exfiltration"},
	{"im", "impact"},
}

// list holds the techniques that Citywall's own rules name, and those others
// that ransomware is known to use, so that gaps are seen: id, tactics, name.
// Ids and names are facts of MITRE ATT&CK (v16). A sub-technique has its
// parent's tactics.
const list = `
T1595 re Active Scanning
T1595.001 - Scanning IP Blocks
T1595.002 - Vulnerability Scanning
T1595.003 - Wordlist Scanning
T1589 re Gather Victim Identity Information
T1598 re Phishing for Information
T1588 rd Obtain Capabilities
T1588.002 - Tool
T1583 rd Acquire Infrastructure
T1190 ia Exploit Public-Facing Application
T1133 ia,pe External Remote Services
T1566 ia Phishing
T1566.001 - Spearphishing Attachment
T1566.002 - Spearphishing Link
T1078 ia,pe,pr,de Valid Accounts
T1078.001 - Default Accounts
T1078.002 - Domain Accounts
T1078.003 - Local Accounts
T1091 ia,la Replication Through Removable Media
T1195 ia Supply Chain Compromise
T1195.002 - Compromise Software Supply Chain
T1199 ia Trusted Relationship
T1189 ia Drive-by Compromise
T1200 ia Hardware Additions
T1059 ex Command and Scripting Interpreter
T1059.001 - PowerShell
T1059.003 - Windows Command Shell
T1059.004 - Unix Shell
T1059.005 - Visual Basic
T1059.007 - JavaScript
T1059.008 - Network Device CLI
T1059.012 - Hypervisor CLI
T1204 ex User Execution
T1204.001 - Malicious Link
T1204.002 - Malicious File
T1047 ex Windows Management Instrumentation
T1053 ex,pe,pr Scheduled Task/Job
T1053.003 - Cron
T1053.005 - Scheduled Task
T1569 ex System Services
T1569.002 - Service Execution
T1072 ex,la Software Deployment Tools
T1203 ex Exploitation for Client Execution
T1106 ex Native API
T1675 ex ESXi Administration Command
T1098 pe,pr Account Manipulation
T1098.004 - SSH Authorized Keys
T1098.007 - Additional Local or Domain Groups
T1136 pe Create Account
T1136.001 - Local Account
T1136.002 - Domain Account
T1543 pe,pr Create or Modify System Process
T1543.002 - Systemd Service
T1543.003 - Windows Service
T1546 pe,pr Event Triggered Execution
T1546.003 - Windows Management Instrumentation Event Subscription
T1546.008 - Accessibility Features
T1546.012 - Image File Execution Options Injection
T1547 pe,pr Boot or Logon Autostart Execution
T1547.001 - Registry Run Keys / Startup Folder
T1547.004 - Winlogon Helper DLL
T1547.005 - Security Support Provider
T1547.006 - Kernel Modules and Extensions
T1505 pe Server Software Component
T1505.001 - SQL Stored Procedures
T1505.003 - Web Shell
T1505.006 - vSphere Installation Bundles
T1574 pe,pr,de Hijack Execution Flow
T1574.001 - DLL
T1574.006 - Dynamic Linker Hijacking
T1556 pe,de,ca Modify Authentication Process
T1556.002 - Password Filter DLL
T1556.005 - Reversible Encryption
T1556.006 - Multi-Factor Authentication
T1197 pe,de BITS Jobs
T1068 pr Exploitation for Privilege Escalation
T1134 pr,de Access Token Manipulation
T1134.001 - Token Impersonation/Theft
T1134.002 - Create Process with Token
T1134.005 - SID-History Injection
T1484 pr,de Domain or Tenant Policy Modification
T1484.001 - Group Policy Modification
T1484.002 - Trust Modification
T1548 pr,de Abuse Elevation Control Mechanism
T1548.001 - Setuid and Setgid
T1548.002 - Bypass User Account Control
T1548.003 - Sudo and Sudo Caching
T1055 pr,de Process Injection
T1611 pr Escape to Host
T1562 de Impair Defenses
T1562.001 - Disable or Modify Tools
T1562.002 - Disable Windows Event Logging
T1562.003 - Impair Command History Logging
T1562.004 - Disable or Modify System Firewall
T1562.006 - Indicator Blocking
T1562.009 - Safe Mode Boot
T1070 de Indicator Removal
T1070.001 - Clear Windows Event Logs
T1070.002 - Clear Linux or Mac System Logs
T1070.003 - Clear Command History
T1070.004 - File Deletion
T1070.006 - Timestomp
T1027 de Obfuscated Files or Information
T1027.006 - HTML Smuggling
T1036 de Masquerading
T1036.005 - Match Legitimate Resource Name or Location
T1036.010 - Masquerade Account Name
T1112 de,pe Modify Registry
T1218 de System Binary Proxy Execution
T1222 de File and Directory Permissions Modification
T1222.001 - Windows File and Directory Permissions Modification
T1222.002 - Linux and Mac File and Directory Permissions Modification
T1553 de Subvert Trust Controls
T1553.005 - Mark-of-the-Web Bypass
T1553.006 - Code Signing Policy Modification
T1564 de Hide Artifacts
T1564.002 - Hidden Users
T1140 de Deobfuscate/Decode Files or Information
T1497 de,di Virtualization/Sandbox Evasion
T1014 de Rootkit
T1207 de Rogue Domain Controller
T1601 de Modify System Image
T1003 ca OS Credential Dumping
T1003.001 - LSASS Memory
T1003.002 - Security Account Manager
T1003.003 - NTDS
T1003.004 - LSA Secrets
T1003.006 - DCSync
T1003.008 - /etc/passwd and /etc/shadow
T1110 ca Brute Force
T1110.001 - Password Guessing
T1110.002 - Password Cracking
T1110.003 - Password Spraying
T1110.004 - Credential Stuffing
T1552 ca Unsecured Credentials
T1552.001 - Credentials In Files
T1552.004 - Private Keys
T1552.006 - Group Policy Preferences
T1555 ca Credentials from Password Stores
T1555.003 - Credentials from Web Browsers
T1555.004 - Windows Credential Manager
T1558 ca Steal or Forge Kerberos Tickets
T1558.003 - Kerberoasting
T1558.004 - AS-REP Roasting
T1649 ca Steal or Forge Authentication Certificates
T1187 ca Forced Authentication
T1557 ca,co Adversary-in-the-Middle
T1040 ca,di Network Sniffing
T1056 ca,co Input Capture
T1621 ca Multi-Factor Authentication Request Generation
T1539 ca Steal Web Session Cookie
T1016 di System Network Configuration Discovery
T1018 di Remote System Discovery
T1033 di System Owner/User Discovery
T1046 di Network Service Discovery
T1069 di Permission Groups Discovery
T1069.002 - Domain Groups
T1082 di System Information Discovery
T1087 di Account Discovery
T1087.002 - Domain Account
T1135 di Network Share Discovery
T1482 di Domain Trust Discovery
T1049 di System Network Connections Discovery
T1057 di Process Discovery
T1083 di File and Directory Discovery
T1673 di Virtual Machine Discovery
T1021 la Remote Services
T1021.001 - Remote Desktop Protocol
T1021.002 - SMB/Windows Admin Shares
T1021.003 - Distributed Component Object Model
T1021.004 - SSH
T1021.006 - Windows Remote Management
T1080 la Taint Shared Content
T1210 la Exploitation of Remote Services
T1550 la,de Use Alternate Authentication Material
T1550.002 - Pass the Hash
T1563 la Remote Service Session Hijacking
T1563.002 - RDP Hijacking
T1570 la Lateral Tool Transfer
T1534 la Internal Spearphishing
T1039 co Data from Network Shared Drive
T1074 co Data Staged
T1074.001 - Local Data Staging
T1114 co Email Collection
T1114.002 - Remote Email Collection
T1114.003 - Email Forwarding Rule
T1560 co Archive Collected Data
T1560.001 - Archive via Utility
T1602 co Data from Configuration Repository
T1602.002 - Network Device Configuration Dump
T1005 co Data from Local System
T1213 co Data from Information Repositories
T1113 co Screen Capture
T1071 cc Application Layer Protocol
T1071.001 - Web Protocols
T1071.003 - Mail Protocols
T1071.004 - DNS
T1090 cc Proxy
T1090.003 - Multi-hop Proxy
T1105 cc Ingress Tool Transfer
T1219 cc Remote Access Tools
T1572 cc Protocol Tunneling
T1573 cc Encrypted Channel
T1573.002 - Asymmetric Cryptography
T1095 cc Non-Application Layer Protocol
T1102 cc Web Service
T1568 cc Dynamic Resolution
T1571 cc Non-Standard Port
T1048 xf Exfiltration Over Alternative Protocol
T1048.002 - Exfiltration Over Asymmetric Encrypted Non-C2 Protocol
T1048.003 - Exfiltration Over Unencrypted Non-C2 Protocol
T1052 xf Exfiltration Over Physical Medium
T1052.001 - Exfiltration over USB
T1567 xf Exfiltration Over Web Service
T1567.002 - Exfiltration to Cloud Storage
T1041 xf Exfiltration Over C2 Channel
T1020 xf Automated Exfiltration
T1030 xf Data Transfer Size Limits
T1537 xf Transfer Data to Cloud Account
T1485 im Data Destruction
T1486 im Data Encrypted for Impact
T1489 im Service Stop
T1490 im Inhibit System Recovery
T1491 im Defacement
T1491.001 - Internal Defacement
T1529 im System Shutdown/Reboot
T1531 im Account Access Removal
T1561 im Disk Wipe
T1561.002 - Disk Structure Wipe
T1496 im Resource Hijacking
T1498 im Network Denial of Service
T1565 im Data Manipulation
T1565.001 - Stored Data Manipulation
T1657 im Financial Theft
`

// Later versions of ATT&CK split defense-evasion into two tactics and gave
// T1562 and T1070.001 new numbers. Public rules carry both; they count as what
// they were.
var (
	newerTactics = map[string]string{"stealth": "defense-evasion", "defense-impairment": "defense-evasion"}
	newerIDs     = map[string]string{
		"T1685": "T1562.001", "T1685.001": "T1562.002", "T1685.005": "T1070.001", "T1685.006": "T1070.002",
		"T1686": "T1562.004", "T1686.001": "T1562.004", "T1686.002": "T1562.004", "T1686.003": "T1562.004",
	}
)

// Technique is one technique or sub-technique of ATT&CK.
type Technique struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Tactics []string `json:"tactics"` // short names, in the order of an attack
}

// known returns the table by id, and its ids in the order of the table.
var known = sync.OnceValues(func() (map[string]Technique, []string) {
	names := map[string]string{}
	for _, t := range tactics {
		names[t.abbr] = t.name
	}
	m, order := map[string]Technique{}, []string{}
	for line := range strings.Lines(strings.TrimSpace(list)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		abbr, name, _ := strings.Cut(rest, " ")
		t := Technique{ID: id, Name: name}
		if abbr == "-" {
			t.Tactics = m[parent(id)].Tactics
		} else {
			for a := range strings.SplitSeq(abbr, ",") {
				t.Tactics = append(t.Tactics, names[a])
			}
		}
		if _, twice := m[id]; twice || len(t.Tactics) == 0 || name == "" {
			panic(fmt.Sprintf("coverage: line %q", line)) // a fault of the build, found by the package's test
		}
		m[id], order = t, append(order, id)
	}
	return m, order
})

// parent returns the technique of a sub-technique, or the technique itself.
func parent(id string) string {
	p, _, _ := strings.Cut(id, ".")
	return p
}

// Known returns what is known of a technique.
func Known(id string) (Technique, bool) {
	m, _ := known()
	t, ok := m[strings.ToUpper(id)]
	return t, ok
}
