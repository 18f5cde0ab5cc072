// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"time"

	"citywall/eventstore"
	"citywall/internal/fault"
)

// DefaultSpan bounds a search that bounds itself not.
const DefaultSpan = 24 * time.Hour

// ReadQuery reads the query language and bounds it in time. What the text says
// (last:24h) comes before from and to; a search without either looks back
// DefaultSpan.
func (d *Desk) ReadQuery(text string, from, to time.Time) (eventstore.Query, error) {
	now := d.now().UTC()
	var q eventstore.Query
	if d.cfg.Query == nil {
		return q, fault.New(fault.Unavailable, "this installation cannot read queries")
	}
	q, err := d.cfg.Query(text, now)
	if err != nil {
		return q, err
	}
	if q.From.IsZero() && q.To.IsZero() {
		q.From, q.To = from, to
	}
	if q.To.IsZero() {
		q.To = now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-DefaultSpan)
	}
	if !q.From.Before(q.To) {
		return q, fault.New(fault.Invalid, "the time span is empty: it ends before it begins")
	}
	return q, nil
}

// widths are the bars of a histogram that people can read off a clock.
var widths = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
}

// BarWidth returns the least readable width that gives at most n bars.
func BarWidth(from, to time.Time, n int) time.Duration {
	span := to.Sub(from)
	for _, w := range widths {
		if span <= time.Duration(n)*w {
			return w
		}
	}
	week := 7 * 24 * time.Hour
	return (span/time.Duration(n) + week - 1) / week * week
}
