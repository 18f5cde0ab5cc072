// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package attackpath

import (
	"math"
	"testing"
	"time"

	"citywall/asset"
)

func acct(s string) asset.Account { return asset.ParseAccount("corp", s) }

func TestCausalUser(t *testing.T) {
	h, m := int64(time.Hour), int64(time.Minute)
	const desk, jump, srv, dc = 0, 1, 2, 3
	sessions := map[int][]Session{
		desk: {{Host: desk, User: acct("chen"), From: -1, T: 1 * h, End: 9 * h, ID: 1, Interactive: true}},
		jump: {
			{Host: jump, User: acct("adm.chen"), From: desk, T: 2 * h, End: 3 * h, ID: 2, Interactive: true},
			{Host: jump, User: acct("lin"), From: -1, T: 2*h - 30*m, End: 2*h + 5*m, ID: 3, Interactive: true},
		},
		srv: {{Host: srv, User: acct("svc"), From: -1, T: 10 * m}},
	}
	switches := []Switch{{Host: srv, T: 4 * h, User: acct("svc"), Target: acct("administrator"), Dst: dc}}
	owner := func(host int) asset.Account {
		if host == dc {
			return acct("operator")
		}
		return asset.Account{}
	}
	for _, c := range []struct {
		name    string
		t       int64
		user    string
		a, b    int
		causal  string
		origin  int
		changed bool
		clear   bool
	}{
		{"his own session", 2 * h, "chen", desk, srv, "chen", desk, false, true},
		{"another account than the one at the desk", 2 * h, "adm.chen", desk, srv, "chen", desk, true, true},
		{"walked back over the jump host", 2*h + 20*m, "adm.chen", jump, srv, "chen", desk, true, true},
		{"two could have been it: the one whose account it is", 2*h + 2*m, "adm.chen", jump, srv, "chen", desk, true, true},
		{"the record of the switch decides", 4*h + 1*m, "administrator", srv, dc, "svc", srv, true, true},
		{"nobody but the owner", 5 * h, "administrator", dc, srv, "operator", dc, true, false},
		{"long gone, but within a day", 5 * h, "adm.chen", jump, srv, "chen", desk, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := NewCausal(func(h int) []Session { return sessions[h] }, switches, owner).Of(c.t, acct(c.user), c.a, c.b)
			if o.User != acct(c.causal) || o.Host != c.origin || o.Switch != c.changed || o.Clear != c.clear {
				t.Errorf("%+v, want %s on %d, switch %v, clear %v", o, c.causal, c.origin, c.changed, c.clear)
			}
		})
	}
	if o := NewCausal(func(int) []Session { return nil }, nil, nil).Of(h, acct("x"), 5, 6); !o.User.IsZero() || o.Switch {
		t.Errorf("no sessions, yet %+v", o)
	}
}

func TestSameAccount(t *testing.T) {
	for _, c := range []struct {
		a, b asset.Account
		want bool
	}{
		{asset.ParseAccount("CORP", "Chen"), asset.ParseAccount("", "chen@corp.example"), true},
		{asset.ParseAccount("", "chen"), asset.ParseAccount("corp", "chen"), true},
		{asset.ParseAccount("pc1", "administrator"), asset.ParseAccount("pc2", "administrator"), false},
		{asset.ParseAccount("corp", "chen"), asset.ParseAccount("corp", "chen2"), false},
	} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("Same(%v, %v) = %v", c.a, c.b, got)
		}
	}
}

// TestRarity holds the formulas of attackpath.md §4.2 to numbers worked out by
// hand: ten days; a pair on five of the six days with the kind; one new peer of
// the source on day 0 and one on day 4.
func TestRarity(t *testing.T) {
	r := NewRarity(10)
	for d := range 5 {
		r.Add(1, 2, "u", "rdp", d)
	}
	r.Add(1, 3, "u", "rdp", 5)
	r.Add(1, 3, "u", "rdp", 99) // not of the baseline
	r.Close()
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s = %g, want %g", what, got, want)
		}
	}
	near("M of the usual", r.M(1, 2, "u", "rdp"), 5.5/7)
	near("M of the other", r.M(1, 3, "u", "rdp"), 1.5/7)
	near("M of what never was", r.M(1, 2, "u", "ssh"), 0.5/1)
	// OUT(2): host 2 reached nobody new, 1. IN(1): nobody came to 1, 1.
	near("factor", r.Factor(1, 2, "u", "rdp"), 5.5/7)
	// IN(2): one new peer on one of ten days.
	near("factor from 2", r.Factor(2, 1, "u", "rdp"), 0.9*0.5*0.8)
	near("anomaly of two", Anomaly([]float64{0.25, 1}), 0.5)
	near("anomaly of none", Anomaly(nil), 0)
	if r.DaysOf(1, 2, "u", "rdp") != 5 || r.KindDays(1, "rdp") != 6 || r.Days() != 10 {
		t.Error("days are counted wrong")
	}
}
