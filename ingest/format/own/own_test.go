// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package own

import (
	"context"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const silent = `{"citywall":"source","time":"2026-03-10T02:00:00.5Z","condition":"silent","change":"begin","source":"hosp-fw01","agency":"hospital","transport":"syslog-udp","last_seen":"2026-03-10T01:40:00Z","silent_seconds":"1200","limit_seconds":"600"}`

func TestRecord(t *testing.T) {
	e, err := record([]byte(silent), format.Pos{}, format.Source{Name: "citywall"})
	if err != nil {
		t.Fatal(err)
	}
	v := e.View()
	if e.Product != "citywall" || e.Category != "source" || e.Service != "silent" || e.Agency != "hospital" || e.Time.Format(time.RFC3339Nano) != "2026-03-10T02:00:00.5Z" ||
		v.Host != "hosp-fw01" || v.Observer != "citywall" || v.Message != "silent begin" {
		t.Errorf("%+v\n%+v", e, v)
	}
	if sniff([]byte(silent)) != 100 || sniff([]byte(`{"citywall":"x","condition":"silent"}`)) != 0 {
		t.Error("not told apart")
	}
	for _, bad := range []string{`{"citywall":"source","time":"2026-03-10T02:00:00Z"}`, `{"citywall":"source","condition":"silent","time":"now"}`, `{"citywall":`} {
		if _, err := record([]byte(bad), format.Pos{}, format.Source{}); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(silent)
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		st, err := Format().Decode(context.Background(), strings.NewReader(s), format.Source{}, func(e *event.Event) error { n++; e.View(); return nil })
		if err != nil || int64(n) != st.Decoded {
			t.Fatalf("%v, %d events, %+v", err, n, st)
		}
	})
}
