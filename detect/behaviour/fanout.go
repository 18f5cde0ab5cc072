// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"math"
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
	fanPause   = time.Hour
)

var fanKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1501", Title: "A host turns to many others over administration ports at once", Level: detect.Medium,
	Formula: "Different destinations of one source and service (SMB, RDP, WinRM, SSH) in a minute: x ≥ 8 and z = (x−μ)/σ ≥ 6, where μ and σ are exponentially weighted over its own minutes with λ=0.05 (σ at least 1); a minute that alarms is learned as no more than μ+6σ",
	Meaning: detect.Meaning{Step: detect.StepLateral, Technique: "T1021", Techniques: []string{"T1021"}, Subject: "src"},
	Tags:    []string{"attack.lateral-movement", "attack.t1021"},
}

// fanService is what a port serves, as far as spread is concerned; "" is none.
func fanService(port uint16) string {
	switch port {
	case 135, 139, 445:
		return "SMB"
	case 3389:
		return "RDP"
	case 5985, 5986:
		return "WinRM"
	case 22:
		return "SSH"
	}
	return ""
}

// fanout compares each minute of a source with the minutes before.
type fanout struct {
	Sources table[fan] `json:"sources"`
}

// fan is one source and service.
type fan struct {
	Minute  int64           `json:"minute"`
	Dst     map[string]bool `json:"dst"` // of this minute
	Refs    []ref           `json:"refs,omitempty"`
	Mean    float64         `json:"mean"`
	Var     float64         `json:"var"`
	Minutes int             `json:"minutes"` // that the mean rests on
	First   int32           `json:"first"`   // day of the first
	Spoke   int64           `json:"spoke,omitempty"`
	Alarm   bool            `json:"alarm,omitempty"` // this minute is over the bound
}

func newFanout() *fanout { return &fanout{Sources: newTable[fan](fanSources)} }

func (*fanout) name() string       { return "fan-out" }
func (s *fanout) forgotten() int64 { return s.Sources.Gone }

func (s *fanout) observe(r *report, e *event.Event, v *event.View) {
	if v.Action != event.Flow && v.Action != event.FlowRefused || !v.Src.IsValid() || !v.Dst.IsValid() || outside(v.Src) {
		return
	}
	service := fanService(v.DstPort)
	if service == "" {
		return
	}
	x := s.Sources.make(v.Src.String() + " " + service)
	minute := e.Time.Unix() / 60
	switch {
	case x.Dst == nil:
		x.First = day(e.Time)
		x.begin(minute)
	case minute < x.Minute:
		return // late: its minute is over
	case minute > x.Minute:
		x.learn()
		x.begin(minute)
	}
	if len(x.Dst) < fanMost && !x.Dst[v.Dst.String()] {
		x.Dst[v.Dst.String()] = true
		x.Refs = keepRef(x.Refs, e)
	}
	n := float64(len(x.Dst))
	z := (n - x.Mean) / max(1, math.Sqrt(x.Var))
	if x.Alarm || n < fanFloor || z < fanZ {
		return
	}
	x.Alarm = true
	if now := e.Time.Unix(); x.Spoke == 0 || apart(now, x.Spoke) >= fanPause {
		x.Spoke = now
		r.find(&fanKind, subject(v.SrcHost, v.Src), x.Refs, []detect.Matched{{Field: "src", Value: v.Src.String()}, {Field: "service", Value: service}},
			fmt.Sprintf("%d destinations over %s in a minute; μ = %.2f, z = %.1f; the baseline rests on %d minutes of %d days", len(x.Dst), service, x.Mean, z, x.Minutes, day(e.Time)-x.First+1))
	}
}

func (x *fan) begin(minute int64) {
	x.Minute, x.Dst, x.Refs, x.Alarm = minute, map[string]bool{}, nil, false
}

// learn takes the minute that is over into mean and variance. Minutes in which
// the source turned to nobody are not counted, so that a host that is seldom
// busy is compared with its busy minutes. One that alarms is learned in part: a
// jump host that does so every day falls silent within the hour, and a burst
// teaches little.
func (x *fan) learn() {
	n := float64(len(x.Dst))
	if x.Alarm {
		n = min(n, x.Mean+fanZ*max(1, math.Sqrt(x.Var)))
	}
	if x.Minutes++; x.Minutes == 1 {
		x.Mean = n
		return
	}
	d := n - x.Mean
	x.Mean += fanLambda * d
	x.Var = (1 - fanLambda) * (x.Var + fanLambda*d*d)
}
