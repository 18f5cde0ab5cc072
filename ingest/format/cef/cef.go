// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package cef reads the Common Event Format, in syslog and alone.
//
// It promises the header as cefVersion, deviceVendor, deviceProduct,
// deviceVersion, deviceEventClassId, name and cefSeverity, the extension under
// its own keys with escapes undone, and each custom label paired with its value
// as custom.LABEL. It never translates one vendor's keys into another's; Parse
// is there for packages that know a vendor.
package cef

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Dialect returns the dialect.
func Dialect() format.Dialect {
	return format.Dialect{Name: "cef", Match: func(_, msg string) bool { return Match(msg) }, Headless: true, Read: read}
}

// Match reports whether s begins as a CEF record: CEF:0| or CEF:1|. FortiOS 5
// wrote a space behind the colon.
func Match(s string) bool {
	s, ok := strings.CutPrefix(s, "CEF:")
	s = strings.TrimPrefix(s, " ")
	return ok && len(s) > 2 && (s[0] == '0' || s[0] == '1') && s[1] == '|'
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	if err := Parse(msg, &e.Fields); err != nil {
		return err
	}
	e.Product, e.Service = "cef", Service(e.Fields.Str("deviceVendor"), e.Fields.Str("deviceProduct"))
	at(e, src)
	return nil
}

// Service is the label of a vendor's product: "fortinet fortigate".
func Service(vendor, product string) string {
	return strings.ToLower(strings.TrimSpace(strings.TrimSpace(vendor) + " " + strings.TrimSpace(product)))
}

// header are the names of the seven parts, as ArcSight's data fields are
// called; the severity has a prefix because syslog has one of its own.
var header = [...]string{"cefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name", "cefSeverity"}

// Parse adds the fields of a CEF record.
func Parse(s string, f *event.Fields) error {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "CEF:"), " ")
	b := format.NewBody(f, len(header)+strings.Count(s, "="))
	for i, name := range header {
		v, rest, ok := part(s)
		if !ok && i < len(header)-1 {
			return fmt.Errorf("CEF: the header ends in its %s", name)
		}
		b.Add(name, v)
		s = rest
	}
	if err := Words(s, func(k, v string) { b.Add(k, unescape(v)) }); err != nil {
		return fmt.Errorf("CEF: %w", err)
	}
	labels(*f, b)
	return nil
}

// part reads one part of the header; \| and \\ are escapes.
func part(s string) (v, rest string, ok bool) {
	i := strings.IndexAny(s, `|\`)
	if i < 0 {
		return s, "", false
	}
	if s[i] == '|' {
		return s[:i], s[i+1:], true
	}
	var b strings.Builder
	for i = 0; i < len(s) && s[i] != '|'; i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '|' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	if i >= len(s) {
		return b.String(), "", false
	}
	return b.String(), s[i+1:], true
}

// Words reads key=value pairs separated by spaces. A value may hold spaces and,
// against the rules but often, bare "=": a key is therefore what stands between
// a space and "=" and consists of the characters of a key only.
func Words(s string, add func(key, value string)) error {
	s = strings.Trim(s, " ")
	if s == "" {
		return nil
	}
	word, eq := nextKey(s, 0)
	if eq < 0 {
		return fmt.Errorf("want key=value at %q", s[:min(len(s), 40)])
	}
	key := s[:eq]
	for n := 0; ; n++ {
		if n >= format.MaxFields || word < 0 {
			return errors.New("too many pairs")
		}
		from := eq + 1
		if word, eq = nextKey(s, from); eq < 0 {
			add(key, s[from:])
			return nil
		}
		add(key, strings.TrimRight(s[from:word], " "))
		key = s[word:eq]
	}
}

// nextKey returns where the next key begins and its "=", or -1. The word at
// from is the rest of a value, unless from is 0.
func nextKey(s string, from int) (word, eq int) {
	word, fits := from, from == 0
	for i := from; i < len(s); i++ {
		switch s[i] {
		case ' ':
			word, fits = i+1, true
		case '=':
			if fits && isKey(s[word:i]) {
				return word, i
			}
			fits = false
			if from == 0 {
				return 0, -1 // the text does not begin with a key
			}
		}
	}
	return 0, -1
}

func isKey(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-' || c == '[' || c == ']' {
			continue
		}
		return false
	}
	return true
}

// unescape undoes \= \\ \n \r, and \| which many write as well. Another
// backslash is a backslash, and a path of Windows that was sent bare, against
// the rules, stays as it is.
func unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 || i == 2 && s[1] == ':' && len(s) > 3 && s[3] != '\\' {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case '=', '\\', '|':
				c = s[i+1]
				i++
			case 'n':
				c = '\n'
				i++
			case 'r':
				c = '\r'
				i++
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// labels pairs cs1Label=Rule with cs1=web as custom.Rule = web.
func labels(f event.Fields, b *format.Body) {
	n := len(f)
	for i := range n {
		base, ok := strings.CutSuffix(f[i].Name, "Label")
		label := f[i].Value.Text
		if !ok || base == "" || label == "" {
			continue
		}
		if v, ok := f[:n].Get(base); ok && v.Kind == event.Text {
			b.Add("custom."+label, v.Text)
		}
	}
}

// timeKeys in the order of their worth: when the device received or made the
// record, when what it tells ended, when it began.
var timeKeys = [...]string{"rt", "end", "start"}

// at takes the record's own time in place of the syslog header's.
func at(e *event.Event, src format.Source) {
	for _, k := range timeKeys {
		s := e.Fields.Str(k)
		if s == "" {
			continue
		}
		if t, assumed, whole, ok := Time(s, src.Location(), src.NotAfter); ok {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, s, assumed, 0
			if whole {
				e.Uncertainty = time.Second / 2
			}
			return
		}
	}
}

// layouts of CEF's times beside epoch milliseconds. The ones without a year end
// the list.
var layouts = []struct {
	layout     string
	zone, year bool
}{
	{"Jan _2 2006 15:04:05.999 MST", true, true},
	{"Jan _2 2006 15:04:05.999", false, true},
	{"Jan _2 2006 15:04:05 GMT-07:00", true, true}, // Trend Micro
	{"Jan _2 15:04:05.999 MST", true, false},
	{"Jan _2 15:04:05.999", false, false},
}

// Time reads a time of CEF or LEEF. whole is true when it has whole seconds
// only; ok is false when it is in no known form.
func Time(s string, loc *time.Location, notAfter time.Time) (t time.Time, assumed, whole, ok bool) {
	if t, assumed, err := format.Time(s, loc); err == nil {
		return t, assumed, !strings.Contains(s, ".") && len(s) != 13, true
	}
	for _, l := range layouts {
		t, err := time.ParseInLocation(l.layout, s, loc)
		if err != nil {
			continue
		}
		if name, off := t.Zone(); l.zone && off == 0 && name != "UTC" && name != "GMT" && name != "" {
			// An abbreviation that Go does not know: it says nothing certain.
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc)
			assumed = true
		}
		if !l.year {
			t = format.InYear(t, loc, notAfter)
		}
		return t.UTC(), assumed || !l.zone, !strings.Contains(s, "."), !t.IsZero()
	}
	return time.Time{}, false, false, false
}
