// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package cisco_test

import (
	"testing"

	"citywall/ingest/format/cisco"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "cisco") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, cisco.Dialect()) }

func BenchmarkRead(b *testing.B) {
	recordtest.Bench(b, []byte(`<166>Mar 13 2026 18:50:30 fw-asa : %ASA-6-302014: Teardown TCP connection 4712 for outside:203.0.113.9/443 to inside:10.0.0.5/51000(LOCAL\wang) duration 0:00:30 bytes 35200 TCP FINs from inside (wang)`))
}
