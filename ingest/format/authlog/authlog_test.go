// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package authlog_test

import (
	"testing"

	"citywall/event"
	"citywall/ingest/format/authlog"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "linux") }

// TestPlaso holds a real file to what was in it, read by eye.
func TestPlaso(t *testing.T) {
	r := recordtest.Plaso(t, "syslog/syslog_ssh.log")
	if r.Format != "syslog" || int64(len(r.Events)) != r.Expected.Data || r.Stats.Damaged != r.Expected.Warnings {
		t.Fatalf("read as %s, %d events, %d damaged; want %d and %d", r.Format, len(r.Events), r.Stats.Damaged, r.Expected.Data, r.Expected.Warnings)
	}
	want := []struct {
		action event.Action
		user   string
		src    string
		port   uint16
	}{
		{}, {event.Logon, "plaso", "192.168.0.1", 59229}, {event.Logon, "plaso", "2001:db8:a0b:12f0::1", 42532}, {event.LogonFailed, "plaso", "1:db8:a0b:12f0::1", 8759},
		{src: "188.124.3.41", port: 32889}, {event.LogonFailed, "root", "188.124.3.41", 32889}, {event.Logon, "fred", "192.0.2.60", 60594},
		{event.Logon, "fred", "192.0.2.60", 20042}, {event.Logon, "fred", "192.0.2.60", 59915},
	}
	for i, e := range r.Events {
		v, w := e.View(), want[i]
		src := ""
		if v.Src.IsValid() {
			src = v.Src.String()
		}
		if v.Action != w.action || v.User.Name != w.user || src != w.src || v.SrcPort != w.port {
			t.Errorf("line %d: %+v, want %+v", i+1, v, w)
		}
	}
}

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, authlog.Dialect()) }
