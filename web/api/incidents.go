// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"os"

	"citywall/detect"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/narrate"
	"citywall/incident/picture"
	"citywall/incident/report"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/desk"
)

// IncidentQuery reads what incidents are asked for.
func IncidentQuery(r *http.Request) (incidentdb.ListQuery, error) {
	v := r.URL.Query()
	q := incidentdb.ListQuery{Text: v.Get("text"), Agency: v.Get("agency"), Owner: v.Get("owner"), After: v.Get("after")}
	for _, x := range list(r, "state") {
		switch st := incident.State(x); st {
		case incident.New, incident.Triaged, incident.Contained, incident.Closed:
			q.States = append(q.States, st)
		default:
			return q, fault.New(fault.Invalid, "state=%q: want new, triaged, contained or closed", x)
		}
	}
	if x := v.Get("severity"); x != "" {
		l, ok := detect.ParseLevel(x)
		if !ok {
			return q, fault.New(fault.Invalid, "severity=%q: want informational, low, medium, high or critical", x)
		}
		q.MinSeverity = l
	}
	var err error
	if q.From, err = moment(r, "from"); err != nil {
		return q, err
	}
	if q.To, err = moment(r, "to"); err != nil {
		return q, err
	}
	switch q.Sort = incidentdb.Sort(v.Get("sort")); q.Sort {
	case "", incidentdb.Newest, incidentdb.Oldest, incidentdb.Severest:
	default:
		return q, fault.New(fault.Invalid, "sort=%q: want newest, oldest or severest", q.Sort)
	}
	q.Limit, err = number(r, "limit", 50, 1, 500)
	return q, err
}

func (s *Server) incidents(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := IncidentQuery(r)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListIncidents(r.Context(), who, q)
	if err != nil {
		return err
	}
	l := lang(r)
	return put(w, pageOf(p.Rows, p.Next, func(x incidentdb.Row) IncidentRow { return newRow(l, x) }))
}

func newRow(l text.Lang, x incidentdb.Row) IncidentRow {
	return IncidentRow{x, narrate.Title(l, incident.Incident{Title: x.Title})}
}

func (s *Server) incident(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	rec, err := s.Desk.Incident(r.Context(), who, r.PathValue("id"))
	return s.putIncident(w, r, who, rec, err)
}

func (s *Server) putIncident(w http.ResponseWriter, r *http.Request, who desk.Who, rec incidentdb.Record, err error) error {
	if err != nil {
		return err
	}
	out := Incident{Record: rec, Words: Words(lang(r), rec.Incident, s.Desk.ToCut(who, rec.Incident)), Moves: []string{}}
	for _, m := range incidentdb.Moves(rec.State) {
		out.Moves = append(out.Moves, string(m))
	}
	return put(w, out)
}

func (s *Server) incidentHistory(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	h, err := s.Desk.IncidentHistory(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return put(w, itemsOf(h))
}

func (s *Server) incidentFindings(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	rec, err := s.Desk.Incident(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	fs, err := s.Desk.FindingsOf(r.Context(), who, rec.Incident.Findings)
	if err != nil {
		return err
	}
	return put(w, itemsOf(fs))
}

func (s *Server) incidentPicture(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	rec, err := s.Desk.Incident(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return putPicture(w, r, rec.Incident)
}

func putPicture(w http.ResponseWriter, r *http.Request, in incident.Incident) error {
	l := lang(r)
	svg, err := picture.Draw(in, picture.Options{
		Lang: l, Print: r.URL.Query().Get("print") == "1",
		Hop: func(h incident.Hop) string { return narrate.Hop(l, h) },
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(svg) // the client may be gone
	return nil
}

// reportKinds are the formats of a report: media type and file ending.
var reportKinds = map[string][2]string{
	"html":       {"text/html; charset=utf-8", "html"},
	"json":       {"application/json", "json"},
	"csv":        {"text/csv; charset=utf-8", "csv"},
	"text":       {"text/plain; charset=utf-8", "txt"},
	"attackflow": {"application/json", "attackflow.json"},
}

// reportKind reads ?format=.
func reportKind(r *http.Request) (string, error) {
	f := r.URL.Query().Get("format")
	if f == "" {
		f = "html"
	}
	if _, ok := reportKinds[f]; !ok {
		return "", fault.New(fault.Invalid, "format=%q: want html, json, csv, text or attackflow", f)
	}
	return f, nil
}

func (s *Server) incidentReport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	format, err := reportKind(r)
	if err != nil {
		return err
	}
	rec, err := s.Desk.Report(r.Context(), who, r.PathValue("id"), format)
	if err != nil {
		return err
	}
	return putReport(w, r, desk.One(rec.Incident, s.Desk.ToCut(who, rec.Incident)), format, "incident-"+short(rec.ID))
}

// putReport writes a report as a download. It is opened outside the console:
// a report is a file of its own, with its own styles.
func putReport(w http.ResponseWriter, r *http.Request, res incident.Result, format, name string) error {
	kind := reportKinds[format]
	attach(w, kind[0], name+"."+kind[1])
	out := &counted{w: w}
	return out.failed(report.Write(out, res, lang(r), format))
}

func short(id string) string { return id[:min(8, len(id))] }

func (s *Server) incidentState(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version int64          `json:"version"`
		State   incident.State `json:"state"`
		Reason  string         `json:"reason"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	rec, err := s.Desk.SetState(r.Context(), who, r.PathValue("id"), in.Version, in.State, in.Reason)
	return s.putIncident(w, r, who, rec, err)
}

func (s *Server) incidentOwner(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version int64  `json:"version"`
		Owner   string `json:"owner"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	rec, err := s.Desk.SetOwner(r.Context(), who, r.PathValue("id"), in.Version, in.Owner)
	return s.putIncident(w, r, who, rec, err)
}

func (s *Server) incidentNote(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Text string `json:"text"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	n, err := s.Desk.AddNote(r.Context(), who, r.PathValue("id"), in.Text)
	if err != nil {
		return err
	}
	return put(w, n)
}

func (s *Server) incidentMerge(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version int64  `json:"version"`
		Into    string `json:"into"`
		Reason  string `json:"reason"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	rec, err := s.Desk.Merge(r.Context(), who, r.PathValue("id"), in.Version, in.Into, in.Reason)
	return s.putIncident(w, r, who, rec, err)
}

func (s *Server) incidentUnmerge(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version int64  `json:"version"`
		Reason  string `json:"reason"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	rec, err := s.Desk.Unmerge(r.Context(), who, r.PathValue("id"), in.Version, in.Reason)
	return s.putIncident(w, r, who, rec, err)
}

func (s *Server) incidentSplit(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version  int64    `json:"version"`
		Hosts    []string `json:"hosts"`
		Findings []string `json:"findings"`
		Reason   string   `json:"reason"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	rec, err := s.Desk.Split(r.Context(), who, r.PathValue("id"), in.Version, incidentdb.Selection{Hosts: in.Hosts, Findings: in.Findings}, in.Reason)
	return s.putIncident(w, r, who, rec, err)
}

// given is a package that was sent.
type given struct {
	Package  string `json:"package"`
	SHA256   string `json:"sha256"`
	Size     int64  `json:"size"`
	Events   int64  `json:"events"`
	Findings int64  `json:"findings"`
	Missing  int    `json:"missing"` // original records that retention has taken
	Sent     bool   `json:"sent"`
}

// incidentHandover makes a package: into the inbox of the police ("send") or
// as the answer ("download").
func (s *Server) incidentHandover(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Reason string `json:"reason"`
		Send   bool   `json:"send"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	g, err := s.Desk.HandOver(r.Context(), who, r.PathValue("id"), in.Reason, in.Send)
	if err != nil {
		return err
	}
	if g.Sent {
		return put(w, given{g.Manifest.ID, g.SHA256, g.Size, g.Manifest.Events, g.Manifest.Findings, g.Missing, true})
	}
	return ServePackage(w, r, g)
}

// ServePackage sends a package that was made to be carried, and removes it.
func ServePackage(w http.ResponseWriter, r *http.Request, g desk.Given) error {
	defer os.Remove(g.File)
	f, err := os.Open(g.File)
	if err != nil {
		return fmt.Errorf("open package: %w", err)
	}
	defer f.Close()
	attach(w, "application/vnd.citywall.handover", g.Manifest.ID+desk.PackageSuffix)
	w.Header().Set("Digest-SHA256", g.SHA256)
	http.ServeContent(w, r, "", g.Manifest.Time, f)
	return nil
}

func (s *Server) sources(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.ListSources(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}
