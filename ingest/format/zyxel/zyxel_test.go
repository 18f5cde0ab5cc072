// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package zyxel_test

import (
	"testing"

	"citywall/ingest/format/recordtest"
	"citywall/ingest/format/zyxel"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "zyxel") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, zyxel.Dialect()) }
