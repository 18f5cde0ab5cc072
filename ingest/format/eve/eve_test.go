// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package eve

import (
	"context"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
)

const sample = `{"timestamp":"2026-10-20T03:04:05.123456+0000","flow_id":9007199254740993,"event_type":"alert","src_ip":"203.0.113.9","src_port":4444,"dest_ip":"10.1.2.3","dest_port":80,"proto":"TCP","alert":{"signature_id":2019401,"signature":"test","metadata":{"tag":["a","b"]}},"app_proto":"http"}`

func TestAlert(t *testing.T) {
	e, err := record([]byte(sample), format.Pos{}, format.Source{})
	if err != nil {
		t.Fatal(err)
	}
	v := e.View()
	if e.Service != "alert" || v.Action != event.Alert || v.Session != "9007199254740993" || v.DstPort != 80 || v.Message != "test" {
		t.Errorf("got %+v", v)
	}
	if e.Time.Nanosecond() != 123456000 || e.ZoneAssumed {
		t.Errorf("time %v", e.Time)
	}
	if sniff([]byte(sample)) < 80 {
		t.Error("not recognised")
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		st, err := Format().Decode(context.Background(), strings.NewReader(s), format.Source{}, func(e *event.Event) error { n++; e.View(); return nil })
		if err != nil || int64(n) != st.Decoded {
			t.Fatalf("%v, %d events, %+v", err, n, st)
		}
	})
}
