// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package squid_test

import (
	"testing"

	"citywall/ingest/format/recordtest"
	"citywall/ingest/format/squid"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "squid") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, squid.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, squid.Dialect()) }
