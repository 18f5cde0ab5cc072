// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package juniper_test

import (
	"testing"

	"citywall/ingest/format/juniper"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "juniper") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, juniper.Dialect()) }
