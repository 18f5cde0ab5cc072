// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package qnap_test

import (
	"testing"

	"citywall/ingest/format/qnap"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "qnap") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, qnap.Dialect()) }
