// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package leef reads the Log Event Extended Format of QRadar, 1.0 and 2.0, in
// syslog and alone.
//
// It promises the header as leefVersion, vendor, product, productVersion and
// eventId, the attributes under their own keys, any delimiter of 2.0, and the
// time of devTime read by its devTimeFormat. It never unescapes: LEEF knows no
// escapes.
package leef

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/cef"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "leef", Match: match, Headless: true, Read: read}
}

func match(_, msg string) bool {
	return strings.HasPrefix(msg, "LEEF:") && (strings.HasPrefix(msg[5:], "1.0|") || strings.HasPrefix(msg[5:], "2.0|"))
}

var header = [...]string{"leefVersion", "vendor", "product", "productVersion", "eventId"}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	s := strings.TrimPrefix(msg, "LEEF:")
	b := format.NewBody(&e.Fields, len(header)+strings.Count(s, "="))
	for _, name := range header {
		v, rest, ok := strings.Cut(s, "|")
		if !ok {
			return fmt.Errorf("LEEF: the header ends in its %s", name)
		}
		b.Add(name, v)
		s = rest
	}
	delim := "\t"
	if e.Fields.Str("leefVersion") == "2.0" {
		if d, rest, ok := strings.Cut(s, "|"); ok && !strings.Contains(d, "=") {
			s = rest
			if d != "" {
				delim = delimiter(d)
			}
		}
	}
	if err := attributes(s, delim, b); err != nil {
		return err
	}
	e.Product, e.Service = "leef", cef.Service(e.Fields.Str("vendor"), e.Fields.Str("product"))
	at(e, src)
	return nil
}

// delimiter reads the sixth part of a 2.0 header: a character, or its code as
// x5E or 0x5E.
func delimiter(d string) string {
	hex, ok := strings.CutPrefix(strings.ToLower(strings.TrimPrefix(d, "0")), "x")
	if n, err := strconv.ParseUint(hex, 16, 16); ok && len(d) > 1 && err == nil && n > 0 {
		return string(rune(n))
	}
	return d
}

// tabs are what relays make of a tab: rsyslog, syslog-ng and documents.
var tabs = [...]string{"\t", "#011", `\x09`, `\0x09`, `\t`, "<009>"}

func attributes(s, delim string, b *format.Body) error {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil
	}
	if delim == "\t" && !strings.Contains(s, delim) {
		delim = ""
		for _, t := range tabs {
			if strings.Contains(s, t) {
				delim = t
				break
			}
		}
		if delim == "" { // one attribute, or spaces where tabs ought to be
			if err := cef.Words(s, b.Add); err != nil {
				return fmt.Errorf("LEEF: %w", err)
			}
			return nil
		}
	}
	for n := 0; s != ""; n++ {
		if n >= format.MaxFields {
			return errors.New("LEEF: too many attributes")
		}
		a, rest, _ := strings.Cut(s, delim)
		s = rest
		if a = strings.TrimSpace(a); a == "" {
			continue
		}
		k, v, ok := strings.Cut(a, "=")
		if k = strings.TrimSpace(k); !ok || k == "" {
			return fmt.Errorf("LEEF: want key=value at %q", a[:min(len(a), 40)])
		}
		b.Add(k, v)
	}
	return nil
}

func at(e *event.Event, src format.Source) {
	s := e.Fields.Str("devTime")
	if s == "" {
		return
	}
	if f := e.Fields.Str("devTimeFormat"); f != "" {
		layout, zone, ok := layoutOf(f)
		if t, err := time.ParseInLocation(layout, s, src.Location()); ok && err == nil && t.Year() > 0 {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), s, !zone, 0
			if !strings.Contains(layout, ".") {
				e.Uncertainty = time.Second / 2
			}
			return
		}
	}
	if t, assumed, whole, ok := cef.Time(s, src.Location(), src.NotAfter); ok {
		e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, s, assumed, 0
		if whole {
			e.Uncertainty = time.Second / 2
		}
	}
}

// patterns of Java's SimpleDateFormat that LEEF's guide names, longest first.
var patterns = []struct {
	java, layout string
	zone         bool
}{
	{"yyyy", "2006", false},
	{"MMMM", "January", false},
	{"MMM", "Jan", false},
	{"MM", "01", false},
	{"M", "1", false},
	{"dd", "02", false},
	{"d", "2", false},
	{"HH", "15", false},
	{"hh", "03", false},
	{"mm", "04", false},
	{"SSSSSS", "000000", false},
	{"SSS", "000", false},
	{"ss", "05", false},
	{"aa", "PM", false},
	{"a", "PM", false},
	{"XXX", "Z07:00", true},
	{"X", "Z07", true},
	{"Z", "-0700", true},
	{"yy", "06", false},
}

// layoutOf translates a format of Java; false when it holds something else, as
// "z" does: an abbreviation that names no zone for certain.
func layoutOf(java string) (layout string, zone, ok bool) {
	var out strings.Builder
next:
	for java != "" {
		if java[0] == '\'' {
			text, rest, ok := strings.Cut(java[1:], "'")
			if !ok {
				return "", false, false
			}
			out.WriteString(text)
			java = rest
			continue
		}
		for _, p := range patterns {
			if strings.HasPrefix(java, p.java) {
				out.WriteString(p.layout)
				zone = zone || p.zone
				java = java[len(p.java):]
				continue next
			}
		}
		if c := java[0] | 0x20; c >= 'a' && c <= 'z' {
			return "", false, false
		}
		out.WriteByte(java[0])
		java = java[1:]
	}
	return out.String(), zone, true
}
