// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bufio"
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

// maxLine bounds a line of a file of cases.
const maxLine = 1 << 20 // bytes

// Read reads a CSV file of cases, whose first line names the columns; a case is a
// line. One of accepted_at (RFC 3339) and accepted_roc is needed; where a line has
// both they must be the same day in Taipei. A line that does not say what it
// should is skipped and reported: it hides no other, whatever its quotes are.
func Read(r io.Reader) ([]Row, []Skipped, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	if !in.Scan() {
		if err := in.Err(); err != nil {
			return nil, nil, fault.New(fault.Invalid, "read the names of the columns: %w", err)
		}
		return nil, nil, fault.New(fault.Invalid, "the file of cases is empty: its first line must name the columns")
	}
	head, err := fields(strings.TrimPrefix(in.Text(), "\ufeff"))
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "read the names of the columns: %w", err)
	}
	at := map[string]int{}
	for i, name := range head {
		name = strings.TrimSpace(name)
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
	for line := 2; in.Scan(); line++ {
		if strings.TrimSpace(in.Text()) == "" {
			continue
		}
		if len(rows) >= maxRows {
			return nil, nil, fault.New(fault.Invalid, "the file has more than %d cases", maxRows)
		}
		rec, err := fields(in.Text())
		get := func(name string) string {
			if i, ok := at[name]; ok && i < len(rec) {
				return strings.TrimSpace(rec[i])
			}
			return ""
		}
		var row Row
		if err == nil {
			row, err = parse(get)
		}
		if err != nil {
			skipped = append(skipped, Skipped{Line: line, Case: get("case_no"), Reason: err.Error()})
			continue
		}
		rows = append(rows, row)
	}
	if err := in.Err(); err != nil {
		return nil, nil, fault.New(fault.Invalid, "read line %d of the file of cases: %w", len(rows)+len(skipped)+2, err)
	}
	return rows, skipped, nil
}

// fields are the fields of one line.
func fields(line string) ([]string, error) {
	in := csv.NewReader(strings.NewReader(line))
	in.FieldsPerRecord = -1
	rec, err := in.Read()
	var p *csv.ParseError
	if errors.As(err, &p) {
		return rec, fmt.Errorf("its quotes are not in order, at byte %d: %w", p.Column, p.Err)
	}
	return rec, err
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
