// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"citywall/eventstore"
	"citywall/eventstore/storetest"
)

func open(t testing.TB, dir string) eventstore.Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) { storetest.Run(t, open) }

// sealing seals everything after each of the first batches, and what comes late
// after it: the whole contract must hold for a store of hot tables and sealed
// files. Not after every batch, because some tests make hundreds of days and
// each would be a file or more.
type sealing struct {
	*Store
	t    testing.TB
	left *atomic.Int32
}

func (s sealing) Append(ctx context.Context, b eventstore.Batch) error {
	if err := s.Store.Append(ctx, b); err != nil || s.left.Add(-1) < 0 {
		return err
	}
	if _, err := s.Seal(context.WithoutCancel(ctx), farFuture); err != nil {
		s.t.Errorf("seal: %v", err)
	}
	return nil
}

func TestContractSealed(t *testing.T) {
	storetest.RunPlaces(t, func(t testing.TB, dir string) eventstore.Store {
		s, err := Open(t.Context(), Options{Dir: dir, SealRows: 1000})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if ms := s.Mishaps(); len(ms) > 0 {
				t.Errorf("mishaps: %v", ms)
			}
		})
		left := &atomic.Int32{}
		left.Store(2)
		return sealing{s, t, left}
	})
}

func TestCrash(t *testing.T) { storetest.Crash(t, open) }

// farFuture makes every day due.
var farFuture = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
