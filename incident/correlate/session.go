// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"slices"
	"time"

	"citywall/incident/attackpath"
	"citywall/incident/fact"
)

// deed is something that betrays the intruder and that was done in a session,
// or in one that the session led to.
type deed struct {
	host  int    // where
	what  string // of the sign
	t     int64
	steps int // logons between the session and the deed
}

// walkBack bounds how many logons a deed is followed back.
const walkBack = 8

// sessions follows deeds back: a record of a deed names the session it was done
// in, the logon that opened the session names where it came from, and there the
// use of other credentials or the only session that was open names the next. No
// habit and no rarity decides here; each step is on record. Steps that more than
// one session could have taken are not taken.
func (a *analysis) sessions() {
	a.guilty = map[sessionKey]deed{}
	type item struct {
		key sessionKey
		d   deed
	}
	var queue []item
	for h, l := range a.signs {
		if a.hosts.List[h].External {
			continue
		}
		for i := range l {
			if s := &l[i]; s.sess != 0 && s.compromise && s.observer == "" {
				queue = append(queue, item{sessionKey{h, s.sess}, deed{h, s.what, s.t, 0}})
			}
		}
	}
	slices.SortFunc(queue, func(x, y item) int {
		return cmp.Or(cmp.Compare(x.d.t, y.d.t), cmp.Compare(x.d.host, y.d.host), cmp.Compare(x.key.id, y.key.id), cmp.Compare(x.d.what, y.d.what))
	})
	for n := 0; n < len(queue); n++ {
		x := queue[n]
		if old, ok := a.guilty[x.key]; ok && old.t <= x.d.t || x.d.steps > walkBack {
			continue
		}
		a.guilty[x.key] = x.d
		for _, s := range a.sessionsOn(x.key.host) {
			if s.ID != x.key.id || s.From < 0 || s.T > x.d.t+int64(time.Minute) || a.hosts.List[s.From].External {
				continue
			}
			if id := a.leftFrom(s); id != 0 {
				d := x.d
				d.steps++
				queue = append(queue, item{sessionKey{s.From, id}, d})
			}
		}
	}
}

// leftFrom is the session at the source from which s was opened: the one that
// used other credentials for it, else the only one of that account. 0 when it
// cannot be told.
func (a *analysis) leftFrom(s attackpath.Session) uint64 {
	best, found := uint64(0), 0
	for _, x := range a.switches {
		if x.Host == s.From && x.Session != 0 && (x.Dst < 0 || x.Dst == s.Host) && attackpath.Same(x.Target, s.User) && abs(x.T-s.T) <= int64(time.Minute) {
			if best != x.Session {
				best, found = x.Session, found+1
			}
		}
	}
	if found == 1 {
		return best
	}
	best, found = 0, 0
	for _, x := range a.sessionsOn(s.From) {
		if x.ID == 0 || x.T > s.T || x.End != 0 && x.End < s.T || x.End == 0 && s.T-x.T > dayNS || !attackpath.Same(x.User, s.User) || !x.Interactive {
			continue
		}
		if best != x.ID {
			best, found = x.ID, found+1
		}
	}
	if found == 1 {
		return best
	}
	return 0
}

// deedOf is the deed that a session of c led to.
func (a *analysis) deedOf(c *contact) (deed, bool) {
	var best deed
	ok := false
	for _, r := range c.rows {
		if r.k.Act != fact.Logon || r.c.Sess == 0 {
			continue
		}
		if d, is := a.guilty[sessionKey{c.dst, r.c.Sess}]; is && (!ok || d.t < best.t) {
			best, ok = d, true
		}
	}
	return best, ok
}

// pushKey is one thing that one machine makes others run.
type pushKey struct {
	src  int
	kind string
	user string
	what string
}

type push struct {
	dst int
	t   int64
}

// waves gathers what machines make others run.
func (a *analysis) waves() {
	a.pushes = map[pushKey][]push{}
	for _, c := range a.contacts {
		if k, ok := pushOf(c); ok {
			a.pushes[k] = append(a.pushes[k], push{c.dst, c.first})
		}
	}
}

func pushOf(c *contact) (pushKey, bool) {
	switch c.kind {
	case "service", "task", "wmi", "winrm":
		return pushKey{c.src, c.kind, c.user.Name, letters(c.exec)}, !c.refused
	}
	return pushKey{}, false
}

// letters leaves out what numbers a version.
func letters(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// harmless counts the machines to which the source of c did the same as to its
// destination, and which show nothing of it within a day: software distribution
// reaches the first victim, too. It is 0 unless there are three, and more than
// of those that do show something soon. Only machines whose own log was written
// a day longer, or to the end, can be said to show nothing.
func (a *analysis) harmless(c *contact) int {
	k, ok := pushOf(c)
	if !ok {
		return 0
	}
	well, ill := map[int]bool{}, map[int]bool{}
	for _, p := range a.pushes[k] {
		if p.dst == c.dst {
			continue
		}
		if t, bad := a.badSince[p.dst]; bad && t >= p.t-int64(time.Minute) && t-p.t <= int64(a.cfg.p.After) {
			ill[p.dst] = true
		} else if !bad && a.hosts.List[p.dst].OwnLog {
			well[p.dst] = true
		}
	}
	if len(well) < 3 || len(well) <= len(ill) {
		return 0
	}
	return len(well)
}
