// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package nginx_test

import (
	"testing"

	"citywall/ingest/format/nginx"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "nginx") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, nginx.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, nginx.Dialect()) }
