// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/exposure/inventory"
	"citywall/identity"
	"citywall/internal/fault"
)

// Device is a machine as people know it: what was seen, joined with what is
// drawn.
type Device struct {
	inventory.Machine
	ID        string         `json:"id"`
	Name      string         `json:"name"` // drawn, else seen, else the address
	Drawn     *asset.Host    `json:"drawn,omitempty"`
	Segment   *asset.Segment `json:"segment,omitempty"`
	Of        string         `json:"of,omitempty"` // the agency it belongs to: as drawn, else of its sources
	Known     []asset.Role   `json:"known_roles"`  // drawn and inferred
	Owner     string         `json:"owner,omitempty"`
	Contact   string         `json:"contact,omitempty"`    // whom to call at any hour
	ContactOf string         `json:"contact_of,omitempty"` // asset.OfDevice or asset.OfSegment: whose contact that is
	Note      inventory.Note `json:"note"`
}

// Orders of a list.
const (
	ByLast    = "" // seen last first
	ByName    = "name"
	ByAddress = "address"
	BySegment = "segment"
	ByFirst   = "first" // the newest machine first
)

// Query selects devices.
type Query struct {
	Text    string
	Agency  string
	Segment string // name; "-" for none
	Role    string
	Drawn   string // "yes", "no" or ""
	Sort    string
	Limit   int    // 1 to MaxLimit; 0 is 50
	After   string // Next of the page before
}

// MaxLimit bounds a page.
const MaxLimit = 1000

// Page is a part of a list.
type Page struct {
	Devices []Device `json:"items"`
	Next    string   `json:"next,omitempty"`
	Total   int      `json:"total"` // that the query selects
	All     int      `json:"all"`   // that the asker may see
}

// ID names a device.
func ID(agency string, a netip.Addr) string {
	if agency == "" {
		return a.String()
	}
	return a.String() + "@" + agency
}

// ParseID reads what ID writes.
func ParseID(s string) (agency string, a netip.Addr, err error) {
	addr, agency, _ := strings.Cut(s, "@")
	if a, err = netip.ParseAddr(addr); err != nil {
		return "", a, fault.New(fault.NotFound, "there is no device %q", s)
	}
	return agency, a, nil
}

// joiner joins what was seen with what is drawn and written.
type joiner struct {
	top   asset.Topology
	notes map[string]inventory.Note
	addr  map[netip.Addr]*asset.Host
	name  map[string]*asset.Host
}

func join(t asset.Topology, notes map[string]inventory.Note) joiner {
	x := joiner{t, notes, map[netip.Addr]*asset.Host{}, map[string]*asset.Host{}}
	for i := range t.Hosts {
		h := &t.Hosts[i]
		for _, a := range h.Addresses {
			x.addr[a] = h
		}
		x.name[asset.HostName(h.Name)] = h
	}
	return x
}

func (x joiner) device(m inventory.Machine) Device {
	d := Device{Machine: m, ID: ID(m.Agency, m.Addr), Of: m.Agency, Name: m.Addr.String(), Known: []asset.Role{}, Note: inventory.Note{Subject: inventory.DeviceSubject(m.Agency, m.Addr)}}
	if len(m.Names) > 0 {
		d.Name = m.Names[0]
	}
	if s, ok := x.top.SegmentOf(m.Addr); ok {
		d.Segment, d.Of = &s, cmp.Or(s.Agency, d.Of)
	}
	h := x.addr[m.Addr]
	for i := 0; h == nil && i < len(m.Names); i++ {
		h = x.name[asset.HostName(m.Names[i])]
	}
	if n, ok := x.notes[d.Note.Subject]; ok {
		d.Note = n
	}
	if h != nil {
		d.Drawn, d.Name, d.Of, d.Owner, d.Contact = h, h.Name, cmp.Or(h.Agency, d.Of), h.Owner, h.Contact
		d.Known = append(d.Known, h.Roles...)
	}
	d.Owner, d.Contact = cmp.Or(d.Owner, d.Note.Owner), cmp.Or(d.Contact, d.Note.Contact)
	if d.Contact != "" {
		d.ContactOf = asset.OfDevice
	} else if d.Segment != nil && d.Segment.Contact != "" {
		d.Contact, d.ContactOf = d.Segment.Contact, asset.OfSegment
	}
	for _, r := range m.Roles {
		if !slices.Contains(d.Known, r) {
			d.Known = append(d.Known, r)
		}
	}
	return d
}

// mayRead reports whether a scope reaches what belongs to agency.
func mayRead(sc identity.Scope, agency string) bool {
	return sc.Realm == asset.City && sc.Case == "" && (len(sc.Agencies) == 0 || slices.Contains(sc.Agencies, agency))
}

// devices returns all that sc may see. Machines are copied under the lock,
// joined outside of it.
func (e *Estate) devices(sc identity.Scope) []Device {
	e.mu.Lock()
	e.catchUp()
	ms, top, notes := e.seen.Machines(), e.drawn.top, e.notes
	e.mu.Unlock()
	x, out := join(top, notes), make([]Device, 0, len(ms)) // topology and notes are exchanged, never changed
	for _, m := range ms {
		if d := x.device(m); mayRead(sc, d.Of) {
			out = append(out, d)
		}
	}
	return out
}

// List returns the devices that q selects, as far as sc goes.
func (e *Estate) List(sc identity.Scope, q Query) (Page, error) {
	if q.Limit == 0 {
		q.Limit = 50
	}
	from := 0
	if q.After != "" {
		n, err := strconv.Atoi(q.After)
		if err != nil || n < 0 {
			return Page{}, fault.New(fault.Invalid, "the page cursor %q is not one of this list", q.After)
		}
		from = n
	}
	if q.Limit < 1 || q.Limit > MaxLimit || !slices.Contains([]string{"", "yes", "no"}, q.Drawn) {
		return Page{}, fault.New(fault.Invalid, "a page has 1 to %d devices, and they are drawn (yes), not drawn (no) or either", MaxLimit)
	}
	order, err := orderOf(q.Sort)
	if err != nil {
		return Page{}, err
	}
	all := e.devices(sc)
	p := Page{All: len(all), Devices: []Device{}}
	all = slices.DeleteFunc(all, func(d Device) bool { return !q.selects(d) })
	p.Total = len(all)
	slices.SortStableFunc(all, order)
	if from >= len(all) {
		return p, nil
	}
	all = all[from:]
	if len(all) > q.Limit {
		all, p.Next = all[:q.Limit], strconv.Itoa(from+q.Limit)
	}
	p.Devices = all
	return p, nil
}

func segmentName(d Device) string {
	if d.Segment == nil {
		return ""
	}
	return d.Segment.Name
}

func orderOf(s string) (func(a, b Device) int, error) {
	switch s {
	case ByLast:
		return func(a, b Device) int { return b.Last.Compare(a.Last) }, nil
	case ByFirst:
		return func(a, b Device) int { return b.First.Compare(a.First) }, nil
	case ByName:
		return func(a, b Device) int { return strings.Compare(a.Name, b.Name) }, nil
	case ByAddress:
		return func(a, b Device) int { return a.Addr.Compare(b.Addr) }, nil
	case BySegment:
		return func(a, b Device) int {
			return cmp.Or(strings.Compare(segmentName(a), segmentName(b)), a.Addr.Compare(b.Addr))
		}, nil
	}
	return nil, fault.New(fault.Invalid, "%q is no order of devices; there are name, address, segment and first", s)
}

func (q Query) selects(d Device) bool {
	switch {
	case q.Agency != "" && d.Of != q.Agency,
		q.Segment == "-" && d.Segment != nil,
		q.Segment != "" && q.Segment != "-" && segmentName(d) != q.Segment,
		q.Role != "" && !slices.Contains(d.Known, asset.Role(q.Role)),
		q.Drawn == "yes" && d.Drawn == nil, q.Drawn == "no" && d.Drawn != nil:
		return false
	}
	t := strings.ToLower(strings.TrimSpace(q.Text))
	if t == "" {
		return true
	}
	for _, s := range append([]string{d.Name, d.Addr.String(), d.MAC, d.Of, d.Owner, d.Contact, segmentName(d)}, append(d.Names, d.Sources...)...) {
		if strings.Contains(strings.ToLower(s), t) {
			return true
		}
	}
	return false
}

// Device returns one device, and what it talked with beyond its own network.
func (e *Estate) Device(sc identity.Scope, id string) (Device, error) {
	agency, a, err := ParseID(id)
	if err != nil {
		return Device{}, err
	}
	e.mu.Lock()
	e.catchUp()
	m, ok := e.seen.Machine(agency, a)
	top, notes := e.drawn.top, e.notes
	e.mu.Unlock()
	if ok {
		if d := join(top, notes).device(m); mayRead(sc, d.Of) {
			return d, nil
		}
	}
	return Device{}, fault.New(fault.NotFound, "there is no device %q", id)
}

// Whom says of addresses where they are drawn and whom to call, as far as sc
// goes; one that sc does not reach, or that nothing is known of, is left out.
func (e *Estate) Whom(sc identity.Scope, as []netip.Addr) []asset.Place {
	top, _ := e.Known()
	p, out := top.Places(), []asset.Place{}
	for _, a := range as {
		if x, ok := p.At(a); ok && mayRead(sc, x.Of) {
			out = append(out, x)
		}
	}
	return out
}

// Places says of machines by name where they are drawn and whom to call, as far
// as sc goes.
func (e *Estate) Places(sc identity.Scope, machines map[string][]netip.Addr) map[string][]asset.Place {
	top, _ := e.Known()
	p, out := top.Places(), make(map[string][]asset.Place, len(machines))
	for host, as := range machines {
		if xs := slices.DeleteFunc(p.Of(host, as), func(x asset.Place) bool { return !mayRead(sc, x.Of) }); len(xs) > 0 {
			out[host] = xs
		}
	}
	return out
}

// Segment is a drawn network and how many machines were seen in it.
type Segment struct {
	asset.Segment
	Seen int            `json:"seen"`
	Last time.Time      `json:"last,omitzero"`
	Note inventory.Note `json:"note"`
}

// Segments returns what is drawn of networks, as far as sc goes.
func (e *Estate) Segments(sc identity.Scope) []Segment {
	e.mu.Lock()
	top, notes := e.drawn.top, e.notes
	e.mu.Unlock()
	at := map[netip.Prefix]int{}
	out := []Segment{}
	for _, s := range top.Segments {
		if !mayRead(sc, s.Agency) {
			continue
		}
		x := Segment{Segment: s, Note: inventory.Note{Subject: inventory.SegmentSubject(s.Prefix)}}
		if n, ok := notes[x.Note.Subject]; ok {
			x.Note = n
		}
		at[s.Prefix] = len(out)
		out = append(out, x)
	}
	for _, d := range e.devices(sc) {
		if d.Segment == nil {
			continue
		}
		if i, ok := at[d.Segment.Prefix]; ok {
			out[i].Seen++
			if d.Last.After(out[i].Last) {
				out[i].Last = d.Last
			}
		}
	}
	return out
}

// Differences returns in what drawing and traffic do not agree, as far as sc
// goes. Without a drawing there is nothing to differ from.
func (e *Estate) Differences(sc identity.Scope) []inventory.Difference {
	e.mu.Lock()
	e.catchUp()
	ms, ts, top := e.seen.Machines(), e.seen.Talks(), e.drawn.top
	e.mu.Unlock()
	out := []inventory.Difference{}
	for _, d := range inventory.Diff(top, ms, ts) {
		if d.Agency == "" && d.Machine != nil {
			d.Agency = d.Machine.Agency
		}
		if mayRead(sc, d.Agency) {
			out = append(out, d)
		}
	}
	return out
}
