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
	alertDays   = 2   // that the product must have been there
	alertMemory = 30  // days after which an alert is new again
	alertCommon = 8   // machines from which on an alert is one that all have
	alertHabit  = 3.0 // new alerts a day of a machine that always has such
	alertLambda = 0.3
	alertMost   = 256 // alerts remembered of one machine
	alertHosts  = 40_000
	alertHeavy  = 1 << 19
	alertFloor  = 300 // alerts of one machine in a minute below which nothing is said
	alertPause  = 15 * time.Minute
)

var alertNewKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1a01", Detector: "alerts", Title: "An alert that this machine never had", Level: detect.Low,
	Formula: "First alert of that name about a machine in 30 days, by a product whose records have come for at least 2 days; fewer than 8 machines had it, and the machine had at most 3 new ones a day (exponentially weighted over its days, λ=0.3)",
	Meaning: detect.Meaning{Step: detect.StepOther, Technique: "T1595", Techniques: []string{"T1595"}, Subject: "host"},
	Tags:    []string{"attack.reconnaissance", "attack.t1595"},
}

var alertFloodKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1a02", Detector: "alerts", Title: "Alerts about a machine come in a flood", Level: detect.Medium,
	Formula: "Alerts about one machine in a minute: x ≥ 300 and z = (x−μ)/σ ≥ 6, where μ and σ are exponentially weighted over its own minutes with any, λ=0.05 (σ at least 1); a minute that alarms is learned as no more than μ+6σ",
	Meaning: detect.Meaning{Step: detect.StepRecon, Technique: "T1595", Techniques: []string{"T1595", "T1595.003"}, Subject: "host"},
	Tags:    alertNewKind.Tags,
}

// alerts looks at what other products say, by machine.
type alerts struct {
	Hosts table[string, alarmed]  `json:"hosts"`
	Names table[uint64, []uint64] `json:"names"` // alerts by hash, with the machines that had each, at most alertCommon
	Since map[string]int32        `json:"since"` // products, with the day of the first record of any kind
	house *house
}

// alarmed is one machine.
type alarmed struct {
	Known   map[uint64]int32 `json:"known"` // alerts by hash, with the day of the last
	Day     int32            `json:"day"`
	Today   int              `json:"today"` // new ones of that day
	New     float64          `json:"new"`   // of earlier days
	Minute  int64            `json:"minute"`
	Count   int              `json:"count"` // in that minute
	Mean    float64          `json:"mean"`
	Var     float64          `json:"var"`
	Minutes int              `json:"minutes"` // that the mean rests on
	Alarm   bool             `json:"alarm,omitempty"`
	Spoke   int64            `json:"spoke,omitempty"`
	Refs    []ref            `json:"refs,omitempty"`
}

func newAlerts(h *house) *alerts {
	return &alerts{
		Hosts: newHeavy[string](alertHosts, alertHeavy, func(x *alarmed) int { return len(x.Known) }),
		Names: newTable[uint64, []uint64](alertHosts), house: h,
	}
}

func (*alerts) name() string       { return "alerts" }
func (s *alerts) forgotten() int64 { return s.Hosts.Gone + s.Names.Gone }

func (s *alerts) observe(r *report, e *event.Event, v *event.View) {
	since, ok := s.Since[e.Product]
	if !ok && len(s.Since) < alertMost {
		if s.Since == nil {
			s.Since = map[string]int32{}
		}
		since = localDay(e.Time)
		s.Since[e.Product] = since
	}
	if v.Action != event.Alert || v.Message == "" {
		return
	}
	host := v.Host
	if host == "" { // of the two ends the one that is the house's
		if host = subject(v.SrcHost, v.Src); !v.Src.IsValid() || s.house.outside(v.Src) {
			host = subject(v.DstHost, v.Dst)
		}
	}
	if host == "" {
		return
	}
	x, had := s.Hosts.load(host)
	defer s.Hosts.settle(x, had)
	x.flood(r, e, host)
	s.fresh(r, e, v, x, host, localDay(e.Time)-since)
}

// fresh judges whether the machine never had that alert.
func (s *alerts) fresh(r *report, e *event.Event, v *event.View, x *alarmed, host string, days int32) {
	h, today := hashName(v.Message), localDay(e.Time)
	if today > x.Day {
		if x.Day != 0 {
			x.New += alertLambda * (float64(x.Today) - x.New)
		}
		x.Day, x.Today = today, 0
	}
	at, known := x.Known[h]
	if known {
		if x.Known[h] = max(at, today); today-at <= alertMemory {
			return
		}
	}
	if len(x.Known) >= alertMost {
		x.Known = nil // names that differ each time: learned anew
	}
	if x.Known == nil {
		x.Known = map[uint64]int32{}
	}
	x.Known[h] = today
	x.Today++
	machines, id := s.Names.make(h), hashName(host)
	others := len(*machines)
	if others < alertCommon {
		*machines = append(*machines, id)
	}
	if days < alertDays || others >= alertCommon || x.New > alertHabit {
		return
	}
	r.find(&alertNewKind, host, nil, []detect.Matched{{Field: "message", Value: v.Message}},
		fmt.Sprintf("%d other machines had it; %d alerts of other names are known of this one, %.1f new ones a day; the baseline rests on %d days", others, len(x.Known)-1, x.New, days))
}

// flood judges the minute. One that comes late counts in that which is held.
func (x *alarmed) flood(r *report, e *event.Event, host string) {
	if m := e.Time.Unix() / 60; m > x.Minute || x.Minute-m > 60 {
		x.learn()
		x.Minute, x.Count, x.Alarm, x.Refs = m, 0, false, x.Refs[:0]
	}
	x.Count++
	if x.Alarm {
		return
	}
	x.Refs = keepRef(x.Refs, e)
	n := float64(x.Count)
	z := (n - x.Mean) / max(1, math.Sqrt(x.Var))
	if n < alertFloor || z < fanZ {
		return
	}
	x.Alarm = true
	if now := e.Time.Unix(); x.Spoke == 0 || apart(now, x.Spoke) >= alertPause {
		x.Spoke = now
		r.find(&alertFloodKind, host, x.Refs, []detect.Matched{{Field: "host", Value: host}},
			fmt.Sprintf("%d alerts in a minute; μ = %.1f, z = %.1f; the baseline rests on %d minutes", x.Count, x.Mean, z, x.Minutes))
	}
}

func (x *alarmed) learn() {
	if x.Count == 0 {
		return
	}
	n := float64(x.Count)
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
