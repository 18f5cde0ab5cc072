// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"math/bits"
	"slices"
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
	edgeHeavy    = 1 << 19
	edgeHabit    = 1.5 // new ways a day of an account whose work it is, as that of a scanner
	edgeLambda   = 0.3
)

var edgeKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1701", Detector: "edge", Title: "A privileged account goes a way that it never went", Level: detect.Low,
	Formula: "First network, remote desktop or ssh logon of (account, source, machine, service) in 30 days by root, a built-in administrator, or an account that has used privileges, active on at least 3 of the 63 days before, to a machine that fewer than 8 accounts use; not by one that had more than 1.5 new ways a day (exponentially weighted over its days but the first, λ=0.3), and one way once a day",
	Meaning: detect.Meaning{Step: detect.StepLateral, Technique: "T1021", Techniques: []string{"T1021", "T1078"}, Subject: "dst"},
	Tags:    []string{"attack.lateral-movement", "attack.t1021", "attack.t1078"},
}

// edge remembers the ways that accounts go.
type edge struct {
	Accounts table[string, walker]   `json:"accounts"`
	Machines table[string, []string] `json:"machines"` // accounts that used each, at most edgePopular
	names    *names
}

// walker is one account.
type walker struct {
	Privileged bool           `json:"privileged,omitempty"`
	Active     uint64         `json:"active"` // the last 64 days, bit 0 is Last
	Last       int32          `json:"last"`
	Ways       map[string]way `json:"ways"` // "source machine"
	New        int            `json:"new"`  // new ways of the last day
	Mean       float64        `json:"mean"` // of earlier days but the first
	Days       int            `json:"days"` // that it rests on, the first counted
}

// way is one source and machine.
type way struct {
	Day  [edgeServices]int32 `json:"day"`            // last gone, by service
	Told int32               `json:"told,omitempty"` // day on which it was last new: a remote desktop logs on over the network too
}

// Services by which an account comes to a machine.
const (
	edgeNetwork = iota // SMB and all else that logs on over the network
	edgeDesktop
	edgeSSH
	edgeServices
)

var edgeNames = [edgeServices]string{"network", "remote desktop", "ssh"}

func newEdge(n *names) *edge {
	return &edge{
		Accounts: newHeavy[string](edgeAccounts, edgeHeavy, func(x *walker) int { return len(x.Ways) }),
		Machines: newTable[string, []string](edgeMachines), names: n,
	}
}

func (*edge) name() string       { return "edge" }
func (s *edge) forgotten() int64 { return s.Accounts.Gone + s.Machines.Gone }

func (s *edge) observe(r *report, e *event.Event, v *event.View) {
	switch v.Action {
	case event.Privilege, event.Service, event.Task:
		if account := s.names.of(v.User); account != "" && !strings.HasSuffix(account, "$") {
			s.Accounts.make(account).Privileged = true
		}
	case event.Logon:
		service := edgeNetwork
		switch {
		case v.Service == "ssh":
			service = edgeSSH
		case v.Logon == 10:
			service = edgeDesktop
		case v.Logon != 3:
			return
		}
		src := subject(v.SrcHost, v.Src)
		if src == "" || v.Host == "" || src == v.Host {
			return
		}
		// Machines have their own ways, and many.
		if account := s.names.used(v); account != "" && !strings.HasSuffix(account, "$") {
			s.went(r, e, v, account, src, service)
		}
	}
}

func (s *edge) went(r *report, e *event.Event, v *event.View, account, src string, service int) {
	x, had := s.Accounts.load(account)
	defer s.Accounts.settle(x, had)
	today := day(e.Time)
	users := s.Machines.make(v.Host)
	popular := len(*users)
	if slices.Contains(*users, account) {
		popular--
	} else if popular < edgePopular {
		*users = append(*users, account)
	}
	if n := today - x.Last; n > 0 {
		x.Active, x.Last = x.Active<<min(n, 64)|1, today //nolint:gosec // positive
		x.turn()
	}
	before := bits.OnesCount64(x.Active &^ 1)
	if len(x.Ways) >= edgeMost { // an account with so many ways is told by its fan-out, and learned anew
		x.Ways, x.Active, x.Days, before = nil, 1, 0, 0
	}
	if x.Ways == nil {
		x.Ways = map[string]way{}
	}
	key := src + " " + v.Host
	w := x.Ways[key]
	gone, other := w.Day[service], slices.Max(w.Day[:])
	fresh := today-gone > edgeMemory && w.Told != today
	w.Day[service] = max(gone, today)
	if fresh {
		w.Told = today
		x.New++
	}
	x.Ways[key] = w
	if !fresh || !x.Privileged && !powerfulName(v.User.Name) || before < edgeBaseline || x.Mean > edgeHabit || popular >= edgePopular {
		return
	}
	why := fmt.Sprintf("over %s; the baseline of %s rests on %d days and %d ways; %d other accounts use %s", edgeNames[service], account, before, len(x.Ways)-1, popular, v.Host)
	if n := today - other; n > 0 && n <= edgeMemory {
		why += fmt.Sprintf("; it went there %d days ago over another service", today-other)
	}
	r.find(&edgeKind, v.Host, nil, []detect.Matched{{Field: "account", Value: account}, {Field: "source", Value: src}, {Field: "machine", Value: v.Host}, {Field: "service", Value: edgeNames[service]}}, why)
}

// turn learns how many new ways the last day had; on the first day all are new.
func (x *walker) turn() {
	switch x.Days {
	case 0, 1:
		x.Mean = 0
	case 2:
		x.Mean = float64(x.New)
	default:
		x.Mean += edgeLambda * (float64(x.New) - x.Mean)
	}
	x.Days++
	x.New = 0
}

// powerfulName reports accounts that are privileged by what they are.
func powerfulName(name string) bool { return name == "root" || name == "administrator" }
