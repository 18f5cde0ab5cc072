// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"

	"citywall/detect/behaviour"
	"citywall/event"
	"citywall/exercise"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/score/noise"
)

// heard is what the detectors say in one play.
type heard struct {
	events int64
	said   map[string]int64
	why    map[string]string
	steps  map[string]bool // of the truth
}

func listen(t *testing.T, p noise.Play) heard {
	t.Helper()
	h := heard{said: map[string]int64{}, why: map[string]string{}, steps: map[string]bool{}}
	play, err := exercise.New(p.Scenario, p.Options)
	if err != nil {
		t.Fatal(err)
	}
	truth := play.Truth()
	for _, d := range truth.Steps {
		h.steps[d.Step] = true
	}
	s := behaviour.New()
	err = play.Lines(t.Context(), func(l exercise.Line) error {
		h.events++
		e, err := ingest.Record(l.Bytes, format.Pos{Seq: uint64(h.events)}, format.Source{Name: l.Source, Stream: l.Source, NotAfter: truth.End})
		if err != nil {
			return nil // counted by score/noise, whose concern it is
		}
		for _, f := range s.Observe(e) {
			h.said[f.Rule.Title]++
			h.why[f.Rule.Title] = fmt.Sprint(f.Host, " ", f.Reasons[1:], " ", f.Matched)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestExercises counts what the detectors say on simulated days, honest and
// not. Honest days may hear a medium finding now and then and none of high;
// encryption must be found; what else is found in attacks is printed. CITYWALL_SEEDS plays more.
func TestExercises(t *testing.T) {
	seeds := 1
	if s := os.Getenv("CITYWALL_SEEDS"); s != "" {
		var err error
		if seeds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	levels := map[string]string{}
	for _, k := range behaviour.Kinds() {
		levels[k.Title] = k.Level.String()
	}
	honest, attacks := noise.Benign(seeds, 7000), noise.Attacks(seeds, 7000)
	if seeds == 1 && os.Getenv("CITYWALL_SEEDS") == "" {
		honest, attacks = honest[:2], []noise.Play{attacks[0], attacks[3]}
	}
	total, said := int64(0), map[string]int64{}
	for _, p := range honest {
		h := listen(t, p)
		total += h.events
		for k, n := range h.said {
			said[k] += n
			if levels[k] == "high" {
				t.Errorf("%s: %s: %s", p.Name(), k, h.why[k])
			}
		}
	}
	medium := 0.0
	for _, k := range slices.Sorted(maps.Keys(said)) {
		if levels[k] == "medium" {
			medium += float64(said[k]) * 1e4 / float64(total)
		}
		t.Logf("honest days: %d events, %d × %s (%s): %.3f on 10,000", total, said[k], k, levels[k], float64(said[k])*1e4/float64(total))
	}
	if medium > 1.5 { // 0.9 on the two plays of a plain run
		t.Errorf("%.2f medium findings on 10,000 honest events", medium)
	}
	for _, p := range attacks {
		h := listen(t, p)
		for _, k := range slices.Sorted(maps.Keys(h.said)) {
			t.Logf("%s: %d events: %d × %s: %s", p.Name(), h.events, h.said[k], k, h.why[k])
		}
		// All scripts but those that encrypt virtual machines or on Linux write many
		// files on Windows.
		if files := "Many files get one and the same new ending"; (p.Scenario == "hospital" || p.Scenario == "webshell") && h.said[files] == 0 {
			t.Errorf("%s: no mass encryption was found", p.Name())
		}
		t.Logf("%s has %v", p.Name(), slices.Sorted(maps.Keys(h.steps)))
	}
}

// BenchmarkObserve shows the events of an honest day to all detectors.
func BenchmarkObserve(b *testing.B) {
	play, err := exercise.New("hospital", exercise.Options{Seed: 7000, NoAttack: true})
	if err != nil {
		b.Fatal(err)
	}
	var events []*event.Event
	err = play.Lines(b.Context(), func(l exercise.Line) error {
		e, err := ingest.Record(l.Bytes, format.Pos{Seq: uint64(len(events))}, format.Source{Name: l.Source, Stream: l.Source, NotAfter: play.Truth().End})
		if err == nil {
			events = append(events, e)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	s, n := behaviour.New(), 0
	for b.Loop() {
		if n == len(events) {
			s, n = behaviour.New(), 0
		}
		s.Observe(events[n])
		n++
	}
}
