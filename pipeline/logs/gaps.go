// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Gaps finds what is missing: jumps of record ids, which the decoders tell, and
// times in which a channel of a computer is silent for longer than Silence.
type Gaps struct {
	Silence time.Duration

	seen    map[where]map[int64]*stretch // by stretch of half a silence
	cleared map[string][]time.Time       // by computer: records that say a log was cleared
}

type where struct{ computer, channel string }

// stretch is the first and last record of a short time.
type stretch struct{ first, last time.Time }

// Add takes a record.
func (g *Gaps) Add(e *event.Event) {
	if e.Time.IsZero() || e.Origin.Carved {
		return
	}
	if g.seen == nil {
		g.seen, g.cleared = map[where]map[int64]*stretch{}, map[string][]time.Time{}
	}
	v := e.View()
	w := where{Computer(e, &v), Channel(e, &v)}
	m := g.seen[w]
	if m == nil {
		m = map[int64]*stretch{}
		g.seen[w] = m
	}
	k := e.Time.UnixNano() / int64(max(g.Silence/2, time.Second))
	s := m[k]
	if s == nil {
		m[k] = &stretch{e.Time, e.Time}
	} else {
		if e.Time.Before(s.first) {
			s.first = e.Time
		}
		if e.Time.After(s.last) {
			s.last = e.Time
		}
	}
	if v.Action == event.LogCleared {
		g.cleared[w.computer] = append(g.cleared[w.computer], e.Time)
	}
}

// Source is a file and the jumps of record ids in it.
type Source struct {
	File, Inner string
	Gaps        []format.Gap
}

// Table returns what is missing: first the jumps of record ids in the order of
// the files, then the silences. cleared says whether the log tells of a clearing
// near it: missing records without one deserve a question.
func (g *Gaps) Table(sources []Source) Table {
	t := Table{Header: []string{"kind", "file", "path_in_archive", "computer", "channel", "from", "to", "missing", "cleared"}}
	all := []time.Time{}
	for _, c := range g.cleared {
		all = append(all, c...)
	}
	for _, s := range sources {
		for _, x := range s.Gaps {
			t.Rows = append(t.Rows, []string{"record_ids", s.File, s.Inner, "", x.Channel, Stamp(x.FromTime), Stamp(x.ToTime), strconv.FormatUint(x.Before-x.After-1, 10), yes(near(all, x.FromTime, x.ToTime))})
		}
	}
	keys := slices.SortedFunc(maps.Keys(g.seen), func(a, b where) int {
		return cmp.Or(cmp.Compare(a.computer, b.computer), cmp.Compare(a.channel, b.channel))
	})
	for _, w := range keys {
		m := g.seen[w]
		var last time.Time
		for _, k := range slices.Sorted(maps.Keys(m)) {
			s := m[k]
			if d := s.first.Sub(last); !last.IsZero() && d > g.Silence {
				t.Rows = append(t.Rows, []string{"silence", "", "", w.computer, w.channel, Stamp(last), Stamp(s.first), d.Round(time.Second).String(), yes(near(g.cleared[w.computer], last, s.first))})
			}
			last = s.last
		}
	}
	return t
}

// near reports a clearing between from and to, or within a minute after it: the
// record of it is the first of the new log.
func near(cleared []time.Time, from, to time.Time) bool {
	return slices.ContainsFunc(cleared, func(c time.Time) bool { return !c.Before(from) && !c.After(to.Add(time.Minute)) })
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
