// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package panos reads the comma-separated logs of Palo Alto Networks' PAN-OS,
// in syslog and as exported from the device.
//
// It promises the vendor's names for the columns of the record's type, whatever
// the version's number of columns, and the device's own time. Empty columns and
// those reserved by the vendor are left out. Texts of system logs about logons
// are also read into login_user, login_ip, login_private_ip and login_result. It never knows a
// custom log format; those are usually CEF.
package panos

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "panos", Match: match, Headless: true, Read: read}
}

// exported is the first line of a file that the device exported.
const exported = "Domain,Receive Time,Serial #,Type,"

// match looks for a receive time in the second column and a known type in the
// fourth.
func match(_, msg string) bool {
	i := strings.IndexByte(msg[:min(len(msg), 24)], ',')
	if i < 0 || len(msg) < i+30 {
		return false
	}
	if t := msg[i+1:]; t[4] != '/' || t[7] != '/' || t[10] != ' ' || t[13] != ':' || t[16] != ':' || t[19] != ',' {
		return strings.HasPrefix(msg, exported)
	}
	rest := msg[i+21:]
	j := strings.IndexByte(rest[:min(len(rest), 40)], ',')
	if j < 0 {
		return false
	}
	typ, _, _ := strings.Cut(rest[j+1:], ",")
	_, ok := kinds[typ]
	return ok
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	if strings.HasPrefix(msg, exported) {
		return format.ErrSkip
	}
	var room [128]string
	cols, err := split(msg, room[:0])
	if err != nil {
		return err
	}
	if len(cols) < 8 {
		return fmt.Errorf("PAN-OS: %d columns", len(cols))
	}
	k, ok := kinds[cols[3]]
	if !ok {
		return fmt.Errorf("PAN-OS: unknown type %q", cols[3])
	}
	names := k.cols
	if cols[3] == "CONFIG" && len(cols) > 17 && strings.HasPrefix(cols[17], "0x") {
		names = configWithChanges
	}
	filled := 0
	for _, c := range cols {
		if c != "" {
			filled++
		}
	}
	b := format.NewBody(&e.Fields, filled)
	hi, clock, shift := "", k.clock, 0
	if len(names) != len(k.cols) {
		clock = slices.Index(names, clockName)
	}
	for i, c := range cols {
		if i == clock && !isTime(c) {
			// Releases differ by a column or two before it; it can be told by its form.
			if d := nearTime(cols, i); d != 0 {
				clock, shift = i+d, d
			}
		}
		if i == clock {
			hi = c
		}
		name := ""
		switch j := i - shift; {
		case j >= len(names) || shift > 0 && i < clock:
			name = "column_" + strconv.Itoa(i+1)
		case names[j] == "_":
			continue
		default:
			name = names[j]
		}
		if c != "" {
			b.Add(name, c)
		}
	}
	e.Product, e.Category, e.Service = "paloalto", "firewall", k.service
	if k.service == "threat" {
		switch cols[4] {
		case "url", "wildfire":
			e.Service = cols[4]
		}
	}
	if k.service == "system" {
		logon(e.Fields.Str("opaque"), b)
	}
	return at(e, hi, cols[6], src)
}

// nearTime returns how far from column i the time with milliseconds stands, 0
// when it does not stand near.
func nearTime(cols []string, i int) int {
	for d := 1; d <= 2 && i+d < len(cols); d++ {
		if isTime(cols[i+d]) {
			return d
		}
	}
	return 0
}

func isTime(s string) bool { return len(s) >= 20 && s[4] == '-' && s[10] == 'T' }

// at prefers the time with milliseconds and zone to the one in whole seconds of
// the device's zone.
func at(e *event.Event, hi, generated string, src format.Source) error {
	if isTime(hi) {
		if t, err := time.Parse(time.RFC3339Nano, hi); err == nil {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), hi, false, 0
			return nil
		}
	}
	t, err := time.ParseInLocation("2006/01/02 15:04:05", generated, src.Location())
	if err != nil {
		return fmt.Errorf("PAN-OS: time %q: %w", generated, err)
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), generated, true, time.Second/2
	return nil
}

// split reads a row: a value with a comma or a quote is quoted, a quote in it
// doubled, or behind a backslash where the device was told so.
func split(s string, out []string) ([]string, error) {
	for {
		if len(out) >= format.MaxFields {
			return nil, errors.New("PAN-OS: too many columns")
		}
		if s != "" && s[0] == ',' { // half of the columns are empty
			out = append(out, "")
			s = s[1:]
			continue
		}
		if !strings.HasPrefix(s, `"`) {
			v, rest, more := strings.Cut(s, ",")
			out = append(out, v)
			if !more {
				return out, nil
			}
			s = rest
			continue
		}
		v, rest, ok := quoted(s[1:])
		if !ok {
			return nil, errors.New("PAN-OS: a quote without an end")
		}
		out = append(out, v)
		if rest == "" {
			return out, nil
		}
		s = rest[1:]
	}
}

// quoted reads to the quote that a comma or the end follows; rest begins with
// that comma.
func quoted(s string) (v, rest string, ok bool) {
	if i := strings.IndexByte(s, '"'); i >= 0 && (i == 0 || s[i-1] != '\\') && (i+1 == len(s) || s[i+1] == ',') {
		return s[:i], s[i+1:], true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"' && i+1 < len(s) && s[i+1] == '"':
			i++
		case s[i] == '"' && (i+1 == len(s) || s[i+1] == ','):
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+2 < len(s) && s[i+1] == '"' && s[i+2] != ',':
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// logon reads who, from where and how it ended out of the texts of system logs:
// of the management ("User admin logged in via Web from 10.0.0.5 using https",
// "failed authentication for user 'admin'. … From: 10.0.0.5.") and of
// GlobalProtect before 9.1 ("… login succeeded. Login from: 203.0.113.7, …, User
// name: wang, …").
func logon(text string, b *format.Body) {
	user, ip, private, result := "", "", "", ""
	switch {
	case strings.HasPrefix(text, "GlobalProtect "):
		user = until(text, "User name: ", ",")
		ip = until(text, "Login from: ", ",")
		private = strings.TrimRight(until(text, "Private IP: ", ","), ".")
		switch what, _, _ := strings.Cut(text, ". "); {
		case strings.HasSuffix(what, "login succeeded"):
			result = "success"
		case strings.HasSuffix(what, "logout succeeded"):
			result = "logout"
		case strings.HasSuffix(what, "failed"):
			result = "failure"
		}
	case strings.HasPrefix(text, "User ") && strings.Contains(text, " logged "):
		user = until(text, "User ", " ")
		ip = until(text, " from ", " ")
		result = "success"
		if strings.Contains(text, " logged out") {
			result = "logout"
		}
	case strings.Contains(text, "for user '"):
		// An authentication alone: the logon has a record of its own.
		user = until(text, "for user '", "'")
		ip = strings.TrimRight(until(text, "From: ", " "), ".,")
		if strings.HasPrefix(text, "failed authentication") {
			result = "failure"
		}
	}
	for _, x := range [...][2]string{{"login_user", user}, {"login_ip", ip}, {"login_private_ip", private}, {"login_result", result}} {
		if x[1] != "" {
			b.Add(x[0], x[1])
		}
	}
}

// until returns what stands between the first from and the next to, or the end.
func until(s, from, to string) string {
	_, s, ok := strings.Cut(s, from)
	if !ok {
		return ""
	}
	s, _, _ = strings.Cut(s, to)
	return s
}
