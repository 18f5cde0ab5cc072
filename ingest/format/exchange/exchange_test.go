// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exchange_test

import (
	"testing"

	"citywall/ingest/format/exchange"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "exchange") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, exchange.Format()) }
