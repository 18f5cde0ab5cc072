// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package fortios reads the key=value logs of FortiOS (FortiGate), with or
// without a syslog header.
//
// It promises native keys and texts, and the device's own event time
// (eventtime, else date, time and tz) in place of the header's. It never
// guesses a key that the device did not write.
package fortios

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
	return format.Dialect{Name: "fortios", Match: func(_, msg string) bool { return match(msg) }, Headless: true, Read: read}
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	if err := format.Pairs(msg, &e.Fields); err != nil {
		return err
	}
	e.Product, e.Category, e.Service = "fortinet", e.Fields.Str("type"), e.Fields.Str("subtype")
	return fortiTime(e, src)
}

// match reports whether s is a FortiOS log: key=value pairs with the keys
// that every one of them has (FortiOS log reference, "Header and body").
func match(s string) bool {
	if !strings.HasPrefix(s, "date=") && !strings.HasPrefix(s, "devname=") && !strings.HasPrefix(s, "timestamp=") &&
		!strings.HasPrefix(s, "logver=") && !strings.HasPrefix(s, "eventtime=") {
		return false
	}
	return strings.Contains(s, " type=") && (strings.Contains(s, " logid=") || strings.Contains(s, " subtype="))
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
