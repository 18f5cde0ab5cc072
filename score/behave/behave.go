// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package behave says which steps of attacks the detectors of behaviour find, and
// how often they speak when nothing happens.
//
// It plays exercises, honest and not, and reads recorded alerts with labels. It
// promises the same table for the same plays. A step counts as found when a
// detector speaks of a machine of that step, within a time of it that stands with
// each class; that it speaks for that reason it does not know. Exercises are
// simulated; the recorded alerts are those of a test bed.
package behave

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"citywall/detect"
	"citywall/detect/behaviour"
	"citywall/exercise"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/score/noise"
)

// Step is one kind of step over all plays.
type Step struct {
	Name  string         `json:"name"`
	Items int            `json:"items"` // steps of that kind
	Plays int            `json:"plays"` // attacks that have any
	Found int            `json:"found"` // items that at least one detector found
	In    int            `json:"in"`    // attacks in which at least one was found
	By    map[string]int `json:"by"`    // items by detector
}

// Detector is what one detector said.
type Detector struct {
	Name   string `json:"name"`
	Level  string `json:"level"`  // the highest that it can say
	Benign int64  `json:"benign"` // findings on honest days
	Attack int64  `json:"attack"` // in attacks
	True   int64  `json:"true"`   // of these, about a machine or address of the attack after it began
}

// Result is the table.
type Result struct {
	BenignPlays  int        `json:"benign_plays"`
	BenignEvents int64      `json:"benign_events"`
	AttackPlays  int        `json:"attack_plays"`
	AttackEvents int64      `json:"attack_events"`
	Undecoded    int64      `json:"undecoded"`
	Steps        []Step     `json:"steps"`
	Detectors    []Detector `json:"detectors"`
}

// Per10k is findings on 10,000 benign events.
func (r *Result) Per10k(n int64) float64 {
	if r.BenignEvents == 0 {
		return 0
	}
	return float64(n) * 1e4 / float64(r.BenignEvents)
}

// Share is how many of the items of a class were found by one detector, by any of
// them when none is named; -1 when there are none.
func (r *Result) Share(step, detector string) float64 {
	for _, s := range r.Steps {
		if s.Name != step || s.Items == 0 {
			continue
		}
		if detector == "" {
			return float64(s.Found) / float64(s.Items)
		}
		return float64(s.By[detector]) / float64(s.Items)
	}
	return -1
}

// item is one thing that can be found: of a class, about machines, at a time.
type item struct {
	class    string
	names    map[string]bool // hosts and addresses that a finding may be about
	from, to time.Time
	by       map[string]bool
}

// window is how long before and after a step a detector may speak of it. A call
// home is known by its clock, and exfiltration when enough has left.
var window = map[string][2]time.Duration{
	"control": {0, 6 * time.Hour}, "exfiltration": {10 * time.Minute, 2 * time.Hour},
}

// classOf are kinds of moves as steps.
var classOf = map[string]string{"c2": "control", "rmm": "control", "exfiltration": "exfiltration", "vpn": "entry", "web": "entry"}

// itemsOf makes a list of the truth: one item for each class and machine, for each
// move between two machines.
func itemsOf(t *exercise.Truth) []item {
	addr := map[string]netip.Addr{}
	for _, h := range t.Hosts {
		addr[h.Host] = h.Addr
	}
	at := map[string]int{}
	var out []item
	add := func(class, key string, when time.Time, names ...string) {
		w, ok := window[class]
		if !ok {
			w = [2]time.Duration{15 * time.Minute, 45 * time.Minute}
		}
		from, to := when.Add(-w[0]), when.Add(w[1])
		i, known := at[class+" "+key]
		if !known {
			i = len(out)
			at[class+" "+key] = i
			out = append(out, item{class: class, names: map[string]bool{}, from: from, to: to, by: map[string]bool{}})
		}
		x := &out[i]
		if to.After(x.to) {
			x.to = to
		}
		for _, n := range names {
			x.names[n] = true
			if a, ok := addr[n]; ok {
				x.names[a.String()] = true
			}
		}
	}
	for _, s := range t.Steps {
		if len(s.Seen) > 0 {
			add(s.Step, s.Host, s.Time, s.Host)
			if s.Step == "recon" { // whose doing it is
				for _, a := range t.Suspicious {
					add(s.Step, s.Host, s.Time, a.String())
				}
			}
		}
	}
	for _, h := range t.Hops {
		class, ok := classOf[h.Kind]
		switch {
		case !ok:
			add("lateral", h.Src+" "+h.Dst, h.Time, h.Src, h.SrcAddr.String(), h.Dst, h.DstAddr.String())
		case class == "entry":
			add(class, h.Dst, h.Time, h.Dst, h.DstAddr.String(), h.Src, h.SrcAddr.String())
		default:
			add(class, h.Src, h.Time, h.Src, h.SrcAddr.String())
		}
	}
	return out
}

// about are the names that a finding may be meant by. What a machine tells of
// itself is not about whom it talks to: the subject alone counts, and both ends
// where an account or a share links them.
func about(f *detect.Finding) []string {
	out := []string{f.Host}
	if v := &f.View; f.Meaning.Subject != "host" {
		out = append(out, v.SrcHost)
		if v.Src.IsValid() {
			out = append(out, v.Src.String())
		}
	}
	return out
}

// heard is one play.
type heard struct {
	events, undecoded int64
	items             []item
	said, true        map[string]int64
}

func listen(ctx context.Context, p noise.Play, names map[string]string, told func(*detect.Finding, bool)) (heard, error) {
	h := heard{said: map[string]int64{}, true: map[string]int64{}}
	play, err := exercise.New(p.Scenario, p.Options)
	if err != nil {
		return h, err
	}
	truth := play.Truth()
	h.items = itemsOf(&truth)
	bad := map[string]bool{}
	for _, x := range truth.Hosts {
		bad[x.Host], bad[x.Addr.String()] = true, true
	}
	for _, a := range truth.Suspicious {
		bad[a.String()] = true
	}
	for _, x := range truth.Hops {
		bad[x.Src], bad[x.SrcAddr.String()] = true, true
	}
	set := behaviour.New()
	err = play.Lines(ctx, func(l exercise.Line) error {
		h.events++
		e, err := ingest.Record(l.Bytes, format.Pos{Seq: uint64(h.events)}, format.Source{Name: l.Source, Stream: l.Source, NotAfter: truth.End}) //nolint:gosec // counts up
		if err != nil {
			h.undecoded++
			return nil
		}
		for _, f := range set.Observe(e) {
			d := names[f.Rule.ID]
			h.said[d]++
			who := about(&f)
			hit := false
			if !p.NoAttack {
				hit = !f.Time.Before(truth.Entry.Time.Add(-time.Hour)) && slices.ContainsFunc(who, func(n string) bool { return bad[n] })
				for i := range h.items {
					x := &h.items[i]
					if !f.Time.Before(x.from) && !f.Time.After(x.to) && aims(d, x.class) && slices.ContainsFunc(who, func(n string) bool { return n != "" && x.names[n] }) {
						x.by[d] = true
					}
				}
			}
			if hit {
				h.true[d]++
			}
			if told != nil {
				told(&f, hit)
			}
		}
		return nil
	})
	return h, err
}

// classes are the steps that a detector is made to find. What else it says of the
// machines of an attack counts as true, and finds no step. The credentials of the
// exercises are read out of memory; who guesses them does so at the gateway.
var classes = map[string][]string{
	"scan": {"recon", "discovery"}, "fan-out": {"discovery", "lateral"}, "admin-shares": {"lateral"}, "edge": {"lateral"}, "hours": {"lateral"},
	"spray": {"entry"}, "beacon": {"control"}, "exfil": {"exfiltration"}, "tunnel": {"exfiltration", "control"}, "mass-file": {"encryption"},
}

// aims reports whether a detector is made for a class. Alerts are about anything.
func aims(detector, class string) bool {
	return detector == "alerts" || slices.Contains(classes[detector], class)
}

// aimed reports whether any detector is made for a class.
func aimed(class string) bool {
	for _, list := range classes {
		if slices.Contains(list, class) {
			return true
		}
	}
	return false
}

// Plays returns honest plays and attacks for n seeds: those that rules are counted
// on, and each script once more after a week of honest days, which baselines need,
// and once slowly.
func Plays(n int, first uint64) []noise.Play {
	out := append(noise.Benign(n, first), noise.Attacks(n, first)...)
	for i := range n {
		for _, sc := range exercise.Scenarios() {
			seed := first + uint64(i) //nolint:gosec // few
			out = append(out,
				noise.Play{Scenario: sc.Name, Knob: "week", Options: exercise.Options{Seed: seed, Days: 7}},
				noise.Play{Scenario: sc.Name, Knob: "slow", Options: exercise.Options{Seed: seed, Stealth: []exercise.Stealth{exercise.StealthSlow}}})
		}
	}
	return out
}

// Told is one finding, for whoever wants to see each.
type Told struct {
	Play    noise.Play
	Finding detect.Finding
	True    bool
}

// Run plays everything, so many at a time, and adds up. told may be nil; it is
// called by one goroutine at a time.
func Run(ctx context.Context, plays []noise.Play, workers int, told func(Told)) (Result, error) {
	names := detectorNames()
	all := make([]heard, len(plays))
	var mu sync.Mutex // guards told
	err := noise.Each(ctx, plays, workers, func(ctx context.Context, i int) (err error) {
		all[i], err = listen(ctx, plays[i], names, func(f *detect.Finding, hit bool) {
			if told != nil {
				mu.Lock()
				defer mu.Unlock()
				told(Told{plays[i], *f, hit})
			}
		})
		return err
	})
	if err != nil {
		return Result{}, err
	}
	return tally(plays, all), nil
}

func detectorNames() map[string]string {
	m := map[string]string{}
	for _, k := range behaviour.Kinds() {
		m[k.ID] = k.Detector
	}
	return m
}

// order is that of an attack; what a sensor cannot place stands last.
var order = []string{"recon", "entry", "web_shell", "execution", "persistence", "privilege", "credential", "discovery", "lateral", "control", "exfiltration", "evasion", "inhibit", "encryption", "note"}

func tally(plays []noise.Play, all []heard) Result {
	honest := make([]bool, len(plays))
	for i := range plays {
		honest[i] = plays[i].NoAttack
	}
	r := total(honest, all)
	slices.SortFunc(r.Steps, func(a, b Step) int { return place(a.Name) - place(b.Name) })
	return r
}

func total(honest []bool, all []heard) Result {
	var r Result
	levels := map[string]detect.Level{}
	for _, k := range behaviour.Kinds() {
		if _, ok := levels[k.Detector]; !ok {
			r.Detectors = append(r.Detectors, Detector{Name: k.Detector})
		}
		levels[k.Detector] = max(levels[k.Detector], k.Level)
	}
	steps := map[string]*Step{}
	for i, h := range all {
		r.Undecoded += h.undecoded
		for d := range r.Detectors {
			x := &r.Detectors[d]
			x.Level = levels[x.Name].String()
			if honest[i] {
				x.Benign += h.said[x.Name]
			} else {
				x.Attack += h.said[x.Name]
				x.True += h.true[x.Name]
			}
		}
		if honest[i] {
			r.BenignPlays++
			r.BenignEvents += h.events
			continue
		}
		r.AttackPlays++
		r.AttackEvents += h.events
		have, found := map[string]bool{}, map[string]bool{}
		for _, x := range h.items {
			s := steps[x.class]
			if s == nil {
				s = &Step{Name: x.class, By: map[string]int{}}
				steps[x.class] = s
			}
			s.Items++
			have[x.class] = true
			if len(x.by) > 0 {
				s.Found++
				found[x.class] = true
			}
			for d := range x.by {
				s.By[d]++
			}
		}
		for c := range have {
			steps[c].Plays++
		}
		for c := range found {
			steps[c].In++
		}
	}
	for _, c := range slices.Sorted(maps.Keys(steps)) {
		r.Steps = append(r.Steps, *steps[c])
	}
	return r
}

func place(name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}
