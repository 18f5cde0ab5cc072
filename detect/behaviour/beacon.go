// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"citywall/detect"
	"citywall/event"
)

const (
	beaconContacts = 24               // contacts that a judgement rests on
	beaconSpan     = time.Hour        // that they must cover
	beaconSpread   = 0.15             // median deviation of the intervals against their median
	beaconShort    = 20 * time.Second // median interval below which it is a conversation
	beaconCommon   = 6                // sources from which on a destination is not rare
	beaconPairs    = 50_000
	beaconDsts     = 50_000
	beaconPause    = 24 * time.Hour
)

var beaconKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1601", Title: "A host calls an address outside by the clock", Level: detect.Low,
	Formula: "24 contacts to one address and port outside over at least an hour, whose intervals have a median of 20 seconds or more and a median absolute deviation of at most 0.15 of it; the address is one to which fewer than 6 sources turned",
	Meaning: detect.Meaning{Step: detect.StepControl, Technique: "T1071", Techniques: []string{"T1071", "T1573"}, Subject: "src"},
	Tags:    []string{"attack.command-and-control", "attack.t1071"},
}

// beacon looks at the intervals of contacts.
type beacon struct {
	Pairs table[caller]          `json:"pairs"`
	Dsts  table[map[string]bool] `json:"dsts"` // who turned to an address, at most beaconCommon
}

// caller is one source, destination and port.
type caller struct {
	At    []int64 `json:"at"` // milliseconds of the last contacts, in order
	Refs  []ref   `json:"refs,omitempty"`
	Spoke int64   `json:"spoke,omitempty"`
}

func newBeacon() *beacon {
	return &beacon{Pairs: newTable[caller](beaconPairs), Dsts: newTable[map[string]bool](beaconDsts)}
}

func (*beacon) name() string       { return "beacon" }
func (s *beacon) forgotten() int64 { return s.Pairs.Gone + s.Dsts.Gone }

func (s *beacon) observe(r *report, e *event.Event, v *event.View) {
	// Time and names are asked for by the clock, honestly.
	if v.Action != event.Flow || !v.Src.IsValid() || outside(v.Src) || !outside(v.Dst) || v.DstPort == 53 || v.DstPort == 123 {
		return
	}
	callers := s.Dsts.make(v.Dst.String())
	if *callers == nil {
		*callers = map[string]bool{}
	}
	if len(*callers) < beaconCommon {
		(*callers)[v.Src.String()] = true
	}
	x := s.Pairs.make(v.Src.String() + " " + v.Dst.String() + " " + strconv.FormatUint(uint64(v.DstPort), 10))
	now := e.Time.UnixMilli()
	at, same := slices.BinarySearch(x.At, now)
	if same || at == 0 && len(x.At) == beaconContacts {
		return // the same contact told by another sensor, or one that comes too late
	}
	x.At = slices.Insert(x.At, at, now)
	x.Refs = keepRef(x.Refs, e)
	if len(x.At) > beaconContacts {
		x.At = slices.Delete(x.At, 0, 1)
	}
	if len(x.At) < beaconContacts || len(*callers) >= beaconCommon || x.Spoke != 0 && apart(now/1000, x.Spoke) < beaconPause {
		return
	}
	span := time.Duration(x.At[len(x.At)-1]-x.At[0]) * time.Millisecond
	mid, spread := regularity(x.At)
	if span < beaconSpan || mid < beaconShort || spread > beaconSpread {
		return
	}
	x.Spoke = now / 1000
	r.find(&beaconKind, subject(v.SrcHost, v.Src), x.Refs, []detect.Matched{{Field: "src", Value: v.Src.String()}, {Field: "dst", Value: v.Dst.String()}},
		fmt.Sprintf("%d contacts in %s, every %s in the median, deviation %.2f of it; %d sources turned to it", len(x.At), span.Round(time.Second), mid.Round(time.Second), spread, len(*callers)))
}

// regularity is the median of the intervals between times in milliseconds, and
// their median absolute deviation as a share of it.
func regularity(at []int64) (mid time.Duration, spread float64) {
	gaps := make([]int64, len(at)-1)
	for i := range gaps {
		gaps[i] = at[i+1] - at[i]
	}
	slices.Sort(gaps)
	m := gaps[len(gaps)/2]
	for i := range gaps {
		gaps[i] = max(gaps[i]-m, m-gaps[i])
	}
	slices.Sort(gaps)
	return time.Duration(m) * time.Millisecond, float64(gaps[len(gaps)/2]) / float64(max(m, 1))
}
