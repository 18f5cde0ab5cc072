// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"maps"
	"slices"
	"strings"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/incident"
	"citywall/ingest/format"
)

// SourceState says whether a source delivers.
type SourceState string

// States of a source.
const (
	SourceOK     SourceState = "ok"
	SourceLate   SourceState = "late"   // records arrive, but old ones
	SourceSilent SourceState = "silent" // nothing for much longer than usual
)

// Source is one sender, folder or file and what arrives from it. Counts are
// since the start of the process; times, lag, clock and gaps outlive it.
type Source struct {
	Name      string           `json:"name"`
	Realm     asset.Realm      `json:"realm"`
	Agency    string           `json:"agency,omitempty"`
	Transport string           `json:"transport"`          // the latest listener: syslog-tcp, http, watch, …
	Formats   map[string]int64 `json:"formats"`            // decoder → records
	Products  map[string]int64 `json:"products,omitempty"` // "product service" → records, the first maxProducts; "": none was recognised
	State     SourceState      `json:"state"`
	Records   int64            `json:"records"` // events kept, undecoded ones among them
	Skipped   int64            `json:"skipped"` // records that are no events
	Damaged   int64            `json:"damaged"` // undecoded, or unreadable in a file
	Rate      float64          `json:"rate"`    // records a second, over the last minute
	Rates     []float64        `json:"rates"`   // of each of the last 60 minutes, oldest first
	LastSeen  time.Time        `json:"last_seen,omitzero"`
	LastEvent time.Time        `json:"last_event,omitzero"` // newest event time
	Lag       time.Duration    `json:"lag"`                 // median of received minus event time
	Usual     time.Duration    `json:"usual"`               // median of the time between arrivals; 0: not known yet
	Clock     *incident.Clock  `json:"clock,omitempty"`     // ahead is positive; delay on the way counts as behind
	Gaps      []format.Gap     `json:"gaps,omitempty"`      // silences, the last 20
	Notes     []string         `json:"notes,omitempty"`     // what was damaged and where, the last 20
}

const (
	samples     = 64          // arrivals that lag and clock rest on
	intervals   = 32          // arrivals that the usual interval rests on
	enough      = 8           // of either, before anything is said
	oneArrival  = time.Second // records closer than this are one arrival
	silentTimes = 10          // a silence this many times the usual interval is a gap …
	silentLeast = time.Minute // … and never a shorter one
	nearTime    = time.Hour   // a record older than this on arrival says nothing about a clock
	maxGaps     = 20
	maxNotes    = 20
)

// meter measures one source.
type meter struct {
	s       Source
	minutes [60]uint32 // records by minute of arrival, minute number modulo 60
	minute  int64      // the latest of them

	arrival time.Time     // the one under way
	least   time.Duration // smallest lag in it: bulk senders keep the older records waiting
	timed   bool          // least is set
	fine    time.Duration // uncertainty of the record it came from
	lags    []time.Duration
	units   []time.Duration // uncertainties, same order
	waits   []time.Duration // between arrivals

	tally tally
	said  *said
	limit time.Duration // of silence, when somebody said so; 0: learned from waits
}

// maxProducts bounds what one source is said to be.
const maxProducts = 16

// product counts what a record says that it is of.
func (s *Source) product(e *event.Event) {
	if s.Products == nil {
		s.Products = map[string]int64{}
	}
	name := strings.TrimSpace(e.Product + " " + e.Service)
	if _, ok := s.Products[name]; !ok && len(s.Products) >= maxProducts {
		return
	}
	s.Products[name]++
}

// saw counts an event. delayed ones say nothing about intervals and clocks.
func (m *meter) saw(e *event.Event, transport string, delayed bool) {
	s := &m.s
	s.Transport = transport
	if e.Agency != "" {
		s.Agency = e.Agency
	}
	s.Records++
	if s.Formats == nil {
		s.Formats = map[string]int64{}
	}
	s.Formats[e.Origin.Format]++
	s.product(e)
	if e.Origin.Format == Undecoded {
		s.Damaged++
	}
	if e.Time.After(s.LastEvent) {
		s.LastEvent = e.Time
	}
	m.count(e.Received)
	if !delayed {
		m.tally.add(e.Received)
	}
	if !delayed && e.Received.Sub(m.arrival).Abs() >= oneArrival {
		m.arrived(e.Received)
	}
	if e.Received.After(s.LastSeen) {
		s.LastSeen = e.Received
	}
	if delayed || e.Time.IsZero() {
		return
	}
	if lag := e.Received.Sub(e.Time); !m.timed || lag < m.least {
		m.least, m.fine, m.timed = lag, e.Uncertainty, true
	}
}

// arrived ends one arrival and begins the next.
func (m *meter) arrived(at time.Time) {
	if m.timed {
		m.lags, m.units = last(append(m.lags, m.least), samples), last(append(m.units, m.fine), samples)
	}
	m.timed = false
	if !m.arrival.IsZero() && at.After(m.arrival) {
		wait := at.Sub(m.arrival)
		if limit := m.silence(); limit > 0 && wait > limit {
			m.s.Gaps = last(append(m.s.Gaps, format.Gap{FromTime: m.arrival, ToTime: at}), maxGaps)
		} else {
			m.waits = last(append(m.waits, wait), intervals)
		}
	}
	if at.After(m.arrival) {
		m.arrival = at
	}
}

// silence is how long nothing may come before something is wrong; 0: unknown.
func (m *meter) silence() time.Duration {
	if m.limit > 0 {
		return m.limit
	}
	if len(m.waits) < enough {
		return 0
	}
	return max(silentLeast, silentTimes*median(m.waits))
}

func (m *meter) count(at time.Time) {
	n := at.Unix() / 60
	switch {
	case n <= m.minute-60:
		return
	case n > m.minute:
		for k := max(m.minute+1, n-59); k <= n; k++ {
			m.minutes[k%60] = 0
		}
		m.minute = n
	}
	m.minutes[n%60]++
}

// read returns the source as it is at now.
func (m *meter) read(now time.Time, lateAfter time.Duration) Source {
	s := m.s
	s.Products = maps.Clone(s.Products)
	s.Formats, s.Gaps, s.Notes = maps.Clone(s.Formats), slices.Clone(s.Gaps), slices.Clone(s.Notes)
	cur := now.Unix() / 60
	s.Rates = make([]float64, 60)
	for k := cur - 59; k <= cur; k++ {
		if k <= m.minute && k > m.minute-60 {
			s.Rates[k-cur+59] = float64(m.minutes[k%60]) / 60
		}
	}
	// The minute that runs has only its beginning; the one before gives the rest.
	part := float64(now.Unix()%60) / 60
	s.Rate = s.Rates[59] + s.Rates[58]*(1-part)
	if lags := m.lags; len(lags) > 0 || m.timed {
		if m.timed {
			lags = append(slices.Clone(lags), m.least)
		}
		s.Lag = median(lags)
		if c, ok := clockOf(lags, m.units); ok {
			s.Clock = &c
		} else {
			s.Clock = nil
		}
	}
	if len(m.waits) >= enough {
		s.Usual = median(m.waits)
	}
	s.State = SourceOK
	switch limit := m.silence(); {
	case limit > 0 && now.Sub(s.LastSeen) > limit:
		s.State = SourceSilent
	case s.Lag > lateAfter:
		s.State = SourceLate
	}
	return s
}

// clockOf estimates the error of a source's clock from the lag of what arrives
// near real time (attackpath.md §3.3): the median, and 1.48 times the median of
// the distances from it. What the records need on the way cannot be told from a
// clock that is behind.
func clockOf(lags, units []time.Duration) (incident.Clock, bool) {
	near := make([]time.Duration, 0, len(lags))
	for _, l := range lags {
		if l.Abs() <= nearTime {
			near = append(near, l)
		}
	}
	if len(near) < enough {
		return incident.Clock{}, false
	}
	mid := median(near)
	off := make([]time.Duration, len(near))
	for i, l := range near {
		off[i] = (l - mid).Abs()
	}
	unc := time.Duration(1.48 * float64(median(off)))
	if len(units) > 0 {
		unc += median(units)
	}
	return incident.Clock{Offset: -mid, Uncertainty: unc, Pairs: len(near)}, true
}

func median(d []time.Duration) time.Duration {
	s := slices.Clone(d)
	slices.Sort(s)
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// last returns the last n of s.
func last[T any](s []T, n int) []T {
	if len(s) > n {
		return append(s[:0:0], s[len(s)-n:]...)
	}
	return s
}
