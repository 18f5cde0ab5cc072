// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !cgo || noduckdb

package duck

import (
	"context"

	"citywall/eventstore"
	"citywall/internal/fault"
)

// Store cannot exist in this build.
type Store struct{ eventstore.Store }

// Open says that this build has no DuckDB.
func Open(_ context.Context, o Options) (*Store, error) {
	if _, err := o.withDefaults(); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Unavailable, "event store: this build has no DuckDB (built without cgo or with the tag noduckdb); use a build with cgo")
}
