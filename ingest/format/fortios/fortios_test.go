// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fortios_test

import (
	"testing"

	"citywall/ingest/format/fortios"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "fortinet") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, fortios.Dialect()) }

func BenchmarkRead(b *testing.B) {
	recordtest.Bench(b, []byte(`<189>1 2026-03-13T18:50:00+08:00 fw-edge fortigate - 0000000013 - date=2026-03-13 time=18:50:00 devname="fw-edge" devid="FGT60F0000000001" eventtime=1773399000123456789 tz="+0800" logid="0000000013" type="traffic" subtype="forward" level="notice" vd="root" srcip=10.0.0.5 srcname="pc-0042" srcport=51000 srcintf="lan" srcintfrole="lan" dstip=203.0.113.9 dstport=443 dstintf="wan1" dstintfrole="wan" srccountry="Reserved" dstcountry="United States" sessionid=4711 proto=6 action="close" policyid=7 policytype="policy" service="HTTPS" trandisp="snat" transip=198.51.100.2 transport=61000 duration=30 sentbyte=1200 rcvdbyte=34000 sentpkt=25 rcvdpkt=35 appcat="unscanned" user="wang"`))
}
