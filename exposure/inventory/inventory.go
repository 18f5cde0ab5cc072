// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package inventory says which machines a city really has, by what their records
// show, and how that differs from what is drawn.
//
// Names and addresses are joined by what joined them: a lease, a logon, an agent
// that says who it is. A role is inferred from ports that were served to
// several clients (attackpath.md §5), never from a name. An undrawn machine is a
// difference, not an alarm: people decide. Memory is bounded; what did not fit is
// counted. It never scans and never asks a device.
package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"citywall/asset"
	"citywall/event"
)

// Limits of what is kept.
const (
	maxMachines = 200_000 // addresses
	maxClients  = 16      // of one port, counted exactly; more are "at least"
	maxPorts    = 64      // served, of one machine
	maxNames    = 8       // of one address
	maxIssuers  = 1000
)

// Service is a port that a machine served.
type Service struct {
	Port    uint16 `json:"port"`
	Clients int    `json:"clients"` // distinct addresses, at most maxClients are told apart
}

// Machine is one address and what was seen of it.
type Machine struct {
	Addr     netip.Addr   `json:"address"`
	Names    []string     `json:"names,omitempty"` // newest first
	First    time.Time    `json:"first"`
	Last     time.Time    `json:"last"`
	Services []Service    `json:"services,omitempty"`
	Roles    []asset.Role `json:"roles,omitempty"` // inferred
	Sent     int64        `json:"sent"`            // flows that it began
}

type machine struct {
	names       []string
	first, last time.Time
	served      map[uint16]map[netip.Addr]bool
	sent        int64
}

// Observed gathers what records show. It is not safe for concurrent use.
type Observed struct {
	at      map[netip.Addr]*machine
	issuers map[string]bool // machines whose own log says that they issued a Kerberos ticket
	// Left counts addresses that did not fit.
	Left int64
}

// New returns an empty inventory.
func New() *Observed { return &Observed{at: map[netip.Addr]*machine{}, issuers: map[string]bool{}} }

// See takes what one record shows.
func (o *Observed) See(e *event.Event, v event.View) {
	if e.Time.IsZero() {
		return
	}
	if m := o.machine(v.HostAddr, e.Time); m != nil {
		m.named(v.Host)
	}
	if v.Action == event.Logon && v.Outcome != event.Failure && v.Logon == 3 && v.SrcHost != v.Host {
		// The name that a client writes proves nothing; it is one name among others.
		// Over RDP (type 10) Windows writes the target's own name there.
		if m := o.machine(v.Src, e.Time); m != nil {
			m.named(v.SrcHost)
		}
	}
	if v.Action == event.Ticket && e.Product == "windows" && v.Observer != "" && len(o.issuers) < maxIssuers {
		o.issuers[v.Observer] = true // 4768, 4769 are written where the ticket is issued
	}
	if v.Action != event.Flow || v.Outcome == event.Failure {
		return
	}
	if m := o.machine(v.Src, e.Time); m != nil {
		m.sent++
		m.named(v.SrcHost)
	}
	if m := o.machine(v.Dst, e.Time); m != nil {
		m.named(v.DstHost)
		m.serves(v.DstPort, v.Src)
	}
}

func (o *Observed) machine(a netip.Addr, t time.Time) *machine {
	if !a.IsValid() || a.IsMulticast() || a == broadcast {
		return nil
	}
	m := o.at[a]
	if m == nil {
		if len(o.at) >= maxMachines {
			o.Left++
			return nil
		}
		m = &machine{first: t, last: t}
		o.at[a] = m
	}
	if t.Before(m.first) {
		m.first = t
	}
	if t.After(m.last) {
		m.last = t
	}
	return m
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func (m *machine) named(name string) {
	if name == "" {
		return
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return
	}
	if i := slices.Index(m.names, name); i >= 0 {
		m.names = append(slices.Delete(m.names, i, i+1), name)
		return
	}
	if len(m.names) == maxNames {
		m.names = m.names[1:]
	}
	m.names = append(m.names, name)
}

func (m *machine) serves(port uint16, client netip.Addr) {
	if port == 0 || !client.IsValid() {
		return
	}
	if m.served == nil {
		m.served = map[uint16]map[netip.Addr]bool{}
	}
	c := m.served[port]
	if c == nil {
		if len(m.served) >= maxPorts {
			return
		}
		c = map[netip.Addr]bool{}
		m.served[port] = c
	}
	if len(c) < maxClients {
		c[client] = true
	}
}

// Machines returns what was seen, by address.
func (o *Observed) Machines() []Machine {
	out := make([]Machine, 0, len(o.at))
	for a, m := range o.at {
		x := Machine{Addr: a, Names: slices.Clone(m.names), First: m.first.UTC(), Last: m.last.UTC(), Sent: m.sent}
		slices.Reverse(x.Names)
		for p, c := range m.served {
			x.Services = append(x.Services, Service{p, len(c)})
		}
		slices.SortFunc(x.Services, func(a, b Service) int { return cmp.Or(b.Clients-a.Clients, int(a.Port)-int(b.Port)) })
		x.Roles = roles(m.served, slices.ContainsFunc(x.Names, func(n string) bool { return o.issuers[n] }))
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Machine) int { return a.Addr.Compare(b.Addr) })
	return out
}

// roles infers roles from served ports: how many different clients make one. A
// machine that issues tickets is a domain controller.
func roles(served map[uint16]map[netip.Addr]bool, issues bool) []asset.Role {
	at := func(least int, ports ...uint16) bool {
		return slices.ContainsFunc(ports, func(p uint16) bool { return len(served[p]) >= least })
	}
	var out []asset.Role
	dc := issues || at(2, 88) && at(2, 389, 636)
	if dc {
		out = append(out, asset.RoleDC)
	}
	if at(3, 53) {
		out = append(out, asset.RoleDNS)
	}
	if at(5, 445, 2049) && !dc {
		out = append(out, asset.RoleFile)
	}
	if at(3, 25, 465, 587, 993, 143, 110) {
		out = append(out, asset.RoleMail)
	}
	if at(3, 80, 443, 8080, 8443) {
		out = append(out, asset.RoleWeb)
	}
	if at(1, 902, 8006) {
		out = append(out, asset.RoleHypervisor)
	}
	return out
}
