// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"math"
	"time"

	"citywall/asset"
	"citywall/incident/attackpath"
	"citywall/incident/fact"
)

const dayNS = int64(24 * time.Hour)

// past is what a contact's own history was when it began.
type past struct {
	days    float64 // days of log before it
	pair    int     // earlier days with the same source, destination, account and kind
	kind    int     // other clean days on which the source used the kind at all
	habit   int     // other clean days on which the source and account used the kind
	targets int     // destinations that they used it on, on those days
	debut   bool    // nothing of the source was seen before
	lone    bool    // no other host does this to the destination
}

// history is how usual things are.
type history struct {
	days   int // whole days of the clean period
	from   int64
	rarity *attackpath.Rarity
}

// tally counts days on which something happened.
type tally struct {
	days []int64      // distinct, ascending
	dsts map[int]bool // all of them
	had  int          // destinations known before the last day
}

func (t *tally) on(day int64, dst int) (before, targets int) {
	if n := len(t.days); n == 0 || day > t.days[n-1] {
		t.had = len(t.dsts)
		t.days = append(t.days, day)
	}
	if t.dsts == nil {
		t.dsts = map[int]bool{}
	}
	t.dsts[dst] = true
	return len(t.days) - 1, t.had
}

// later counts the days after day and before end.
func (t *tally) later(day, end int64) int {
	n := 0
	for _, d := range t.days {
		if d > day && d < end {
			n++
		}
	}
	return n
}

type quadKey struct {
	src, dst int
	user     string
	kind     string
}

// remember walks the contacts in order of time and notes what was usual when
// each began. The pair itself is judged by what came before, so that an
// intruder's later habits do not excuse his first move. What a source does to
// many machines is judged by all other days before anything bad is seen: on the
// first day of a log everybody's work is new.
func (a *analysis) remember() {
	a.history = &history{}
	pairs, kinds, habits := map[quadKey]*tally{}, map[quadKey]*tally{}, map[quadKey]*tally{}
	met := map[int]int64{}
	sources := map[quadKey]int{} // the one source, or -1 for several
	get := func(m map[quadKey]*tally, k quadKey) *tally {
		t := m[k]
		if t == nil {
			t = &tally{}
			m[k] = t
		}
		return t
	}
	for _, c := range a.contacts {
		day, user := a.day(c.first), c.user.Name
		for _, h := range []int{c.src, c.dst} {
			if _, ok := met[h]; !ok {
				met[h] = c.first
			}
		}
		c.past = past{debut: c.first-met[c.src] <= int64(time.Minute)}
		p := &c.past
		p.days = float64(c.first-a.first) / float64(dayNS)
		if c.refused {
			continue
		}
		src := a.keeper(c.src)
		p.pair, _ = get(pairs, quadKey{c.src, c.dst, user, c.what()}).on(day, c.dst)
		p.kind, _ = get(kinds, quadKey{src: src, user: a.guest(c), kind: c.what()}).on(day, c.dst)
		p.habit, p.targets = get(habits, quadKey{src: src, user: user, kind: c.what()}).on(day, c.dst)
		k := quadKey{dst: c.dst, kind: c.what()}
		if old, ok := sources[k]; !ok {
			sources[k] = c.src
		} else if old != c.src {
			sources[k] = -1
		}
	}
	end := a.firstBad()
	for _, c := range a.contacts {
		if day, src := a.day(c.first), a.keeper(c.src); day < end && !c.refused {
			p := &c.past
			p.kind += get(kinds, quadKey{src: src, user: a.guest(c), kind: c.what()}).later(day, end)
			h := get(habits, quadKey{src: src, user: c.user.Name, kind: c.what()})
			if n := h.later(day, end); n > 0 {
				p.habit += n
				p.targets = max(p.targets, len(h.dsts)-1)
			}
		}
		c.past.lone = sources[quadKey{dst: c.dst, kind: c.what()}] == c.src
	}
	a.cleanPeriod()
}

// pool stands for all addresses that a VPN gives out: the next session gets
// another one.
const pool = -2

// keeper is whose habits count for a source.
func (a *analysis) keeper(h int) int {
	if a.hosts.List[h].Zone == asset.ZoneVPN {
		return pool
	}
	return h
}

// guest is the account by which habits of a pool are told apart.
func (a *analysis) guest(c *contact) string {
	if a.keeper(c.src) == pool {
		return c.user.Name
	}
	return ""
}

// firstBad is the day of the first bad moment anywhere, the end of time when
// there is none.
func (a *analysis) firstBad() int64 {
	end := int64(math.MaxInt64)
	for _, t := range a.badSince {
		end = min(end, a.day(t))
	}
	return end
}

// what is the kind that habits are counted by; ports of other services are
// kinds of their own.
func (c *contact) what() string {
	if c.kind == "other" || c.kind == "web" {
		return c.kind + itoa(int64(c.port))
	}
	return c.kind
}

// day is the number of the local day.
func (a *analysis) day(t int64) int64 {
	_, off := time.Unix(0, t).In(a.cfg.zone).Zone()
	return (t + int64(off)*1e9) / dayNS
}

// cleanPeriod counts rarity over the baseline of attackpath.md §4.2: before the
// earliest anchor minus 14 days, else the whole log without its last 72 h.
func (a *analysis) cleanPeriod() {
	h := a.history
	end := a.last - int64(72*time.Hour)
	if t := a.earliestImpact(); t != 0 && t-14*dayNS > a.first+7*dayNS {
		end = t - 14*dayNS
	}
	h.from = max(a.first, end-attackpath.MaxDays*dayNS)
	h.days = int(max(0, (end-h.from)/dayNS))
	h.rarity = attackpath.NewRarity(h.days)
	for _, c := range a.contacts {
		if !c.refused && c.first < end {
			h.rarity.Add(c.src, c.dst, c.user.Name, c.what(), int((c.first-h.from)/dayNS))
		}
	}
	h.rarity.Close()
}

// earliestImpact is the first finding that ends an attack, 0 for none.
func (a *analysis) earliestImpact() int64 {
	for _, b := range a.bursts {
		if b.Meaning.Anchor {
			return b.First
		}
	}
	return 0
}

// sensorName names who wrote a row, for the reader.
func (a *analysis) sensorName(id fact.ID) string {
	s, ok := a.st.SourceOf(id)
	if !ok {
		return ""
	}
	return s.Name
}
