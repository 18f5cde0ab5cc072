// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package cisco reads the messages of Cisco's ASA, FTD and IOS: %ASA-6-302013:
// text, with any of the headers these devices write before it.
//
// It promises message_facility, message_level, message_id and message as the
// device wrote them (FTD's own events are pairs and have no message), and for the messages listed in messages.go and sessions.go
// what their text says, under names that README.md explains. Source and
// destination are those of the connection: who opened it, and to whom. It never
// drops a message that it does not know.
package cisco

import (
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "cisco", Match: match, Headless: true, Read: read}
}

// maxHead bounds what a device writes before its message.
const maxHead = 120

func match(app, msg string) bool {
	if app == "" && len(msg) > 2 && msg[1] == ' ' && msg[0] >= '1' && msg[0] <= '9' {
		return false // RFC 5424
	}
	i := strings.IndexByte(msg[:min(len(msg), maxHead)], '%')
	return i >= 0 && tag(msg[i:]) > 0 && headLike(msg[:i])
}

// tag returns the length of "%FACILITY-level-ID:" at the start of s, 0 when
// there is none. A facility may have parts: SEC_LOGIN, PLATFORM-UFDM, ASA-session.
func tag(s string) int {
	end := strings.IndexByte(s[:min(len(s), 80)], ':')
	if end < 7 || s[1] < 'A' || s[1] > 'Z' {
		return 0
	}
	for i := 2; i < end; i++ {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			continue
		}
		return 0
	}
	id := strings.LastIndexByte(s[:end], '-')
	if id < 4 || id+1 == end || s[id-2] != '-' || s[id-1] < '0' || s[id-1] > '7' {
		return 0
	}
	return end + 1
}

// headLike reports whether a header can consist of s: names, numbers, times.
func headLike(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(" :.*-_+/()", c) >= 0 {
			continue
		}
		return false
	}
	return true
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	i := max(strings.IndexByte(msg[:min(len(msg), maxHead)], '%'), 0)
	n := tag(msg[i:])
	b := format.NewBody(&e.Fields, 20)
	if n > 0 && i > 0 {
		head(msg[:i], e, b, src)
	}
	facility, level, id := "", "", ""
	if n > 0 {
		t := msg[i+1 : i+n-1]
		j := strings.LastIndexByte(t, '-')
		facility, level, id = t[:j-2], t[j-1:j], t[j+1:]
	}
	text := strings.TrimSpace(msg[i+n:])
	b.Add("message_facility", facility)
	b.Add("message_level", level)
	b.Add("message_id", id)
	e.Product, e.Category = "cisco", "firewall"
	switch family, _, _ := strings.Cut(facility, "-"); family {
	case "ASA", "PIX", "FWSM":
		e.Service = "asa"
	case "FTD", "NGIPS":
		e.Service = "ftd"
	default:
		e.Service = "ios"
	}
	if strings.HasPrefix(id, "4300") && e.Service == "ftd" {
		return keyed(text, b)
	}
	b.Add("message", text)
	if strings.Contains(text, "  ") {
		text = strings.Join(strings.Fields(text), " ")
	}
	if !session(id, text, b) {
		known(id, text, b)
	}
	return nil
}

// head reads what stands before the message: "123: *Mar 13 18:50:00.123 CST: ",
// "Mar 13 2026 18:50:00 fw : ", also behind a relay's own header. The last time
// and the last name are the device's.
func head(s string, e *event.Event, b *format.Body, src format.Source) {
	name := ""
	for {
		if s = strings.TrimLeft(s, " :"); s == "" {
			break
		}
		if s[0] == '*' || s[0] == '.' { // IOS: its clock was not set, or lost its master
			b.Add("clock", s[:1])
			s = s[1:]
			continue
		}
		if t, raw, ok := format.Stamp(s, src.Location(), src.NotAfter); ok {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.At, raw, t.Assumed, t.Resolution/2
			s = zone(s[len(raw):], e, src.Location())
			continue
		}
		end := strings.IndexAny(s, " :")
		if end < 0 {
			end = len(s)
		}
		word := s[:end]
		s = s[end:]
		if strings.Trim(word, "0123456789") == "" && strings.HasPrefix(s, ":") {
			b.Add("sequence", word)
			continue
		}
		if name == "" && len(word) < 64 {
			name = word
			continue
		}
		if len(word) < 64 && word != "Primary" && word != "Secondary" {
			name = word
		}
	}
	if name != "" {
		b.Add("hostname", name)
	}
}

// zone reads the abbreviation behind a time. Only UTC and GMT say something
// certain.
func zone(s string, e *event.Event, loc *time.Location) string {
	word := strings.TrimLeft(s, " ")
	end := strings.IndexByte(word, ':')
	if end < 2 || end > 5 || strings.Trim(word[:end], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return s
	}
	if abbr := word[:end]; (abbr == "UTC" || abbr == "GMT") && e.ZoneAssumed {
		e.ZoneAssumed = false
		if !e.Time.IsZero() { // read as if it were local
			_, off := e.Time.In(loc).Zone()
			e.Time = e.Time.Add(time.Duration(off) * time.Second)
		}
	}
	return word[end:]
}
