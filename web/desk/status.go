// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"citywall/detect/detectdb"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/incidentdb"
)

// ListSources returns what arrives, as far as the asker's scope goes.
func (d *Desk) ListSources(ctx context.Context, who Who) ([]Source, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, identity.SourceRead); err != nil {
		return nil, err
	}
	return visibleSources(ctx, city, who.Scope())
}

func visibleSources(ctx context.Context, city *City, sc identity.Scope) ([]Source, error) {
	if city.Sources == nil {
		return nil, nil
	}
	all, err := city.Sources(ctx)
	if err != nil {
		return nil, err
	}
	if sc.Realm == "" {
		return nil, nil
	}
	out := slices.DeleteFunc(slices.Clone(all), func(s Source) bool {
		return len(sc.Agencies) > 0 && !slices.Contains(sc.Agencies, s.Agency)
	})
	slices.SortFunc(out, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Live is what is going on in the city now.
type Live struct {
	Time     time.Time         `json:"time"`
	Counts   incidentdb.Counts `json:"counts"`   // incidents by state
	Open     []incidentdb.Row  `json:"open"`     // severest first, at most LiveRows
	Findings []detectdb.Bucket `json:"findings"` // last hour, per minute
	Hour     [5]int64          `json:"hour"`     // findings of the last hour by level
	Rate     float64           `json:"rate"`     // records a second, all sources
	Sources  int               `json:"sources"`
	Troubled []Source          `json:"troubled"` // late or silent
	Storage  *LiveStorage      `json:"storage"`  // null for who may not see how Citywall is doing
}

// LiveRows is how many open incidents a Live holds.
const LiveRows = 10

// liveFor is how old an answer may be. Twenty people who watch the same page
// cost the store one look a second.
const liveFor = time.Second

type liveCache struct {
	sync.Mutex // guards the map and each entry: a second asker waits for the first one's answer
	at         map[string]liveEntry
}

type liveEntry struct {
	taken time.Time
	live  Live
}

// Live returns what is going on, at most a second old.
func (d *Desk) Live(ctx context.Context, who Who) (Live, error) {
	city, err := d.city(who)
	if err != nil {
		return Live{}, err
	}
	if err := d.may(who, identity.IncidentRead); err != nil {
		return Live{}, err
	}
	sc := who.Scope()
	key := string(sc.Realm) + "\x00" + strings.Join(sc.Agencies, "\x00")
	well := d.may(who, identity.StatusRead) == nil
	if well {
		key += "\x00\x00well"
	}
	d.live.Lock()
	defer d.live.Unlock()
	now := d.now()
	if e, ok := d.live.at[key]; ok && now.Sub(e.taken) < liveFor && !now.Before(e.taken) {
		return e.live, nil
	}
	l, err := d.look(ctx, city, sc, now)
	if err != nil {
		return Live{}, err
	}
	if well {
		if l.Storage, err = city.health(ctx); err != nil {
			return Live{}, err
		}
	}
	if d.live.at == nil || len(d.live.at) > 256 {
		d.live.at = map[string]liveEntry{}
	}
	d.live.at[key] = liveEntry{now, l}
	return l, nil
}

func (d *Desk) look(ctx context.Context, city *City, sc identity.Scope, now time.Time) (Live, error) {
	l := Live{Time: now.UTC()}
	var err error
	if l.Counts, err = city.Incidents.Count(ctx, sc); err != nil {
		return l, err
	}
	open, err := city.Incidents.List(ctx, sc, incidentdb.ListQuery{
		States: []incident.State{incident.New, incident.Triaged, incident.Contained}, Sort: incidentdb.Severest, Limit: LiveRows,
	})
	if err != nil {
		return l, err
	}
	l.Open = open.Rows
	end := now.UTC().Truncate(time.Minute).Add(time.Minute)
	if l.Findings, err = city.Findings.Histogram(ctx, sc, detectdb.Query{From: end.Add(-time.Hour), To: end}, time.Minute); err != nil {
		return l, err
	}
	for _, b := range l.Findings {
		for i, n := range b.Counts {
			l.Hour[i] += n
		}
	}
	sources, err := visibleSources(ctx, city, sc)
	if err != nil {
		return l, err
	}
	l.Sources = len(sources)
	for _, s := range sources {
		l.Rate += s.Rate
		if s.State == SourceLate || s.State == SourceSilent {
			l.Troubled = append(l.Troubled, s)
		}
	}
	return l, nil
}
