// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

type findingsData struct {
	Items     []detect.Finding
	Query     detectdb.Query
	Total     int64
	Span      string
	Spans     []string
	Chart     template.HTML
	Bars      []detectdb.Bucket
	Levels    []detect.Level
	Pager     pager
	Any       bool
	RuleTitle string
}

// Chosen reports whether a level is in the filter.
func (d findingsData) Chosen(l detect.Level) bool { return slices.Contains(d.Query.Levels, l) }

func (s *Server) findings(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	l := Lang(r)
	v := r.URL.Query()
	span, from, to, err := s.between(v, "24h")
	if err != nil {
		return err
	}
	bare := r.Clone(r.Context())
	bq := bare.URL.Query()
	bq.Del("from")
	bq.Del("to")
	bare.URL.RawQuery = bq.Encode()
	q, err := api.FindingQuery(bare)
	if err != nil {
		return err
	}
	q.From, q.To = from, to
	if q.Limit == 100 {
		q.Limit = 50
	}
	d := findingsData{Query: q, Span: span, Levels: []detect.Level{detect.Critical, detect.High, detect.Medium, detect.Low, detect.Informational}}
	for _, x := range spans {
		d.Spans = append(d.Spans, x.Key)
	}
	p, err := s.Desk.ListFindings(r.Context(), c.Who, q)
	if err != nil {
		return err
	}
	d.Items = p.Findings
	if d.Total, err = s.Desk.CountFindings(r.Context(), c.Who, q); err != nil {
		return err
	}
	if !q.From.IsZero() && !q.To.IsZero() {
		width := desk.BarWidth(q.From, q.To, 60)
		hq := q
		hq.From = q.From.Truncate(width)
		bs, err := s.Desk.HistogramFindings(r.Context(), c.Who, hq, width)
		if err != nil {
			return err
		}
		for _, b := range bs {
			if b.Counts != [5]int64{} {
				d.Bars = append(d.Bars, b)
			}
		}
		if d.Chart, err = findingChart(l, "findings-chart", bs, 1080, 120, width); err != nil {
			return err
		}
	}
	if len(q.Rules) == 1 && len(d.Items) > 0 {
		d.RuleTitle = api.RuleTitle(l, d.Items[0].Rule)
	}
	abs := *r.URL
	x := abs.Query()
	x.Del("span")
	if !from.IsZero() {
		x.Set("from", from.Format(time.RFC3339))
	}
	if !to.IsZero() {
		x.Set("to", to.Format(time.RFC3339))
	}
	abs.RawQuery = x.Encode()
	d.Pager = newPager(r, p.Next, "")
	d.Pager.CSV, d.Pager.JSON = exportLink(&abs, api.Prefix+"/findings/export", "csv", l), exportLink(&abs, api.Prefix+"/findings/export", "jsonl", l)
	d.Any = len(q.Levels) > 0 || q.Text != "" || q.Host != "" || len(q.Rules) > 0 || len(q.Steps) > 0
	return s.render(w, r, c, http.StatusOK, "findings", text.T(l, "console.nav.findings"), d)
}

type sourcesData struct {
	Kept               []string // what is wrong with what is kept
	Items              []desk.Source
	Shown              int
	Rate               float64
	Damaged, Lost      int64
	OK, Late, Silent   int
	Text, State, Order string
	States             []desk.SourceState
	JSON               string
	Next, First        string
}

func (s *Server) sources(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	all, err := s.Desk.ListSources(r.Context(), c.Who)
	if err != nil {
		return err
	}
	v := r.URL.Query()
	d := sourcesData{Text: v.Get("text"), State: v.Get("state"), Order: v.Get("sort"), JSON: api.Prefix + "/sources",
		States: []desk.SourceState{desk.SourceOK, desk.SourceLate, desk.SourceSilent, desk.SourceNever}}
	for _, x := range all {
		d.Rate += x.Rate
		d.Damaged += x.Damaged
		d.Lost += x.Lost
		switch x.State {
		case desk.SourceOK:
			d.OK++
		case desk.SourceLate:
			d.Late++
		case desk.SourceSilent:
			d.Silent++
		}
		if fold := strings.ToLower(x.Name + " " + x.Agency + " " + x.Transport); d.Text != "" && !strings.Contains(fold, strings.ToLower(d.Text)) {
			continue
		}
		if d.State != "" && string(x.State) != d.State {
			continue
		}
		d.Items = append(d.Items, x)
	}
	switch h, err := s.Desk.Health(r.Context(), c.Who); {
	case err == nil:
		d.Kept = api.Sentences(Lang(r), h)
	case !fault.Is(err, fault.Forbidden):
		return err
	}
	d.Shown = len(all)
	sortSources(d.Items, d.Order)
	d.Items, d.Next, d.First = cut(r, d.Items, func(x desk.Source) string { return x.Name })
	return s.render(w, r, c, http.StatusOK, "sources", text.T(Lang(r), "console.nav.sources"), d)
}

// sortSources puts trouble first, unless another order is asked for.
func sortSources(xs []desk.Source, order string) {
	rank := map[desk.SourceState]int{desk.SourceSilent: 0, desk.SourceLate: 1, desk.SourceOK: 2, desk.SourceNever: 3}
	slices.SortStableFunc(xs, func(a, b desk.Source) int {
		switch order {
		case "name":
			return strings.Compare(a.Name, b.Name)
		case "rate":
			return compare(b.Rate, a.Rate)
		case "lag":
			return compare(float64(b.Lag), float64(a.Lag))
		case "damaged":
			return compare(float64(b.Damaged+b.Lost), float64(a.Damaged+a.Lost))
		}
		return rank[a.State] - rank[b.State]
	})
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// perPage bounds the tables of lists that are held in memory; SigmaHQ has
// thousands of rules.
const perPage = 100

// cut returns one page of a list that is whole in memory, and the addresses of
// the next and the first page. The cursor is the key of the last item before.
func cut[T any](r *http.Request, xs []T, key func(T) string) (page []T, next, first string) {
	at := 0
	if after := r.URL.Query().Get("after"); after != "" {
		if i := slices.IndexFunc(xs, func(x T) bool { return key(x) == after }); i >= 0 {
			at = i + 1
		}
		first = with(r.URL)
	}
	page = xs[at:min(len(xs), at+perPage)]
	if at+perPage < len(xs) {
		next = newPager(r, key(page[len(page)-1]), "").Next
	}
	return page, next, first
}
