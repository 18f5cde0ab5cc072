// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"citywall/asset"
	"citywall/exposure/estate"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/identity"
	"citywall/incident"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

type assetsData struct {
	estate.Page
	Status    estate.Status
	Query     estate.Query
	Segments  []estate.Segment
	Agencies  []string
	Roles     []asset.Role
	Different int // differences of all kinds
	Filtered  bool
	Records   int64 // that arrived since the start
	Pager     pager
}

// assetRoles are the roles that a list can be bounded to.
var assetRoles = []asset.Role{
	asset.RoleDC, asset.RoleFile, asset.RoleMail, asset.RoleWeb, asset.RoleDNS, asset.RoleHypervisor, asset.RoleBackup, asset.RoleVPN, asset.RoleFirewall, asset.RoleServer,
	asset.RoleWorkstation, asset.RoleMedical, asset.RoleManager, asset.RoleMonitor, asset.RoleScanner,
}

func (s *Server) assets(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	q, err := api.AssetQuery(r, perPage)
	if err != nil {
		return err
	}
	d := assetsData{Query: q, Roles: assetRoles, Filtered: q.Text+q.Agency+q.Segment+q.Role+q.Drawn != ""}
	if d.Page, err = s.Desk.ListAssets(r.Context(), c.Who, q); err != nil {
		return err
	}
	if d.Status, err = s.Desk.AssetStatus(r.Context(), c.Who); err != nil {
		return err
	}
	if d.Segments, err = s.Desk.ListSegments(r.Context(), c.Who); err != nil {
		return err
	}
	for _, x := range d.Segments {
		if x.Agency != "" && !slices.Contains(d.Agencies, x.Agency) {
			d.Agencies = append(d.Agencies, x.Agency)
		}
	}
	slices.Sort(d.Agencies)
	d.Records = d.Status.Looked + d.Status.Passed
	p, err := s.Desk.ListDifferences(r.Context(), c.Who, desk.DifferenceQuery{})
	if err != nil {
		return err
	}
	for _, n := range p.Counts {
		d.Different += n
	}
	d.Pager = newPager(r, d.Next, api.Prefix+"/assets/export")
	return s.render(w, r, c, http.StatusOK, "assets", text.T(Lang(r), "console.nav.assets"), d)
}

type assetData struct {
	estate.Device
	Search string // the machine's records
	JSON   string
	Note   bool // may be written
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	x, err := s.Desk.Asset(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	d := assetData{Device: x, JSON: api.Prefix + "/assets/devices/" + url.PathEscape(x.ID), Note: s.mayNote(c, x.Of)}
	if s.Desk.Allowed(c.Who, identity.EventSearch) {
		a := x.Addr.String()
		q := "src_ip:" + a + " OR dst_ip:" + a + " OR host_ip:" + a
		if strings.Contains(a, ":") {
			q = `src_ip:"` + a + `" OR dst_ip:"` + a + `" OR host_ip:"` + a + `"`
		}
		d.Search = "/search?" + url.Values{"q": {q}, "span": {"24h"}}.Encode()
	}
	return s.render(w, r, c, http.StatusOK, "asset", x.Name, d)
}

// mayNote says whether to draw the form; the desk asks again.
func (s *Server) mayNote(c door.Caller, agency string) bool {
	return s.Desk.Allowed(c.Who, identity.AssetNote) || agency != "" && slices.Contains(c.Who.Agencies, agency)
}

type segmentsData struct {
	Items []segmentRow
	All   int
	Text  string
	Sort  string
	JSON  string
}

type segmentRow struct {
	estate.Segment
	Editable bool
}

func (s *Server) segments(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	all, err := s.Desk.ListSegments(r.Context(), c.Who)
	if err != nil {
		return err
	}
	v := r.URL.Query()
	d := segmentsData{All: len(all), Text: strings.TrimSpace(v.Get("text")), Sort: v.Get("sort"), JSON: api.Prefix + "/assets/segments"}
	for _, x := range all {
		if strings.Contains(strings.ToLower(strings.Join([]string{x.Name, x.Prefix.String(), x.Agency, x.Contact, x.Note.Owner}, "\n")), strings.ToLower(d.Text)) {
			d.Items = append(d.Items, segmentRow{x, s.mayNote(c, x.Agency)})
		}
	}
	switch d.Sort {
	case "":
		slices.SortStableFunc(d.Items, func(a, b segmentRow) int { return a.Prefix.Compare(b.Prefix) })
	case "name":
		slices.SortStableFunc(d.Items, func(a, b segmentRow) int { return strings.Compare(a.Name, b.Name) })
	case "seen":
		slices.SortStableFunc(d.Items, func(a, b segmentRow) int { return b.Seen - a.Seen })
	default:
		return fault.New(fault.Invalid, "%q is no order of segments", d.Sort)
	}
	return s.render(w, r, c, http.StatusOK, "segments", text.T(Lang(r), "console.segments.title"), d)
}

func (s *Server) noteAsset(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	f := r.PostForm
	n, err := s.Desk.NoteAsset(r.Context(), c.Who, inventory.Note{Subject: f.Get("subject"), Owner: strings.TrimSpace(f.Get("owner")), Contact: strings.TrimSpace(f.Get("contact")), Version: v})
	if err != nil {
		return err
	}
	to := "/assets/segments"
	if agency, a, _, err := inventory.ParseSubject(n.Subject); err == nil && a.IsValid() {
		to = "/assets/devices/" + url.PathEscape(estate.ID(agency, a))
	}
	return back(w, r, to, "asset_noted")
}

type differencesData struct {
	Items  []differenceRow
	Kinds  []inventory.Kind
	Counts map[inventory.Kind]int
	All    int
	Query  desk.DifferenceQuery
	Drawn  bool // something is drawn at all
	Pager  pager
}

type differenceRow struct {
	inventory.Difference
	Why, Device, Event string
}

func differenceRows(l text.Lang, ds []inventory.Difference) []differenceRow {
	out := make([]differenceRow, 0, len(ds))
	for _, d := range ds {
		x := differenceRow{Difference: d, Why: estate.Explain(l, d)}
		if m := d.Machine; m != nil && d.Kind != inventory.UndrawnSegment {
			x.Device = estate.ID(m.Agency, m.Addr)
			for _, e := range m.Evidence {
				x.Event = e.Event.String()
			}
		}
		if d.Talk != nil {
			x.Device, x.Event = estate.ID(d.Talk.Agency, d.Talk.Src), d.Talk.Event.String()
		}
		out = append(out, x)
	}
	return out
}

func (s *Server) differences(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	q, err := api.DifferenceQuery(r, perPage)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListDifferences(r.Context(), c.Who, q)
	if err != nil {
		return err
	}
	segments, err := s.Desk.ListSegments(r.Context(), c.Who)
	if err != nil {
		return err
	}
	l := Lang(r)
	d := differencesData{Items: differenceRows(l, p.Differences), Kinds: inventory.Kinds(), Counts: p.Counts, Query: q, Drawn: len(segments) > 0, Pager: newPager(r, p.Next, api.Prefix+"/assets/differences/export")}
	for _, n := range p.Counts {
		d.All += n
	}
	return s.render(w, r, c, http.StatusOK, "differences", text.T(l, "console.differences.title"), d)
}

type drawingsData struct {
	Items  []drawing.Version
	Manage bool
	JSON   string
}

func (s *Server) drawings(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	all, err := s.Desk.ListDrawings(r.Context(), c.Who)
	if err != nil {
		return err
	}
	return s.render(w, r, c, http.StatusOK, "drawings", text.T(Lang(r), "console.drawings.title"), drawingsData{all, s.Desk.Allowed(c.Who, identity.AssetManage), api.Prefix + "/assets/drawings"})
}

// importDrawing takes an uploaded file; what it would change is shown before it
// is accepted.
func (s *Server) importDrawing(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	mr, err := r.MultipartReader()
	if err != nil {
		return fault.New(fault.Invalid, "choose a file to upload: %w", err)
	}
	name := ""
	for {
		part, err := mr.NextPart()
		if err != nil {
			return fault.New(fault.Invalid, "choose a file to upload")
		}
		switch part.FormName() {
		case "name":
			b, err := io.ReadAll(io.LimitReader(part, 2000))
			if err != nil {
				return err
			}
			name = string(b)
		case "file":
			b, err := io.ReadAll(part)
			if err != nil {
				return err
			}
			v, err := s.Desk.ImportDrawing(r.Context(), c.Who, name, part.FileName(), b)
			if err != nil {
				return err
			}
			return back(w, r, "/assets/drawings/"+v.ID, "drawing_read")
		}
	}
}

type drawingData struct {
	estate.Preview
	AddRows []differenceRow
	Manage  bool
	JSON    string
}

func (s *Server) drawing(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	p, err := s.Desk.Drawing(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	d := drawingData{Preview: p, AddRows: differenceRows(Lang(r), p.Adds), Manage: s.Desk.Allowed(c.Who, identity.AssetManage), JSON: api.Prefix + "/assets/drawings/" + p.Version.ID}
	return s.render(w, r, c, http.StatusOK, "drawing", p.Version.Name, d)
}

func (s *Server) decideDrawing(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	to := drawing.State(r.PostForm.Get("state"))
	if _, err := s.Desk.DecideDrawing(r.Context(), c.Who, r.PathValue("id"), to); err != nil {
		return err
	}
	return back(w, r, "/assets/drawings/"+r.PathValue("id"), "drawing_"+string(to))
}

// whomRow is whom to call, and about which machines that are to be cut off.
type whomRow struct {
	Segment, Contact, ContactOf string
	Hosts                       []string
}

// whom says whom to call about machines that are to be cut off, those without
// anybody last.
func whom(places map[string][]asset.Place, cut ...[]incident.HostState) []whomRow {
	var out []whomRow
	add := func(host string, p asset.Place) {
		i := slices.IndexFunc(out, func(x whomRow) bool { return x.Segment == p.Segment && x.Contact == p.Contact })
		if i < 0 {
			i = len(out)
			out = append(out, whomRow{Segment: p.Segment, Contact: p.Contact, ContactOf: p.ContactOf})
		}
		if !slices.Contains(out[i].Hosts, host) {
			out[i].Hosts = append(out[i].Hosts, host)
		}
	}
	for _, h := range slices.Concat(cut...) {
		for _, p := range places[h.Host] {
			add(h.Host, p)
		}
		if len(places[h.Host]) == 0 {
			add(h.Host, asset.Place{})
		}
	}
	slices.SortStableFunc(out, func(a, b whomRow) int {
		switch {
		case (a.Contact == "") == (b.Contact == ""):
			return len(b.Hosts) - len(a.Hosts)
		case a.Contact == "":
			return 1
		}
		return -1
	})
	return out
}
