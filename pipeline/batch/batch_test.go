// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/ingest/format"
	"citywall/rules"
)

// guessing is ten failed logons of each of many accounts and then a good one,
// among thousands of other records: more than one chunk for every worker.
func guessing() []*event.Event {
	begin := time.Date(2026, 3, 13, 12, 0, 0, 0, time.UTC)
	var out []*event.Event
	add := func(at time.Time, kv ...string) {
		n := uint64(len(out))
		e := &event.Event{ID: event.NewID("test", "t", n), Realm: "city", Time: at, Product: "windows", Origin: event.Origin{File: "t", Offset: int64(n)}}
		for i := 0; i+1 < len(kv); i += 2 {
			e.Fields.Add(kv[i], kv[i+1])
		}
		out = append(out, e)
	}
	for a := range 20 {
		who := "user" + strconv.Itoa(a)
		for i := range 11 {
			id := "4625"
			if i == 10 {
				id = "4624"
			}
			add(begin.Add(time.Duration(i)*30*time.Second), "Channel", "Security", "EventID", id, "LogonType", "3", "IpAddress", "10.60.1.9", "TargetUserName", who, "Computer", "fs"+strconv.Itoa(a))
		}
	}
	for i := range 6000 {
		add(begin.Add(time.Duration(i)*time.Second/10), "Channel", "Security", "EventID", "4634", "TargetUserName", "x", "Computer", "ws1")
	}
	return out
}

func investigate(t *testing.T, events []*event.Event, workers int) incident.Result {
	t.Helper()
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{Batch: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Investigate(t.Context(), Options{Engine: e, Workers: workers, Read: func(_ context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		for _, x := range events {
			if err := emit(x); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSameWhateverTheOrder: correlation rules fire, and neither the number of
// workers nor the order of the input changes a byte.
func TestSameWhateverTheOrder(t *testing.T) {
	events := guessing()
	want := investigate(t, events, 1)
	guessed := int64(0)
	for _, c := range want.ByRule {
		if c.Rule.Title == "Password guessed - many failures, then a logon" {
			guessed = c.Count
		}
	}
	if guessed != 20 {
		t.Errorf("the correlation over failures and a logon fired %d times, want 20", guessed)
	}
	first, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 4 {
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		got, err := json.Marshal(investigate(t, events, 1+7*(i%2)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, got) {
			t.Fatalf("order %d gives another result", i)
		}
	}
}

// TestErrorsEndIt: an error of Read comes back, and nothing hangs.
func TestErrorsEndIt(t *testing.T) {
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{Batch: true})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk gone")
	_, err = Investigate(t.Context(), Options{Engine: e, Read: func(_ context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		for _, x := range guessing()[:3000] {
			if err := emit(x); err != nil {
				return nil, err
			}
		}
		return nil, broken
	}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
