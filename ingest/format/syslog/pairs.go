// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// isPairs reports whether b is a FortiOS log: key=value pairs with the keys
// that every one of them has (FortiOS log reference, "Header and body").
func isPairs(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("date=")) && !bytes.HasPrefix(b, []byte("devname=")) && !bytes.HasPrefix(b, []byte("timestamp=")) &&
		!bytes.HasPrefix(b, []byte("logver=")) && !bytes.HasPrefix(b, []byte("eventtime=")) {
		return false
	}
	return bytes.Contains(b, []byte(" type=")) && (bytes.Contains(b, []byte(" logid=")) || bytes.Contains(b, []byte(" subtype=")))
}

// pairs reads key=value and key="value with \" and \\". The key may repeat.
func pairs(s string, f *event.Fields) error {
	for n := 0; ; n++ {
		s = strings.TrimLeft(s, " ")
		if s == "" {
			return nil
		}
		if n >= format.MaxFields {
			return errors.New("too many pairs")
		}
		key, rest, ok := strings.Cut(s, "=")
		if !ok || key == "" || strings.ContainsAny(key, " \"") {
			return fmt.Errorf("want key=value at %q", s[:min(len(s), 40)])
		}
		if !strings.HasPrefix(rest, `"`) {
			v, r, _ := strings.Cut(rest, " ")
			f.Add(key, v)
			s = r
			continue
		}
		var v strings.Builder
		i := 1
		for i < len(rest) && rest[i] != '"' {
			if rest[i] == '\\' && i+1 < len(rest) && (rest[i+1] == '"' || rest[i+1] == '\\') {
				i++
			}
			v.WriteByte(rest[i])
			i++
		}
		if i >= len(rest) {
			return fmt.Errorf("the value of %s has no closing quote", key)
		}
		f.Add(key, v.String())
		s = rest[i+1:]
	}
}

// fortiTime prefers eventtime (epoch in s, ms, us or ns, UTC) to date and time,
// which are local to the device; tz says how far when it is there.
func fortiTime(e *event.Event, src format.Source) error {
	f := e.Fields
	if s := f.Str("eventtime"); s != "" {
		t, _, err := format.Time(s, time.UTC)
		if err != nil {
			return err
		}
		e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, s, false, 0
		return nil
	}
	d, c := f.Str("date"), f.Str("time")
	if d == "" || c == "" {
		if e.Time.IsZero() {
			return errors.New("neither eventtime nor date and time")
		}
		return nil
	}
	raw, layout, loc := d+" "+c, "2006-01-02 15:04:05", src.Location()
	assumed := true
	if tz := f.Str("tz"); tz != "" {
		raw, layout, assumed = raw+" "+tz, layout+" -0700", false
	}
	t, err := time.ParseInLocation(layout, raw, loc)
	if err != nil {
		return fmt.Errorf("time %q: %w", raw, err)
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), raw, assumed, time.Second/2
	return nil
}
