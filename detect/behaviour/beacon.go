// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"citywall/detect"
	"citywall/event"
)

const (
	beaconContacts = 24               // contacts that a judgement rests on at least
	beaconMost     = 64               // and at most: the last ones
	beaconSpan     = 30 * time.Minute // that they must cover
	beaconEvery    = 4                // contacts from one judgement to the next
	beaconSpread   = 0.15             // median deviation of the intervals against their median
	beaconShort    = 20 * time.Second // median interval below which it is a conversation
	beaconCommon   = 6                // sources from which on a destination is not rare
	beaconPairs    = 50_000
	beaconDsts     = 50_000
	beaconPause    = 24 * time.Hour
	beaconSilent   = 6 * time.Hour // after which another sensor is listened to
)

var beaconKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1601", Detector: "beacon", Title: "A host calls an address outside by the clock", Level: detect.Low,
	Formula: "The last 24 to 64 contacts to one address and port outside, over at least half an hour, whose intervals have a median of 20 seconds or more and a median absolute deviation of at most 0.15 of it; the address is one to which fewer than 6 sources turned",
	Meaning: detect.Meaning{Step: detect.StepControl, Technique: "T1071", Techniques: []string{"T1071", "T1573"}, Subject: "src"},
	Tags:    []string{"attack.command-and-control", "attack.t1071"},
}

// beacon looks at the intervals of contacts.
type beacon struct {
	Pairs table[pair, caller]             `json:"pairs"`
	Dsts  table[netip.Addr, []netip.Addr] `json:"dsts"` // who turned to an address, at most beaconCommon
	house *house
}

// pair is who turns to whom.
type pair struct {
	Src, Dst netip.Addr
	Port     uint16
}

// MarshalText implements encoding.TextMarshaler.
func (p pair) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s %s %d", p.Src, p.Dst, p.Port), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *pair) UnmarshalText(b []byte) error {
	var src, dst string
	if _, err := fmt.Sscanf(string(b), "%s %s %d", &src, &dst, &p.Port); err != nil {
		return fmt.Errorf("pair %q: %w", b, err)
	}
	var err1, err2 error
	p.Src, err1 = netip.ParseAddr(src)
	p.Dst, err2 = netip.ParseAddr(dst)
	return errors.Join(err1, err2)
}

// caller is one source, destination and port.
type caller struct {
	At    []int64 `json:"at"` // milliseconds of the last contacts, in order
	By    string  `json:"by"` // the sensor that told of them: what others tell are the same contacts
	Refs  []ref   `json:"refs,omitempty"`
	Count int     `json:"count"` // contacts since the last judgement
	Spoke int64   `json:"spoke,omitempty"`
}

func newBeacon(h *house) *beacon {
	return &beacon{Pairs: newTable[pair, caller](beaconPairs), Dsts: newTable[netip.Addr, []netip.Addr](beaconDsts), house: h}
}

func (*beacon) name() string       { return "beacon" }
func (s *beacon) forgotten() int64 { return s.Pairs.Gone + s.Dsts.Gone }

func (s *beacon) observe(r *report, e *event.Event, v *event.View) {
	// Time and names are asked for by the clock, honestly.
	if v.Action != event.Flow || !v.Src.IsValid() || v.DstPort == 53 || v.DstPort == 123 || s.house.outside(v.Src) || !s.house.outside(v.Dst) {
		return
	}
	callers := s.Dsts.make(v.Dst)
	if len(*callers) < beaconCommon && !slices.Contains(*callers, v.Src) {
		*callers = append(*callers, v.Src)
	}
	if len(*callers) >= beaconCommon {
		return // it stays so for as long as anybody turns to it
	}
	x := s.Pairs.make(pair{v.Src, v.Dst, v.DstPort})
	now := e.Time.UnixMilli()
	if n := len(x.At); n == 0 || now-x.At[n-1] > int64(beaconSilent/time.Millisecond) || sameSensor(x.By, e, v) {
		if n == 0 || !sameSensor(x.By, e, v) {
			x.By, x.At, x.Refs = e.Product+" "+v.Observer, x.At[:0], nil
		}
	} else {
		return
	}
	at, same := slices.BinarySearch(x.At, now)
	if same || at == 0 && len(x.At) == beaconMost {
		return // the same moment again, or one that comes too late
	}
	x.At = slices.Insert(x.At, at, now)
	x.Refs = keepRef(x.Refs, e)
	if len(x.At) > beaconMost {
		x.At = slices.Delete(x.At, 0, 1)
	}
	x.Count++
	if len(x.At) < beaconContacts || x.Count < beaconEvery || x.Spoke != 0 && apart(now/1000, x.Spoke) < beaconPause {
		return
	}
	x.Count = 0
	span := time.Duration(x.At[len(x.At)-1]-x.At[0]) * time.Millisecond
	mid, spread := regularity(x.At)
	if span < beaconSpan || mid < beaconShort || spread > beaconSpread {
		return
	}
	x.Spoke = now / 1000
	r.find(&beaconKind, subject(v.SrcHost, v.Src), x.Refs, []detect.Matched{{Field: "src", Value: v.Src.String()}, {Field: "dst", Value: v.Dst.String()}},
		fmt.Sprintf("%d contacts in %s, every %s in the median, deviation %.2f of it; %d sources turned to it", len(x.At), span.Round(time.Second), mid.Round(time.Second), spread, len(*callers)))
}

// sameSensor reports whether the event is told by the sensor of that name.
func sameSensor(by string, e *event.Event, v *event.View) bool {
	n := len(e.Product)
	return len(by) == n+1+len(v.Observer) && by[:n] == e.Product && by[n+1:] == v.Observer
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
