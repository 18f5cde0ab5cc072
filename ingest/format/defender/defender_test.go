// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package defender_test

import (
	"testing"

	"citywall/ingest/format/defender"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "defender") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, defender.Format()) }
