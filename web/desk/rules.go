// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"strconv"
	"strings"
	"time"

	"citywall/detect"
	"citywall/detect/rulebook"
	"citywall/event"
	"citywall/identity"
	"citywall/internal/fault"
)

// rules returns the city's rules for an asker who may do a.
func (d *Desk) rules(who Who, a identity.Action) (*rulebook.Book, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, a); err != nil {
		return nil, err
	}
	if city.Rules == nil {
		return nil, fault.New(fault.Unavailable, "this installation holds no rules against events")
	}
	return city.Rules, nil
}

// ListRules returns what became of the rules.
func (d *Desk) ListRules(ctx context.Context, who Who, q rulebook.Query) (rulebook.List, error) {
	b, err := d.rules(who, identity.RuleRead)
	if err != nil {
		return rulebook.List{}, err
	}
	return b.List(ctx, who.Scope(), q)
}

// Rule returns all about one rule.
func (d *Desk) Rule(ctx context.Context, who Who, id string) (rulebook.Detail, error) {
	b, err := d.rules(who, identity.RuleRead)
	if err != nil {
		return rulebook.Detail{}, err
	}
	return b.Rule(ctx, who.Scope(), id)
}

// SwitchRuleOff ends the findings of a rule until it is switched on again.
func (d *Desk) SwitchRuleOff(ctx context.Context, who Who, id, reason string) error {
	b, err := d.rules(who, identity.RuleSwitch)
	if err != nil {
		return err
	}
	o, err := b.CanSwitchOff(id, who.User, reason)
	if err != nil { // no entry for a slip
		return err
	}
	return d.act(ctx, who, identity.RuleSwitch, "rule/"+id, reason, map[string]string{"to": "off", "title": o.Title, "hash": o.Hash}, func(ctx context.Context) error {
		return b.SwitchOff(ctx, id, who.User, reason)
	})
}

// SwitchRuleOn lets a rule give findings again.
func (d *Desk) SwitchRuleOn(ctx context.Context, who Who, id, reason string) error {
	b, err := d.rules(who, identity.RuleSwitch)
	if err != nil {
		return err
	}
	o, off := b.Off(id)
	switch {
	case !off:
		return fault.New(fault.Conflict, "the rule %s is not switched off", id)
	case strings.TrimSpace(reason) == "":
		return fault.New(fault.Invalid, "switching a rule on needs a reason: say what has changed since it was switched off")
	}
	return d.act(ctx, who, identity.RuleSwitch, "rule/"+id, reason, map[string]string{"to": "on", "title": o.Title}, func(ctx context.Context) error {
		return b.SwitchOn(ctx, id)
	})
}

// Reloaded says what came of reading the rules anew.
type Reloaded struct {
	Loaded    int `json:"loaded"`
	NotLoaded int `json:"not_loaded"` // refused, or waiting for a placeholder
}

// ReloadRules reads the rules anew and puts them into force.
func (d *Desk) ReloadRules(ctx context.Context, who Who) (r Reloaded, err error) {
	b, err := d.rules(who, identity.RuleManage)
	if err != nil {
		return r, err
	}
	err = d.actDetail(ctx, who, identity.RuleManage, "rules", "", nil, func(ctx context.Context) (map[string]string, error) {
		var err error
		r.Loaded, r.NotLoaded, err = b.Reload(ctx)
		return map[string]string{"loaded": strconv.Itoa(r.Loaded), "not_loaded": strconv.Itoa(r.NotLoaded)}, err
	})
	return r, err
}

// RuleTrial is a rule and a record that somebody wants to hold against each
// other: a rule's text, else the id of one in force; a record's text, else the id
// of a kept one.
type RuleTrial struct {
	Rule   string
	ID     string
	Record string
	Event  string
	About  rulebook.About // what the record is about, where it does not say
}

// TryRule says why a rule does or does not match a record. Nothing is kept of it;
// a look at a kept record is an act as any other.
func (d *Desk) TryRule(ctx context.Context, who Who, t RuleTrial) (rulebook.Trial, error) {
	b, err := d.rules(who, identity.RuleTry)
	if err != nil {
		return rulebook.Trial{}, err
	}
	var e *event.Event
	if strings.TrimSpace(t.Record) == "" && t.Event != "" {
		id, err := event.ParseID(strings.TrimSpace(t.Event))
		if err != nil {
			return rulebook.Trial{}, &fault.Error{Kind: fault.Invalid, Err: err}
		}
		if e, err = d.Event(ctx, who, id); err != nil {
			return rulebook.Trial{}, err
		}
	} else if e, err = rulebook.ReadRecord([]byte(t.Record), t.About); err != nil {
		return rulebook.Trial{}, err
	}
	return b.Try(strings.TrimSpace(t.ID), []byte(t.Rule), e)
}

// Support is one record that a finding rests on.
type Support struct {
	Event  event.ID       `json:"event"`
	Kept   bool           `json:"kept"` // it is in the store, and the asker may see it
	Time   *time.Time     `json:"time,omitempty"`
	Origin event.Origin   `json:"origin"`        // the way to the bytes
	Met    []rulebook.Met `json:"met,omitempty"` // rules that it met, with its fields
}

// Supports is a page of the records that a finding rests on.
type Supports struct {
	Finding detect.Finding
	Listed  bool // a rule with the id of the finding's is in force
	Known   bool // and is the same to the letter; else no record says what it met
	Records []Support
	Next    int // place of the next page, 0 at the end
}

// supportsPage bounds the records that are looked up together.
const supportsPage = 25

// Supports returns the records of a finding from the one at the place after on,
// each with the fields that met the rule, or the rule whose hits it counts.
func (d *Desk) Supports(ctx context.Context, who Who, id string, after int) (s Supports, err error) {
	city, err := d.city(who)
	if err != nil {
		return s, err
	}
	if err := d.may(who, identity.FindingRead); err != nil {
		return s, err
	}
	if err := d.may(who, identity.EventSearch); err != nil {
		return s, err
	}
	if s.Finding, err = city.Findings.Get(ctx, who.Scope(), id); err != nil {
		return s, err
	}
	f := &s.Finding
	s.Listed = city.Rules != nil && city.Rules.Has(f.Rule.ID)
	if after < 0 || after > len(f.Events) {
		return s, fault.New(fault.Invalid, "after=%d: the finding has %d records", after, len(f.Events))
	}
	end := min(after+supportsPage, len(f.Events))
	if end < len(f.Events) {
		s.Next = end
	}
	err = d.act(ctx, who, identity.EventSearch, "finding/"+id, "", map[string]string{"records": strconv.Itoa(end - after)}, func(ctx context.Context) error {
		for i := after; i < end; i++ {
			x := Support{Event: f.Events[i]}
			if i < len(f.Origins) {
				x.Origin = f.Origins[i]
			}
			switch e, err := city.Events.Get(ctx, who.Scope(), x.Event); {
			case err == nil:
				x.Kept, x.Origin = true, e.Origin
				if !e.Time.IsZero() {
					t := e.Time.UTC()
					x.Time = &t
				}
				if city.Rules != nil {
					x.Met, s.Known = city.Rules.Why(f.Rule, e)
				}
			case !fault.Is(err, fault.NotFound):
				return err
			}
			s.Records = append(s.Records, x)
		}
		return nil
	})
	return s, err
}
