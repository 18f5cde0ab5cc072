// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"context"
	"slices"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/incident/fact"
)

// Engine gathers facts and says, whenever asked, which incidents they make. It
// is for one goroutine.
type Engine struct {
	cfg   filled
	facts *fact.Store

	seen  int64 // count at the last answer; -1: it does not hold any more
	count int64
	last  *answer
}

// answer is what Incidents found, kept until the next observation.
type answer struct {
	incidents []incident.Incident
	clocks    map[string]incident.Clock
	baseline  incident.Baseline
}

// New returns an engine without facts.
func New(cfg Config) *Engine {
	return &Engine{cfg: cfg.fill(), facts: fact.New()}
}

// Observe takes one event and the findings about it, in any order of time. The
// event may be nil when findings come alone. Neither is kept.
func (e *Engine) Observe(ev *event.Event, fs []detect.Finding) {
	e.count++
	e.facts.Observe(ev, fs)
}

// SetTopology exchanges what is known of the network beforehand. Nothing that
// was observed is lost: the next answer is that of an engine which knew t from
// the beginning.
func (e *Engine) SetTopology(t asset.Topology) {
	e.cfg.Topology, e.seen = t, -1
}

// Incidents returns the incidents of everything observed so far, the most
// severe first, then by time. The same observations in any order give the same
// answer, byte for byte. It returns nothing when ctx ends first.
func (e *Engine) Incidents(ctx context.Context) []incident.Incident {
	if !e.answered(ctx) {
		return nil
	}
	return slices.Clone(e.last.incidents)
}

// Baseline says what "usual" rests on, as of the latest Incidents.
func (e *Engine) Baseline() incident.Baseline {
	if e.last == nil {
		return incident.Baseline{}
	}
	return e.last.baseline
}

// Clocks returns the estimated error of every clock that could be compared
// with another, by host or sensor, as of the latest Incidents.
func (e *Engine) Clocks() map[string]incident.Clock {
	if e.last == nil {
		return nil
	}
	return e.last.clocks
}

func (e *Engine) answered(ctx context.Context) bool {
	if e.last != nil && e.seen == e.count {
		return true
	}
	a := analyse(ctx, e.cfg, e.facts)
	if ctx.Err() != nil {
		return false
	}
	e.last, e.seen = a, e.count
	return true
}
