// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
)

// Store is the compact memory of a correlation engine.
type Store struct {
	strings  table[string]
	nodes    table[Node]
	accounts table[asset.Account]
	origins  table[event.Origin]
	ruleIDs  table[string]
	rules    []ruleInfo

	series  map[Key]*Series
	marks   map[MarkKey]*Mark
	files   map[FileKey]*FileSum
	bursts  map[burstKey]*burstSum
	binds   map[bindKey]*span
	clients map[string]string // of DHCP: hardware address to name
	sources map[ID]*Source
	hours   map[sensorHour]int64 // rows a source wrote in an hour
	logoffs map[session]int64    // latest end
	priv    map[session]int64    // sessions with special privileges, and since when
	names   map[netip.Addr]string
	nats    map[natKey][]natUse
	pools   map[netip.Addr]bool // addresses that stand for many machines
	sides   map[ID]*sideCount
	agency  map[ID]string // host node: agency of the source that wrote about it
	realm   asset.Realm

	lastOrigin   event.Origin
	lastOriginID ID
	lastRule     string
	lastRuleID   ID

	// Events and Untimed count what was observed and what had no time.
	Events, Untimed int64
}

// New returns an empty store.
func New() *Store {
	return &Store{
		strings: newTable(strings.Clone), nodes: newTable(ownNode), accounts: newTable(ownAccount),
		origins: newTable(same[event.Origin]), ruleIDs: newTable(same[string]), rules: make([]ruleInfo, 1),
		series: map[Key]*Series{}, marks: map[MarkKey]*Mark{}, files: map[FileKey]*FileSum{},
		bursts: map[burstKey]*burstSum{}, binds: map[bindKey]*span{}, clients: map[string]string{}, sources: map[ID]*Source{},
		hours: map[sensorHour]int64{}, logoffs: map[session]int64{}, priv: map[session]int64{}, names: map[netip.Addr]string{},
		sides: map[ID]*sideCount{}, agency: map[ID]string{}, nats: map[natKey][]natUse{}, pools: map[netip.Addr]bool{},
	}
}

// Observe keeps what matters of ev and of the findings about it. Findings may
// also come alone, with a nil event, when they were made elsewhere.
func (s *Store) Observe(ev *event.Event, fs []detect.Finding) {
	var sensor ID
	if ev != nil {
		s.Events++
		s.from(ev.Realm)
		if ev.Time.IsZero() {
			s.Untimed++
		} else {
			v := ev.View()
			sensor = s.event(ev, &v)
		}
	}
	for i := range fs {
		s.from(fs[i].Realm)
		s.finding(&fs[i], sensor)
	}
}

// from notes the realm. All of a store is of one realm; should that ever fail,
// the smaller name stands, whatever came first.
func (s *Store) from(r asset.Realm) {
	if r != "" && (s.realm == "" || r < s.realm) {
		s.realm = r
	}
}

// Realm returns the realm of what was observed.
func (s *Store) Realm() asset.Realm { return s.realm }

// Source is one writer of records: a sensor, a host's own log, a file.
type Source struct {
	Name        string // "zeek@scranton", "windows@pc-12"
	Product     string
	Clock       string // whose clock stamps its records: sensor or host
	Own         bool   // some of its records are about itself
	Watches     bool   // it sees connections of others pass: a sensor, a firewall, an exporter of flows
	First, Last int64
	Count       int64
}

// source returns the id of whoever wrote ev.
func (s *Store) source(ev *event.Event, v *event.View) ID {
	who := v.Observer
	if who == "" && ev.Product != "zeek" && ev.Product != "suricata" && ev.Product != "alert" {
		who = v.Host
	}
	if who == "" {
		if who = ev.Origin.Inner; who == "" {
			who = ev.Origin.File
		}
		if who == "" {
			who = ev.Source
		}
		who = sensorOf(who)
	}
	id := s.strings.id(ev.Product + "@" + who)
	x := s.sources[id]
	t := ev.Time.UnixNano()
	if x == nil {
		x = &Source{Name: s.String(id), Product: ev.Product, Clock: strings.Clone(who), First: t, Last: t}
		s.sources[id] = x
	}
	x.First, x.Last = min(x.First, t), max(x.Last, t)
	x.Count++
	if v.Observer == "" && v.Host != "" && ev.Category != "alert" {
		x.Own = true
	} else if v.Action == event.Flow || v.Action == event.FlowRefused {
		x.Watches = true
	}
	s.hours[sensorHour{floorHour(t), id}]++
	return id
}

// sensorOf names the sensor of a file that does not say: its name without the
// log's kind, date and ending, so that SCRANTON_conn.log and SCRANTON_dns.log
// are one sensor.
func sensorOf(path string) string {
	if i := strings.LastIndexAny(path, `/\!`); i >= 0 {
		path = path[i+1:]
	}
	base, _, _ := strings.Cut(path, ".")
	if i := strings.LastIndexAny(base, "_-"); i > 0 {
		base = base[:i]
	}
	return strings.ToLower(base)
}

// Sources returns every writer, ordered by name.
func (s *Store) Sources() []Source {
	out := make([]Source, 0, len(s.sources))
	for _, x := range s.sources {
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// SourceOf returns the writer with that id.
func (s *Store) SourceOf(id ID) (Source, bool) {
	x, ok := s.sources[id]
	if !ok {
		return Source{}, false
	}
	return *x, true
}

// Hours returns the hours (since 1970) in which the named source wrote, sorted.
func (s *Store) Hours(name string) []int64 {
	id, ok := s.strings.ids[name]
	if !ok {
		return nil
	}
	var out []int64
	for k := range s.hours {
		if k.sensor == id {
			out = append(out, k.hour)
		}
	}
	slices.Sort(out)
	return out
}

// Span returns the first and last time of anything observed, 0 and 0 when
// nothing was.
func (s *Store) Span() (first, last int64) {
	for _, x := range s.sources {
		if first == 0 || x.First < first {
			first = x.First
		}
		last = max(last, x.Last)
	}
	return first, last
}

type session struct {
	host ID
	id   uint64
}

// SessionEnd returns when session id on host ended, if a logoff was seen.
func (s *Store) SessionEnd(host ID, id uint64) (int64, bool) {
	t, ok := s.logoffs[session{host, id}]
	return t, ok
}

// sideCount is what firewalls' interface roles said of an address.
type sideCount struct{ lan, wan, dmz int64 }

// Side returns "lan", "wan" or "dmz", as firewalls reported a node. One
// firewall's outside may be another's inside, so inside wins.
func (s *Store) Side(n ID) string {
	c := s.sides[n]
	switch {
	case c == nil:
		return ""
	case c.dmz > c.lan:
		return "dmz"
	case c.lan > 0:
		return "lan"
	}
	return "wan"
}

// NameOf returns the domain name that a DNS answer gave for a, "" when names
// were never asked for.
func (s *Store) NameOf(a netip.Addr) string { return s.names[a] }

// Agency returns the agency of the source that wrote about the node.
func (s *Store) Agency(n ID) string { return s.agency[n] }

// Nodes returns the number of interned nodes; ids run from 1 to Nodes.
func (s *Store) Nodes() int { return len(s.nodes.vals) - 1 }

// EachSource calls f for every writer, in no particular order.
func (s *Store) EachSource(f func(ID, Source)) {
	for id, x := range s.sources {
		f(id, *x)
	}
}
