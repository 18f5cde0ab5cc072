// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package synology_test

import (
	"testing"

	"citywall/ingest/format/recordtest"
	"citywall/ingest/format/synology"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "synology") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, synology.Dialect()) }
