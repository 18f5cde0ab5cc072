// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package estate is the living inventory of a city: it watches the events that
// are kept, joins what they show with what is drawn, and answers who a machine
// is, whose, and whom to call.
//
// It promises never to hold the events up: it looks at every record of a source
// that says little and at a share of one that says much, and counts what it did
// not look at. What it knows is saved every few seconds, and all of it when it
// is closed. Memory is bounded.
//
// It never asks a device, and a difference between drawing and traffic is never
// more than a question to a person.
package estate

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/exposure/inventorydb"
)

// Periods and bounds.
const (
	saveEvery   = 10 * time.Second
	allEvery    = 5 * time.Minute // also what was only seen again
	whole       = 30_000          // records that are looked at between two savings, shared by the sources
	least       = 100             // of each source
	share       = 8               // of more, one in so many
	waiting     = 4               // batches that wait while somebody reads
	maxMachines = 100_000
)

// A machine that was not seen for the first of these is forgotten; when memory
// is nearly full, sooner.
var forgetAfter = [...]time.Duration{180 * day, 60 * day, 14 * day, 2 * day}

const day = 24 * time.Hour

// Estate is the inventory of one realm. It is safe for concurrent use.
type Estate struct {
	store  *inventorydb.Store
	config asset.Topology
	now    func() time.Time
	log    *slog.Logger

	mu     sync.Mutex
	seen   *inventory.Observed
	looked map[string]int // by source, since the last saving
	status Status
	all    time.Time // when everything was saved
	drawn  drawn
	notes  map[string]inventory.Note

	wait struct {
		sync.Mutex
		batches [][]*event.Event
		passed  int64
	}
	decide sync.Mutex // one change of drawings or notes at a time
	redrew func(asset.Topology)
}

// drawn is what counts: the configuration, then what people wrote, then the
// accepted drawings.
type drawn struct {
	top   asset.Topology
	clash []string
}

// Status says how the inventory is doing.
type Status struct {
	Machines int       `json:"machines"`
	Left     int64     `json:"left"`   // addresses and ways beyond what fits in memory
	Looked   int64     `json:"looked"` // records since the start
	Passed   int64     `json:"passed"` // records that were not looked at: their source said too much at once
	Saved    time.Time `json:"saved,omitzero"`
	Error    string    `json:"error,omitempty"` // why it was not saved last
}

// Open loads what is known. config is the topology that the installation's file
// says; it stands before every drawing.
func Open(ctx context.Context, store *inventorydb.Store, config asset.Topology, now func() time.Time, log *slog.Logger) (*Estate, error) {
	e := &Estate{store: store, config: config, now: now, log: log, seen: inventory.New(maxMachines), looked: map[string]int{}, all: now()}
	e.seen.Keep, e.seen.Place = e.ours, func(a netip.Addr) netip.Prefix { return e.drawn.top.PlaceOf(a) }
	if err := e.redraw(ctx); err != nil {
		return nil, err
	}
	c, damaged, err := store.Load(ctx)
	if err != nil {
		return nil, err
	}
	if damaged > 0 {
		log.Error("the inventory has records that cannot be read; they are seen anew", "records", damaged)
	}
	e.seen.Restore(c)
	return e, nil
}

// ours says which addresses are the city's: private ones, and those of drawn
// segments that are not someone else's.
func (e *Estate) ours(a netip.Addr) bool {
	if s, ok := e.drawn.top.SegmentOf(a); ok {
		return s.Zone != asset.ZoneExternal
	}
	return a.IsPrivate()
}

// Observe takes what the records show. It keeps none of them beyond the call,
// unless somebody reads just now: then a few batches wait.
func (e *Estate) Observe(events []*event.Event) {
	if e.mu.TryLock() {
		e.catchUp()
		e.look(events)
		e.mu.Unlock()
		return
	}
	e.wait.Lock()
	defer e.wait.Unlock()
	if len(e.wait.batches) < waiting {
		e.wait.batches = append(e.wait.batches, events)
	} else {
		e.wait.passed += int64(len(events))
	}
}

// catchUp looks at what waited; mu is held.
func (e *Estate) catchUp() {
	e.wait.Lock()
	batches := e.wait.batches
	e.wait.batches = nil
	e.status.Passed += e.wait.passed
	e.wait.passed = 0
	e.wait.Unlock()
	for _, b := range batches {
		e.look(b)
	}
}

// look is the part that costs; mu is held.
func (e *Estate) look(events []*event.Event) {
	quota := max(least, whole/max(1, len(e.looked)))
	for _, x := range events {
		n := e.looked[x.Source]
		e.looked[x.Source] = n + 1
		if n >= quota && n%share != 0 && x.Product != "dhcp" { // leases are rare, and nothing says as much
			e.status.Passed++
			continue
		}
		e.status.Looked++
		e.seen.See(x, x.View())
	}
}

// Run saves what is new until ctx ends.
func (e *Estate) Run(ctx context.Context) error {
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			e.Save(ctx, false)
		case <-ctx.Done():
			return nil
		}
	}
}

// Close saves everything. Nothing may be observed any more.
func (e *Estate) Close() error {
	e.Save(context.Background(), true)
	return nil
}

// Save writes what is new, with all or when it is time also what was only seen
// again. A failure is in the status, and what was not written is written next
// time.
func (e *Estate) Save(ctx context.Context, all bool) {
	now := e.now()
	e.mu.Lock()
	e.catchUp()
	clear(e.looked)
	if now.Sub(e.all) >= allEvery || now.Before(e.all) {
		all = true
	}
	c := e.seen.Changed(all)
	var before time.Time // what was seen last before is forgotten
	if all {
		e.all = now
		for _, d := range forgetAfter {
			before = now.Add(-d)
			e.seen.Forget(before)
			if e.seen.Len() < maxMachines*9/10 {
				break
			}
		}
	}
	e.mu.Unlock()

	err := e.store.Save(ctx, c)
	if err == nil && !before.IsZero() {
		err = e.store.Forget(ctx, before)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.seen.Again(c)
		if e.status.Error == "" {
			e.log.Error("the inventory was not saved; it is tried again", "err", err)
		}
		e.status.Error = err.Error()
		return
	}
	e.status.Saved, e.status.Error = now, ""
}

// Status says how the inventory is doing.
func (e *Estate) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.catchUp()
	s := e.status
	s.Machines, s.Left = e.seen.Len(), e.seen.Left
	return s
}

// Topology is what is drawn now: the configuration first, then what people wrote
// and the accepted drawings; clash says in what those contradict each other. It
// is not to be changed.
func (e *Estate) Topology() (t asset.Topology, clash []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.drawn.top, e.drawn.clash
}

// Known is Topology for those who act on it: machines of which people wrote
// whose they are or whom to call are in it, drawn or not.
func (e *Estate) Known() (t asset.Topology, clash []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, _ = inventory.Merge(e.drawn.top) // a copy
	x := join(t, e.notes)
	var more []asset.Host
	for _, n := range slices.SortedFunc(maps.Values(e.notes), func(a, b inventory.Note) int { return strings.Compare(a.Subject, b.Subject) }) {
		agency, a, _, err := inventory.ParseSubject(n.Subject)
		if err != nil || !a.IsValid() || n.Owner+n.Contact == "" {
			continue
		}
		m, ok := e.seen.Machine(agency, a)
		if !ok {
			m = inventory.Machine{Agency: agency, Addr: a}
		}
		d := x.device(m)
		if d.Drawn != nil { // an element of t, found by name or address
			d.Drawn.Owner, d.Drawn.Contact = d.Owner, cmp.Or(d.Drawn.Contact, n.Contact)
			continue
		}
		more = append(more, asset.Host{Name: d.Name, Addresses: []netip.Addr{a}, Agency: d.Of, Owner: n.Owner, Contact: n.Contact})
	}
	t.Hosts = append(t.Hosts, more...)
	return t, e.drawn.clash
}

// OnChange has f called with Known whenever a drawing was accepted or retired, or
// a note written, before the act is done with. There is one f; it must be quick.
func (e *Estate) OnChange(f func(asset.Topology)) {
	e.decide.Lock()
	defer e.decide.Unlock()
	e.redrew = f
}

// change is redraw, told of. decide is held.
func (e *Estate) change(ctx context.Context) error {
	if err := e.redraw(ctx); err != nil {
		return err
	}
	if e.redrew != nil {
		t, _ := e.Known()
		e.redrew(t)
	}
	return nil
}

// redraw reads drawings and notes anew.
func (e *Estate) redraw(ctx context.Context) error {
	accepted, err := e.store.Accepted(ctx)
	if err != nil {
		return err
	}
	notes, err := e.store.Notes(ctx)
	if err != nil {
		return err
	}
	d := joined(e.config, accepted, notes)
	by := make(map[string]inventory.Note, len(notes))
	for _, n := range notes {
		by[n.Subject] = n
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drawn, e.notes = d, by
	e.seen.Redraw()
	return nil
}

func joined(config asset.Topology, accepted []drawing.Version, notes []inventory.Note) drawn {
	ts := []asset.Topology{config}
	for _, v := range accepted {
		ts = append(ts, v.Drawing.Topology)
	}
	var d drawn
	d.top, d.clash = inventory.Merge(ts...)
	d.top = inventory.Noted(d.top, notes)
	return d
}
