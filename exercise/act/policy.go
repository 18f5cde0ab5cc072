// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// Policy is a group policy object.
type Policy struct {
	Domain  *city.Domain
	GUID    string // with braces
	Version int
}

// DN is its name in the directory.
func (p Policy) DN() string {
	return "CN=" + strings.ToUpper(p.GUID) + ",CN=POLICIES,CN=SYSTEM,DC=" + strings.ReplaceAll(upper(p.Domain.DNS), ".", ",DC=")
}

// EditPolicy is an edit of a policy on a domain controller by somebody logged
// on there or elsewhere: 5136 for each attribute, the file in SYSVOL as Sysmon
// 11 and 5145.
func (s *Scene) EditPolicy(r *rand.Rand, t time.Time, who Actor, dst *city.Host, p Policy, file, extensions string) Seen {
	at := who
	at.Host = dst // the directory's view of the editor: a session on the controller
	if who.Host != dst {
		at.Logon = logonID(r)
	}
	var f Seen
	op, object := guid(r), guid(r)
	change := func(d int, attribute, syntax, value, kind string) {
		f.see(s.windows(r, ms(t, d), dst, logs.ObjectModified, append(subject(at), "OpCorrelationID", op, "DSName", p.Domain.DNS, "ObjectDN", p.DN(), "ObjectGUID", object,
			"ObjectClass", "groupPolicyContainer", "AttributeLDAPDisplayName", attribute, "AttributeSyntaxOID", syntax, "AttributeValue", value, "OperationType", kind)...))
	}
	const added, removed = "%%14674", "%%14675"
	path := strings.ToLower(p.Domain.DNS) + `\Policies\` + strings.ToUpper(p.GUID) + `\` + file
	editor := Running(who, `C:\Windows\System32\mmc.exe`)
	if who.Host == dst {
		f.see(s.File(r, t, editor, `C:\Windows\SYSVOL\sysvol\`+path))
	} else {
		_, when := s.SMB(r, t, Share{Remote: Remote{Account: who.Account, Src: On(who.Host), Dst: dst, For: 20 * time.Second}, Share: "SYSVOL", Files: []string{path}, Write: true, Out: 14000, In: 6000, Known: true})
		f.see(when)
	}
	t = ms(t, 900)
	if extensions != "" {
		change(0, "gPCMachineExtensionNames", "2.5.5.12", extensions, added)
	}
	change(2, "versionNumber", "2.5.5.9", itoa(p.Version), removed)
	change(3, "versionNumber", "2.5.5.9", itoa(p.Version+1), added)
	return f
}

// Refresh is a machine reading its group policy: the machine account's logon
// at the domain controller, and SYSVOL.
func (s *Scene) Refresh(r *rand.Rand, t time.Time, h *city.Host, files ...string) {
	d := dc(h.Agency.Domain, h.Name)
	if len(files) == 0 {
		files = []string{h.Agency.Domain.DNS + `\Policies\{31B2F340-016D-11D2-945F-00C04FB984F9}\gpt.ini`}
	}
	s.SMB(r, t, Share{Remote: Remote{Account: machine(h), Src: On(h), Dst: d, For: 12 * time.Second}, Share: "SYSVOL", Files: files, Out: 4200, In: 5200, Quiet: true, Known: true})
}

// ImmediateTask is a scheduled task that policy puts on a machine: 4698, 106.
func (s *Scene) ImmediateTask(r *rand.Rand, t time.Time, h *city.Host, name, command, arguments, author string) Seen {
	content := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Author>%s</Author></RegistrationInfo>
  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><Hidden>true</Hidden><StartWhenAvailable>true</StartWhenAvailable></Settings>
  <Actions Context="Author"><Exec><Command>%s</Command><Arguments>%s</Arguments></Exec></Actions>
</Task>`, author, command, arguments)
	var f Seen
	f.see(s.windows(r, t, h, logs.TaskCreated, append(subject(System(h)), "TaskName", `\`+name, "TaskContent", content)...))
	f.see(s.windows(r, ms(t, 6), h, logs.TaskLogged, "TaskName", `\`+name, "UserContext", `NT AUTHORITY\SYSTEM`))
	return f
}

// RunTask is the task starting its program: 200 and the process.
func (s *Scene) RunTask(r *rand.Rand, t time.Time, h *city.Host, name, image, command string) Proc {
	s.windows(r, t, h, logs.TaskRan, "TaskName", `\`+name, "ActionName", image, "TaskInstanceId", guid(r), "EnginePID", itoa(1000+r.Uint32N(5000)))
	p, _ := s.Start(r, ms(t, 35), System(h), Running(System(h), Svchost), image, command)
	return p
}
