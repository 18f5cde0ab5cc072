// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"strconv"
	"time"

	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/event"
	"citywall/eventstore"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/incident/incidentdb"
	"citywall/internal/text"
	"citywall/pipeline/live"
)

// behaviourState names what the detectors of behaviour remember among the
// records of findings.
const behaviourState = "behaviour"

// newPipeline joins queue, store, rules, records and correlation.
func (a *App) newPipeline(corr correlate.Config) (*live.Live, error) {
	return live.New(a.cfg.Pipeline, live.Parts{
		Queue: a.queue, Store: a.events, Rules: a.rules.Engine(), Muted: a.rules.Muted, Correlate: corr,
		SaveFindings: func(ctx context.Context, fs []detect.Finding) error {
			_, err := a.findings.Save(ctx, fs)
			return err
		},
		LoadState: func(ctx context.Context) (detect.State, error) { return a.findings.LoadState(ctx, behaviourState) },
		SaveState: func(ctx context.Context, st detect.State) error {
			return a.findings.SaveState(ctx, behaviourState, st)
		},
		EachFinding: a.eachFinding,
		SaveIncidents: func(ctx context.Context, is []incident.Incident) ([]string, error) {
			s, err := a.incidents.Save(ctx, is)
			return append(s.New, s.Changed...), err
		},
		Observe:     a.estate.Observe,
		SourcesFile: a.data.path("sources.json"), Now: a.now, Log: a.log,
	})
}

// eachFinding pages through the kept findings of the city.
func (a *App) eachFinding(ctx context.Context, from, to time.Time, f func(detect.Finding)) error {
	q := detectdb.Query{From: from, To: to, Sort: detectdb.Oldest, Limit: 1000}
	for {
		p, err := a.findings.List(ctx, cityScope, q)
		if err != nil {
			return err
		}
		for _, x := range p.Findings {
			f(x)
		}
		if p.Next == "" {
			return nil
		}
		q.After = p.Next
	}
}

// Settle waits until everything sent so far is stored, judged and correlated,
// and returns the incidents as they are recorded.
func (a *App) Settle(ctx context.Context) ([]incident.Incident, error) {
	if err := a.pipeline.Settle(ctx); err != nil {
		return nil, err
	}
	var out []incident.Incident
	q := incidentdb.ListQuery{Limit: 500}
	for {
		p, err := a.incidents.List(ctx, cityScope, q)
		if err != nil {
			return nil, err
		}
		for _, r := range p.Rows {
			rec, err := a.incidents.Get(ctx, cityScope, r.ID)
			if err != nil {
				return nil, err
			}
			out = append(out, rec.Incident)
		}
		if p.Next == "" {
			return out, nil
		}
		q.After = p.Next
	}
}

// Progress is one line about what the pipeline has done, for a person who
// waits.
func (a *App) Progress(sent int64) string {
	h := a.pipeline.Health()
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	l, _ := text.ParseLang(a.cfg.Lang)
	return text.T(l, "cmd.demo.progress", "sent", n(sent), "stored", n(h.Events), "findings", n(h.Findings), "incidents", strconv.Itoa(h.Correlate.Incidents))
}

// EachEvent calls f for every event of the city's estate that q selects.
func (a *App) EachEvent(ctx context.Context, q eventstore.Query, f func(*event.Event) error) error {
	return a.events.Each(ctx, cityScope, q, f)
}

// Health is the state of the pipeline.
func (a *App) Health() live.Health { return a.pipeline.Health() }

// DatagramsLost counts the syslog datagrams that listeners or the kernel had to
// drop, as far as the kernel tells.
func (a *App) DatagramsLost() int64 {
	var n int64
	for _, l := range a.syslog {
		s := l.Stats()
		n += s.Lost
		if s.LostKernel != nil {
			n += *s.LostKernel
		}
	}
	return n
}
