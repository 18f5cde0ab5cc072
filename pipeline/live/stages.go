// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

// stage is one step of the path. Each has one goroutine, so batches stay in
// order, and at most one waits before each, and ahead more before the first:
// memory is bounded by the number of stages.
type stage struct {
	name string
	do   func(ctx context.Context, b *batch) error
	busy *atomic.Int64 // nanoseconds in do
}

// run works off in. A batch whose stage fails is let go: it was not
// acknowledged, and the queue delivers it again. That happens only when ctx
// ends.
func (s stage) run(ctx context.Context, l *Live, in <-chan *batch, out chan<- *batch) {
	for b := range in {
		begin := time.Now()
		err := s.do(ctx, b)
		s.busy.Add(int64(time.Since(begin)))
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

// matching is the matcher of the rules in force. There is one: rules that count
// over time must see the events in one order, or the same packs delivered again
// would raise other findings.
type matching struct {
	set   *ruleSet
	m     *sigma.Matcher // nil: no rules
	stats time.Time      // when its counts were last read
}

const statsEvery = 2 * time.Second

// detect holds the rules against the events that were not here a moment ago.
func (l *Live) detect(_ context.Context, b *batch) error {
	m := &l.matching
	if set := l.rules.Load(); m.set != set {
		*m = matching{set: set}
		if set.engine != nil {
			m.m = set.engine.NewMatcher()
		}
		l.ruleStats.Store(&sigma.Stats{})
	}
	b.findings = make([][]detect.Finding, len(b.events))
	if m.m == nil {
		return nil
	}
	for i, e := range b.events {
		if b.fresh[i] {
			b.findings[i] = l.match(m.m, e)
		}
	}
	if now := l.now(); now.Sub(m.stats) >= statsEvery || now.Before(m.stats) {
		m.stats = now
		st := m.m.Stats()
		l.ruleStats.Store(&st)
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
	return l.unmuted(m.Match(e))
}

// unmuted leaves out the findings of rules that are switched off.
func (l *Live) unmuted(fs []detect.Finding) []detect.Finding {
	if l.p.Muted == nil || len(fs) == 0 {
		return fs
	}
	return slices.DeleteFunc(fs, func(f detect.Finding) bool { return l.p.Muted(f.Rule.ID) })
}

// recordFindings saves what was found and tells those who listen.
func (l *Live) recordFindings(ctx context.Context, b *batch) error {
	var all []detect.Finding
	for _, fs := range b.findings {
		all = append(all, fs...)
	}
	all = append(all, b.behaved...)
	if len(all) > 0 {
		if err := l.saveFindings(ctx, b.id, all); err != nil {
			return err
		}
	}
	for i := range b.packs {
		l.recorded = max(l.recorded, b.packs[i].Seq)
	}
	l.saveBehaviour(ctx, b.state)
	l.st.findings.Add(int64(len(all)))
	for i := range all {
		l.hub.send(Notice{Kind: NoticeFinding, Time: l.now(), Finding: &all[i]})
	}
	return nil
}

// saveFindings insists, and puts aside what the records refuse. The events are
// kept; the rules can be held against them again.
func (l *Live) saveFindings(ctx context.Context, name string, fs []detect.Finding) error {
	err := l.insist(ctx, "record", func(ctx context.Context) error { return l.p.SaveFindings(ctx, fs) })
	if !fault.Is(err, fault.Invalid) {
		return err
	}
	data, jerr := json.Marshal(fs)
	if jerr != nil {
		return jerr
	}
	return l.insist(ctx, "record", func(context.Context) error { return l.p.Queue.Bury("findings-"+name, data, err) })
}

// handOver gives the batch to correlation. It may wait there for an answer that
// is being worked out; the queue has room for that.
func (l *Live) handOver(ctx context.Context, b *batch) error {
	if len(b.events) == 0 {
		return nil
	}
	l.observe(b)
	select {
	case l.handed <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// observe keeps an observer that panics from stopping the events.
func (l *Live) observe(b *batch) {
	if l.p.Observe == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("pipeline: the observer panicked", "batch", b.id, "panic", r)
		}
	}()
	events := b.events
	if slices.Contains(b.fresh, false) { // delivered again
		events = make([]*event.Event, 0, len(b.events))
		for i, e := range b.events {
			if b.fresh[i] {
				events = append(events, e)
			}
		}
	}
	l.p.Observe(events)
}

// acknowledge lets the queue forget the packs. What correlation still has to
// do, a restart does from the store.
func (l *Live) acknowledge(ctx context.Context, b *batch) error {
	if !l.hold(b.packs) {
		l.ack(ctx, b.packs)
	}
	l.inFlight.Add(-int64(len(b.packs)))
	return nil
}

func (l *Live) ack(ctx context.Context, packs []queue.Delivery) {
	for i := range packs {
		if err := packs[i].Ack(ctx); err != nil {
			l.log.Warn("pipeline: acknowledge; the pack comes again", "err", err)
		}
	}
}

// hold keeps the acknowledgements back while somebody wants that.
func (l *Live) hold(packs []queue.Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holding == 0 {
		return false
	}
	for i := range packs {
		l.held[packs[i].Seq] = packs[i].Lean()
	}
	return true
}

// HoldAcks keeps the queue from forgetting anything until release is called:
// whatever was accepted is then in the queue, in the store, or in both, and a
// copy of the store and then of the queue lacks nothing. Events go on their way
// meanwhile.
func (l *Live) HoldAcks() (release func(ctx context.Context)) {
	l.mu.Lock()
	l.holding++
	l.mu.Unlock()
	var once sync.Once
	return func(ctx context.Context) {
		once.Do(func() {
			l.mu.Lock()
			l.holding--
			var packs []queue.Delivery
			if l.holding == 0 {
				for _, d := range l.held {
					packs = append(packs, d)
				}
				clear(l.held)
			}
			l.mu.Unlock()
			l.ack(ctx, packs)
		})
	}
}
