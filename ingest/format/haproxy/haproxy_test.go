// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package haproxy_test

import (
	"testing"

	"citywall/ingest/format/haproxy"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "haproxy") }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, haproxy.Dialect()) }
