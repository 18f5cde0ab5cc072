// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package strongswan_test

import (
	"testing"

	"citywall/ingest/format/recordtest"
	"citywall/ingest/format/strongswan"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "strongswan") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, strongswan.Dialect()) }
