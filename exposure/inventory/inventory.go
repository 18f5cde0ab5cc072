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
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"citywall/asset"
	"citywall/event"
)

// Limits of what is kept.
const (
	maxClients = 16 // of one port, counted exactly; more are "at least"
	maxPorts   = 64 // served, of one machine
	maxNames   = 8  // of one address
	maxSources = 8  // that told of one address
	maxIssuers = 1000
	maxTalks   = 20_000
	lastPort   = 49152 // from here on ports are ephemeral: as one they are port 0
)

// Service is a port that a machine served.
type Service struct {
	Port    uint16       `json:"port"`
	Clients int          `json:"clients"` // distinct addresses, at most maxClients are told apart
	Who     []netip.Addr `json:"who,omitempty"`
}

// Way is how a record tells of a machine.
type Way string

// Ways, the surest first.
const (
	ByLease  Way = "lease"  // a DHCP server gave it the address
	BySelf   Way = "self"   // a record about the machine itself
	ByLogon  Way = "logon"  // it logged on elsewhere
	BySent   Way = "sent"   // it began a flow
	ByServed Way = "served" // it answered one
)

var ways = [...]Way{ByLease, BySelf, ByLogon, BySent, ByServed}

// Evidence is the newest record that told of a machine in one way.
type Evidence struct {
	Way    Way       `json:"way"`
	Event  event.ID  `json:"event"`
	Source string    `json:"source"`
	Time   time.Time `json:"time"`
}

// Machine is one address, seen by the sources of one agency, and what was seen
// of it.
type Machine struct {
	Agency   string       `json:"agency,omitempty"` // of the sources
	Addr     netip.Addr   `json:"address"`
	Names    []string     `json:"names,omitempty"` // newest first
	MAC      string       `json:"mac,omitempty"`   // of its newest lease
	First    time.Time    `json:"first"`
	Last     time.Time    `json:"last"`
	Services []Service    `json:"services,omitempty"`
	Roles    []asset.Role `json:"roles,omitempty"` // inferred
	Sent     int64        `json:"sent"`            // flows that it began
	Sources  []string     `json:"sources,omitempty"`
	Evidence []Evidence   `json:"evidence,omitempty"` // one of each way
}

// Talk is traffic between two networks: flows that were established.
type Talk struct {
	Agency string       `json:"agency,omitempty"` // of the sources
	From   netip.Prefix `json:"from"`
	To     netip.Prefix `json:"to"`
	Port   uint16       `json:"port"` // 0: an ephemeral one
	Count  int64        `json:"count"`
	First  time.Time    `json:"first"`
	Last   time.Time    `json:"last"`
	Src    netip.Addr   `json:"src"` // of the newest flow
	Dst    netip.Addr   `json:"dst"`
	Event  event.ID     `json:"event"`
	Source string       `json:"source"`
}

type key struct {
	agency string
	addr   netip.Addr
}

type talkKey struct {
	agency   string
	from, to netip.Prefix
	port     uint16
}

type machine struct {
	names       []string
	mac         string
	first, last time.Time
	served      map[uint16]map[netip.Addr]bool
	sent        int64
	sources     []string
	evidence    [len(ways)]Evidence
	place       netip.Prefix
	change      change
}

type talk struct {
	Talk
	change change
}

// change is what happened to a thing since it was saved last.
type change uint8

const (
	same    change = iota
	touched        // seen again
	grown          // something new about it
)

// Observed gathers what records show. It is not safe for concurrent use.
type Observed struct {
	// Keep says which addresses are the city's; nil: all are kept.
	Keep func(netip.Addr) bool
	// Place is the network that an address is counted in; nil: its /24 or /64.
	Place func(netip.Addr) netip.Prefix
	// Left counts addresses that did not fit.
	Left int64

	at      map[key]*machine
	issuers map[string]bool // machines whose own log says that they issued a Kerberos ticket
	talks   map[talkKey]*talk
	max     int
}

// New returns an empty inventory of at most that many machines.
func New(most int) *Observed {
	return &Observed{at: map[key]*machine{}, issuers: map[string]bool{}, talks: map[talkKey]*talk{}, max: most}
}

// See takes what one record shows.
func (o *Observed) See(e *event.Event, v event.View) {
	t := e.Time
	if !e.Received.IsZero() && t.After(e.Received) {
		t = e.Received // its clock runs ahead
	}
	if t.IsZero() {
		return
	}
	if v.HostAddr.IsValid() {
		if m := o.machine(e, v.HostAddr, t); m != nil {
			m.named(v.Host)
			if v.Action == event.Lease {
				m.prove(0, e, t)
				m.leased(v)
			} else {
				m.prove(1, e, t)
			}
		}
	}
	if v.Action == event.Logon && v.Outcome != event.Failure && v.Logon == 3 && v.SrcHost != v.Host {
		// The name that a client writes proves nothing; it is one name among others.
		// Over RDP (type 10) Windows writes the target's own name there.
		if m := o.machine(e, v.Src, t); m != nil {
			m.named(v.SrcHost)
			m.prove(2, e, t)
		}
	}
	if v.Action == event.Ticket && e.Product == "windows" && v.Observer != "" && len(o.issuers) < maxIssuers {
		o.issuers[v.Observer] = true // 4768, 4769 are written where the ticket is issued
	}
	if v.Action != event.Flow || v.Outcome == event.Failure {
		return
	}
	src, dst := o.machine(e, v.Src, t), o.machine(e, v.Dst, t)
	if src != nil {
		src.sent++
		src.named(v.SrcHost)
		src.prove(3, e, t)
	}
	if dst != nil {
		dst.named(v.DstHost)
		dst.serves(v.DstPort, v.Src)
		dst.prove(4, e, t)
	}
	if src != nil && dst != nil {
		o.talk(e, v, t, src.place, dst.place)
	}
}

func (o *Observed) place(a netip.Addr) netip.Prefix {
	if o.Place != nil {
		return o.Place(a)
	}
	return around(a)
}

func (o *Observed) machine(e *event.Event, a netip.Addr, t time.Time) *machine {
	if !a.IsValid() || a.IsMulticast() || a == broadcast || a.IsLinkLocalUnicast() {
		return nil
	}
	k := key{e.Agency, a}
	m := o.at[k]
	if m == nil {
		if o.Keep != nil && !o.Keep(a) {
			return nil
		}
		if len(o.at) >= o.max {
			o.Left++
			return nil
		}
		m = &machine{first: t, last: t, place: o.place(a), change: grown}
		o.at[k] = m
	}
	if t.Before(m.first) {
		m.first = t
	}
	if t.After(m.last) {
		m.last = t
	}
	m.change = max(m.change, touched)
	if !slices.Contains(m.sources, e.Source) && e.Source != "" {
		if len(m.sources) == maxSources {
			m.sources = m.sources[1:]
		}
		m.sources = append(m.sources, e.Source)
	}
	return m
}

func (m *machine) prove(way int, e *event.Event, t time.Time) {
	x := &m.evidence[way]
	if x.Way == "" {
		m.change = grown
	} else if t.Before(x.Time) {
		return
	}
	*x = Evidence{ways[way], e.ID, e.Source, t}
}

// leased takes the hardware address of a lease that was given.
func (m *machine) leased(v event.View) {
	if v.Outcome != event.Success {
		return
	}
	h, err := net.ParseMAC(v.Session)
	if err != nil || len(h) != 6 {
		return
	}
	if mac := h.String(); mac != m.mac {
		m.mac, m.change = mac, grown
	}
}

func (o *Observed) talk(e *event.Event, v event.View, t time.Time, from, to netip.Prefix) {
	if from == to {
		return
	}
	k := talkKey{e.Agency, from, to, v.DstPort}
	if k.port >= lastPort {
		k.port = 0
	}
	x := o.talks[k]
	if x == nil {
		if len(o.talks) >= maxTalks {
			o.Left++
			return
		}
		x = &talk{Talk: Talk{Agency: k.agency, From: k.from, To: k.to, Port: k.port, First: t}, change: grown}
		o.talks[k] = x
	}
	x.Count++
	x.change = max(x.change, touched)
	if t.Before(x.First) {
		x.First = t
	}
	if !t.Before(x.Last) {
		x.Last, x.Src, x.Dst, x.Event, x.Source = t, v.Src, v.Dst, e.ID, e.Source
	}
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func (m *machine) named(name string) {
	if name == "" {
		return
	}
	if n := len(m.names); n > 0 && m.names[n-1] == name {
		return
	}
	if '0' <= name[0] && name[0] <= '9' || strings.IndexByte(name, ':') >= 0 { // nothing else is an address
		if _, err := netip.ParseAddr(name); err == nil {
			return
		}
	}
	m.change = grown
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
		m.served[port], m.change = c, grown
	}
	if len(c) < maxClients {
		c[client] = true
	}
}

// Machines returns what was seen, by address.
func (o *Observed) Machines() []Machine {
	out := make([]Machine, 0, len(o.at))
	for k, m := range o.at {
		out = append(out, o.export(k, m))
	}
	slices.SortFunc(out, func(a, b Machine) int { return cmp.Or(a.Addr.Compare(b.Addr), strings.Compare(a.Agency, b.Agency)) })
	return out
}

func (o *Observed) export(k key, m *machine) Machine {
	x := Machine{
		Agency: k.agency, Addr: k.addr, Names: slices.Clone(m.names), MAC: m.mac, First: m.first.UTC(), Last: m.last.UTC(), Sent: m.sent,
		Sources: slices.Clone(m.sources),
	}
	slices.Reverse(x.Names)
	for p, c := range m.served {
		x.Services = append(x.Services, Service{p, len(c), slices.SortedFunc(maps.Keys(c), netip.Addr.Compare)})
	}
	slices.SortFunc(x.Services, func(a, b Service) int { return cmp.Or(b.Clients-a.Clients, int(a.Port)-int(b.Port)) })
	for _, e := range m.evidence {
		if e.Way != "" {
			e.Time = e.Time.UTC()
			x.Evidence = append(x.Evidence, e)
		}
	}
	x.Roles = roles(m.served, slices.ContainsFunc(x.Names, func(n string) bool { return o.issuers[n] }))
	return x
}

// Talks returns the traffic between networks, the busiest first.
func (o *Observed) Talks() []Talk {
	out := make([]Talk, 0, len(o.talks))
	for _, t := range o.talks {
		out = append(out, t.Talk)
	}
	slices.SortFunc(out, func(a, b Talk) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.From.Addr().Compare(b.From.Addr()), a.To.Addr().Compare(b.To.Addr()), int(a.Port)-int(b.Port), strings.Compare(a.Agency, b.Agency))
	})
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
