// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !cgo || noduckdb

package webtest

import (
	"context"
	"testing"
)

// store skips: a site keeps its events in DuckDB, and this build has none.
func (s *Site) store(t testing.TB, _ context.Context) store {
	t.Helper()
	t.Skip("need DuckDB: this build has none (no cgo, or noduckdb)")
	return nil
}
