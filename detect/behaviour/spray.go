// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"strings"
	"time"

	"citywall/asset"
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
)

var sprayMeaning = detect.Meaning{Step: detect.StepCredential, Technique: "T1110.003", Techniques: []string{"T1110.003"}, Subject: "src"}

var sprayKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1201", Title: "One source tries many accounts", Level: detect.Medium,
	Formula: "At least 8 accounts fail to log on from one source within 10 minutes",
	Meaning: sprayMeaning, Tags: []string{"attack.credential-access", "attack.t1110.003"},
}

var bruteKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1202", Title: "One source tries one account again and again", Level: detect.Medium,
	Formula: "One account fails to log on at least 20 times from one source within 10 minutes",
	Meaning: detect.Meaning{Step: detect.StepCredential, Technique: "T1110.001", Techniques: []string{"T1110.001"}, Subject: "src"},
	Tags:    []string{"attack.credential-access", "attack.t1110.001"},
}

var sprayWonKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1203", Title: "An account logs on from a source that guessed passwords", Level: detect.High,
	Formula: "A logon succeeds, of an account that it tried, from a source within 10 minutes of its spray, or of a brute force of at least 60 failures (a saved old password makes fewer)",
	Meaning: detect.Meaning{Step: detect.StepCredential, Technique: "T1110", Techniques: []string{"T1110", "T1078"}, Subject: "user"},
	Tags:    []string{"attack.credential-access", "attack.t1110", "attack.initial-access", "attack.t1078"},
}

// spray counts failed logons of each source over a window.
type spray struct {
	Sources table[guesser] `json:"sources"`
}

// guesser is what is known of one source. The window begins with its first
// failure and is begun anew when it is over.
type guesser struct {
	From     int64          `json:"from"`
	Accounts map[string]int `json:"accounts"`
	Failures int            `json:"failures"`
	Guessed  int64          `json:"guessed,omitempty"` // second of the last spray or brute force
	Told     bool           `json:"told,omitempty"`    // in this window
	Refs     []ref          `json:"refs,omitempty"`
}

func newSpray() *spray { return &spray{Sources: newTable[guesser](spraySources)} }

func (*spray) name() string       { return "spray" }
func (s *spray) forgotten() int64 { return s.Sources.Gone }

func (s *spray) observe(r *report, e *event.Event, v *event.View) {
	if v.Action != event.LogonFailed && v.Action != event.Logon {
		return
	}
	who, account := subject(v.SrcHost, v.Src), accountOf(v)
	if who == "" || account == "" {
		return
	}
	now := e.Time.Unix()
	if v.Action == event.Logon {
		x := s.Sources.get(who)
		if x == nil || x.Guessed == 0 || x.Accounts[account] == 0 || len(x.Accounts) < sprayAccounts && x.Accounts[account] < bruteSure || apart(now, x.Guessed) > sprayWindow {
			return
		}
		r.find(&sprayWonKind, who, x.Refs, []detect.Matched{{Field: "account", Value: account}, {Field: "source", Value: who}},
			fmt.Sprintf("%d failures of %d accounts before", x.Failures, len(x.Accounts)))
		x.Accounts[account] = 0 // said once
		return
	}
	x := s.Sources.make(who)
	over, late := window(now, x.From, sprayWindow)
	if x.Accounts != nil && late {
		return
	}
	if x.Accounts == nil || over {
		*x = guesser{From: now, Accounts: map[string]int{}}
	}
	if _, known := x.Accounts[account]; known || len(x.Accounts) < sprayMost {
		x.Accounts[account]++
	}
	x.Failures++
	x.Refs = keepRef(x.Refs, e)
	var k *Kind
	switch {
	case len(x.Accounts) >= sprayAccounts:
		k = &sprayKind
	case x.Accounts[account] >= bruteFailures:
		k = &bruteKind
	default:
		return
	}
	x.Guessed = now
	if x.Told {
		return
	}
	x.Told = true
	r.find(k, who, x.Refs, []detect.Matched{{Field: "source", Value: who}},
		fmt.Sprintf("%d failures of %d accounts in %s", x.Failures, len(x.Accounts), apart(now, x.From)))
}

// accountOf is the account that a logon is of, folded.
func accountOf(v *event.View) string {
	for _, a := range []asset.Account{v.Target, v.User} {
		if s := a.String(); s != "" {
			return strings.ToLower(s)
		}
	}
	return ""
}
