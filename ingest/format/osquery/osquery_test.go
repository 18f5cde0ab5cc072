// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package osquery_test

import (
	"testing"

	"citywall/ingest/format/osquery"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "osquery") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, osquery.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, osquery.Dialect()) }
