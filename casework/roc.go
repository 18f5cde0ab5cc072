// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package casework

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"citywall/internal/fault"
)

// ParseROC reads a date of the Republic's calendar (民國紀年) as people write it:
// 115/11/23, 115.11.23, 115-11-23, 1151123, 115年11月23日, 民國115年11月23日,
// 民國元年1月1日, with digits of any width and spaces around. The result is
// midnight in Taipei.
//
// Two-digit years are years of the Republic (99 is 2010). A year of four digits
// is refused, with the year that it probably means: 2026 is not the year 2026 of
// the Republic. So is a date that does not exist, and one before 1912.
func ParseROC(s string) (time.Time, error) {
	in := s
	bad := func(why string) (time.Time, error) {
		return time.Time{}, fault.New(fault.Invalid, "ROC date %q: %s; write 115/11/23 or 115年11月23日", shorten(in), why)
	}
	s = strings.Map(narrow, strings.TrimSpace(s))
	s = strings.TrimPrefix(s, "中華")
	s = strings.TrimPrefix(s, "民國")
	if strings.HasPrefix(strings.TrimSpace(s), "前") {
		return bad("a year before the Republic (民國前) is not one that a case can have")
	}
	s = strings.Replace(s, "元年", "1年", 1)
	s = strings.TrimSuffix(strings.NewReplacer("年", "/", "月", "/", "日", "", ".", "/", "-", "/", " ", "").Replace(s), "/")
	parts := strings.Split(s, "/")
	if len(parts) == 1 && (len(s) == 6 || len(s) == 7) { // 1151123, 991123
		n := len(s) - 4
		parts = []string{s[:n], s[n : n+2], s[n+2:]}
	}
	if len(parts) != 3 {
		return bad("it has not the three parts year, month and day")
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 || p[0] == '+' || len(p) > 4 || i > 0 && len(p) > 2 {
			return bad("year, month and day must be digits")
		}
		n[i] = v
	}
	switch {
	case n[0] >= 1912:
		return bad("the year " + strconv.Itoa(n[0]) + " is one of the common era: in the Republic's calendar it is " + strconv.Itoa(n[0]-1911))
	case len(parts[0]) > 3:
		return bad("a year of the Republic has at most three digits")
	case n[0] == 0:
		return bad("there is no year 0: the Republic's first year is 1912")
	}
	t := time.Date(n[0]+1911, time.Month(n[1]), n[2], 0, 0, 0, 0, taipei)
	if t.Year() != n[0]+1911 || int(t.Month()) != n[1] || t.Day() != n[2] {
		return bad("there is no such day")
	}
	return t, nil
}

// narrow turns full-width digits and marks into those of ASCII.
func narrow(r rune) rune {
	switch {
	case r >= '！' && r <= '～':
		return r - '！' + '!'
	case r == '　':
		return ' '
	}
	return r
}

func shorten(s string) string {
	if utf8.RuneCountInString(s) <= 40 {
		return s
	}
	return string([]rune(s)[:40]) + "…"
}

// FormatROC writes the day of t in Taipei: 115/11/23.
func FormatROC(t time.Time) string {
	t = t.In(taipei)
	return strconv.Itoa(t.Year()-1911) + t.Format("/01/02")
}

// FormatROCLong writes the day of t in Taipei as letters have it: 115年11月23日.
func FormatROCLong(t time.Time) string {
	t = t.In(taipei)
	return strconv.Itoa(t.Year()-1911) + "年" + strconv.Itoa(int(t.Month())) + "月" + strconv.Itoa(t.Day()) + "日"
}
