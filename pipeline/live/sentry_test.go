// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/internal/queue"
)

func (r *register) wants(t *testing.T, want ...string) {
	t.Helper()
	if got := r.heard(); !slices.Equal(got, want) {
		t.Errorf("at %s: said %v, want %v", r.clock.Format(time.DateTime), got, want)
	}
}

// TestSentry: each condition is said once when it begins and once when it ends.
func TestSentry(t *testing.T) {
	r := newRegister(t, "")
	for range 20 {
		r.clock = r.clock.Add(20 * time.Second)
		r.saw("fw", 5, 200*time.Millisecond, false)
		r.saw("slow", 1, -4*time.Minute, false) // its clock is 4 minutes ahead
		r.saw("replay", 1, 30*24*time.Hour, true)
	}
	r.check()
	r.wants(t, "clock begin slow")
	r.clock = r.clock.Add(201 * time.Second)
	r.check()
	r.check()
	r.wants(t, "silent begin fw", "silent begin slow") // what is known of its clock has not changed
	r.saw("fw", 1, 0, false)
	r.check()
	r.wants(t, "silent end fw")
}

// TestSentryExpected: a registered limit counts from the first record on.
func TestSentryExpected(t *testing.T) {
	r := newRegister(t, "")
	r.expect(map[string]time.Duration{"backup": 26 * time.Hour, "later": time.Minute})
	r.saw("backup", 1, 0, false)
	r.saw("later", 1, 0, false)
	r.clock = r.clock.Add(2 * time.Hour)
	r.check()
	r.wants(t, "silent begin later")
	r.expect(nil)
	r.check()
	r.wants(t, "silent end later") // nothing is known of how often it sends
	r.expect(map[string]time.Duration{"backup": time.Hour})
	r.check()
	r.wants(t, "silent begin backup")
}

// TestSentryVolume: a tenth or ten times of what is usual at this hour of such a
// day, after three such days; a weekend is no working day.
func TestSentryVolume(t *testing.T) {
	r := newRegister(t, "")
	r.clock = time.Date(2026, 10, 18, 16, 30, 0, 0, time.UTC) // Monday 00:30 in Taipei
	hour := func(n int) {
		for range 60 {
			r.saw("dc", n/60, 0, false)
			r.clock = r.clock.Add(time.Minute)
		}
		r.check()
	}
	for h := range 24 * 7 {
		n := 1200
		if h >= 5*24 { // Saturday and Sunday
			n = 60
		}
		hour(n)
	}
	r.wants(t)
	hour(1200)
	r.wants(t)
	hour(60)
	hour(60)
	r.wants(t, "volume begin dc")
	hour(1200)
	hour(1200)
	r.wants(t, "volume end dc")
	hour(24_000)
	hour(1200)
	r.wants(t, "volume begin dc")
}

// TestSentryFormat: a new kind of record is news of a source that is known; many
// unreadable ones are damage.
func TestSentryFormat(t *testing.T) {
	r := newRegister(t, "")
	kind := func(n int, k string) {
		m := &queue.Message{Source: "fw", Realm: "city", Listener: "syslog-udp"}
		for range n {
			e := &event.Event{Realm: "city", Source: "fw", Received: r.clock, Time: r.clock}
			e.Origin.Format = k
			r.sources.saw(m, e)
		}
		r.clock = r.clock.Add(20 * time.Second)
		r.check()
	}
	kind(500, "syslog")
	kind(600, "syslog")
	r.wants(t)
	kind(10, "jsonl")
	r.wants(t, "format begin fw")
	kind(10, "jsonl")
	r.wants(t)
	kind(300, Undecoded)
	r.wants(t, "damage begin fw")
	kind(300, "syslog")
	r.wants(t, "damage end fw")
}

// TestSentryWaits: what cannot be published is published later, once.
func TestSentryWaits(t *testing.T) {
	r := newRegister(t, "")
	r.expect(map[string]time.Duration{"fw": time.Minute})
	r.saw("fw", 1, 0, false)
	r.clock = r.clock.Add(time.Hour)
	r.down = true
	r.check()
	r.check()
	r.wants(t)
	r.down = false
	r.check()
	r.check()
	r.wants(t, "silent begin fw")
}

// TestSentryOutlivesTheProcess: what was said is not said again after a restart.
func TestSentryOutlivesTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sources.json")
	r := newRegister(t, file)
	r.expect(map[string]time.Duration{"fw": time.Minute})
	r.saw("fw", 1, 0, false)
	r.clock = r.clock.Add(time.Hour)
	r.check()
	r.wants(t, "silent begin fw")
	if err := r.save(); err != nil {
		t.Fatal(err)
	}
	again := newRegister(t, file)
	again.clock = r.clock.Add(time.Hour)
	again.expect(map[string]time.Duration{"fw": time.Minute})
	again.check()
	again.wants(t)
	again.saw("fw", 1, 0, false)
	again.check()
	again.wants(t, "silent end fw")
}

// TestOwnRecord: what the sentry writes, the decoder of package own reads.
func TestOwnRecord(t *testing.T) {
	b, err := record{"source", "2026-10-20T08:00:00Z", Silent, "begin", `fw"1`, "hospital", "syslog-udp", map[string]string{"limit_seconds": "200"}}.line()
	if err != nil || !json.Valid(b) || !strings.HasPrefix(string(b), `{"citywall":"source",`) {
		t.Fatalf("%v %s", err, b)
	}
	e, err := ingest.Record(b, format.Pos{}, format.Source{Name: ownName})
	if err != nil || e.Service != "silent" || e.Fields.Str("limit_seconds") != "200" || e.View().Host != `fw"1` {
		t.Errorf("%v %+v", err, e)
	}
}
