// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package family

import (
	"bytes"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxNote bounds what is read of a note: they are pages, not books.
const MaxNote = 1 << 20 // bytes

// Decode turns a note as it lies on disk into text: UTF-16 with or without its
// mark, UTF-8, or else bytes of which only ASCII is kept. Markup and scripts are
// taken out. Nothing of it is ever rendered.
func Decode(b []byte) string {
	if len(b) > MaxNote {
		b = b[:MaxNote]
	}
	s := decode(b)
	if low := strings.ToLower(s[:min(len(s), 4096)]); strings.Contains(low, "<html") || strings.Contains(low, "<!doctype") || strings.Contains(low, "<body") || strings.Contains(low, "<head") {
		s = blocks.ReplaceAllString(s, " ")
		s = html.UnescapeString(tags.ReplaceAllString(s, " "))
	}
	if strings.HasPrefix(s, `{\rtf`) {
		s = rtf.ReplaceAllString(s, " ")
	}
	return s
}

var (
	blocks = regexp.MustCompile(`(?is)<(script|style)\b.*?</(script|style)\s*>|<!--.*?-->`)
	tags   = regexp.MustCompile(`(?s)<[^<>]*>`)
	rtf    = regexp.MustCompile(`\\[a-z]+-?\d* ?|[{}]|\\'[0-9a-f]{2}`)
)

func decode(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		b = b[3:]
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return wide(b[2:], false)
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return wide(b[2:], true)
	case len(b) >= 8:
		// Latin text in UTF-16 has a zero in every second byte.
		n := min(len(b), 512) &^ 1
		even, odd := 0, 0
		for i := 0; i < n; i += 2 {
			if b[i] == 0 {
				even++
			}
			if b[i+1] == 0 {
				odd++
			}
		}
		if odd > n/4 {
			return wide(b, false)
		}
		if even > n/4 {
			return wide(b, true)
		}
	}
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return ' '
		}
		return r
	}, string(b))
}

func wide(b []byte, big bool) string {
	u := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		if big {
			u = append(u, uint16(b[i])<<8|uint16(b[i+1]))
		} else {
			u = append(u, uint16(b[i+1])<<8|uint16(b[i]))
		}
	}
	return string(utf16.Decode(u))
}

var mailAddress = regexp.MustCompile(`(?i)[a-z0-9._+-]{2,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,3}\.[a-z]{2,12}`)

// contacts are ways to reach those who wrote a note. They are kept in lower case,
// but for wallets, whose case is part of them.
var contacts = []struct {
	kind string
	find *regexp.Regexp
	fold bool
}{
	{"mail", mailAddress, true},
	{"onion", regexp.MustCompile(`(?i)\b(?:[a-z2-7]{56}|[a-z2-7]{16})\.onion\b`), true},
	{"tox", regexp.MustCompile(`(?i)\b[0-9a-f]{76}\b`), true},
	{"session", regexp.MustCompile(`(?i)\b05[0-9a-f]{64}\b`), true},
	{"wallet", regexp.MustCompile(`\b(?:bc1[a-z0-9]{25,62}|[13][a-km-zA-HJ-NP-Z1-9]{25,34}|0x[0-9a-fA-F]{40}|[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93})\b`), false},
	{"telegram", regexp.MustCompile(`(?i)\b(?:t\.me|telegram\.me)/[a-z0-9_+]{4,40}`), true},
	{"site", regexp.MustCompile(`(?i)\bhttps?://[a-z0-9.-]{4,100}`), true},
}

// commonSites are places that any note may name: they say nothing of its writer.
var commonSites = []string{
	"torproject.org", "localbitcoins.com", "coinbase.com", "bitcoin.org", "blockchain.info", "blockchain.com", "coindesk.com", "buybitcoinworldwide.com", "paxful.com",
	"google.com", "wikipedia.org", "youtube.com", "protonmail.com", "proton.me", "tutanota.com", "tox.chat", "getsession.org", "telegram.org", "qtox.github.io", "github.com",
	"w3.org", "googleapis.com", "icq.com", "microsoft.com", "mozilla.org", "gdpr.eu", "europa.eu", "file.io", "temp.sh", "sonar.im", "bestchange.com", "kraken.com", "binance.com",
}

// contact is one way to reach the writer.
type contact struct{ kind, value string }

func findContacts(s string) []contact {
	var out []contact
	for _, c := range contacts {
		for _, v := range c.find.FindAllString(s, 200) {
			if c.fold {
				v = strings.ToLower(v)
			}
			v = strings.TrimRight(v, ".-")
			common := slices.ContainsFunc(commonSites, func(e string) bool {
				return strings.HasSuffix(v, "."+e) || strings.HasSuffix(v, "/"+e)
			})
			if x := (contact{c.kind, v}); !common && !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

// masks replace what differs from victim to victim by one word each.
var masks = []struct {
	find *regexp.Regexp
	word string
}{
	{mailAddress, " xmail "},
	{regexp.MustCompile(`(?i)(?:https?://)?\b[a-z2-7]{16,56}\.onion\b\S{0,300}`), " xonion "},
	{regexp.MustCompile(`(?i)\bhttps?://\S{1,300}|\bwww\.\S{1,300}`), " xurl "},
	{regexp.MustCompile(`\b[0-9a-fA-F]{16,}\b|[A-Za-z0-9+/=_-]{32,}`), " xid "},
	{regexp.MustCompile(`[$€£]\s?\d[\d.,]*|\b\d[\d.,]*\s?(?:\$|usd|btc|bitcoins?)\b`), " xamount "},
	{regexp.MustCompile(`\b\d[\d.,:-]*\b`), " xnumber "},
}

// words returns the words of a text, masked and in lower case.
func words(s string) []string {
	s = strings.ToLower(s)
	for _, m := range masks {
		s = m.find.ReplaceAllString(s, m.word)
	}
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' })
}
