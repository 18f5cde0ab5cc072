// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package attackpath

import (
	"cmp"
	"slices"
	"time"

	"citywall/asset"
)

// Session is a time in which an account was logged on to a host.
type Session struct {
	Host        int
	User        asset.Account
	From        int   // host it came from, -1 at the machine itself
	T, End      int64 // ns; End 0: no logoff was seen
	ID          uint64
	Interactive bool // console or remote desktop: somebody sat there
}

// Switch is the use of other credentials on a host (4648).
type Switch struct {
	Host         int
	T            int64
	User, Target asset.Account
	Dst          int // -1 unknown
	Session      uint64
}

// Causal answers who was really at the keyboard behind a logon
// (attackpath.md §4.1).
type Causal struct {
	sessions func(host int) []Session // in order of time
	switches map[int][]Switch
	owner    func(host int) asset.Account
	cache    map[int][]Session
}

// NewCausal indexes switches; sessions is asked once per host, when somebody
// moved on from there. owner may be nil.
func NewCausal(sessions func(host int) []Session, switches []Switch, owner func(int) asset.Account) *Causal {
	c := &Causal{sessions: sessions, switches: map[int][]Switch{}, owner: owner, cache: map[int][]Session{}}
	for _, x := range switches {
		c.switches[x.Host] = append(c.switches[x.Host], x)
	}
	for _, l := range c.switches {
		slices.SortFunc(l, func(a, b Switch) int {
			return cmp.Or(cmp.Compare(a.T, b.T), cmp.Compare(a.Target.String(), b.Target.String()), cmp.Compare(a.User.String(), b.User.String()), cmp.Compare(a.Dst, b.Dst), cmp.Compare(a.Session, b.Session))
		})
	}
	return c
}

func (c *Causal) on(host int) []Session {
	l, ok := c.cache[host]
	if !ok {
		l = slices.Clone(c.sessions(host))
		slices.SortFunc(l, func(a, b Session) int {
			return cmp.Or(cmp.Compare(a.T, b.T), cmp.Compare(a.User.String(), b.User.String()), cmp.Compare(a.From, b.From), cmp.Compare(a.End, b.End), cmp.Compare(a.ID, b.ID))
		})
		c.cache[host] = l
	}
	return l
}

// Origin is who was behind a logon.
type Origin struct {
	User       asset.Account // at the keyboard; zero: cannot be told
	Host       int           // where
	Switch     bool          // another account than the logon's
	Clear      bool          // exactly one candidate
	Candidates int
	How        string // "credential_record", "session", "recent_logon", "owner"
	forked     bool   // the account sat there twice, come from two places
}

const (
	window = int64(24 * time.Hour) // how long a session without a logoff may matter
	walk   = 8                     // hosts walked back
)

// Same reports whether two forms may name one account: the same name, and
// domains that do not contradict each other.
func Same(a, b asset.Account) bool {
	return a.Name == b.Name && (a.Domain == b.Domain || a.Domain == "" || b.Domain == "")
}

// Of returns who was behind a logon as user from host a to host b at t, walking
// back until nobody came from elsewhere.
func (c *Causal) Of(t int64, user asset.Account, a, b int) Origin {
	o := Origin{Host: a}
	seen, forked := map[int]bool{b: true}, false
	for range walk {
		if seen[a] {
			break
		}
		seen[a] = true
		step, from := c.step(t, user, a, b)
		if step.User.IsZero() {
			break
		}
		forked = forked || step.forked
		if o.User.IsZero() || step.Switch {
			o.Clear, o.Candidates, o.How = step.Clear && !forked, step.Candidates, step.How
		}
		o.User, o.Host = step.User, a
		o.Switch = o.Switch || step.Switch
		if from.From < 0 {
			break
		}
		t, user, b, a = from.T, step.User, a, from.From
	}
	return o
}

// step finds the session on a from which a logon to b was made, in the order:
// 4648 naming user and b, an interactive session, the latest.
func (c *Causal) step(t int64, user asset.Account, a, b int) (Origin, Session) {
	open, recent := []Session(nil), []Session(nil)
	for _, s := range c.on(a) {
		if s.T > t || t-s.T > window && (s.End == 0 || s.End < t) || s.User.Machine {
			continue
		}
		if s.End != 0 && s.End < t {
			if t-s.End <= window {
				recent = append(recent, s)
			}
			continue
		}
		open = append(open, s)
	}
	pool, how := open, "session"
	if len(pool) == 0 {
		pool, how = recent, "recent_logon"
	}
	for _, x := range c.switches[a] {
		if t-x.T < -int64(time.Minute) || t-x.T > int64(5*time.Minute) || !Same(x.Target, user) || x.Dst >= 0 && x.Dst != b || x.User.IsZero() || x.User.Machine {
			continue
		}
		from := Session{Host: a, From: -1}
		for _, s := range pool {
			if Same(s.User, x.User) && (from.ID == 0 || from.ID != x.Session) { // the latest, unless the record names one
				from = s
			}
		}
		return Origin{User: x.User, Switch: !Same(x.User, user), Clear: true, Candidates: 1, How: "credential_record"}, from
	}
	if len(pool) == 0 {
		if c.owner != nil {
			if u := c.owner(a); !u.IsZero() {
				return Origin{User: u, Switch: !Same(u, user), Candidates: 1, How: "owner"}, Session{From: -1}
			}
		}
		return Origin{}, Session{From: -1}
	}
	users := map[string]bool{}
	best := pool[0]
	better := func(x, y Session) bool { // x over y: same account, interactive, later
		if s, o := Same(x.User, user), Same(y.User, user); s != o {
			return s
		}
		if x.Interactive != y.Interactive {
			return x.Interactive
		}
		return x.T > y.T
	}
	for _, s := range pool {
		users[s.User.Name] = true
		if better(s, best) {
			best = s
		}
	}
	forked := false
	for _, s := range pool {
		forked = forked || s.Interactive && best.Interactive && Same(s.User, best.User) && s.From != best.From
	}
	return Origin{User: best.User, Switch: !Same(best.User, user), Clear: len(users) == 1 && !forked, Candidates: len(users), How: how, forked: forked}, best
}
