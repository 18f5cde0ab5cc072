// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package csvlog

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	"citywall/ingest/format"
)

//go:embed headers.yaml
var headersFile []byte

// known is an export that is recognised by its columns.
type known struct {
	Columns  []string `yaml:"columns"`
	Time     names    `yaml:"time"`     // the first that the header has
	Timeless bool     `yaml:"timeless"` // rows without a time are events as well
	Product  string   `yaml:"product"`
	Category string   `yaml:"category"`
	Service  string   `yaml:"service"`
}

// names is one name or several.
type names []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (n *names) UnmarshalYAML(v *yaml.Node) error {
	if v.Kind == yaml.ScalarNode {
		*n = names{v.Value}
		return nil
	}
	return v.Decode((*[]string)(n))
}

var headers = sync.OnceValues(func() ([]known, error) {
	var out []known
	dec := yaml.NewDecoder(bytes.NewReader(headersFile))
	dec.KnownFields(true)
	return out, dec.Decode(&out)
})

// recognise returns what a header line means, false when it is none that is
// known.
func recognise(cols []string) (format.CSVMapping, bool) {
	if isAlerts(cols) {
		return alertMapping, true
	}
	list, err := headers()
	if err != nil {
		panic(err) // part of the program; TestHeaders reads it
	}
	for _, k := range list {
		if !slices.ContainsFunc(k.Columns, func(c string) bool { return !slices.Contains(cols, c) }) {
			m := format.CSVMapping{Product: k.Product, Category: k.Category, Service: k.Service}
			for _, t := range k.Time {
				if m.Time == "" && slices.Contains(cols, t) {
					m.Time = t
				}
			}
			return m, m.Time != "" || k.Timeless
		}
	}
	return format.CSVMapping{}, false
}

// maxPreamble is how many lines an export may have before its header: a title,
// the time of the report, a filter.
const maxPreamble = 10

// columns splits a header line by whichever separator it has most of.
func columns(line []byte) (cols []string, sep byte) {
	line = bytes.TrimRight(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")), "\r\n")
	sep = ','
	for _, c := range []byte{';', '\t'} {
		if bytes.Count(line, []byte{c}) > bytes.Count(line, []byte{sep}) {
			sep = c
		}
	}
	cols, err := format.SplitCSV(line, sep)
	if err != nil {
		return nil, sep
	}
	for i, c := range cols {
		cols[i] = strings.TrimSpace(c)
	}
	return cols, sep
}

// consoleLayouts are what consoles write beside the forms of format.Time. Day and
// month are never guessed: with slashes and the year last, the month comes first,
// as in the products' own language; an export in another order needs a mapping
// with a layout.
var consoleLayouts = [...]string{
	"1/2/2006 3:04:05 PM", "1/2/06 3:04:05 PM", "1/2/2006 3:04 PM", "1/2/2006 15:04:05", "1/2/2006 15:04",
	"2006/1/2 3:04:05 PM", "2006/1/2 PM 3:04:05", "2006/1/2 PM 3:04", "2006/1/2 15:04:05", "2006/1/2 15:04", "2006-1-2 15:04",
	"Jan 2, 2006 3:04:05 PM", "Jan 2, 2006 15:04:05", "2 Jan 2006 15:04:05", "2-Jan-2006 15:04:05", "2006 Jan 2 15:04:05",
}

// half days as Windows writes them in Taiwan.
var halfDays = strings.NewReplacer("上午", "AM", "下午", "PM", "\u202f", " ", "\u00a0", " ")

// consoleTime reads a time as a console exports it.
func consoleTime(s string, loc *time.Location) (time.Time, bool, error) {
	t, assumed, err := format.Time(s, loc)
	if err == nil {
		return t, assumed, nil
	}
	text := halfDays.Replace(strings.TrimSpace(s))
	for _, l := range consoleLayouts {
		if t, err := time.ParseInLocation(l, text, loc); err == nil {
			return t.UTC(), true, nil
		}
	}
	return time.Time{}, false, fmt.Errorf("%w; where the day comes before the month, a mapping with a layout must say so", err)
}
