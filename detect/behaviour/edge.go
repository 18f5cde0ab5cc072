// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"strings"

	"citywall/detect"
	"citywall/event"
)

const (
	edgeMemory   = 30 // days after which a way is new again
	edgeBaseline = 3  // days on which the account was active before it is judged
	edgePopular  = 8  // accounts from which on a machine is one that all use
	edgeAccounts = 20_000
	edgeMachines = 40_000
	edgeMost     = 256 // ways remembered of one account
)

var edgeKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1701", Title: "A privileged account goes a way that it never went", Level: detect.Low,
	Formula: "First network or remote desktop logon of (account, source, machine) in 30 days by an account that has used privileges, known on at least 3 earlier days, to a machine that fewer than 8 accounts use",
	Meaning: detect.Meaning{Step: detect.StepLateral, Technique: "T1021", Techniques: []string{"T1021", "T1078"}, Subject: "dst"},
	Tags:    []string{"attack.lateral-movement", "attack.t1021", "attack.t1078"},
}

// edge remembers the ways that accounts go.
type edge struct {
	Accounts table[walker]          `json:"accounts"`
	Machines table[map[string]bool] `json:"machines"` // accounts that used each, at most edgePopular
}

// walker is one account.
type walker struct {
	Privileged bool             `json:"privileged,omitempty"`
	Days       int              `json:"days"` // on which it was active
	Last       int32            `json:"last"` // the last of them
	Ways       map[string]int32 `json:"ways"` // "source machine" -> day last gone
}

func newEdge() *edge {
	return &edge{Accounts: newTable[walker](edgeAccounts), Machines: newTable[map[string]bool](edgeMachines)}
}

func (*edge) name() string       { return "edge" }
func (s *edge) forgotten() int64 { return s.Accounts.Gone + s.Machines.Gone }

func (s *edge) observe(r *report, e *event.Event, v *event.View) {
	account := accountOf(v)
	if v.Action == event.Privilege || v.Action == event.Service || v.Action == event.Task {
		account = strings.ToLower(v.User.String())
	}
	if account == "" || strings.HasSuffix(account, "$") {
		return // machines have their own ways, and many
	}
	switch v.Action {
	case event.Privilege, event.Service, event.Task:
		s.Accounts.make(account).Privileged = true
	case event.Logon:
		src := subject(v.SrcHost, v.Src)
		if (v.Logon == 3 || v.Logon == 10) && src != "" && v.Host != "" && src != v.Host {
			s.went(r, e, v, account, src)
		}
	}
}

func (s *edge) went(r *report, e *event.Event, v *event.View, account, src string) {
	x, today := s.Accounts.make(account), day(e.Time)
	users := s.Machines.make(v.Host)
	if *users == nil {
		*users = map[string]bool{}
	}
	popular := len(*users)
	if popular < edgePopular {
		(*users)[account] = true
	}
	before := x.Days
	if today > x.Last {
		x.Days++
		x.Last = today
	} else {
		before--
	}
	way := src + " " + v.Host
	gone, known := x.Ways[way]
	if len(x.Ways) >= edgeMost && !known { // an account with so many ways is told by its fan-out, and learned anew
		x.Ways, x.Days, before = nil, 0, 0
	}
	if x.Ways == nil {
		x.Ways = map[string]int32{}
	}
	x.Ways[way] = max(gone, today)
	if known && today-gone <= edgeMemory || !x.Privileged || before < edgeBaseline || popular >= edgePopular {
		return
	}
	r.find(&edgeKind, v.Host, nil, []detect.Matched{{Field: "account", Value: account}, {Field: "source", Value: src}, {Field: "machine", Value: v.Host}},
		fmt.Sprintf("the baseline of %s rests on %d days and %d ways; %d other accounts use %s", account, before, len(x.Ways)-1, popular, v.Host))
}
