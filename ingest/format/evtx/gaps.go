// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"citywall/ingest/format"
)

const (
	maxGaps    = 256     // reported; the rest is counted
	maxRuns    = 1 << 16 // of one channel; a log with more is an extract
	maxAllRuns = 1 << 18 // of all of them
	maxSources = 1024    // channels of computers in one file
	silence    = 24 * time.Hour
	clockBack  = time.Minute
)

// continuity watches the record ids and times of every channel of every
// computer. Chunks lie in a ring, so ids need not rise through the file.
type continuity struct {
	of    map[source]*course
	order []*course
	last  *course
	runs  int
}

type source struct{ channel, computer string }

// course is what is known of one channel of one computer.
type course struct {
	source
	runs     []run
	overflow bool
	back     int // times the clock went back
	backBy   time.Duration
	backAt   uint64 // record after the largest step
	still    time.Duration
	stillAt  uint64
}

// run is an unbroken sequence of record ids.
type run struct {
	first, last uint64
	from, to    time.Time
}

func (c *continuity) saw(channel, computer string, id uint64, t time.Time) {
	k := c.last
	if k == nil || k.channel != channel || k.computer != computer {
		s := source{channel, computer}
		if k = c.of[s]; k == nil {
			if len(c.order) >= maxSources {
				return
			}
			if c.of == nil {
				c.of = map[source]*course{}
			}
			// The names share a string with their whole record.
			s = source{strings.Clone(channel), strings.Clone(computer)}
			k = &course{source: s}
			c.of[s] = k
			c.order = append(c.order, k)
		}
		c.last = k
	}
	if n := len(k.runs); n > 0 && k.runs[n-1].last+1 == id {
		r := &k.runs[n-1]
		k.step(id, r.to, t)
		r.last, r.to = id, t
		return
	}
	if len(k.runs) >= maxRuns || c.runs >= maxAllRuns {
		k.overflow = true
		return
	}
	c.runs++
	k.runs = append(k.runs, run{id, id, t, t})
}

// step looks at the time between two neighbouring records.
func (k *course) step(id uint64, before, after time.Time) {
	if before.IsZero() || after.IsZero() {
		return
	}
	d := after.Sub(before)
	if d > k.still {
		k.still, k.stillAt = d, id
	}
	if d < -clockBack {
		k.back++
		if -d > k.backBy {
			k.backBy, k.backAt = -d, id
		}
	}
}

// report puts gaps and what is odd about times into st.
func (c *continuity) report(st *format.Stats) {
	total := 0
	for _, k := range c.order {
		if k.overflow {
			st.Note("channel %s: record ids jump all the time; the file is an extract and its gaps say nothing", k.channel)
			continue
		}
		slices.SortFunc(k.runs, func(a, b run) int { return cmp.Compare(a.first, b.first) })
		for i, r := range k.runs {
			if i == 0 {
				continue
			}
			p := &k.runs[i-1]
			if r.last <= p.last { // copies of records that are there already
				k.runs[i] = *p
				continue
			}
			if r.first-p.last <= 1 || r.first <= p.last {
				continue
			}
			if total++; len(st.Gaps) < maxGaps {
				st.Gaps = append(st.Gaps, format.Gap{Channel: k.channel, After: p.last, Before: r.first, FromTime: p.to, ToTime: r.from})
			}
		}
	}
	if total > maxGaps {
		st.Note("%d gaps in the record ids, the first %d are listed", total, maxGaps)
	}
	notes := 0
	for _, k := range c.order {
		if k.back > 0 && notes < 4 {
			notes++
			st.Note("channel %s: the clock goes back by up to %s (at record %d; steps of more than a minute: %d)", k.channel, lasting(k.backBy), k.backAt, k.back)
		}
		if k.still >= silence && notes < 4 {
			notes++
			st.Note("channel %s: no record for %s before record %d", k.channel, lasting(k.still), k.stillAt)
		}
	}
}

// lasting writes a duration for people.
func lasting(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.Round(time.Second).String()
}
