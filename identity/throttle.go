// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"net/netip"
	"sync"
	"time"
)

// A limit allows free tries, and then makes each wait twice as long as the one
// before, up to longest.
type limit struct {
	free    int
	longest time.Duration
}

// One who mistypes meets none of these. The limit of an account over all
// addresses is mild on purpose: a stranger must not be able to lock the duty
// officer out for long.
var limits = struct{ pair, account, address limit }{
	pair:    limit{free: 5, longest: 15 * time.Minute},
	account: limit{free: 30, longest: 20 * time.Second},
	address: limit{free: 30, longest: 15 * time.Minute},
}

const (
	forgetAfter = time.Hour // without a failed try
	maxTries    = 100_000   // entries kept; beyond, the stalest of a few is dropped
)

// Throttle slows guessing of passwords and login links, per account, per
// address and for both together. It lives in memory: a restart forgets, and
// costs an attacker more than it gives. It is safe for concurrent use.
type Throttle struct {
	now func() time.Time

	mu sync.Mutex
	m  map[string]*tries // by kind and name
}

type tries struct {
	n    int
	last time.Time
}

// NewThrottle returns an empty throttle; nil now means time.Now.
func NewThrottle(now func() time.Time) *Throttle {
	if now == nil {
		now = time.Now
	}
	return &Throttle{now: now, m: map[string]*tries{}}
}

// Try asks to make one try and counts it as failed until Succeeded takes it
// back, so that many at once do not slip through together. wait is how long to
// wait when it is refused, 0 when it may go on.
func (t *Throttle) Try(account, addr string) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	keys := keysOf(account, addr)
	for k, l := range keys {
		x := t.m[k]
		if x == nil || now.Sub(x.last) >= forgetAfter || x.n < l.free {
			continue
		}
		pause := l.longest
		if over := x.n - l.free; over < 20 {
			pause = min(l.longest, time.Second<<over)
		}
		wait = max(wait, x.last.Add(pause).Sub(now))
	}
	if wait > 0 {
		return wait
	}
	for k := range keys {
		x := t.m[k]
		if x == nil {
			t.makeRoom()
			x = &tries{}
			t.m[k] = x
		}
		if now.Sub(x.last) >= forgetAfter {
			x.n = 0
		}
		x.n++
		x.last = now
	}
	return 0
}

// Succeeded forgets the failed tries of this account from this address. Those
// of the account and of the address with others stay, less this one: a guesser
// with an account of his own must not wash himself clean.
func (t *Throttle) Succeeded(account, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, l := range keysOf(account, addr) {
		x := t.m[k]
		switch {
		case x == nil:
		case l == limits.pair || x.n <= 1:
			delete(t.m, k)
		default:
			x.n--
		}
	}
}

func keysOf(account, addr string) map[string]limit {
	net := addr
	if a, err := netip.ParseAddr(addr); err == nil {
		a = a.Unmap().WithZone("")
		net = a.String()
		if a.Is6() { // one customer has a /64
			if p, err := a.Prefix(64); err == nil {
				net = p.String()
			}
		}
	}
	m := map[string]limit{"addr " + net: limits.address}
	if account != "" {
		m["user "+account] = limits.account
		m["pair "+net+" "+account] = limits.pair
	}
	return m
}

// makeRoom drops the stalest of a few entries when there are too many. mu is
// held.
func (t *Throttle) makeRoom() {
	if len(t.m) < maxTries {
		return
	}
	var stalest string
	seen := 0
	for k, x := range t.m {
		if stalest == "" || x.last.Before(t.m[stalest].last) {
			stalest = k
		}
		if seen++; seen == 64 {
			break
		}
	}
	delete(t.m, stalest)
}
