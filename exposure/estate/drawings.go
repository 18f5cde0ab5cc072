// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"citywall/asset"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
)

// Preview is what accepting a drawing would change.
type Preview struct {
	Version  drawing.Version        `json:"version"`
	Segments []asset.Segment        `json:"new_segments"` // not drawn yet
	Hosts    []asset.Host           `json:"new_hosts"`
	Gone     []string               `json:"gone"`        // segments and machines that the version it replaces has and this one has not
	Clash    []string               `json:"contradicts"` // in what it says other than what counts; what counts first stands
	Solves   int                    `json:"solves"`      // differences that would go
	Adds     []inventory.Difference `json:"adds"`        // differences that would come, at most maxAdds
	AddsMore int                    `json:"adds_more"`   // beyond those
}

const maxAdds = 200

// Propose keeps a drawing that somebody handed in. It does not count before it
// is accepted.
func (e *Estate) Propose(ctx context.Context, actor string, v drawing.Version) (drawing.Version, error) {
	return e.store.PutDrawing(ctx, actor, v)
}

// Preview says what accepting a drawing would change.
func (e *Estate) Preview(ctx context.Context, id string) (Preview, error) {
	v, err := e.store.Drawing(ctx, id)
	if err != nil {
		return Preview{}, err
	}
	accepted, err := e.store.Accepted(ctx)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Version: v, Segments: []asset.Segment{}, Hosts: []asset.Host{}, Gone: []string{}, Clash: []string{}, Adds: []inventory.Difference{}}
	now, _ := e.Topology()
	segments, hosts := map[netip.Prefix]bool{}, map[string]bool{}
	for _, s := range now.Segments {
		segments[s.Prefix] = true
	}
	for _, h := range now.Hosts {
		hosts[asset.HostName(h.Name)] = true
	}
	news, newh := map[netip.Prefix]bool{}, map[string]bool{}
	for _, s := range v.Drawing.Topology.Segments {
		if news[s.Prefix] = true; !segments[s.Prefix] {
			p.Segments = append(p.Segments, s)
		}
	}
	for _, h := range v.Drawing.Topology.Hosts {
		if newh[asset.HostName(h.Name)] = true; !hosts[asset.HostName(h.Name)] {
			p.Hosts = append(p.Hosts, h)
		}
	}
	rest := slices.DeleteFunc(slices.Clone(accepted), func(x drawing.Version) bool { return x.Name == v.Name })
	for _, x := range accepted {
		if x.Name != v.Name || x.ID == v.ID {
			continue
		}
		for _, s := range x.Drawing.Topology.Segments {
			if !news[s.Prefix] {
				p.Gone = append(p.Gone, s.Name+" "+s.Prefix.String())
			}
		}
		for _, h := range x.Drawing.Topology.Hosts {
			if !newh[asset.HostName(h.Name)] {
				p.Gone = append(p.Gone, h.Name)
			}
		}
	}
	e.mu.Lock()
	e.catchUp()
	ms, ts := e.seen.Machines(), e.seen.Talks()
	notes := make([]inventory.Note, 0, len(e.notes))
	for _, n := range e.notes {
		notes = append(notes, n)
	}
	e.mu.Unlock()
	then := joined(e.config, append([]drawing.Version{v}, rest...), notes)
	for _, c := range then.clash {
		if !slices.Contains(joined(e.config, rest, nil).clash, c) {
			p.Clash = append(p.Clash, c)
		}
	}
	had := map[string]bool{}
	for _, d := range inventory.Diff(now, ms, ts) {
		had[point(d)] = true
	}
	all := len(had)
	stay := 0
	for _, d := range inventory.Diff(then.top, ms, ts) {
		switch {
		case had[point(d)]:
			stay++
		case len(p.Adds) < maxAdds:
			p.Adds = append(p.Adds, d)
		default:
			p.AddsMore++
		}
	}
	p.Solves = all - stay
	return p, nil
}

// point tells differences apart.
func point(d inventory.Difference) string {
	port := ""
	if d.Talk != nil {
		port = d.Talk.Src.String() + d.Talk.Dst.String() + strconv.Itoa(int(d.Talk.Port))
	}
	return strings.Join([]string{string(d.Kind), d.Name, d.Addr.String(), d.Prefix.String(), d.To, port}, "\x00")
}

// Decide accepts, refuses or retires a drawing.
func (e *Estate) Decide(ctx context.Context, actor, id string, to drawing.State) (drawing.Version, error) {
	e.decide.Lock()
	defer e.decide.Unlock()
	v, err := e.store.Decide(ctx, actor, id, to)
	if err != nil {
		return v, err
	}
	return v, e.change(ctx)
}

// Drawings lists what was handed in, without topologies, the newest first.
func (e *Estate) Drawings(ctx context.Context) ([]drawing.Version, error) {
	return e.store.Drawings(ctx)
}

// PutNote writes whose a machine or segment is and whom to call.
func (e *Estate) PutNote(ctx context.Context, actor string, n inventory.Note) (inventory.Note, error) {
	e.decide.Lock()
	defer e.decide.Unlock()
	n, err := e.store.PutNote(ctx, actor, n)
	if err != nil {
		return n, err
	}
	return n, e.change(ctx)
}
