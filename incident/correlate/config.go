// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"citywall/asset"
	"citywall/incident/attackpath"
	"citywall/incident/clean"
	"citywall/internal/fault"
)

// Config is what an investigation knows beforehand. The zero value is valid:
// everything is inferred, with the defaults below.
type Config struct {
	Topology     asset.Topology
	ClockOffsets map[string]time.Duration // by clock (host or sensor): how far it is ahead
	Responders   []string                 // hosts, addresses and accounts of those who respond: their acts are not the intruder's
	Zone         *time.Location           // of working hours; nil means Asia/Taipei
	Params       *Params                  // nil means Defaults
	Weights      *attackpath.Weights      // nil means attackpath.Defaults
	Clean        *clean.Params            // nil means clean.Defaults
}

// Params are the windows and thresholds of correlation. They stand in every
// incident's Parameters.
type Params struct {
	Burst     time.Duration // findings of one rule on one host are one step while no gap is longer
	Contact   time.Duration // connections between two ends are one contact while no gap is longer
	Exec      time.Duration // a connection and what it runs on the other side lie this close
	After     time.Duration // a destination's first sign counts for a move into it so long after
	Course    time.Duration // signs of one host that belong to one course of events
	Attempt   time.Duration // a sign this soon after a flood of attempts is read as its success
	Spread    time.Duration // signs of a host this long after it fell still belong to the same thread
	Flood     int           // rows that make attempts a flood
	Bad       float64       // weight of signs from which a host counts as under foreign control
	Edges     float64       // without any detection: sum of scores from which anomalous edges are an incident
	Renames   int           // files with one foreign extension in a minute that mean encryption
	History   float64       // days of history below which before/after gives values and no verdict
	KnownGood time.Duration // a quiet time before the first bad shorter than this proves nothing
	WorkBegin int           // hours of the day, working days Monday to Friday
	WorkEnd   int
	Touched   int // hosts listed as possibly touched
	Suspects  int // addresses listed as suspicious
}

// Defaults returns the defaults of attackpath.md where it states them.
func Defaults() Params {
	return Params{
		Burst: 10 * time.Minute, Contact: time.Hour, Exec: 2 * time.Minute, After: 15 * time.Minute,
		Course: 24 * time.Hour, Attempt: 6 * time.Hour, Spread: 30 * 24 * time.Hour, Flood: 50, Bad: 3, Edges: 5, Renames: 50,
		History: 7, KnownGood: 24 * time.Hour, WorkBegin: 7, WorkEnd: 19, Touched: 50, Suspects: 50,
	}
}

// Map returns the parameters by name, for the report.
func (p Params) Map() map[string]string {
	f := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	return map[string]string{
		"burst": p.Burst.String(), "contact": p.Contact.String(), "exec": p.Exec.String(), "after": p.After.String(),
		"course": p.Course.String(), "attempt": p.Attempt.String(), "spread": p.Spread.String(), "flood_rows": strconv.Itoa(p.Flood),
		"bad_from": f(p.Bad), "edges_from": f(p.Edges), "renames": strconv.Itoa(p.Renames), "history_days": f(p.History),
		"known_good": p.KnownGood.String(), "work_hours": fmt.Sprintf("%d-%d", p.WorkBegin, p.WorkEnd),
	}
}

// Validate refuses what cannot be meant.
func (c Config) Validate() error {
	for _, s := range c.Topology.Segments {
		if !s.Prefix.IsValid() {
			return fault.New(fault.Invalid, "topology: segment %q has no prefix", s.Name)
		}
	}
	for name, d := range c.ClockOffsets {
		if d.Abs() > 366*24*time.Hour {
			return fault.New(fault.Invalid, "clock offset of %q is %s: more than a year", name, d)
		}
	}
	if p := c.Params; p != nil {
		if p.WorkBegin < 0 || p.WorkEnd > 24 || p.WorkBegin >= p.WorkEnd {
			return fault.New(fault.Invalid, "working hours %d to %d", p.WorkBegin, p.WorkEnd)
		}
		if p.Burst <= 0 || p.Contact <= 0 || p.Exec <= 0 || p.Flood <= 0 || p.Renames <= 0 {
			return fault.New(fault.Invalid, "windows and counts of correlation must be positive")
		}
	}
	return nil
}

// filled is a Config with its defaults.
type filled struct {
	Config
	p     Params
	w     attackpath.Weights
	c     clean.Params
	zone  *time.Location
	shown map[string]string // Parameters of every incident
}

func (c Config) fill() filled {
	f := filled{Config: c, p: Defaults(), w: attackpath.Defaults(), c: clean.Defaults(), zone: taipei}
	if c.Params != nil {
		f.p = *c.Params
	}
	if c.Weights != nil {
		f.w = *c.Weights
	}
	if c.Clean != nil {
		f.c = *c.Clean
	}
	if c.Zone != nil {
		f.zone = c.Zone
	}
	f.shown = f.w.Map()
	maps.Copy(f.shown, f.p.Map())
	return f
}

// taipei is the zone of working hours unless another is set.
var taipei = time.FixedZone("Asia/Taipei", 8*3600)
