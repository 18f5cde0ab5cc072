// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time       { return c.t }
func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }
func newClock() *clock                { return &clock{time.Date(2026, 10, 20, 3, 0, 0, 0, time.UTC)} }

func TestThrottleGuessing(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	for i := range 5 {
		if w := th.Try("chen", "10.0.0.1"); w != 0 {
			t.Fatalf("try %d waits %v", i, w)
		}
	}
	want := time.Second
	for range 12 {
		w := th.Try("chen", "10.0.0.1")
		if w != want {
			t.Fatalf("waits %v, want %v", w, want)
		}
		c.pass(w - time.Millisecond)
		if th.Try("chen", "10.0.0.1") == 0 {
			t.Fatal("too early, and let through")
		}
		c.pass(time.Millisecond)
		if w := th.Try("chen", "10.0.0.1"); w != 0 {
			t.Fatalf("waited, and waits %v more", w)
		}
		want = min(2*want, 15*time.Minute)
	}
	// The officer at the own desk is not locked out by the guesser elsewhere.
	if w := th.Try("chen", "10.9.9.9"); w != 0 {
		t.Errorf("another address waits %v", w)
	}
	if w := th.Try("lin", "10.0.0.1"); w != 0 {
		t.Errorf("another account waits %v", w)
	}
	c.pass(forgetAfter)
	if w := th.Try("chen", "10.0.0.1"); w != 0 {
		t.Errorf("after an hour of quiet: waits %v", w)
	}
}

// TestThrottleSpread: many addresses on one account, and one address on many
// accounts, meet a limit too.
func TestThrottleSpread(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	refused := 0
	for i := range 100 {
		if th.Try("chen", fmt.Sprintf("10.1.0.%d", i)) > 0 {
			refused++
		}
	}
	if refused != 70 {
		t.Errorf("one account, 100 addresses: %d refused", refused)
	}
	c.pass(20 * time.Second) // the longest an account as a whole is shut
	if w := th.Try("chen", "10.9.9.9"); w != 0 {
		t.Errorf("the owner waits %v after the pause", w)
	}
	th = NewThrottle(c.now)
	refused = 0
	for i := range 100 { // one customer's /64
		if th.Try(fmt.Sprintf("user%d", i), fmt.Sprintf("2001:db8:1:2::%x", i)) > 0 {
			refused++
		}
	}
	if refused != 70 {
		t.Errorf("one network, 100 accounts: %d refused", refused)
	}
	if w := th.Try("userx", "2001:db8:1:3::1"); w != 0 {
		t.Errorf("the neighbour waits %v", w)
	}
}

// TestThrottleSuccess: who knows the password is never slowed by own success,
// and a guesser with an account does not wash himself clean with it.
func TestThrottleSuccess(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	for range 200 {
		if w := th.Try("chen", "10.0.0.1"); w != 0 {
			t.Fatalf("waits %v", w)
		}
		th.Succeeded("chen", "10.0.0.1")
	}
	if len(th.m) != 0 {
		t.Errorf("%d entries stay after success", len(th.m))
	}
	refused := false
	for i := range 60 {
		if th.Try(fmt.Sprintf("victim%d", i), "10.0.0.2") > 0 {
			refused = true
			break
		}
		if th.Try("own", "10.0.0.2") == 0 {
			th.Succeeded("own", "10.0.0.2")
		}
	}
	if !refused {
		t.Error("a success in between opens the way for guesses")
	}
}

// TestThrottleAtOnce: of many tries at the same moment no more pass than are
// free.
func TestThrottleAtOnce(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	var mu sync.Mutex
	passed := 0
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if th.Try("chen", "10.0.0.1") == 0 {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if passed != 5 {
		t.Errorf("%d passed", passed)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	c := newClock()
	th := NewThrottle(c.now)
	for i := range maxTries {
		c.pass(time.Millisecond)
		th.Try("", fmt.Sprintf("host%d", i))
	}
	for i := range 1000 {
		th.Try("", fmt.Sprintf("more%d", i))
	}
	if len(th.m) > maxTries {
		t.Errorf("%d entries", len(th.m))
	}
}
