// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"time"

	"citywall/detect"
	"citywall/event"
)

const (
	sprayWindow   = 10 * time.Minute
	sprayAccounts = 8  // accounts of one source that fail in a window: a spray
	bruteFailures = 20 // failures of one account from one source in a window
	bruteSure     = 60 // likewise, so that a success counts
	spraySources  = 20_000
	sprayMost     = 256 // accounts remembered of one source in a window
	sprayHeavy    = 1 << 18
	outsideTried  = 4                // accounts of one source outside that fail in a window
	outsideMemory = 30 * time.Minute // within which a logon from there counts
	sprayPause    = 30 * time.Minute // between two findings about one source
)

var sprayMeaning = detect.Meaning{Step: detect.StepCredential, Technique: "T1110.003", Techniques: []string{"T1110.003"}, Subject: "src"}

var sprayKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1201", Detector: "spray", Title: "One source tries many accounts", Level: detect.Medium,
	Formula: "At least 8 accounts fail to log on from one source within 10 minutes",
	Meaning: sprayMeaning, Tags: []string{"attack.credential-access", "attack.t1110.003"},
}

var bruteKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1202", Detector: "spray", Title: "One source tries one account again and again", Level: detect.Medium,
	Formula: "One account fails to log on at least 20 times from one source within 10 minutes",
	Meaning: detect.Meaning{Step: detect.StepCredential, Technique: "T1110.001", Techniques: []string{"T1110.001"}, Subject: "src"},
	Tags:    []string{"attack.credential-access", "attack.t1110.001"},
}

var sprayWonKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1203", Detector: "spray", Title: "An account logs on from a source that guessed passwords", Level: detect.High,
	Formula: "A logon succeeds, of an account that it tried, from a source within 10 minutes of its spray, or of a brute force of at least 60 failures (a saved old password makes fewer)",
	Meaning: detect.Meaning{Step: detect.StepCredential, Technique: "T1110", Techniques: []string{"T1110", "T1078"}, Subject: "user"},
	Tags:    []string{"attack.credential-access", "attack.t1110", "attack.initial-access", "attack.t1078"},
}

// outsideWonKind is what a gateway shows of somebody who has guessed: from one
// address outside a few wrong names, and then one that is right.
var outsideWonKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1204", Detector: "spray", Title: "An address outside tried several accounts and then logs on", Level: detect.Medium,
	Formula: "A logon succeeds from an address outside from which at least 4 accounts failed to log on within 10 minutes, not more than 30 minutes ago",
	Meaning: detect.Meaning{Step: detect.StepEntry, Technique: "T1110", Techniques: []string{"T1110", "T1078", "T1133"}, Subject: "src"},
	Tags:    []string{"attack.credential-access", "attack.t1110", "attack.initial-access", "attack.t1078", "attack.t1133"},
}

// spray counts failed logons of each source over a window.
type spray struct {
	Inside  table[string, guesser] `json:"inside"`
	Outside table[string, guesser] `json:"outside"` // apart: a flood from outside pushes nobody of the house out
	names   *names
	house   *house
}

// guesser is what is known of one source.
type guesser struct {
	Lanes   lanes[guesses]  `json:"lanes"`
	Guessed int64           `json:"guessed,omitempty"` // second of the last spray or brute force
	Won     map[string]bool `json:"won,omitempty"`     // accounts whose success was said since it guessed
	Tried   int64           `json:"tried,omitempty"`   // outside: second in which several accounts had failed last
	Entered int64           `json:"entered,omitempty"` // likewise: second of a logon after that, which was told
	Spoke   int64           `json:"spoke,omitempty"`
}

// guesses are the failures of the newest ten minutes.
type guesses struct {
	Accounts map[string]*ring `json:"accounts,omitempty"` // failures of each
	All      ring             `json:"all"`
	P        int64            `json:"p"`
	Refs     []ref            `json:"refs,omitempty"`
}

func newSpray(n *names, h *house) *spray {
	parts := func(x *guesser) (n int) {
		for i := range x.Lanes.L {
			if y := x.Lanes.L[i].X; y != nil {
				n += len(y.Accounts)
			}
		}
		return n
	}
	return &spray{Inside: newHeavy[string](spraySources, sprayHeavy, parts), Outside: newHeavy[string](spraySources, sprayHeavy, parts), names: n, house: h}
}

func (*spray) name() string       { return "spray" }
func (s *spray) forgotten() int64 { return s.Inside.Gone + s.Outside.Gone }

func (s *spray) observe(r *report, e *event.Event, v *event.View) {
	if v.Action != event.LogonFailed && v.Action != event.Logon {
		return
	}
	who, account := subject(v.SrcHost, v.Src), s.names.used(v)
	if who == "" || account == "" {
		return
	}
	t := &s.Inside
	if s.house.outside(v.Src) {
		t = &s.Outside
	}
	now := e.Time.Unix()
	part := partOf(now, sprayWindow)
	if v.Action == event.Logon {
		x := t.get(who)
		if x != nil && x.Tried != 0 && apart(now, x.Tried) <= outsideMemory && (x.Entered == 0 || apart(now, x.Entered) > outsideMemory) {
			x.Entered = now
			y := x.Lanes.pick(now, outsideMemory)
			r.find(&outsideWonKind, who, y.Refs, []detect.Matched{{Field: "account", Value: account}, {Field: "source", Value: who}},
				fmt.Sprintf("at least %d accounts failed from there within 10 minutes, the last %s before", outsideTried, apart(now, x.Tried)))
		}
		if x == nil || x.Guessed == 0 || x.Won[account] || apart(now, x.Guessed) > sprayWindow {
			return
		}
		defer t.settle(x, t.parts(x))
		y := x.Lanes.pick(now, sprayWindow)
		y.turn(part)
		tries := y.Accounts[account]
		if tries == nil {
			return
		}
		n := tries.add(part, 0)
		if len(y.Accounts) < sprayAccounts && n < bruteSure {
			return
		}
		r.find(&sprayWonKind, who, y.Refs, []detect.Matched{{Field: "account", Value: account}, {Field: "source", Value: who}},
			fmt.Sprintf("%d failures of %d accounts within 10 minutes before, %d of this one", y.All.add(part, 0), len(y.Accounts), n))
		if x.Won == nil {
			x.Won = map[string]bool{}
		}
		x.Won[account] = true // said once
		return
	}
	x, had := t.load(who)
	defer t.settle(x, had)
	y := x.Lanes.pick(now, sprayWindow)
	y.turn(part)
	tries := y.Accounts[account]
	if tries == nil && len(y.Accounts) < sprayMost {
		if y.Accounts == nil {
			y.Accounts = map[string]*ring{}
		}
		tries = &ring{}
		y.Accounts[account] = tries
	}
	n := 0
	if tries != nil {
		n = tries.add(part, 1)
	}
	all := y.All.add(part, 1)
	y.Refs = keepRef(recent(y.Refs, now, sprayWindow), e)
	if t == &s.Outside && len(y.Accounts) >= outsideTried {
		x.Tried = max(x.Tried, now)
	}
	var k *Kind
	switch {
	case len(y.Accounts) >= sprayAccounts:
		k = &sprayKind
	case n >= bruteFailures:
		k = &bruteKind
	default:
		return
	}
	if apart(now, x.Guessed) > sprayWindow {
		x.Won = nil
	}
	x.Guessed = max(x.Guessed, now)
	if x.Spoke != 0 && apart(now, x.Spoke) < sprayPause {
		return
	}
	x.Spoke = now
	r.find(k, who, y.Refs, []detect.Matched{{Field: "source", Value: who}},
		fmt.Sprintf("%d failures of %d accounts within 10 minutes", all, len(y.Accounts)))
}

// turn forgets accounts whose failures are over.
func (y *guesses) turn(part int64) {
	if part <= y.P {
		return
	}
	y.P = part
	for a, tries := range y.Accounts {
		if part-tries.P >= slideParts {
			delete(y.Accounts, a)
		}
	}
}
