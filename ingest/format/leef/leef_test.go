// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package leef_test

import (
	"testing"

	"citywall/ingest/format/leef"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "leef") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, leef.Dialect()) }
