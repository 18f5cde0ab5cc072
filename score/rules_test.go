// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package score_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/exercise"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/rules"
)

// TestRulesSeeTheSteps asks of every step of the truth whether a rule of the
// own pack fires on that host within two minutes, and says so with the same
// word. A step that no rule sees is a gap of the pack, or a mistake of the
// exercise. Looking around and starting a program are what honest people do
// too, so a rule may well be silent about them: such gaps are shown with -v and
// fail nothing. What honest people do meanwhile is not asked, so they do little.
func TestRulesSeeTheSteps(t *testing.T) {
	engine, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range exercise.Scenarios() {
		p, err := exercise.New(sc.Name, exercise.Options{Seed: 1, Days: exercise.NoDays, Rate: 0.02})
		if err != nil {
			t.Fatal(err)
		}
		m := engine.NewMatcher()
		byHost := map[string][]detect.Finding{}
		tr := p.Truth()
		names := map[string]string{}
		for _, h := range tr.Hosts {
			names[h.Addr.String()] = h.Host
		}
		n := uint64(0)
		err = p.Lines(t.Context(), func(l exercise.Line) error {
			n++
			e, err := ingest.Record(l.Bytes, format.Pos{Seq: n}, format.Source{Name: l.Source, Received: l.Time})
			if err != nil {
				return err
			}
			for _, f := range m.Match(e) {
				keys := []string{asset.HostName(f.Host), names[f.View.Src.String()], names[f.View.Dst.String()]}
				slices.Sort(keys)
				for _, k := range slices.Compact(keys) {
					if k != "" {
						byHost[k] = append(byHost[k], f)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		quiet := map[string]bool{"discovery": true, "recon": true, "execution": true}
		unseen, other := map[string]bool{}, map[string]int{}
		for _, s := range tr.Steps {
			key := fmt.Sprintf("%s %s", s.Step, s.Technique)
			words := map[string]bool{}
			for _, f := range byHost[s.Host] {
				if f.Time.Sub(s.Time).Abs() <= 2*time.Minute {
					words[string(f.Meaning.Step)+": "+f.Rule.Title] = true
				}
			}
			same := false
			for w := range words {
				same = same || len(w) > len(s.Step) && w[:len(s.Step)] == s.Step
			}
			switch {
			case len(words) == 0:
				unseen[key+" on "+s.Host] = quiet[s.Step]
			case !same:
				other[fmt.Sprintf("%s on %s: %q", key, s.Host, slices.Sorted(maps.Keys(words)))]++
			}
		}
		for _, k := range slices.Sorted(maps.Keys(other)) {
			t.Logf("%s: seen under another word: %s", sc.Name, k)
		}
		for _, k := range slices.Sorted(maps.Keys(unseen)) {
			if unseen[k] {
				t.Logf("%s: no rule sees %s", sc.Name, k)
			} else {
				t.Errorf("%s: no rule sees %s", sc.Name, k)
			}
		}
	}
}
