// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package synology reads what a Synology NAS (DSM 6 and 7) sends: connections,
// file transfers and the system log, in the BSD and the IETF form.
//
// It promises the structured data of the IETF form under their own names, the
// pairs of transfers (Event, Path, User, IP …), and for the sentences listed in
// texts what they tell. Other programs on a NAS write as any Linux does and are
// not read here.
package synology

import (
	"strings"
	"sync"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

// Dialect returns the dialect.
func Dialect() format.Dialect { return format.Dialect{Name: "synology", Match: match, Read: read} }

// services by the tag of the line. Transfers have one tag for each protocol.
var services = map[string]string{
	"Connection": "connection", "System": "system", "WinFileService": "smb", "SMBService": "smb", "AFPFileService": "afp", "FTP": "ftp", "FTPFileService": "ftp",
	"WebDAV": "webdav", "WebDAVFileService": "webdav", "FileStation": "filestation", "DSMFileService": "filestation", "NFS": "nfs", "TFTP": "tftp", "Backup": "backup",
	"rsync": "rsync", "Surveillance": "surveillance",
}

func match(app, msg string) bool {
	if app == "" {
		app, msg, _ = strings.Cut(msg, " ")
	}
	s := services[app]
	switch {
	case s == "":
		return false
	case strings.HasPrefix(msg, "Event: ") && strings.Contains(msg, ", Path: "):
		return true
	case s == "connection" || s == "system" || s == "backup":
		// A sentence, in the BSD form behind "user:" and a tab.
		return strings.Contains(msg, "[") || strings.Contains(msg, ":\t") || strings.Contains(msg, ":#011")
	}
	return false
}

func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
	f := &e.Fields
	app := f.Str("appname")
	if app == "" {
		app, msg, _ = strings.Cut(msg, " ")
	}
	for i := range *f { // the IETF form's data: synolog@6574.luser
		if n, ok := strings.CutPrefix((*f)[i].Name, "synolog@6574."); ok {
			(*f)[i].Name = n
		}
	}
	b := format.NewBody(f, 12)
	if f.Str("appname") == "" {
		b.Add("appname", app)
	}
	e.Product, e.Service = "synology", services[app]
	b.Add("message", msg)
	if strings.HasPrefix(msg, "Event: ") {
		transfer(msg, b)
		return nil
	}
	msg = strings.Replace(msg, "#011", "\t", 1) // what rsyslog makes of the tab
	who, text, ok := strings.Cut(msg, ":\t")
	if !ok {
		who, text, ok = strings.Cut(msg, ": ")
		ok = ok && who != "" && !strings.ContainsAny(who, " []")
	}
	if ok {
		b.Add("by", who)
	} else {
		text = msg
	}
	if ev := sentences().Read(e.Service, text, b.Add); ev != "" {
		b.Add("told", ev)
	}
	return nil
}

// keys of a transfer, in their order. A path may hold commas.
var keys = [...]string{"Event: ", ", Path: ", ", File/Folder: ", ", Size: ", ", User: ", ", IP: "}

// transfer reads "Event: write, Path: /share/a, b.docx, File/Folder: File, Size:
// 12.3 KB, User: wang, IP: 10.0.0.5". The keys are sought from the end, because
// only the path is anybody's text.
func transfer(msg string, b *format.Body) {
	at := [len(keys)]int{}
	end := len(msg)
	for i := len(keys) - 1; i > 0; i-- {
		if at[i] = strings.LastIndex(msg[:end], keys[i]); at[i] < 0 {
			continue
		}
		end = at[i]
	}
	for i, k := range keys {
		if i > 0 && at[i] <= 0 {
			continue
		}
		to := len(msg)
		for j := i + 1; j < len(keys); j++ {
			if at[j] > 0 {
				to = at[j]
				break
			}
		}
		b.Add(strings.Trim(k, ", :"), msg[at[i]+len(k):to])
	}
}

// texts of DSM's Log Center.
const texts = `
connection|login-ok|User [{user}] from [{src_ip}] logged in successfully via [{via}].
connection|login-ok|User [{user}] from [{src_ip}] signed in to [{via}] successfully via [{method}].
connection|login-ok|User [{user}] logged in from [{src_ip}] via [{via}].
connection|login-failed|User [{user}] from [{src_ip}] failed to log in via [{via}] due to {reason}.
connection|login-failed|User [{user}] from [{src_ip}] failed to sign in to [{via}] via [{method}] due to {reason}.
connection|login-failed|User [{user}] failed to log in from [{src_ip}] via [{via}] due to {reason}.
connection|login-end|User [{user}] from [{src_ip}] logged out the server via [{via}] with totally [{transferred}] transferred{_}
connection|login-end|User [{user}] from [{src_ip}] signed out from [{via}].
connection|share|User [{user}] from [{src_ip}] via [{via}] accessed shared folder [{share}].
connection|share|User [{user}] from [{src_ip}] accessed shared folder [{share}] via [{via}].
connection|blocked|Host [{src_ip}] was blocked via [{via}].
system|blocked|Host [{src_ip}] was blocked via [{via}].
system|account|User [{user}] was created.
system|account|User [{user}] was deleted.
system|group|User [{user}] was {change} the group [{group}].
system|share-removed|Shared folder [{share}] was deleted{_}
system|share-removed|Shared folder [{share}] was removed{_}
system|service-on|Service [{service}] was enabled.
system|service-off|Service [{service}] was disabled.
system|log-cleared|System successfully cleared [{log}]{_}
system|export|System successfully exported configurations.
`

var sentences = sync.OnceValue(func() sentence.Table { return sentence.Parse(texts) })
