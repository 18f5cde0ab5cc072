// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package batch runs an investigation: files in, incidents out, by the same
// decoders, rules and correlation that the live pipeline uses.
//
// It promises the order of the input whatever the number of workers, the same
// result on every run, and memory that does not grow with the number of events:
// an event is gone once detection and correlation have seen it. A file whose
// bytes were read already, beside its own archive for instance, is not counted
// twice. It opens no store, no queue and no network, so that it works in the
// builds without cgo.
package batch

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/ingest/format"
)

// Read calls emit for every event and returns what became of the sources.
type Read = func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error)

// Options of one investigation.
type Options struct {
	Read      Read
	Engine    *sigma.Engine // loaded with sigma.Options.Batch; one investigation each
	Correlate correlate.Config
	Workers   int // that match rules; 0: one for each processor
}

// Investigate reads, detects and correlates. The first error of Read, or of
// ctx, ends it.
func Investigate(ctx context.Context, o Options) (incident.Result, error) {
	t := tally{engine: correlate.New(o.Correlate), rules: map[string]*incident.RuleCount{}}
	files := copies{first: map[string]place{}}
	read := func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		return o.Read(ctx, func(e *event.Event) error {
			if files.again(e) {
				return nil
			}
			return emit(e)
		})
	}
	sources, err := Detect(ctx, read, o.Engine, o.Workers, func(e *event.Event, fs []detect.Finding) error {
		t.observe(e, fs)
		return nil
	})
	if err != nil {
		return incident.Result{}, err
	}
	r, err := t.result(ctx, files.note(sources))
	if err != nil {
		return incident.Result{}, err
	}
	drawn := o.Correlate.Topology.Places()
	r.Places = map[string][]asset.Place{}
	for _, in := range r.Incidents {
		for host, as := range in.ToCut() {
			r.Places[host] = drawn.Of(host, as)
		}
	}
	return r, nil
}

// chunk is how many events one worker takes at a time.
const chunk = 512

// job is a run of events on its way through detection.
type job struct {
	events   []*event.Event
	findings [][]detect.Finding // by event, written by the worker
	done     chan struct{}
}

// Detect holds the rules of engine, which was loaded with sigma.Options.Batch,
// against what read gives. see gets every event with its findings in the order
// of the input, and at the end, without an event, the findings of rules that
// count over time. workers match; 0 means one for each processor. The first
// error of read, of see or of ctx ends it.
func Detect(ctx context.Context, read Read, engine *sigma.Engine, workers int, see func(*event.Event, []detect.Finding) error) ([]incident.SourceStat, error) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// Jobs go to the workers and, in the order of the input, to the one
	// goroutine that sees them. Both channels bound what is in memory.
	work := make(chan *job, workers)
	order := make(chan *job, 4*workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			m := engine.NewMatcher()
			for j := range work {
				for i, e := range j.events {
					j.findings[i] = m.Match(e)
				}
				close(j.done)
			}
		})
	}
	wg.Go(func() {
		var err error
		for j := range order {
			<-j.done
			for i, e := range j.events {
				if err != nil {
					break
				}
				if err = see(e, j.findings[i]); err != nil {
					cancel(err)
				}
			}
		}
	})

	var cur []*event.Event
	flush := func() error {
		if len(cur) == 0 {
			return nil
		}
		j := &job{events: cur, findings: make([][]detect.Finding, len(cur)), done: make(chan struct{})}
		cur = make([]*event.Event, 0, chunk)
		select {
		case work <- j:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		order <- j
		return nil
	}
	sources, err := read(ctx, func(e *event.Event) error {
		cur = append(cur, e)
		if len(cur) < chunk {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	close(work)
	close(order)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil { // what see said, rather than that its context ended
		err = cause
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	// Correlation rules are decided when everything is there, in order of time:
	// which worker saw what first must not matter.
	last, err := engine.Flush()
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return sources, see(nil, last)
}

// place is where a file lies.
type place struct{ file, inner string }

func (p place) String() string {
	if p.inner == "" {
		return p.file
	}
	return p.file + "!" + p.inner
}

// copies knows files by their content. Sources come one after another, so the
// map is asked once for each.
type copies struct {
	first map[string]place // by SHA-256
	cur   place
	sha   string
	skip  bool
}

// again reports whether e lies in a file that was read under another name.
func (c *copies) again(e *event.Event) bool {
	o := &e.Origin
	if o.SHA256 == "" {
		return false
	}
	if p := (place{o.File, o.Inner}); p != c.cur || o.SHA256 != c.sha {
		c.cur, c.sha = p, o.SHA256
		first, known := c.first[o.SHA256]
		if !known {
			c.first[o.SHA256] = p
		}
		c.skip = known && first != p
	}
	return c.skip
}

// note says of every copy what it is a copy of.
func (c *copies) note(in []incident.SourceStat) []incident.SourceStat {
	for i := range in {
		s := &in[i]
		if first, ok := c.first[s.SHA256]; ok && s.SHA256 != "" && first != (place{s.File, s.Inner}) {
			s.Notes = append([]string{"the same bytes as " + first.String() + ": its records count once"}, s.Notes...)
		}
	}
	return in
}

// tally is what stays of the events: compact facts and counts.
type tally struct {
	engine *correlate.Engine
	rules  map[string]*incident.RuleCount
	total  int64
}

func (t *tally) observe(e *event.Event, fs []detect.Finding) {
	for _, f := range fs {
		t.total++
		c, ok := t.rules[f.Rule.Hash]
		if !ok {
			c = &incident.RuleCount{Rule: f.Rule, First: f.Time, Last: f.Time}
			t.rules[f.Rule.Hash] = c
		}
		c.Count++
		if f.Time.Before(c.First) {
			c.First = f.Time
		}
		if f.Time.After(c.Last) {
			c.Last = f.Time
		}
	}
	t.engine.Observe(e, fs)
}

func (t *tally) result(ctx context.Context, sources []incident.SourceStat) (incident.Result, error) {
	incs := t.engine.Incidents(ctx)
	if err := ctx.Err(); err != nil {
		return incident.Result{}, err
	}
	r := incident.Result{Sources: sources, Incidents: incs, Findings: t.total, ByRule: make([]incident.RuleCount, 0, len(t.rules)), Baseline: t.engine.Baseline()}
	for _, c := range t.rules {
		r.ByRule = append(r.ByRule, *c)
	}
	slices.SortFunc(r.ByRule, func(a, b incident.RuleCount) int {
		if a.Rule.Level != b.Rule.Level {
			return int(b.Rule.Level) - int(a.Rule.Level)
		}
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		return strings.Compare(a.Rule.ID+a.Rule.Hash, b.Rule.ID+b.Rule.Hash)
	})
	return r, nil
}
