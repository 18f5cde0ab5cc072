// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package cef_test

import (
	"testing"

	"citywall/ingest/format/cef"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "cef") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, cef.Dialect()) }
