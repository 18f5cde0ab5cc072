// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package defender

import (
	"strings"

	"citywall/ingest/format"
)

// sentence reads the sentences of MPLog that tell of a threat, a file or a
// program. There is no documentation of them.
func sentence(b *format.Body, s string) {
	put := func(kv ...string) {
		for i := 0; i+1 < len(kv); i += 2 {
			if kv[i+1] != "" {
				b.Add(kv[i], kv[i+1])
			}
		}
	}
	switch word, rest, _ := strings.Cut(s, " "); {
	case word == "DETECTIONEVENT":
		source, rest, _ := strings.Cut(rest, " ")
		put("event", "detection", "source", source)
		threat(put, rest)
	case strings.HasPrefix(word, "DETECTION_ADD"):
		put("event", "detection")
		threat(put, rest)
	case word == "DETECTION_CLEANEVENT":
		w := strings.SplitN(rest, " ", 4)
		if len(w) == 4 {
			put("event", "cleaned", "source", w[0], "action", w[1], "result", w[2])
			threat(put, w[3])
		}
	case strings.HasPrefix(s, "EMS detection: "):
		name, rest, _ := strings.Cut(strings.TrimPrefix(s, "EMS detection: "), ",")
		put("event", "detection", "threat", name)
		pairs(put, rest, "=")
	case strings.HasPrefix(s, "ProcessImageName: "):
		put("event", "process")
		pairs(put, s, ": ")
	case strings.HasPrefix(s, "[Mini-filter] Blocked file"):
		put("event", "blocked")
		_, rest, _ := strings.Cut(s, ": ")
		file, rest, ok := strings.Cut(rest, ". Process: ")
		process, rest, ok2 := strings.Cut(rest, ", Status: ")
		if ok && ok2 {
			put("file", file, "process", process)
			pairs(put, "Status: "+rest, ": ")
		}
	case strings.HasPrefix(s, "SDN:Issuing SDN query for "):
		put("event", "query")
		file, hashes, _ := strings.Cut(strings.TrimPrefix(s, "SDN:Issuing SDN query for "), " (")
		put("file", strings.TrimPrefix(file, `\\?\`))
		if i := strings.Index(hashes, "(sha1="); i >= 0 {
			pairs(put, strings.TrimSuffix(hashes[i+1:], ")"), "=")
		}
	}
}

// threat reads "Trojan:Win32/Wacatac.B!ml file:C:\x;" : a name without spaces,
// then resources.
func threat(put func(...string), s string) {
	name, resources, _ := strings.Cut(strings.TrimSpace(s), " ")
	put("threat", name, "resources", strings.TrimSpace(resources))
	for r := range strings.SplitSeq(resources, ";") {
		r = strings.TrimSpace(r)
		for _, kind := range [...]string{"file:_", "file:", "containerfile:_", "containerfile:", "process:_", "process:"} {
			if p, ok := strings.CutPrefix(r, kind); ok {
				if strings.HasPrefix(kind, "process") {
					put("pid", p)
				} else {
					put("file", p)
				}
				break
			}
		}
	}
}

// pairs reads "Name: value, Name: value".
func pairs(put func(...string), s, sep string) {
	n := 0
	for part := range strings.SplitSeq(s, ", ") {
		if k, v, ok := strings.Cut(strings.TrimSpace(part), sep); ok && k != "" && len(k) < 64 && !strings.ContainsAny(k, `\"`) {
			put(k, v)
		}
		if n++; n > 64 {
			return
		}
	}
}
