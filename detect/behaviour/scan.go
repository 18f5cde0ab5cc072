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

// Parameters of the sequential hypothesis test. A host that does its work
// reaches four of five hosts that it turns to for the first time; a scanner one
// of five.
const (
	scanHonest = 0.8
	scanGuilty = 0.2
	scanBeta   = 0.99 // detection wanted
	scanAlpha  = 0.01 // false alarms allowed: low
	scanSure   = 1e-5 // likewise: medium
)

const (
	scanSources  = 20_000         // inside; as many outside, apart: a flood from outside pushes nobody of the house out
	scanContacts = 128            // first contacts remembered of one source
	scanHeavy    = 1 << 20        // of all sources together
	scanForget   = 24 * time.Hour // a contact is first again after that
	scanPause    = time.Hour      // between two medium findings about one source
	scanLowPause = 24 * time.Hour // between two low ones
)

var scanKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1101", Detector: "scan", Title: "A host tries many others, most of which do not answer", Level: detect.Low,
	Formula: "Threshold random walk: each first contact multiplies Λ by 4 when it fails and by ¼ when it succeeds (θ0=0.8, θ1=0.2); alarm at Λ ≥ β/α with β=0.99, α=0.01, cleared at Λ ≤ (1−β)/(1−α) (Jung et al., IEEE S&P 2004)",
	Meaning: detect.Meaning{Step: detect.StepDiscovery, Technique: "T1046", Techniques: []string{"T1046"}, Subject: "src"},
	Tags:    []string{"attack.discovery", "attack.t1046"},
}

// scanSureKind is no higher than medium: what looks for weaknesses on the city's
// behalf scans too, and nothing in its records tells it apart.
var scanSureKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1102", Detector: "scan", Title: "A host scans", Level: detect.Medium,
	Formula: "Threshold random walk over first contacts (θ0=0.8, θ1=0.2, β=0.99) with α=0.00001 (Jung et al., IEEE S&P 2004)",
	Meaning: scanKind.Meaning, Tags: scanKind.Tags,
}

var scanOutsideKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1103", Detector: "scan", Title: "Somebody outside scans", Level: detect.Low,
	Formula: "Threshold random walk over first contacts (θ0=0.8, θ1=0.2, β=0.99) with α=0.00001, of an address outside (Jung et al., IEEE S&P 2004)",
	Meaning: detect.Meaning{Step: detect.StepRecon, Technique: "T1595.001", Techniques: []string{"T1595.001"}, Subject: "src"},
	Tags:    []string{"attack.reconnaissance", "attack.t1595.001"},
}

// scan is the sequential hypothesis test over first contacts.
type scan struct {
	Inside  table[netip.Addr, scanner] `json:"inside"`
	Outside table[netip.Addr, scanner] `json:"outside"`
	house   *house
}

// scanner is what is known of one source.
type scanner struct {
	Log    float64                  `json:"log"`  // ln Λ
	Seen   map[netip.AddrPort]int64 `json:"seen"` // contacts, with the second of the first
	Hosts  int                      `json:"hosts"`
	Failed int                      `json:"failed"`
	Refs   []ref                    `json:"refs,omitempty"`
	Low    int64                    `json:"low,omitempty"`   // second in which low was said last
	Spoke  int64                    `json:"spoke,omitempty"` // likewise medium
}

func newScan(h *house) *scan {
	parts := func(x *scanner) int { return len(x.Seen) }
	return &scan{Inside: newHeavy[netip.Addr](scanSources, scanHeavy, parts), Outside: newHeavy[netip.Addr](scanSources, scanHeavy, parts), house: h}
}

func (*scan) name() string       { return "scan" }
func (s *scan) forgotten() int64 { return s.Inside.Gone + s.Outside.Gone }

var (
	scanGood  = math.Log(scanGuilty / scanHonest)
	scanBad   = math.Log((1 - scanGuilty) / (1 - scanHonest))
	scanClear = math.Log((1 - scanBeta) / (1 - scanAlpha))
	scanAlarm = math.Log(scanBeta / scanAlpha)
	scanHigh  = math.Log(scanBeta / scanSure)
)

func (s *scan) observe(r *report, e *event.Event, v *event.View) {
	if v.Action != event.Flow && v.Action != event.FlowRefused || !v.Src.IsValid() || !v.Dst.IsValid() || v.Dst.IsMulticast() || v.Src == v.Dst {
		return
	}
	from, t := s.house.outside(v.Src), &s.Inside
	if from {
		t = &s.Outside
	}
	x, had := t.load(v.Src)
	defer t.settle(x, had)
	now, key := e.Time.Unix(), netip.AddrPortFrom(v.Dst, v.DstPort)
	if at, ok := x.Seen[key]; ok && apart(now, at) < scanForget {
		return
	}
	if x.Seen == nil || len(x.Seen) >= scanContacts {
		x.Seen = map[netip.AddrPort]int64{} // a scanner is over its threshold long before
	}
	x.Seen[key] = now
	x.Hosts++
	if v.Action == event.Flow {
		x.Log += scanGood
	} else {
		x.Log += scanBad
		x.Failed++
		x.Refs = keepRef(x.Refs, e)
	}
	switch {
	case x.Log <= scanClear:
		*x = scanner{Seen: x.Seen, Spoke: x.Spoke, Low: x.Low}
	case x.Log >= scanHigh:
		if x.Spoke == 0 || apart(now, x.Spoke) >= scanPause {
			k := &scanSureKind
			if from {
				k = &scanOutsideKind
			}
			x.say(r, k, v)
			x.Spoke = now
		}
		*x = scanner{Seen: x.Seen, Spoke: x.Spoke, Low: now}
	case x.Log >= scanAlarm && !from && (x.Low == 0 || apart(now, x.Low) >= scanLowPause):
		x.say(r, &scanKind, v)
		x.Low = now
	}
}

func (x *scanner) say(r *report, k *Kind, v *event.View) {
	r.find(k, subject(v.SrcHost, v.Src), x.Refs, []detect.Matched{{Field: "src", Value: v.Src.String()}},
		fmt.Sprintf("%d of %d first contacts failed; ln Λ = %.1f", x.Failed, x.Hosts, x.Log))
}

// apart is how far two seconds since 1970 lie from each other, whichever is later.
func apart(a, b int64) time.Duration { return time.Duration(max(a-b, b-a)) * time.Second }

// subject is the name of a host, or its address where it has none.
func subject(name string, a netip.Addr) string {
	if name != "" {
		return name
	}
	if a.IsValid() {
		return a.String()
	}
	return ""
}
