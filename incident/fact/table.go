// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"net/netip"
	"strings"

	"citywall/asset"
	"citywall/event"
	"citywall/incident"
)

// ID stands for a string, a node or an account; 0 stands for none. The numbers
// depend on the order of arrival and must never decide anything.
type ID uint32

// Node is one end as a record names it: an address, else a host name.
type Node struct {
	Addr netip.Addr
	Name string // asset.HostName form, only when Addr is not valid
}

// IsZero reports whether n names nobody.
func (n Node) IsZero() bool { return !n.Addr.IsValid() && n.Name == "" }

// String returns the address or the name.
func (n Node) String() string {
	if n.Addr.IsValid() {
		return n.Addr.String()
	}
	return n.Name
}

// table interns values of one type. own copies a value that is kept: its texts
// may be part of a whole record's.
type table[T comparable] struct {
	ids  map[T]ID
	vals []T
	own  func(T) T
}

func newTable[T comparable](own func(T) T) table[T] {
	var zero T
	return table[T]{ids: map[T]ID{}, vals: []T{zero}, own: own}
}

func ownNode(n Node) Node {
	n.Name = strings.Clone(n.Name)
	return n
}

func ownAccount(a asset.Account) asset.Account {
	a.Domain, a.Name = strings.Clone(a.Domain), strings.Clone(a.Name)
	return a
}

func same[T any](v T) T { return v }

func (t *table[T]) id(v T) ID {
	var zero T
	if v == zero {
		return 0
	}
	if id, ok := t.ids[v]; ok {
		return id
	}
	id := ID(len(t.vals))
	v = t.own(v)
	t.ids[v], t.vals = id, append(t.vals, v)
	return id
}

// Ptr is a compact incident.Pointer: what the records of one file share is
// kept once.
type Ptr struct {
	Event  event.ID
	origin ID
	line   int32
	chunk  int32
	carved bool
	offset int64
	record uint64
}

// Valid reports whether p leads anywhere.
func (p Ptr) Valid() bool { return p.origin != 0 }

func (s *Store) ptr(id event.ID, o event.Origin) Ptr {
	p := Ptr{Event: id, line: int32(o.Line), chunk: o.Chunk, carved: o.Carved, offset: o.Offset, record: o.Record}
	o.Offset, o.Line, o.Record, o.Chunk, o.Carved = 0, 0, 0, 0, false
	if o == s.lastOrigin && s.lastOriginID != 0 {
		p.origin = s.lastOriginID
		return p
	}
	if o == (event.Origin{}) {
		o.Format = "?" // a literal in a test: still a pointer
	}
	p.origin = s.origins.id(o)
	s.lastOrigin, s.lastOriginID = o, p.origin
	return p
}

// Pointer returns the whole pointer.
func (s *Store) Pointer(p Ptr) incident.Pointer {
	o := s.origins.vals[p.origin]
	if o.Format == "?" {
		o.Format = ""
	}
	o.Offset, o.Line, o.Record, o.Chunk, o.Carved = p.offset, int64(p.line), p.record, p.chunk, p.carved
	return incident.Pointer{Event: p.Event, Origin: o}
}

// At is a pointer with its time, for keeping the earliest few.
type At struct {
	T   int64 // ns, UTC
	Ptr Ptr
}

func (a At) before(b At) bool {
	if a.T != b.T {
		return a.T < b.T
	}
	return string(a.Ptr.Event[:]) < string(b.Ptr.Event[:])
}

// keep inserts a into the earliest n of list, ordered by time then event id.
// The same event is kept once.
func keep(list []At, a At, n int) []At {
	i := len(list)
	for i > 0 && a.before(list[i-1]) {
		i--
	}
	if i > 0 && list[i-1].Ptr.Event == a.Ptr.Event && list[i-1].T == a.T {
		return list
	}
	if i == n {
		return list
	}
	if len(list) < n {
		list = append(list, At{})
	}
	copy(list[i+1:], list[i:])
	list[i] = a
	return list
}

// String returns an interned text.
func (s *Store) String(id ID) string { return s.strings.vals[id] }

// Node returns an interned node.
func (s *Store) Node(id ID) Node { return s.nodes.vals[id] }

// Account returns an interned account.
func (s *Store) Account(id ID) asset.Account { return s.accounts.vals[id] }

// node interns the address, or the name when there is no address. A link-local
// address says nothing beyond its link, so the name stands for it.
func (s *Store) node(a netip.Addr, name string) ID {
	if a.IsValid() && !a.IsLinkLocalUnicast() {
		return s.nodes.id(Node{Addr: a})
	}
	return s.nodes.id(Node{Name: name})
}

// account interns a person's or computer's account. Windows' own identities
// are nobody: they log on without anyone at a keyboard.
func (s *Store) account(a asset.Account) ID {
	if a.IsZero() || system(a) {
		return 0
	}
	return s.accounts.id(a)
}

func system(a asset.Account) bool {
	switch a.Name {
	case "system", "anonymous logon", "local service", "network service", "iusr", "defaultaccount":
		return true
	}
	switch a.Domain {
	case "nt authority", "window manager", "font driver host", "nt service", "nt virtual machine", "iis apppool":
		return true
	}
	return strings.HasPrefix(a.Name, "dwm-") || strings.HasPrefix(a.Name, "umfd-")
}

// Domains returns the domain of each computer whose own account was seen, by
// host name. Of several, the smallest.
func (s *Store) Domains() map[string]string {
	out := map[string]string{}
	for _, a := range s.accounts.vals {
		host, machine := strings.CutSuffix(a.Name, "$")
		if !machine || a.Domain == "" {
			continue
		}
		domain, _, _ := strings.Cut(strings.ToLower(a.Domain), ".") // CORP and corp.example
		if old, ok := out[host]; !ok || domain < old {
			out[host] = domain
		}
	}
	return out
}

// NodeID returns the id of a node that was observed.
func (s *Store) NodeID(n Node) (ID, bool) {
	id, ok := s.nodes.ids[n]
	return id, ok
}
