// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package casework

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"citywall/internal/fault"
)

// Scheme is how case numbers are written: a pattern with the places {year}
// (ROC year in Taipei), {unit} and {seq}. The zero value means
// "{year}-{unit}-{seq}", unit 刑, six digits: 115-刑-000123.
//
// The sequence begins at 1 every year and has no gaps: a number is given in
// the transaction that writes the case. A scheme may change at any time; cases
// keep the number they were given.
type Scheme struct {
	Pattern string `json:"pattern" yaml:"pattern"`
	Unit    string `json:"unit" yaml:"unit"`
	Digits  int    `json:"digits" yaml:"digits"` // least digits of {seq}
}

// WithDefaults fills in what is not set.
func (s Scheme) WithDefaults() Scheme {
	if s.Pattern == "" {
		s.Pattern = "{year}-{unit}-{seq}"
	}
	if s.Unit == "" {
		s.Unit = "刑"
	}
	if s.Digits == 0 {
		s.Digits = 6
	}
	return s
}

// Validate refuses a scheme whose numbers would not be unique or could not be
// written on a file.
func (s Scheme) Validate() error {
	s = s.WithDefaults()
	for _, p := range []string{"{year}", "{seq}"} {
		if strings.Count(s.Pattern, p) != 1 {
			return fault.New(fault.Invalid, "case numbers: the pattern %q must have %s once, or two cases get one number", s.Pattern, p)
		}
	}
	if strings.Contains(s.Pattern, "{year}{seq}") || strings.Contains(s.Pattern, "{seq}{year}") {
		return fault.New(fault.Invalid, "case numbers: the pattern %q needs something between year and sequence", s.Pattern)
	}
	rest := strings.NewReplacer("{year}", "", "{unit}", "", "{seq}", "").Replace(s.Pattern)
	if strings.ContainsAny(rest+s.Unit, "{}\x00/\\\"'<>\n\r\t") || len(s.Pattern)+len(s.Unit) > 100 {
		return fault.New(fault.Invalid, "case numbers: pattern %q and unit %q may not hold braces, slashes, quotes or line breaks", s.Pattern, s.Unit)
	}
	if s.Digits < 1 || s.Digits > 12 {
		return fault.New(fault.Invalid, "case numbers: %d digits are not 1 to 12", s.Digits)
	}
	return nil
}

// Number writes the number of the seq-th case of an ROC year.
func (s Scheme) Number(year, seq int) string {
	s = s.WithDefaults()
	return strings.NewReplacer("{year}", strconv.Itoa(year), "{unit}", s.Unit, "{seq}", fmt.Sprintf("%0*d", s.Digits, seq)).Replace(s.Pattern)
}

// taipei has no daylight saving since 1980, so a fixed offset is exact.
var taipei = time.FixedZone("Asia/Taipei", 8*3600)

// ROCYear returns the year of the Republic (民國) of t in Taipei: 115 for 2026.
func ROCYear(t time.Time) int { return t.In(taipei).Year() - 1911 }
