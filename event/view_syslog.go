// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"

	"citywall/asset"
)

// viewLinux reads syslog lines of Linux and similar hosts. The texts of sshd,
// sudo, su and PAM have been stable for decades and are read by their words.
func viewLinux(e *Event, v *View) {
	f := e.Fields
	v.Host = asset.HostName(f.Str("hostname"))
	v.Process, v.Message = f.Str("appname"), f.Str("message")
	m := v.Message
	switch e.Service {
	case "sshd":
		sshd(m, v)
	case "sudo":
		// "alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"
		who, rest, ok := strings.Cut(m, " : ")
		if cmd := after(rest, "COMMAND="); ok && cmd != "" {
			v.Action, v.User, v.Command = Privilege, asset.ParseAccount("", who), cmd
			v.Target = asset.ParseAccount("", word(after(rest, "USER=")))
			v.Outcome = Success
			if strings.Contains(rest, "incorrect password") || strings.Contains(rest, "NOT in sudoers") {
				v.Outcome = Failure
			}
		}
	case "su":
		// "(to root) alice on pts/0", "Successful su for root by alice"
		if t := after(m, "Successful su for "); t != "" {
			v.Action, v.Outcome = Privilege, Success
			v.Target, v.User = asset.ParseAccount("", word(t)), asset.ParseAccount("", word(after(m, " by ")))
		} else if t := after(m, "(to "); t != "" {
			name, rest, _ := strings.Cut(t, ")")
			v.Action, v.Outcome = Privilege, Success
			v.Target, v.User = asset.ParseAccount("", name), asset.ParseAccount("", word(strings.TrimSpace(rest)))
		}
	}
	if v.Action == "" && strings.Contains(m, "session opened for user ") {
		v.Action, v.Outcome = Logon, Success
		u, _, _ := strings.Cut(word(after(m, "session opened for user ")), "(")
		v.User = asset.ParseAccount("", u)
	}
}

func sshd(m string, v *View) {
	verb, rest, _ := strings.Cut(m, " ")
	switch verb {
	case "Accepted":
		v.Action, v.Outcome = Logon, Success
	case "Failed":
		v.Action, v.Outcome = LogonFailed, Failure
	default:
		return
	}
	who := after(rest, " for ")
	who = strings.TrimPrefix(who, "invalid user ")
	v.User = asset.ParseAccount("", word(who))
	v.Src = addr(word(after(rest, " from ")))
	v.SrcPort = port(word(after(rest, " port ")))
	v.DstHost, v.DstPort, v.Proto, v.Service, v.Logon = v.Host, 22, "tcp", "ssh", 10
}

// after returns what follows the first occurrence of sep, "" when absent.
func after(s, sep string) string {
	_, r, _ := strings.Cut(s, sep)
	return r
}

// word returns s up to the first white space or semicolon.
func word(s string) string {
	if i := strings.IndexAny(s, " \t;"); i >= 0 {
		return s[:i]
	}
	return s
}
