// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"slices"
	"time"

	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/incident/correlate"
	"citywall/internal/fault"
)

// correlator owns the correlation engine; everything here runs in its one
// goroutine.
type correlator struct {
	l      *Live
	engine *correlate.Engine

	// What was read back from the store may also still be on its way here: in
	// packs that a killed process did not acknowledge, and in batches that were
	// kept while we read. Until those are through, each event is looked up.
	stored   idSet
	found    idSet     // findings that were read back
	openSeq  uint64    // packs up to here were on the queue when we started
	refilled time.Time // when reading back ended
	recent   recent

	dirty   bool // observed something since the last answer
	urgent  bool // findings among it
	last    time.Time
	took    time.Duration
	renewed time.Time

	stopping bool
}

// correlate refills the engine, observes what is handed over, and recomputes
// incidents when there is something new: soon after findings, later after
// other events, and never for more than a sixth of the time, or an eleventh when
// nothing was found since.
func (l *Live) correlate(ctx context.Context, stop <-chan struct{}) error {
	c := &correlator{l: l, recent: newRecent(recentEvents)}
	st, err := l.p.Queue.Stats(ctx)
	if err != nil {
		return err
	}
	c.openSeq = st.LastSeq
	if err := c.refill(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(c.next())
		select {
		case b, ok := <-l.handed:
			if !ok {
				return c.answer(ctx)
			}
			c.observe(b)
		case <-l.redrawn:
			c.redraw()
		case done := <-l.settle:
			select {
			case <-l.redrawn:
				c.redraw()
			default:
			}
			for more := true; more; {
				select {
				case b, ok := <-l.handed:
					if more = ok; ok {
						c.observe(b)
					}
				default:
					more = false
				}
			}
			done <- c.answer(ctx)
		case <-stop: // the last answer comes when everything is through
			stop, c.stopping = nil, true
		case <-timer.C:
			if c.stopping {
				continue
			}
			if err := c.answer(ctx); err != nil {
				return err
			}
			if l.now().Sub(c.renewed) >= l.cfg.Renew {
				if err := c.refill(ctx); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next returns how long to wait for the next answer.
func (c *correlator) next() time.Duration {
	if c.stopping {
		return time.Hour
	}
	if !c.dirty {
		return c.l.cfg.Quiet
	}
	every, rest := c.l.cfg.Quiet, 10*c.took
	if c.urgent {
		every, rest = c.l.cfg.Recompute, 5*c.took
	}
	return max(0, max(every, rest)-time.Since(c.last))
}

func (c *correlator) observe(b *batch) {
	begin := time.Now()
	defer func() { c.l.st.busy.observe.Add(int64(time.Since(begin))) }()
	if len(c.stored) > 0 && b.seq > c.openSeq && b.kept.After(c.refilled) {
		c.stored, c.found = nil, nil
	}
	for i, e := range b.events {
		if e.Realm != c.l.cfg.Realm || !c.recent.add(e.ID) {
			continue
		}
		fs := b.findings[i]
		if c.stored.has(short(e.ID)) { // killed after keep and before record: the event is known, its findings are not
			fs = slices.DeleteFunc(slices.Clone(fs), func(f detect.Finding) bool { return c.found.has(shortHex(f.ID)) })
			if len(fs) == 0 {
				continue
			}
			e = nil
		}
		c.engine.Observe(e, fs)
		c.dirty = true
		c.urgent = c.urgent || len(fs) > 0
	}
}

// redraw gives the engine the newest topology. The next answer is as urgent as
// after findings: a person waits for it.
func (c *correlator) redraw() {
	c.engine.SetTopology(*c.l.topology.Load())
	c.dirty, c.urgent = true, true
}

// answer recomputes and saves the incidents.
func (c *correlator) answer(ctx context.Context) error {
	if !c.dirty {
		return nil
	}
	begin := time.Now()
	is := c.engine.Incidents(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.took = time.Since(begin)
	c.l.st.busy.answer.Add(int64(c.took))
	var changed []string
	err := c.l.insist(ctx, "save incidents", func(ctx context.Context) (err error) {
		changed, err = c.l.p.SaveIncidents(ctx, is)
		return err
	})
	if fault.Is(err, fault.Invalid) { // the next answer may be accepted
		c.l.log.Error("pipeline: the incidents were refused", "err", err)
	} else if err != nil {
		return err
	}
	c.dirty, c.urgent, c.last = false, false, time.Now()
	now := c.l.now()
	c.l.setHealth(func(h *correlation) { h.Incidents, h.Took, h.At = len(is), c.took, now })
	for _, id := range changed {
		c.l.hub.send(Notice{Kind: NoticeIncident, Time: now, Incident: id})
	}
	return nil
}

// window is how much of the past is read back at a time: its findings are in
// memory meanwhile.
const window = 6 * time.Hour

var errEnough = errors.New("enough")

// refill gives a new engine what is stored of the last Lookback.
func (c *correlator) refill(ctx context.Context) error {
	c.l.setHealth(func(h *correlation) { h.Refilling = true })
	var cut bool
	err := c.l.insist(ctx, "read back", func(ctx context.Context) (err error) {
		cut, err = c.readBack(ctx)
		return err
	})
	if err != nil {
		return err
	}
	c.stored.sort()
	c.found.sort()
	c.refilled, c.renewed = c.l.now(), c.l.now()
	c.dirty = len(c.stored) > 0
	c.urgent = c.dirty
	n := int64(len(c.stored))
	c.l.setHealth(func(h *correlation) { h.Refilling, h.Refilled, h.Cut = false, n, cut })
	if cut {
		c.l.log.Warn("pipeline: more is stored than correlation reads back; its baseline is shorter than the lookback", "events", n)
	}
	return nil
}

// readBack fills a new engine, the newest first; the engine does not mind the
// order. cut reports that RefillMax ended it.
func (c *correlator) readBack(ctx context.Context) (cut bool, err error) {
	cfg := c.l.p.Correlate
	cfg.Topology = *c.l.topology.Load()
	c.engine, c.recent = correlate.New(cfg), newRecent(recentEvents)
	c.stored, c.found = nil, nil
	now := c.l.now().UTC()
	scope := identity.Scope{Realm: c.l.cfg.Realm}
	begin := now.Add(-c.l.cfg.Lookback)
	for end := now.Add(24 * time.Hour); end.After(begin); end = end.Add(-window) { // clocks may run ahead
		from := end.Add(-window)
		findings := map[event.ID][]detect.Finding{}
		err := c.l.p.EachFinding(ctx, from, end, func(f detect.Finding) {
			if n := len(f.Events); n > 0 && !f.Behaviour { // by the event that completed it
				findings[f.Events[n-1]] = append(findings[f.Events[n-1]], f)
			}
		})
		if err != nil {
			return false, err
		}
		q := eventstore.Query{From: from, To: end, Sort: eventstore.Newest}
		err = c.l.p.Store.Each(ctx, scope, q, func(e *event.Event) error {
			if int64(len(c.stored)) >= c.l.cfg.RefillMax {
				return errEnough
			}
			c.stored = append(c.stored, short(e.ID))
			fs := findings[e.ID]
			for i := range fs {
				c.found = append(c.found, shortHex(fs[i].ID))
			}
			c.engine.Observe(e, fs)
			return nil
		})
		if errors.Is(err, errEnough) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

func (l *Live) setHealth(f func(*correlation)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.health)
}
