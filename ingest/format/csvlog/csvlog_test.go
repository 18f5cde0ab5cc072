// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package csvlog

import (
	"context"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
)

func run(t *testing.T, in string, m *format.CSVMapping) ([]*event.Event, format.Stats, error) {
	t.Helper()
	var out []*event.Event
	st, err := decode(context.Background(), strings.NewReader(in), format.Source{SHA256: "x", CSV: m}, func(e *event.Event) error {
		out = append(out, e)
		return nil
	})
	return out, st, err
}

func TestAlertHeader(t *testing.T) {
	in := "time,name,ip,host,short\r\n1642723347,Wazuh: ClamAV database update,172.19.130.4,mail,W-Sys-Cav\r\n" +
		"1642723348.5,\"Suricata: Alert - a, \"\"b\"\"\",10.0.0.1,fw,S\r\nx,y\r\n"
	evs, st, err := run(t, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(evs) != 2 || st.Decoded != 2 || st.Damaged != 1 {
		t.Fatalf("got %d events, %+v", len(evs), st)
	}
	e := evs[1]
	if e.Product != "alert" || e.Service != "suricata" || e.Fields.Str("name") != `Suricata: Alert - a, "b"` {
		t.Errorf("got %+v", e)
	}
	if got := e.Time.UnixMilli(); got != 1642723348500 {
		t.Errorf("time %d", got)
	}
	if v := evs[0].View(); v.Host != "mail" || v.Action != event.Alert || v.HostAddr.String() != "172.19.130.4" {
		t.Errorf("view %+v", v)
	}
	if e.Origin.Offset != int64(strings.Index(in, "1642723348.5")) || e.Origin.Line != 3 {
		t.Errorf("origin %+v", e.Origin)
	}
}

// TestStrayQuote: a quote without an end damages one row and hides none.
func TestStrayQuote(t *testing.T) {
	var b strings.Builder
	b.WriteString("time,name,ip,host,short\n1,\"Wazuh: open,1.1.1.1,a,b\n")
	for range 120 {
		b.WriteString("2,Wazuh: good,1.1.1.1,a,b\n")
	}
	evs, st, err := run(t, b.String(), nil)
	if err != nil || len(evs) != 120 || st.Damaged != 1 {
		t.Fatalf("events %d, stats %+v, err %v", len(evs), st, err)
	}
	evs, _, err = run(t, "time,name,ip,host,short\n1,\"two\nlines\",1.1.1.1,a,b\n", nil)
	if err != nil || len(evs) != 1 || evs[0].Fields.Str("name") != "two\nlines" {
		t.Fatalf("a value over two lines: %v %v", evs, err)
	}
}

func TestMapping(t *testing.T) {
	in := "When;x,User\n2026-11-01 08:00:00,u\n"
	in = strings.Replace(in, ";x", "", 1)
	evs, _, err := run(t, in, &format.CSVMapping{Time: "When", Product: "vpn", Rename: map[string]string{"User": "user"}})
	if err != nil {
		t.Fatal(err)
	}
	e := evs[0]
	if e.Time.Format("15:04") != "00:00" || !e.ZoneAssumed || e.Fields.Str("user") != "u" {
		t.Errorf("got %+v", e)
	}
	if _, _, err := run(t, "a,b,c\n1,2,3\n", nil); err == nil || !strings.Contains(err.Error(), "needs a mapping") {
		t.Errorf("an unmapped CSV: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("time,name,ip,host,short\n1,\"a\nb\",c,d,e\n"))
	f.Add([]byte("time,name,ip,host,short,x\n1,a,b,c,d,\"\"\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		st, _ := decode(context.Background(), strings.NewReader(string(b)), format.Source{}, func(*event.Event) error { n++; return nil })
		if int64(n) != st.Decoded {
			t.Fatalf("emitted %d, counted %d", n, st.Decoded)
		}
	})
}
