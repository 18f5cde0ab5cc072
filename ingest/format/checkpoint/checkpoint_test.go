// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package checkpoint_test

import (
	"testing"

	"citywall/ingest/format/checkpoint"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "checkpoint") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, checkpoint.Dialect()) }
