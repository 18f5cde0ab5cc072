// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"citywall/detect/sigma"
)

// A rule that is switched off gives no findings until it is switched on. What
// rules that count over time remember of before the switch, and of before the
// rules were read anew, counts on; a rule that is off still feeds them.
func TestMuted(t *testing.T) {
	old := t0
	defer func() { t0 = old }()
	t0 = time.Now().UTC().Add(-time.Minute).Truncate(time.Second)
	const cleared, failed, many = "4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0001", "4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0003", "4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0004"
	load := func(keep *sigma.Engine) *sigma.Engine {
		e, rep, err := sigma.Load([]sigma.Set{{Name: "t", FS: fstest.MapFS{"a.yml": {Data: []byte(logCleared)}, "b.yml": {Data: []byte(counted)}}}}, sigma.Options{Keep: keep})
		if err != nil || len(e.Rules()) != 3 {
			t.Fatal(err, rep)
		}
		return e
	}
	h := newHouse(t)
	h.rules = load(nil)
	var off atomic.Value
	off.Store("")
	h.muted = func(rule string) bool { return rule == off.Load() }
	found := func() map[string]int {
		h.rec.mu.Lock()
		defer h.rec.mu.Unlock()
		n := map[string]int{}
		for _, f := range h.rec.findings {
			n[f.Rule.ID]++
		}
		return n
	}
	n := 0
	send := func(id, times int) {
		for range times {
			n++
			h.publish(message(fmt.Sprintf("m%02d", n), winlog(id, n)))
		}
		h.settle()
	}
	h.start()
	send(1102, 1)
	send(4625, 3)
	off.Store(cleared)
	send(1102, 2)
	if got := found(); got[cleared] != 1 {
		t.Fatalf("switched off: %v", got)
	}
	h.l.SetRules(load(h.rules))
	send(1102, 2)
	off.Store(failed) // a member that is off feeds what counts it
	send(4625, 2)
	if got := found(); got[cleared] != 1 || got[many] != 1 {
		t.Fatalf("rules read anew, and a member switched off: %v", got)
	}
	off.Store(many)
	send(1102, 1)
	if got := found(); got[cleared] != 2 {
		t.Fatalf("switched on again: %v", got)
	}
}
