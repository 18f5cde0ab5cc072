// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"citywall/detect"
	"citywall/event"
)

const (
	exfilParts    = 12 // five minutes each: the hour that slides
	exfilPart     = 5 * time.Minute
	exfilHistory  = 28        // days remembered
	exfilBaseline = 2         // days on which a host was seen before it is judged
	exfilFloor    = 100 << 20 // bytes in an hour below which nothing is said
	exfilZ        = 6.0
	exfilLeast    = 0.5 // least deviation, in powers of two: z = 6 is then a factor of 8
	exfilSlack    = 0.5 // k of the cumulative sum, in deviations
	exfilSum      = 6.0 // h
	exfilMostZ    = 4.0 // one day counts no more
	exfilSensors  = 3   // that may tell of the same flows
	exfilHosts    = 40_000
	exfilPause    = 12 * time.Hour
)

var exfilKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1901", Detector: "exfil", Title: "A host sends out far more than it ever does", Level: detect.Medium,
	Formula: "Bytes that a host sent to addresses outside in a sliding hour, y = log2(1 MiB + bytes), against the highest such hour of each of its earlier days (at most 28): z = (y − median) / max(0.5, 1.4826·MAD) ≥ 6, and at least 100 MiB. Of several sensors the one that saw most counts; sampled flows are multiplied by their rate",
	Meaning: detect.Meaning{Step: detect.StepExfil, Technique: "T1048", Techniques: []string{"T1048", "T1567", "T1041"}, Subject: "src"},
	Tags:    []string{"attack.exfiltration", "attack.t1048", "attack.t1567", "attack.t1041"},
}

var exfilSlowKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1902", Detector: "exfil", Title: "A host sends out more than usual, day after day", Level: detect.Low,
	Formula: "Cumulative sum over days: S ← max(0, S + min(z, 4) − 0.5) ≥ 6, where z = (y − median) / max(0.5, 1.4826·MAD), y = log2(1 MiB + bytes of the day to addresses outside), over at most 28 days before S left 0; at least 100 MiB that day",
	Meaning: exfilKind.Meaning, Tags: exfilKind.Tags,
}

// exfil compares what hosts send out with what they sent on earlier days.
type exfil struct {
	Hosts table[netip.Addr, sender] `json:"hosts"`
	house *house
}

// sender is one host of the house.
type sender struct {
	Day     int32     `json:"day"` // the last, local
	Sensors []volume  `json:"sensors,omitempty"`
	Past    []sentDay `json:"past,omitempty"` // earlier days on which it was seen, in order
	Usual   usual     `json:"usual"`          // of the highest hours of Past
	Rested  usual     `json:"rested"`         // of the days of Past before Sum left 0
	Sum     float64   `json:"sum,omitempty"`  // cumulative, of the days in Past
	Rest    int       `json:"rest,omitempty"` // days in Past when the sum left 0
	Refs    []ref     `json:"refs,omitempty"`
	Spoke   int64     `json:"spoke,omitempty"`
	Slow    int64     `json:"slow,omitempty"` // second in which the sum was told
}

// sentDay is what a host sent out on one day.
type sentDay struct {
	Hour int64 `json:"hour"` // most in an hour
	All  int64 `json:"all"`
}

// usual is the median and the robust deviation of volumes, in powers of two.
type usual struct {
	Mid float64 `json:"mid"`
	Dev float64 `json:"dev"`
}

// volume is what one sensor saw a host send out today.
type volume struct {
	Sensor string            `json:"sensor"`
	At     int64             `json:"at"` // newest part
	Parts  [exfilParts]int64 `json:"parts"`
	Most   int64             `json:"most"` // in an hour of today
	All    int64             `json:"all"`
}

func newExfil(h *house) *exfil {
	return &exfil{Hosts: newTable[netip.Addr, sender](exfilHosts), house: h}
}

func (*exfil) name() string       { return "exfil" }
func (s *exfil) forgotten() int64 { return s.Hosts.Gone }

func (s *exfil) observe(r *report, e *event.Event, v *event.View) {
	if v.Action != event.Flow || v.BytesOut == 0 && v.BytesIn == 0 || !v.Src.IsValid() || !v.Dst.IsValid() || v.Dst.IsMulticast() {
		return
	}
	// What is told while it goes on (FortiOS 20) is told again at its end.
	if strings.HasSuffix(v.EventID, "0000000020") {
		return
	}
	day, to := localDay(e.Time), s.house.outside(v.Dst)
	if !to { // who is turned to is there, even when it sends nothing out
		s.Hosts.make(v.Dst).turn(day)
	}
	if s.house.outside(v.Src) { // what a server answers is its work, and no baseline of it is steady
		return
	}
	x := s.Hosts.make(v.Src)
	x.turn(day)
	if !to {
		return
	}
	if day < x.Day || v.BytesOut == 0 {
		return
	}
	n := v.BytesOut
	if v.Sampling > 1 {
		n = min(n, math.MaxInt64/v.Sampling/4) * v.Sampling
	}
	y := x.by(e.Product + " " + v.Observer)
	if y == nil {
		return
	}
	hour := y.add(e.Time.Unix(), n)
	if n > exfilFloor/100 {
		x.Refs = keepRef(x.Refs, e)
	}
	if hour < exfilFloor && y.All < exfilFloor || len(x.Past) < exfilBaseline {
		return
	}
	now := e.Time.Unix()
	if z := x.Usual.z(hour); hour >= exfilFloor && z >= exfilZ && (x.Spoke == 0 || apart(now, x.Spoke) >= exfilPause) {
		x.Spoke = now
		r.find(&exfilKind, subject(v.SrcHost, v.Src), x.Refs, x.matched(v),
			fmt.Sprintf("%s in an hour, as %s saw it; on earlier days the highest hour had %s in the median: z = %.1f; the baseline rests on %d days", mib(hour), y.Sensor, x.Usual, z, len(x.Past)))
	}
	z := x.Rested.z(y.All)
	sum := max(0, x.Sum+min(z, exfilMostZ)-exfilSlack)
	if y.All >= exfilFloor && sum >= exfilSum && x.running() > 0 && (x.Slow == 0 || apart(now, x.Slow) >= 24*time.Hour) {
		x.Slow = now
		r.find(&exfilSlowKind, subject(v.SrcHost, v.Src), x.Refs, x.matched(v),
			fmt.Sprintf("%s today, as %s saw it; %s in the median of %d days before: z = %.1f; S = %.1f over %d days", mib(y.All), y.Sensor, x.Rested, len(x.Past)-x.running(), z, sum, x.running()+1))
	}
}

func (x *sender) matched(v *event.View) []detect.Matched {
	return []detect.Matched{{Field: "src", Value: v.Src.String()}, {Field: "dst", Value: v.Dst.String()}}
}

// running is how many of the last days the sum is made of.
func (x *sender) running() int {
	if x.Sum == 0 {
		return 0
	}
	return min(len(x.Past)-x.Rest, len(x.Past))
}

// turn files the last day when another has begun.
func (x *sender) turn(day int32) {
	if x.Day == 0 {
		x.Day = day
	}
	if day <= x.Day {
		return
	}
	var d sentDay
	for _, y := range x.Sensors {
		d.Hour, d.All = max(d.Hour, y.Most), max(d.All, y.All)
	}
	if len(x.Past) >= exfilBaseline {
		before := x.Sum
		if x.Sum = max(0, x.Sum+min(x.Rested.z(d.All), exfilMostZ)-exfilSlack); before == 0 && x.Sum > 0 {
			x.Rest = len(x.Past)
		}
	}
	x.Past = append(x.Past, d)
	if len(x.Past) > exfilHistory {
		x.Past = slices.Delete(x.Past, 0, 1)
		if x.Rest--; x.Rest < exfilBaseline { // what went on so long is how it is
			x.Sum, x.Rest = 0, 0
		}
	}
	x.Usual = usually(x.Past, func(d sentDay) int64 { return d.Hour })
	x.Rested = usually(x.Past[:len(x.Past)-x.running()], func(d sentDay) int64 { return d.All })
	x.Day, x.Sensors, x.Refs = day, x.Sensors[:0], nil
}

// by is what one sensor saw, nil when there are too many.
func (x *sender) by(sensor string) *volume {
	for i := range x.Sensors {
		if x.Sensors[i].Sensor == sensor {
			return &x.Sensors[i]
		}
	}
	if len(x.Sensors) >= exfilSensors {
		return nil
	}
	x.Sensors = append(x.Sensors, volume{Sensor: sensor})
	return &x.Sensors[len(x.Sensors)-1]
}

// add counts n bytes and gives the sum of the hour.
func (y *volume) add(now, n int64) (hour int64) {
	y.All += n
	part := now / int64(exfilPart/time.Second)
	if part-y.At >= exfilParts {
		y.Parts, y.At = [exfilParts]int64{}, part
	}
	for y.At < part {
		y.At++
		y.Parts[y.At%exfilParts] = 0
	}
	if y.At-part < exfilParts {
		y.Parts[part%exfilParts] += n
	}
	for _, p := range y.Parts {
		hour += p
	}
	y.Most = max(y.Most, hour)
	return hour
}

// usually is what is usual of some days.
func usually(days []sentDay, of func(sentDay) int64) usual {
	var ys [exfilHistory]float64
	list := ys[:0]
	for _, d := range days {
		list = append(list, volumeLog(of(d)))
	}
	m := median(list)
	for i := range list {
		list[i] = math.Abs(list[i] - m)
	}
	return usual{m, max(exfilLeast, 1.4826*median(list))}
}

// z is how many deviations n lies above what is usual.
func (u usual) z(n int64) float64 { return (volumeLog(n) - u.Mid) / max(u.Dev, exfilLeast) }

func (u usual) String() string { return mib(int64(math.Exp2(u.Mid)) - 1<<20) }

func volumeLog(n int64) float64 { return math.Log2(float64(n) + 1<<20) }

// median sorts the list.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return (list[len(list)/2] + list[(len(list)-1)/2]) / 2
}

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// localDay is the number of days since 1970 in Taipei.
func localDay(t time.Time) int32 { return int32((t.Unix() + 8*3600) / 86400) } //nolint:gosec // a day
