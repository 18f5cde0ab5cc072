// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/walk"
	"citywall/internal/fault"
)

// commitTime bounds the writing of a record that says that a batch is there: it
// is not given up half way when the caller is.
const commitTime = 30 * time.Second

// Append implements eventstore.Store. See log.go for what makes it whole.
func (s *Store) Append(ctx context.Context, b eventstore.Batch) error {
	for i, e := range b.Events {
		if e == nil || !e.Realm.Valid() {
			return fault.New(fault.Invalid, "append: event %d of the batch has no realm", i)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return storeFault("append", errClosed)
	}
	if err := ctx.Err(); err != nil {
		return storeFault("append", err)
	}
	if s.stale {
		if err := s.settle(ctx); err != nil {
			return storeFault("append", err)
		}
	}
	if err := s.forget(ctx); err != nil {
		return storeFault("append", err)
	}
	msgID := eventstore.Valid(b.MsgID)
	if done, err := s.known(ctx, msgID); err != nil || done {
		return storeFault("append", err)
	}
	fresh, err := s.unseen(ctx, b)
	if err != nil || len(fresh) == 0 && msgID == "" {
		return storeFault("append", err)
	}
	// From here on something may have been written that must stay hidden.
	s.stale = true
	if err := s.insert(ctx, fresh, eventstore.Valid(b.Case), s.next); err != nil {
		return storeFault("append", err)
	}
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	r := record{part: dayNumber(s.opt.Now().UTC()), kind: recBatch, seq: s.next}
	if msgID != "" {
		r.name = "b" + msgID
	}
	if err := s.cl.onAll(func(n *node) error { return s.writeRecord(cctx, n, r) }); err != nil {
		return storeFault("append: commit", err)
	}
	if _, err := s.known(cctx, ""); err != nil { // still the owner
		return storeFault("append: commit", err)
	}
	v := s.seen()
	v.through = s.next
	s.show(v)
	s.next++
	s.stale = false
	return nil
}

// insert writes the rows, each to the shard that its id names.
func (s *Store) insert(ctx context.Context, events []placed, caseID string, seq uint64) error {
	nodes := s.cl.byShard()
	parts := make([][]placed, len(nodes))
	for _, p := range events {
		i := s.cl.shardOf(p.e.ID)
		parts[i] = append(parts[i], p)
	}
	today := s.opt.Now()
	batches := make([]driver.Batch, len(nodes))
	for i, n := range nodes { // in turn: there is one encoder
		if len(parts[i]) == 0 {
			continue
		}
		b, err := n.conn.PrepareBatch(ctx, "INSERT INTO "+s.opt.Database+".events_local ("+columnList()+")")
		if err != nil {
			return fmt.Errorf("insert into %s: %w", n.addr, err)
		}
		defer b.Close()
		for _, p := range parts[i] {
			if err := b.Append(s.enc.encode(p.e, p.when, s.opt.part(p.when, today), seq, caseID)...); err != nil {
				return fmt.Errorf("insert into %s: event %s: %w", n.addr, p.e.ID, err)
			}
		}
		batches[i] = b
	}
	var wg sync.WaitGroup
	errs := make([]error, len(nodes))
	for i, b := range batches {
		if b == nil {
			continue
		}
		wg.Go(func() {
			if err := b.Send(); err != nil {
				errs[i] = fmt.Errorf("insert into %s: %w", nodes[i].addr, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// shardOf returns the index of the shard for an id. Ids are hashes already.
func (c *cluster) shardOf(id event.ID) int {
	var sum uint64
	for _, w := range c.weights {
		sum += w
	}
	h := binary.BigEndian.Uint64(id[8:]) % max(1, sum)
	for i, w := range c.weights {
		if h < w {
			return i
		}
		h -= w
	}
	return 0
}

// part returns the partition of a time: its UTC day, or the common one when
// that is far from today. Times come from records and may be anything; a
// partition each would let a sender grow the table without end.
func (o Options) part(when, today time.Time) uint32 {
	if when.Before(today.AddDate(0, 0, -o.OwnDays)) || when.After(today.AddDate(0, 0, 2)) {
		return 0
	}
	return dayNumber(when)
}

// dayNumber is the UTC day as yyyymmdd.
func dayNumber(t time.Time) uint32 {
	y, m, d := t.UTC().Date()
	return uint32(y*10000 + int(m)*100 + d)
}

// placed is an event at its time in the store.
type placed struct {
	e    *event.Event
	when time.Time
}

type identityKey struct {
	realm asset.Realm
	id    event.ID
}

// A batch is searched for in the pieces of time that it covers, a few thousand
// ids at a time: the text of a statement may have 256 KiB.
const (
	pieceGap  = time.Minute // times further apart than this are two pieces
	maxPieces = 16
	idsAtOnce = 4000
)

// unseen returns the events of b that are neither repeated in it nor stored,
// each at its time. Every shard must answer.
func (s *Store) unseen(ctx context.Context, b eventstore.Batch) ([]placed, error) {
	out := make([]placed, 0, len(b.Events))
	in := make(map[identityKey]bool, len(b.Events))
	var timed, untimed []placed
	for _, e := range b.Events {
		k := identityKey{e.Realm, e.ID}
		if in[k] {
			continue
		}
		in[k] = true
		p := placed{e, eventstore.When(e)}
		out = append(out, p)
		if eventstore.Timed(e.Time) {
			timed = append(timed, p)
		} else {
			untimed = append(untimed, p)
		}
	}
	slices.SortFunc(timed, func(a, b placed) int { return a.when.Compare(b.when) })
	known := map[identityKey]bool{}
	for part := range slices.Chunk(timed, idsAtOnce) {
		times := make([]int64, len(part))
		for i, p := range part {
			times[i] = p.when.UnixMicro()
		}
		w := s.lookup(b.Case, part)
		w.add("timed = 1")
		var or []string
		for _, p := range walk.Pieces(times, pieceGap, maxPieces) {
			from, to := time.UnixMicro(p.From), time.UnixMicro(p.To)
			or = append(or, fmt.Sprintf("(%s AND us BETWEEN %s AND %s)", w.partsOf(from, to), w.b.Arg(p.From), w.b.Arg(p.To)))
		}
		w.add("(" + strings.Join(or, " OR ") + ")")
		if err := s.findKnown(ctx, known, w); err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(untimed, idsAtOnce) {
		// Such a record stands at the time it was received, which differs
		// when it comes again: look everywhere.
		w := s.lookup(b.Case, part)
		w.add("timed = 0")
		if err := s.findKnown(ctx, known, w); err != nil {
			return nil, err
		}
	}
	if len(known) == 0 {
		return out, nil
	}
	return slices.DeleteFunc(out, func(p placed) bool { return known[identityKey{p.e.Realm, p.e.ID}] }), nil
}

func (s *Store) lookup(caseID string, ps []placed) *where {
	w := newWhere(s.seen())
	w.add("case_id = " + w.b.Arg(caseID))
	ids := make(idSet, len(ps))
	for i, p := range ps {
		ids[i] = p.e.ID
	}
	w.add("id IN " + w.b.Arg(ids))
	return w
}

func (s *Store) findKnown(ctx context.Context, known map[identityKey]bool, w *where) error {
	rows, err := s.query(ctx, false, "SELECT realm, id FROM "+s.opt.Database+".events WHERE "+w.String(), w.b.Args)
	if err != nil {
		return fmt.Errorf("look for known events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var realm, id string
		if err := rows.Scan(&realm, &id); err != nil {
			return fmt.Errorf("look for known events: %w", err)
		}
		known[identityKey{asset.Realm(realm), event.ID([]byte(id))}] = true
	}
	return rows.Err()
}
