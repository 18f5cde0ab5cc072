// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/casework"
	"citywall/internal/fault"
)

// maxRows bounds a file of cases: a city has a few hundred in a year.
const maxRows = 1_000_000

// Skipped is a line of a file that was not counted, and why.
type Skipped struct {
	Line   int    `json:"line"`
	Case   string `json:"case,omitempty"`
	Reason string `json:"reason"`
}

// columns are what a file of cases may have, in any order; others are passed
// over.
var columns = []string{
	"case_no", "accepted_at", "accepted_roc", "occurred_on", "occurred_roc",
	"victim_kind", "ransom_twd", "origin", "payment_method", "paid", "pattern", "cause",
}

// Read reads a CSV file of cases, whose first line names the columns. One of
// accepted_at (RFC 3339) and accepted_roc is needed; where a line has both they
// must be the same day in Taipei. A line that does not say what it should is
// skipped and reported: it hides no other.
func Read(r io.Reader) ([]Row, []Skipped, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, fault.New(fault.Invalid, "the file of cases is empty: its first line must name the columns")
	}
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "read the names of the columns: %w", err)
	}
	at := map[string]int{}
	for i, name := range head {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		if _, twice := at[name]; twice && slices.Contains(columns, name) {
			return nil, nil, fault.New(fault.Invalid, "the column %s stands twice in the file of cases", name)
		}
		at[name] = i
	}
	_, byTime := at["accepted_at"]
	_, byROC := at["accepted_roc"]
	if !byTime && !byROC {
		return nil, nil, fault.New(fault.Invalid, "the file of cases has no column accepted_at or accepted_roc: cases are counted by when they were accepted")
	}
	var rows []Row
	var skipped []Skipped
	for {
		rec, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, skipped, nil
		}
		var p *csv.ParseError
		if errors.As(err, &p) {
			skipped = append(skipped, Skipped{Line: p.Line, Reason: p.Err.Error()})
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read cases: %w", err)
		}
		if len(rows) >= maxRows {
			return nil, nil, fault.New(fault.Invalid, "the file has more than %d cases", maxRows)
		}
		line, _ := in.FieldPos(0)
		get := func(name string) string {
			if i, ok := at[name]; ok && i < len(rec) {
				return strings.TrimSpace(rec[i])
			}
			return ""
		}
		row, err := parse(get)
		if err != nil {
			skipped = append(skipped, Skipped{Line: line, Case: get("case_no"), Reason: err.Error()})
			continue
		}
		rows = append(rows, row)
	}
}

func parse(get func(string) string) (Row, error) {
	r := Row{
		Case: get("case_no"), Victim: get("victim_kind"), Ransom: -1, Origin: get("origin"),
		Method: get("payment_method"), Paid: get("paid"), Pattern: get("pattern"), Cause: get("cause"),
	}
	var err error
	if r.Accepted, err = moment(get, "accepted_at", time.RFC3339, "accepted_roc"); err != nil {
		return r, err
	}
	if r.Accepted.IsZero() {
		return r, errors.New("it does not say when the case was accepted")
	}
	if r.Occurred, err = moment(get, "occurred_on", time.DateOnly, "occurred_roc"); err != nil {
		return r, err
	}
	if s := get("ransom_twd"); s != "" {
		if r.Ransom, err = strconv.ParseInt(strings.ReplaceAll(s, ",", ""), 10, 64); err != nil || r.Ransom < 0 {
			return r, fmt.Errorf("ransom_twd %q is not a whole number of New Taiwan dollars", s)
		}
	}
	for _, a := range attributes {
		v := get(a.key)
		if a.key == "ransom" || v == "" || v == unknown || slices.Contains(a.values(), v) || a.key == "paid" && v == notTold {
			continue
		}
		return r, fmt.Errorf("%s %q is none of %s", a.key, v, strings.Join(a.values(), ", "))
	}
	return r, nil
}

// moment reads a time that may be written twice, in both calendars.
func moment(get func(string) string, name, layout, rocName string) (time.Time, error) {
	var t time.Time
	var err error
	if s := get(name); s != "" {
		if t, err = time.Parse(layout, s); err != nil {
			return t, fmt.Errorf("%s %q is not like %s", name, s, layout)
		}
	}
	s := get(rocName)
	if s == "" {
		return t, nil
	}
	day, err := casework.ParseROC(s)
	if err != nil {
		return t, fmt.Errorf("%s: %w", rocName, err)
	}
	if t.IsZero() {
		return day, nil
	}
	same := casework.FormatROC(t)
	if layout == time.DateOnly { // a day without a zone is a day of Taipei
		same = casework.FormatROC(time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, day.Location()))
	}
	if same != casework.FormatROC(day) {
		return t, fmt.Errorf("%s is %s, and %s says %s", name, same, rocName, casework.FormatROC(day))
	}
	return t, nil
}
