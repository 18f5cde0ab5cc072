// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"citywall/detect"
	"citywall/incident"
	"citywall/incident/attackpath"
	"citywall/incident/fact"
)

// hopKey is what connections are folded by: one move of the intruder.
type hopKey struct {
	src, dst int
	kind     string
	port     uint16
}

// slack is how far before a host's first known bad moment its own calls to the
// outside still belong to it.
const slack = int64(10 * time.Minute)

// hops writes down the moves of a thread, one per source, destination, kind and
// port, in order of time.
func (a *analysis) hops(t *thread) []incident.Hop {
	by := map[hopKey]*incident.Hop{}
	get := func(k hopKey, make func() incident.Hop) {
		h := make()
		if old := by[k]; old == nil || h.Time.Before(old.Time) {
			by[k] = &h
		}
	}
	end := a.end(t)
	for _, i := range slices.Sorted(maps.Keys(t.moves)) {
		m, v := &a.moves[i], &a.via[i]
		if v.channel >= 0 {
			continue // told from the inside below
		}
		k := hopKey{m.From, m.To, v.kind, v.port}
		get(k, func() incident.Hop { return a.hopOf(i, end) })
		if v.tunnel >= 0 {
			x := &a.tunnels[v.tunnel]
			get(hopKey{x.outer, x.inner, "vpn", 0}, func() incident.Hop { return a.tunnelHop(x) })
		}
	}
	for i := range a.channels {
		x := &a.channels[i]
		since, ok := t.comp[x.src]
		if !ok || !a.ours(x, since) {
			continue
		}
		kind := "c2"
		if x.exfiltrates() {
			kind = "exfiltration"
		}
		get(hopKey{x.src, x.dst, kind, x.port}, func() incident.Hop { return a.channelHop(x, kind, since) })
	}
	if c := t.covert; c != nil && c.through >= 0 {
		get(hopKey{c.host, c.through, "exfiltration", 53}, func() incident.Hop { return a.covertHop(c) })
	}
	out := make([]incident.Hop, 0, len(by))
	keys := slices.SortedFunc(maps.Keys(by), func(x, y hopKey) int {
		return cmp.Or(by[x].Time.Compare(by[y].Time), cmp.Compare(x.src, y.src), cmp.Compare(x.dst, y.dst), cmp.Compare(x.port, y.port), cmp.Compare(x.kind, y.kind))
	})
	for n, k := range keys {
		h := by[k]
		h.N = n + 1
		out = append(out, *h)
	}
	return out
}

// ours reports whether a channel of a compromised host belongs to the intruder:
// anomalous, and not older than his presence by more than the slack.
func (a *analysis) ours(x *channel, since int64) bool {
	return x.anomalous && x.last >= since-slack && x.first >= since-slack
}

func (x *channel) exfiltrates() bool {
	return x.upload > 0 && (x.uploadPlain || x.out >= exfilMin && x.out >= 5*x.in)
}

func (a *analysis) endpoint(h int) incident.Endpoint {
	x := &a.hosts.List[h]
	return incident.Endpoint{Addr: x.Addr(), Host: x.Name}
}

func at(t int64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(0, t).UTC()
}

func original(orig, fixed int64) time.Time {
	if orig == fixed || orig == 0 {
		return time.Time{}
	}
	return at(orig)
}

func protoName(p uint8) string {
	switch p {
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 1:
		return "icmp"
	}
	return ""
}

// hopOf writes one move, with the later contacts of the same kind folded in.
func (a *analysis) hopOf(i int, end int64) incident.Hop {
	m, v := &a.moves[i], &a.via[i]
	h := incident.Hop{
		Time: at(v.t), Original: original(v.orig, v.t), Last: at(v.t), Count: 1, Uncertainty: time.Duration(v.unc),
		Src: a.endpoint(m.From), Dst: a.endpoint(m.To), DstPort: v.port, Proto: protoName(v.proto), User: v.user, Causal: v.causal,
		Kind: v.kind, Grade: v.grade, Score: round(m.Score, 3), Reasons: slices.Clone(v.reasons),
	}
	evidence := slices.Clone(v.evidence)
	if c := v.contact; c != nil && v.kind != "web" {
		h.Count, h.BytesOut, h.BytesIn, h.Last = c.count, c.out, c.in, at(c.last)
		sensors := c.sensors()
		for _, o := range a.byPair[pair{c.src, c.dst}] {
			if o == c || o.first < c.first || o.first > end || o.kind != c.kind || o.port != c.port || o.refused {
				continue
			}
			h.Count, h.BytesOut, h.BytesIn, h.Last = h.Count+o.count, h.BytesOut+o.out, h.BytesIn+o.in, at(max(c.last, o.last))
			for _, s := range o.sensors() {
				if !slices.Contains(sensors, s) {
					sensors = append(sensors, s)
				}
			}
		}
		h.Sensors = a.sensorNames(sensors)
		if n := a.independent(sensors); n > 1 {
			h.Reasons = append(h.Reasons, incident.Reason{Code: incident.SecondSource, Args: map[string]string{"sources": itoa(int64(n))}})
		}
		a.rare(c, &h)
	}
	if c := v.contact; c != nil && v.kind == "web" {
		h.Sensors = a.sensorNames(c.sensors())
		for _, o := range a.byPair[pair{c.src, c.dst}] { // everything that client asked of the server from then on
			if o.kind != "web" || o.refused {
				continue
			}
			for _, x := range o.times() {
				if x > v.t {
					h.Count++
					h.Last = at(max(h.Last.UnixNano(), x))
				}
			}
			if o.last >= v.t {
				h.BytesOut, h.BytesIn = h.BytesOut+o.out, h.BytesIn+o.in
			}
		}
	}
	h.Technique = technique(v, a.hosts.List[m.From].External)
	h.Tactic = tactic(h.Kind, m.Entry)
	h.Evidence = a.pointers(evidence)
	return h
}

// rare adds how usual the move is in the baseline.
func (a *analysis) rare(c *contact, h *incident.Hop) {
	r := a.history.rarity
	if r.Days() == 0 {
		return
	}
	user := c.user.Name
	h.Reasons = append(h.Reasons, incident.Reason{Code: incident.Rarity, Args: map[string]string{
		"m": decimal(round(r.M(c.src, c.dst, user, c.what()), 3)), "anomaly": decimal(round(attackpath.Anomaly([]float64{r.Factor(c.src, c.dst, user, c.what())}), 3)),
		"days_with": itoa(int64(r.DaysOf(c.src, c.dst, user, c.what()))), "days": itoa(int64(r.Days())),
	}})
}

func (a *analysis) sensorNames(ids []fact.ID) []string {
	var out []string
	for _, id := range ids {
		if n := a.sensorName(id); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// independent counts sources of different products: a second one that sees the
// same flow pass adds nothing.
func (a *analysis) independent(ids []fact.ID) int {
	seen := map[string]bool{}
	for _, id := range ids {
		if s, ok := a.st.SourceOf(id); ok {
			p := s.Product
			if s.Watches {
				p = "network"
			}
			seen[p] = true
		}
	}
	return len(seen)
}

func (a *analysis) pointers(list []fact.At) []incident.Pointer {
	out := make([]incident.Pointer, 0, len(list))
	seen := map[string]bool{}
	for _, e := range list {
		if id := string(e.Ptr.Event[:]); !seen[id] && e.Ptr.Valid() {
			seen[id] = true
			out = append(out, a.st.Pointer(e.Ptr))
		}
	}
	return out
}

func (a *analysis) tunnelHop(x *tunnel) incident.Hop {
	h := incident.Hop{
		Time: at(x.t), Original: original(x.orig, x.t), Last: at(max(x.t, x.end)), Uncertainty: time.Duration(x.unc), Count: 1, Src: a.endpoint(x.outer), Dst: a.endpoint(x.inner), User: x.user,
		Kind: "vpn", Technique: "T1133", Tactic: "initial-access", Grade: incident.Observed, BytesOut: x.out, BytesIn: x.in,
		Evidence: a.pointers(x.at), Sensors: a.sensorNames([]fact.ID{x.sensor}),
	}
	if x.fails > 0 {
		h.Reasons = append(h.Reasons, incident.Reason{Code: incident.AfterFailures, Args: map[string]string{"attempts": itoa(int64(x.fails))}, Plus: a.cfg.w.AfterFails})
	}
	return h
}

// channelHop writes a channel from the moment on at which its host was in other
// hands.
func (a *analysis) channelHop(x *channel, kind string, since int64) incident.Hop {
	h := incident.Hop{
		Src: a.endpoint(x.src), Dst: a.endpoint(x.dst), DstPort: x.port, Proto: protoName(x.proto), Kind: kind, Grade: incident.Observed,
		Score: round(x.score, 3), Reasons: slices.Clone(x.reasons), Sensors: a.sensorNames(x.sensors),
	}
	var evidence []fact.At
	for _, c := range x.contacts {
		if c.last < since-slack {
			continue
		}
		if h.Time.IsZero() {
			h.Time, h.Original, h.Uncertainty = at(c.first), original(c.orig, c.first), time.Duration(c.unc)
		}
		h.Last, h.Count = at(max(c.last, h.Last.UnixNano())), h.Count+c.count
		h.BytesOut, h.BytesIn = h.BytesOut+c.out, h.BytesIn+c.in
		for _, e := range c.evidence() {
			evidence = keepAt(evidence, e)
		}
	}
	for _, e := range x.evidence {
		if len(evidence) < evidenceMax {
			evidence = keepAt(evidence, e)
		}
	}
	h.Technique, h.Tactic = a.channelTechnique(x, kind), tactic(kind, false)
	h.Evidence = a.pointers(evidence)
	return h
}

func (a *analysis) channelTechnique(x *channel, kind string) string {
	if kind == "c2" {
		if x.tool != nil && strings.HasPrefix(x.tool.technique, "T1219") {
			return x.tool.technique
		}
		if x.port == 80 || x.port == 443 {
			return "T1071.001"
		}
		return "T1571"
	}
	if x.finding != nil && x.finding.step == detect.StepExfil && x.finding.technique != "" {
		return x.finding.technique
	}
	for i := range a.signs[x.src] { // the tool that did it says how
		s := &a.signs[x.src][i]
		if s.step == detect.StepExfil && s.technique != "" && abs(s.t-x.first) <= int64(a.cfg.p.After) {
			return s.technique
		}
	}
	for i := range a.channels {
		if o := &a.channels[i]; o != x && o.src == x.src && o.dst == x.dst && o.anomalous && !o.exfiltrates() {
			return "T1041"
		}
	}
	if x.uploadPlain && x.port != 443 {
		return "T1048.003"
	}
	return "T1048.002"
}

func (a *analysis) covertHop(c *covert) incident.Hop {
	first := cmp.Or(c.first, c.last)
	return incident.Hop{
		Time: at(first), Last: at(c.last), Count: int(max(c.rows, 1)), Src: a.endpoint(c.host), Dst: a.endpoint(c.through), DstPort: 53, Proto: "udp",
		Kind: "exfiltration", Technique: "T1048.003", Tactic: "exfiltration", Grade: c.grade, Reasons: slices.Clone(c.reasons), Evidence: a.pointers(c.evidence),
	}
}

// technique of a move comes from the kind of its evidence, not from a family.
func technique(v *via, outside bool) string {
	switch v.kind {
	case "rdp":
		if outside {
			return "T1133"
		}
		return "T1021.001"
	case "smb":
		return "T1021.002"
	case "ssh":
		return "T1021.004"
	case "vnc":
		return "T1021.005"
	case "winrm":
		return "T1021.006"
	case "telnet":
		return "T1021"
	case "wmi":
		return "T1047"
	case "task":
		return "T1053.005"
	case "service":
		return "T1569.002"
	case "gpo":
		return "T1484.001"
	case "web":
		return "T1190"
	case "vpn":
		return "T1133"
	case "logon":
		return "T1078"
	}
	if v.finding != nil && strings.HasPrefix(v.finding.technique, "T") {
		return v.finding.technique
	}
	return ""
}

func tactic(kind string, entry bool) string {
	switch {
	case kind == "c2":
		return "command-and-control"
	case kind == "exfiltration":
		return "exfiltration"
	case entry:
		return "initial-access"
	}
	return "lateral-movement"
}

// end is when the thread's last known deed was.
func (a *analysis) end(t *thread) int64 {
	last := t.began
	for h, since := range t.comp {
		last = max(last, since)
		for i := range a.signs[h] {
			if s := &a.signs[h][i]; s.t >= since && !attempt(s.step) && s.weight >= 1 && s.observer == "" && s.t-since <= int64(a.cfg.p.Spread) {
				last = max(last, s.last)
			}
		}
	}
	for i := range a.channels {
		if since, ok := t.comp[a.channels[i].src]; ok && a.ours(&a.channels[i], since) {
			last = max(last, a.channels[i].last)
		}
	}
	for i := range t.moves {
		last = max(last, a.moves[i].T)
	}
	if t.covert != nil {
		last = max(last, t.covert.last)
	}
	return last
}
