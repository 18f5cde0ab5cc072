// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package authlog

import "strings"

// pamLine reports "pam_unix(sshd:session): …".
func pamLine(m string) bool {
	if !strings.HasPrefix(m, "pam_") {
		return false
	}
	i := strings.Index(m, "): ")
	return i > 0 && i < 80 && strings.IndexByte(m[:i], '(') > 0
}

// pam reads Linux-PAM's lines: module(service:type): sentence.
func (w words) pam(m string) {
	module, m, _ := strings.Cut(m, "(")
	where, m, _ := strings.Cut(m, "): ")
	service, kind, _ := strings.Cut(where, ":")
	w.put("pam_module", module, "pam_service", service, "pam_type", kind)
	switch {
	case strings.HasPrefix(m, "session opened for user "):
		who, by, _ := strings.Cut(m[len("session opened for user "):], " by ")
		w.put("event", "session_opened")
		w.name("user", who)
		w.name("by_user", by)
	case strings.HasPrefix(m, "session closed for user "):
		w.put("event", "session_closed")
		w.name("user", m[len("session closed for user "):])
	case strings.HasPrefix(m, "authentication failure;"), strings.HasPrefix(m, "auth could not identify"):
		w.put("event", "auth_failure")
		w.pairs(m[strings.IndexByte(m+";", ';'):])
	case strings.HasPrefix(m, "password changed for "):
		w.put("event", "password_changed", "user", m[len("password changed for "):])
	case strings.HasPrefix(m, "check pass; user unknown"):
		w.put("event", "auth_failure", "user_unknown", "true")
	case strings.HasPrefix(m, "Consecutive login failures for user "):
		who, _, _ := strings.Cut(m[len("Consecutive login failures for user "):], " ")
		w.put("event", "locked_out", "user", who)
	}
}

// name reads "alice(uid=1000)".
func (w words) name(key, s string) {
	n, rest, ok := strings.Cut(strings.TrimSpace(s), "(uid=")
	w.put(key, n)
	if id, _, closed := strings.Cut(rest, ")"); ok && closed && key == "user" {
		w.put("uid", id)
	}
}

// pairs reads PAM's "; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root".
func (w words) pairs(s string) {
	for _, p := range strings.Fields(strings.TrimLeft(s, "; ")) {
		if k, v, ok := strings.Cut(p, "="); ok && k != "" && w.b.Len() < 64 {
			w.put(k, v)
		}
	}
}

// sudo reads "alice : [reason ; ]TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh".
// COMMAND is the last, and may hold anything.
func (w words) sudo(m string) {
	who, rest, ok := strings.Cut(m, " : ")
	if !ok || !strings.Contains(rest, "=") {
		return
	}
	w.put("user", strings.TrimSpace(who))
	verdict := "command"
	for rest != "" {
		part, more, _ := strings.Cut(rest, " ; ")
		k, v, ok := strings.Cut(part, "=")
		if !ok || strings.ContainsRune(k, ' ') {
			verdict = "command_refused" // "3 incorrect password attempts", "user NOT in sudoers", "command not allowed"
			w.put("reason", strings.TrimSpace(part))
			rest = more
			continue
		}
		if k == "COMMAND" {
			_, v, _ = strings.Cut(rest, "=")
			more = ""
		}
		if w.b.Len() < 64 {
			w.put(k, v)
		}
		rest = more
	}
	w.put("event", verdict)
}

// su reads util-linux ("(to root) alice on pts/0"), shadow ("Successful su for
// root by alice") and the short form ("+ pts/0 alice:root").
func (w words) su(m string) {
	event := "su"
	if s, ok := strings.CutPrefix(m, "FAILED SU "); ok {
		event, m = "su_failed", s
	}
	switch {
	case strings.HasPrefix(m, "(to "):
		to, rest, ok := strings.Cut(m[len("(to "):], ") ")
		if who, tty, on := strings.Cut(rest, " on "); ok {
			w.put("event", event, "target_user", to, "user", who)
			if on {
				w.put("tty", tty)
			}
		}
	case strings.HasPrefix(m, "Successful su for "), strings.HasPrefix(m, "FAILED su for "):
		if m[0] == 'F' {
			event = "su_failed"
		}
		_, m, _ = strings.Cut(m, " for ")
		to, who, _ := strings.Cut(m, " by ")
		w.put("event", event, "target_user", to, "user", who)
	case strings.HasPrefix(m, "+ "), strings.HasPrefix(m, "- "):
		if m[0] == '-' {
			event = "su_failed"
		}
		tty, pair, _ := strings.Cut(m[2:], " ")
		if who, to, ok := strings.Cut(pair, ":"); ok {
			w.put("event", event, "target_user", to, "user", who, "tty", tty)
		}
	}
}

// login reads util-linux: "LOGIN ON tty1 BY alice FROM host", "ROOT LOGIN ON
// tty1", "FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure".
func (w words) login(m string) {
	switch {
	case strings.HasPrefix(m, "FAILED LOGIN"), strings.HasPrefix(m, "TOO MANY LOGIN TRIES"):
		w.put("event", "login_failed")
		if who, ok := between(m+",", " FOR ", ","); ok {
			w.put("user", unquote(who))
		}
		if host, ok := between(m+" ", " FROM ", " "); ok && host != "(null)" {
			w.peer(unquote(host))
		}
		if tty, ok := between(m+" ", " on ", " "); ok {
			w.put("tty", strings.TrimPrefix(unquote(tty), "/dev/"))
		}
	case strings.HasPrefix(m, "LOGIN ON "), strings.HasPrefix(m, "ROOT LOGIN ON "):
		w.put("event", "login")
		user := "root"
		if who, ok := between(m+" ", " BY ", " "); ok {
			user = who
		}
		w.put("user", user)
		if tty, ok := between(m+" ", " ON ", " "); ok {
			w.put("tty", tty)
		}
		if host, ok := between(m+" ", " FROM ", " "); ok {
			w.peer(host)
		}
	}
}

// accounts reads shadow's useradd, usermod, … and passwd.
func (w words) accounts(m string) {
	verb := func(event, s string) {
		w.put("event", event)
		if s != "" {
			w.put("target_user", s)
		}
	}
	switch {
	case strings.HasPrefix(m, "new user: "):
		verb("user_added", "")
		w.commas(m[len("new user: "):])
	case strings.HasPrefix(m, "new group: "), strings.HasPrefix(m, "group added to "):
		verb("group_added", "")
		_, s, _ := strings.Cut(m, ": ")
		w.commas(s)
	case strings.HasPrefix(m, "delete user "):
		verb("user_deleted", unquote(m[len("delete user "):]))
	case strings.HasPrefix(m, "add "): // 'bob' to group 'sudo'
		if who, group, ok := strings.Cut(m[len("add "):], " to "); ok {
			group = strings.TrimPrefix(strings.TrimPrefix(group, "shadow "), "group ")
			verb("member_added", unquote(who))
			w.put("group", unquote(group))
		}
	case strings.HasPrefix(m, "user ") && strings.Contains(m, " added by "): // gpasswd
		who, rest, _ := strings.Cut(m[len("user "):], " added by ")
		by, group, _ := strings.Cut(rest, " to group ")
		verb("member_added", who)
		w.put("user", by, "group", group)
	case strings.HasPrefix(m, "delete ") && strings.Contains(m, " from group "):
		who, group, _ := strings.Cut(m[len("delete "):], " from group ")
		verb("member_removed", unquote(who))
		w.put("group", unquote(group))
	case strings.HasPrefix(m, "change user "), strings.HasPrefix(m, "lock user "), strings.HasPrefix(m, "unlock user "):
		_, rest, _ := strings.Cut(m, "user ")
		who, what, _ := strings.Cut(rest, "' ")
		verb("user_changed", unquote(who))
		w.put("change", what)
	case strings.HasPrefix(m, "password for ") && strings.Contains(m, " changed by "):
		who, by, _ := strings.Cut(m[len("password for "):], " changed by ")
		verb("password_changed", unquote(who))
		w.put("user", unquote(by))
	}
}

// commas reads "name=bob, UID=1001, …".
func (w words) commas(s string) {
	for p := range strings.SplitSeq(s, ", ") {
		if k, v, ok := strings.Cut(p, "="); ok && k != "" && !strings.ContainsRune(k, ' ') && w.b.Len() < 64 {
			w.put(k, v)
		}
	}
}

// cron reads "(root) CMD (command)" and crontab's "(root) REPLACE (root)".
func (w words) cron(m string) {
	who, rest, ok := strings.Cut(strings.TrimPrefix(m, "("), ") ")
	what, arg, ok2 := strings.Cut(rest, " (")
	if !strings.HasPrefix(m, "(") || !ok || !ok2 {
		return
	}
	arg = strings.TrimSuffix(arg, ")")
	switch what {
	case "CMD", "CMDEND", "CMDOUT":
		w.put("event", "cron_command", "user", who, "command", strings.TrimSpace(arg))
	case "REPLACE", "DELETE", "BEGIN EDIT", "END EDIT", "LIST", "RELOAD":
		w.put("event", "crontab", "change", what, "user", who, "target_user", arg)
	}
}

// logind reads "New session 12 of user alice." and its end.
func (w words) logind(m string) {
	switch {
	case strings.HasPrefix(m, "New session "):
		id, rest, _ := strings.Cut(m[len("New session "):], " of user ")
		who, _, _ := strings.Cut(rest, " with class ")
		w.put("event", "new_session", "session", strings.Trim(id, "'"), "user", strings.Trim(who, ".'"))
	case strings.HasPrefix(m, "Removed session "):
		w.put("event", "removed_session", "session", strings.Trim(m[len("Removed session "):], ".'"))
	case strings.HasPrefix(m, "Session ") && strings.Contains(m, " logged out"):
		id, _, _ := strings.Cut(m[len("Session "):], " logged out")
		w.put("event", "session_logged_out", "session", id)
	}
}
