// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package score holds what an exercise's truth says against what Citywall
// found: entry, first moment, hosts, moves and their order, addresses, advice,
// and whom it accused wrongly.
//
// It promises that a figure is computed from the two records alone, that a bar
// says which figure it rests on, and that a truth without an attack is met only
// by accusing nobody. The bars are those of attackpath.md §9.4. It never looks
// at events and never tunes anything.
package score

import (
	"net/netip"
	"slices"
	"time"

	"citywall/asset"
	"citywall/exercise"
	"citywall/incident"
)

// Tolerances of a comparison.
const (
	// Near is how far the time of a found move may lie from the true one for the
	// two to be the same move.
	Near = time.Minute
	// Slack is what the clocks of two sensors may differ by: an interval that
	// misses the truth by less has not missed it.
	Slack = time.Second
)

// Bars of attackpath.md §9.4.
const (
	MinRecall    = 0.9
	MinPrecision = 0.9
	MinTau       = 0.95
)

// Result is one comparison. Ratios are 0 to 1; a ratio over nothing is 1.
type Result struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Attack   bool   `json:"attack"`             // the truth holds one
	Incident string `json:"incident,omitempty"` // id of the incident compared: the one with most of the truth's hosts
	Pieces   int    `json:"pieces"`             // incidents that hold a compromised host of the truth
	False    int    `json:"false"`              // incidents that accuse hosts, none of them rightly

	EntryHost     string        `json:"entry_host"` // as found
	EntryRight    bool          `json:"entry_right"`
	Interval      bool          `json:"interval"`       // holds the true first moment
	FirstError    time.Duration `json:"first_error"`    // found first bad minus true first moment
	Width         time.Duration `json:"width"`          // of the interval; 0 when open below
	HostRecall    float64       `json:"host_recall"`    // of compromised hosts
	HostPrecision float64       `json:"host_precision"` //
	HopRecall     float64       `json:"hop_recall"`     // of moves: ends, kind and time
	HopPrecision  float64       `json:"hop_precision"`  //
	KindRight     float64       `json:"kind_right"`     // of the moves whose ends are right
	Tau           float64       `json:"tau"`            // Kendall's, over the moves that were found
	HopError      time.Duration `json:"hop_error"`      // median distance in time of those
	Invented      int           `json:"invented"`       // moves graded observed between ends that never met
	SuspectRecall float64       `json:"suspect_recall"` // of the intruder's addresses
	SuspectShare  float64       `json:"suspect_precision"`
	IsolateRecall float64       `json:"isolate_recall"` // of hosts that should be cut off
	IsolateWrong  int           `json:"isolate_wrong"`  // hosts that should not
	Accused       []string      `json:"accused"`        // innocents called compromised, in any incident

	Graded map[incident.Grade]Share `json:"graded,omitempty"` // how often each grade of move is right

	MissedHosts []string            `json:"missed_hosts,omitempty"`
	ExtraHosts  []string            `json:"extra_hosts,omitempty"`
	MissedHops  []exercise.TruthHop `json:"missed_hops,omitempty"`
	ExtraHops   []incident.Hop      `json:"extra_hops,omitempty"`

	Pass bool  `json:"pass"`
	Bars []Bar `json:"bars"`
}

// Share is how many of some are so.
type Share struct {
	True int `json:"true"`
	Of   int `json:"of"`
}

// Bar is one condition of passing. Code is a key below "score.bar." in
// internal/text.
type Bar struct {
	Code  string `json:"code"`
	Pass  bool   `json:"pass"`
	Found string `json:"found"`
	Want  string `json:"want"`
}

// Compare holds the truth against the incidents of one investigation. Moves of
// which no record is left (Truth.Lost) need not be found; whoever finds one is
// right all the same.
func Compare(t exercise.Truth, incs []incident.Incident) Result {
	r := Result{Scenario: t.Scenario, Seed: t.Seed, Attack: len(t.Hosts) > 0, Accused: []string{}}
	guilty := map[string]bool{}
	for _, h := range t.Hosts {
		guilty[h.Host] = true
	}
	best, most := -1, 0
	for i, in := range incs {
		hit, accused := 0, 0
		for _, h := range in.Hosts {
			if !h.Compromised || h.External {
				continue
			}
			accused++
			if name, ok := known(t, h); ok {
				if guilty[name] {
					hit++
				}
			}
			if n := asset.HostName(h.Host); slices.Contains(t.Innocent, n) && !slices.Contains(r.Accused, n) {
				r.Accused = append(r.Accused, n)
			}
		}
		switch {
		case hit > 0:
			r.Pieces++
		case accused > 0:
			r.False++
		}
		if hit > most {
			best, most = i, hit
		}
	}
	slices.Sort(r.Accused)
	if !r.Attack {
		r.HostRecall, r.HostPrecision, r.HopRecall, r.HopPrecision, r.KindRight, r.Tau, r.SuspectRecall, r.SuspectShare, r.IsolateRecall = 1, 1, 1, 1, 1, 1, 1, 1, 1
	} else if best >= 0 {
		r.compare(t, incs[best])
	} else {
		for _, h := range t.Hosts {
			r.MissedHosts = append(r.MissedHosts, h.Host)
		}
		r.MissedHops = t.Hops
	}
	r.judge()
	return r
}

// known returns the truth's name of a found host, by name or by address.
func known(t exercise.Truth, h incident.HostState) (string, bool) {
	n := asset.HostName(h.Host)
	for _, x := range t.Hosts {
		if x.Host == n || slices.Contains(h.Addresses, x.Addr) || n == x.Addr.String() {
			return x.Host, true
		}
	}
	return n, false
}

func (r *Result) compare(t exercise.Truth, in incident.Incident) {
	r.Incident = in.ID
	if fc := in.FirstCompromise; fc != nil {
		r.EntryHost = asset.HostName(fc.Host)
		r.EntryRight = r.EntryHost == t.Entry.Host || fc.Addr.IsValid() && fc.Addr == t.Entry.Addr
		if r.EntryHost == "" && fc.Addr.IsValid() {
			r.EntryHost = fc.Addr.String()
		}
		r.FirstError = fc.Latest.Sub(t.Entry.Time)
		r.Interval = r.EntryRight && !fc.Latest.Before(t.Entry.Time.Add(-Slack)) && (fc.LowerOpen || !fc.Earliest.After(t.Entry.Time.Add(Slack)))
		if !fc.LowerOpen {
			r.Width = fc.Latest.Sub(fc.Earliest)
		}
	}
	r.hosts(t, in)
	r.hops(t, in)
	var found []netip.Addr
	for _, s := range in.Suspicious {
		found = append(found, s.Addr)
	}
	r.SuspectRecall, r.SuspectShare = overlap(t.Suspicious, found)
}

func (r *Result) hosts(t exercise.Truth, in incident.Incident) {
	var want, found, isolate []string
	for _, h := range t.Hosts {
		want = append(want, h.Host)
	}
	for _, h := range in.Hosts {
		if h.External {
			continue
		}
		name, _ := known(t, h)
		if h.Compromised && !slices.Contains(found, name) {
			found = append(found, name)
		}
		if (h.Isolate == "now" || h.Isolate == "two_people") && !slices.Contains(isolate, name) {
			isolate = append(isolate, name)
		}
	}
	r.HostRecall, r.HostPrecision = overlap(want, found)
	r.MissedHosts, r.ExtraHosts = minus(want, found), minus(found, want)
	r.IsolateRecall, _ = overlap(t.Isolate, isolate)
	r.IsolateWrong = len(minus(isolate, t.Isolate))
}

// overlap returns recall and precision of found against want.
func overlap[T comparable](want, found []T) (recall, precision float64) {
	hit := 0
	for _, w := range want {
		if slices.Contains(found, w) {
			hit++
		}
	}
	right := 0
	for _, f := range found {
		if slices.Contains(want, f) {
			right++
		}
	}
	return ratio(hit, len(want)), ratio(right, len(found))
}

func ratio(n, of int) float64 {
	if of == 0 {
		return 1
	}
	return float64(n) / float64(of)
}

// minus returns what a has and b has not.
func minus(a, b []string) []string {
	var out []string
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
