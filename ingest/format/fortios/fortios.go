// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package fortios reads the logs of FortiOS (FortiGate): key=value, the same
// with commas ("csv"), and CEF, with or without a syslog header.
//
// It promises native keys and texts, and the device's own event time
// (eventtime, else date, time and tz) in place of the header's. Of CEF it
// restores the names that FortiOS gives the fields in its own format. It never
// guesses a key that the device did not write.
package fortios

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/cef"
)

// Dialect returns the dialect. It stands before CEF's.
func Dialect() format.Dialect {
	return format.Dialect{Name: "fortios", Match: func(_, msg string) bool { return match(msg) }, Headless: true, Read: read}
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	sep := " "
	switch first, _, _ := strings.Cut(msg, " "); {
	case cef.Match(msg):
		if err := restore(msg, &e.Fields); err != nil {
			return err
		}
		e.Product, e.Category, e.Service = "fortinet", e.Fields.Str("type"), e.Fields.Str("subtype")
		return fortiTime(e, src)
	case strings.Contains(first, ",time=") || strings.Contains(first, ",dev") || strings.Contains(first, ",logid="):
		sep = ","
	}
	if err := format.PairsBy(sep, msg, &e.Fields); err != nil {
		return err
	}
	e.Product, e.Category, e.Service = "fortinet", e.Fields.Str("type"), e.Fields.Str("subtype")
	return fortiTime(e, src)
}

// match reports whether s is a FortiOS log: key=value pairs with the keys
// that every one of them has (FortiOS log reference, "Header and body"), or CEF
// of a FortiGate.
func match(s string) bool {
	if strings.HasPrefix(s, "CEF:") {
		return cef.Match(s) && strings.HasPrefix(strings.TrimLeft(s[4:], " ")[1:], "|Fortinet|Fortigate|")
	}
	if !strings.HasPrefix(s, "date=") && !strings.HasPrefix(s, "devname=") && !strings.HasPrefix(s, "timestamp=") &&
		!strings.HasPrefix(s, "logver=") && !strings.HasPrefix(s, "eventtime=") && !strings.HasPrefix(s, "itime=") {
		return false
	}
	return has(s, "type=") && (has(s, "logid=") || has(s, "subtype="))
}

// has reports whether key stands behind a separator.
func has(s, key string) bool {
	for i := 0; ; {
		j := strings.Index(s[i:], key)
		if j < 0 {
			return false
		}
		if i += j; i > 0 && (s[i-1] == ' ' || s[i-1] == ',') {
			return true
		}
		i += len(key)
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
		if len(s) <= 11 {
			e.Uncertainty = time.Second / 2
		}
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
