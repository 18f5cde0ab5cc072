// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"time"

	"citywall/detect"
	"citywall/event"
	"citywall/internal/queue"
)

// batch is events on their way together. The packs in it are acknowledged when
// it reaches the end.
type batch struct {
	id       string // of its content: the same packs give the same id
	packs    []queue.Delivery
	seq      uint64 // lowest position of its packs in the queue
	events   []*event.Event
	from     []*queue.Message // by event
	fresh    []bool           // by event: not seen a moment ago; written by keep
	findings [][]detect.Finding
	behaved  []detect.Finding // what detectors of behaviour say
	state    *detect.State    // what they remember then; to be saved once it is recorded
	kept     time.Time        // when it was in the store
}

// take gathers packs into batches until ctx ends. It is adaptive without a
// dial: while the stages are busy the batch grows, and when they are free it
// goes after Linger, so that one event is seen at once and a flood pays for few
// commits.
func (l *Live) take(ctx, work context.Context, out chan<- *batch) error {
	packs := make(chan queue.Delivery)
	received := make(chan error, 1)
	rctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(packs)
		received <- l.p.Queue.Receive(rctx, func(d queue.Delivery) error {
			select {
			case packs <- d:
				return nil
			case <-rctx.Done():
				return rctx.Err()
			}
		})
	}()
	var err error
	for d := range packs {
		if err = l.gather(work, d, packs, out); err != nil {
			break
		}
	}
	cancel()
	for range packs { // not taken: the queue delivers them again
	}
	if rerr := <-received; err == nil && !errors.Is(rerr, context.Canceled) {
		err = rerr
	}
	return err
}

// gather makes one batch that begins with d, decodes it, and passes it on.
func (l *Live) gather(work context.Context, d queue.Delivery, more <-chan queue.Delivery, out chan<- *batch) error {
	g := gathered{}
	g.add(d)
	l.inFlight.Add(1)
	timer := time.NewTimer(l.cfg.Linger)
	defer timer.Stop()
	next := more
	for next != nil && g.records < l.cfg.MaxEvents && g.bytes < l.cfg.MaxBytes {
		select {
		case d, ok := <-next:
			if !ok {
				next = nil
				break
			}
			l.inFlight.Add(1)
			g.add(d)
		case <-timer.C:
			next = nil
		}
	}
	return l.decode(work, g.packs, out)
}

type gathered struct {
	packs          []queue.Delivery
	records, bytes int
}

func (g *gathered) add(d queue.Delivery) {
	g.packs = append(g.packs, d)
	for i := range d.Messages {
		g.records += len(d.Messages[i].Records)
		g.bytes += d.Messages[i].Size()
	}
}
