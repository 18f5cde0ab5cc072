// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/query"
	"citywall/ingest/format"
	"citywall/internal/draw"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

// errForm is a form that no page of the console makes.
var errForm = fault.New(fault.Invalid, "the form is incomplete; go back and reload the page")

// spans are the bounds of time a search offers.
var spans = []struct {
	Key  string
	Span time.Duration
}{
	{"15m", 15 * time.Minute}, {"1h", time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}, {"30d", 30 * 24 * time.Hour},
}

// between reads the bounds a form gives: a span back from now, or two times in
// Taipei as <input type=datetime-local> writes them, or RFC 3339 as a link
// writes them.
func (s *Server) between(v url.Values, def string) (span string, from, to time.Time, err error) {
	read := func(name string) (time.Time, error) {
		x := v.Get(name)
		if x == "" {
			return time.Time{}, nil
		}
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
			if t, err := time.ParseInLocation(layout, x, format.Taipei); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, fault.New(fault.Invalid, "%s: %q is no time; write it as 2026-11-24T08:00", name, x)
	}
	if from, err = read("from"); err != nil {
		return
	}
	if to, err = read("to"); err != nil {
		return
	}
	if !from.IsZero() || !to.IsZero() {
		return "custom", from, to, nil
	}
	if span = v.Get("span"); span == "" {
		span = def
	}
	for _, x := range spans {
		if x.Key == span {
			to = s.Desk.Now().UTC()
			return span, to.Add(-x.Span), to, nil
		}
	}
	return "all", time.Time{}, time.Time{}, nil
}

// facets are the columns whose values stand beside the results.
var facets = []string{"host", "source", "action", "event_id", "user", "src_ip", "dst_ip", "product"}

type facet struct {
	Name   string
	Values []facetValue
}

type facetValue struct {
	Value string
	Count int64
	Href  string
}

type searchData struct {
	Q, Span, From, To string
	Sort              string
	Ran               bool
	Error             string
	Found             desk.Found
	Incomplete        string
	Width             time.Duration
	Facets            []facet
	Chart             template.HTML
	Bars              []eventstore.Bucket
	Pager             pager
	OCSF              string
	Spans             []string
	CanExport         bool
	Columns           []string
}

func (s *Server) search(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, l := r.URL.Query(), Lang(r)
	d := searchData{Q: strings.TrimSpace(v.Get("q")), Sort: v.Get("sort"), Columns: queryColumns}
	for _, x := range spans {
		d.Spans = append(d.Spans, x.Key)
	}
	span, from, to, err := s.between(v, "24h")
	if err != nil {
		return err
	}
	d.Span = span
	if span == "custom" {
		d.From, d.To = localTime(from), localTime(to)
	}
	status := http.StatusOK
	if v.Has("q") {
		d.Ran = true
		err := s.look(r, c, &d, from, to)
		switch {
		case fault.Is(err, fault.Invalid): // the person can mend it: show it by the box
			d.Error, status = wording(l, err), http.StatusBadRequest
		case err != nil:
			return err
		}
	} else if err := s.Desk.MaySearch(c.Who); err != nil {
		return err
	}
	return s.render(w, r, c, status, "search", text.T(l, "console.nav.search"), d)
}

func localTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(format.Taipei).Format("2006-01-02T15:04:05")
}

func (s *Server) look(r *http.Request, c door.Caller, d *searchData, from, to time.Time) error {
	q, err := s.Desk.ReadQuery(d.Q, from, to)
	if err != nil {
		return err
	}
	q.Limit, q.After = 50, r.URL.Query().Get("after")
	if d.Sort == string(eventstore.Oldest) {
		q.Sort = eventstore.Oldest
	}
	d.Width = desk.BarWidth(q.From, q.To, 60)
	q.From = q.From.Truncate(d.Width) // whole bars: half a first bar looks like a fall
	if d.Found, err = s.Desk.SearchEvents(r.Context(), c.Who, desk.Search{Text: d.Q, Query: q, Width: d.Width, Facets: facets, Top: 6, Count: true}); err != nil {
		return err
	}
	if i := d.Found.Page.Incomplete; i != nil {
		d.Incomplete = wording(Lang(r), i)
	}
	for _, name := range facets {
		f := facet{Name: name}
		for _, x := range d.Found.Facets[name] {
			if x.Value == "" {
				continue
			}
			f.Values = append(f.Values, facetValue{x.Value, x.Count, with(r.URL, "q", narrow(d.Q, name, x.Value))})
		}
		if len(f.Values) > 0 {
			d.Facets = append(d.Facets, f)
		}
	}
	for _, b := range d.Found.Bars {
		if b.Count > 0 {
			d.Bars = append(d.Bars, b)
		}
	}
	d.Pager = newPager(r, d.Found.Page.Next, "")
	abs := *r.URL
	x := abs.Query()
	x.Del("span")
	x.Set("from", q.From.Format(time.RFC3339))
	x.Set("to", q.To.Format(time.RFC3339))
	abs.RawQuery = x.Encode()
	l := Lang(r)
	d.Pager.CSV, d.Pager.JSON = exportLink(&abs, api.Prefix+"/events/export", "csv", l), exportLink(&abs, api.Prefix+"/events/export", "jsonl", l)
	d.OCSF = exportLink(&abs, api.Prefix+"/events/export", "ocsf", l)
	d.CanExport = s.Desk.Allowed(c.Who, "event.export")
	d.Chart, err = eventChart(l, d, r.URL)
	return err
}

// narrow adds a condition to a query.
func narrow(q, field, value string) string {
	cond := field + ":" + value
	if !plainValue.MatchString(value) {
		cond = query.Format(eventstore.Cond{Field: field, Op: eventstore.Eq, Value: value})
	}
	if q == "" {
		return cond
	}
	if strings.Contains(q, " OR ") {
		q = "(" + q + ")"
	}
	return q + " AND " + cond
}

// plainValue is a value that the query language reads as it stands.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9_@][A-Za-z0-9_.@-]*$`)

func eventChart(l text.Lang, d *searchData, u *url.URL) (template.HTML, error) {
	ch := draw.Chart{ID: "search-chart", Title: text.T(l, "console.chart.events"), Desc: text.T(l, "console.chart.twin"), Width: 1080, Height: 120}
	for i, b := range d.Found.Bars {
		at := b.Start.In(format.Taipei)
		bar := draw.Bar{Value: float64(b.Count), Tip: at.Format("2006-01-02 15:04:05") + " · " + number(b.Count), Label: barLabel(i, at, d.Width, len(d.Found.Bars))}
		if b.Count > 0 && d.Width > time.Second {
			bar.Href = with(u, "span", "", "from", b.Start.UTC().Format(time.RFC3339), "to", b.Start.Add(d.Width).UTC().Format(time.RFC3339))
		}
		ch.Bars = append(ch.Bars, bar)
	}
	b, err := ch.Bytes()
	return template.HTML(b), err
}

type eventData struct {
	E     *event.Event
	V     event.View
	Rows  []viewRow
	Text  bool // the bytes are text
	Raw   string
	Cut   bool // more bytes than are shown
	JSON  string
	Pivot bool // values lead to a search
	Back  string
}

type viewRow struct{ Name, Value, Href string }

// shownRaw bounds what is shown of a record's bytes.
const shownRaw = 64 << 10

func (s *Server) event(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	id, err := event.ParseID(r.PathValue("id"))
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Err: err}
	}
	e, err := s.Desk.Event(r.Context(), c.Who, id)
	if err != nil {
		return err
	}
	d := newEventData(e)
	d.Pivot, d.JSON = true, api.Prefix+"/events/"+id.String()
	for i, x := range d.Rows {
		d.Rows[i].Href = "/search?" + url.Values{"q": {narrow("", x.Name, x.Value)}, "span": {"24h"}}.Encode()
	}
	return s.render(w, r, c, http.StatusOK, "event", text.T(Lang(r), "console.event.title"), d)
}

func newEventData(e *event.Event) eventData {
	d := eventData{E: e, V: e.View(), Text: utf8.Valid(e.Raw)}
	raw := e.Raw
	if len(raw) > shownRaw {
		raw, d.Cut = raw[:shownRaw], true
	}
	d.Raw = strings.ToValidUTF8(string(raw), "\ufffd")
	for _, col := range eventstore.Columns {
		switch col {
		case "time", "received", "id", "source", "agency", "format":
			continue
		}
		if v := eventstore.Text(e, &d.V, col); v != "" {
			d.Rows = append(d.Rows, viewRow{Name: col, Value: v})
		}
	}
	return d
}
