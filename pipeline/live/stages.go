// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
)

// stage is one step of the path. Each has one goroutine, so batches stay in
// order, and at most one waits before each: memory is bounded by the number of
// stages.
type stage struct {
	name string
	do   func(ctx context.Context, b *batch) error
}

// run works off in. A batch whose stage fails is let go: it was not
// acknowledged, and the queue delivers it again. That happens only when ctx
// ends.
func (s stage) run(ctx context.Context, l *Live, in <-chan *batch, out chan<- *batch) {
	for b := range in {
		err := s.do(ctx, b)
		if err == nil {
			err = send(ctx, out, b)
		}
		if err != nil {
			l.inFlight.Add(-int64(len(b.packs)))
			if ctx.Err() == nil {
				l.log.Error("pipeline: let a batch go; the queue delivers it again", "stage", s.name, "err", err)
			}
		}
	}
}

// worthAnother reports whether trying again may help.
func worthAnother(err error) bool { return !fault.Is(err, fault.Invalid) }

// keep puts the events into the store.
func (l *Live) keep(ctx context.Context, b *batch) error {
	if len(b.events) > 0 {
		if err := l.append(ctx, eventstore.Batch{MsgID: b.id, Events: b.events}); err != nil {
			return err
		}
	}
	b.kept = l.now()
	b.fresh = make([]bool, len(b.events))
	n := int64(0)
	for i, e := range b.events {
		if b.fresh[i] = l.recent.add(e.ID); b.fresh[i] {
			n++
			l.sources.saw(b.from[i], e)
		}
	}
	l.st.events.Add(n)
	l.st.batches.Add(1)
	return nil
}

// append insists. A batch that the store refuses for what is in it is halved
// until the events that are to blame stand alone; those are put aside.
func (l *Live) append(ctx context.Context, b eventstore.Batch) error {
	err := l.insist(ctx, "keep", func(ctx context.Context) error { return l.p.Store.Append(ctx, b) })
	if err == nil || !fault.Is(err, fault.Invalid) {
		return err
	}
	if len(b.Events) == 1 {
		e := b.Events[0]
		data, jerr := json.Marshal(e)
		if jerr != nil {
			data = e.Raw
		}
		return l.insist(ctx, "keep", func(context.Context) error { return l.p.Queue.Bury("event-"+e.ID.String(), data, err) })
	}
	half := len(b.Events) / 2
	for i, part := range [][]*event.Event{b.Events[:half], b.Events[half:]} {
		if err := l.append(ctx, eventstore.Batch{MsgID: fmt.Sprintf("%s.%d", b.MsgID, i), Events: part}); err != nil {
			return err
		}
	}
	return nil
}

// matchers are one per worker, of one engine.
type matchers struct {
	set   *ruleSet
	each  []*sigma.Matcher
	stats time.Time // when they were last read
}

const statsEvery = 2 * time.Second

// detect holds the rules against the events.
func (l *Live) detect(_ context.Context, b *batch) error {
	m := &l.matcher
	if set := l.rules.Load(); m.set != set {
		*m = matchers{set: set}
		if set.engine != nil {
			for range l.cfg.workers() {
				m.each = append(m.each, set.engine.NewMatcher())
			}
		}
		l.ruleStats.Store(&sigma.Stats{})
	}
	b.findings = make([][]detect.Finding, len(b.events))
	if len(m.each) == 0 {
		return nil
	}
	parallel(len(m.each), len(m.each), func(w int) {
		for i := w; i < len(b.events); i += len(m.each) {
			b.findings[i] = l.match(m.each[w], b.events[i])
		}
	})
	if now := l.now(); now.Sub(m.stats) >= statsEvery || now.Before(m.stats) {
		m.stats = now
		sum := &sigma.Stats{}
		for _, x := range m.each {
			sum.Merge(x.Stats())
		}
		l.ruleStats.Store(sum)
	}
	return nil
}

// match keeps a rule that panics from taking the other events with it.
func (l *Live) match(m *sigma.Matcher, e *event.Event) (fs []detect.Finding) {
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("pipeline: a rule panicked", "event", e.ID, "panic", r)
			fs = nil
		}
	}()
	return m.Match(e)
}

// recordFindings saves what was found and tells those who listen.
func (l *Live) recordFindings(ctx context.Context, b *batch) error {
	var all []detect.Finding
	for _, fs := range b.findings {
		all = append(all, fs...)
	}
	if len(all) == 0 {
		return nil
	}
	err := l.insist(ctx, "record", func(ctx context.Context) error { return l.p.SaveFindings(ctx, all) })
	if fault.Is(err, fault.Invalid) {
		// The events are kept; the rules can be held against them again.
		data, jerr := json.Marshal(all)
		if jerr != nil {
			return jerr
		}
		err = l.insist(ctx, "record", func(context.Context) error { return l.p.Queue.Bury("findings-"+b.id, data, err) })
	}
	if err != nil {
		return err
	}
	for i, fs := range b.findings {
		if !b.fresh[i] {
			continue
		}
		l.st.findings.Add(int64(len(fs)))
		for j := range fs {
			l.hub.send(Notice{Kind: NoticeFinding, Time: l.now(), Finding: &fs[j]})
		}
	}
	return nil
}

// handOver gives the batch to correlation. It may wait there for an answer that
// is being worked out; the queue has room for that.
func (l *Live) handOver(ctx context.Context, b *batch) error {
	if len(b.events) == 0 {
		return nil
	}
	select {
	case l.handed <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// acknowledge lets the queue forget the packs. What correlation still has to
// do, a restart does from the store.
func (l *Live) acknowledge(ctx context.Context, b *batch) error {
	for i := range b.packs {
		if err := b.packs[i].Ack(ctx); err != nil {
			l.log.Warn("pipeline: acknowledge; the pack comes again", "err", err)
		}
	}
	l.inFlight.Add(-int64(len(b.packs)))
	return nil
}
