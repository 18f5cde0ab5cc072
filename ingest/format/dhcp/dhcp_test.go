// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package dhcp_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/ingest/format/dhcp"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "dhcp") }

// TestBig5: a server of Windows in Chinese writes its descriptions in code page
// 950. The address and name are read all the same; Raw keeps the bytes.
func TestBig5(t *testing.T) {
	line := []byte("10,03/13/26,18:50:01,\xab\xfc\xac\xa3,10.1.9.50,PC-12,00163EAABB01,,0,6,,,,,,,,,0")
	f, ok := ingest.Recognise(line)
	if !ok || f.Name != "windows_dhcp" {
		t.Fatalf("recognised as %q", f.Name)
	}
	e, err := f.Record(line, format.Pos{}, recordtest.Source)
	if err != nil {
		t.Fatal(err)
	}
	v := e.View()
	if !bytes.Equal(e.Raw, line) || v.Action != event.Lease || v.Host != "pc-12" || v.HostAddr.String() != "10.1.9.50" || !utf8.ValidString(e.Fields.Str("Description")) {
		t.Errorf("%+v %v", v, e.Fields)
	}
}

// TestBlock: a block that never ends hides nothing that comes after its limit,
// and a name with a brace is a name.
func TestBlock(t *testing.T) {
	text := "# dhcpd.leases(5)\nlease 10.0.0.1 {\n" + strings.Repeat("  option x \"{\";\n", 8000) + "}\nlease 10.0.0.2 {\n  starts 5 2026/03/13 10:50:01;\n}\n"
	f := dhcp.Leases()
	var got []string
	st, err := f.Decode(context.Background(), strings.NewReader(text), recordtest.Source, func(e *event.Event) error {
		got = append(got, e.Fields.Str("lease"))
		return nil
	})
	if err != nil || st.Damaged != 1 || len(got) != 1 || got[0] != "10.0.0.2" {
		t.Errorf("%v %+v %v", got, st, err)
	}
}

func FuzzLeases(f *testing.F)  { recordtest.Fuzz(f, dhcp.Leases()) }
func FuzzKea(f *testing.F)     { recordtest.Fuzz(f, dhcp.KeaLeases()) }
func FuzzKeaLog(f *testing.F)  { recordtest.Fuzz(f, dhcp.KeaLog()) }
func FuzzWindows(f *testing.F) { recordtest.Fuzz(f, dhcp.Windows()) }
func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, dhcp.Dialect()) }
