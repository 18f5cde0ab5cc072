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

// seat names a session: numbers are used again, so the time of its logon
// belongs to it.
type seat struct {
	host int
	id   uint64
	t    int64
}

// deed is something that betrays the intruder, and how the session that bears it
// is tied to it.
type deed struct {
	host  int    // where
	what  string // of the sign
	t     int64
	steps int  // logons between the session and the deed
	alike bool // on the way only the account and its address say that it was he again
}

// reach bounds how many logons a deed is followed.
const reach = 8

// sitting is how far apart records may lie that tell of one logon: the logon
// itself, its elevated half, the terminal service's own.
const sitting = int64(time.Minute)

// sessions finds the sessions that were the intruder's. A record of a deed names
// the session it was done in; the logon that opened the session names where it
// came from; there the use of other credentials, or the only session of the
// account, names the session before. What else was opened from a session of his
// is his, too, and so is every tunnel of the same account from the same outside
// address, when that address was new to the account.
//
// No habit and no rarity decides here, each step is on record; steps that more
// than one session could have taken are not taken.
func (a *analysis) sessions() {
	a.guilty, a.held = map[seat]deed{}, map[int][]attackpath.Session{}
	type item struct {
		s attackpath.Session
		d deed
	}
	var queue []item
	for h, l := range a.signs {
		if a.hosts.List[h].External {
			continue
		}
		for i := range l {
			if s := &l[i]; s.sess != 0 && s.compromise && s.observer == "" {
				if x, ok := a.seatOf(h, s.sess, s.t); ok {
					queue = append(queue, item{x, deed{h, s.what, s.t, 0, false}})
				}
			}
		}
	}
	slices.SortFunc(queue, func(x, y item) int {
		return cmp.Or(cmp.Compare(x.d.t, y.d.t), cmp.Compare(x.d.host, y.d.host), cmp.Compare(x.s.ID, y.s.ID), cmp.Compare(x.d.what, y.d.what))
	})
	if len(queue) == 0 {
		return
	}
	for n := 0; n < len(queue); n++ {
		x := queue[n]
		key := seat{x.s.Host, x.s.ID, x.s.T}
		old, known := a.guilty[key]
		if known && (!old.alike || x.d.alike) || x.d.steps > reach {
			continue
		}
		a.guilty[key] = x.d
		if !known {
			a.held[x.s.Host] = append(a.held[x.s.Host], x.s)
		}
		next := x.d
		next.steps++
		if x.s.From >= 0 && !a.hosts.List[x.s.From].External {
			for _, s := range a.leftFrom(x.s) {
				queue = append(queue, item{s, next})
			}
			tunnels, long := a.sameTunnels(x.s)
			again := next
			again.alike = next.alike || !long
			for _, s := range tunnels {
				queue = append(queue, item{s, again})
			}
		}
		for _, s := range a.openedFrom(x.s) {
			queue = append(queue, item{s, next})
		}
	}
}

// seatOf is the latest session of that number before t.
func (a *analysis) seatOf(h int, id uint64, t int64) (attackpath.Session, bool) {
	var best attackpath.Session
	ok := false
	for _, s := range a.sessionsOn(h) {
		if s.ID == id && s.T <= t+int64(5*time.Second) && (!ok || s.T > best.T) {
			best, ok = s, true
		}
	}
	return best, ok
}

// leftFrom are the sessions at the source from which s was opened: that which
// used other credentials for it, else that of the same account, else for a
// desktop that of whoever sat there, if it was the only one. Several records of
// one sitting are one session. Nil when it cannot be told.
func (a *analysis) leftFrom(s attackpath.Session) []attackpath.Session {
	var out []attackpath.Session
	one := true
	add := func(x attackpath.Session) {
		for _, o := range out {
			one = one && abs(o.T-x.T) <= sitting
			if o.ID == x.ID && o.T == x.T {
				return
			}
		}
		out = append(out, x)
	}
	named := false
	for _, x := range a.switchesOn[s.From] {
		if x.Session != 0 && (x.Dst < 0 || x.Dst == s.Host) && attackpath.Same(x.Target, s.User) && abs(x.T-s.T) <= int64(time.Minute) {
			named = true
			if y, ok := a.seatOf(s.From, x.Session, x.T); ok {
				add(y)
			}
		}
	}
	if len(out) > 0 && one {
		return out
	}
	if named && len(out) == 0 {
		return nil // a session whose logon nobody recorded: none of those that we know
	}
	sitting := a.sittingAt(s.From, s.T)
	for _, same := range []bool{true, false} {
		out, one = nil, true
		for _, x := range sitting {
			if !same || attackpath.Same(x.User, s.User) {
				add(x)
			}
		}
		if len(out) > 0 && one {
			return out
		}
		if len(out) > 0 || !s.Interactive {
			break
		}
	}
	return nil
}

// sittingAt lists the sessions at a host's desktop that were open at t. One whose
// end nobody recorded is over when its account sits down again.
func (a *analysis) sittingAt(h int, t int64) []attackpath.Session {
	a.sessionsOn(h)
	var out []attackpath.Session
	for _, x := range a.desks[h] {
		if x.T > t || x.End != 0 && x.End < t || x.End == 0 && t-x.T > dayNS {
			continue
		}
		out = slices.DeleteFunc(out, func(o attackpath.Session) bool {
			return o.End == 0 && x.T-o.T > sitting && attackpath.Same(o.User, x.User)
		})
		out = append(out, x)
	}
	return out
}

// openedFrom lists the sessions on other machines that were opened from x.
func (a *analysis) openedFrom(x attackpath.Session) []attackpath.Session {
	var out []attackpath.Session
	end := x.End
	if end == 0 {
		end = x.T + dayNS
	}
	for _, l := range a.logonsFrom[x.Host] {
		user := a.st.Account(l.k.User)
		if user.Machine {
			continue
		}
		for i := range l.s.Conns {
			c := &l.s.Conns[i]
			shift, _ := a.clocks.Fix(c.Sensor)
			t := c.T - shift
			if c.Sess == 0 || t < x.T || t > end || a.hosts.Of(l.k.Src, c.T) != x.Host {
				continue
			}
			s := attackpath.Session{Host: a.hosts.Of(l.k.Dst, c.T), User: user, From: x.Host, T: t, ID: c.Sess, Interactive: c.Type == 10}
			if s.Host < 0 {
				continue
			}
			for _, y := range a.leftFrom(s) {
				if y.ID == x.ID && y.T == x.T {
					if s, ok := a.seatOf(s.Host, s.ID, s.T); ok {
						out = append(out, s)
					}
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b attackpath.Session) int {
		return cmp.Or(cmp.Compare(a.T, b.T), cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// sameTunnels are the sessions that were opened from other tunnels of the same
// account and outside address as the one that s came through, if the address was
// new to the account a day and more after the logs began. long reports that it was
// new after so many days that it says who came; after fewer it may only be the
// first visit that the logs hold.
func (a *analysis) sameTunnels(s attackpath.Session) (others []attackpath.Session, long bool) {
	n := a.tunnelAt(s.From, s.T)
	if n < 0 {
		return nil, false
	}
	x := &a.tunnels[n]
	fresh := false
	for i := range a.tunnels {
		o := &a.tunnels[i]
		if o.outer == x.outer && o.user == x.user && o.news && o.t-a.first >= dayNS {
			fresh = true
			long = long || float64(o.t-a.first) >= a.cfg.p.History*float64(dayNS)
		}
	}
	if !fresh {
		return nil, false
	}
	var out []attackpath.Session
	for _, o := range a.sessionsOn(s.Host) {
		if i := a.tunnelAt(o.From, o.T); o.ID != 0 && i >= 0 && i != n && a.tunnels[i].outer == x.outer && a.tunnels[i].user == x.user && attackpath.Same(o.User, s.User) {
			out = append(out, o)
		}
	}
	return out, long
}

// tunnelAt is the tunnel that had an inner address at t, -1 for none.
func (a *analysis) tunnelAt(inner int, t int64) int {
	best := -1
	for i := range a.tunnels {
		if x := &a.tunnels[i]; x.inner == inner && x.t <= t+int64(time.Minute) && (x.end == 0 || x.end >= t) {
			best = i
		}
	}
	return best
}

// sitsAt reports that a session of the intruder's was open on the source of c when
// it began, and that nobody else sat there as the user of c.
func (a *analysis) sitsAt(c *contact) bool {
	if len(a.held[c.src]) == 0 {
		return false
	}
	his := false
	for _, s := range a.sittingAt(c.src, c.first+c.unc) {
		if _, is := a.guilty[seat{s.Host, s.ID, s.T}]; is {
			his = true
		} else if attackpath.Same(s.User, c.user) {
			return false
		}
	}
	return his
}

// turns reports that row n begins a session of the intruder's, while a logon well
// before it was somebody else's: these are two visits.
func (a *analysis) turns(rs []*row, n int) bool {
	if len(a.held[int(rs[n].dst)]) == 0 {
		return false
	}
	his := func(r *row) bool {
		_, ok := a.guilty[seat{int(r.dst), r.c.Sess, r.t}]
		return ok && r.k.Act == fact.Logon
	}
	begins := false
	for _, r := range rs[n:] {
		if r.t-rs[n].t > int64(5*time.Second) {
			break
		}
		begins = begins || his(r)
	}
	if !begins {
		return false
	}
	others := false
	for _, r := range rs[:n] {
		if his(r) {
			return false
		}
		others = others || r.k.Act == fact.Logon && r.c.Sess != 0 && rs[n].t-r.t > sitting
	}
	return others
}

// deedOf is the deed that a session of c is tied to.
func (a *analysis) deedOf(c *contact) (deed, bool) {
	var best deed
	ok := false
	if len(a.guilty) == 0 {
		return best, false
	}
	for _, r := range c.rows {
		if r.k.Act != fact.Logon || r.c.Sess == 0 {
			continue
		}
		if d, is := a.guilty[seat{c.dst, r.c.Sess, r.t}]; is && (!ok || best.alike && !d.alike || best.alike == d.alike && (d.steps < best.steps || d.steps == best.steps && d.t < best.t)) {
			best, ok = d, true
		}
	}
	return best, ok
}
