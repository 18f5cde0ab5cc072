// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"citywall/asset"
)

// Changes is what is to be saved.
type Changes struct {
	Machines []Machine
	Talks    []Talk
}

// Changed returns what is new since it was last called; with all, also what was
// only seen again.
func (o *Observed) Changed(all bool) Changes {
	least := grown
	if all {
		least = touched
	}
	var c Changes
	for k, m := range o.at {
		if m.change >= least {
			m.change = same
			c.Machines = append(c.Machines, o.export(k, m))
		}
	}
	for _, t := range o.talks {
		if t.change >= least {
			t.change = same
			c.Talks = append(c.Talks, t.Talk)
		}
	}
	return c
}

// Again marks as not saved what Changed returned.
func (o *Observed) Again(c Changes) {
	for _, x := range c.Machines {
		if m := o.at[key{x.Agency, x.Addr}]; m != nil {
			m.change = grown
		}
	}
	for _, x := range c.Talks {
		if t := o.talks[talkKey{x.Agency, x.From, x.To, x.Port}]; t != nil {
			t.change = grown
		}
	}
}

// Restore puts back what was saved. What does not fit is counted in Left.
func (o *Observed) Restore(c Changes) {
	for _, x := range c.Machines {
		if len(o.at) >= o.max {
			o.Left++
			continue
		}
		m := &machine{names: slices.Clone(x.Names), mac: x.MAC, first: x.First, last: x.Last, place: o.place(x.Addr), sent: x.Sent, sources: slices.Clone(x.Sources)}
		slices.Reverse(m.names)
		for _, s := range x.Services {
			for _, a := range s.Who {
				m.serves(s.Port, a)
			}
		}
		for _, e := range x.Evidence {
			if i := slices.Index(ways[:], e.Way); i >= 0 {
				m.evidence[i] = e
			}
		}
		if len(x.Names) > 0 && slices.Contains(x.Roles, asset.RoleDC) && len(o.issuers) < maxIssuers {
			o.issuers[x.Names[0]] = true
		}
		m.change = same
		o.at[key{x.Agency, x.Addr}] = m
	}
	for _, x := range c.Talks {
		if len(o.talks) < maxTalks {
			o.talks[talkKey{x.Agency, x.From, x.To, x.Port}] = &talk{Talk: x}
		}
	}
}

// Forget lets go what was last seen before t.
func (o *Observed) Forget(t time.Time) {
	maps.DeleteFunc(o.at, func(_ key, m *machine) bool { return m.last.Before(t) })
	maps.DeleteFunc(o.talks, func(_ talkKey, x *talk) bool { return x.Last.Before(t) })
}

// Len is how many machines are known.
func (o *Observed) Len() int { return len(o.at) }

// Machine returns what is known of one address, as sources of agency saw it.
func (o *Observed) Machine(agency string, a netip.Addr) (Machine, bool) {
	k := key{agency, a}
	m := o.at[k]
	if m == nil {
		return Machine{}, false
	}
	return o.export(k, m), true
}

// Redraw counts everything in the networks that Place says now. Traffic between
// networks that are no longer told apart so begins anew.
func (o *Observed) Redraw() {
	for k, m := range o.at {
		m.place = o.place(k.addr)
	}
	for k := range o.talks {
		if o.place(k.from.Addr()) != k.from || o.place(k.to.Addr()) != k.to {
			delete(o.talks, k)
		}
	}
}
