// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"citywall/asset"
	"citywall/detect"
	"citywall/incident"
	"citywall/incident/fact"
	"citywall/incident/patientzero"
)

// incidents writes every thread down, and says of each pair why it is two.
func (a *analysis) incidents() []incident.Incident {
	out := make([]incident.Incident, 0, len(a.threads))
	for _, t := range a.threads {
		out = append(out, a.incident(t))
	}
	for i := range out {
		for k := range out {
			if i != k {
				out[i].SeparateFrom = append(out[i].SeparateFrom, incident.Separation{Incident: out[k].ID, Reason: incident.Reason{
					Code: incident.DisjointPaths, Args: map[string]string{"root": a.hosts.List[a.threads[i].root].Key, "other": a.hosts.List[a.threads[k].root].Key},
				}})
			}
		}
	}
	slices.SortStableFunc(out, func(x, y incident.Incident) int {
		return cmp.Or(cmp.Compare(y.Severity, x.Severity), x.First.Compare(y.First), strings.Compare(x.ID, y.ID))
	})
	return out
}

// namespace of incident ids (UUIDv5).
var namespace = uuid.MustParse("8f0c7a52-6c0e-5b8e-9d3b-2a4f3c1e7d60")

func (a *analysis) incident(t *thread) incident.Incident {
	in := incident.Incident{
		Realm: a.st.Realm(), BaselineDays: float64(a.history.days), Parameters: a.cfg.shown, SeparateFrom: []incident.Separation{}, Findings: []string{}, Agencies: []string{},
	}
	in.Hops = a.hops(t)
	for i := range in.Hops { // what all clocks together may be wrong by; the order stands
		in.Hops[i].Uncertainty += a.clocks.Doubt()
	}
	in.Steps = a.steps(t)
	in.FirstCompromise, in.Entry = a.firstCompromise(t)
	in.Hosts = a.hostStates(t, in.Hops, in.Steps)
	in.Accounts = a.accounts(t, in.Hops)
	in.Suspicious = a.suspects(t, in.Hops)
	in.Breakpoints = a.breakpoints(t, &in)
	in.Alternatives = a.alternatives(t)
	in.Severity, in.SeverityReasons = a.severity(t, &in)
	in.Title = a.title(t, &in)
	in.First = at(cmp.Or(t.began, a.end(t)))
	in.Last = at(a.end(t))
	for _, s := range in.Steps {
		in.Findings = append(in.Findings, s.Findings...)
		if attempt(s.Step) && s.Time.Before(in.First) {
			continue
		}
		in.Last = later(in.Last, s.Last)
	}
	for _, h := range in.Hops {
		in.Last = later(in.Last, h.Last)
		if h.Time.Before(in.First) {
			in.First = h.Time
		}
	}
	slices.Sort(in.Findings)
	in.Findings = slices.Compact(in.Findings)
	for _, h := range in.Hosts {
		if h.Compromised && h.Agency != "" && !slices.Contains(in.Agencies, h.Agency) {
			in.Agencies = append(in.Agencies, h.Agency)
		}
	}
	slices.Sort(in.Agencies)
	in.ID = uuid.NewSHA1(namespace, []byte(string(in.Realm)+"|"+a.hosts.List[t.root].Key+"|"+a.birth(t, &in))).String()
	return in
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// birth is the event that an incident is named after: the earliest evidence of
// its first compromise.
func (a *analysis) birth(t *thread, in *incident.Incident) string {
	if f := in.FirstCompromise; f != nil && len(f.Evidence) > 0 {
		return f.Evidence[0].Event.String()
	}
	return stamp(t.began)
}

// relevant are the signs of a host that belong to the thread: attempts before
// it fell, and everything of weight from then on.
func (a *analysis) relevant(t *thread, h int, end int64) []*sign {
	since, ok := t.comp[h]
	if !ok {
		return nil
	}
	var out []*sign
	for i := range a.signs[h] {
		s := &a.signs[h][i]
		switch {
		case s.level == detect.Informational || s.step == detect.StepOther || s.observer != "" || a.background(s):
		case s.last < since && (!tried(s) || since-s.last > int64(a.cfg.p.Attempt)):
		case s.t > end+int64(time.Hour):
		default:
			out = append(out, s)
		}
	}
	return out
}

// tried are steps that go before a success.
func tried(s *sign) bool { return s.step == detect.StepRecon || s.step == detect.StepCredential }

// background are alerts that mean something only together with others.
func (a *analysis) background(s *sign) bool {
	return s.tagged(tagService) || s.tagged(tagResolver) || s.tagged(tagQuery) || s.tagged(tagSession) || s.tagged(tagMaintenance)
}

func (a *analysis) steps(t *thread) []incident.StepEvent {
	if t.covert != nil {
		out := []incident.StepEvent{}
		for i := range t.covert.signs {
			s := &t.covert.signs[i]
			e := a.stepOf(s)
			if s.tagged(tagService) {
				e.Step, e.Technique = detect.StepPersist, cmp.Or(e.Technique, "T1543.002")
			}
			out = append(out, e)
		}
		return out
	}
	end := a.end(t)
	out := []incident.StepEvent{}
	var hosts []int
	for _, h := range slices.Sorted(maps.Keys(t.comp)) {
		hosts = append(hosts, h)
		for _, s := range a.relevant(t, h, end) {
			out = append(out, a.stepOf(s))
		}
	}
	out = append(out, a.campaign(t)...)
	out = append(out, a.watched(t, hosts, end)...)
	slices.SortStableFunc(out, func(x, y incident.StepEvent) int {
		return cmp.Or(x.Time.Compare(y.Time), strings.Compare(x.Host, y.Host), strings.Compare(x.What, y.What))
	})
	return out
}

func (a *analysis) stepOf(s *sign) incident.StepEvent {
	e := incident.StepEvent{
		Time: at(s.t), Last: at(s.last), Host: a.hosts.List[s.host].Key, Step: s.step, What: s.what, Technique: s.technique, Rows: int(s.rows),
		Findings: append([]string{}, s.ids...), Evidence: a.pointers(s.evidence), Grade: incident.Observed, Reasons: s.reasons,
	}
	if s.inferred {
		e.Grade = incident.Inferred
	}
	return e
}

// campaign are attempts on other machines of ours in the hours before the first
// fell: the same search, without success.
func (a *analysis) campaign(t *thread) []incident.StepEvent {
	var first int64
	for i := range a.signs[t.root] {
		s := &a.signs[t.root][i]
		if s.step == detect.StepRecon && s.t <= t.began && t.began-s.last <= int64(a.cfg.p.Attempt) && (first == 0 || s.t < first) {
			first = s.t
		}
	}
	if first == 0 {
		return nil
	}
	var out []incident.StepEvent
	for _, h := range slices.Sorted(maps.Keys(a.signs)) {
		if _, ok := t.comp[h]; ok || a.hosts.List[h].External {
			continue
		}
		for i := range a.signs[h] {
			s := &a.signs[h][i]
			if s.step == detect.StepRecon && s.level >= detect.Low && s.observer == "" && s.t >= first-int64(time.Hour) && s.t <= t.began {
				out = append(out, a.stepOf(s))
			}
		}
	}
	return out
}

// watched are reports of observers while the thread ran. The observer is not
// the subject; where only one machine is in question, the step is told of that.
func (a *analysis) watched(t *thread, hosts []int, end int64) []incident.StepEvent {
	if len(hosts) != 1 || t.anomaly {
		return nil
	}
	h := hosts[0]
	until := end
	for i := range a.signs[h] { // up to the privileges that the cracking was for
		if s := &a.signs[h][i]; s.step == detect.StepPrivilege && s.t >= t.comp[h] {
			until = s.t
			break
		}
	}
	var out []incident.StepEvent
	for _, o := range slices.Sorted(maps.Keys(a.signs)) {
		for i := range a.signs[o] {
			s := &a.signs[o][i]
			if s.observer == "" || s.level == detect.Informational || s.t < t.comp[h] || s.t > until {
				continue
			}
			e := a.stepOf(s)
			e.Host, e.Observer, e.Grade = a.hosts.List[h].Key, s.observer, incident.Inferred
			e.Reasons = append(slices.Clone(e.Reasons), incident.Reason{Code: incident.AttributedTo, Args: map[string]string{"host": e.Host, "by": s.observer}})
			out = append(out, e)
		}
	}
	return out
}

// firstCompromise asks patientzero with what is known of the root.
func (a *analysis) firstCompromise(t *thread) (*incident.FirstCompromise, incident.Entry) {
	x := &a.hosts.List[t.root]
	f := patientzero.Facts{Host: x.Key, Addr: x.Addr(), LogsBegin: at(a.logsBegin(t.root)), Quiet: a.cfg.p.KnownGood}
	if c := t.covert; c != nil {
		f.FirstBad, f.Evidence = at(cmp.Or(c.first, c.last)), a.pointers(c.evidence)
		f.Bad = incident.Reason{Code: incident.FirstBadRecord, Args: map[string]string{"what": c.signs[0].what}}
		f.Stopped = c.first == 0
		fc := patientzero.Interval(f)
		return &fc, patientzero.Entry(patientzero.Way{NoSource: true})
	}
	w := patientzero.Way{NoSource: a.noSources(t)}
	f.FirstBad = at(t.began)
	f.Surely = at(a.surelyBegan(t))
	same := t.began // the earliest visit that may have been his
	for _, i := range t.entries {
		if a.moves[i].To != t.root || a.moves[i].T > t.began+a.moves[i].Unc {
			continue
		}
		v := &a.via[i]
		w.Kind, w.From, w.Port, w.Technique, w.Grade = v.kind, a.hosts.List[a.moves[i].From].Key, v.port, technique(v, true), v.grade
		if v.tunnel >= 0 {
			n := &a.tunnels[v.tunnel]
			w.Kind, w.From, w.Account, w.Technique = "vpn", a.hosts.List[n.outer].Key, n.user.String(), "T1133"
			f.Attempts = n.fails
		}
		if !v.user.IsZero() && w.Account == "" {
			w.Account = v.user.String()
		}
		if first, open := a.cameBefore(t, i); first != 0 {
			same = first
			f.SameWay, f.SameWayOpen = at(first), open
		}
		f.Evidence = a.pointers(v.evidence)
		f.Bad = incident.Reason{Code: incident.FirstBadMove, Args: map[string]string{"kind": v.kind, "from": w.From}}
		break
	}
	first := a.firstSignOf(t)
	if first != nil && (w.Kind == "" || f.FirstBad.IsZero()) {
		f.Evidence = a.pointers(first.evidence)
		f.Bad = incident.Reason{Code: incident.FirstBadSign, Args: map[string]string{"what": first.what, "step": string(first.step)}}
		w.Finding, w.FindTech = first.what, first.technique
	}
	if s := a.cameBy(t); s != nil && (w.Kind == "" || w.Kind == "c2") {
		w.Kind, w.Finding, w.FindTech, w.Loose = "", s.what, s.technique, abs(s.t-t.began) > int64(a.cfg.p.After)
	}
	f.AttemptFirst, f.Attempts = a.attemptsBefore(t, f.Attempts)
	if last := a.lastGood(t, same); last != 0 {
		f.LastGood = at(last)
	}
	f.Seen = w.Kind != "" && w.Kind != "c2" && w.Grade != incident.Assumed
	if !f.Seen {
		f.OrdinaryDay = at(a.ordinaryDay(t))
	}
	fc := patientzero.Interval(f)
	if unc := a.beganUnc(t, first) + int64(a.clocks.Doubt()); unc >= int64(500*time.Millisecond) {
		fc.Latest = fc.Latest.Add(time.Duration(unc)) // both ends are known no better
		if !fc.LowerOpen {
			fc.Earliest = fc.Earliest.Add(-time.Duration(unc))
		}
	}
	return &fc, patientzero.Entry(w)
}

// beganUnc is the uncertainty of the first bad moment.
func (a *analysis) beganUnc(t *thread, first *sign) int64 {
	for _, i := range t.entries {
		if a.moves[i].To == t.root && a.moves[i].T == t.began {
			return a.moves[i].Unc
		}
	}
	if first != nil {
		_, unc := a.clocks.Fix(first.sensor)
		return unc
	}
	return 0
}

// ordinaryDay is the end of the last whole local day, patientzero.Margin before
// the thread began, on which the root wrote or was seen and showed no sign that
// is not usual here; 0 when there is none since the logs begin.
func (a *analysis) ordinaryDay(t *thread) int64 {
	_, off := time.Unix(0, t.began).In(a.cfg.zone).Zone()
	midnight := a.day(t.began-int64(patientzero.Margin))*dayNS - int64(off)*1e9
	for begin := a.logsBegin(t.root); midnight-dayNS >= begin; midnight -= dayNS {
		ordinary, seen := true, false
		for i := range a.signs[t.root] {
			s := &a.signs[t.root][i]
			if s.t < midnight && s.last >= midnight-dayNS && s.observer == "" {
				seen = true
				ordinary = ordinary && (s.weight < 1 || a.background(s) || a.usual(s))
			}
		}
		for _, c := range a.contacts {
			seen = seen || (c.src == t.root || c.dst == t.root) && c.first < midnight && c.last >= midnight-dayNS
		}
		if ordinary && seen {
			return midnight
		}
	}
	return 0
}

func (a *analysis) firstSignOf(t *thread) *sign {
	for i := range a.signs[t.root] {
		s := &a.signs[t.root][i]
		if s.t >= t.began && !attempt(s.step) && s.weight >= 1 && s.observer == "" && !a.background(s) {
			return s
		}
	}
	return nil
}

// cameBy is the sign on the root, of whatever level, that says how somebody came
// in without a connection: the nearest to the beginning, within Params.Attempt
// before it and Params.After after it.
func (a *analysis) cameBy(t *thread) *sign {
	var best *sign
	for i := range a.signs[t.root] {
		s := &a.signs[t.root][i]
		if s.observer != "" || !patientzero.Names(s.technique) || t.began-s.t > int64(a.cfg.p.Attempt) || s.t-t.began > int64(a.cfg.p.After) {
			continue
		}
		if best == nil || abs(s.t-t.began) < abs(best.t-t.began) {
			best = s
		}
	}
	return best
}

// noSources reports that nothing names who calls: the records tell of machines
// only.
func (a *analysis) noSources(t *thread) bool {
	for _, c := range a.contacts {
		if c.dst == t.root || c.src == t.root {
			return false
		}
	}
	return true
}

// attemptsBefore finds when somebody began to try, in the hours before the
// first host fell.
func (a *analysis) attemptsBefore(t *thread, n int) (time.Time, int) {
	first := int64(0)
	for i := range a.signs[t.root] {
		s := &a.signs[t.root][i]
		if tried(s) && s.t < t.began && t.began-s.last <= int64(a.cfg.p.Attempt) {
			n += int(s.rows)
			if first == 0 || s.t < first {
				first = s.t
			}
		}
	}
	return at(first), n
}

// lastGood is the last ordinary record of the root before anything that may have
// been he, and not of the same minutes: what looks ordinary just before the first
// bad record may already be part of it.
func (a *analysis) lastGood(t *thread, began int64) int64 {
	best, until := int64(0), began-int64(a.cfg.p.After)
	for _, c := range a.contacts {
		if c.first >= began || c.src != t.root && c.dst != t.root || c.refused {
			continue
		}
		for _, x := range c.times() {
			if x < until {
				best = max(best, x)
			}
		}
	}
	for i := range a.signs[t.root] {
		if s := &a.signs[t.root][i]; s.last < until && !tried(s) {
			best = max(best, s.last)
		}
	}
	return best
}

// logsBegin is when the sources that see a host began.
func (a *analysis) logsBegin(h int) int64 {
	best := int64(0)
	take := func(id fact.ID) {
		s, ok := a.st.SourceOf(id)
		if !ok {
			return
		}
		shift, _ := a.clocks.Fix(id)
		if f := s.First - shift; best == 0 || f < best {
			best = f
		}
	}
	for _, c := range a.contacts {
		if c.src == h || c.dst == h {
			for _, s := range c.sensors() {
				take(s)
			}
		}
	}
	for i := range a.signs[h] {
		take(a.signs[h][i].sensor)
	}
	return cmp.Or(best, a.first)
}

// alternatives writes the next best paths as hops.
func (a *analysis) alternatives(t *thread) [][]incident.Hop {
	var out [][]incident.Hop
	for _, p := range t.others {
		var hs []incident.Hop
		for n, i := range p {
			h := a.hopOf(i, a.moves[i].T)
			h.N = n + 1
			hs = append(hs, h)
		}
		out = append(out, hs)
	}
	return out
}

func (a *analysis) title(t *thread, in *incident.Incident) incident.Reason {
	n := 0
	steps := map[detect.Step]bool{}
	for _, h := range in.Hosts {
		if h.Compromised {
			n++
		}
	}
	for _, s := range in.Steps {
		steps[s.Step] = true
	}
	var bytes int64
	control := false
	for _, h := range in.Hops {
		if h.Kind == "exfiltration" {
			bytes += h.BytesOut
		}
		control = control || h.Kind == "c2"
	}
	r := incident.Reason{Args: map[string]string{"hosts": itoa(int64(n)), "host": a.hosts.List[t.root].Key}}
	switch {
	case t.covert != nil:
		r.Code = incident.TitleCovert
		r.Args["through"] = ""
		if t.covert.through >= 0 {
			r.Args["through"] = a.hosts.List[t.covert.through].Key
		}
	case steps[detect.StepEncrypt] || steps[detect.StepNote]:
		r.Code = incident.TitleRansomware
	case steps[detect.StepInhibit]:
		r.Code = incident.TitleDestroyed
	case bytes > 0:
		r.Code = incident.TitleTheft
		r.Args["bytes"] = itoa(bytes)
	case n > 1:
		r.Code = incident.TitleSpread
	case steps[detect.StepWebShell]:
		r.Code = incident.TitleWebShell
	case control:
		r.Code = incident.TitleControl
	default:
		r.Code = incident.TitleIntrusion
	}
	return r
}

// fullNames are the accounts that occur with exactly one domain: a firewall
// writes the same user without it.
func fullNames(hops []incident.Hop) map[string]asset.Account {
	out := map[string]asset.Account{}
	for _, h := range hops {
		for _, u := range []asset.Account{h.User, h.Causal} {
			if u.Domain == "" {
				continue
			}
			if old, ok := out[u.Name]; ok && old != u {
				u = asset.Account{Name: u.Name} // several: cannot be told
			}
			out[u.Name] = u
		}
	}
	for n, u := range out {
		if u.Domain == "" {
			delete(out, n)
		}
	}
	return out
}

// accounts are those used on the way.
func (a *analysis) accounts(t *thread, hops []incident.Hop) []incident.AccountState {
	by := map[asset.Account]*incident.AccountState{}
	whole := fullNames(hops)
	note := func(u asset.Account, h incident.Hop, r incident.Reason, used bool) {
		if u.IsZero() || u.Machine {
			return
		}
		if u.Domain == "" && whole[u.Name] != (asset.Account{}) {
			u = whole[u.Name]
		}
		s := by[u]
		if s == nil {
			s = &incident.AccountState{Account: u, First: h.Time, Hosts: []string{}, Reasons: []incident.Reason{}}
			by[u] = s
		}
		if h.Time.Before(s.First) {
			s.First = h.Time
		}
		if k := h.Dst.Key(); used && !slices.Contains(s.Hosts, k) {
			s.Hosts = append(s.Hosts, k)
		}
		s.Compromised = s.Compromised || used
		for _, x := range h.Reasons {
			s.Privileged = s.Privileged || used && x.Code == incident.Privileged
		}
		if len(s.Reasons) < 8 {
			s.Reasons = append(s.Reasons, r)
		}
	}
	for _, h := range hops {
		n := itoa(int64(h.N))
		note(h.User, h, incident.Reason{Code: incident.UsedOnHop, Args: map[string]string{"hop": n, "kind": h.Kind, "dst": h.Dst.Key()}}, true)
		if h.Causal != h.User {
			note(h.Causal, h, incident.Reason{Code: incident.AtKeyboard, Args: map[string]string{"hop": n}}, false)
		}
	}
	out := make([]incident.AccountState, 0, len(by))
	for _, u := range slices.SortedFunc(maps.Keys(by), func(x, y asset.Account) int {
		return cmp.Or(by[x].First.Compare(by[y].First), strings.Compare(x.String(), y.String()))
	}) {
		slices.Sort(by[u].Hosts)
		out = append(out, *by[u])
	}
	return out
}
