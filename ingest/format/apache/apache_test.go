// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package apache_test

import (
	"testing"

	"citywall/ingest/format/apache"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "apache") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, apache.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, apache.Dialect()) }
