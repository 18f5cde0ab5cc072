// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"slices"
	"strings"

	"citywall/ingest/transport/syslog"
	"citywall/web/desk"
)

// sources says what arrives: what the pipeline measured of every source, the
// losses that listeners counted before the queue, and the tokens and watched
// folders from which nothing came yet.
func (a *App) sources(ctx context.Context) ([]desk.Source, error) {
	var out []desk.Source
	known := map[string]bool{}
	for _, s := range a.pipeline.Sources() {
		known[s.Name] = true
		out = append(out, desk.Source{
			Name: s.Name, Agency: s.Agency, Transport: s.Transport, Formats: s.Formats, Products: s.Products, State: desk.SourceState(s.State),
			Records: s.Records, Skipped: s.Skipped, Damaged: s.Damaged, Rate: s.Rate, Rates: s.Rates, LastSeen: s.LastSeen, LastEvent: s.LastEvent,
			Lag: s.Lag, Clock: s.Clock, Gaps: s.Gaps, Notes: s.Notes,
		})
	}
	registered, err := a.senders.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range registered {
		if i := slices.IndexFunc(out, func(x desk.Source) bool { return x.Name == s.Name }); i >= 0 {
			out[i].Known = true
			continue
		}
		known[s.Name] = true
		out = append(out, desk.Source{Name: s.Name, Agency: s.Agency, Transport: s.Transport, State: desk.SourceNever, Known: true})
	}
	tokens, err := a.city.users.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		if t.Source == "" || !t.Revoked.IsZero() {
			continue
		}
		if i := slices.IndexFunc(out, func(x desk.Source) bool { return x.Name == t.Source }); i >= 0 {
			out[i].Known = true // its token was made for it
			continue
		}
		known[t.Source] = true
		out = append(out, desk.Source{Name: t.Source, Agency: t.Agency, Transport: "http", State: desk.SourceNever, Known: true})
	}
	for i, w := range a.watch {
		st := w.Stats()
		j := slices.IndexFunc(out, func(s desk.Source) bool { return s.Name == st.Source })
		if j < 0 {
			out = append(out, desk.Source{Name: st.Source, Agency: a.cfg.Watch[i].Agency, Transport: "watch", State: desk.SourceNever})
			j = len(out) - 1
		}
		out[j].Known = true // the configuration names it
		out[j].Notes = append(out[j].Notes, st.Notes...)
	}
	for _, l := range a.syslog {
		st := l.Stats()
		lost := st.Lost + st.Cut + st.Broken
		if st.LostKernel != nil {
			lost += *st.LostKernel
		}
		if lost > 0 { // of the listener: whose they were is not known any more
			out = append(out, desk.Source{Name: st.Name, Transport: "syslog-" + st.Net, State: listenerState(st), Records: st.Records, Lost: lost})
		}
	}
	for _, l := range a.netflow {
		st := l.Stats()
		lost := st.Lost + st.Flows.NoTemplate + st.Flows.Missed + st.Flows.Broken
		if st.LostKernel != nil {
			lost += *st.LostKernel
		}
		if lost > 0 {
			out = append(out, desk.Source{Name: st.Name, Transport: "netflow", State: listenerState(st.Stats), Records: st.Records, Lost: lost})
		}
	}
	slices.SortFunc(out, func(x, y desk.Source) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

func listenerState(st syslog.Stats) desk.SourceState {
	if st.Blocked > 0 {
		return desk.SourceLate
	}
	return desk.SourceOK
}
