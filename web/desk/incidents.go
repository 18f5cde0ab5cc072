// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"strconv"

	"citywall/identity"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/internal/fault"
)

// ListIncidents returns one page of incidents.
func (d *Desk) ListIncidents(ctx context.Context, who Who, q incidentdb.ListQuery) (incidentdb.Page, error) {
	city, err := d.city(who)
	if err != nil {
		return incidentdb.Page{}, err
	}
	if err := d.may(who, identity.IncidentRead); err != nil {
		return incidentdb.Page{}, err
	}
	return city.Incidents.List(ctx, who.Scope(), q)
}

// CountIncidents counts incidents per state.
func (d *Desk) CountIncidents(ctx context.Context, who Who) (incidentdb.Counts, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, identity.IncidentRead); err != nil {
		return nil, err
	}
	return city.Incidents.Count(ctx, who.Scope())
}

// ExportIncidents calls f for every incident of q.
func (d *Desk) ExportIncidents(ctx context.Context, who Who, format string, q incidentdb.ListQuery, f func(incidentdb.Row) error) error {
	city, err := d.city(who)
	if err != nil {
		return err
	}
	if err := d.may(who, identity.IncidentRead); err != nil {
		return err
	}
	return d.actDetail(ctx, who, identity.IncidentRead, "incidents", "", map[string]string{"format": format}, func(ctx context.Context) (map[string]string, error) {
		n := 0
		q.Limit, q.After = 500, ""
		for {
			page, err := city.Incidents.List(ctx, who.Scope(), q)
			if err != nil {
				return nil, err
			}
			for _, row := range page.Rows {
				n++
				if err := f(row); err != nil {
					return nil, err
				}
			}
			if page.Next == "" {
				return map[string]string{"rows": strconv.Itoa(n)}, nil
			}
			q.After = page.Next
		}
	})
}

// Incident returns one incident as who may see it.
func (d *Desk) Incident(ctx context.Context, who Who, id string) (incidentdb.Record, error) {
	return d.incident(ctx, who, identity.IncidentRead, id)
}

// incident returns an incident after asking whether who may do a to it.
func (d *Desk) incident(ctx context.Context, who Who, a identity.Action, id string) (incidentdb.Record, error) {
	city, err := d.city(who)
	if err != nil {
		return incidentdb.Record{}, err
	}
	if err := d.may(who, a); err != nil {
		return incidentdb.Record{}, err
	}
	r, err := city.Incidents.Get(ctx, who.Scope(), id)
	if err != nil {
		return incidentdb.Record{}, err
	}
	return r, d.mayOne(who, a, r.ID, r.Incident.Agencies...)
}

// IncidentHistory returns the changes of an incident.
func (d *Desk) IncidentHistory(ctx context.Context, who Who, id string) ([]incidentdb.Change, error) {
	r, err := d.incident(ctx, who, identity.IncidentRead, id)
	if err != nil {
		return nil, err
	}
	return d.cfg.City.Incidents.History(ctx, who.Scope(), r.ID)
}

// StateAction is the action that moving an incident between states needs:
// closing and opening again are the lead's.
func StateAction(from, to incident.State) identity.Action {
	if from == incident.Closed || to == incident.Closed {
		return identity.IncidentClose
	}
	return identity.IncidentTriage
}

// SetState moves an incident.
func (d *Desk) SetState(ctx context.Context, who Who, id string, version int64, to incident.State, reason string) (incidentdb.Record, error) {
	r, err := d.incident(ctx, who, identity.IncidentRead, id)
	if err != nil {
		return r, err
	}
	a := StateAction(r.State, to)
	if err := d.mayOne(who, a, r.ID, r.Incident.Agencies...); err != nil {
		return r, err
	}
	return d.change(ctx, who, a, r.ID, reason, map[string]string{"from": string(r.State), "to": string(to)}, func(ctx context.Context) (incidentdb.Record, error) {
		return d.cfg.City.Incidents.SetState(ctx, who.User, r.ID, version, to, reason)
	})
}

// SetOwner gives an incident to a user of the realm, "" to nobody.
func (d *Desk) SetOwner(ctx context.Context, who Who, id string, version int64, owner string) (incidentdb.Record, error) {
	r, err := d.incident(ctx, who, identity.IncidentTriage, id)
	if err != nil {
		return r, err
	}
	if owner != "" {
		if _, err := d.cfg.City.Users.User(ctx, owner); err != nil {
			if fault.Is(err, fault.NotFound) {
				return r, fault.New(fault.Invalid, "there is no user %q in this realm", owner)
			}
			return r, err
		}
	}
	return d.change(ctx, who, identity.IncidentTriage, r.ID, "", map[string]string{"owner": owner}, func(ctx context.Context) (incidentdb.Record, error) {
		return d.cfg.City.Incidents.SetOwner(ctx, who.User, r.ID, version, owner)
	})
}

// AddNote adds a remark to an incident.
func (d *Desk) AddNote(ctx context.Context, who Who, id, text string) (incidentdb.Note, error) {
	r, err := d.incident(ctx, who, identity.IncidentNote, id)
	if err != nil {
		return incidentdb.Note{}, err
	}
	var n incidentdb.Note
	err = d.act(ctx, who, identity.IncidentNote, "incident/"+r.ID, "", nil, func(ctx context.Context) error {
		var err error
		n, err = d.cfg.City.Incidents.AddNote(ctx, who.User, r.ID, text)
		return err
	})
	return n, err
}

// Merge makes an incident part of another.
func (d *Desk) Merge(ctx context.Context, who Who, id string, version int64, into, reason string) (incidentdb.Record, error) {
	r, err := d.incident(ctx, who, identity.IncidentMerge, id)
	if err != nil {
		return r, err
	}
	other, err := d.incident(ctx, who, identity.IncidentMerge, into)
	if err != nil {
		return r, err
	}
	return d.change(ctx, who, identity.IncidentMerge, r.ID, reason, map[string]string{"into": other.ID}, func(ctx context.Context) (incidentdb.Record, error) {
		return d.cfg.City.Incidents.Merge(ctx, who.User, r.ID, version, other.ID, reason)
	})
}

// Unmerge takes an incident out of the one it was merged into.
func (d *Desk) Unmerge(ctx context.Context, who Who, id string, version int64, reason string) (incidentdb.Record, error) {
	r, err := d.incident(ctx, who, identity.IncidentMerge, id)
	if err != nil {
		return r, err
	}
	return d.change(ctx, who, identity.IncidentMerge, r.ID, reason, map[string]string{"out_of": r.MergedInto}, func(ctx context.Context) (incidentdb.Record, error) {
		return d.cfg.City.Incidents.Unmerge(ctx, who.User, r.ID, version, reason)
	})
}

// Split moves hosts or findings into an incident of their own.
func (d *Desk) Split(ctx context.Context, who Who, id string, version int64, sel incidentdb.Selection, reason string) (incidentdb.Record, error) {
	if len(sel.Hosts)+len(sel.Findings) == 0 {
		return incidentdb.Record{}, fault.New(fault.Invalid, "choose the hosts or findings that are another incident")
	}
	r, err := d.incident(ctx, who, identity.IncidentMerge, id)
	if err != nil {
		return r, err
	}
	detail := map[string]string{"hosts": strconv.Itoa(len(sel.Hosts)), "findings": strconv.Itoa(len(sel.Findings))}
	return d.change(ctx, who, identity.IncidentMerge, r.ID, reason, detail, func(ctx context.Context) (incidentdb.Record, error) {
		return d.cfg.City.Incidents.Split(ctx, who.User, r.ID, version, sel, reason)
	})
}

// Report notes that a report of an incident was taken, and returns what it is
// made from.
func (d *Desk) Report(ctx context.Context, who Who, id, format string) (incidentdb.Record, error) {
	r, err := d.incident(ctx, who, identity.IncidentRead, id)
	if err != nil {
		return r, err
	}
	return r, d.act(ctx, who, identity.IncidentRead, "incident/"+r.ID, "", map[string]string{"report": format}, func(context.Context) error { return nil })
}

func (d *Desk) change(ctx context.Context, who Who, a identity.Action, id, reason string, detail map[string]string, f func(context.Context) (incidentdb.Record, error)) (incidentdb.Record, error) {
	var r incidentdb.Record
	err := d.act(ctx, who, a, "incident/"+id, reason, detail, func(ctx context.Context) error {
		var err error
		r, err = f(ctx)
		return err
	})
	return r, err
}
