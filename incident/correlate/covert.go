// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"citywall/asset"
	"citywall/incident"
	"citywall/incident/fact"
)

// covert is something that went on under everybody's eyes without one record
// that says what it was: a stream of equal alerts that two machines reported at
// once, or a service that was changed on a server without anybody there.
type covert struct {
	host        int   // whose it was
	through     int   // the resolver it went through, -1 unknown
	first, last int64 // first is 0 when no beginning can be named
	rows        int64
	grade       incident.Grade
	reasons     []incident.Reason
	evidence    []fact.At
	ids         []string
	signs       []sign
}

// Tags of Citywall's own rules that correlation reads (rules/alerts).
const (
	tagResolver    = "dns-log"        // from the log of a resolver: the host resolves names for others
	tagEntropy     = "dns-entropy"    // a name that looks like data
	tagNovelty     = "dns-novelty"    // a client or name never seen there
	tagQuery       = "dns-query"      // a sensor saw a question for an odd domain
	tagService     = "service-change" // a service started or stopped in a way never seen
	tagSession     = "session"        // somebody logged on or off
	tagMaintenance = "maintenance"    // package management and the like
)

// hidden looks for both.
func (a *analysis) hidden() {
	resolvers := map[int]bool{}
	for h, l := range a.signs {
		for i := range l {
			if l[i].tagged(tagResolver) {
				resolvers[h] = true
			}
		}
	}
	streams := a.streams(resolvers)
	changes := a.unexplained(resolvers)
	for _, c := range changes {
		merged := false
		for i := range streams {
			s := &streams[i]
			if s.host == c.host && c.last >= s.first && c.last-s.last <= int64(5*time.Minute) {
				s.reasons = append(s.reasons, c.reasons...)
				s.last, s.rows = max(s.last, c.last), s.rows+c.rows
				s.evidence, s.ids, s.signs = append(s.evidence, c.evidence...), append(s.ids, c.ids...), append(s.signs, c.signs...)
				merged = true
			}
		}
		if !merged {
			streams = append(streams, c)
		}
	}
	a.covert = streams
}

// streams finds equal alerts of two machines that begin together, number the
// same and go on without a pause: one traffic, seen at its source and at the
// resolver it passes.
func (a *analysis) streams(resolvers map[int]bool) []covert {
	type at struct {
		host int
		s    *sign
	}
	by := map[string][]at{}
	for _, h := range slices.Sorted(maps.Keys(a.signs)) {
		for i := range a.signs[h] {
			s := &a.signs[h][i]
			if s.tagged(tagQuery) && s.rows >= 100 && s.last-s.t >= int64(time.Hour) && s.steady() {
				by[s.rule] = append(by[s.rule], at{h, s})
			}
		}
	}
	var out []covert
	for _, rule := range slices.Sorted(maps.Keys(by)) {
		for _, x := range by[rule] {
			for _, y := range by[rule] {
				if x.host == y.host || resolvers[x.host] || !resolvers[y.host] || abs(x.s.t-y.s.t) > 2e9 || !alike(x.s.rows, y.s.rows) {
					continue
				}
				out = append(out, covert{
					host: x.host, through: y.host, first: min(x.s.t, y.s.t), last: x.s.last, rows: x.s.rows, grade: incident.Observed, ids: x.s.ids,
					evidence: append(slices.Clone(x.s.evidence), y.s.evidence...), signs: []sign{*x.s},
					reasons: []incident.Reason{{Code: incident.SteadyStream, Args: map[string]string{
						"alert": x.s.what, "rows": itoa(x.s.rows), "minutes": itoa(x.s.minutes), "first": stamp(x.s.t), "last": stamp(x.s.last), "also_at": a.hosts.List[y.host].Key,
					}}},
				})
			}
		}
	}
	return out
}

// steady reports a burst that fills at least four in five of its minutes.
func (s *sign) steady() bool {
	return float64(s.minutes) >= 0.8*float64(s.last-s.t)/float64(time.Minute)
}

func alike(a, b int64) bool { return a <= b+b/20 && b <= a+a/20 }

func abs(x int64) int64 { return max(x, -x) }

// unexplained finds services that were changed once, alone, on a machine where
// nobody was logged on, outside maintenance, after the first day that detectors
// of novelty need to learn.
func (a *analysis) unexplained(resolvers map[int]bool) []covert {
	var all []sign
	for _, h := range slices.Sorted(maps.Keys(a.signs)) {
		for _, s := range a.signs[h] {
			if s.tagged(tagService) {
				all = append(all, s)
			}
		}
	}
	var out []covert
	for _, s := range all {
		if s.rows > 4 || s.t-a.first < dayNS || resolvers[s.host] || a.onTheClock(s.t) || a.inCompany(s, all) || a.presence(s.host, s.t) {
			continue
		}
		c := covert{host: s.host, through: -1, last: s.last, rows: s.rows, grade: incident.Assumed, evidence: s.evidence, ids: s.ids, signs: []sign{s}}
		c.reasons = []incident.Reason{{Code: incident.ServiceUnexplained, Args: map[string]string{"time": stamp(s.t), "alert": s.what}}}
		a.throughResolver(&c, resolvers)
		if c.through < 0 {
			continue // nothing shows what the service did
		}
		out = append(out, c)
	}
	return out
}

// onTheClock reports midnight of UTC or of the local zone: timers.
func (a *analysis) onTheClock(t int64) bool {
	_, off := time.Unix(0, t).In(a.cfg.zone).Zone()
	for _, x := range []int64{t, t + int64(off)*1e9} {
		if d := x % dayNS; d <= int64(2*time.Minute) || d >= dayNS-int64(time.Minute) {
			return true
		}
	}
	return false
}

// inCompany reports that other machines did the same at that moment, or at
// that time of day on another day: a roll-out, a maintenance window.
func (a *analysis) inCompany(s sign, all []sign) bool {
	now, window := map[int]bool{}, map[int]bool{}
	for _, o := range all {
		if o.host == s.host {
			continue
		}
		d := abs(o.t - s.t)
		if d <= int64(5*time.Minute) {
			now[o.host] = true
		}
		if d > int64(12*time.Hour) {
			tod := abs(o.t%dayNS - s.t%dayNS)
			if min(tod, dayNS-tod) <= int64(30*time.Minute) {
				window[o.host] = true
			}
		}
	}
	return len(now) >= 2 || len(window) >= 2
}

// presence reports that somebody logged on or off the host within minutes, or
// that packages were being installed.
func (a *analysis) presence(h int, t int64) bool {
	for i := range a.signs[h] {
		s := &a.signs[h][i]
		near := func(d time.Duration) bool { return s.t <= t+int64(d) && s.last >= t-int64(d) }
		if s.tagged(tagSession) && near(2*time.Minute) || s.tagged(tagMaintenance) && near(10*time.Minute) {
			return true
		}
	}
	return false
}

// throughResolver names the resolver that the host's questions pass, when
// resolvers report oddities: the one that most often reports the host's own
// traffic at the same second, because it lies on its way out.
func (a *analysis) throughResolver(c *covert, resolvers map[int]bool) {
	best, most := -1, 0
	for _, r := range slices.Sorted(maps.Keys(resolvers)) {
		n, odd := 0, false
		for i := range a.signs[r] {
			s := &a.signs[r][i]
			odd = odd || s.tagged(tagResolver) && s.t < c.last
			for k := range a.signs[c.host] {
				if h := &a.signs[c.host][k]; h.rule == s.rule && abs(h.t-s.t) <= 2e9 {
					n++
				}
			}
		}
		if odd && n > most {
			best, most = r, n
		}
	}
	if best < 0 {
		return
	}
	c.through = best
	c.reasons = append(c.reasons, incident.Reason{Code: incident.OnTheWayOut, Args: map[string]string{"resolver": a.hosts.List[best].Key, "times": itoa(int64(most))}})
	if t, ids, at := a.atTheBeginning(best, resolvers); t != 0 {
		c.first, c.ids, c.evidence = t, append(ids, c.ids...), append(at, c.evidence...)
		c.reasons = append(c.reasons, incident.Reason{Code: incident.OddNamesFromStart, Args: map[string]string{
			"time": stamp(t), "resolver": a.hosts.List[best].Key, "after_s": decimal(round(float64(t-a.first)/1e9, 1)),
		}})
		a.keepCovertSigns(c, best, t)
	}
}

// nearStart is how soon after the logs begin something must show to count as
// being there already.
const nearStart = int64(time.Minute)

// atTheBeginning finds names that look like data passing this resolver and
// another one within a second or two, when the logs have hardly begun.
func (a *analysis) atTheBeginning(r int, resolvers map[int]bool) (int64, []string, []fact.At) {
	for i := range a.signs[r] {
		x := &a.signs[r][i]
		if !x.tagged(tagNovelty) && !x.tagged(tagEntropy) || x.t-a.first > nearStart {
			continue
		}
		for _, o := range slices.Sorted(maps.Keys(resolvers)) {
			if o == r {
				continue
			}
			for k := range a.signs[o] {
				if y := &a.signs[o][k]; abs(x.t-y.t) <= 2e9 && (x.tagged(tagEntropy) || y.tagged(tagEntropy)) {
					return min(x.t, y.t), x.ids, x.evidence
				}
			}
		}
	}
	return 0, nil, nil
}

func (a *analysis) keepCovertSigns(c *covert, r int, t int64) {
	for i := range a.signs[r] {
		if s := a.signs[r][i]; s.tagged(tagNovelty) && abs(s.t-t) <= 2e9 {
			// The burst goes on with other clients; only its beginning is meant.
			s.rows, s.last = 0, s.t
			for _, e := range s.evidence {
				if abs(e.T-t) <= 2e9 {
					s.rows++
				}
			}
			c.signs = append(c.signs, s)
		}
	}
	slices.SortStableFunc(c.signs, func(x, y sign) int { return cmp.Compare(x.t, y.t) })
}

// resolverRole marks resolvers that only alerts show.
func (a *analysis) resolverRole(h int) []asset.Role {
	roles := slices.Clone(a.hosts.List[h].Roles)
	for i := range a.signs[h] {
		if a.signs[h][i].tagged(tagResolver) && !slices.Contains(roles, asset.RoleDNS) {
			roles = append(roles, asset.RoleDNS)
			break
		}
	}
	slices.Sort(roles)
	return roles
}
