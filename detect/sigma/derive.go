// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/hex"
	"strings"
)

// takes are the derivations that a routing table may ask for: they read a
// rule's field out of a longer value. They return false when it is not there.
var takes = map[string]func(field, value string) (string, bool){
	"path":   takePath,
	"query":  takeQuery,
	"hash":   takeHash,
	"status": takeDigits,
}

// takePath cuts a URL's query: /a/b?c=d gives /a/b.
func takePath(_, v string) (string, bool) {
	p, _, _ := strings.Cut(v, "?")
	return p, true
}

// takeQuery gives what follows the question mark.
func takeQuery(_, v string) (string, bool) {
	_, q, ok := strings.Cut(v, "?")
	return q, ok
}

// takeHash finds the hash named like the field in Sysmon's
// "MD5=..,SHA256=..,IMPHASH=..".
func takeHash(field, v string) (string, bool) {
	for part := range strings.SplitSeq(v, ",") {
		k, h, ok := strings.Cut(strings.TrimSpace(part), "=")
		if ok && strings.EqualFold(k, field) {
			return h, true
		}
	}
	return "", false
}

// takeDigits gives the digits a value begins with.
func takeDigits(_, v string) (string, bool) {
	n := 0
	for n < len(v) && '0' <= v[n] && v[n] <= '9' {
		n++
	}
	return v[:n], n > 0
}

// pairValue finds key=value or key="value" in a text such as an audit record,
// a sudo line ("TTY=pts/0 ; USER=root ; COMMAND=/bin/sh -i") or a classic
// PowerShell record (one "\tHostApplication=..." a line). Linux audit writes a
// value with spaces as upper-case hexadecimal without quotes; it is decoded for
// the keys that audit encodes.
func pairValue(text, key string) (string, bool) {
	for from := 0; from < len(text); {
		i := strings.Index(text[from:], key+"=")
		if i < 0 {
			return "", false
		}
		at := from + i
		from = at + len(key) + 1
		if at > 0 && !strings.ContainsRune(" \t\r\n;,('\"\x1d", rune(text[at-1])) {
			continue
		}
		return pairEnd(text, at, from, key), true
	}
	return "", false
}

func pairEnd(text string, at, from int, key string) string {
	rest := text[from:]
	if strings.HasPrefix(rest, `"`) {
		if v, _, ok := strings.Cut(rest[1:], `"`); ok {
			return v
		}
	}
	lineStart := at == 0 || text[at-1] == '\n' || text[at-1] == '\t'
	stop := " \r\n;,'\x1d"
	if lineStart && strings.ContainsAny(text, "\n") || key == "COMMAND" {
		stop = "\r\n" // a record of one pair a line, or sudo's last pair
	}
	if i := strings.IndexAny(rest, stop); i >= 0 {
		rest = rest[:i]
	}
	if auditEncoded(key) && len(rest) >= 2 && len(rest)%2 == 0 && strings.Trim(rest, "0123456789ABCDEF") == "" {
		if b, err := hex.DecodeString(rest); err == nil && printable(b) {
			return strings.ReplaceAll(string(b), "\x00", " ") // proctitle: arguments end with NUL
		}
	}
	return rest
}

// auditEncoded lists the keys whose values audit writes in hexadecimal when
// they hold spaces or control characters.
func auditEncoded(key string) bool {
	switch key {
	case "proctitle", "exe", "comm", "name", "cwd", "cmd", "data", "path":
		return true
	}
	return len(key) >= 2 && key[0] == 'a' && strings.Trim(key[1:], "0123456789") == ""
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != 0 && c != '\t' && c != '\n' {
			return false
		}
	}
	return true
}
