// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"citywall/asset"
	"citywall/exposure/estate"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/desk"
)

// AssetQuery reads which machines are asked for.
func AssetQuery(r *http.Request, limit int) (estate.Query, error) {
	v := r.URL.Query()
	q := estate.Query{
		Text: v.Get("text"), Agency: v.Get("agency"), Segment: v.Get("segment"), Role: v.Get("role"), Drawn: v.Get("drawn"), Sort: v.Get("sort"), After: v.Get("after"),
	}
	var err error
	q.Limit, err = number(r, "limit", limit, 1, estate.MaxLimit)
	return q, err
}

// assetPage is a page of machines and how the inventory is doing.
type assetPage struct {
	estate.Page
	Status estate.Status `json:"status"`
}

func (s *Server) assets(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := AssetQuery(r, 100)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListAssets(r.Context(), who, q)
	if err != nil {
		return err
	}
	st, err := s.Desk.AssetStatus(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, assetPage{p, st})
}

func words[T ~string](xs []T) string {
	out := make([]string, len(xs))
	for i, x := range xs {
		out[i] = string(x)
	}
	return strings.Join(out, " ")
}

func (s *Server) assetExport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := AssetQuery(r, estate.MaxLimit)
	if err != nil {
		return err
	}
	format, err := sheetKind(r)
	if err != nil {
		return err
	}
	q.Limit, q.After = estate.MaxLimit, ""
	if _, err := s.Desk.ListAssets(r.Context(), who, q); err != nil { // before the answer begins
		return err
	}
	k := sheet[estate.Device]{
		name:    "assets",
		columns: []string{"name", "address", "mac", "agency", "segment", "zone", "roles", "drawn", "owner", "contact", "first", "last", "names", "ports", "sources"},
		cells: func(d estate.Device) []string {
			segment, zone, drawn := "", "", "no"
			if d.Segment != nil {
				segment, zone = d.Segment.Name, string(d.Segment.Zone)
			}
			if d.Drawn != nil {
				drawn = "yes"
			}
			var ports []string
			for _, x := range d.Services {
				ports = append(ports, strconv.Itoa(int(x.Port)))
			}
			return []string{
				d.Name, d.Addr.String(), d.MAC, d.Of, segment, zone, words(d.Known), drawn, d.Owner, d.Contact, stamp(d.First), stamp(d.Last),
				strings.Join(d.Names, " "), strings.Join(ports, " "), strings.Join(d.Sources, " "),
			}
		},
		object: func(d estate.Device) any { return d },
	}
	return k.write(w, format, func(f func(estate.Device) error) error {
		for {
			p, err := s.Desk.ListAssets(r.Context(), who, q)
			if err != nil {
				return err
			}
			for _, d := range p.Devices {
				if err := f(d); err != nil {
					return err
				}
			}
			if q.After = p.Next; q.After == "" {
				return nil
			}
		}
	})
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	d, err := s.Desk.Asset(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return put(w, d)
}

func (s *Server) whom(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var as []netip.Addr
	for _, x := range list(r, "address") {
		a, err := netip.ParseAddr(x)
		if err != nil {
			return fault.New(fault.Invalid, "address=%q: want addresses, separated by commas", x)
		}
		as = append(as, a.Unmap())
	}
	v, err := s.Desk.Whom(r.Context(), who, as)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}

func (s *Server) segments(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.ListSegments(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}

func (s *Server) noteAsset(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Subject string `json:"subject"`
		Owner   string `json:"owner"`
		Contact string `json:"contact"`
		Version int64  `json:"version"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	n, err := s.Desk.NoteAsset(r.Context(), who, inventory.Note{Subject: in.Subject, Owner: in.Owner, Contact: in.Contact, Version: in.Version})
	if err != nil {
		return err
	}
	return put(w, n)
}

// difference is a difference with its sentence.
type difference struct {
	inventory.Difference
	Text string `json:"text"`
}

func said(l text.Lang, ds []inventory.Difference) []difference {
	out := make([]difference, 0, len(ds))
	for _, d := range ds {
		out = append(out, difference{d, estate.Explain(l, d)})
	}
	return out
}

// DifferenceQuery reads which differences are asked for.
func DifferenceQuery(r *http.Request, limit int) (desk.DifferenceQuery, error) {
	v := r.URL.Query()
	q := desk.DifferenceQuery{Kind: inventory.Kind(v.Get("kind")), Text: v.Get("text"), After: v.Get("after")}
	var err error
	q.Limit, err = number(r, "limit", limit, 1, 1000)
	return q, err
}

func (s *Server) differences(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := DifferenceQuery(r, 100)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListDifferences(r.Context(), who, q)
	if err != nil {
		return err
	}
	return put(w, struct {
		Items  []difference           `json:"items"`
		Next   string                 `json:"next"`
		Counts map[inventory.Kind]int `json:"counts"`
	}{said(lang(r), p.Differences), p.Next, p.Counts})
}

func (s *Server) differenceExport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := DifferenceQuery(r, 1000)
	if err != nil {
		return err
	}
	format, err := sheetKind(r)
	if err != nil {
		return err
	}
	q.Limit, q.After = 0, ""
	p, err := s.Desk.ListDifferences(r.Context(), who, q)
	if err != nil {
		return err
	}
	l := lang(r)
	k := sheet[inventory.Difference]{
		name:    "differences",
		columns: []string{"kind", "name", "address", "prefix", "to", "roles", "drawn", "count", "agency", "contact", "why"},
		cells: func(d inventory.Difference) []string {
			row := []string{string(d.Kind), d.Name, "", "", d.To, words(d.Roles), d.Drawn, strconv.Itoa(d.Count), d.Agency, d.Contact, estate.Explain(l, d)}
			if d.Addr.IsValid() {
				row[2] = d.Addr.String()
			}
			if d.Prefix.IsValid() {
				row[3] = d.Prefix.String()
			}
			return row
		},
		object: func(d inventory.Difference) any { return difference{d, estate.Explain(l, d)} },
	}
	return k.write(w, format, func(f func(inventory.Difference) error) error {
		for _, d := range p.Differences {
			if err := f(d); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Server) drawings(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.ListDrawings(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}

func (s *Server) importDrawing(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	v, err := s.Desk.ImportDrawing(r.Context(), who, r.URL.Query().Get("name"), r.URL.Query().Get("file"), b)
	if err != nil {
		return err
	}
	v.Drawing.Topology = asset.Topology{}
	return put(w, v)
}

func (s *Server) drawing(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	p, err := s.Desk.Drawing(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	adds := said(lang(r), p.Adds)
	return put(w, struct {
		estate.Preview
		Adds []difference `json:"adds"`
	}{p, adds})
}

func (s *Server) decideDrawing(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		State drawing.State `json:"state"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	v, err := s.Desk.DecideDrawing(r.Context(), who, r.PathValue("id"), in.State)
	if err != nil {
		return err
	}
	v.Drawing.Topology = asset.Topology{}
	return put(w, v)
}
