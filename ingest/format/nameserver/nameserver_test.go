// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package nameserver_test

import (
	"testing"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/ingest/format/nameserver"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "bind", "unbound", "windows") }

// TestBig5: the time of a server in Chinese is in code page 950.
func TestBig5(t *testing.T) {
	line := []byte("2026/3/13 \xa4\x55\xa4\xc8 06:50:00 0B7C PACKET  000001A2B3C4D5E0 UDP Rcv 10.1.9.4        4a5b   Q [0001   D   NOERROR] A      (3)www(7)example(3)com(0)")
	e, err := ingest.Record(line, format.Pos{}, recordtest.Source)
	if err != nil {
		t.Fatal(err)
	}
	if e.Time.Format("15:04:05") != "10:50:00" || e.Fields.Str("query") != "www.example.com" || e.Origin.Format != "windows_dns" {
		t.Errorf("%s %v %s", e.Time, e.Fields, e.Origin.Format)
	}
}

// TestAnalytical: the channel's records come through the EVTX and JSON decoders;
// names are those of its manifest.
func TestAnalytical(t *testing.T) {
	e := &event.Event{Product: "windows"}
	for _, kv := range [][2]string{
		{"Channel", "Microsoft-Windows-DNSServer/Analytical"}, {"EventID", "256"}, {"Computer", "DC1.city.example"}, {"TCP", "0"}, {"InterfaceIP", "10.1.1.10"},
		{"Source", "10.1.9.4"}, {"RD", "1"}, {"QNAME", "www.example.com."}, {"QTYPE", "1"}, {"XID", "17"}, {"Port", "53124"},
	} {
		e.Fields.Add(kv[0], kv[1])
	}
	v := e.View()
	if v.Action != event.DNS || v.Observer != "dc1" || v.Host != "" || v.HostAddr.String() != "10.1.9.4" || v.SrcPort != 53124 || v.Dst.String() != "10.1.1.10" || v.Message != "www.example.com." {
		t.Errorf("%+v", v)
	}
}

func FuzzBIND(f *testing.F)    { recordtest.Fuzz(f, nameserver.BIND()) }
func FuzzUnbound(f *testing.F) { recordtest.Fuzz(f, nameserver.Unbound()) }
func FuzzWindows(f *testing.F) { recordtest.Fuzz(f, nameserver.Windows()) }
func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, nameserver.Dialect()) }
