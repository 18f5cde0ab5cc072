// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/storetest"
)

func idNumber(n uint64) identityKey {
	k := identityKey{realm: asset.City}
	binary.LittleEndian.PutUint64(k.id[8:], n) // as bad as ids can be
	return k
}

// TestIDFilter: what was added is always there, and hardly anything else is.
func TestIDFilter(t *testing.T) {
	var f idFilter
	if f.has(idNumber(1)) {
		t.Error("an empty filter has something")
	}
	const n = 500_000
	for i := range uint64(n) {
		f.add(idNumber(i))
	}
	wrong := 0
	for i := range uint64(n) {
		if !f.has(idNumber(i)) {
			t.Fatalf("id %d was added and is not there", i)
		}
		if f.has(idNumber(n + i)) {
			wrong++
		}
	}
	if wrong > 20 {
		t.Errorf("%d of %d ids that were never added are there", wrong, n)
	}
	if per := float64(f.bytes()) / n; per > 9 {
		t.Errorf("%.1f bytes for an id", per)
	}
}

// TestKnownAfterAll: repeated events are found whether a filter knows them, was
// given up, or never was, since the store was opened again.
func TestKnownAfterAll(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		s, err := Open(t.Context(), Options{Dir: dir, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tr := storetest.NewTraffic(3, time.Date(2026, 10, 20, 1, 0, 0, 0, time.UTC), time.Second)
	first := tr.Batch("first", 300)
	first.Events[7].Time = time.Time{} // stands where it was received
	s := open()
	if err := s.Append(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	n := 0
	again := func(what string) {
		t.Helper()
		n++
		before := s.at.events
		b := eventstore.Batch{MsgID: fmt.Sprint("again", n), Events: append([]*event.Event{}, first.Events...)}
		fresh := tr.Batch("", 3)
		b.Events = append(b.Events, fresh.Events...)
		if err := s.Append(context.WithoutCancel(t.Context()), b); err != nil {
			t.Fatal(err)
		}
		if got := s.at.events - before; got != 3 {
			t.Errorf("%s: %d new events were counted, 3 are", what, got)
		}
	}
	again("with filters")
	if len(s.filters) == 0 {
		t.Error("no table has a filter")
	}
	clear(s.filters)
	again("filters given up")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	again("opened again")
	for name := range s.filters {
		if name != otherTable {
			t.Errorf("%s has a filter, and not of all it holds", name)
		}
	}
}
