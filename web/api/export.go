// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/detect"
	"citywall/event"
	"citywall/event/ocsf"
	"citywall/eventstore"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/narrate"
	"citywall/incident/report"
	"citywall/internal/fault"
	"citywall/web/desk"
)

// counted knows whether an answer has begun.
type counted struct {
	w http.ResponseWriter
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// failed turns an error after the first byte into one that breaks the
// connection: half an export must not look like a whole one.
func (c *counted) failed(err error) error {
	if err != nil && c.n > 0 {
		return &begunError{err}
	}
	return err
}

// sheet writes rows as CSV or as JSON lines.
type sheet[T any] struct {
	name    string
	columns []string
	cells   func(T) []string
	object  func(T) any
}

var sheetMedia = map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "ocsf": "application/jsonl"}

var sheetSuffix = map[string]string{"csv": ".csv", "jsonl": ".jsonl", "ocsf": ".ocsf.jsonl"}

// sheetKind reads ?format=.
func sheetKind(r *http.Request, also ...string) (string, error) {
	f := r.URL.Query().Get("format")
	if f == "" {
		f = "csv"
	}
	for _, x := range append([]string{"csv", "jsonl"}, also...) {
		if f == x {
			return f, nil
		}
	}
	return "", fault.New(fault.Invalid, "format=%q: want %s", f, strings.Join(append([]string{"csv", "jsonl"}, also...), ", "))
}

// write sends all rows that each yields. Cells that a spreadsheet would take
// for a formula are defused; CSV begins with a byte order mark, without which
// Excel reads Chinese as noise.
func (k sheet[T]) write(w http.ResponseWriter, format string, each func(func(T) error) error) error {
	out := &counted{w: w}
	attach(w, sheetMedia[format], k.name+sheetSuffix[format])
	if format != "csv" {
		enc := json.NewEncoder(out)
		return out.failed(each(func(x T) error { return enc.Encode(k.object(x)) }))
	}
	c := csv.NewWriter(out)
	err := each(func(x T) error {
		if out.n == 0 {
			if _, err := out.Write([]byte("\ufeff")); err != nil {
				return err
			}
			if err := c.Write(k.columns); err != nil {
				return err
			}
		}
		row := k.cells(x)
		for i := range row {
			row[i] = report.Cell(row[i])
		}
		return c.Write(row)
	})
	if err != nil {
		return out.failed(err)
	}
	if out.n == 0 {
		_, _ = out.Write([]byte("\ufeff"))
		if err := c.Write(k.columns); err != nil {
			return out.failed(err)
		}
	}
	c.Flush()
	return out.failed(c.Error())
}

func (s *Server) eventExport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	words, q, err := s.query(r)
	if err != nil {
		return err
	}
	format, err := sheetKind(r, "ocsf")
	if err != nil {
		return err
	}
	columns := append(slices.Clone(eventstore.Columns), "raw")
	k := sheet[*event.Event]{
		name: "events", columns: columns,
		cells: func(e *event.Event) []string {
			v := e.View()
			row := make([]string, 0, len(columns))
			for _, c := range eventstore.Columns {
				row = append(row, eventstore.Text(e, &v, c))
			}
			return append(row, strings.ToValidUTF8(string(e.Raw), "\ufffd"))
		},
		object: func(e *event.Event) any { return NewEvent(e) },
	}
	if format == "ocsf" {
		k.object = func(e *event.Event) any { return ocsf.From(e) }
	}
	return k.write(w, format, func(f func(*event.Event) error) error {
		return s.Desk.ExportEvents(r.Context(), who, words, format, q, f)
	})
}

func (s *Server) findingExport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := FindingQuery(r)
	if err != nil {
		return err
	}
	format, err := sheetKind(r)
	if err != nil {
		return err
	}
	k := sheet[detect.Finding]{
		name:    "findings",
		columns: []string{"time", "level", "rule", "rule_id", "author", "host", "agency", "step", "technique", "user", "src_ip", "dst_ip", "message", "events", "id"},
		cells: func(f detect.Finding) []string {
			ids := make([]string, len(f.Events))
			for i, e := range f.Events {
				ids[i] = e.String()
			}
			v := f.View
			row := []string{stamp(f.Time), f.Rule.Level.String(), f.Rule.Title, f.Rule.ID, f.Rule.Author, f.Host, f.Agency, string(f.Meaning.Step), f.Meaning.Technique, v.User.String(), "", "", v.Message, strings.Join(ids, " "), f.ID}
			if v.Src.IsValid() {
				row[10] = v.Src.String()
			}
			if v.Dst.IsValid() {
				row[11] = v.Dst.String()
			}
			return row
		},
		object: func(f detect.Finding) any { return f },
	}
	return k.write(w, format, func(f func(detect.Finding) error) error {
		return s.Desk.ExportFindings(r.Context(), who, format, q, f)
	})
}

func (s *Server) incidentExport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := IncidentQuery(r)
	if err != nil {
		return err
	}
	format, err := sheetKind(r)
	if err != nil {
		return err
	}
	l := lang(r)
	k := sheet[incidentdb.Row]{
		name:    "incidents",
		columns: []string{"id", "severity", "state", "title", "first", "last", "first_compromise_host", "earliest", "latest", "hosts", "hops", "steps", "findings", "owner", "agencies"},
		cells: func(x incidentdb.Row) []string {
			host, earliest, latest := "", "", ""
			if f := x.FirstCompromise; f != nil {
				host, earliest, latest = f.Host, stamp(f.Earliest), stamp(f.Latest)
			}
			return []string{
				x.ID, x.Severity.String(), string(x.State), narrate.Title(l, incident.Incident{Title: x.Title}), stamp(x.First), stamp(x.Last), host, earliest, latest,
				strconv.Itoa(x.Hosts), strconv.Itoa(x.Hops), strconv.Itoa(x.Steps), strconv.Itoa(x.Findings), x.Owner, strings.Join(x.Agencies, " "),
			}
		},
		object: func(x incidentdb.Row) any { return newRow(l, x) },
	}
	return k.write(w, format, func(f func(incidentdb.Row) error) error {
		return s.Desk.ExportIncidents(r.Context(), who, format, q, f)
	})
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
