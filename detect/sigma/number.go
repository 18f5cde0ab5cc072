// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"strconv"
	"strings"
	"time"
)

// number is a value to compare: whole numbers of 64 bits exactly, others as
// floating point.
type number struct {
	whole bool
	i     int64
	f     float64
}

// parseNumber reads decimal text and 0x hexadecimal text.
func parseNumber(s string) (number, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		u, err := strconv.ParseUint(s[2:], 16, 64)
		if err != nil {
			return number{}, false
		}
		return unsigned(u), true
	}
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return number{}, false // ParseFloat would take "inf", "nan" and hexadecimal floats
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{true, i, float64(i)}, true
	}
	f, err := strconv.ParseFloat(s, 64)
	return number{f: f}, err == nil
}

func unsigned(u uint64) number {
	if u > 1<<63-1 {
		return number{f: float64(u)}
	}
	return number{true, int64(u), float64(u)}
}

func (n number) compare(m number) int {
	if n.whole && m.whole {
		switch {
		case n.i < m.i:
			return -1
		case n.i > m.i:
			return 1
		}
		return 0
	}
	switch {
	case n.f < m.f:
		return -1
	case n.f > m.f:
		return 1
	}
	return 0
}

func (op cmpOp) holds(c int) bool {
	switch op {
	case cmpLT:
		return c < 0
	case cmpLTE:
		return c <= 0
	case cmpGT:
		return c > 0
	case cmpGTE:
		return c >= 0
	}
	return c == 0
}

// dateLayouts are the texts that date modifiers read: ISO 8601 with T or a
// space, with or without fraction and zone. The zone is not looked at.
var dateLayouts = [...]string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// of takes the part out of a date as it is written.
func (p datePart) of(s string) (number, bool) {
	for _, layout := range dateLayouts {
		if len(s) < len(layout) {
			continue
		}
		t, err := time.Parse(layout, s[:len(layout)])
		if err != nil {
			continue
		}
		if len(layout) < 16 && (p == partMinute || p == partHour) {
			return number{}, false // a date without a time has no hour
		}
		n := 0
		switch p {
		case partMinute:
			n = t.Minute()
		case partHour:
			n = t.Hour()
		case partDay:
			n = t.Day()
		case partWeek:
			_, n = t.ISOWeek()
		case partMonth:
			n = int(t.Month())
		case partYear:
			n = t.Year()
		}
		return number{true, int64(n), float64(n)}, true
	}
	return number{}, false
}
