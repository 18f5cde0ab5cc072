// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour_test

import (
	"testing"

	"citywall/detect/behaviour"
	"citywall/event"
	"citywall/exercise"
	"citywall/ingest"
	"citywall/ingest/format"
)

// BenchmarkObserve shows the events of an honest day to all detectors. What they
// find is measured by score/behave.
func BenchmarkObserve(b *testing.B) {
	play, err := exercise.New("hospital", exercise.Options{Seed: 7000, NoAttack: true})
	if err != nil {
		b.Fatal(err)
	}
	var events []*event.Event
	end := play.Truth().End
	err = play.Lines(b.Context(), func(l exercise.Line) error {
		e, err := ingest.Record(l.Bytes, format.Pos{Seq: uint64(len(events))}, format.Source{Name: l.Source, Stream: l.Source, NotAfter: end})
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
