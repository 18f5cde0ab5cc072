// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"citywall/detect"
	"citywall/event"
)

const (
	fanLambda  = 0.05 // weight of the newest minute in mean and variance
	fanFloor   = 8    // destinations in a minute below which nothing is said
	fanZ       = 6.0  // standard deviations above the mean
	fanSources = 20_000
	fanMost    = 128 // destinations remembered of one minute
	fanMinutes = 3   // minutes of a source held at once: clocks of who tells of it differ
	fanHeavy   = 1 << 19
	fanPause   = time.Hour
)

// Of the cumulative sum.
const (
	slowSlack  = 0.5 // k, new destinations an hour
	slowSum    = 6.0 // h
	slowMost   = 2   // an hour counts no more: a burst is for the other formula
	slowKnown  = 256 // destinations remembered of one source and service
	slowMemory = 30  // days
	slowDays   = 2   // after the first contact, within which all that a source turns to is new
	slowPause  = 24 * time.Hour
)

var fanKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1501", Detector: "fan-out", Title: "A host turns to many others over administration ports at once", Level: detect.Medium,
	Formula: "Different destinations of one source and service (SMB, RDP, WinRM, SSH) in a minute: x ≥ 8 and z = (x−μ)/σ ≥ 6, where μ and σ are exponentially weighted over its own minutes with λ=0.05 (σ at least 1); a minute that alarms is learned as no more than μ+6σ",
	Meaning: detect.Meaning{Step: detect.StepLateral, Technique: "T1021", Techniques: []string{"T1021"}, Subject: "src"},
	Tags:    []string{"attack.lateral-movement", "attack.t1021"},
}

var fanSlowKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1502", Detector: "fan-out", Title: "A host turns to one new machine after another over administration ports", Level: detect.Low,
	Formula: "Cumulative sum over hours of the machines that a source turns to for the first time in 30 days over one service (SMB, RDP, WinRM, SSH): S ← max(0, S + min(x, 2) − μ − 0.5) ≥ 6, where x are those of the hour and μ is their mean, exponentially weighted over all hours since its first contact with λ=0.05 and not learned while S > 0; from the third day of the source on",
	Meaning: fanKind.Meaning, Tags: fanKind.Tags,
}

// fanService is what a port serves, as far as spread is concerned; 0 is none.
func fanService(port uint16) service {
	switch port {
	case 135, 139, 445:
		return smb
	case 3389:
		return rdp
	case 5985, 5986:
		return winrm
	case 22:
		return ssh
	}
	return 0
}

type service uint8

const (
	smb service = 1 + iota
	rdp
	winrm
	ssh
)

func (s service) String() string { return [...]string{"", "SMB", "RDP", "WinRM", "SSH"}[s] }

// fanout compares each minute of a source with the minutes before.
type fanout struct {
	Sources [ssh + 1]table[netip.Addr, fan] `json:"sources"` // by service
	Spoke   table[netip.Addr, int64]        `json:"spoke"`   // second in which a burst of a source was told, over whichever service
	house   *house
}

// fan is one source and service.
type fan struct {
	Minutes [fanMinutes]minute `json:"minutes"`
	Mean    float64            `json:"mean"`
	Var     float64            `json:"var"`
	Learned int                `json:"learned"` // minutes that the mean rests on
	First   int32              `json:"first"`   // day of the first contact
	Slow    slow               `json:"slow"`
}

// minute is what a source did in one.
type minute struct {
	At    int64               `json:"at"`
	Used  int                 `json:"used"`          // how new it is among those held, 0 the newest
	Dst   map[netip.Addr]bool `json:"dst,omitempty"` // nil: none is held here
	Refs  []ref               `json:"refs,omitempty"`
	Alarm bool                `json:"alarm,omitempty"` // it is over the bound
}

// slow is the cumulative sum of first contacts.
type slow struct {
	Known map[uint32]int32 `json:"known,omitempty"` // destinations, by hash, with the day last turned to
	Hour  int64            `json:"hour"`
	X     int              `json:"x"` // new ones in that hour
	Mean  float64          `json:"mean"`
	Sum   float64          `json:"sum"` // without that hour
	Count int              `json:"count,omitempty"`
	Since int64            `json:"since,omitempty"` // hour in which the sum left 0
	Refs  []ref            `json:"refs,omitempty"`
	Spoke int64            `json:"spoke,omitempty"`
}

func newFanout(h *house) *fanout {
	s := &fanout{house: h, Spoke: newTable[netip.Addr, int64](fanSources)}
	for i := range s.Sources {
		s.Sources[i] = newHeavy[netip.Addr](fanSources, fanHeavy, (*fan).parts)
	}
	return s
}

func (x *fan) parts() int {
	n := len(x.Slow.Known)
	for i := range x.Minutes {
		n += len(x.Minutes[i].Dst)
	}
	return n
}

func (*fanout) name() string { return "fan-out" }

func (s *fanout) forgotten() (n int64) {
	for i := range s.Sources {
		n += s.Sources[i].Gone
	}
	return n
}

func (s *fanout) observe(r *report, e *event.Event, v *event.View) {
	if v.Action != event.Flow && v.Action != event.FlowRefused || !v.Src.IsValid() || !v.Dst.IsValid() || v.Src == v.Dst {
		return
	}
	service := fanService(v.DstPort)
	if service == 0 || s.house.outside(v.Src) {
		return
	}
	t := &s.Sources[service]
	x, had := t.load(v.Src)
	defer t.settle(x, had)
	if x.First == 0 {
		x.First = day(e.Time)
	}
	m := x.minute(e.Time.Unix() / 60)
	if len(m.Dst) < fanMost && !m.Dst[v.Dst] {
		m.Dst[v.Dst] = true
		m.Refs = keepRef(m.Refs, e)
		s.fast(r, e, v, x, m, service)
		if x.Slow.first(e, v.Dst) {
			x.slowly(r, e, v, service)
		}
	}
}

// fast judges a minute that has got one more destination.
func (s *fanout) fast(r *report, e *event.Event, v *event.View, x *fan, m *minute, service service) {
	n := float64(len(m.Dst))
	z := (n - x.Mean) / max(1, math.Sqrt(x.Var))
	if m.Alarm || n < fanFloor || z < fanZ {
		return
	}
	m.Alarm = true
	if now, spoke := e.Time.Unix(), s.Spoke.make(v.Src); *spoke == 0 || apart(now, *spoke) >= fanPause {
		*spoke = now
		r.find(&fanKind, subject(v.SrcHost, v.Src), m.Refs, []detect.Matched{{Field: "src", Value: v.Src.String()}, {Field: "service", Value: service.String()}},
			fmt.Sprintf("%d destinations over %s in a minute; μ = %.2f, z = %.1f; the baseline rests on %d minutes of %d days", len(m.Dst), service, x.Mean, z, x.Learned, day(e.Time)-x.First+1))
	}
}

// minute returns the one of that number, begun in the place of that which was
// used least recently, which is learned, when it is none of those held.
func (x *fan) minute(at int64) *minute {
	best := 0
	for i := range x.Minutes {
		m := &x.Minutes[i]
		if m.Dst != nil && m.At == at {
			best = i
			break
		}
		if b := &x.Minutes[best]; b.Dst != nil && (m.Dst == nil || m.Used > b.Used) {
			best = i
		}
	}
	m := &x.Minutes[best]
	if m.Dst == nil || m.At != at {
		x.learn(m)
		dst := m.Dst
		if clear(dst); dst == nil {
			dst = map[netip.Addr]bool{}
		}
		*m = minute{At: at, Dst: dst, Used: fanMinutes, Refs: m.Refs[:0]}
	}
	for i := range x.Minutes {
		if o := &x.Minutes[i]; o.Used < m.Used {
			o.Used++
		}
	}
	m.Used = 0
	return m
}

// learn takes a minute that is over into mean and variance. Minutes in which
// the source turned to nobody are not counted, so that a host that is seldom
// busy is compared with its busy minutes. One that alarms is learned in part: a
// jump host that does so every day falls silent within the hour, and a burst
// teaches little.
func (x *fan) learn(m *minute) {
	if m.Dst == nil {
		return
	}
	n := float64(len(m.Dst))
	if m.Alarm {
		n = min(n, x.Mean+fanZ*max(1, math.Sqrt(x.Var)))
	}
	if x.Learned++; x.Learned == 1 {
		x.Mean = n
		return
	}
	d := n - x.Mean
	x.Mean += fanLambda * d
	x.Var = (1 - fanLambda) * (x.Var + fanLambda*d*d)
}

// first notes a contact and reports whether it is the first in 30 days. What
// knows too many is a scanner or a server of all: new machines of it say nothing.
func (x *slow) first(e *event.Event, dst netip.Addr) bool {
	b := dst.As16()
	h, today := uint32(2166136261), day(e.Time)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	at, ok := x.Known[h]
	if ok {
		x.Known[h] = max(at, today)
		return today-at > slowMemory
	}
	if len(x.Known) >= slowKnown {
		for k, d := range x.Known {
			if today-d > slowMemory {
				delete(x.Known, k)
			}
		}
		if len(x.Known) >= slowKnown {
			return false
		}
	}
	if x.Known == nil {
		x.Known = map[uint32]int32{}
	}
	x.Known[h] = today
	return true
}

// slowly judges a contact that is a first one.
func (x *fan) slowly(r *report, e *event.Event, v *event.View, service service) {
	s, hour := &x.Slow, e.Time.Unix()/3600
	if s.Hour == 0 {
		s.Hour = hour
	}
	if hour < s.Hour {
		return
	}
	for passed := hour - s.Hour; passed > 0; passed-- {
		if passed > 24*7 { // far more than it takes to forget
			*s = slow{Known: s.Known, Spoke: s.Spoke, Hour: hour}
			break
		}
		if s.Sum = max(0, s.Sum+float64(min(s.X, slowMost))-s.Mean-slowSlack); s.Sum == 0 {
			s.Mean += fanLambda * (float64(min(s.X, slowMost)) - s.Mean)
			s.Count, s.Since, s.Refs = 0, 0, nil
		}
		s.X = 0
	}
	s.Hour = hour
	if s.Since == 0 {
		s.Since = hour
	}
	s.X++
	s.Count++
	s.Refs = keepRef(s.Refs, e)
	now := e.Time.Unix()
	sum := s.Sum + float64(min(s.X, slowMost)) - s.Mean - slowSlack
	if sum < slowSum || day(e.Time)-x.First < slowDays || s.Spoke != 0 && apart(now, s.Spoke) < slowPause {
		return
	}
	s.Spoke = now
	r.find(&fanSlowKind, subject(v.SrcHost, v.Src), s.Refs, []detect.Matched{{Field: "src", Value: v.Src.String()}, {Field: "service", Value: service.String()}},
		fmt.Sprintf("%d new machines over %s in %d hours; μ = %.2f an hour, S = %.1f; %d machines are known, the baseline rests on %d days", s.Count, service, hour-s.Since+1, s.Mean, sum, len(s.Known), day(e.Time)-x.First))
}
