// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/narrate"
	"citywall/ingest/format"
	"citywall/internal/draw"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

type nowData struct {
	Live   desk.Live
	Top    *incidentdb.Row // the one that needs somebody first
	First  string          // its first compromise, in a sentence
	Next   string          // key of the one next step
	Chart  template.HTML
	Bars   []detectdb.Bucket // those with findings: the chart's table twin
	Total  int64
	Severe int64
	OK     int      // sources that deliver
	Kept   []string // what is wrong with what is kept
}

func (s *Server) now(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	l, err := s.Desk.Live(r.Context(), c.Who)
	if err != nil {
		return err
	}
	d, err := newNow(Lang(r), l)
	if err != nil {
		return err
	}
	return s.render(w, r, c, http.StatusOK, "now", text.T(Lang(r), "console.nav.now"), d)
}

// nowLive sends the moving part of the page whenever it changes, ready made.
func (s *Server) nowLive(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	l := Lang(r)
	return api.Stream(w, r, s.LiveEvery, s.Desk, c.Who, func(ctx context.Context) (string, any, error) {
		live, err := s.Desk.Live(ctx, c.Who)
		if err != nil {
			return "", nil, err
		}
		d, err := newNow(l, live)
		if err != nil {
			return "", nil, err
		}
		b, err := s.execute(l, "now", "live", View{Lang: l, Who: c, Data: d})
		return "part", b, err
	})
}

func newNow(l text.Lang, live desk.Live) (nowData, error) {
	d := nowData{Live: live, Kept: api.Sentences(l, live.Storage), OK: live.Sources - len(live.Troubled)}
	for i, n := range live.Hour {
		d.Total += n
		if i >= int(detect.High) {
			d.Severe += n
		}
	}
	for _, b := range live.Findings {
		if b.Counts != [5]int64{} {
			d.Bars = append(d.Bars, b)
		}
	}
	if len(live.Open) > 0 {
		d.Top = &live.Open[0]
		for i := range live.Open { // a new one of the same severity comes before one somebody has
			if x := &live.Open[i]; x.Severity == d.Top.Severity && x.State == incident.New && d.Top.State != incident.New {
				d.Top = x
			}
		}
		if d.Top.FirstCompromise != nil {
			d.First = narrate.FirstCompromise(l, d.Top.FirstCompromise)
		}
		d.Next = nextKey(d.Top.State)
	}
	var err error
	d.Chart, err = findingChart(l, "now-findings", live.Findings, 640, 150, time.Minute)
	return d, err
}

// nextKey is the one next step for an incident in a state.
func nextKey(st incident.State) string {
	switch st {
	case incident.New:
		return "triage"
	case incident.Triaged:
		return "contain"
	case incident.Contained:
		return "handover"
	}
	return "none"
}

// findingChart draws findings per bar, stacked by level.
func findingChart(l text.Lang, id string, bs []detectdb.Bucket, w, h float64, width time.Duration) (template.HTML, error) {
	c := draw.Chart{ID: id, Title: text.T(l, "console.chart.findings"), Desc: text.T(l, "console.chart.twin"), Width: w, Height: h}
	fills := [5]string{"#8a97a5", "#5b86ad", "#b08a1e", "#c2610f", "#a8201a"}
	for i, b := range bs {
		total, words := int64(0), ""
		bar := draw.Bar{Parts: []draw.Part{}}
		for lv, n := range b.Counts {
			total += n
			bar.Parts = append(bar.Parts, draw.Part{Value: float64(n), Class: "level-" + detect.Level(lv).String(), Fill: fills[lv]})
			if n > 0 {
				words += fmt.Sprintf(" · %s %d", narrate.Level(l, detect.Level(lv)), n)
			}
		}
		at := b.Start.In(format.Taipei)
		bar.Value, bar.Tip = float64(total), at.Format("01-02 15:04")+words
		bar.Label = barLabel(i, at, width, len(bs))
		if total > 0 {
			bar.Href = "/findings?" + url.Values{"from": {b.Start.UTC().Format(time.RFC3339)}, "to": {b.Start.Add(width).UTC().Format(time.RFC3339)}}.Encode()
		}
		c.Bars = append(c.Bars, bar)
	}
	b, err := c.Bytes()
	return template.HTML(b), err
}

// barLabel labels some of the bars.
func barLabel(i int, at time.Time, width time.Duration, n int) string {
	every := max(1, n/6)
	if i%every != 0 {
		return ""
	}
	switch {
	case width >= 24*time.Hour:
		return at.Format("01-02")
	case width >= time.Hour:
		return at.Format("01-02 15:04")
	case width < time.Minute:
		return at.Format("15:04:05")
	}
	return at.Format("15:04")
}
