// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"strconv"
	"strings"
	"time"
)

// When is a time read off the start of a line.
type When struct {
	At         time.Time     // UTC; zero without a year and a bound for it
	Assumed    bool          // the zone was
	Resolution time.Duration // how fine the text is
}

// Stamp reads the time at the start of a classic line: "Jan _2 15:04:05",
// optionally with a fraction or the year behind it (Zyxel), or "Jan _2 2006
// 15:04:05" as Cisco's ASA writes it, or an ISO 8601 time. It returns the text it
// read. A time without a year
// and without a bound stays zero.
func Stamp(line string, loc *time.Location, notAfter time.Time) (When, string, bool) {
	if len(line) >= 15 && line[3] == ' ' && line[6] == ' ' && line[9] == ':' && line[12] == ':' {
		raw := line[:15+fraction(line[15:])]
		t, err := time.ParseInLocation("Jan _2 15:04:05.999999999", raw, loc)
		if err != nil {
			return When{}, "", false
		}
		w := When{Assumed: true, Resolution: time.Second}
		if len(raw) > 15 {
			w.Resolution = 0
		}
		if y, ok := yearBehind(line[len(raw):]); ok {
			w.At = t.AddDate(y, 0, 0).UTC()
			return w, line[:len(raw)+5], true
		}
		w.At = InYear(t, loc, notAfter)
		return w, raw, true
	}
	if len(line) >= 20 && line[3] == ' ' && line[6] == ' ' && line[11] == ' ' && line[14] == ':' {
		raw, w := line[:20], When{Assumed: true, Resolution: time.Second}
		if n := fraction(line[20:]); n > 0 {
			raw, w.Resolution = line[:20+n], 0
		}
		t, err := time.ParseInLocation("Jan _2 2006 15:04:05.999999999", raw, loc)
		if err != nil {
			return When{}, "", false
		}
		w.At = t.UTC()
		return w, raw, true
	}
	raw, _, _ := strings.Cut(line, " ")
	raw = strings.TrimSuffix(raw, ":")
	if len(raw) < 19 || raw[4] != '-' || raw[10] != 'T' {
		return When{}, "", false
	}
	if t, err := time.Parse(time.RFC3339Nano, raw); err == nil {
		return When{At: t.UTC()}, raw, true
	}
	if t, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", raw, loc); err == nil {
		return When{At: t.UTC(), Assumed: true}, raw, true
	}
	return When{}, "", false
}

// yearBehind reads " 2026 " after a time.
func yearBehind(s string) (int, bool) {
	if len(s) < 6 || s[0] != ' ' || s[5] != ' ' || s[1] != '1' && s[1] != '2' {
		return 0, false
	}
	y, err := strconv.Atoi(s[1:5])
	return y, err == nil && y >= 1980 && y < 2100
}

// fraction returns the length of a decimal fraction at the start of s.
func fraction(s string) int {
	if len(s) < 2 || s[0] != '.' {
		return 0
	}
	n := 1
	for n < len(s) && n < 10 && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n == 1 {
		return 0
	}
	return n
}
