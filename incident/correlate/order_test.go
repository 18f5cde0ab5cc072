// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"citywall/detect"
	"citywall/event"
	"citywall/exercise"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/ingest/file"
	"citywall/internal/shared"
)

// observed is an event with its findings.
type observed struct {
	ev *event.Event
	fs []detect.Finding
}

func answer(t testing.TB, list []observed) []byte {
	t.Helper()
	e := correlate.New(correlate.Config{})
	for _, o := range list {
		e.Observe(o.ev, o.fs)
	}
	return encode(t, e.Incidents(context.Background()))
}

func encode(t testing.TB, in []incident.Incident) []byte {
	t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// orders checks that any order of arrival, and any questions asked in between,
// give the same bytes.
func orders(t *testing.T, list []observed, times int) {
	t.Helper()
	want := answer(t, list)
	if string(want) == "[]" {
		t.Fatal("no incident to compare")
	}
	if got := answer(t, list); string(got) != string(want) {
		t.Fatal("the same order twice gives different bytes")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range times {
		shuffled := append([]observed(nil), list...)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := answer(t, shuffled); string(got) != string(want) {
			t.Fatalf("another order of arrival gives another answer:\n%s\n%s", want, got)
		}
	}
	// Incremental: asked at any time, the end is that of the batch.
	e := correlate.New(correlate.Config{})
	for i, o := range list {
		e.Observe(o.ev, o.fs)
		if i%(len(list)/4+1) == 0 {
			e.Incidents(context.Background())
		}
	}
	if got := encode(t, e.Incidents(context.Background())); string(got) != string(want) {
		t.Fatal("questions on the way change the answer")
	}
}

func TestOrderOfArrivalZeek(t *testing.T) {
	var list []observed
	_, err := file.Read(context.Background(), []string{shared.Path(t, "casework/apt29/apt29-day1-zeek.zip")}, file.Options{Realm: "city"}, func(ev *event.Event) error {
		list = append(list, observed{ev, nil})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	orders(t, list, 5)
}

func TestOrderOfArrivalExercise(t *testing.T) {
	if testing.Short() {
		t.Skip("plays two exercises")
	}
	for _, scenario := range []string{"hospital", "webshell"} {
		t.Run(scenario, func(t *testing.T) {
			p, err := exercise.New(scenario, exercise.Options{Seed: 3, Devices: 300})
			if err != nil {
				t.Fatal(err)
			}
			var list []observed
			each(t, p, func(ev *event.Event, fs []detect.Finding) { list = append(list, observed{ev, fs}) })
			orders(t, list, 2)
		})
	}
}

func mustJSON(t interface{ Fatal(...any) }, in []incident.Incident) []byte {
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
