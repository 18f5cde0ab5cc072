// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package postfix_test

import (
	"testing"

	"citywall/ingest/format/postfix"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "postfix") }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, postfix.Dialect()) }
