// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"slices"
	"strconv"
	"strings"
)

// sentence is how a program words a record: texts and fields in turn.
type sentence struct {
	program string
	pri     int
	bare    bool     // no process id after the program's name
	texts   []string // before each place, and after the last
	places  []int    // the field that stands between two texts
}

// says makes a schema of a sentence; words in braces are its fields, with a
// default after "=". A field may stand in several places.
func says(program string, pri int, text string) *Schema {
	s := &Schema{Kind: Syslog, Name: program, said: &sentence{program: program, pri: pri}}
	for {
		before, rest, ok := strings.Cut(text, "{")
		s.said.texts = append(s.said.texts, before)
		if !ok {
			return s
		}
		var name string
		name, text, _ = strings.Cut(rest, "}")
		name, value, _ := strings.Cut(name, "=")
		i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
		if i < 0 {
			i = len(s.Fields)
			s.Fields = append(s.Fields, Field{Name: name, Default: value})
		}
		s.said.places = append(s.said.places, i)
	}
}

// bare drops the process id.
func bare(s *Schema) *Schema {
	s.said.bare = true
	return s
}

// Priorities: facility times eight plus severity.
const (
	userInfo  = 14  // user.info
	mailInfo  = 22  // mail.info
	daemonInf = 30  // daemon.info
	authInfo  = 38  // auth.info
	authpriv  = 86  // authpriv.info
	local4    = 166 // local4.info, ESXi's hostd
)

// ESXi's records (ESXi 7: auth.log, shell.log, hostd.log and vobd.log as the
// host forwards them; artefacts and wording after vendors' articles).
var (
	event = "info hostd[{thread=2099512}] [Originator@6876 sub=Vimsvc.ha-eventmgr opID=esxui-{op=4c1a-7e2b} user={by=root}] Event {n} : "

	ESXiLogin    = says("Hostd", local4, event+"User {user}@{ip} logged in as {agent}")
	ESXiLogout   = says("Hostd", local4, event+"User {user}@{ip} logged out (login time: {since}, number of API invocations: {calls=41}, user agent: {agent})")
	ESXiSSHOn    = says("Hostd", local4, event+"SSH access has been enabled.")
	ESXiAccount  = says("Hostd", local4, event+"Account {account} was updated on host {host}.")
	ESXiPowerOff = says("Hostd", local4, event+"{vm} on {host} in ha-datacenter is powered off")
	ESXiPowerOn  = says("Hostd", local4, event+"{vm} on {host} in ha-datacenter is powered on")
	ESXiTask     = says("Hostd", local4, "info hostd[{thread=2099512}] [Originator@6876 sub=Vimsvc.TaskManager opID={op=4c1a-7e2b} user={by=root}] Task Created : haTask-{vm}-vim.VirtualMachine.{what=createSnapshot}-{n}")
	ESXiObserved = says("vobd", userInfo, "[UserLevelCorrelator] {us}us: [esx.audit.ssh.enabled] SSH access has been enabled.")
	ESXiSession  = says("vobd", userInfo, "[UserLevelCorrelator] {us}us: [esx.audit.ssh.session.opened] SSH session was opened for '{user}@{ip}'.")
	ESXiSSHFrom  = says("sshd", authInfo, "Connection from {ip} port {port}")
	ESXiSSHIn    = says("sshd", authInfo, "Accepted keyboard-interactive/pam for {user} from {ip} port {port} ssh2")
	ESXiSSHOut   = says("sshd", authInfo, "pam_unix(sshd:session): session closed for user {user}")
	ESXiShell    = says("shell", userInfo, "[{user=root}]: {command}")
)

// A Synology's transfer and connection logs (DSM 7, IETF form).
var (
	NASFile  = bare(says("WinFileService", userInfo, "Event: {event=read}, Path: {path}, File/Folder: File, Size: {size}, User: {user}, IP: {ip}"))
	NASLogin = bare(says("Connection", userInfo, "User [{user}] from [{ip}] logged in successfully via [{via=CIFS(SMB2)}]."))
)

// A mail gateway: Postfix and amavis.
var (
	MailFrom    = says("postfix/smtpd", mailInfo, "{id}: client={name}[{ip}]")
	MailID      = says("postfix/cleanup", mailInfo, "{id}: message-id=<{message}>")
	MailQueued  = says("postfix/qmgr", mailInfo, "{id}: from=<{from}>, size={size}, nrcpt=1 (queue active)")
	MailScanned = says("amavis", mailInfo, "({n}) Passed CLEAN {verdict}, [{ip}]:{port} <{from}> -> <{to}>, Queue-ID: {id}, Message-ID: <{message}>, Hits: {hits}, size: {size}, Subject: \"{subject}\", {ms} ms")
	MailSent    = says("postfix/smtp", mailInfo, "{id}: to=<{to}>, relay={relay}:25, delay={delay}, delays=0.2/0.01/0.1/0.9, dsn=2.6.0, status=sent (250 2.6.0 <{message}> Queued mail for delivery)")
	MailRefused = says("postfix/smtpd", mailInfo, "NOQUEUE: reject: RCPT from {name}[{ip}]: 550 5.1.1 <{to}>: Recipient address rejected: User unknown in relay recipient table; from=<{from}> to=<{to}> proto=ESMTP helo=<{helo}>")
)

// A name and address server: BIND's query log, ISC dhcpd.
var (
	DNSQuery = says("named", daemonInf, "client @0x7f3c4c0b{n=3e68} {ip}#{port} ({name}): query: {name} IN A +E(0)K ({server})")
	DHCPAck  = says("dhcpd", daemonInf, "DHCPACK on {ip} to {mac} ({host}) via {relay}")
)

// sshd of a Linux server.
var (
	SSHIn  = says("sshd", authpriv, "Accepted {method=publickey} for {user} from {ip} port {port} ssh2")
	SSHBad = says("sshd", authpriv, "Failed password for {user} from {ip} port {port} ssh2")
)

// appendSyslog writes the record with the header its source uses.
func (r *Record) appendSyslog(b []byte) []byte {
	s := r.Schema.said
	at := r.Stamp
	if !r.Source.UTC {
		at = at.In(taipei)
	}
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(s.pri), 10)
	b = append(b, '>')
	if r.Source.ISO {
		b = at.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
		b = append(append(append(b, ' '), r.Source.Computer...), ' ')
		b = append(b, s.program...)
		if !s.bare {
			b = append(b, '[')
			b = strconv.AppendUint(b, uint64(r.PID), 10)
			b = append(b, ']')
		}
		b = append(b, ':', ' ')
	} else {
		b = append(b, '1', ' ')
		b = at.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
		b = append(append(append(b, ' '), r.Source.Computer...), ' ')
		b = append(append(b, s.program...), ' ')
		if s.bare {
			b = append(b, '-')
		} else {
			b = strconv.AppendUint(b, uint64(r.PID), 10)
		}
		b = append(b, " - - "...)
	}
	for i, f := range s.places {
		b = append(append(b, s.texts[i]...), r.Values[f]...)
	}
	return append(b, s.texts[len(s.texts)-1]...)
}
