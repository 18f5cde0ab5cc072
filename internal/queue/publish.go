// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"citywall/internal/fault"
)

// counters count since the start of the process.
type counters struct {
	published, packs, raw, packed, refused, buried atomic.Int64
}

// request is one publisher that waits.
type request struct {
	raw     []byte   // its messages, uncompressed
	ids     []string // of its messages
	records int      // in them
	done    chan error
}

// Publish returns nil when all messages are on disk and synced. Otherwise some
// of them may be there all the same; publishing them again is right and stores
// nothing twice. Errors: busy (full; try later), unavailable (the queue is
// shutting down or broken), invalid (a message is too large).
func (q *Queue) Publish(ctx context.Context, ms ...Message) error {
	var reqs []*request
	var r *request
	for i := range ms {
		b, err := appendMessage(nil, &ms[i])
		if err != nil {
			return err
		}
		if r == nil || len(r.raw)+len(b) > packBytes {
			r = &request{done: make(chan error, 1)}
			reqs = append(reqs, r)
		}
		r.raw, r.ids, r.records = append(r.raw, b...), append(r.ids, ms[i].ID), r.records+len(ms[i].Records)
	}
	if err := q.free.Check(); err != nil {
		q.st.refused.Add(1)
		return err
	}
	sent := 0
	var first error
	for _, r := range reqs {
		select {
		case q.in <- r:
			sent++
			continue
		case <-ctx.Done():
			first = ctx.Err()
		case <-q.stopped:
			first = fault.New(fault.Unavailable, "the queue is shutting down; send again later")
		}
		break
	}
	for _, r := range reqs[:sent] {
		select {
		case err := <-r.done:
			if first == nil {
				first = err
			}
		case <-ctx.Done(): // it may still reach the disk; the caller was not told so
			return ctx.Err()
		}
	}
	if fault.Is(first, fault.Busy) {
		q.st.refused.Add(1)
	}
	return first
}

// gather makes packs of whatever waits while the packs before are being
// written: alone when it is quiet, many at once under load. Its context is not
// a publisher's: they share the write, and one that gives up must not take it
// from the others.
func (q *Queue) gather(ctx context.Context) {
	slots := make(chan struct{}, inFlight)
	var held *request // did not fit the pack before
	for {
		slots <- struct{}{}
		var pack []*request
		size := 0
		if held != nil {
			pack, size, held = append(pack, held), len(held.raw), nil
		} else {
			select {
			case r := <-q.in:
				pack, size = append(pack, r), len(r.raw)
			case <-q.stopped:
				for range cap(slots) - 1 { // wait for the packs on their way
					slots <- struct{}{}
				}
				return
			}
		}
	more:
		for size < packBytes {
			select {
			case r := <-q.in:
				if size+len(r.raw) > packBytes {
					held = r
					break more
				}
				pack, size = append(pack, r), size+len(r.raw)
			default:
				break more
			}
		}
		q.wg.Go(func() {
			err := q.write(ctx, pack, size)
			for _, r := range pack {
				r.done <- err
			}
			<-slots
		})
	}
}

// write compresses a pack and puts it on disk.
func (q *Queue) write(ctx context.Context, pack []*request, size int) error {
	raw, ids, records := pack[0].raw, pack[0].ids, pack[0].records
	if len(pack) > 1 {
		raw, ids, records = make([]byte, 0, size), nil, 0
		for _, r := range pack {
			raw, ids, records = append(raw, r.raw...), append(ids, r.ids...), records+r.records
		}
	}
	data := q.enc.EncodeAll(raw, append(make([]byte, 0, len(raw)/4+64), packVersion))
	if err := q.put(ctx, data, packID(ids), len(ids), records); err != nil {
		return err
	}
	q.st.raw.Add(int64(size))
	return nil
}

// put writes one pack into the stream and the ledger.
func (q *Queue) put(ctx context.Context, data []byte, id string, messages, records int) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	ack, err := q.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, jetstream.WithMsgID(id), jetstream.WithExpectStream(streamName))
	if err != nil {
		return publishError(err)
	}
	if !ack.Duplicate {
		if err := q.ledger.accepted(ack.Sequence, time.Now(), records); err != nil {
			// The pack is safe; only a later loss of it would go unnoticed.
			q.log.Warn("queue: write the ledger", "err", err)
		}
	}
	q.st.packs.Add(1)
	q.st.published.Add(int64(messages))
	q.st.packed.Add(int64(len(data)))
	return nil
}

// packID is the message's own id when it travels alone, so that a quick repeat
// is recognised here already. What this misses the store recognises.
func packID(ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	h := sha256.New()
	for _, id := range ids {
		fmt.Fprintf(h, "%d:%s", len(id), id)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Codes of JetStream's answers to a publish that found no room.
const (
	codeStoreFailed      = 10077 // the stream's limit, among others
	codeNoResources      = 10023
	codeStorageExceeded  = 10047
	textMaxBytesExceeded = "maximum bytes exceeded"
)

// publishError gives JetStream's answer the kind that a publisher acts on.
func publishError(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		full := int(api.ErrorCode) == codeStoreFailed && api.Description == textMaxBytesExceeded
		if full || api.ErrorCode == codeNoResources || api.ErrorCode == codeStorageExceeded {
			return fault.New(fault.Busy, "the queue is full; send again later: %w", err)
		}
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return fault.New(fault.Invalid, "queue pack: %w", err)
	}
	return fault.New(fault.Unavailable, "write to the queue: %w", err)
}
