// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Epoch reads seconds since 1970 with a decimal fraction of any length, as
// Zeek and many JSON logs write them. It does not go through float64, which
// would lose the microseconds of today's times.
func Epoch(s string) (time.Time, error) {
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("epoch time %q: %w", s, err)
	}
	if sec > 253402300799 || sec < -62135596800 {
		return time.Time{}, fmt.Errorf("epoch time %q: not in years 1 to 9999", s)
	}
	if len(frac) > 9 {
		frac = frac[:9]
	}
	var ns int64
	if frac != "" {
		if ns, err = strconv.ParseInt(frac+strings.Repeat("0", 9-len(frac)), 10, 64); err != nil || ns < 0 {
			return time.Time{}, fmt.Errorf("epoch time %q: bad fraction", s)
		}
	}
	if strings.HasPrefix(whole, "-") {
		ns = -ns
	}
	return time.Unix(sec, ns).UTC(), nil
}

// layouts are tried in order by Time. Those without a zone take the source's.
var layouts = []struct {
	layout string
	zone   bool
}{
	{time.RFC3339Nano, true},
	{"2006-01-02T15:04:05.999999999Z0700", true}, // Suricata: +0000 without a colon
	{"2006-01-02 15:04:05.999999999Z07:00", true},
	{"2006-01-02 15:04:05.999999999 Z0700", true},
	{"2006-01-02 15:04:05.999999999 MST", true},
	{"2006-01-02T15:04:05.999999999", false},
	{"2006-01-02 15:04:05.999999999", false},
	{"2006/01/02 15:04:05.999999999", false},
	{"01/02/2006 15:04:05", false},
}

// Time reads a time as logs write it. assumed is true when the text had no
// zone and loc was taken.
func Time(s string, loc *time.Location) (t time.Time, assumed bool, err error) {
	s = strings.TrimSpace(s)
	if len(s) >= 9 && strings.Trim(s, "0123456789.") == "" && strings.Count(s, ".") <= 1 {
		whole, _, _ := strings.Cut(s, ".")
		switch {
		case len(whole) <= 11:
			t, err = Epoch(s)
		case len(whole) == 13: // milliseconds
			t, err = Epoch(whole[:10] + "." + whole[10:])
		case len(whole) == 16: // microseconds
			t, err = Epoch(whole[:10] + "." + whole[10:])
		case len(whole) == 19: // nanoseconds
			t, err = Epoch(whole[:10] + "." + whole[10:])
		default:
			err = fmt.Errorf("time %q: a number, but of no known unit", s)
		}
		return t, false, err
	}
	for _, l := range layouts {
		if t, err := time.ParseInLocation(l.layout, s, loc); err == nil {
			return t.UTC(), !l.zone, nil
		}
	}
	return time.Time{}, false, fmt.Errorf("time %q: not in a known form (RFC 3339, YYYY-MM-DD hh:mm:ss, epoch)", s)
}

// InYear puts a month, day and time into the latest year that is not after the
// bound (a day of clock error allowed), so that December read in January is last
// year's. 29 February goes to the latest leap year. Without a bound the time
// stays zero.
func InYear(t time.Time, loc *time.Location, notAfter time.Time) time.Time {
	if notAfter.IsZero() {
		return time.Time{}
	}
	bound := notAfter.Add(24 * time.Hour)
	for y := bound.In(loc).Year(); y > bound.Year()-9; y-- {
		c := time.Date(y, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc)
		if c.Day() == t.Day() && !c.After(bound) {
			return c.UTC()
		}
	}
	return time.Time{}
}
