// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package zeek

import (
	"archive/zip"
	"context"
	"io"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/internal/shared"
)

func run(t testing.TB, in, file string) ([]*event.Event, format.Stats) {
	t.Helper()
	var out []*event.Event
	st, err := decode(context.Background(), strings.NewReader(in), format.Source{SHA256: "x", File: file}, func(e *event.Event) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, st
}

const native = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n" +
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\torig_bytes\tresp_bytes\ttunnel_parents\tlocal_orig\n" +
	"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tcount\tcount\tset[string]\tbool\n" +
	"1588205199.824370\tC1\t10.0.1.6\t54243\t10.0.0.4\t445\ttcp\tSF\t39\t55\ta,b\\x2cc\tT\n" +
	"1588205200.000001\tC2\t10.0.1.6\t54244\t10.0.0.4\t80\ttcp\tREJ\t-\t-\t(empty)\t-\n" +
	"broken\n" +
	"#close\t2020-04-30-00-00-00\n"

func TestNative(t *testing.T) {
	evs, st := run(t, native, "x.log")
	if len(evs) != 2 || st.Damaged != 1 || st.Decoded != 2 {
		t.Fatalf("%d events, %+v", len(evs), st)
	}
	e := evs[0]
	if e.Service != "conn" || e.Time.Nanosecond() != 824370000 {
		t.Errorf("got %s %v", e.Service, e.Time)
	}
	if l, _ := e.Fields.Get("tunnel_parents"); len(l.List) != 2 || l.List[1] != "b,c" {
		t.Errorf("set: %+v", l)
	}
	if _, there := evs[1].Fields.Get("orig_bytes"); there {
		t.Error("an unset field is there")
	}
	if v := evs[0].View(); v.Action != event.Flow || v.BytesOut != 39 || v.DstPort != 445 {
		t.Errorf("view %+v", v)
	}
	if v := evs[1].View(); v.Action != event.FlowRefused {
		t.Errorf("a rejected connection is %q", v.Action)
	}
}

// TestUnderscores: exports that write id_orig_h give the same view as native.
func TestUnderscores(t *testing.T) {
	evs, st := run(t, `{"ts":1588205199.82437,"uid":"C","id_orig_h":"10.0.1.6","id_orig_p":5,"id_resp_h":"10.0.0.4","id_resp_p":53,"proto":"udp","conn_state":"SF"}`+"\nx\n", "NASHUA_conn.log")
	if len(evs) != 1 || st.Damaged != 1 {
		t.Fatalf("%d events, %+v", len(evs), st)
	}
	if evs[0].Service != "conn" || evs[0].View().Src.String() != "10.0.1.6" {
		t.Errorf("got %+v", evs[0])
	}
}

// TestAPT29 counts the records of a real two-sensor capture; the oracle is
// attackpath.md §9.1.
func TestAPT29(t *testing.T) {
	z, err := zip.OpenReader(shared.Path(t, "casework/apt29/apt29-day1-zeek.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	conn := 0
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if sniff(b[:min(4096, len(b))]) < 80 {
			t.Errorf("%s not recognised", f.Name)
		}
		evs, st := run(t, string(b), f.Name)
		if st.Damaged != 0 || len(evs) != strings.Count(string(b), "\n") {
			t.Errorf("%s: %d events, %+v", f.Name, len(evs), st)
		}
		for _, e := range evs {
			if e.Service == "conn" {
				conn++
			}
		}
	}
	if conn != 613 {
		t.Errorf("%d conn records, want 613", conn)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(native))
	f.Add([]byte(`{"ts":1,"uid":"C"}`))
	f.Fuzz(func(t *testing.T, b []byte) { run(t, string(b), "conn.log") })
}
