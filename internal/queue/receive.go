// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"citywall/internal/fault"
)

const (
	// Bounds of one fetch. Without the bound on messages the client makes room
	// for a million of them at every fetch.
	fetchMessages = 256
	fetchBytes    = 16 << 20
	fetchWait     = 500 * time.Millisecond // also what stopping may take
	// More than every message that can be between the fetch and the end of the
	// pipeline, so that the server never holds one back from us.
	maxAckPending = 100_000
)

// Delivery is one pack as it came back from the disk.
type Delivery struct {
	Seq      uint64 // position in the stream: grows, and never names two packs
	Attempt  uint64 // 1 at the first delivery since the queue was opened
	Messages []Message

	q   *Queue
	msg jetstream.Msg
}

// Ack says that everything in the delivery is durable elsewhere. If the
// process dies before the queue has noted it, the delivery comes again.
func (d *Delivery) Ack(ctx context.Context) error {
	// Before the queue forgets it: the other order could claim a loss.
	if err := d.q.ledger.acknowledged(d.Seq); err != nil {
		d.q.log.Warn("queue: write the ledger", "err", err)
	}
	blobs := false
	for i := range d.Messages {
		blobs = blobs || d.Messages[i].Blob != nil
	}
	if !blobs {
		return d.msg.Ack()
	}
	// The file may go only when the message can no longer come back.
	if err := d.msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	for i := range d.Messages {
		if b := d.Messages[i].Blob; b != nil {
			if err := d.q.dropBlob(*b); err != nil {
				return err
			}
		}
	}
	return nil
}

// Lean returns d without its records, for one who has only the acknowledgement
// still to give.
func (d *Delivery) Lean() Delivery {
	out := *d
	out.Messages = nil
	for i := range d.Messages {
		if b := d.Messages[i].Blob; b != nil {
			out.Messages = append(out.Messages, Message{Blob: b})
		}
	}
	return out
}

// Working asks the queue for another AckWait.
func (d *Delivery) Working() error { return d.msg.InProgress() }

// Receive calls f with one delivery after another, in the order of the stream
// except for what is delivered again, until ctx ends or f returns an error.
// While f blocks, at most one fetch (16 MiB compressed) waits in memory.
func (q *Queue) Receive(ctx context.Context, f func(Delivery) error) error {
	var stop error
	for ctx.Err() == nil && stop == nil {
		batch, err := q.cons.Fetch(fetchMessages, jetstream.FetchMaxBytes(fetchBytes), jetstream.FetchMaxWait(fetchWait))
		if err != nil {
			return fault.New(fault.Unavailable, "fetch from the queue: %w", err)
		}
		// To the end even when we stop: a message that the server has sent and
		// nobody took would come again only after AckWait.
		for msg := range batch.Messages() {
			if stop == nil && ctx.Err() == nil {
				stop = q.deliver(ctx, msg, f)
			} else if err := msg.Nak(); err != nil {
				q.log.Warn("queue: give a message back", "err", err)
			}
		}
		if err := batch.Error(); err != nil {
			q.log.Warn("queue: a fetch ended early; what it missed comes again", "err", err)
			if !q.srv.Running() {
				return fault.New(fault.Unavailable, "fetch from the queue: %w", err)
			}
		}
	}
	if stop != nil {
		return stop
	}
	return ctx.Err()
}

func (q *Queue) deliver(ctx context.Context, msg jetstream.Msg, f func(Delivery) error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("queue delivery: %w", err)
	}
	ms, err := unpack(q.dec, msg.Data())
	if err != nil {
		name := fmt.Sprintf("pack-%d", meta.Sequence.Stream)
		if err := q.Bury(name, msg.Data(), err); err != nil {
			return err
		}
		d := Delivery{Seq: meta.Sequence.Stream, q: q, msg: msg}
		return d.Ack(ctx)
	}
	return f(Delivery{Seq: meta.Sequence.Stream, Attempt: meta.NumDelivered, Messages: ms, q: q, msg: msg})
}
