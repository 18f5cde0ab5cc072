// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/handover"
	"citywall/event"
	"citywall/eventstore"
	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

type casesData struct {
	Cases     []casework.Case
	Query     casedb.Query
	Statuses  []casework.Status
	Pager     pager
	Inbox     []desk.Waiting
	InboxNote string // why there is no inbox
	Any       bool
	JSON      string
}

// Chosen reports whether a status is in the filter.
func (d casesData) Chosen(s casework.Status) bool { return slices.Contains(d.Query.Statuses, s) }

func (s *Server) cases(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	q, err := api.CaseQuery(r)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListCases(r.Context(), c.Who, q)
	if err != nil {
		return err
	}
	d := casesData{Cases: p.Cases, Query: q, Statuses: casework.Statuses(), Pager: newPager(r, p.Next, ""), JSON: exportLink(r.URL, api.Prefix+"/cases", "json", Lang(r)),
		Any: len(q.Statuses) > 0 || q.Text != "" || q.Owner != ""}
	d.Inbox, err = s.Desk.Inbox(r.Context(), c.Who)
	switch {
	case fault.Is(err, fault.Forbidden), fault.Is(err, fault.Unavailable):
		d.InboxNote = err.Error()
	case err != nil:
		return err
	}
	return s.render(w, r, c, http.StatusOK, "cases", text.T(Lang(r), "console.nav.cases"), d)
}

func (s *Server) openCase(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	f := r.PostForm
	x, err := s.Desk.OpenCase(r.Context(), c.Who, f.Get("title"), c.User, f.Get("receipt"))
	if err != nil {
		return err
	}
	return back(w, r, "/cases/"+x.ID, "case_opened")
}

// receive takes an uploaded package, streamed: it may be large.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	mr, err := r.MultipartReader()
	if err != nil {
		return fault.New(fault.Invalid, "choose a package file to upload: %w", err)
	}
	for {
		part, err := mr.NextPart()
		if err != nil {
			return fault.New(fault.Invalid, "choose a package file to upload")
		}
		if part.FormName() != "package" {
			continue
		}
		id, err := s.Desk.Receive(r.Context(), c.Who, part)
		if err != nil {
			return err
		}
		return back(w, r, "/inbox/"+id, "received")
	}
}

type packageData struct {
	ID       string
	Manifest handover.Manifest
	SHA256   string
	Signer   string
	Sealed   bool
	In       incident.Incident
	Title    string
	Hosts    int
}

func (s *Server) waiting(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	p, err := s.Desk.OpenPackage(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	defer p.Close()
	d := packageData{ID: r.PathValue("id"), Manifest: p.Manifest, SHA256: p.SHA256, Signer: p.Signer, Sealed: p.Sealed, In: p.Incident, Title: narrate.Title(Lang(r), p.Incident)}
	for _, h := range p.Incident.Hosts {
		if h.Compromised {
			d.Hosts++
		}
	}
	return s.render(w, r, c, http.StatusOK, "package", text.T(Lang(r), "console.package.title"), d)
}

func (s *Server) openFrom(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	x, err := s.Desk.OpenCaseFrom(r.Context(), c.Who, r.PathValue("id"), strings.TrimSpace(r.PostForm.Get("title")), c.User)
	if err != nil {
		return err
	}
	return back(w, r, "/cases/"+x.ID, "case_opened")
}

type caseData struct {
	story
	File     casework.File
	Moves    []casework.Status
	Version  int64
	Checked  bool
	Problems []desk.Problem
}

func (s *Server) caseFile(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	f, err := s.Desk.Case(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.showCase(w, r, c, f, false, nil)
}

func (s *Server) showCase(w http.ResponseWriter, r *http.Request, c door.Caller, f casework.File, checked bool, ps []desk.Problem) error {
	d := caseData{File: f, Version: f.Version, Checked: checked, Problems: ps}
	for _, to := range casework.Moves(f.Status) {
		if s.Desk.Allowed(c.Who, desk.StatusAction(f.Status, to)) {
			d.Moves = append(d.Moves, to)
		}
	}
	if f.Incident != nil {
		fs, err := s.Desk.CaseFindings(r.Context(), c.Who, f.ID)
		if err != nil {
			return err
		}
		if d.story, err = newStory(Lang(r), *f.Incident, fs, "/cases/"+f.ID+"/events/", api.Prefix+"/cases/"+f.ID); err != nil {
			return err
		}
		d.FindingsAll, d.InCase = len(fs), true
	}
	return s.render(w, r, c, http.StatusOK, "case", f.Number, d)
}

func (s *Server) caseVerify(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	ps, err := s.Desk.VerifyCase(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := s.Desk.Case(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.showCase(w, r, c, f, true, ps)
}

func (s *Server) caseStatus(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := s.Desk.SetCaseStatus(r.Context(), c.Who, id, v, casework.Status(r.PostForm.Get("status")), r.PostForm.Get("reason")); err != nil {
		return err
	}
	return back(w, r, "/cases/"+id, "case_status")
}

func (s *Server) caseChange(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	var e casedb.Edit
	if r.PostForm.Has("title") {
		x := strings.TrimSpace(r.PostForm.Get("title"))
		e.Title = &x
	}
	if r.PostForm.Has("owner") {
		x := strings.TrimSpace(r.PostForm.Get("owner"))
		e.Owner = &x
	}
	id := r.PathValue("id")
	if _, err := s.Desk.ChangeCase(r.Context(), c.Who, id, v, e); err != nil {
		return err
	}
	return back(w, r, "/cases/"+id, "case_changed")
}

func (s *Server) caseNote(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := s.Desk.AddCaseNote(r.Context(), c.Who, id, r.PostForm.Get("text")); err != nil {
		return err
	}
	return back(w, r, "/cases/"+id+"#notes", "")
}

type caseEventsData struct {
	ID, Number string
	Q          string
	Sort       string
	Error      string
	Page       eventstore.Page
	Pager      pager
}

// caseEvents searches a case's records. They are not bounded by "yesterday":
// an exhibit may be years old.
func (s *Server) caseEvents(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	f, err := s.Desk.Case(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := r.URL.Query()
	d := caseEventsData{ID: f.ID, Number: f.Number, Q: strings.TrimSpace(v.Get("q")), Sort: v.Get("sort")}
	q, err := s.Desk.ReadQuery(d.Q, time.Unix(0, 0).UTC(), s.Desk.Now().UTC().AddDate(1, 0, 0))
	status := http.StatusOK
	if err == nil {
		q.Limit, q.After, q.Sort = 50, v.Get("after"), eventstore.Oldest
		if d.Sort == string(eventstore.Newest) {
			q.Sort = eventstore.Newest
		}
		d.Page, err = s.Desk.SearchCase(r.Context(), c.Who, f.ID, d.Q, q)
	}
	switch {
	case fault.Is(err, fault.Invalid):
		d.Error, status = wording(Lang(r), err), http.StatusBadRequest
	case err != nil:
		return err
	}
	d.Pager = newPager(r, d.Page.Next, "")
	return s.render(w, r, c, status, "caseevents", f.Number, d)
}

func (s *Server) caseEvent(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	id, err := event.ParseID(r.PathValue("event"))
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Err: err}
	}
	e, err := s.Desk.CaseEvent(r.Context(), c.Who, r.PathValue("id"), id)
	if err != nil {
		return err
	}
	d := newEventData(e)
	d.JSON = api.Prefix + "/cases/" + r.PathValue("id") + "/events/" + id.String()
	d.Back = "/cases/" + r.PathValue("id")
	return s.render(w, r, c, http.StatusOK, "event", text.T(Lang(r), "console.event.title"), d)
}
