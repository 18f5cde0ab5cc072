// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package casework

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/internal/fault"
	"citywall/internal/text"
)

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		s         Scheme
		year, seq int
		want      string
	}{
		{Scheme{}, 115, 123, "115-刑-000123"},
		{Scheme{}, 115, 1234567, "115-刑-1234567"},
		{Scheme{Pattern: "{unit}字第{year}{unit}{seq}號", Unit: "科偵", Digits: 4}, 116, 7, "科偵字第116科偵0007號"},
		{Scheme{Pattern: "{year}.{seq}", Digits: 1}, 99, 10, "99.10"},
	} {
		if err := c.s.Validate(); err != nil {
			t.Errorf("%+v: %v", c.s, err)
		}
		if got := c.s.Number(c.year, c.seq); got != c.want {
			t.Errorf("%+v: %s, want %s", c.s, got, c.want)
		}
	}
	for _, bad := range []Scheme{
		{Pattern: "{seq}"}, {Pattern: "{year}-{unit}"}, {Pattern: "{year}{seq}"}, {Pattern: "{year}-{seq}-{seq}"}, {Pattern: "{year}/{seq}"},
		{Pattern: "{year}-{seq}-{month}"}, {Digits: 13}, {Digits: -1}, {Unit: "a\"b"}, {Unit: "\x00"},
	} {
		if err := bad.Validate(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestNumbersDiffer: under a valid scheme two cases never have one number.
func TestNumbersDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Scheme{
			Pattern: rapid.SampledFrom([]string{"", "{year}-{seq}", "{unit}{year}.{seq}", "{seq}號{unit}{year}"}).Draw(t, "pattern"),
			Unit:    rapid.SampledFrom([]string{"", "刑", "1", "-"}).Draw(t, "unit"),
			Digits:  rapid.IntRange(0, 8).Draw(t, "digits"),
		}
		if s.Validate() != nil {
			t.Skip("not a scheme")
		}
		year, seq := rapid.IntRange(90, 1200), rapid.IntRange(1, 2_000_000)
		y1, s1, y2, s2 := year.Draw(t, "y1"), seq.Draw(t, "s1"), year.Draw(t, "y2"), seq.Draw(t, "s2")
		if (s.Number(y1, s1) == s.Number(y2, s2)) != (y1 == y2 && s1 == s2) {
			t.Fatalf("%d/%d and %d/%d are %s", y1, s1, y2, s2, s.Number(y1, s1))
		}
	})
}

func TestROCYear(t *testing.T) {
	for at, want := range map[string]int{
		"2026-12-31T15:59:59Z": 115, // still 31 December in Taipei
		"2026-12-31T16:00:00Z": 116,
		"2023-06-01T00:00:00Z": 112,
	} {
		x, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := ROCYear(x); got != want {
			t.Errorf("%s: %d, want %d", at, got, want)
		}
	}
}

func TestMoves(t *testing.T) {
	for _, s := range Statuses() {
		m := Moves(s)
		if len(m) == 0 || slices.Contains(m, s) {
			t.Errorf("%s to %v", s, m)
		}
		for _, to := range m {
			if !slices.Contains(Statuses(), to) {
				t.Errorf("%s to %s", s, to)
			}
		}
	}
	if Moves("lost") != nil {
		t.Error("a status that does not exist")
	}
}

func TestTexts(t *testing.T) {
	var keys []string
	for _, s := range Statuses() {
		keys = append(keys, "status."+string(s))
	}
	for _, k := range []SourceKind{FromHandover, FromInvestigation, FromReport} {
		keys = append(keys, "source."+string(k))
	}
	for _, k := range []ExhibitKind{ExhibitPackage, ExhibitEvents, ExhibitFindings, ExhibitReport, ExhibitFile} {
		keys = append(keys, "exhibit."+string(k))
	}
	for _, l := range []text.Lang{text.ZhTW, text.En} {
		for _, k := range keys {
			if !text.Has(l, "casework."+k) {
				t.Errorf("%s: no text %s", l, k)
			}
		}
	}
	c := Change{Actor: "wu", What: "status_because", Args: map[string]string{"from": "open", "to": "closed", "reason": "誤報"}}
	if got := c.Text(text.ZhTW); got != "wu 將案件狀態由已立案改為已結案：誤報" {
		t.Error(got)
	}
}
