// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"citywall/asset"
	"citywall/incident/fact"
)

// Thresholds of role inference (attackpath.md §5): how many different clients,
// targets or days make a role.
const (
	fileClients = 5
	webClients  = 3
	fanOut      = 10 // targets of one manager on one day
	scanOut     = 30 // targets of one scanner in one day
	habitDays   = 3  // days before a habit is a role
)

// serving is who reached which port of a host.
type serving map[uint16]map[int]bool

// roles gives hosts the roles that their traffic shows, beside those the
// topology states.
func (h *Hosts) roles(st *fact.Store) {
	served := make([]serving, len(h.List))
	type dayOf struct {
		host int
		day  int64
	}
	admin, probed := map[dayOf]map[int]bool{}, map[dayOf]map[int]bool{}
	put := func(m map[dayOf]map[int]bool, k dayOf, dst int) {
		if m[k] == nil {
			m[k] = map[int]bool{}
		}
		m[k][dst] = true
	}
	for k, s := range st.Series {
		src, dst := h.Of(k.Src, 0), h.Of(k.Dst, 0)
		if src < 0 || dst < 0 || src == dst {
			continue
		}
		if k.Act == fact.Flow {
			if served[dst] == nil {
				served[dst] = serving{}
			}
			if served[dst][k.Port] == nil {
				served[dst][k.Port] = map[int]bool{}
			}
			served[dst][k.Port][src] = true
		}
		if h.List[src].External || k.Act == fact.Ticket || k.Act == fact.Credential {
			continue
		}
		days := s.Days()
		for _, d := range days {
			if k.Act == fact.Refused {
				put(probed, dayOf{src, d}, dst)
			}
			if manages(k) {
				put(admin, dayOf{src, d}, dst)
			}
		}
	}
	for i := range h.List {
		h.List[i].serves(served[i])
	}
	for k := range st.Marks {
		if k.Label == fact.Issues {
			if i := h.Of(k.Src, 0); i >= 0 && !h.List[i].External {
				h.List[i].add(asset.RoleDC)
			}
		}
	}
	habits := func(m map[dayOf]map[int]bool, least int, r asset.Role) {
		n := map[int]int{}
		for k, dsts := range m {
			if len(dsts) >= least {
				n[k.host]++
			}
		}
		for i, days := range n {
			if days >= habitDays && !h.List[i].Has(asset.RoleDC) {
				h.List[i].add(r)
			}
		}
	}
	habits(admin, fanOut, asset.RoleManager)
	habits(probed, scanOut, asset.RoleScanner)
}

// manages reports the kinds of connection by which machines are administered.
func manages(k fact.Key) bool {
	switch k.Act {
	case fact.Flow:
		return k.Port == 3389 || k.Port == 5985 || k.Port == 5986 || k.Port == 22 || k.Port == 135
	case fact.Logon:
		return true
	}
	return false
}

func (x *Host) serves(s serving) {
	if x.External {
		return
	}
	any := func(least int, ports ...uint16) bool {
		for _, p := range ports {
			if len(s[p]) >= least {
				return true
			}
		}
		return false
	}
	if any(1, 88) && any(1, 389, 636) {
		x.add(asset.RoleDC)
	}
	if any(2, 53) {
		x.add(asset.RoleDNS)
	}
	if any(fileClients, 445, 2049) && !x.Has(asset.RoleDC) {
		x.add(asset.RoleFile)
	}
	if any(webClients, 25, 465, 587, 993, 143, 110) {
		x.add(asset.RoleMail)
	}
	if any(webClients, 80, 443, 8080, 8443) {
		x.add(asset.RoleWeb)
	}
	if any(1, 902, 8006) {
		x.add(asset.RoleHypervisor)
	}
}
