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
	"citywall/incident/attackpath"
	"citywall/incident/fact"
)

// visitor is somebody who called a web server whenever it showed a sign.
type visitor struct {
	src      int
	signs    int   // signs with one of his requests just before
	requests int   // all of his requests
	first    int64 // request before the first of those signs
	contact  *contact
	at       []fact.At
}

// webEntries finds who was behind a web shell: the client whose requests come
// just before its signs. A finding that names the client decides by itself.
func (a *analysis) webEntries() {
	web := map[int][]*contact{} // contacts with a web server, by server
	for _, c := range a.contacts {
		if c.kind == "web" && !c.refused && !a.hosts.List[c.dst].External {
			web[c.dst] = append(web[c.dst], c)
		}
	}
	for _, h := range slices.Sorted(maps.Keys(a.signs)) {
		var signs []*sign
		for i := range a.signs[h] {
			s := &a.signs[h][i]
			if (s.step == detect.StepWebShell || s.step == detect.StepEntry && s.technique == "T1190") && s.observer == "" && s.weight >= 1 {
				signs = append(signs, s)
			}
		}
		if len(signs) == 0 {
			continue
		}
		if s := signs[0]; s.peer >= 0 {
			a.addWeb(h, s, visitor{src: s.peer, signs: 1, first: s.t, at: s.evidence}, len(signs), incident.Observed)
			continue
		}
		if v, ok := a.visitors(web[h], signs); ok {
			grade := incident.Inferred
			if v.signs >= 3 && v.first-a.first >= int64(a.cfg.p.KnownGood) { // else it may only be the first that is left of many
				grade = incident.Observed
			}
			a.addWeb(h, signs[0], v, len(signs), grade)
		}
	}
}

// visitors ranks the clients of a server by how many signs follow a request of
// theirs. It decides only when one of them stands out.
func (a *analysis) visitors(contacts []*contact, signs []*sign) (visitor, bool) {
	by := map[int]*visitor{}
	for _, c := range contacts {
		v := by[c.src]
		if v == nil {
			v = &visitor{src: c.src}
			by[c.src] = v
		}
		v.requests += c.count
		times := slices.Sorted(slices.Values(c.times()))
		for n, s := range signs {
			k, _ := slices.BinarySearch(times, s.t+int64(time.Second))
			if k == 0 || s.t-times[k-1] > int64(5*time.Second) {
				continue
			}
			v.signs++
			if v.contact == nil || n == 0 {
				v.first, v.contact, v.at = times[k-1], c, rowsAt(c, times[k-1])
			}
		}
	}
	list := slices.Collect(maps.Values(by))
	slices.SortFunc(list, func(x, y *visitor) int {
		return cmp.Or(cmp.Compare(y.signs, x.signs), cmp.Compare(x.requests, y.requests), cmp.Compare(x.src, y.src))
	})
	if len(list) == 0 || list[0].signs == 0 {
		return visitor{}, false
	}
	if len(list) > 1 && list[1].signs == list[0].signs && list[1].requests < 2*list[0].requests && list[1].requests*2 > list[0].requests {
		return visitor{}, false // two fit equally well
	}
	return *list[0], true
}

// rowsAt are the records of requests that began at t.
func rowsAt(c *contact, t int64) []fact.At {
	var out []fact.At
	for _, r := range c.rows {
		if r.sharp != t {
			continue
		}
		out = keepAt(out, fact.At{T: r.orig, Ptr: r.c.Ptr})
		if r.ext != nil {
			for _, e := range r.ext.at {
				out = keepAt(out, e)
			}
		}
	}
	return out
}

func (a *analysis) addWeb(h int, s *sign, v visitor, signs int, grade incident.Grade) {
	w := a.cfg.w
	score := 0.0
	var rs []incident.Reason
	plus(&score, &rs, w.Bias, incident.Prior)
	plus(&score, &rs, w.DestSign, incident.DestSign, "sign", s.what, "after_s", decimal(round(float64(s.t-v.first)/1e9, 1)))
	plus(&score, &rs, w.Alert*float64(max(s.level, detect.Low)), incident.AlertOnEdge, "alert", s.what, "level", s.level.String())
	plus(&score, &rs, 0, incident.RequestsBeforeSigns, "signs", itoa(int64(v.signs)), "of", itoa(int64(signs)), "requests", itoa(int64(v.requests)))
	x := via{kind: "web", contact: v.contact, channel: -1, tunnel: -1, port: 80, proto: 6, t: v.first, orig: v.first, grade: grade, reasons: rs, evidence: v.at, capable: true, finding: s}
	if c := v.contact; c != nil {
		x.port, x.proto, x.unc = c.port, c.proto, c.unc
	} else if s.port != 0 {
		x.port = s.port
	}
	a.addMove(attackpath.Move{From: v.src, To: h, T: v.first, Unc: x.unc, Score: score, Entry: a.hosts.List[v.src].External}, x)
}
