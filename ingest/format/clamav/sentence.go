// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clamav

import (
	"strings"

	"citywall/ingest/format"
)

// sentence adds what text says and returns which sentence it is, "" when it is
// none that is known.
func sentence(b *format.Body, text string) (kind string) {
	put := func(kv ...string) {
		for i := 0; i+1 < len(kv); i += 2 {
			if kv[i+1] != "" {
				b.Add(kv[i], kv[i+1])
			}
		}
	}
	for _, level := range [...]string{"WARNING", "ERROR", "LibClamAV Warning", "LibClamAV Error"} {
		if rest, ok := strings.CutPrefix(text, level+": "); ok {
			put("level", strings.ToLower(level[strings.LastIndexByte(level, ' ')+1:]))
			text = strings.TrimSpace(strings.Trim(rest, "*"))
		}
	}
	text = strings.TrimPrefix(text, "ScanOnAccess: ")
	path, verdict, ok := cutVerdict(text)
	sig, found := strings.CutSuffix(verdict, " FOUND")
	switch {
	case ok && found:
		kind = "found"
		put("event", kind, "Filename", path)
		// ExtendedDetectionInfo: Signature(md5:size)
		if name, extra, ok := strings.Cut(sig, "("); ok && strings.HasSuffix(extra, ")") {
			sig = name
			if md5, size, ok := strings.Cut(strings.TrimSuffix(extra, ")"), ":"); ok && len(md5) == 32 {
				put("md5", md5, "size", size)
			}
		}
		put("Signature", sig)
		// clamd's INSTREAM: instream(10.0.0.5@51234)
		if peer, ok := strings.CutPrefix(path, "instream("); ok {
			ip, port, _ := strings.Cut(strings.TrimSuffix(peer, ")"), "@")
			if ip != "local" {
				put("client_ip", ip, "client_port", port)
			}
		}
	case strings.HasPrefix(text, "Message ") && strings.Contains(text, " infected by "):
		kind = "found"
		i := strings.LastIndex(text, " infected by ")
		put("event", kind, "Signature", text[i+len(" infected by "):])
		head := text[:i]
		if id, rest, ok := strings.Cut(strings.TrimPrefix(head, "Message "), " from "); ok {
			from, rest, _ := strings.Cut(rest, " to ")
			to, _, _ := strings.Cut(rest, " with ")
			put("queue_id", id, "from", strings.Trim(from, "<>"), "to", strings.Trim(to, "<>"))
		}
	case strings.Contains(text, " (version: ") && strings.Contains(text, "is up") || strings.Contains(text, " updated (version: "):
		kind = "update"
		db, _, _ := strings.Cut(text, " ")
		_, v, _ := strings.Cut(text, "version: ")
		v, rest, _ := strings.Cut(v, ",")
		_, sigs, _ := strings.Cut(rest, "sigs: ")
		sigs, _, _ = strings.Cut(sigs, ",")
		put("event", kind, "database", db, "version", v, "signatures", sigs)
	case strings.HasPrefix(text, "Database updated ("):
		kind = "updated"
		n, rest, _ := strings.Cut(strings.TrimPrefix(text, "Database updated ("), " ")
		_, from, _ := strings.Cut(rest, " from ")
		put("event", kind, "signatures", n, "server", from)
	case strings.Contains(text, "installation is OUTDATED"):
		kind = "outdated"
		put("event", kind)
	case strings.HasPrefix(text, "SelfCheck: "):
		kind = "selfcheck"
		put("event", kind, "status", strings.TrimPrefix(text, "SelfCheck: "))
	case strings.HasPrefix(text, "+++ Started at "):
		kind = "started"
		put("event", kind)
	case strings.HasPrefix(text, "--- Stopped at "), strings.HasPrefix(text, "+++ Stopped at "):
		kind = "stopped"
		put("event", kind)
	case strings.HasPrefix(text, "Update process "), strings.HasPrefix(text, "ClamAV update process started"), strings.HasPrefix(text, "Update failed"), strings.HasPrefix(text, "Can't download "):
		kind = "update"
		put("event", kind)
	}
	return kind
}
