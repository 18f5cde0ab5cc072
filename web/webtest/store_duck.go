// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package webtest

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"citywall/eventstore/duck"
)

func (s *Site) store(t testing.TB, ctx context.Context) store {
	t.Helper()
	events, err := duck.Open(ctx, duck.Options{Dir: filepath.Join(s.Dir, "events"), MemoryLimit: "512MB", Threads: 2, Now: func() time.Time { return Now.Add(time.Duration(s.ahead.Load())) }})
	must(t, err)
	return events
}
