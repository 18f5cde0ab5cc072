// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package logs answers what an analyst asks of log files before any rule: what
// is in them and how much, who logged on from where, where a word stands, what
// is missing.
//
// It promises tables in a fixed order, the same on every run, and memory bounded
// by the number of different things and not by the number of events: beyond
// Most different keys the rest is counted together and said so. It opens no
// store and no network and judges nothing.
package logs

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"citywall/event"
)

// Most is how many different keys are counted apart.
const Most = 1_000_000

// Rest is the key of what was counted together beyond Most.
const Rest = "…"

// Table is an answer: a header and rows of as many cells. Cells hold what stood
// in the evidence.
type Table struct {
	Header []string
	Rows   [][]string
}

// counter counts by keys of several parts, with the first and last time of each.
type counter struct {
	by   map[string]*count
	most int // 0: Most
}

type count struct {
	keys        []string
	n           int64
	first, last time.Time
}

func (c *counter) add(t time.Time, keys ...string) {
	if c.by == nil {
		c.by = map[string]*count{}
	}
	k := strings.Join(keys, "\x00")
	x := c.by[k]
	if x == nil {
		if len(c.by) >= cmp.Or(c.most, Most) {
			rest := make([]string, len(keys))
			for i := range rest {
				rest[i] = Rest
			}
			k, keys = strings.Join(rest, "\x00"), rest
			x = c.by[k]
		}
		if x == nil {
			x = &count{keys: slices.Clone(keys)}
			c.by[k] = x
		}
	}
	x.n++
	if t.IsZero() {
		return
	}
	if x.first.IsZero() || t.Before(x.first) {
		x.first = t
	}
	if t.After(x.last) {
		x.last = t
	}
}

// sorted returns the counts, the largest first.
func (c *counter) sorted() []*count {
	out := make([]*count, 0, len(c.by))
	for _, x := range c.by {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b *count) int { return cmp.Or(cmp.Compare(b.n, a.n), slices.Compare(a.keys, b.keys)) })
	return out
}

// Stamp writes a time of a table: RFC 3339 in UTC, "" when there is none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Computer names the machine of a record, whatever wrote it.
func Computer(e *event.Event, v *event.View) string {
	return cmp.Or(e.Fields.First("Computer", "ComputerName"), v.Observer, v.Host, e.Source)
}

// Channel names the log of a record: a Windows channel, else product/service.
func Channel(e *event.Event, v *event.View) string {
	return cmp.Or(e.Fields.Str("Channel"), v.Channel, strings.Trim(e.Product+"/"+e.Service, "/"), e.Category)
}

// EventID is the event id of a record, "" where its source has none.
func EventID(e *event.Event, v *event.View) string {
	return cmp.Or(e.Fields.Str("EventID"), v.EventID)
}

// Line is a record as JSON.
type Line struct {
	Time     *time.Time   `json:"time"` // null when the record has none
	Product  string       `json:"product,omitempty"`
	Category string       `json:"category,omitempty"`
	Service  string       `json:"service,omitempty"`
	Computer string       `json:"computer,omitempty"`
	Channel  string       `json:"channel,omitempty"`
	EventID  string       `json:"event_id,omitempty"`
	RecordID uint64       `json:"record_id,omitempty"`
	File     string       `json:"file"`
	Inner    string       `json:"path_in_archive,omitempty"`
	SHA256   string       `json:"sha256,omitempty"`
	Offset   int64        `json:"offset"`
	Line     int64        `json:"line,omitempty"`
	Carved   bool         `json:"carved,omitempty"`
	Fields   event.Fields `json:"fields"`
}

// LineOf returns e as a Line.
func LineOf(e *event.Event) Line {
	v := e.View()
	l := Line{
		Product: e.Product, Category: e.Category, Service: e.Service, Computer: Computer(e, &v), Channel: e.Fields.Str("Channel"), EventID: EventID(e, &v), RecordID: e.Origin.Record,
		File: e.Origin.File, Inner: e.Origin.Inner, SHA256: e.Origin.SHA256, Offset: e.Origin.Offset, Line: e.Origin.Line, Carved: e.Origin.Carved, Fields: e.Fields,
	}
	if !e.Time.IsZero() {
		t := e.Time.UTC()
		l.Time = &t
	}
	return l
}
