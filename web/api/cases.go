// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/handover"
	"citywall/detect"
	"citywall/internal/fault"
	"citywall/web/desk"
)

func (s *Server) inbox(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.Inbox(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}

func (s *Server) receive(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	id, err := s.Desk.Receive(r.Context(), who, r.Body)
	if err != nil {
		return err
	}
	return put(w, struct {
		ID string `json:"id"`
	}{id})
}

// opened is a verified package, before a case is made of it.
type opened struct {
	Manifest handover.Manifest `json:"manifest"`
	SHA256   string            `json:"sha256"` // of the manifest
	Signer   string            `json:"signer"`
	Sealed   bool              `json:"sealed"`
	Words    IncidentWords     `json:"words"`
}

func (s *Server) waiting(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	p, err := s.Desk.OpenPackage(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	defer p.Close()
	return put(w, opened{p.Manifest, p.SHA256, p.Signer, p.Sealed, Words(lang(r), p.Incident, nil)})
}

func (s *Server) openFrom(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Title string `json:"title"`
		Owner string `json:"owner"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	f, err := s.Desk.OpenCaseFrom(r.Context(), who, r.PathValue("id"), in.Title, in.Owner)
	return putCase(w, f, err)
}

// CaseQuery reads what cases are asked for.
func CaseQuery(r *http.Request) (casedb.Query, error) {
	v := r.URL.Query()
	q := casedb.Query{Owner: v.Get("owner"), Text: v.Get("text"), After: v.Get("after")}
	for _, x := range list(r, "status") {
		switch st := casework.Status(x); st {
		case casework.Open, casework.Investigating, casework.Suspended, casework.Closed:
			q.Statuses = append(q.Statuses, st)
		default:
			return q, fault.New(fault.Invalid, "status=%q: want open, investigating, suspended or closed", x)
		}
	}
	switch q.Sort = casedb.Sort(v.Get("sort")); q.Sort {
	case "", casedb.Newest, casedb.Oldest, casedb.Number:
	default:
		return q, fault.New(fault.Invalid, "sort=%q: want newest, oldest or number", q.Sort)
	}
	var err error
	if q.Year, err = number(r, "year", 0, 1, 999); err != nil {
		return q, err
	}
	q.Limit, err = number(r, "limit", 50, 1, 500)
	return q, err
}

func (s *Server) cases(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := CaseQuery(r)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListCases(r.Context(), who, q)
	if err != nil {
		return err
	}
	return put(w, pageOf(p.Cases, p.Next, same[casework.Case]))
}

func (s *Server) openCase(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Title   string `json:"title"`
		Owner   string `json:"owner"`
		Receipt string `json:"receipt"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	f, err := s.Desk.OpenCase(r.Context(), who, in.Title, in.Owner, in.Receipt)
	return putCase(w, f, err)
}

func (s *Server) caseFile(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	f, err := s.Desk.Case(r.Context(), who, r.PathValue("id"))
	return putCase(w, f, err)
}

func putCase(w http.ResponseWriter, f casework.File, err error) error {
	if err != nil {
		return err
	}
	f.Exhibits, f.Notes, f.History = itemsOf(f.Exhibits).Items, itemsOf(f.Notes).Items, itemsOf(f.History).Items
	return put(w, f)
}

func (s *Server) caseStatus(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version int64           `json:"version"`
		Status  casework.Status `json:"status"`
		Reason  string          `json:"reason"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	c, err := s.Desk.SetCaseStatus(r.Context(), who, r.PathValue("id"), in.Version, in.Status, in.Reason)
	if err != nil {
		return err
	}
	return put(w, c)
}

func (s *Server) caseChange(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version int64   `json:"version"`
		Title   *string `json:"title"`
		Owner   *string `json:"owner"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	c, err := s.Desk.ChangeCase(r.Context(), who, r.PathValue("id"), in.Version, casedb.Edit{Title: in.Title, Owner: in.Owner})
	if err != nil {
		return err
	}
	return put(w, c)
}

func (s *Server) caseNote(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Text string `json:"text"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	n, err := s.Desk.AddCaseNote(r.Context(), who, r.PathValue("id"), in.Text)
	if err != nil {
		return err
	}
	return put(w, n)
}

func (s *Server) caseVerify(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	ps, err := s.Desk.VerifyCase(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return put(w, struct {
		OK       bool           `json:"ok"`
		Problems []desk.Problem `json:"problems"`
	}{len(ps) == 0, itemsOf(ps).Items})
}

func (s *Server) exhibit(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		return fault.New(fault.Invalid, "exhibit %q: want its number", r.PathValue("n"))
	}
	x, f, err := s.Desk.Exhibit(r.Context(), who, r.PathValue("id"), n)
	if err != nil {
		return err
	}
	defer f.Close()
	// Never the type the file claims: an exhibit is foreign bytes.
	attach(w, "application/octet-stream", safeName(x.File))
	w.Header().Set("Content-Length", strconv.FormatInt(x.Size, 10))
	w.Header().Set("Digest-SHA256", x.SHA256)
	if _, err := io.Copy(w, f); err != nil {
		return &begunError{err}
	}
	return nil
}

// safeName keeps of a file name what no system reads as a path.
func safeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, s)
	if s = strings.Trim(s, ". "); s == "" {
		return "exhibit"
	}
	return s
}

// caseQuery is query for a case's records, which are not bounded by
// "yesterday": an exhibit may be years old.
func (s *Server) caseEvents(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	words, q, err := s.query(r)
	if err != nil {
		return err
	}
	if v := r.URL.Query(); v.Get("from") == "" && v.Get("to") == "" && !strings.Contains(words, "last:") {
		q.From, q.To = time.Unix(0, 0).UTC(), s.Desk.Now().UTC().AddDate(1, 0, 0)
	}
	p, err := s.Desk.SearchCase(r.Context(), who, r.PathValue("id"), words, q)
	if err != nil {
		return err
	}
	out := pageOf(p.Events, p.Next, NewEvent)
	out.Note = partial(p.Incomplete)
	return put(w, out)
}

func (s *Server) caseEvent(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	id, err := eventID(r, "event")
	if err != nil {
		return err
	}
	e, err := s.Desk.CaseEvent(r.Context(), who, r.PathValue("id"), id)
	if err != nil {
		return err
	}
	return put(w, NewEvent(e))
}

func (s *Server) caseFindings(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	fs, err := s.Desk.CaseFindings(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return put(w, itemsOf[detect.Finding](fs))
}

func (s *Server) casePicture(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	f, err := s.Desk.CaseReport(r.Context(), who, r.PathValue("id"), "picture")
	if err != nil {
		return err
	}
	return putPicture(w, r, *f.Incident)
}

func (s *Server) caseReport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	format, err := reportKind(r)
	if err != nil {
		return err
	}
	f, err := s.Desk.CaseReport(r.Context(), who, r.PathValue("id"), format)
	if err != nil {
		return err
	}
	return putReport(w, r, desk.One(*f.Incident, nil), format, "case-"+short(f.ID))
}
