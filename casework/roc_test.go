// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package casework

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseROC(t *testing.T) {
	for in, want := range map[string]string{
		"115/11/23":            "2026-11-23",
		"115.11.23":            "2026-11-23",
		"115-11-23":            "2026-11-23",
		"1151123":              "2026-11-23",
		"991231":               "2010-12-31",
		"99/1/1":               "2010-01-01",
		"115年11月23日":           "2026-11-23",
		"民國115年11月23日":         "2026-11-23",
		"中華民國 115 年 11 月 23 日": "2026-11-23",
		"民國元年1月1日":             "1912-01-01",
		"113.1.1":              "2024-01-01",
		"１１３／０２／２９":            "2024-02-29",
		"113/02/29":            "2024-02-29",
	} {
		got, err := ParseROC(in)
		if err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("%q: %v, %v; want %s", in, got, err, want)
		}
	}
	for in, hint := range map[string]string{
		"2026/11/23":      "115", // what is meant
		"2026年11月23日":     "115",
		"0/1/1":           "no year 0",
		"前1/1/1":          "before the Republic",
		"民國前 1 年 1 月 1 日": "before the Republic",
		"114/02/29":       "no such day",
		"115/13/01":       "no such day",
		"115/00/10":       "no such day",
		"115/11":          "three parts",
		"":                "three parts",
		"115/+1/01":       "digits",
		"115/1a/01":       "digits",
		"-5/1/1":          "three parts",
		"1000/1/1":        "three digits",
	} {
		if got, err := ParseROC(in); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v, %v; want an error that says %q", in, got, err, hint)
		}
	}
}

// TestROCRoundTrip: whatever is written is read back as the same day.
func TestROCRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := time.Date(1912, 1, 1, 0, 0, 0, 0, taipei).AddDate(0, 0, rapid.IntRange(0, 100_000).Draw(t, "days"))
		at := day.Add(time.Duration(rapid.Int64Range(0, int64(24*time.Hour)-1).Draw(t, "of the day"))).UTC()
		for _, s := range []string{FormatROC(at), FormatROCLong(at)} {
			if got, err := ParseROC(s); err != nil || !got.Equal(day) {
				t.Fatalf("%s: %v, %v; want %v", s, got, err, day)
			}
		}
	})
}

func FuzzParseROC(f *testing.F) {
	for _, s := range []string{"115/11/23", "民國元年1月1日", "１１３．１．１", "2026/1/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseROC(s)
		if err != nil {
			return
		}
		if again, err := ParseROC(FormatROC(got)); err != nil || !again.Equal(got) {
			t.Fatalf("%q is %v, and that is %v (%v)", s, got, again, err)
		}
	})
}
