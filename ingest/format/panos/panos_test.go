// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package panos_test

import (
	"testing"

	"citywall/ingest/format/panos"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "paloalto") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, panos.Dialect()) }

func BenchmarkRead(b *testing.B) {
	line := []byte(`<14>Mar 13 18:50:00 pa-edge 1,2026/03/13 18:50:00,012801000001,TRAFFIC,end,2561,2026/03/13 18:49:59,10.0.0.5,203.0.113.9,198.51.100.2,203.0.113.9,out-web,corp\wang,,ssl,vsys1,trust,untrust,ethernet1/2,ethernet1/1,fwd,2026/03/13 18:50:00,4711,1,51000,443,61000,443,0x400053,tcp,allow,35200,1200,34000,60,2026/03/13 18:49:20,30,computer-and-internet-info,0,7000001,0x0,10.0.0.0-10.255.255.255,United States,0,25,35,tcp-fin,0,0,0,0,,pa-edge,from-policy,,,0,,0,,N/A,,,,,6a5e2f5e-0000-4000-8000-000000000001,,,,,,,,,,,,,,,,,pc-0042,aa:bb:cc:dd:ee:ff,,,,,,,,,,,,,,,,,,,2026-03-13T18:49:59.123+08:00,,,encrypted-tunnel,networking,browser-based,4,"used-by-malware,able-to-transfer-file,has-known-vulnerability",,untunneled,no,no,0,,,,,`)
	recordtest.Bench(b, line)
}
