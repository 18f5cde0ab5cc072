// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/eventstore"
	"citywall/incident/correlate"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

// What the store refuses is put aside alone.
func TestOneRefusedEventDoesNotStopTheOthers(t *testing.T) {
	h := newHouse(t)
	poison := event.NewID("dc-01", "http:a", 7)
	h.mem.fail = func(b eventstore.Batch) error {
		if slices.ContainsFunc(b.Events, func(e *event.Event) bool { return e.ID == poison }) {
			return fault.New(fault.Invalid, "this one cannot be")
		}
		return nil
	}
	h.start()
	var lines []string
	for i := range 20 {
		lines = append(lines, winlog(4624, i))
	}
	h.publish(message("a", lines...))
	h.settle()
	if len(h.mem.events) != 19 {
		t.Errorf("%d stored", len(h.mem.events))
	}
	b, err := os.ReadFile(filepath.Join(h.dir, "queue", "dead", "event-"+poison.String()+".bin"))
	var e event.Event
	if err != nil || json.Unmarshal(b, &e) != nil || string(e.Raw) != lines[6] {
		t.Errorf("put aside: %s, %v", b, err)
	}
}

// A store or a database that is down stops the pipeline, not the queue; when it
// is back, nothing is missing.
func TestWaitsForWhatIsDown(t *testing.T) {
	for _, part := range []string{"keep", "record"} {
		t.Run(part, func(t *testing.T) {
			h := newHouse(t)
			down := fault.New(fault.Unavailable, "being restored")
			if part == "keep" {
				h.mem.setFail(func(eventstore.Batch) error { return down })
			} else {
				h.rec.failing = down
			}
			h.start()
			for i := range 10 {
				h.publish(message(fmt.Sprint("m", i), winlog(1102, i)))
			}
			h.until("the trouble to be told", func() bool {
				tr := h.l.Health().Trouble
				return len(tr) == 1 && tr[0].Stage == part && strings.Contains(tr[0].Error, "restored")
			})
			if st, _ := h.q.Stats(context.Background()); st.Messages == 0 {
				t.Error("acknowledged what was not kept")
			}
			h.mem.setFail(nil)
			h.rec.mu.Lock()
			h.rec.failing = nil
			h.rec.mu.Unlock()
			h.settle()
			if len(h.mem.events) != 10 || h.rec.count() != 10 || len(h.l.Health().Trouble) != 0 {
				t.Errorf("%d events, %d findings, health %+v", len(h.mem.events), h.rec.count(), h.l.Health())
			}
		})
	}
}

// Stopped while the store is down: what was in hand is delivered after a
// restart.
func TestStopInTrouble(t *testing.T) {
	h := newHouse(t)
	h.cfg.Grace = 50 * time.Millisecond
	h.mem.setFail(func(eventstore.Batch) error { return errors.New("disk on fire") })
	h.start()
	h.publish(message("a", winlog(1102, 1)))
	h.until("trouble", func() bool { return len(h.l.Health().Trouble) == 1 })
	h.stop()
	h.q.Close()
	h.mem.setFail(nil)
	h.openQueue()
	h.start()
	h.settle()
	if len(h.mem.events) != 1 || h.rec.count() != 1 {
		t.Errorf("%d events, %d findings", len(h.mem.events), h.rec.count())
	}
}

// Incidents after a restart in the middle are those of one run, although some
// packs came twice: kept before the kill, not acknowledged, delivered again.
func TestRestartGivesTheSameIncidents(t *testing.T) {
	msgs := attack()
	whole := newHouse(t)
	whole.rules = rules(t, logCleared, sprayed)
	whole.start()
	whole.publish(msgs...)
	whole.settle()
	want := whole.rec.last()
	if len(want) == 0 {
		t.Fatal("no incident: the test tests nothing")
	}

	h := newHouse(t)
	h.rules = whole.rules
	h.start()
	half := len(msgs) / 2
	h.publish(msgs[:half]...)
	h.settle()
	h.stop()
	// The last of them come again under another id, as if never acknowledged.
	for _, m := range msgs[half-3 : half] {
		m.ID += "/again"
		h.publish(m)
	}
	h.publish(msgs[half:]...)
	h.q.Close()
	h.openQueue()
	h.start()
	h.settle()
	if d := cmp.Diff(asJSON(t, want), asJSON(t, h.rec.last())); d != "" {
		t.Errorf("incidents differ: %s", d)
	}
	if hl := h.l.Health(); hl.Correlate.Refilled == 0 || hl.Correlate.Cut {
		t.Errorf("health %+v", hl)
	}

	// And those of an engine that simply saw every event once.
	e := correlate.New(correlate.Config{})
	m := whole.rules.NewMatcher()
	for _, ev := range whole.mem.events {
		e.Observe(ev, m.Match(ev))
	}
	if d := cmp.Diff(asJSON(t, e.Incidents(context.Background())), asJSON(t, want)); d != "" {
		t.Errorf("live and batch differ: %s", d)
	}
}

const sprayed = `title: Failed logon
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0002
status: test
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 4625}
  condition: sel
level: critical
tags: [attack.credential-access, attack.t1110]
`

func attack() (ms []queue.Message) {
	for i := range 40 {
		id := []int{4624, 4625, 1102, 4634}[i%4]
		line := fmt.Sprintf(`{"@timestamp":%q,"winlog":{"channel":"Security","event_id":%d,"provider_name":"P","computer_name":"srv-%d","record_id":%d,"event_data":{"TargetUserName":"lin","TargetDomainName":"CITY","IpAddress":"10.1.2.%d","LogonType":"3"}}}`,
			t0.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), id, i%3, i, i%5+1)
		ms = append(ms, message(fmt.Sprintf("m%02d", i), line))
	}
	return ms
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A renewed engine knows what is stored, each once, also what is handed over
// while it reads back.
func TestRefill(t *testing.T) {
	h := newHouse(t)
	h.rules = rules(t, logCleared, sprayed)
	h.start()
	h.publish(attack()...)
	h.settle()
	before := asJSON(t, h.rec.last())
	h.stop()
	h.prepare()
	h.cfg.RefillMax = 10
	c := correlator{l: h.l}
	if err := c.refill(context.Background()); err != nil {
		t.Fatal(err)
	}
	if hl := h.l.Health().Correlate; hl.Refilled != 40 || hl.Cut {
		t.Errorf("%+v", hl)
	}
	var all []*event.Event
	for _, e := range h.mem.events {
		all = append(all, e)
	}
	again := &batch{events: all, findings: make([][]detect.Finding, len(all)), kept: c.refilled}
	c.observe(again) // kept before the reading ended: known
	if err := c.answer(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, asJSON(t, h.rec.last())); d != "" {
		t.Error(d)
	}
	h.prepare() // with RefillMax
	c = correlator{l: h.l}
	if err := c.refill(context.Background()); err != nil {
		t.Fatal(err)
	}
	if hl := h.l.Health().Correlate; hl.Refilled != 10 || !hl.Cut {
		t.Errorf("%+v", hl)
	}
}

const counted = `title: Failed logon
name: failed
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0003
status: test
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 4625}
  condition: sel
level: low
---
title: Many failed logons
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0004
status: test
correlation:
  type: event_count
  rules: [failed]
  group-by: [Computer]
  timespan: 10m
  condition: {gte: 5}
level: high
`

// A rule that counts over time goes on over a restart, and counts a record that
// is delivered again once.
func TestRulesThatCountOutliveARestart(t *testing.T) {
	old := t0
	defer func() { t0 = old }()
	t0 = time.Now().UTC().Add(-time.Minute).Truncate(time.Second)
	load := func() *sigma.Engine {
		e, rep, err := sigma.Load([]sigma.Set{{Name: "t", FS: fstest.MapFS{"r.yml": {Data: []byte(counted)}}}}, sigma.Options{})
		if err != nil || len(e.Rules()) == 0 {
			t.Fatal(err, rep)
		}
		return e
	}
	many := func(h *house) (n int) {
		h.rec.mu.Lock()
		defer h.rec.mu.Unlock()
		for _, f := range h.rec.findings {
			if f.Rule.Title == "Many failed logons" {
				n++
			}
		}
		return n
	}
	h := newHouse(t)
	h.rules = load()
	h.start()
	three := message("a", winlog(4625, 1), winlog(4625, 2), winlog(4625, 3))
	h.publish(three)
	for i := range 3 {
		three.ID = fmt.Sprint("again", i)
		h.publish(three)
	}
	h.settle()
	if many(h) != 0 {
		t.Fatal("three records, delivered again, were counted as five")
	}
	h.stop()
	h.q.Close()
	h.openQueue()
	h.rules = load()
	one := three
	one.ID, one.Records = "after the restart", three.Records[2:]
	h.publish(one)
	h.start()
	h.publish(message("b", winlog(4625, 4)))
	h.settle()
	if many(h) != 0 {
		t.Fatal("four records were counted as five")
	}
	h.publish(message("c", winlog(4625, 5)))
	h.settle()
	if many(h) != 1 {
		t.Errorf("%d findings of the rule that counts, want 1", many(h))
	}
}

// Killed between keep and record: the findings are made up for, in the records
// and in correlation, also when the event is older than what rules see again.
func TestKilledBeforeTheFindingsWereSaved(t *testing.T) {
	for name, age := range map[string]time.Duration{"lately": time.Minute, "old records": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			old := t0
			defer func() { t0 = old }()
			t0 = time.Now().UTC().Add(-age).Truncate(time.Second)
			h := newHouse(t)
			h.rules = rules(t, sprayed, logCleared)
			h.cfg.Grace = 20 * time.Millisecond
			h.rec.failing = errors.New("disk full")
			h.start()
			h.publish(attack()...)
			h.until("events to be kept and their findings not", func() bool { return len(h.l.Health().Trouble) == 1 && h.l.Health().Events > 0 })
			h.stop()
			h.q.Close()
			h.rec.mu.Lock()
			h.rec.failing = nil
			h.rec.mu.Unlock()
			h.openQueue()
			h.start()
			h.settle()
			if h.rec.count() != 20 {
				t.Errorf("%d findings saved, want 20", h.rec.count())
			}
			found := func() (n int) {
				for _, i := range h.rec.last() {
					n += len(i.Findings)
				}
				return n
			}
			whole := newHouse(t)
			whole.rules = h.rules
			whole.start()
			whole.publish(attack()...)
			whole.settle()
			want := 0
			for _, i := range whole.rec.last() {
				want += len(i.Findings)
			}
			h.until(fmt.Sprintf("incidents to rest on %d findings", want), func() bool { return want > 0 && found() == want })
		})
	}
}
