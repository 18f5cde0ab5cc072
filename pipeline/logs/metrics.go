// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"citywall/event"
	"citywall/internal/fault"
)

// Views are the ways in which Metrics counts.
var Views = []string{"eid", "computer", "channel", "file"}

// Metrics counts records.
type Metrics struct {
	by    string
	n     int64
	count counter
}

// NewMetrics returns a count by one of Views.
func NewMetrics(by string) (*Metrics, error) {
	if !slices.Contains(Views, by) {
		return nil, fault.New(fault.Invalid, "cannot count by %q; there are %s", by, strings.Join(Views, ", "))
	}
	return &Metrics{by: by}, nil
}

// Add counts a record.
func (m *Metrics) Add(e *event.Event) {
	m.n++
	v := e.View()
	switch m.by {
	case "eid":
		m.count.add(e.Time, Channel(e, &v), cmp.Or(EventID(e, &v), string(v.Action))) // without an id: what happened
	case "computer":
		m.count.add(e.Time, Computer(e, &v))
	case "channel":
		m.count.add(e.Time, Channel(e, &v))
	case "file":
		m.count.add(e.Time, e.Origin.File, e.Origin.Inner, e.Origin.Format)
	}
}

// Table returns the counts, the largest first.
func (m *Metrics) Table() Table {
	t := Table{Header: map[string][]string{"eid": {"channel", "event_id", "title"}, "computer": {"computer"}, "channel": {"channel"}, "file": {"file", "path_in_archive", "format"}}[m.by]}
	t.Header = append(slices.Clone(t.Header), "count", "percent", "first", "last")
	for _, c := range m.count.sorted() {
		row := slices.Clone(c.keys)
		if m.by == "eid" {
			row = append(row, titles()[strings.ToLower(c.keys[0])+" "+c.keys[1]])
		}
		t.Rows = append(t.Rows, append(row, strconv.FormatInt(c.n, 10), fmt.Sprintf("%.2f", 100*float64(c.n)/float64(m.n)), Stamp(c.first), Stamp(c.last)))
	}
	return t
}

//go:embed titles.yaml
var titlesFile []byte

// titles are what event ids mean, by channel in lower case and id.
var titles = sync.OnceValue(func() map[string]string {
	out, err := parseTitles(titlesFile)
	if err != nil {
		panic(err) // part of the program; a test reads it
	}
	return out
})

func parseTitles(b []byte) (map[string]string, error) {
	var in map[string]map[string]string
	if err := yaml.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("titles.yaml: %w", err)
	}
	out := map[string]string{}
	for ch, ids := range in {
		for id, title := range ids {
			out[strings.ToLower(ch)+" "+id] = title
		}
	}
	return out, nil
}
