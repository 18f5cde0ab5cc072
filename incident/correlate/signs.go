// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"slices"

	"citywall/asset"
	"citywall/detect"
	"citywall/incident"
	"citywall/incident/fact"
)

// sign is a finding, or a flood of them, read as a step on a host.
type sign struct {
	host       int
	t, last    int64
	step       detect.Step
	level      detect.Level
	weight     float64
	what       string
	rule       string
	technique  string
	rows       int64
	minutes    int64 // in which it fired
	dense      int64 // end of the last minute that was a flood
	compromise bool
	anchor     bool
	inferred   bool // made a compromise by what stands around it
	peer       int  // other end when the finding names one, -1 none
	src, dst   int  // as the finding names them, -1 none
	port       uint16
	user       asset.Account
	sess       uint64 // session in which it was done, 0 unknown
	ids        []string
	evidence   []fact.At
	tags       []string
	mark       string // what joins hosts that one hand encrypted: extension and day
	sensor     fact.ID
	observer   string // who saw it, when that is another machine
	reasons    []incident.Reason
}

func (s *sign) tagged(name string) bool { return slices.Contains(s.tags, "citywall."+name) }

// weightOf is what a finding of a level counts for.
func weightOf(l detect.Level) float64 {
	switch l {
	case detect.Low:
		return 0.5
	case detect.Medium:
		return 1
	case detect.High:
		return 2
	case detect.Critical:
		return 3
	}
	return 0
}

// attempt reports steps that tell of trying, not of success.
func attempt(s detect.Step) bool { return s == detect.StepRecon || s == detect.StepOther }

// judge reads findings as signs of hosts, adds the detectors that need counts
// instead of records, and reads weak signs in their course.
func (a *analysis) judge() {
	for i := range a.bursts {
		a.read(&a.bursts[i])
	}
	a.renames()
	for h, l := range a.signs {
		sortSigns(l)
		a.signs[h] = l
	}
	a.courses()
}

func sortSigns(l []sign) {
	slices.SortStableFunc(l, func(x, y sign) int {
		return cmp.Or(cmp.Compare(x.t, y.t), cmp.Compare(x.rule, y.rule), cmp.Compare(x.peer, y.peer), cmp.Compare(x.port, y.port))
	})
}

// read turns a burst into a sign of its subject.
func (a *analysis) read(b *fact.Burst) {
	of := func(n fact.Node) int {
		if n.IsZero() {
			return -1
		}
		id, ok := a.st.NodeID(n)
		if ok && a.st.Pool(id) { // seen from beyond: who it was, the device knows
			dst, _ := a.st.NodeID(b.Dst)
			id, _ = a.st.Inner(id, b.SPort, dst, b.First, int64(a.cfg.c.MaxSkew))
		}
		if !ok || id == 0 {
			return -1
		}
		return a.hosts.Of(id, b.First)
	}
	s := sign{
		host: of(b.Host), t: b.First, last: b.Last, step: b.Meaning.Step, level: b.Rule.Level, weight: weightOf(b.Rule.Level), what: b.Rule.Title, rule: b.Rule.ID + b.Rule.Title,
		technique: b.Meaning.Technique, rows: b.Count, dense: b.Dense, minutes: b.Minutes, compromise: b.Meaning.Compromise, anchor: b.Meaning.Anchor, peer: -1, src: of(b.Src), dst: of(b.Dst), port: b.Port,
		user: a.st.Account(b.User), sess: b.Sess, ids: b.IDs, evidence: b.Earliest, tags: b.Tags, sensor: b.Sensor,
	}
	if s.host < 0 {
		return
	}
	if s.compromise {
		s.weight = max(s.weight, 2)
	}
	subject := b.Meaning.Subject
	if b.Meaning.Observer && (subject == "" || subject == "host") {
		// Somebody watched somebody: whom it was about is not said.
		s.observer, s.compromise, s.anchor = a.hosts.List[s.host].Key, false, false
	}
	for _, e := range []int{s.src, s.dst} {
		if e >= 0 && e != s.host {
			s.peer = e
		}
	}
	if a.hosts.List[s.host].External && s.peer >= 0 && !a.hosts.List[s.peer].External {
		// An outside address is nobody's host; what it did is told of the inside.
		s.host, s.peer = s.peer, s.host
		if attempt(s.step) {
			s.compromise = false
		}
	}
	if s.peer >= 0 {
		a.alertedPair[pair{s.host, s.peer}], a.alertedPair[pair{s.peer, s.host}] = true, true
	}
	a.signs[s.host] = append(a.signs[s.host], s)
}

// renames finds files that took one foreign extension in bulk (attackpath.md
// §4.3): Renames of them within sixty seconds.
func (a *analysis) renames() {
	type key struct {
		host int
		ext  string
	}
	type second struct {
		t, n int64
		at   []fact.At
	}
	all := map[key][]second{}
	for k, f := range a.st.Files {
		h := a.hosts.Of(k.Host, k.Second*1e9)
		if h < 0 {
			continue
		}
		x := key{h, a.st.String(k.Ext)}
		all[x] = append(all[x], second{k.Second, f.Count, f.Earliest})
	}
	for k, l := range all {
		slices.SortFunc(l, func(x, y second) int { return cmp.Compare(x.t, y.t) })
		lo, sum, at := 0, int64(0), -1
		for hi := range l {
			sum += l[hi].n
			for l[hi].t-l[lo].t >= 60 {
				sum -= l[lo].n
				lo++
			}
			if sum >= int64(a.cfg.p.Renames) {
				at = lo
				break
			}
		}
		if at < 0 {
			continue
		}
		shift, _ := a.clocks.FixOf(a.hosts.List[k.host].Name)
		s := sign{
			host: k.host, step: detect.StepEncrypt, level: detect.Critical, weight: 3, what: "Files take one foreign extension in bulk (." + k.ext + ")",
			rule: "citywall.renames", technique: "T1486", compromise: true, anchor: true, peer: -1, src: -1, dst: -1,
			t: l[at].at[0].T - shift, reasons: []incident.Reason{{Code: incident.MassRename, Args: map[string]string{"extension": k.ext}}},
		}
		for _, x := range l[at:] {
			s.rows += x.n
			s.last = x.at[len(x.at)-1].T - shift
			for _, e := range x.at {
				if len(s.evidence) < fact.Pointers {
					s.evidence = append(s.evidence, e)
				}
			}
		}
		s.reasons[0].Args["files"] = itoa(s.rows)
		s.mark = k.ext + "@" + itoa((s.t+dayNS/2)/(3*dayNS)) // a night's work may cross midnight
		a.signs[k.host] = append(a.signs[k.host], s)
	}
}

// courses reads weak signs by what stands before them. A sign of entry after a
// flood of attempts on the same host is their success; a sign while the flood
// still runs is part of it.
func (a *analysis) courses() {
	for _, l := range a.signs {
		for i := range l {
			s := &l[i]
			if s.compromise || s.step != detect.StepWebShell && s.step != detect.StepEntry && s.step != detect.StepExecution || s.observer != "" {
				continue
			}
			var rows int64
			began, ended, still := int64(0), int64(0), false
			for k := range l {
				r := &l[k]
				if r.step != detect.StepRecon || r.t > s.t || s.t-r.last > int64(a.cfg.p.Attempt) {
					continue
				}
				rows += r.rows
				ended = max(ended, min(r.last, s.t))
				if began == 0 || r.t < began {
					began = r.t
				}
				still = still || r.dense > s.t
			}
			if rows < int64(a.cfg.p.Flood) || still {
				continue
			}
			s.compromise, s.inferred = true, true
			s.weight = max(s.weight, 2)
			s.reasons = append(s.reasons, incident.Reason{Code: incident.AttemptsThenSign, Args: map[string]string{
				"attempts": itoa(rows), "began": stamp(began), "ended": stamp(ended),
			}})
		}
	}
}

// bad finds since when each host shows enough to count as under foreign
// control: one sign that says so, or signs of several steps that add up. What
// went before it in one course, and is not usual here, is then read as its
// beginning.
func (a *analysis) bad() {
	a.count()
	for h, l := range a.signs {
		if a.hosts.List[h].External {
			continue
		}
		sortSigns(l)
		for i := range l {
			s := &l[i]
			if s.observer != "" || attempt(s.step) {
				continue
			}
			since, ok := s.t, s.compromise
			if !ok {
				since, ok = a.addsUp(l[:i+1])
			}
			if ok {
				a.setBad(h, a.beginning(l[:i], since))
				break
			}
		}
	}
}

// beginning goes back from a compromise over what preceded it on the host: signs
// that are telling and unusual, none further from the next than Params.Attempt.
func (a *analysis) beginning(l []sign, since int64) int64 {
	for i := len(l) - 1; i >= 0 && since-l[i].t <= int64(a.cfg.p.Attempt); i-- {
		if s := &l[i]; s.t < since && s.weight >= 1 && s.observer == "" && !attempt(s.step) && !a.background(s) && !a.usual(s) {
			since = s.t
		}
	}
	return since
}

// commonHosts is on how many machines that show nothing worse a rule must fire
// to be usual.
const commonHosts = 3

// count notes on which hosts each rule fires, and on which days.
func (a *analysis) count() {
	a.fires = map[string]map[int][]int64{}
	a.lost = map[int]bool{}
	for h, l := range a.signs {
		for i := range l {
			s := &l[i]
			if s.observer != "" {
				continue
			}
			if s.compromise {
				a.lost[h] = true
			}
			by := a.fires[s.rule]
			if by == nil {
				by = map[int][]int64{}
				a.fires[s.rule] = by
			}
			if d := a.day(s.t); !slices.Contains(by[h], d) {
				by[h] = append(by[h], d)
			}
		}
	}
}

// usual reports a rule that fires on several machines that show nothing worse,
// or did so on this one on two earlier days.
func (a *analysis) usual(s *sign) bool {
	n := 0
	for h, days := range a.fires[s.rule] {
		if !a.lost[h] && h != s.host {
			n++
		}
		if h == s.host {
			before := 0
			for _, d := range days {
				if d < a.day(s.t) {
					before++
				}
			}
			if before >= 2 {
				return true
			}
		}
	}
	return n >= commonHosts
}

func (a *analysis) setBad(h int, t int64) {
	if old, ok := a.badSince[h]; !ok || t < old {
		a.badSince[h] = t
	}
}

// addsUp sums the signs of one course that ends with the last of l: each rule
// once, at least two different steps.
func (a *analysis) addsUp(l []sign) (int64, bool) {
	end := l[len(l)-1].t
	rules, steps := map[string]bool{}, map[detect.Step]bool{}
	sum, since := 0.0, int64(0)
	for i := range l {
		s := &l[i]
		if end-s.t > int64(a.cfg.p.Course) || s.observer != "" || attempt(s.step) || rules[s.rule] || s.weight < 1 {
			continue
		}
		rules[s.rule], steps[s.step] = true, true
		w := s.weight
		if s.step == detect.StepDiscovery {
			w /= 2
		}
		if sum += w; since == 0 {
			since = s.t
		}
	}
	return since, sum >= a.cfg.p.Bad && len(steps) >= 2
}
