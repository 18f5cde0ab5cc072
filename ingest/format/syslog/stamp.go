// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"strings"
	"time"

	"citywall/ingest/format"
)

// when is a time read off the start of a line.
type when struct {
	at         time.Time
	assumed    bool          // the zone was
	resolution time.Duration // how fine the text is
}

// stamp reads the time at the start of a classic line: "Jan _2 15:04:05",
// optionally with a fraction, or "Jan _2 2006 15:04:05" as Cisco's ASA writes
// it, or an ISO 8601 time. It returns the text it read. A time without a year
// and without a bound stays zero.
func stamp(line string, loc *time.Location, notAfter time.Time) (when, string, bool) {
	if len(line) >= 15 && line[3] == ' ' && line[6] == ' ' && line[9] == ':' && line[12] == ':' {
		raw := line[:15]
		if rest := line[15:]; strings.HasPrefix(rest, ".") {
			n := 1
			for n < len(rest) && n < 10 && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			raw = line[:15+n]
		}
		t, err := time.ParseInLocation("Jan _2 15:04:05.999999999", raw, loc)
		if err != nil {
			if t, err = time.ParseInLocation("Jan 02 15:04:05.999999999", raw, loc); err != nil {
				return when{}, "", false
			}
		}
		w := when{assumed: true, resolution: time.Second}
		if len(raw) > 15 {
			w.resolution = 0
		}
		w.at = format.InYear(t, loc, notAfter)
		return w, raw, true
	}
	if len(line) >= 20 && line[3] == ' ' && line[6] == ' ' && line[11] == ' ' && line[14] == ':' {
		raw := line[:20]
		t, err := time.ParseInLocation("Jan _2 2006 15:04:05", raw, loc)
		if err != nil {
			if t, err = time.ParseInLocation("Jan 02 2006 15:04:05", raw, loc); err != nil {
				return when{}, "", false
			}
		}
		return when{at: t.UTC(), assumed: true, resolution: time.Second}, raw, true
	}
	raw, _, _ := strings.Cut(line, " ")
	raw = strings.TrimSuffix(raw, ":")
	if len(raw) < 19 || raw[4] != '-' || raw[10] != 'T' {
		return when{}, "", false
	}
	if t, err := time.Parse(time.RFC3339Nano, raw); err == nil {
		return when{at: t.UTC()}, raw, true
	}
	if t, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", raw, loc); err == nil {
		return when{at: t.UTC(), assumed: true}, raw, true
	}
	return when{}, "", false
}
