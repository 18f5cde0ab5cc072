// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package mikrotik_test

import (
	"testing"

	"citywall/ingest/format/mikrotik"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "mikrotik") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, mikrotik.Dialect()) }
