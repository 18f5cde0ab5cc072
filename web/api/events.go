// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"time"

	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
	"citywall/web/desk"
)

// query reads what events are asked for: the query language in q, bounds of
// time in from and to, and the page.
func (s *Server) query(r *http.Request) (string, eventstore.Query, error) {
	v := r.URL.Query()
	words := v.Get("q")
	from, err := moment(r, "from")
	if err != nil {
		return words, eventstore.Query{}, err
	}
	to, err := moment(r, "to")
	if err != nil {
		return words, eventstore.Query{}, err
	}
	q, err := s.Desk.ReadQuery(words, from, to)
	if err != nil {
		return words, q, err
	}
	switch sort := eventstore.Sort(v.Get("sort")); sort {
	case eventstore.Newest, eventstore.Oldest:
		q.Sort = sort
	case "":
	default:
		return words, q, fault.New(fault.Invalid, "sort=%q: want newest or oldest", sort)
	}
	if q.Limit, err = number(r, "limit", 100, 1, 1000); err != nil {
		return words, q, err
	}
	q.After = v.Get("after")
	return words, q, nil
}

func (s *Server) events(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	words, q, err := s.query(r)
	if err != nil {
		return err
	}
	f, err := s.Desk.SearchEvents(r.Context(), who, desk.Search{Text: words, Query: q})
	if err != nil {
		return err
	}
	p := pageOf(f.Page.Events, f.Page.Next, NewEvent)
	p.Note = partial(f.Page.Incomplete)
	return put(w, p)
}

// whole tells an answer that is partial, and why, from one that failed.
func whole(err error) (note string, _ error) {
	var part *eventstore.Incomplete
	if errors.As(err, &part) {
		return part.Error(), nil
	}
	return "", err
}

// partial is why an answer is partial, "" when it is whole.
func partial(i *eventstore.Incomplete) string {
	if i == nil {
		return ""
	}
	return i.Error()
}

func (s *Server) eventCount(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	words, q, err := s.query(r)
	if err != nil {
		return err
	}
	n, err := s.Desk.CountEvents(r.Context(), who, words, q)
	note, err := whole(err)
	if err != nil {
		return err
	}
	return put(w, struct {
		Count int64     `json:"count"`
		From  time.Time `json:"from"`
		To    time.Time `json:"to"`
		Note  string    `json:"incomplete,omitempty"`
	}{n, q.From, q.To, note})
}

// bucket is one bar of a histogram of events.
type bucket struct {
	Start time.Time `json:"start"`
	Count int64     `json:"count"`
}

func (s *Server) eventHistogram(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	words, q, err := s.query(r)
	if err != nil {
		return err
	}
	width, err := barWidth(r, q.From, q.To)
	if err != nil {
		return err
	}
	bs, err := s.Desk.HistogramEvents(r.Context(), who, words, q, width)
	note, err := whole(err)
	if err != nil {
		return err
	}
	out := make([]bucket, len(bs))
	for i, b := range bs {
		out[i] = bucket(b)
	}
	return put(w, struct {
		Width float64  `json:"width_seconds"`
		Items []bucket `json:"items"`
		Note  string   `json:"incomplete,omitempty"`
	}{width.Seconds(), out, note})
}

// barWidth reads ?width=5m, or takes what gives some fifty bars.
func barWidth(r *http.Request, from, to time.Time) (time.Duration, error) {
	v := r.URL.Query().Get("width")
	if v == "" {
		return desk.BarWidth(from, to, 50), nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Second {
		return 0, fault.New(fault.Invalid, "width=%q: want a span such as 30s, 5m or 1h", v)
	}
	if to.Sub(from)/d > 2000 {
		return 0, fault.New(fault.Invalid, "width=%q gives more than 2,000 bars; take a wider one or less time", v)
	}
	return d, nil
}

// valueCount is one value of a facet.
type valueCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

func (s *Server) eventTop(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	words, q, err := s.query(r)
	if err != nil {
		return err
	}
	field := r.URL.Query().Get("field")
	if field == "" {
		return fault.New(fault.Invalid, "say whose values to count: field=src_ip")
	}
	n, err := number(r, "n", 10, 1, 1000)
	if err != nil {
		return err
	}
	cs, err := s.Desk.TopEvents(r.Context(), who, words, q, field, n)
	note, err := whole(err)
	if err != nil {
		return err
	}
	out := make([]valueCount, len(cs))
	for i, c := range cs {
		out[i] = valueCount(c)
	}
	return put(w, struct {
		Items []valueCount `json:"items"`
		Note  string       `json:"incomplete,omitempty"`
	}{out, note})
}

func (s *Server) event(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	id, err := eventID(r, "id")
	if err != nil {
		return err
	}
	e, err := s.Desk.Event(r.Context(), who, id)
	if err != nil {
		return err
	}
	return put(w, NewEvent(e))
}

func eventID(r *http.Request, name string) (event.ID, error) {
	id, err := event.ParseID(r.PathValue(name))
	if err != nil {
		return id, &fault.Error{Kind: fault.Invalid, Err: err}
	}
	return id, nil
}

// FindingQuery reads what findings are asked for.
func FindingQuery(r *http.Request) (detectdb.Query, error) {
	v := r.URL.Query()
	q := detectdb.Query{Rules: list(r, "rule"), Host: v.Get("host"), Agency: v.Get("agency"), Text: v.Get("text"), After: v.Get("after")}
	var err error
	if q.From, err = moment(r, "from"); err != nil {
		return q, err
	}
	if q.To, err = moment(r, "to"); err != nil {
		return q, err
	}
	for _, l := range list(r, "level") {
		x, ok := detect.ParseLevel(l)
		if !ok {
			return q, fault.New(fault.Invalid, "level=%q: want informational, low, medium, high or critical", l)
		}
		q.Levels = append(q.Levels, x)
	}
	for _, s := range list(r, "step") {
		q.Steps = append(q.Steps, detect.Step(s))
	}
	switch q.Sort = detectdb.Sort(v.Get("sort")); q.Sort {
	case "", detectdb.Newest, detectdb.Oldest, detectdb.Severest:
	default:
		return q, fault.New(fault.Invalid, "sort=%q: want newest, oldest or severest", q.Sort)
	}
	q.Limit, err = number(r, "limit", 100, 1, 1000)
	return q, err
}

func (s *Server) findings(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := FindingQuery(r)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListFindings(r.Context(), who, q)
	if err != nil {
		return err
	}
	return put(w, pageOf(p.Findings, p.Next, same[detect.Finding]))
}

func (s *Server) findingHistogram(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := FindingQuery(r)
	if err != nil {
		return err
	}
	if q.To.IsZero() {
		q.To = s.Desk.Now().UTC()
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-24 * time.Hour)
	}
	width, err := barWidth(r, q.From, q.To)
	if err != nil {
		return err
	}
	bs, err := s.Desk.HistogramFindings(r.Context(), who, q, width)
	if err != nil {
		return err
	}
	return put(w, struct {
		Width float64           `json:"width_seconds"`
		Items []detectdb.Bucket `json:"items"`
	}{width.Seconds(), append([]detectdb.Bucket{}, bs...)})
}

func (s *Server) finding(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	f, err := s.Desk.Finding(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return put(w, f)
}
