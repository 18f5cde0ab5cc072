// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package esxi_test

import (
	"testing"

	"citywall/ingest/format/esxi"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "esxi") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, esxi.Dialect()) }
