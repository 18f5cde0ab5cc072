// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clamav_test

import (
	"testing"

	"citywall/ingest/format/clamav"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "clamav") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, clamav.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, clamav.Dialect()) }
