// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"net/netip"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/behaviour"
	"citywall/event"
	"citywall/internal/queue"
)

// snapshotEvery is how often what the detectors remember is saved. What came
// since is read back from the store after a restart.
const snapshotEvery = 5 * time.Minute

// behaving is the detectors of behaviour with the place in the stream up to
// which they have seen it. It belongs to the stage behave, and to warm before.
type behaving struct {
	set   *behaviour.Set
	at    detect.State // without the document: what set has seen
	taken detect.State // likewise: what was in the snapshot that set began with
	saved time.Time
	drawn *asset.Topology // whose networks the set takes for the house's
}

// draw tells the detectors which networks are the house's when that has changed:
// public addresses among them are not outside.
func (w *behaving) draw(t *asset.Topology) {
	if t == w.drawn {
		return
	}
	w.drawn = t
	var ours []netip.Prefix
	if t != nil {
		for _, s := range t.Segments {
			if s.Zone != asset.ZoneExternal {
				ours = append(ours, s.Prefix)
			}
		}
	}
	w.set.Own(ours)
}

// behave shows the detectors what rules have been held against. They see each
// event once and in one order, as rules that count over time do.
func (l *Live) behave(_ context.Context, b *batch) error {
	w := &l.behaving
	if w.set == nil {
		return nil
	}
	w.draw(l.topology.Load())
	seq := seqOf(b, w.taken.Seq)
	for i, e := range b.events {
		if !b.fresh[i] || seq != nil && seq[b.from[i]] <= w.taken.Seq && !e.Received.After(w.taken.Received) {
			continue
		}
		b.behaved = append(b.behaved, l.watch(e)...)
	}
	for i := range b.packs {
		w.at.Seq = max(w.at.Seq, b.packs[i].Seq)
	}
	st := w.set.Stats()
	l.behaved.Store(&st)
	if now := l.now(); now.Sub(w.saved) >= snapshotEvery || now.Before(w.saved) {
		w.saved = now
		b.state = l.snapshot()
	}
	return nil
}

// seqOf gives the place in the stream of every message of the batch; nil when
// all lie behind after, as they do but for the first moments of a process.
func seqOf(b *batch, after uint64) map[*queue.Message]uint64 {
	if b.seq > after {
		return nil
	}
	m := map[*queue.Message]uint64{}
	for i := range b.packs {
		for j := range b.packs[i].Messages {
			m[&b.packs[i].Messages[j]] = b.packs[i].Seq
		}
	}
	return m
}

// watch keeps a detector that panics from stopping the events.
func (l *Live) watch(e *event.Event) (fs []detect.Finding) {
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("pipeline: a detector panicked", "event", e.ID, "panic", r)
			fs = nil
		}
	}()
	if e.Received.After(l.behaving.at.Received) {
		l.behaving.at.Received = e.Received
	}
	return l.unmuted(l.behaving.set.Observe(e))
}

// takeUpBehaviour restores what the detectors remembered. Without it they begin
// anew, which is told.
func (l *Live) takeUpBehaviour(ctx context.Context) {
	w := &l.behaving
	if w.set == nil {
		return
	}
	w.draw(l.topology.Load())
	if l.p.LoadState == nil {
		return
	}
	st, err := l.p.LoadState(ctx)
	if err == nil && st.Doc != nil {
		if err = w.set.Restore(st.Doc); err == nil {
			w.taken = detect.State{Seq: st.Seq, Received: st.Received}
			w.at = w.taken
			l.recorded = w.taken.Seq
		}
	}
	if err != nil {
		l.log.Error("pipeline: detectors of behaviour begin anew; their baselines are lost", "err", err)
	}
	w.saved = l.now()
}

// snapshot is what the detectors remember now; nil when nobody keeps it.
func (l *Live) snapshot() *detect.State {
	w := &l.behaving
	if w.set == nil || l.p.SaveState == nil {
		return nil
	}
	doc, err := w.set.Snapshot()
	if err != nil {
		l.log.Error("pipeline: what the detectors remember cannot be written down", "err", err)
		return nil
	}
	st := w.at
	st.Doc = doc
	return &st
}

// saveBehaviour keeps what the detectors remember, once the findings of all that
// they saw are recorded: what is in a saved state is not judged again after a
// restart. Failing costs only what is read back then, so that it is told and
// tried again later.
func (l *Live) saveBehaviour(ctx context.Context, st *detect.State) {
	if st == nil {
		return
	}
	if err := l.p.SaveState(ctx, *st); err != nil {
		l.log.Warn("pipeline: what the detectors remember is not saved", "err", err)
	}
}

// saveLast saves the state when all stages have ended. What was seen and not
// recorded any more comes again; then the state before it must stand.
func (l *Live) saveLast(ctx context.Context) {
	if l.behaving.at.Seq == l.recorded {
		l.saveBehaviour(ctx, l.snapshot())
	}
}
