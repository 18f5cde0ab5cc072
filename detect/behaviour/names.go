// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"net/netip"
	"strings"

	"citywall/asset"
	"citywall/event"
)

const (
	knownNames = 50_000
	knownHomes = 20_000
)

// names brings the spellings of an account together: CITY\lin, lin@city.example
// and lin are one, as long as only one domain has a lin. It says nothing.
type names struct {
	Domains table[string, string] `json:"domains"` // name -> domain; "*" when several have it
}

const manyDomains = "*"

func newNames() *names { return &names{Domains: newTable[string, string](knownNames)} }

func (*names) name() string       { return "names" }
func (n *names) forgotten() int64 { return n.Domains.Gone }

func (n *names) observe(_ *report, _ *event.Event, v *event.View) {
	switch v.Action {
	case event.Logon, event.LogonFailed, event.Privilege, event.Service, event.Task, event.Share:
		n.learn(v, v.User)
		n.learn(v, v.Target)
	}
}

// learn leaves out accounts of a machine of its own: its name is their domain.
func (n *names) learn(v *event.View, a asset.Account) {
	if a.Name == "" || a.Domain == "" || a.Machine || strings.EqualFold(a.Domain, v.Host) {
		return
	}
	domain := strings.ToLower(a.Domain)
	switch d := n.Domains.make(strings.ToLower(a.Name)); *d {
	case domain, manyDomains:
	case "":
		*d = domain
	default:
		*d = manyDomains
	}
}

// of is the account in one spelling, "" for nobody.
func (n *names) of(a asset.Account) string {
	if a.Domain == "" && a.Name != "" {
		if d := n.Domains.get(strings.ToLower(a.Name)); d != nil && *d != manyDomains {
			a.Domain = *d
		}
	}
	return strings.ToLower(a.String())
}

// used is the account that a logon is of.
func (n *names) used(v *event.View) string {
	if s := n.of(v.Target); s != "" {
		return s
	}
	return n.of(v.User)
}

// house tells what lies in the Internet from what is the city's own: private
// addresses, those it was told of, and those that a firewall has on its inner
// side. It says nothing.
type house struct {
	Homes table[netip.Addr, bool] `json:"homes"` // public addresses seen behind an inner interface
	ours  []netip.Prefix
}

func newHouse(ours []netip.Prefix) *house {
	return &house{Homes: newTable[netip.Addr, bool](knownHomes), ours: ours}
}

func (*house) name() string       { return "house" }
func (h *house) forgotten() int64 { return h.Homes.Gone }

func (h *house) observe(_ *report, _ *event.Event, v *event.View) {
	if v.SrcSide == "" && v.DstSide == "" {
		return
	}
	h.learn(v.Src, v.SrcSide)
	h.learn(v.Dst, v.DstSide)
}

func (h *house) learn(a netip.Addr, side string) {
	if side == "lan" || side == "dmz" {
		if public(a) {
			*h.Homes.make(a) = true
		}
	}
}

// outside reports whether an address lies in the Internet.
func (h *house) outside(a netip.Addr) bool {
	if !public(a) {
		return false
	}
	for _, p := range h.ours {
		if p.Contains(a) {
			return false
		}
	}
	return h.Homes.len() == 0 || h.Homes.get(a) == nil
}

// public reports whether the whole Internet can route to an address.
func public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// shared are the addresses between carriers and their customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")
