// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package nps_test

import (
	"testing"

	"citywall/ingest/format/nps"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "radius") }

func FuzzRead(f *testing.F) { recordtest.Fuzz(f, nps.Format()) }
