// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package esxi reads the logs of VMware ESXi: hostd, vpxa and their relatives,
// vobd, vmkernel, shell.log and auth.log, as the host forwards them and as they
// lie on the host itself, where no line names the host.
//
// It promises the level, thread, sub, opID and user that the daemons write, the
// message, and for the sentences listed in texts what they tell. Times without a
// zone are UTC, because ESXi knows no other. It never joins lines: what follows
// a message on "-->" lines is counted as skipped.
package esxi

import (
	"strings"
	"sync"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "esxi", Match: match, Headless: true, Read: read}
}

// services by the program that writes; the daemons that are not named here are
// known by "[Originator@6876".
var services = map[string]string{
	"hostd": "hostd", "vpxa": "vpxa", "vobd": "vobd", "vmkernel": "vmkernel", "vmkwarning": "vmkernel",
	"shell": "shell", "esxshell": "shell", "ssh": "shell", "dcui": "dcui", "sshd": "auth", "login": "auth",
	"rhttpproxy": "rhttpproxy", "fdm": "fdm", "hostd-probe": "hostd", "vmauthd": "auth", "addvob": "vobd",
}

const originator = "[Originator@6876 "

func match(app, msg string) bool {
	switch app {
	case "":
		_, rest, ok := ownStamp(msg)
		if !ok {
			return strings.HasPrefix(msg, "--> ") || strings.HasPrefix(msg, "Section for VMware ESX")
		}
		return local(rest)
	case "Hostd", "Vpxa", "Rhttpproxy", "Fdm", "hostd-probe", "vpxa", "hostd", "rhttpproxy":
		return strings.Contains(msg[:min(len(msg), 80)], originator)
	case "vobd":
		return strings.HasPrefix(msg, "[") && strings.Contains(msg[:min(len(msg), 60)], "Correlator] ")
	case "vmkernel", "vmkwarning":
		return strings.HasPrefix(msg, "cpu") || strings.HasPrefix(msg, "WARNING: ") || strings.HasPrefix(msg, "0:")
	case "shell":
		_, text, ok := strings.Cut(msg, "]: ")
		return ok && strings.HasPrefix(msg, "[") && text != ""
	case "ESXShell":
		return true
	}
	return strings.Contains(msg[:min(len(msg), 80)], originator)
}

// ownStamp cuts the time at the start of a line of the host's own files; a
// colon behind it is vobd's.
func ownStamp(s string) (at, rest string, ok bool) {
	if len(s) < 22 || s[4] != '-' || s[10] != 'T' || s[0] < '1' || s[0] > '9' {
		return "", s, false
	}
	at, rest, ok = strings.Cut(s, " ")
	return strings.TrimSuffix(at, ":"), rest, ok && len(at) < 36
}

// local reports whether what follows the time is of a file on the host: there
// the program, or the level, stands where others have a host's name.
func local(rest string) bool {
	if strings.HasPrefix(rest, "cpu") {
		_, in, ok := strings.Cut(rest[:min(len(rest), 24)], ":")
		return ok && strings.Contains(in, ")")
	}
	if strings.HasPrefix(rest, "[") {
		return strings.Contains(rest[:min(len(rest), 40)], "Correlator] ")
	}
	word, after, ok := strings.Cut(rest, " ")
	if !ok {
		return false
	}
	if strings.HasSuffix(word, ")") && strings.IndexByte(word, '(') == 2 { // ESXi 8: In(166)
		return true
	}
	if levels[word] {
		app, _, ok := strings.Cut(after[:min(len(after), 40)], "[")
		return ok && app != "" && strings.Contains(after[:min(len(after), 120)], originator)
	}
	if !strings.HasSuffix(word, ":") {
		return false
	}
	app, _, ok := strings.Cut(word, "[")
	return ok && services[strings.ToLower(app)] != ""
}

var levels = map[string]bool{"info": true, "verbose": true, "warning": true, "error": true, "trivia": true, "panic": true}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	if strings.HasPrefix(msg, "--> ") || strings.HasPrefix(msg, "Section for VMware ESX") {
		return format.ErrSkip
	}
	b := format.NewBody(&e.Fields, 16)
	app := e.Fields.Str("appname")
	if raw, rest, ok := ownStamp(msg); ok && app == "" {
		t, assumed, err := format.Time(raw, time.UTC)
		if err != nil {
			return err
		}
		e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, raw, assumed, 0
		if !strings.Contains(raw, ".") {
			e.Uncertainty = time.Second / 2
		}
		app, msg = program(rest, b)
	} else if t, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", e.TimeRaw, time.UTC); err == nil {
		e.Time = t // the header's, which had no zone: the source's was taken
	}
	msg = strings.TrimSpace(daemon(msg, b, &app))
	e.Product = "esxi"
	if e.Service = services[strings.ToLower(app)]; e.Service == "" {
		e.Service = strings.ToLower(app)
	}
	b.Add("message", msg)
	text := msg
	if _, t, ok := strings.Cut(msg, " : "); ok && strings.HasPrefix(msg, "Event ") {
		text = t
	}
	switch {
	case e.Service == "vobd":
		text = observed(msg, b)
	case e.Service == "shell" && strings.HasPrefix(msg, "["):
		if user, cmd, ok := strings.Cut(msg[1:], "]: "); ok {
			b.Add("event", "command")
			b.Add("login_user", user)
			b.Add("command", cmd)
		}
		return nil
	}
	if ev := sentences().Read(e.Service, text, b.Add); ev != "" {
		b.Add("event", ev)
	}
	return nil
}

// program reads what stands behind the time of a local line: "In(38)
// sshd[2100]: ", "sshd[2100]: ", "info hostd[2099] ", or nothing at all.
func program(rest string, b *format.Body) (app, msg string) {
	word, after, _ := strings.Cut(rest, " ")
	if strings.HasSuffix(word, ")") && strings.IndexByte(word, '(') == 2 {
		b.Add("level", word)
		rest = after
		word, after, _ = strings.Cut(rest, " ")
	}
	switch {
	case strings.HasPrefix(rest, "["):
		return "vobd", rest
	case strings.HasPrefix(rest, "cpu"):
		return "vmkernel", rest
	case levels[word]: // the daemon's name comes behind its level
		app, _, _ = strings.Cut(after, "[")
		return app, rest
	}
	app, pid, _ := strings.Cut(strings.TrimSuffix(word, ":"), "[")
	b.Add("appname", app)
	if pid = strings.TrimSuffix(pid, "]"); pid != "" {
		b.Add("procid", pid)
	}
	return app, after
}

// daemon reads "info hostd[2099512] [Originator@6876 sub=… opID=… user=…] text",
// the level and the name only up to ESXi 7.
func daemon(msg string, b *format.Body, app *string) string {
	if word, rest, ok := strings.Cut(msg, " "); ok && levels[word] {
		name, after, ok := strings.Cut(rest, " ")
		if n, thread, ok2 := strings.Cut(name, "["); ok && ok2 && strings.HasSuffix(thread, "]") {
			b.Add("level", word)
			b.Add("thread", strings.TrimSuffix(thread, "]"))
			if *app == "" {
				*app = n
			}
			msg = after
		}
	}
	in, ok := strings.CutPrefix(msg, originator)
	if !ok {
		return msg
	}
	in, text, ok := strings.Cut(in, "]")
	if !ok {
		return msg
	}
	for pair := range strings.SplitSeq(in, " ") {
		if k, v, ok := strings.Cut(pair, "="); ok && k != "" && b.Len() < format.MaxFields {
			b.Add(k, v)
			if u, ok := strings.CutPrefix(v, "vpxuser:"); ok && k == "user" { // on behalf of somebody at vCenter
				b.Add("vcenter_user", u)
			}
		}
	}
	return strings.TrimSpace(text)
}

// observed reads "[UserLevelCorrelator] 123us: [esx.audit.ssh.enabled] text".
func observed(msg string, b *format.Body) string {
	_, rest, ok := strings.Cut(msg, "us: [")
	if !ok {
		return msg
	}
	id, text, ok := strings.Cut(rest, "] ")
	if !ok {
		return msg
	}
	b.Add("event_id", id)
	return text
}

// texts after VMware's event and audit catalogues and vendors' articles.
const texts = `
hostd|login-ok|User {login_user}@{src_ip} logged in as {agent}
hostd|login-end|User {login_user}@{src_ip} logged out ({_}
hostd|login-failed|Cannot login {login_user}@{src_ip}
hostd|login-failed|Rejected password for user {login_user} from {src_ip}
hostd|authenticated|Accepted password for user {login_user} from {src_ip}
hostd|ssh-on|SSH access has been enabled.
hostd|ssh-off|SSH access has been disabled.
hostd|shell-on|The ESXi shell has been enabled
hostd|account|Account {account} was {account_change} on host {account_host}
hostd|account|Password was changed for account {account} on host {account_host}
hostd|vm-off|{vm} on {vm_host} in {datacenter} is powered off
hostd|vm-on|{vm} on {vm_host} in {datacenter} is powered on
hostd|vm-off|Guest OS shut down for {vm} on {vm_host} in {datacenter}
hostd|vm-removed|Removed {vm} on {vm_host} from {datacenter}
hostd|task|Task Created : {task}
hostd|firewall|Firewall configuration has changed. Operation '{operation}' for rule set {ruleset} {_}
vpxa|task|Task Created : {task}
vobd|session|SSH session was opened for '{login_user}@{src_ip}'.
vobd|session-end|SSH session was closed for '{login_user}@{src_ip}'.
vobd|ssh-on|SSH access has been enabled.
vobd|ssh-off|SSH access has been disabled.
vobd|shell-on|The ESXi {_} shell has been enabled.
vobd|shell-on|The ESXi shell has been enabled.
vobd|login-failed|Authentication of user {login_user} has failed. Source: {src_ip}
vobd|locked|Remote access for ESXi local user account '{login_user}' has been locked for {lock_seconds} seconds after {attempts} failed login attempts.
vobd|firewall|Firewall configuration has changed. Operation '{operation}' for rule set {ruleset} {_}
auth|login-ok|Accepted {method} for {login_user} from {src_ip} port {src_port} ssh2{_}
auth|login-failed|Failed {method} for invalid user {login_user} from {src_ip} port {src_port} ssh2
auth|login-failed|Failed {method} for {login_user} from {src_ip} port {src_port} ssh2
auth|login-failed|error: PAM: Authentication failure for illegal user {login_user} from {src_ip}
auth|login-failed|error: PAM: Authentication failure for {login_user} from {src_ip}
auth|connection|Connection from {src_ip} port {src_port}
auth|login-end|pam_unix(sshd:session): session closed for user {login_user}
auth|command|User '{login_user}' running command '{command}'
`

var sentences = sync.OnceValue(func() sentence.Table { return sentence.Parse(texts) })
