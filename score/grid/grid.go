// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package grid plays exercises over a grid of conditions (which script, how
// large a city, what was lost, how wrong the clocks are) and holds what the
// inference finds against the truth (attackpath.md §9.4).
//
// It promises the same figures for the same cells and seeds whatever the number
// of workers, and that every case goes the way of an investigation: lines as
// the sources write them, the decoders, the own rules, correlation. It never
// shows the inference anything of an exercise but those lines and the drawing
// that a city has of itself, and it changes no weight.
package grid

import (
	"context"
	"strconv"
	"strings"
	"time"

	"citywall/detect/sigma"
	"citywall/exercise"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/pipeline/batch"
	"citywall/rules"
	"citywall/score"
)

// Cell is one point of the grid.
type Cell struct {
	Scenario string
	Knob     string // what is varied against the plain cell, "plain" for nothing
	exercise.Options
}

// Name is scenario/knob.
func (c Cell) Name() string { return c.Scenario + "/" + c.Knob }

// Whole reports whether nothing was lost, nor flows only sampled: then the bars
// on recall, precision and order hold. In every cell the first moment must lie
// in its interval.
func (c Cell) Whole() bool { return len(c.Loss) == 0 && c.Sample == 0 }

// Case is a cell played with one seed.
type Case struct {
	Cell
	Seed uint64
}

// Result is what a case gave.
type Result struct {
	Case
	score.Result
}

// knob is one departure from the plain cell.
type knob struct {
	name string
	set  func(*exercise.Options)
}

func knobs() []knob {
	return []knob{
		{"plain", func(*exercise.Options) {}},
		{"small", func(o *exercise.Options) { o.Devices = 60 }},
		{"large", func(o *exercise.Options) { o.Devices = 500 }},
		{"weeks", func(o *exercise.Options) { o.Days = 14 }},
		{"quiet", func(o *exercise.Options) { o.NoAttack = true }},
		{"slow", func(o *exercise.Options) { o.Stealth = []exercise.Stealth{exercise.StealthSlow} }},
		{"own-tools", func(o *exercise.Options) { o.Stealth = []exercise.Stealth{exercise.StealthTools} }},
		{"admin-pairs", func(o *exercise.Options) { o.Stealth = []exercise.Stealth{exercise.StealthPairs} }},
		{"clock-2m", func(o *exercise.Options) { o.Clock = 2 * time.Minute }},
		{"clock-10m", func(o *exercise.Options) { o.Clock = 10 * time.Minute }},
		{"cgnat", func(o *exercise.Options) { o.CGNAT = true }},
		{"sampled", func(o *exercise.Options) { o.Sample = 100 }},
		{"loss-controller", func(o *exercise.Options) { o.Loss = []exercise.Loss{exercise.LossController} }},
		{"loss-entry", func(o *exercise.Options) { o.Loss = []exercise.Loss{exercise.LossEntry} }},
		{"loss-core", func(o *exercise.Options) { o.Loss = []exercise.Loss{exercise.LossCore} }},
		{"loss-horizon", func(o *exercise.Options) { o.Loss = []exercise.Loss{exercise.LossHorizon} }},
		{"loss-3-days", func(o *exercise.Options) { o.Loss, o.Days = []exercise.Loss{exercise.LossThreeDays}, 5 }},
	}
}

// mixtures are several departures at once, as real cases have them.
func mixtures() []knob {
	return []knob{
		{"small+controller+horizon", func(o *exercise.Options) {
			o.Devices, o.Loss = 60, []exercise.Loss{exercise.LossController, exercise.LossHorizon}
		}},
		{"large+entry+core", func(o *exercise.Options) {
			o.Devices, o.Loss = 500, []exercise.Loss{exercise.LossEntry, exercise.LossCore}
		}},
		{"slow+clock+cgnat", func(o *exercise.Options) {
			o.Stealth, o.Clock, o.CGNAT = []exercise.Stealth{exercise.StealthSlow}, 10*time.Minute, true
		}},
		{"slow+3-days+sampled", func(o *exercise.Options) {
			o.Days, o.Stealth, o.Loss, o.Sample = 4, []exercise.Stealth{exercise.StealthSlow}, []exercise.Loss{exercise.LossThreeDays}, 100
		}},
		{"hidden+clock+controller", func(o *exercise.Options) {
			o.Stealth, o.Clock, o.Loss = []exercise.Stealth{exercise.StealthTools, exercise.StealthPairs}, 5*time.Minute, []exercise.Loss{exercise.LossController}
		}},
	}
}

// Small is the plain city with one thing varied at a time, for every script.
func Small() []Cell {
	var out []Cell
	for _, sc := range exercise.Scenarios() {
		for _, k := range knobs() {
			c := Cell{Scenario: sc.Name, Knob: k.name, Options: exercise.Options{Devices: 200}}
			k.set(&c.Options)
			out = append(out, c)
		}
	}
	return out
}

// Full is Small and several conditions together.
func Full() []Cell {
	out := Small()
	for _, sc := range exercise.Scenarios() {
		for _, m := range mixtures() {
			c := Cell{Scenario: sc.Name, Knob: m.name, Options: exercise.Options{Devices: 200}}
			m.set(&c.Options)
			out = append(out, c)
		}
	}
	return out
}

// Cases gives each cell n seeds from first on; no seed is played twice, so that
// a lucky city does not count for several cells.
func Cases(cells []Cell, n int, first uint64) []Case {
	out := make([]Case, 0, n*len(cells))
	for _, c := range cells {
		for range n {
			out = append(out, Case{c, first + uint64(len(out))})
		}
	}
	return out
}

// Play plays one case.
func Play(ctx context.Context, c Case, workers int) (Result, error) {
	c.Options.Seed = c.Seed
	p, err := exercise.New(c.Scenario, c.Options)
	if err != nil {
		return Result{}, err
	}
	res, err := Investigate(ctx, p, Lines(p), workers)
	if err != nil {
		return Result{}, err
	}
	return Result{c, score.Compare(p.Truth(), res.Incidents)}, nil
}

// Read hands the events of an investigation over.
type Read = func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error)

// Investigate runs what read gives through the own rules and correlation, with
// the drawing that the city has of itself. workers match rules; 0 means one for
// each processor.
func Investigate(ctx context.Context, p *exercise.Play, read Read, workers int) (incident.Result, error) {
	engine, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{Batch: true})
	if err != nil {
		return incident.Result{}, err
	}
	return batch.Investigate(ctx, batch.Options{Engine: engine, Workers: workers, Correlate: correlate.Config{Topology: p.Topology()}, Read: read})
}

// Lines decodes the lines of a play as they lie in files: without the time of
// their arrival, which would tell the clocks' errors.
func Lines(p *exercise.Play) Read {
	return func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		var n uint64
		return nil, p.Lines(ctx, func(l exercise.Line) error {
			n++
			e, err := ingest.Record(l.Bytes, format.Pos{Offset: int64(n), Seq: n}, format.Source{Name: l.Source, Agency: l.Agency, Stream: "exercise", NotAfter: l.Time})
			if err != nil {
				return err
			}
			return emit(e)
		})
	}
}

// Match reports whether a name of a cell fits a filter: every word of it,
// separated by commas, is a part of the name.
func (c Cell) Match(filter string) bool {
	for w := range strings.SplitSeq(filter, ",") {
		if !strings.Contains(c.Name(), w) {
			return false
		}
	}
	return true
}

func (c Case) String() string { return c.Name() + " seed " + strconv.FormatUint(c.Seed, 10) }
