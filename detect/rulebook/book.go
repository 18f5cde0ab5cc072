// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package rulebook is the rules of a running installation: what became of each
// one, which are switched off, how often they match, and why a rule does or does
// not match a record.
//
// It promises that every rule of every set is in exactly one state with its
// reason, that a rule that is switched off stays off over restarts and reloads
// until somebody switches it on, and that reading the rules anew loses nothing of
// what correlations that did not change remember. A rule that is switched off
// goes on being counted and goes on feeding the rules that count its hits: only
// its own findings end.
//
// It never decides who may do what (that is web/desk and the policies), never
// changes a rule, and keeps nothing of a rule or record that is only tried.
package rulebook

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/detect/sigma"
	"citywall/internal/fault"
)

// Config is what a book needs.
type Config struct {
	// Sets opens the sets of rules; the closer is called once they are read.
	Sets func() ([]sigma.Set, func(), error)
	// Placeholders are the values of Sigma's placeholders; nil: there are none.
	Placeholders func() map[string][]string
	// Detectors are the rules by whose name detectors of behaviour speak. They
	// are listed, and can be switched off, like those of the sets.
	Detectors []Detector
	Store     *detectdb.Store
	Licences  map[string]string // of sets whose rules name none, by the set's name
	Now       func() time.Time
}

// Detector is what a detector of behaviour says, in place of a rule.
type Detector struct {
	detect.Rule
	Meaning detect.Meaning
	Tags    []string
	Formula string
}

// Book is the rules of an installation. It is safe for concurrent use.
type Book struct {
	cfg  Config
	off  atomic.Pointer[map[string]detectdb.Off]
	page atomic.Pointer[page]

	change sync.Mutex // held while rules are read and while a switch is turned
	use    func(*sigma.Engine)
}

// page is what was read at one time.
type page struct {
	engine *sigma.Engine
	report *sigma.Report
	sets   []string
	read   time.Time
}

// Open reads the rules and the switches.
func Open(ctx context.Context, cfg Config) (*Book, error) {
	b := &Book{cfg: cfg}
	if b.cfg.Now == nil {
		b.cfg.Now = time.Now
	}
	if err := b.readOff(ctx); err != nil {
		return nil, err
	}
	return b, b.read()
}

// Engine returns the rules in force.
func (b *Book) Engine() *sigma.Engine { return b.page.Load().engine }

// OnRead sets who takes up the rules when they are read anew.
func (b *Book) OnRead(use func(*sigma.Engine)) { b.use = use }

// read loads the sets. What correlations remember goes over.
func (b *Book) read() error {
	sets, done, err := b.cfg.Sets()
	if err != nil {
		return err
	}
	defer done()
	var opt sigma.Options
	if b.cfg.Placeholders != nil {
		opt.Placeholders = b.cfg.Placeholders()
	}
	if old := b.page.Load(); old != nil {
		opt.Keep = old.engine
	}
	p := &page{read: b.cfg.Now().UTC()}
	if p.engine, p.report, err = sigma.Load(sets, opt); err != nil {
		return fmt.Errorf("load rules: %w", err)
	}
	for _, s := range sets {
		p.sets = append(p.sets, s.Name)
	}
	b.page.Store(p)
	return nil
}

// Reload reads the rules anew and puts them into force. When that fails the old
// ones stay. It says how many rules are in force then, and how many are not.
func (b *Book) Reload(context.Context) (loaded, not int, err error) {
	b.change.Lock()
	defer b.change.Unlock()
	if err := b.read(); err != nil {
		return 0, 0, err
	}
	p := b.page.Load()
	if b.use != nil {
		b.use(p.engine)
	}
	return p.report.Loaded, len(p.report.Refused) + len(p.report.Waiting), nil
}

// Muted reports whether the rule with that id is switched off. It is cheap: it is
// asked for every finding.
func (b *Book) Muted(id string) bool {
	_, off := (*b.off.Load())[id]
	return off
}

func (b *Book) readOff(ctx context.Context) error {
	list, err := b.cfg.Store.ListOff(ctx)
	if err != nil {
		return err
	}
	m := make(map[string]detectdb.Off, len(list))
	for _, o := range list {
		m[o.ID] = o
	}
	b.off.Store(&m)
	return nil
}

// CanSwitchOff returns why a rule cannot be switched off for that reason, and
// what is to be kept when it can.
func (b *Book) CanSwitchOff(id, by, reason string) (detectdb.Off, error) {
	o := detectdb.Off{ID: id, By: by, At: b.cfg.Now().UTC(), Reason: reason}
	if was, ok := (*b.off.Load())[id]; ok {
		return o, fault.New(fault.Conflict, "the rule %q was switched off by %s already: %s", was.Title, was.By, was.Reason)
	}
	for _, d := range b.cfg.Detectors {
		if d.ID == id {
			o.Title, o.Hash = d.Title, d.Hash
			return o, o.Validate()
		}
	}
	r := b.Engine().Rule(id)
	switch {
	case r == nil:
		return o, fault.New(fault.NotFound, "no rule that is loaded has the id %q", id)
	case r.Link:
		return o, fault.New(fault.Invalid, "the rule %q gives no findings: its hits only feed rules that count them; switch those off", r.Title)
	}
	o.Title, o.Hash = r.Title, r.Hash
	return o, o.Validate()
}

// SwitchOff ends the findings of a rule, from the next event on.
func (b *Book) SwitchOff(ctx context.Context, id, by, reason string) error {
	b.change.Lock()
	defer b.change.Unlock()
	o, err := b.CanSwitchOff(id, by, reason)
	if err != nil {
		return err
	}
	if err := b.cfg.Store.SwitchOff(ctx, o); err != nil {
		return err
	}
	return b.readOff(ctx)
}

// SwitchOn lets a rule give findings again, from the next event on.
func (b *Book) SwitchOn(ctx context.Context, id string) error {
	b.change.Lock()
	defer b.change.Unlock()
	if err := b.cfg.Store.SwitchOn(ctx, id); err != nil {
		return err
	}
	return b.readOff(ctx)
}

// Has reports whether Rule finds a rule with that id that can be run.
func (b *Book) Has(id string) bool {
	return b.Engine().Rule(id) != nil || slices.ContainsFunc(b.cfg.Detectors, func(d Detector) bool { return d.ID == id })
}

// Off returns the switch of a rule; ok is false when it is on.
func (b *Book) Off(id string) (o detectdb.Off, ok bool) {
	o, ok = (*b.off.Load())[id]
	return o, ok
}
