// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package desk is the counter at which people ask things of Citywall. The API
// and the console stand on the same side of it, so that the console can do
// nothing that the API cannot.
//
// Every method does the same four things in the same order: it asks the policy
// whether the asker may, bounds the read by the asker's scope, writes the act
// into the audit log of the asker's realm where it is one, and calls one
// capability. It promises that no method reaches a capability before the
// policy has said yes, and that an answer never holds anything of the other
// realm: a desk has two sides, and an asker of one never meets the other.
//
// It knows no HTTP and words nothing.
package desk

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"citywall/asset"
	"citywall/audit"
	"citywall/detect/rulebook"
	"citywall/eventstore"
	"citywall/exposure/estate"
	"citywall/identity"
	"citywall/incident/incidentdb"
	"citywall/internal/fault"
)

// Who is an authenticated asker.
type Who struct {
	identity.Principal
	Session string // id of the session or token; never its secret
	Address string // of the client
	Via     string // "console", "api", "token", "socket"
}

// Config is what a desk needs. City or Police may be nil: an installation has
// one realm or both.
type Config struct {
	City   *City
	Police *Police
	Policy *identity.Policy
	// Query reads the query language for people (eventstore/query); a bound in
	// time that the text does not give is left zero.
	Query   func(text string, now time.Time) (eventstore.Query, error)
	Now     func() time.Time
	Log     *slog.Logger
	Version Version
}

// Version says what is running.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Built   string `json:"built,omitempty"`
	Go      string `json:"go"`
}

// Realm is what both sides have.
type Realm struct {
	Users Users
	Audit *audit.Log
}

// City is the side of the digital bureau.
type City struct {
	Realm
	Events    eventstore.Store
	Findings  Findings
	Incidents Incidents
	Sources   func(context.Context) ([]Source, error)
	Rules     *rulebook.Book // nil: no rules are held against events here
	Handover  *Handover      // nil: nothing can be handed over
	Duty      *Duty          // nil: no watch is kept
	Senders   *Senders       // nil: senders are not registered
	Storage   *Storage       // nil: the events are kept elsewhere
	Assets    *estate.Estate // nil: no inventory is kept
}

// Police is the side of the police.
type Police struct {
	Realm
	Cases    Cases
	Vault    Vault
	Packages *Packages // nil: no package can be opened
}

// Desk answers.
type Desk struct {
	cfg  Config
	now  func() time.Time
	log  *slog.Logger
	live liveCache
}

// New returns a desk or says what is missing.
func New(cfg Config) (*Desk, error) {
	switch {
	case cfg.Policy == nil:
		return nil, errors.New("desk: no policy")
	case cfg.City == nil && cfg.Police == nil:
		return nil, errors.New("desk: neither realm is there")
	}
	d := &Desk{cfg: cfg, now: cfg.Now, log: cfg.Log}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	for _, r := range d.Realms() {
		side, _ := d.realm(r)
		if side.Users == nil || side.Audit == nil {
			return nil, errors.New("desk: realm " + string(r) + " lacks users or audit log")
		}
	}
	return d, nil
}

// Now is the desk's clock.
func (d *Desk) Now() time.Time { return d.now() }

// Version says what is running. Anybody may know.
func (d *Desk) Version() Version { return d.cfg.Version }

// Realms lists the realms of this installation.
func (d *Desk) Realms() []asset.Realm {
	var out []asset.Realm
	if d.cfg.City != nil {
		out = append(out, asset.City)
	}
	if d.cfg.Police != nil {
		out = append(out, asset.Police)
	}
	return out
}

func (d *Desk) realm(r asset.Realm) (Realm, error) {
	switch {
	case r == asset.City && d.cfg.City != nil:
		return d.cfg.City.Realm, nil
	case r == asset.Police && d.cfg.Police != nil:
		return d.cfg.Police.Realm, nil
	}
	return Realm{}, fault.New(fault.NotFound, "this installation has no realm %q", r)
}

// Allowed reports whether who may do a to the collection of its kind: what the
// console draws a button by. The act itself is asked about again.
func (d *Desk) Allowed(who Who, a identity.Action) bool {
	return d.cfg.Policy.Allow(who.Principal, a, identity.Resource{Kind: kindOf(a), Realm: who.Realm}) == nil
}

// AllowedOn is Allowed for one incident.
func (d *Desk) AllowedOn(who Who, a identity.Action, r incidentdb.Record) bool {
	return d.may(who, a) == nil && d.mayOne(who, a, r.ID, r.Incident.Agencies...) == nil
}

func kindOf(a identity.Action) identity.Kind {
	for i := range len(a) {
		if a[i] == '.' {
			return identity.Kind(a[:i])
		}
	}
	return identity.Kind(a)
}

// may asks the policy about a collection of who's realm.
func (d *Desk) may(who Who, a identity.Action) error {
	return d.cfg.Policy.Allow(who.Principal, a, identity.Resource{Kind: kindOf(a), Realm: who.Realm})
}

// mayOne asks the policy about one thing.
func (d *Desk) mayOne(who Who, a identity.Action, id string, agencies ...string) error {
	return d.cfg.Policy.Allow(who.Principal, a, identity.Resource{Kind: kindOf(a), Realm: who.Realm, ID: id, Agencies: agencies})
}

// city returns the city's side for an asker that belongs to it.
func (d *Desk) city(who Who) (*City, error) {
	if who.Realm != asset.City || d.cfg.City == nil {
		return nil, fault.New(fault.Forbidden, "the city's records are open to users of the city realm only")
	}
	return d.cfg.City, nil
}

// police returns the police side for an asker that belongs to it.
func (d *Desk) police(who Who) (*Police, error) {
	if who.Realm != asset.Police || d.cfg.Police == nil {
		return nil, fault.New(fault.Forbidden, "cases are open to users of the police realm only")
	}
	return d.cfg.Police, nil
}

// act writes an audit entry before f and its outcome after it.
func (d *Desk) act(ctx context.Context, who Who, a identity.Action, object, reason string, detail map[string]string, f func(context.Context) error) error {
	r, err := d.realm(who.Realm)
	if err != nil {
		return err
	}
	return r.Audit.Do(ctx, d.entry(who, string(a), object, reason, detail), f)
}

// actDetail is act for acts whose outcome is worth keeping.
func (d *Desk) actDetail(ctx context.Context, who Who, a identity.Action, object, reason string, detail map[string]string, f func(context.Context) (map[string]string, error)) error {
	r, err := d.realm(who.Realm)
	if err != nil {
		return err
	}
	return r.Audit.DoDetail(ctx, d.entry(who, string(a), object, reason, detail), f)
}

func (d *Desk) entry(who Who, action, object, reason string, detail map[string]string) audit.Act {
	m := map[string]string{"via": who.Via}
	if who.Address != "" {
		m["address"] = who.Address
	}
	if who.Session != "" {
		m["session"] = who.Session
	}
	for k, v := range detail {
		if v != "" {
			m[k] = v
		}
	}
	return audit.Act{Actor: who.User, Action: action, Object: object, Reason: reason, Detail: m}
}
