// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/incident/report"
	"citywall/internal/fault"
	"citywall/internal/text"
)

// Formats and Profiles are what Write knows.
var (
	Formats  = []string{"csv", "json", "jsonl", "html"}
	Profiles = []string{"minimal", "standard", "verbose", "all-field-info", "timesketch"}
)

// Form says how rows are written.
type Form struct {
	Format  string
	Profile string         // of CSV: its columns. Verbose adds keys to JSON
	Zone    *time.Location // of times in CSV and HTML; JSON has UTC
	Full    bool           // levels and channels by their full names in CSV
	BOM     bool           // byte order mark before CSV: some spreadsheets want it
	Lang    text.Lang      // of HTML
}

// Check says what is wrong with a form.
func (f Form) Check() error {
	if !slices.Contains(Formats, f.Format) {
		return fault.New(fault.Invalid, "no format %q; there are %s", f.Format, strings.Join(Formats, ", "))
	}
	if !slices.Contains(Profiles, f.Profile) {
		return fault.New(fault.Invalid, "no profile %q; there are %s", f.Profile, strings.Join(Profiles, ", "))
	}
	return nil
}

// Write writes the rows, in HTML the summary.
func (r *Result) Write(w io.Writer, f Form) error {
	if err := f.Check(); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 256<<10)
	var err error
	switch f.Format {
	case "csv":
		err = r.csv(b, f)
	case "html":
		err = r.html(b, f)
	default:
		err = r.json(b, f)
	}
	if err != nil {
		return err
	}
	return b.Flush()
}

// column is a column of CSV.
type column struct {
	name string
	cell func(*Row, Form) string
}

var (
	cTime     = column{"Timestamp", func(r *Row, f Form) string { return stamp(r.Time, f.Zone) }}
	cTitle    = column{"RuleTitle", func(r *Row, _ Form) string { return r.title() }}
	cLevel    = column{"Level", levelCell}
	cComputer = column{"Computer", func(r *Row, _ Form) string { return r.Computer }}
	cChannel  = column{"Channel", channelCell}
	cEventID  = column{"EventID", func(r *Row, _ Form) string { return r.EventID }}
	cRecord   = column{"RecordID", func(r *Row, _ Form) string { return number(r.RecordID) }}
	cDetails  = column{"Details", func(r *Row, _ Form) string { return r.Details.String() }}
	cAll      = column{"AllFieldInfo", func(r *Row, _ Form) string { return r.Details.String() }}
	cExtra    = column{"ExtraFieldInfo", func(r *Row, _ Form) string { return r.more.Extra.String() }}
	cRuleID   = column{"RuleID", func(r *Row, _ Form) string { return r.RuleID }}
	cTactics  = column{"MitreTactics", func(r *Row, _ Form) string { a, _, _ := mitre(r.more.Tags); return join(a) }}
	cTags     = column{"MitreTags", func(r *Row, _ Form) string { _, a, _ := mitre(r.more.Tags); return join(a) }}
	cOther    = column{"OtherTags", func(r *Row, _ Form) string { _, _, a := mitre(r.more.Tags); return join(a) }}
	cProvider = column{"Provider", func(r *Row, _ Form) string { return r.more.Provider }}
	cStatus   = column{"Status", func(r *Row, _ Form) string { return r.more.Status }}
	cRuleFile = column{"RuleFile", func(r *Row, _ Form) string { return r.more.RuleFile }}
	cEvtxFile = column{"EvtxFile", fileCell}
	cOffset   = column{"Offset", func(r *Row, _ Form) string { return strconv.FormatInt(r.Offset, 10) }}
	cCarved   = column{"Carved", func(r *Row, _ Form) string { return map[bool]string{true: "yes"}[r.Carved] }}
	cAuthor   = column{"RuleAuthor", func(r *Row, _ Form) string { return r.RuleAuthor }}

	// Timesketch begins with these three.
	cDatetime = column{"datetime", func(r *Row, _ Form) string { return r.Time.Format("2006-01-02T15:04:05.000000+00:00") }}
	cDesc     = column{"timestamp_desc", func(*Row, Form) string { return "citywall" }}
	cMessage  = column{"message", func(r *Row, _ Form) string { return r.title() }}
)

// columns are the profiles. Every one ends with the rule's author, which DRL 1.1
// asks for, and says which rows were carved.
var columns = map[string][]column{
	"minimal":        {cTime, cTitle, cLevel, cComputer, cChannel, cEventID, cRecord, cDetails, cCarved, cAuthor},
	"standard":       {cTime, cTitle, cLevel, cComputer, cChannel, cEventID, cRecord, cDetails, cExtra, cRuleID, cCarved, cAuthor},
	"verbose":        {cTime, cTitle, cLevel, cComputer, cChannel, cEventID, cTactics, cTags, cOther, cRecord, cDetails, cExtra, cProvider, cStatus, cRuleID, cRuleFile, cEvtxFile, cOffset, cCarved, cAuthor},
	"all-field-info": {cTime, cTitle, cLevel, cComputer, cChannel, cEventID, cRecord, cAll, cRuleID, cRuleFile, cEvtxFile, cCarved, cAuthor},
	"timesketch":     {cDatetime, cDesc, cMessage, cLevel, cComputer, cChannel, cEventID, cTactics, cTags, cOther, cRecord, cDetails, cExtra, cRuleID, cRuleFile, cEvtxFile, cCarved, cAuthor},
}

// title says which rows are no rule's.
func (r *Row) title() string {
	if r.Behaviour {
		return "Behaviour: " + r.RuleTitle
	}
	return r.RuleTitle
}

func levelCell(r *Row, f Form) string {
	if f.Full {
		return r.Level.String()
	}
	return short(r.Level)
}

func channelCell(r *Row, f Form) string {
	if f.Full {
		return r.Channel
	}
	return theTable().channel(r.Channel)
}

func fileCell(r *Row, _ Form) string {
	if r.Inner == "" {
		return r.File
	}
	return r.File + "!" + r.Inner
}

// flat keeps a row on one line; JSON has the value as it is.
var flat = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ")

func (r *Result) csv(w io.Writer, f Form) error {
	if f.BOM {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return err
		}
	}
	c := csv.NewWriter(w)
	cols := columns[f.Profile]
	line := make([]string, len(cols))
	for i, x := range cols {
		line[i] = x.name
	}
	if err := c.Write(line); err != nil {
		return err
	}
	err := r.Each(func(row *Row) error {
		for i, x := range cols {
			line[i] = report.Cell(flat.Replace(x.cell(row, f)))
		}
		return c.Write(line)
	})
	if err != nil {
		return err
	}
	c.Flush()
	return c.Error()
}

// verboseRow has what the verbose profile adds to JSON.
type verboseRow struct {
	*Row
	*more
}

func (r *Result) json(w io.Writer, f Form) error {
	lines := f.Format == "jsonl"
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	n := 0
	put := func(s string) error { _, err := io.WriteString(w, s); return err }
	if !lines {
		if err := put("[\n"); err != nil {
			return err
		}
	}
	err := r.Each(func(row *Row) error {
		if n++; !lines && n > 1 {
			if err := put(","); err != nil {
				return err
			}
		}
		if f.Profile == "verbose" {
			return e.Encode(verboseRow{row, &row.more})
		}
		return e.Encode(row)
	})
	if err != nil || lines {
		return err
	}
	return put("]\n")
}
