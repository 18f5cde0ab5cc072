// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"citywall/detect"
	"citywall/incident"
	"citywall/incident/fact"
)

// suspects is the table of addresses worth a question (attackpath.md §6): the
// outside ends of the thread, those who tried, and those who passed on. Volume
// alone puts nobody on it.
func (a *analysis) suspects(t *thread, hops []incident.Hop) []incident.Suspect {
	by := map[int]*incident.Suspect{}
	get := func(h int) *incident.Suspect {
		s := by[h]
		if s == nil {
			s = &incident.Suspect{Addr: a.hosts.List[h].Addr(), Hosts: []string{}, Ports: []uint16{}, Reasons: []incident.Reason{}, Evidence: []incident.Pointer{}}
			by[h] = s
		}
		return s
	}
	why := func(h int, r incident.Reason, ps []incident.Pointer) {
		s := get(h)
		if len(s.Reasons) < 12 && !slices.ContainsFunc(s.Reasons, func(x incident.Reason) bool { return x.Code == r.Code && maps.Equal(x.Args, r.Args) }) {
			s.Reasons = append(s.Reasons, r)
		}
		for _, p := range ps {
			if len(s.Evidence) < evidenceMax && !slices.Contains(s.Evidence, p) {
				s.Evidence = append(s.Evidence, p)
			}
		}
	}
	for _, x := range hops {
		src, dst := a.hosts.ByKey(x.Src.Key()), a.hosts.ByKey(x.Dst.Key())
		if src >= 0 && a.hosts.List[src].External {
			why(src, incident.Reason{Code: incident.SuspectEntry, Args: map[string]string{"kind": x.Kind, "host": x.Dst.Key()}}, x.Evidence)
		}
		if dst >= 0 && a.hosts.List[dst].External {
			r := incident.Reason{Code: incident.SuspectControl, Args: map[string]string{"host": x.Src.Key(), "port": itoa(int64(x.DstPort))}}
			if x.Kind == "exfiltration" {
				r = incident.Reason{Code: incident.SuspectExfil, Args: map[string]string{"host": x.Src.Key(), "bytes": itoa(x.BytesOut)}}
			}
			why(dst, r, x.Evidence)
			for _, term := range x.Reasons {
				if term.Plus > 0 {
					why(dst, term, nil)
				}
			}
		}
	}
	a.tried(t, why)
	out := make([]incident.Suspect, 0, len(by))
	for h, s := range by {
		if !s.Addr.IsValid() {
			continue
		}
		a.traffic(t, h, s)
		out = append(out, *s)
	}
	slices.SortFunc(out, func(x, y incident.Suspect) int {
		return cmp.Or(x.First.Compare(y.First), x.Addr.Compare(y.Addr))
	})
	return out[:min(len(out), a.cfg.p.Suspects)]
}

// tried adds outside addresses that searched or guessed before the first host
// fell, and tunnels that were refused.
func (a *analysis) tried(t *thread, why func(int, incident.Reason, []incident.Pointer)) {
	for i := range a.signs[t.root] {
		s := &a.signs[t.root][i]
		if s.step == detect.StepRecon && s.peer >= 0 && a.hosts.List[s.peer].External && s.t <= t.began && t.began-s.last <= int64(a.cfg.p.Attempt) {
			why(s.peer, incident.Reason{Code: incident.SuspectAttempts, Args: map[string]string{"attempts": itoa(s.rows), "hosts": "1"}}, a.pointers(s.evidence))
		}
	}
	// Floods of refused connections from outside in the hours before.
	type tries struct {
		n     int
		hosts map[int]bool
		at    []fact.At
	}
	by := map[int]*tries{}
	for _, c := range a.contacts {
		if !c.refused || !a.hosts.List[c.src].External || a.hosts.List[c.dst].External || c.last > t.began || t.began-c.last > int64(a.cfg.p.Attempt) {
			continue
		}
		x := by[c.src]
		if x == nil {
			x = &tries{hosts: map[int]bool{}}
			by[c.src] = x
		}
		x.n += c.count
		x.hosts[c.dst] = true
		for _, e := range c.evidence() {
			x.at = keepAt(x.at, e)
		}
	}
	for _, h := range slices.Sorted(maps.Keys(by)) {
		if x := by[h]; x.n >= 20 && a.metRoot(t, h, x.hosts) {
			why(h, incident.Reason{Code: incident.SuspectAttempts, Args: map[string]string{"attempts": itoa(int64(x.n)), "hosts": itoa(int64(len(x.hosts)))}}, a.pointers(x.at))
		}
	}
}

// metRoot reports whether an outside address tried the host that fell first.
func (a *analysis) metRoot(t *thread, h int, hosts map[int]bool) bool {
	if hosts[t.root] {
		return true
	}
	for _, c := range a.contacts {
		if c.src == h && c.dst == t.root {
			return true
		}
	}
	return false
}

// traffic fills in first, last, hosts, ports and bytes of an address, before
// and after the thread began. With less than Params.History days of history
// there is no before and no verdict.
func (a *analysis) traffic(t *thread, h int, s *incident.Suspect) {
	began := t.began
	before := incident.Traffic{Days: round(float64(began-a.first)/float64(dayNS), 2)}
	after := incident.Traffic{Days: round(float64(a.end(t)-began)/float64(dayNS), 2)}
	daily := map[int64]int64{}
	for _, c := range a.contacts {
		if c.src != h && c.dst != h {
			continue
		}
		other, out, in := c.src, c.out, c.in
		if c.src == h {
			other, out, in = c.dst, c.in, c.out // bytes as our side sees them
		}
		if a.hosts.List[other].External {
			continue
		}
		col := &after
		if c.last < began-slack {
			col = &before
			daily[a.day(c.first)] += out
		}
		col.Connections += c.count
		col.BytesOut += out
		col.BytesIn += in
		s.Count += c.count
		s.BytesOut, s.BytesIn = s.BytesOut+out, s.BytesIn+in
		if k := a.hosts.List[other].Key; !slices.Contains(s.Hosts, k) {
			s.Hosts = append(s.Hosts, k)
		}
		if c.port != 0 && !slices.Contains(s.Ports, c.port) {
			s.Ports = append(s.Ports, c.port)
		}
		if f := at(c.first); s.First.IsZero() || f.Before(s.First) {
			s.First = f
		}
		s.Last = later(s.Last, at(c.last))
	}
	for i := range a.tunnels {
		x := &a.tunnels[i]
		if x.outer != h {
			continue
		}
		s.Count++
		if f := at(x.t); s.First.IsZero() || f.Before(s.First) {
			s.First = f
		}
		s.Last = later(s.Last, at(max(x.t, x.end)))
		if k := a.hosts.List[x.inner].Key; !slices.Contains(s.Hosts, k) {
			s.Hosts = append(s.Hosts, k)
		}
	}
	slices.Sort(s.Hosts)
	slices.Sort(s.Ports)
	s.After = after
	if before.Days < a.cfg.p.History {
		s.Reasons = append(s.Reasons, incident.Reason{Code: incident.SuspectVolume, Args: map[string]string{"bytes_out": itoa(s.BytesOut), "bytes_in": itoa(s.BytesIn)}})
		return
	}
	s.Before = &before
	if before.Connections == 0 {
		s.Reasons = append(s.Reasons, incident.Reason{Code: incident.SuspectNewPeer, Args: map[string]string{"days": decimal(before.Days)}})
	}
	med, mad := spread(daily, int(before.Days))
	if perDay := float64(after.BytesOut) / max(after.Days, 1); perDay >= med+6*mad && after.BytesOut >= exfilMin {
		s.Reasons = append(s.Reasons, incident.Reason{Code: incident.SuspectMore, Args: map[string]string{"bytes": itoa(after.BytesOut), "median": decimal(round(med, 0)), "mad": decimal(round(mad, 0))}})
	}
}

// spread is median and MAD of bytes a day, days without any counted as 0.
func spread(daily map[int64]int64, days int) (median, mad float64) {
	v := make([]float64, max(days, len(daily), 1))
	for i, d := range slices.Sorted(maps.Keys(daily)) {
		v[i] = float64(daily[d])
	}
	median = middle(v)
	for i := range v {
		v[i] = max(v[i]-median, median-v[i])
	}
	return median, middle(v)
}

// breakpoints are where the trail leaves sight (attackpath.md §8).
func (a *analysis) breakpoints(t *thread, in *incident.Incident) []incident.Breakpoint {
	out := []incident.Breakpoint{}
	add := func(b incident.Breakpoint) { out = append(out, b) }
	f := in.FirstCompromise
	root := a.endpoint(t.root)
	if f != nil && f.LowerOpen {
		add(incident.Breakpoint{Code: incident.BPLogGap, To: f.LogsBegin, Dst: root, Strength: "confirmed", Next: incident.NextExtendLogs, Evidence: f.Evidence,
			Reasons: []incident.Reason{{Code: incident.BreakLogsBegin, Args: map[string]string{"time": f.LogsBegin.UTC().Format("2006-01-02T15:04:05.000Z07:00")}}}})
	}
	if f != nil && !in.Entry.Determined && (!f.LowerOpen || t.covert != nil) {
		add(incident.Breakpoint{Code: incident.BPNoSensor, From: f.Earliest, To: f.Latest, Dst: root, Strength: "probable", Next: incident.NextAddSensor, Evidence: f.Evidence,
			Reasons: []incident.Reason{{Code: incident.BreakNoRecord, Args: map[string]string{"host": a.hosts.List[t.root].Key, "since": stamp(f.Latest.UnixNano())}}}})
	}
	seen := map[string]bool{}
	for _, x := range in.Hops {
		src, dst := a.hosts.ByKey(x.Src.Key()), a.hosts.ByKey(x.Dst.Key())
		for _, h := range []int{src, dst} {
			if h < 0 || !a.hosts.List[h].External || seen[a.hosts.List[h].Key] {
				continue
			}
			seen[a.hosts.List[h].Key] = true
			add(a.outsideBreak(x, h, h == src))
		}
	}
	reached := map[int]bool{t.root: true}
	for _, x := range in.Hops {
		reached[a.hosts.ByKey(x.Dst.Key())] = true
	}
	for _, h := range slices.Sorted(maps.Keys(t.comp)) {
		if !reached[h] {
			add(incident.Breakpoint{Code: incident.BPNoSensor, To: at(t.comp[h]), Dst: a.endpoint(h), Strength: "probable", Next: incident.NextAddSensor, Evidence: []incident.Pointer{},
				Reasons: []incident.Reason{{Code: incident.BreakNoRecord, Args: map[string]string{"host": a.hosts.List[h].Key, "since": stamp(t.comp[h])}}}})
		}
		for i := range a.signs[h] {
			s := &a.signs[h][i]
			if s.technique == "T1070.001" && s.t >= t.comp[h] && s.t <= a.end(t)+int64(time.Hour) {
				add(incident.Breakpoint{Code: incident.BPLogWipe, From: at(s.t), Dst: a.endpoint(h), Strength: "confirmed", Next: incident.NextRecoverLogs, Evidence: a.pointers(s.evidence),
					Reasons: []incident.Reason{{Code: incident.BreakCleared, Args: map[string]string{"host": a.hosts.List[h].Key, "what": s.what}}}})
				break
			}
		}
		if b, ok := a.silent(t, h); ok {
			add(b)
		}
	}
	return out
}

// outsideBreak is where the trail goes outside. What kind of address it is,
// lists say later; until then every open hop has the catch-all code.
func (a *analysis) outsideBreak(x incident.Hop, h int, in bool) incident.Breakpoint {
	b := incident.Breakpoint{Code: incident.BPUnknown, Hop: x.N, From: x.Time, To: x.Last, Src: x.Src, Dst: x.Dst, DstPort: x.DstPort, Strength: "suspected", Next: incident.NextPreserve, Evidence: x.Evidence}
	args := map[string]string{"address": a.hosts.List[h].Key}
	if n := a.st.NameOf(a.hosts.List[h].Addr()); n != "" {
		args["name"] = n
	}
	b.Reasons = []incident.Reason{{Code: incident.BreakOutside, Args: args}}
	switch {
	case x.Kind == "vpn":
		b.Code, b.Strength, b.Next = incident.BPVPNVictim, "confirmed", incident.NextAccount
		b.Reasons = append(b.Reasons, incident.Reason{Code: incident.BreakVPN, Args: map[string]string{"account": x.User.String(), "address": a.hosts.List[h].Key}})
	case x.Technique == "T1219":
		b.Code, b.Strength, b.Next = incident.BPRMM, "probable", incident.NextAskProvider
	case a.hosts.List[h].Why == "side_public" && cgnat.Contains(a.hosts.List[h].Addr()):
		b.Code, b.Strength, b.Next = incident.BPCGNAT, "probable", incident.NextAskProvider
	case in:
		b.Next = incident.NextAskProvider
	}
	if in && x.Kind != "vpn" {
		b.SrcPort = a.sourcePort(x)
	}
	return b
}

// sourcePort is that of the first connection of a hop: a provider with shared
// addresses cannot answer without it.
func (a *analysis) sourcePort(x incident.Hop) uint16 {
	src, dst := a.hosts.ByKey(x.Src.Key()), a.hosts.ByKey(x.Dst.Key())
	best, port := int64(0), uint16(0)
	for k, s := range a.st.Series {
		if k.Port != x.DstPort || k.Act != fact.Flow {
			continue
		}
		for i := range s.Conns {
			c := &s.Conns[i]
			if from, _ := a.hosts.From(a.st, k, c, a.cfg.c.MaxSkew); from != src || a.hosts.Of(k.Dst, c.T) != dst {
				continue
			}
			shift, _ := a.clocks.Fix(c.Sensor)
			if d := abs(c.T - shift - x.Time.UnixNano()); port == 0 || d < best || d == best && c.SPort < port {
				best, port = d, c.SPort
			}
		}
	}
	return port
}

// silent finds a pause of six hours and more in a host's own log, between
// records, while the thread ran.
func (a *analysis) silent(t *thread, h int) (incident.Breakpoint, bool) {
	if !a.hosts.List[h].OwnLog {
		return incident.Breakpoint{}, false
	}
	name := "windows@" + a.hosts.List[h].Name
	hours := a.st.Hours(name)
	from, to := t.began/int64(time.Hour)-24, a.end(t)/int64(time.Hour)
	for i := 1; i < len(hours); i++ {
		if gap := hours[i] - hours[i-1] - 1; gap >= 6 && hours[i] > from && hours[i-1] < to {
			return incident.Breakpoint{Code: incident.BPLogGap, From: at((hours[i-1] + 1) * int64(time.Hour)), To: at(hours[i] * int64(time.Hour)), Dst: a.endpoint(h),
				Strength: "probable", Next: incident.NextRecoverLogs, Evidence: []incident.Pointer{},
				Reasons: []incident.Reason{{Code: incident.BreakSilent, Args: map[string]string{"source": name, "hours": itoa(gap)}}}}, true
		}
	}
	return incident.Breakpoint{}, false
}
