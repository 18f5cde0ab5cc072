// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package rspamd_test

import (
	"testing"

	"citywall/ingest/format/recordtest"
	"citywall/ingest/format/rspamd"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "rspamd") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, rspamd.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, rspamd.Dialect()) }
