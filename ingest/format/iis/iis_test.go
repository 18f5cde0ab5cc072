// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package iis_test

import (
	"bytes"
	"context"
	"testing"

	"citywall/event"
	"citywall/ingest/format/iis"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "iis") }

// TestPlaso: the oracle is what plaso's own tests count; of the file that they
// only parse, every line must be read.
func TestPlaso(t *testing.T) {
	for _, name := range []string{"iis10.log", "iis10_cookies.log", "iis6.log", "iis7_owa.log", "iis7_sqli.log", "iis_without_date.log", "iis10_edge_cases.log"} {
		r := recordtest.Plaso(t, "iis/"+name)
		if name == "iis10_edge_cases.log" {
			r.Expected.Data = int64(bytes.Count(r.Text, []byte("\n2022-")))
		}
		if r.Format != "iis" || r.Stats.Decoded != r.Expected.Data || r.Stats.Damaged != r.Expected.Warnings {
			t.Errorf("%s: read as %q: %+v, want %+v", name, r.Format, r.Stats, r.Expected)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	head := "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken\n"
	line := "2026-03-13 10:50:01 10.1.2.3 POST /_layouts/15/ToolPane.aspx DisplayMode=Edit&a=/ToolPane.aspx 443 - 203.0.113.40 Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64)+AppleWebKit/537.36+(KHTML,+like+Gecko)+Chrome/124.0 /_layouts/SignOut.aspx 401 0 0 1500\n"
	const n = 1000
	text := append([]byte(head), bytes.Repeat([]byte(line), n)...)
	f := iis.Format()
	b.ReportAllocs()
	for b.Loop() {
		st, err := f.Decode(context.Background(), bytes.NewReader(text), recordtest.Source, func(*event.Event) error { return nil })
		if err != nil || st.Decoded != n {
			b.Fatal(st, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, iis.Format()) }
