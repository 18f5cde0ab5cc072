// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package utmp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"testing"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format/recordtest"
	"citywall/ingest/format/utmp"
)

// record builds one record after utmp(5); size is 384 or 400.
func record(o binary.ByteOrder, size int, kind uint16, pid int32, line, user, host string, sec, usec uint32, addr string) []byte {
	b := make([]byte, size)
	o.PutUint16(b, kind)
	o.PutUint32(b[4:], uint32(pid))
	copy(b[8:40], line)
	copy(b[44:76], user)
	copy(b[76:332], host)
	at := 348
	if size == 400 {
		o.PutUint64(b[344:], uint64(sec))
		o.PutUint64(b[352:], uint64(usec))
		at = 360
	} else {
		o.PutUint32(b[340:], sec)
		o.PutUint32(b[344:], usec)
	}
	if addr != "" {
		copy(b[at:], netip.MustParseAddr(addr).AsSlice())
	}
	return b
}

// TestRecords asserts fields, time, labels and the whole view in every layout.
func TestRecords(t *testing.T) {
	type order struct {
		binary.ByteOrder
		size int
	}
	for _, o := range []order{{binary.LittleEndian, 384}, {binary.LittleEndian, 400}, {binary.BigEndian, 384}, {binary.BigEndian, 400}} {
		text := bytes.Join([][]byte{
			record(o, o.size, 2, 0, "~", "reboot", "6.1.0-28-amd64", 1773398400, 5, ""),
			record(o, o.size, 7, 4101, "pts/0", "wang", "10.1.9.4", 1773398401, 250000, "10.1.9.4"),
			record(o, o.size, 7, 700, "tty1", "lin", "", 1773398402, 0, ""),
			record(o, o.size, 7, 701, ":0", "lin", ":0", 1773398403, 0, ""),
			record(o, o.size, 8, 4101, "pts/0", "", "", 1773398404, 0, ""),
			record(o, o.size, 6, 4200, "ssh:notty", "root", "203.0.113.5", 1773398405, 0, "203.0.113.5"),
			record(o, o.size, 6, 4201, "ssh:notty", "admin", "2001:db8::5", 1773398406, 0, "2001:db8::5"),
			record(o, o.size, 6, 800, "tty2", "LOGIN", "", 1773398407, 0, ""),
			make([]byte, o.size),
		}, nil)
		f, ok := ingest.Recognise(text[:min(len(text), 4096)])
		if !ok || f.Name != "utmp" {
			t.Fatalf("%v %d: recognised as %q", o.ByteOrder, o.size, f.Name)
		}
		var got []*event.Event
		st, err := f.Decode(context.Background(), bytes.NewReader(append(text, 1, 2, 3)), recordtest.Source, func(e *event.Event) error {
			got = append(got, e)
			return nil
		})
		if err != nil || st.Decoded != 9 || st.Damaged != 0 || len(st.Notes) != 1 {
			t.Fatalf("%+v %v", st, err)
		}
		want := []struct{ service, fields, view string }{
			{"wtmp", `{"ut_type":"BOOT_TIME","ut_pid":"0","ut_line":"~","ut_id":"","ut_user":"reboot","ut_host":"6.1.0-28-amd64"}`,
				`{"message":"BOOT_TIME ~ reboot"}`},
			{"wtmp", `{"ut_type":"USER_PROCESS","ut_pid":"4101","ut_line":"pts/0","ut_id":"","ut_user":"wang","ut_host":"10.1.9.4","ut_addr":"10.1.9.4"}`,
				`{"src":"10.1.9.4","user":{"name":"wang"},"action":"logon","outcome":"success","message":"USER_PROCESS pts/0 wang"}`},
			{"wtmp", `{"ut_type":"USER_PROCESS","ut_pid":"700","ut_line":"tty1","ut_id":"","ut_user":"lin","ut_host":""}`,
				`{"user":{"name":"lin"},"action":"logon","outcome":"success","logon_type":2,"message":"USER_PROCESS tty1 lin"}`},
			{"wtmp", `{"ut_type":"USER_PROCESS","ut_pid":"701","ut_line":":0","ut_id":"","ut_user":"lin","ut_host":":0"}`,
				`{"user":{"name":"lin"},"action":"logon","outcome":"success","logon_type":2,"message":"USER_PROCESS :0 lin"}`},
			{"wtmp", `{"ut_type":"DEAD_PROCESS","ut_pid":"4101","ut_line":"pts/0","ut_id":"","ut_user":"","ut_host":""}`,
				`{"action":"logoff","message":"DEAD_PROCESS pts/0"}`},
			{"btmp", `{"ut_type":"LOGIN_PROCESS","ut_pid":"4200","ut_line":"ssh:notty","ut_id":"","ut_user":"root","ut_host":"203.0.113.5","ut_addr":"203.0.113.5"}`,
				`{"src":"203.0.113.5","dst_port":22,"proto":"tcp","service":"ssh","user":{"name":"root"},"action":"logon_failed","outcome":"failure","message":"LOGIN_PROCESS ssh:notty root"}`},
			{"btmp", `{"ut_type":"LOGIN_PROCESS","ut_pid":"4201","ut_line":"ssh:notty","ut_id":"","ut_user":"admin","ut_host":"2001:db8::5","ut_addr":"2001:db8::5"}`,
				`{"src":"2001:db8::5","dst_port":22,"proto":"tcp","service":"ssh","user":{"name":"admin"},"action":"logon_failed","outcome":"failure","message":"LOGIN_PROCESS ssh:notty admin"}`},
			{"wtmp", `{"ut_type":"LOGIN_PROCESS","ut_pid":"800","ut_line":"tty2","ut_id":"","ut_user":"LOGIN","ut_host":""}`,
				`{"message":"LOGIN_PROCESS tty2 LOGIN"}`},
			{"wtmp", `{"ut_type":"EMPTY","ut_pid":"0","ut_line":"","ut_id":"","ut_user":"","ut_host":""}`, `{"message":"EMPTY"}`},
		}
		for i, w := range want {
			e := got[i]
			fields, _ := json.Marshal(e.Fields)
			view, _ := json.Marshal(e.View())
			if e.Product != "linux" || e.Service != w.service || string(fields) != w.fields || string(view) != w.view || !bytes.Equal(e.Raw, fields) {
				t.Errorf("%v %d, record %d: %s %s\n got  %s\n      %s\n want %s\n      %s", o.ByteOrder, o.size, i, e.Product, e.Service, fields, view, w.fields, w.view)
			}
			if i < 8 && e.Time.Unix() != int64(1773398400+i) || i == 8 && !e.Time.IsZero() {
				t.Errorf("record %d: %s", i, e.Time)
			}
		}
		if got[1].Time.Nanosecond() != 250e6 {
			t.Errorf("%s", got[1].Time)
		}
	}
}

// TestLabel: the name of the file gives the label, and nothing else.
func TestLabel(t *testing.T) {
	text := record(binary.LittleEndian, 384, 7, 1, "pts/0", "wang", "", 1773398401, 0, "")
	for file, want := range map[string]string{"/var/log/wtmp": "wtmp", "/run/utmp": "utmp", "/x/btmp-20260301": "btmp", "/x/evidence.bin": "wtmp"} {
		src := recordtest.Source
		src.File = file
		if _, err := utmp.Format().Decode(context.Background(), bytes.NewReader(text), src, func(e *event.Event) error {
			if e.Service != want {
				t.Errorf("%s: %s", file, e.Service)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPlaso: the oracle is what plaso's own tests count.
func TestPlaso(t *testing.T) {
	for _, name := range []string{"utmp/utmp", "utmp/utmp_aarch64", "utmp/utmp_corrupted", "utmp/utmp_s390", "utmp/utmp_x86_64", "utmp/wtmp.1"} {
		r := recordtest.Plaso(t, name)
		if r.Format != "utmp" || r.Stats.Decoded != r.Expected.Data || r.Stats.Damaged != r.Expected.Warnings {
			t.Errorf("%s: read as %q: %+v, want %+v", name, r.Format, r.Stats, r.Expected)
		}
	}
	r := recordtest.Plaso(t, "utmp/wtmp.1")
	if v := r.Events[0].View(); v.User.Name != "usera" || v.Src.String() != "10.10.122.1" || v.Action != event.Logon || r.Events[0].Time.UnixMicro() != 1322760998432935 {
		t.Errorf("%+v at %s", v, r.Events[0].Time)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(record(binary.LittleEndian, 384, 7, 1, "pts/0", "wang", "10.1.9.4", 1773398401, 0, "10.1.9.4"))
	f.Add(record(binary.BigEndian, 400, 6, 1, "ssh:notty", "root", "h", 1773398401, 0, "2001:db8::5"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if utmp.Format().Sniff(b[:min(len(b), 4096)]) == 0 {
			return
		}
		n := int64(0)
		st, err := utmp.Format().Decode(context.Background(), bytes.NewReader(b), recordtest.Source, func(e *event.Event) error { n++; e.View(); return nil })
		if err != nil || st.Decoded != n {
			t.Fatalf("%v; %d events, %+v", err, n, st)
		}
	})
}
