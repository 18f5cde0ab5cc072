// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"slices"
	"testing"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/exercise"
	"citywall/rules"
)

func pack() []sigma.Set { return []sigma.Set{{Name: "citywall", FS: rules.FS}} }

func report(t *testing.T, r Result) {
	t.Helper()
	t.Logf("%d benign events, %d of attacks, %d lines not understood", r.BenignEvents, r.AttackEvents, r.Undecoded)
	for _, c := range r.Rules {
		if c.Benign+c.Attack > 0 {
			t.Logf("%7d %7.2f per 10,000  %7d in attacks  %s %s", c.Benign, r.Per10k(c), c.Attack, c.Rule.Level, c.Rule.Title)
		}
	}
}

// TestHonestCity: in a city in which nothing happens no rule says that a host
// is in foreign hands, none of level high fires, and the rest stays rare.
func TestHonestCity(t *testing.T) {
	if testing.Short() {
		t.Skip("long: plays three days of a city")
	}
	r, err := Run(t.Context(), pack(), []Play{{"hospital", "benign", exercise.Options{Seed: 11, NoAttack: true}}}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	report(t, r)
	for _, c := range r.Loud() {
		t.Errorf("%s: %d findings of level %s", c.Rule.Title, c.Benign, c.Rule.Level)
	}
	if n := r.MediumPer10k(); n > 1 {
		t.Errorf("%.2f findings of level medium and more on 10,000 events", n)
	}
	if r.Undecoded > 0 {
		t.Errorf("%d lines were not understood", r.Undecoded)
	}
}

// TestAttacks: in two exercises every step that truth knows, and that a single
// record can show, is found on its host.
func TestAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("long: plays three days of a city")
	}
	for _, scenario := range []string{"hospital", "webshell"} {
		t.Run(scenario, func(t *testing.T) {
			opt := exercise.Options{Seed: 11}
			have := map[string]bool{}
			_, err := Listen(t.Context(), pack(), Play{scenario, "plain", opt}, func(f detect.Finding) { have[f.Host+" "+string(f.Meaning.Step)] = true })
			if err != nil {
				t.Fatal(err)
			}
			p, err := exercise.New(scenario, opt)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range p.Truth().Steps {
				switch {
				case have[s.Host+" "+s.Step]:
				case s.Technique == "T1046": // a sweep: the finding names the address
				case s.Step == "recon": // a sensor saw it, which knows the address and not the name
				default:
					t.Errorf("%s %s %s: no finding", s.Host, s.Step, s.Technique)
				}
			}
		})
	}
}

// TestTally adds up by hand.
func TestTally(t *testing.T) {
	high := &sigma.Rule{Rule: detect.Rule{ID: "h", Title: "High", Level: detect.High}}
	low := &sigma.Rule{Rule: detect.Rule{ID: "l", Title: "Low", Level: detect.Low}}
	medium := &sigma.Rule{Rule: detect.Rule{ID: "m", Title: "Medium", Level: detect.Medium}}
	link := &sigma.Rule{Rule: detect.Rule{ID: "x"}, Link: true}
	honest := exercise.Options{NoAttack: true}
	r := tally([]*sigma.Rule{low, high, medium, link}, []Heard{
		{Play{"a", "benign", honest}, 15_000, 1, map[string]int64{"l": 4, "m": 1}},
		{Play{"b", "benign", honest}, 5_000, 0, map[string]int64{"l": 1}},
		{Play{"b", "plain", exercise.Options{}}, 7_000, 0, map[string]int64{"l": 1, "h": 9}},
		{Play{"a", "plain", exercise.Options{}}, 3_000, 0, map[string]int64{"h": 2}},
	})
	if r.BenignPlays != 2 || r.BenignEvents != 20_000 || r.AttackPlays != 2 || r.AttackEvents != 10_000 || r.Undecoded != 1 || len(r.Rules) != 3 {
		t.Errorf("%+v", r)
	}
	if c := r.Rules[0]; c.Rule.ID != "l" || c.Benign != 5 || c.BenignPlays != 2 || c.Attack != 1 || r.Per10k(c) != 2.5 {
		t.Errorf("the noisiest is %+v", c)
	}
	if c := r.Rules[2]; c.Rule.ID != "h" || c.Attack != 11 || c.AttackPlays != 2 || !slices.Equal(c.Scenarios, []string{"a", "b"}) {
		t.Errorf("the quietest is %+v", c)
	}
	if len(r.Loud()) != 0 || r.MediumPer10k() != 0.5 {
		t.Errorf("loud %v, medium %g", r.Loud(), r.MediumPer10k())
	}
	r.Rules[2].Benign = 1
	if l := r.Loud(); len(l) != 1 || l[0].Rule.ID != "h" || r.MediumPer10k() != 1 {
		t.Errorf("loud %v, medium %g", l, r.MediumPer10k())
	}
}

// TestPlays: every knob is there for each seed, and attacks for each script.
func TestPlays(t *testing.T) {
	if b := Benign(2, 7000); len(b) != 2*len(benign) || !b[0].NoAttack || b[0].Seed != 7000 || b[len(b)-1].Seed != 7001 {
		t.Errorf("%+v", b)
	}
	if a := Attacks(1, 7000); len(a) != len(attacks)*len(exercise.Scenarios()) || a[0].NoAttack {
		t.Errorf("%+v", a)
	}
	if _, err := Listen(t.Context(), pack(), Play{Scenario: "nothing"}, nil); err == nil {
		t.Error("an unknown script was played")
	}
}
