// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package noise counts what rules say on days on which nothing happens, and
// holds it against what they say of attacks.
//
// It plays exercises, benign ones and attacks, through the decoders of live
// records and the matcher, and counts findings for each rule. It promises the
// same figures for the same rules, plays and seeds, and that a rule which counts
// over time starts every play with an empty memory. The days are simulated: a
// figure of real traffic it is not, and a rule for a product that no exercise
// has is silent on both sides.
package noise

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/exercise"
	"citywall/ingest"
	"citywall/ingest/format"
)

// Play is one exercise to be played.
type Play struct {
	Scenario string
	Knob     string // what differs from the plain city
	exercise.Options
}

// Name is scenario/knob/seed.
func (p Play) Name() string { return fmt.Sprintf("%s/%s/%d", p.Scenario, p.Knob, p.Seed) }

type knob struct {
	name string
	set  func(*exercise.Options)
}

// benign varies what honest days differ in: size, business, length, what the
// sensors see and how wrong clocks are.
var benign = []knob{
	{"plain", func(*exercise.Options) {}},
	{"small", func(o *exercise.Options) { o.Devices = 60 }},
	{"large", func(o *exercise.Options) { o.Devices = 600 }},
	{"busy", func(o *exercise.Options) { o.Rate = 3 }},
	{"cgnat", func(o *exercise.Options) { o.CGNAT = true }},
	{"sampled", func(o *exercise.Options) { o.Sample = 100 }},
	{"clock-10m", func(o *exercise.Options) { o.Clock = exercise.MaxClock }},
	{"week", func(o *exercise.Options) { o.Days = 7 }},
}

// attacks varies how an intruder goes about it.
var attacks = []knob{
	{"plain", func(*exercise.Options) {}},
	{"own-tools", func(o *exercise.Options) { o.Stealth = []exercise.Stealth{exercise.StealthTools} }},
	{"admin-pairs", func(o *exercise.Options) { o.Stealth = []exercise.Stealth{exercise.StealthPairs} }},
}

// Benign returns every kind of honest day with n seeds each, from first on.
// Scripts differ in their hours and days even when nobody follows them, so they
// take turns.
func Benign(n int, first uint64) []Play {
	scripts := exercise.Scenarios()
	var out []Play
	for i := range n {
		for _, k := range benign {
			p := Play{Scenario: scripts[len(out)%len(scripts)].Name, Knob: "benign-" + k.name, Options: exercise.Options{Seed: first + uint64(i), NoAttack: true}}
			k.set(&p.Options)
			out = append(out, p)
		}
	}
	return out
}

// Attacks returns every script with every way to go about it, with n seeds
// each.
func Attacks(n int, first uint64) []Play {
	var out []Play
	for i := range n {
		for _, sc := range exercise.Scenarios() {
			for _, k := range attacks {
				p := Play{Scenario: sc.Name, Knob: k.name, Options: exercise.Options{Seed: first + uint64(i)}}
				k.set(&p.Options)
				out = append(out, p)
			}
		}
	}
	return out
}

// Count is what one rule said.
type Count struct {
	Rule        detect.Rule    `json:"rule"`
	Meaning     detect.Meaning `json:"meaning"`
	Benign      int64          `json:"benign"`       // findings on benign days
	BenignPlays int            `json:"benign_plays"` // plays with at least one
	Attack      int64          `json:"attack"`
	AttackPlays int            `json:"attack_plays"`
	Scenarios   []string       `json:"scenarios,omitempty"` // scripts whose attack it saw
}

// Result is what all rules said. Rules that said nothing are in it.
type Result struct {
	BenignPlays  int           `json:"benign_plays"`
	BenignEvents int64         `json:"benign_events"`
	AttackPlays  int           `json:"attack_plays"`
	AttackEvents int64         `json:"attack_events"`
	Undecoded    int64         `json:"undecoded"` // lines that no decoder understood
	Rules        []Count       `json:"rules"`
	Took         time.Duration `json:"-"`
}

// Per10k is the findings of a rule on 10,000 benign events.
func (r Result) Per10k(c Count) float64 {
	if r.BenignEvents == 0 {
		return 0
	}
	return float64(c.Benign) * 1e4 / float64(r.BenignEvents)
}

// Loud returns the rules that break the bar for benign days: one of level high
// or critical, or one that accuses a host or ends a search, must say nothing.
func (r Result) Loud() []Count {
	return slices.DeleteFunc(slices.Clone(r.Rules), func(c Count) bool {
		return c.Benign == 0 || c.Rule.Level < detect.High && !c.Meaning.Compromise && !c.Meaning.Anchor
	})
}

// MediumPer10k is the findings of level medium and more on 10,000 benign
// events. The bar is 1.
func (r Result) MediumPer10k() float64 {
	n := 0.0
	for _, c := range r.Rules {
		if c.Rule.Level >= detect.Medium {
			n += r.Per10k(c)
		}
	}
	return n
}

// Heard is what rules said in one play.
type Heard struct {
	Play
	Events    int64
	Undecoded int64
	Findings  map[string]int64 // by rule id
}

// Listen plays one exercise. With found, every finding is handed to it.
func Listen(ctx context.Context, sets []sigma.Set, p Play, found func(detect.Finding)) (Heard, error) {
	h := Heard{Play: p, Findings: map[string]int64{}}
	e, _, err := sigma.Load(sets, sigma.Options{})
	if err != nil {
		return h, err
	}
	play, err := exercise.New(p.Scenario, p.Options)
	if err != nil {
		return h, err
	}
	m := e.NewMatcher()
	end := play.Truth().End
	err = play.Lines(ctx, func(l exercise.Line) error {
		h.Events++
		ev, err := ingest.Record(l.Bytes, format.Pos{Seq: uint64(h.Events)}, format.Source{Name: l.Source, Stream: l.Source, NotAfter: end})
		if err != nil {
			h.Undecoded++
			return nil
		}
		for _, f := range m.Match(ev) {
			h.Findings[f.Rule.ID]++
			if found != nil {
				found(f)
			}
		}
		return nil
	})
	return h, err
}

// Run plays everything, so many at a time, and counts.
func Run(ctx context.Context, sets []sigma.Set, plays []Play, workers int, told func(Heard)) (Result, error) {
	began := time.Now()
	e, _, err := sigma.Load(sets, sigma.Options{})
	if err != nil {
		return Result{}, err
	}
	heard := make([]Heard, len(plays))
	var mu sync.Mutex // guards told
	err = Each(ctx, plays, workers, func(ctx context.Context, i int) error {
		h, err := Listen(ctx, sets, plays[i], nil)
		if err != nil {
			return err
		}
		heard[i] = h
		if told != nil {
			mu.Lock()
			defer mu.Unlock()
			told(h)
		}
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	r := tally(e.Rules(), heard)
	r.Took = time.Since(began)
	return r, nil
}

// Each calls f for every play, so many at a time. The first error ends it.
func Each(ctx context.Context, plays []Play, workers int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(1, workers) {
		wg.Go(func() {
			for i := range next {
				if err := f(ctx, i); err != nil {
					cancel(fmt.Errorf("play %s: %w", plays[i].Name(), err))
				}
			}
		})
	}
	for i := range plays {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// tally adds up, the noisiest rule first.
func tally(rules []*sigma.Rule, heard []Heard) Result {
	var r Result
	at := map[string]int{}
	for _, x := range rules {
		if x.Link {
			continue
		}
		at[x.ID] = len(r.Rules)
		r.Rules = append(r.Rules, Count{Rule: x.Rule, Meaning: x.Meaning})
	}
	for _, h := range heard {
		r.Undecoded += h.Undecoded
		if h.NoAttack {
			r.BenignPlays++
			r.BenignEvents += h.Events
		} else {
			r.AttackPlays++
			r.AttackEvents += h.Events
		}
		for id, n := range h.Findings {
			c := &r.Rules[at[id]]
			if h.NoAttack {
				c.Benign += n
				c.BenignPlays++
				continue
			}
			c.Attack += n
			c.AttackPlays++
			if !slices.Contains(c.Scenarios, h.Scenario) {
				c.Scenarios = append(c.Scenarios, h.Scenario)
			}
		}
	}
	for i := range r.Rules {
		slices.Sort(r.Rules[i].Scenarios)
	}
	slices.SortFunc(r.Rules, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Benign, a.Benign), cmp.Compare(b.Rule.Level, a.Rule.Level), cmp.Compare(b.Attack, a.Attack), strings.Compare(a.Rule.File, b.Rule.File))
	})
	return r
}
