// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"citywall/asset"
	"citywall/exposure/estate"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/identity"
	"citywall/incident"
	"citywall/internal/fault"
)

// assets returns the city's inventory for an asker who may do a.
func (d *Desk) assets(who Who, a identity.Action) (*estate.Estate, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, a); err != nil {
		return nil, err
	}
	if city.Assets == nil {
		return nil, fault.New(fault.Unavailable, "this installation keeps no inventory")
	}
	return city.Assets, nil
}

// ListAssets returns machines, as far as the asker's scope goes.
func (d *Desk) ListAssets(_ context.Context, who Who, q estate.Query) (estate.Page, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return estate.Page{}, err
	}
	return e.List(who.Scope(), q)
}

// AssetStatus says how the inventory is doing.
func (d *Desk) AssetStatus(_ context.Context, who Who) (estate.Status, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return estate.Status{}, err
	}
	return e.Status(), nil
}

// Asset returns one machine.
func (d *Desk) Asset(_ context.Context, who Who, id string) (estate.Device, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return estate.Device{}, err
	}
	return e.Device(who.Scope(), id)
}

// maxWhom bounds the addresses of one question.
const maxWhom = 1000

// Whom says of addresses where they are drawn and whom to call.
func (d *Desk) Whom(_ context.Context, who Who, as []netip.Addr) ([]asset.Place, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return nil, err
	}
	return e.Whom(who.Scope(), as[:min(len(as), maxWhom)]), nil
}

// ToCut says of the machines that an incident advises to cut off, by name, where
// they are drawn and whom to call. Without an inventory, or the right to read
// it, nothing is said.
func (d *Desk) ToCut(who Who, in incident.Incident) map[string][]asset.Place {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return nil
	}
	return e.Places(who.Scope(), in.ToCut())
}

// ListSegments returns what is drawn of networks.
func (d *Desk) ListSegments(_ context.Context, who Who) ([]estate.Segment, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return nil, err
	}
	return e.Segments(who.Scope()), nil
}

// DifferenceQuery selects differences.
type DifferenceQuery struct {
	Kind  inventory.Kind // "" all
	Text  string
	Limit int    // 0: all
	After string // Next of the page before
}

// DifferencePage is a part of the differences.
type DifferencePage struct {
	Differences []inventory.Difference
	Next        string
	Counts      map[inventory.Kind]int // of all, whatever the query
}

// ListDifferences returns in what drawing and traffic do not agree.
func (d *Desk) ListDifferences(_ context.Context, who Who, q DifferenceQuery) (DifferencePage, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return DifferencePage{}, err
	}
	if q.Kind != "" && !slices.Contains(inventory.Kinds(), q.Kind) {
		return DifferencePage{}, fault.New(fault.Invalid, "%q is no kind of difference", q.Kind)
	}
	from := 0
	if q.After != "" {
		if from, err = strconv.Atoi(q.After); err != nil || from < 0 {
			return DifferencePage{}, fault.New(fault.Invalid, "the page cursor %q is not one of this list", q.After)
		}
	}
	p := DifferencePage{Counts: map[inventory.Kind]int{}}
	words := strings.ToLower(strings.TrimSpace(q.Text))
	for _, x := range e.Differences(who.Scope()) {
		p.Counts[x.Kind]++
		if q.Kind != "" && x.Kind != q.Kind {
			continue
		}
		all := strings.ToLower(strings.Join([]string{x.Name, x.To, x.Addr.String(), x.Prefix.String(), x.Drawn, x.Agency, x.Contact}, "\n"))
		if strings.Contains(all, words) {
			p.Differences = append(p.Differences, x)
		}
	}
	p.Differences = p.Differences[min(from, len(p.Differences)):]
	if q.Limit > 0 && len(p.Differences) > q.Limit {
		p.Differences, p.Next = p.Differences[:q.Limit], strconv.Itoa(from+q.Limit)
	}
	return p, nil
}

// ListDrawings returns what was handed in, without what stands in it. Whoever is
// bound to agencies does not see drawings: they are of the whole network.
func (d *Desk) ListDrawings(ctx context.Context, who Who) ([]drawing.Version, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return nil, err
	}
	if len(who.Scope().Agencies) > 0 {
		return nil, nil
	}
	return e.Drawings(ctx)
}

// Drawing returns a drawing and what accepting it would change.
func (d *Desk) Drawing(ctx context.Context, who Who, id string) (estate.Preview, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return estate.Preview{}, err
	}
	if err := d.mayOne(who, identity.AssetRead, id); err != nil {
		return estate.Preview{}, err
	}
	return e.Preview(ctx, id)
}

// MaxDrawing bounds a file that is handed in, in bytes.
const MaxDrawing = 64 << 20

// ImportDrawing reads a firewall configuration or list and keeps it as a
// proposal. The file itself is not kept.
func (d *Desk) ImportDrawing(ctx context.Context, who Who, name, file string, b []byte) (drawing.Version, error) {
	e, err := d.assets(who, identity.AssetManage)
	if err != nil {
		return drawing.Version{}, err
	}
	v, err := drawing.NewVersion(name, file, b)
	if err != nil {
		return v, err
	}
	detail := map[string]string{"drawing": "proposed", "kind": v.Drawing.Kind, "file": file, "sha256": v.SHA256, "bytes": strconv.FormatInt(v.Size, 10)}
	err = d.actDetail(ctx, who, identity.AssetManage, "drawing/"+v.Name, "", detail, func(ctx context.Context) (map[string]string, error) {
		v, err = e.Propose(ctx, who.User, v)
		return map[string]string{"id": v.ID}, err
	})
	return v, err
}

// DecideDrawing accepts, refuses or retires a drawing.
func (d *Desk) DecideDrawing(ctx context.Context, who Who, id string, to drawing.State) (drawing.Version, error) {
	e, err := d.assets(who, identity.AssetManage)
	if err != nil {
		return drawing.Version{}, err
	}
	if to != drawing.Accepted && to != drawing.Refused && to != drawing.Retired {
		return drawing.Version{}, fault.New(fault.Invalid, "a drawing is accepted, refused or retired, not %q", to)
	}
	var v drawing.Version
	err = d.actDetail(ctx, who, identity.AssetManage, "drawing/"+id, "", map[string]string{"drawing": string(to)}, func(ctx context.Context) (map[string]string, error) {
		v, err = e.Decide(ctx, who.User, id, to)
		return map[string]string{"name": v.Name, "sha256": v.SHA256}, err
	})
	return v, err
}

// NoteAsset writes whose a machine or segment is and whom to call.
func (d *Desk) NoteAsset(ctx context.Context, who Who, n inventory.Note) (inventory.Note, error) {
	e, err := d.assets(who, identity.AssetRead)
	if err != nil {
		return n, err
	}
	agency, a, p, err := inventory.ParseSubject(n.Subject)
	if err != nil {
		return n, err
	}
	of := ""
	if a.IsValid() {
		x, err := e.Device(who.Scope(), estate.ID(agency, a))
		if err != nil {
			return n, err
		}
		of = x.Of
	} else {
		all := e.Segments(who.Scope())
		i := slices.IndexFunc(all, func(s estate.Segment) bool { return s.Prefix == p })
		if i < 0 {
			return n, fault.New(fault.NotFound, "no segment %s is drawn", p)
		}
		of = all[i].Agency
	}
	var agencies []string
	if of != "" {
		agencies = []string{of}
	}
	if err := d.mayOne(who, identity.AssetNote, n.Subject, agencies...); err != nil {
		return n, err
	}
	if err := n.Check(); err != nil {
		return n, err
	}
	err = d.act(ctx, who, identity.AssetNote, n.Subject, "", map[string]string{"owner": n.Owner, "contact": n.Contact}, func(ctx context.Context) error {
		n, err = e.PutNote(ctx, who.User, n)
		return err
	})
	return n, err
}
