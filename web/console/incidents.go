// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/narrate"
	"citywall/incident/picture"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

// pager is what a list page needs to go on.
type pager struct {
	Next  string // address of the next page, "" at the end
	First string // address of the first page, "" when on it
	CSV   string
	JSON  string
}

func newPager(r *http.Request, next, export string) pager {
	p := pager{}
	if next != "" {
		p.Next = with(r.URL) // drops the old cursor
		sep := "?"
		if strings.Contains(p.Next, "?") {
			sep = "&"
		}
		p.Next += sep + "after=" + template.URLQueryEscaper(next)
	}
	if r.URL.Query().Get("after") != "" {
		p.First = with(r.URL)
	}
	if export != "" {
		l := Lang(r)
		p.CSV, p.JSON = exportLink(r.URL, export, "csv", l), exportLink(r.URL, export, "jsonl", l)
	}
	return p
}

type incidentsData struct {
	Rows   []incidentdb.Row
	Counts incidentdb.Counts
	Query  incidentdb.ListQuery
	States []incident.State
	Levels []detect.Level
	Pager  pager
	Any    bool // filtered
}

// Chosen reports whether a state is in the filter.
func (d incidentsData) Chosen(s incident.State) bool { return slices.Contains(d.Query.States, s) }

func (s *Server) incidents(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	q, err := api.IncidentQuery(r)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListIncidents(r.Context(), c.Who, q)
	if err != nil {
		return err
	}
	counts, err := s.Desk.CountIncidents(r.Context(), c.Who)
	if err != nil {
		return err
	}
	d := incidentsData{
		Rows: p.Rows, Counts: counts, Query: q, Pager: newPager(r, p.Next, api.Prefix+"/incidents/export"),
		States: []incident.State{incident.New, incident.Triaged, incident.Contained, incident.Closed},
		Levels: []detect.Level{detect.Low, detect.Medium, detect.High, detect.Critical},
		Any:    len(q.States) > 0 || q.Text != "" || q.MinSeverity > 0 || q.Owner != "",
	}
	return s.render(w, r, c, http.StatusOK, "incidents", text.T(Lang(r), "console.nav.incidents"), d)
}

// story is an incident as incident and case pages show it.
type story struct {
	In          incident.Incident
	Picture     template.HTML
	Compromised []incident.HostState
	Touched     []incident.HostState
	External    []incident.HostState
	CutNow      []incident.HostState
	CutTwo      []incident.HostState
	Places      map[string][]asset.Place // of those, where they are drawn and whom to call
	Findings    []detect.Finding
	FindingsAll int
	EventBase   string // "/events/" or "/cases/…/events/"
	ReportBase  string // "/api/v1/incidents/…"
	InCase      bool
	Runs        []hopRun
}

// hopRun is hops that say the same thing of one host after the other: a policy
// that reaches thirty machines is one line with thirty below it.
type hopRun struct {
	Hops    []incident.Hop
	Out, In int64
}

// LastN is the number of the last hop.
func (r hopRun) LastN() int { return r.Hops[len(r.Hops)-1].N }

// Last is when the last hop was made.
func (r hopRun) Last() time.Time { return r.Hops[len(r.Hops)-1].Time }

// Targets counts the machines reached.
func (r hopRun) Targets() int {
	seen := map[string]bool{}
	for _, h := range r.Hops {
		seen[h.Dst.Key()] = true
	}
	return len(seen)
}

// leastRun is from how many on hops are folded.
const leastRun = 4

func hopRuns(hops []incident.Hop) []hopRun {
	same := func(a, b incident.Hop) bool {
		return a.Src.Key() == b.Src.Key() && a.Kind == b.Kind && a.Grade == b.Grade && a.User == b.User && a.DstPort == b.DstPort
	}
	var out []hopRun
	for i := 0; i < len(hops); {
		j := i + 1
		for j < len(hops) && same(hops[i], hops[j]) {
			j++
		}
		if j-i < leastRun {
			j = i + 1
		}
		r := hopRun{Hops: hops[i:j]}
		for _, h := range r.Hops {
			r.Out += h.BytesOut
			r.In += h.BytesIn
		}
		out = append(out, r)
		i = j
	}
	return out
}

// shownFindings bounds the list on an incident's page; the rest is one link
// away.
const shownFindings = 100

func newStory(l text.Lang, in incident.Incident, fs []detect.Finding, eventBase, reportBase string) (story, error) {
	st := story{In: in, FindingsAll: len(in.Findings), Runs: hopRuns(in.Hops), EventBase: eventBase, ReportBase: reportBase}
	st.Findings = fs[:min(len(fs), shownFindings)]
	for _, h := range in.Hosts {
		switch {
		case h.External:
			st.External = append(st.External, h)
		case h.Compromised:
			st.Compromised = append(st.Compromised, h)
		default:
			st.Touched = append(st.Touched, h)
		}
		switch h.Isolate {
		case "now":
			st.CutNow = append(st.CutNow, h)
		case "two_people":
			st.CutTwo = append(st.CutTwo, h)
		}
	}
	svg, err := picture.Draw(in, picture.Options{
		ID:   "picture",
		Lang: l, Hop: func(h incident.Hop) string { return narrate.Hop(l, h) },
		HopLink: func(n int) string { return "#hop-" + strconv.Itoa(n) },
	})
	st.Picture = template.HTML(svg)
	return st, err
}

type incidentData struct {
	story
	Rec     incidentdb.Record
	Next    string
	Moves   []incident.State // that the asker may make
	History []incidentdb.Change
	Merge   []incidentdb.Row // that it may be merged into
	May     map[string]bool
	Version int64
	Whom    []whomRow // whom to call about machines that are to be cut off
}

func (s *Server) incident(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	l, ctx := Lang(r), r.Context()
	rec, err := s.Desk.Incident(ctx, c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	ids := rec.Incident.Findings
	fs, err := s.Desk.FindingsOf(ctx, c.Who, ids[:min(len(ids), 10_000)])
	if err != nil {
		return err
	}
	st, err := newStory(l, rec.Incident, fs, "/events/", api.Prefix+"/incidents/"+rec.ID)
	if err != nil {
		return err
	}
	d := incidentData{story: st, Rec: rec, Next: nextKey(rec.State), May: map[string]bool{}, Version: rec.Version}
	if d.History, err = s.Desk.IncidentHistory(ctx, c.Who, rec.ID); err != nil {
		return err
	}
	if d.Places = s.Desk.ToCut(c.Who, rec.Incident); d.Places != nil {
		d.Whom = whom(d.Places, st.CutNow, st.CutTwo)
	}
	for _, a := range []identity.Action{identity.IncidentNote, identity.IncidentTriage, identity.IncidentClose, identity.IncidentMerge, identity.IncidentHandover, identity.EventSearch} {
		d.May[string(a)] = s.Desk.AllowedOn(c.Who, a, rec)
	}
	d.May["handover"] = d.May[string(identity.IncidentHandover)] && s.Desk.CanHandOver() && rec.MergedInto == ""
	if d.Next == "handover" && (len(rec.Cases) > 0 || !d.May["handover"]) {
		d.Next = "close"
	}
	for _, to := range incidentdb.Moves(rec.State) {
		if d.May[string(desk.StateAction(rec.State, to))] {
			d.Moves = append(d.Moves, to)
		}
	}
	if d.May[string(identity.IncidentMerge)] {
		p, err := s.Desk.ListIncidents(ctx, c.Who, incidentdb.ListQuery{Limit: 50})
		if err != nil {
			return err
		}
		for _, x := range p.Rows {
			if x.ID != rec.ID {
				d.Merge = append(d.Merge, x)
			}
		}
	}
	return s.render(w, r, c, http.StatusOK, "incident", narrate.Title(l, rec.Incident), d)
}

// version reads the change lock that a form carries.
func version(r *http.Request) (int64, error) {
	if err := form(r); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		return 0, errForm
	}
	return n, nil
}

func (s *Server) incidentState(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if r.PostForm.Get("take") == "1" { // triage and become the owner: one step for the one who does it
		rec, err := s.Desk.SetOwner(r.Context(), c.Who, id, v, c.User)
		if err != nil {
			return err
		}
		v = rec.Version
	}
	if _, err := s.Desk.SetState(r.Context(), c.Who, id, v, incident.State(r.PostForm.Get("state")), r.PostForm.Get("reason")); err != nil {
		return err
	}
	return back(w, r, "/incidents/"+id, "state")
}

func (s *Server) incidentOwner(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := s.Desk.SetOwner(r.Context(), c.Who, id, v, strings.TrimSpace(r.PostForm.Get("owner"))); err != nil {
		return err
	}
	return back(w, r, "/incidents/"+id, "owner")
}

func (s *Server) incidentNote(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := s.Desk.AddNote(r.Context(), c.Who, id, r.PostForm.Get("text")); err != nil {
		return err
	}
	return back(w, r, "/incidents/"+id+"#notes", "")
}

func (s *Server) incidentMerge(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	into := r.PostForm.Get("into")
	rec, err := s.Desk.Merge(r.Context(), c.Who, r.PathValue("id"), v, into, r.PostForm.Get("reason"))
	if err != nil {
		return err
	}
	if rec.MergedInto != "" {
		into = rec.MergedInto
	} else {
		into = rec.ID
	}
	return back(w, r, "/incidents/"+into, "merged")
}

func (s *Server) incidentUnmerge(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	rec, err := s.Desk.Unmerge(r.Context(), c.Who, r.PathValue("id"), v, r.PostForm.Get("reason"))
	if err != nil {
		return err
	}
	return back(w, r, "/incidents/"+rec.ID, "unmerged")
}

func (s *Server) incidentSplit(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	sel := incidentdb.Selection{Hosts: r.PostForm["host"]}
	rec, err := s.Desk.Split(r.Context(), c.Who, r.PathValue("id"), v, sel, r.PostForm.Get("reason"))
	if err != nil {
		return err
	}
	return back(w, r, "/incidents/"+rec.ID, "split")
}

type handoverData struct {
	Rec     incidentdb.Record
	Records int
	CanSend bool
}

func (s *Server) handoverPage(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	rec, err := s.Desk.Incident(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, id := range desk.Evidence(rec.Incident) {
		seen[id.String()] = true
	}
	return s.render(w, r, c, http.StatusOK, "handover", text.T(Lang(r), "console.handover.title"), handoverData{rec, len(seen), s.Desk.CanSend()})
}

func (s *Server) handover(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	g, err := s.Desk.HandOver(r.Context(), c.Who, id, r.PostForm.Get("reason"), r.PostForm.Get("how") == "send")
	if err != nil {
		return err
	}
	if g.Sent {
		return back(w, r, "/incidents/"+id, "handed_over")
	}
	return api.ServePackage(w, r, g)
}
