// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"cmp"
	"slices"
	"strings"

	"citywall/detect"
)

// burstKey is findings of one rule about one subject in one minute.
type burstKey struct {
	rule     ID
	host     ID // node of the subject
	src, dst ID
	port     uint16
	minute   int64
}

type burstSum struct {
	first, last int64
	count       int64
	user        ID
	sensor      ID       // smallest name
	ids         []string // smallest by time, then id
	earliest    []At
	sport       uint16 // source port of the earliest; smallest
	sportAt     int64
	sess        uint64 // session of the earliest; smallest
	sessAt      int64
}

// ruleInfo is what is kept of a rule.
type ruleInfo struct {
	rule    detect.Rule
	meaning detect.Meaning
	tags    string
}

// Burst is findings of one rule about one subject, minutes joined while no gap
// is longer than the caller's.
type Burst struct {
	Rule        detect.Rule
	Meaning     detect.Meaning
	Tags        []string
	Host        Node // whom it is about
	Src, Dst    Node
	Port        uint16
	User        ID
	Sensor      ID // who wrote the records; 0 unknown
	First, Last int64
	Count       int64
	Minutes     int64    // minutes in which it fired
	Dense       int64    // end of the last minute with DenseRows or more; 0 none
	SPort       uint16   // source port of the earliest, 0 unknown
	Sess        uint64   // session of the earliest, 0 unknown
	IDs         []string // finding ids, the earliest few
	Earliest    []At
}

// DenseRows is how many findings of one rule in a minute are a flood.
const DenseRows = 10

// Tagged reports whether the rule carries a tag of Citywall's own namespace,
// for example "citywall.maintenance".
func (b Burst) Tagged(name string) bool {
	return slices.Contains(b.Tags, "citywall."+name)
}

func (s *Store) finding(f *detect.Finding, sensor ID) {
	t := f.Time.UnixNano()
	if f.Time.IsZero() {
		return
	}
	v := f.View
	k := burstKey{rule: s.rule(f), src: s.node(v.Src, v.SrcHost), dst: s.node(v.Dst, v.DstHost), port: v.DstPort, minute: floorMinute(t)}
	host := v.Host
	if host == "" {
		host = f.Host
	}
	switch f.Meaning.Subject {
	case "src":
		k.host = k.src
	case "dst":
		k.host = k.dst
	}
	if k.host == 0 && host != "" {
		k.host = s.nodes.id(Node{Name: host})
	}
	if k.host == 0 {
		if k.host = s.node(v.HostAddr, ""); k.host == 0 {
			k.host = k.src
		}
	}
	if v.Action != "alert" && v.Action != "flow" && v.Action != "flow_refused" {
		k.port = 0 // ports of other records would only split the count
	}
	b := s.bursts[k]
	if b == nil {
		b = &burstSum{first: t, last: t}
		s.bursts[k] = b
	}
	b.first, b.last = min(b.first, t), max(b.last, t)
	b.count++
	if n := number(v.Session); n != 0 && (b.sess == 0 || t < b.sessAt || t == b.sessAt && n < b.sess) {
		b.sess, b.sessAt = n, t
	}
	if p := v.SrcPort; p != 0 && (b.sport == 0 || t < b.sportAt || t == b.sportAt && p < b.sport) {
		b.sport, b.sportAt = p, t
	}
	if b.sensor == 0 || s.String(sensor) < s.String(b.sensor) {
		b.sensor = sensor
	}
	user := v.User
	if user.IsZero() {
		user = v.Target
	}
	if id := s.account(user); id != 0 && (b.user == 0 || s.Account(id).String() < s.Account(b.user).String()) {
		b.user = id
	}
	if len(b.ids) < Pointers || f.ID < b.ids[len(b.ids)-1] {
		if i, found := slices.BinarySearch(b.ids, f.ID); !found {
			b.ids = slices.Insert(b.ids, i, f.ID)
			b.ids = b.ids[:min(len(b.ids), Pointers)]
		}
	}
	for i := range f.Events {
		if i < len(f.Origins) {
			b.earliest = keep(b.earliest, At{t, s.ptr(f.Events[i], f.Origins[i])}, Pointers)
		}
	}
}

func (s *Store) rule(f *detect.Finding) ID {
	key := f.Rule.Hash + "\x00" + f.Rule.ID + "\x00" + f.Rule.Title
	if key == s.lastRule {
		return s.lastRuleID
	}
	id := s.ruleIDs.id(key)
	if int(id) >= len(s.rules) {
		s.rules = append(s.rules, ruleInfo{f.Rule, f.Meaning, strings.Join(f.Tags, " ")})
	}
	s.lastRule, s.lastRuleID = key, id
	return id
}

// Bursts returns the findings, ordered by time, rule and subject. Minutes of
// one rule and subject are one burst while they are not more than gap ns apart.
func (s *Store) Bursts(gap int64) []Burst {
	keys := make([]burstKey, 0, len(s.bursts))
	for k := range s.bursts {
		keys = append(keys, k)
	}
	order := func(a, b burstKey) int {
		return cmp.Or(
			cmp.Compare(s.ruleText(a.rule), s.ruleText(b.rule)),
			cmp.Compare(s.Node(a.host).String(), s.Node(b.host).String()),
			cmp.Compare(s.Node(a.src).String(), s.Node(b.src).String()),
			cmp.Compare(s.Node(a.dst).String(), s.Node(b.dst).String()),
			cmp.Compare(a.port, b.port), cmp.Compare(a.minute, b.minute))
	}
	slices.SortFunc(keys, order)
	var out []Burst
	for i, k := range keys {
		b := s.bursts[k]
		if i > 0 {
			p := keys[i-1]
			p.minute = k.minute
			if last := &out[len(out)-1]; p == k && b.first-last.Last <= gap {
				last.Last, last.Count, last.Minutes = max(last.Last, b.last), last.Count+b.count, last.Minutes+1
				if b.count >= DenseRows {
					last.Dense = b.last
				}
				if last.User == 0 {
					last.User = b.user
				}
				if len(last.IDs) < Pointers {
					last.IDs = append(last.IDs, b.ids...)
					last.IDs = last.IDs[:min(len(last.IDs), Pointers)]
				}
				for _, a := range b.earliest {
					last.Earliest = keep(last.Earliest, a, Pointers)
				}
				continue
			}
		}
		r, dense := s.rules[k.rule], int64(0)
		if b.count >= DenseRows {
			dense = b.last
		}
		out = append(out, Burst{
			Rule: r.rule, Meaning: r.meaning, Tags: strings.Fields(r.tags),
			Host: s.Node(k.host), Src: s.Node(k.src), Dst: s.Node(k.dst), Port: k.port,
			SPort: b.sport, Sess: b.sess, User: b.user, Sensor: b.sensor, First: b.first, Last: b.last, Count: b.count, Minutes: 1, Dense: dense,
			IDs: slices.Clone(b.ids), Earliest: slices.Clone(b.earliest),
		})
	}
	slices.SortStableFunc(out, func(a, b Burst) int { return cmp.Compare(a.First, b.First) })
	return out
}

func (s *Store) ruleText(id ID) string { return s.ruleIDs.vals[id] }
