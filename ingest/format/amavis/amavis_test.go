// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package amavis_test

import (
	"testing"

	"citywall/ingest/format/amavis"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "amavis") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, amavis.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, amavis.Dialect()) }
