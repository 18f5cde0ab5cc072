// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ncsa_test

import (
	"testing"

	"citywall/ingest/format"
	"citywall/ingest/format/ncsa"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "apache", "nginx") }

// TestPlaso: the oracle is what plaso's own tests count.
func TestPlaso(t *testing.T) {
	r := recordtest.Plaso(t, "apache_access.log")
	if r.Format != "ncsa" || r.Stats.Decoded != r.Expected.Data || r.Stats.Damaged != r.Expected.Warnings {
		t.Fatalf("read as %q: %+v, want %+v", r.Format, r.Stats, r.Expected)
	}
	if e := r.Events[7]; e.Fields.Str("cs-host") != "plaso.log2timeline.net" || e.Fields.Str("s-port") != "443" {
		t.Errorf("virtual host: %v", e.Fields)
	}
	if e := r.Events[len(r.Events)-1]; e.View().User.String() != `example\pyllyukko` {
		t.Errorf("user: %+v", e.View())
	}
}

func BenchmarkRecord(b *testing.B) {
	line := []byte(`203.0.113.40 - - [13/Mar/2026:10:50:02 +0000] "GET /wp-content/plugins/x/index.php?a=1&b=2 HTTP/1.1" 200 5316 "https://www.city.example/" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36"`)
	f := ncsa.Format()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Record(line, format.Pos{}, recordtest.Source); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, ncsa.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, ncsa.Dialect()) }
