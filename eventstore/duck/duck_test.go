// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"testing"

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

func TestCrash(t *testing.T) { storetest.Crash(t, open) }
