// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"citywall/eventstore/walk"
	"citywall/internal/fault"
)

// What a record of the log says. The whole log lies on every shard.
//
// A number (seq) is an owner's epoch in the upper 32 bits and his count below.
// A batch is committed when a record of it lies on any shard, unless a gap
// covers its number; its rows were on all shards before. An owner finishes what
// the one before him began: he copies the last record to the shards that lack
// it, and closes everything after it up to his own epoch with a gap. So what an
// owner that lost the store still writes is never shown.
const (
	recBatch uint8 = iota // name "b"+MsgID, or "" when it had none
	recGap                // seq..until are not shown, whatever the log says
	recOwner              // value: the token of who opened the store for writing at this epoch
	recRest               // the owner closed the store in good order
	recMeta               // name "layout" or "cursor_key", value
)

const ownerName = "owner"

// record is one row of the log.
type record struct {
	part       uint32 // UTC day of a batch, so that old ones can be forgotten; else 0
	kind       uint8
	seq, until uint64
	name       string
	value      string
}

func (s *Store) writeRecord(ctx context.Context, n *node, r record) error {
	b, err := n.conn.PrepareBatch(ctx, "INSERT INTO "+s.opt.Database+".log_local (part, kind, seq, until, name, value)")
	if err != nil {
		return fmt.Errorf("write the log of %s: %w", n.addr, err)
	}
	defer b.Close()
	if err := b.Append(r.part, r.kind, r.seq, r.until, r.name, r.value); err != nil {
		return fmt.Errorf("write the log of %s: %w", n.addr, err)
	}
	if err := b.Send(); err != nil {
		return fmt.Errorf("write the log of %s: %w", n.addr, err)
	}
	return nil
}

// view is what readers see: batches up to through, but for gaps. It is not
// changed once it is shown.
type view struct {
	through uint64
	gaps    []gap
	marks   walk.Marks // key of page marks
}

// gap is a stretch of numbers that no committed batch has, ends included.
type gap struct{ from, to uint64 }

func (v view) shows(seq uint64) bool {
	return seq <= v.through && !slices.ContainsFunc(v.gaps, func(g gap) bool { return seq >= g.from && seq <= g.to })
}

// state is what the log of one shard says.
type state struct {
	view
	last  record // of the batches shown
	owner record // the newest; of two at the same moment the one with the greater token
	rest  uint64 // newest number
	meta  map[string]string
}

func (s *Store) readState(ctx context.Context, n *node) (state, error) {
	st := state{meta: map[string]string{}}
	fail := func(err error) (state, error) { return st, fmt.Errorf("read the log of %s: %w", n.addr, err) }
	rows, err := n.conn.Query(ctx, fmt.Sprintf("SELECT kind, seq, until, name, value FROM %s.log_local WHERE kind != %d ORDER BY seq", s.opt.Database, recBatch))
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.kind, &r.seq, &r.until, &r.name, &r.value); err != nil {
			return fail(err)
		}
		switch r.kind {
		case recGap:
			if g := (gap{r.seq, r.until}); !slices.Contains(st.gaps, g) { // copies of it
				st.gaps = append(st.gaps, g)
			}
		case recOwner:
			st.owner = newer(st.owner, r)
		case recRest:
			st.rest = r.seq
		case recMeta:
			if st.meta[r.name] == "" || r.value < st.meta[r.name] { // two first openings at once: all take the same
				st.meta[r.name] = r.value
			}
		}
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	w := "1 = 1"
	for _, g := range st.gaps {
		w += fmt.Sprintf(" AND NOT (seq BETWEEN %d AND %d)", g.from, g.to)
	}
	last, err := n.conn.Query(ctx, fmt.Sprintf("SELECT part, kind, seq, until, name, value FROM %s.log_local WHERE kind = %d AND %s ORDER BY seq DESC LIMIT 1", s.opt.Database, recBatch, w))
	if err != nil {
		return fail(err)
	}
	defer last.Close()
	for last.Next() {
		r := &st.last
		if err := last.Scan(&r.part, &r.kind, &r.seq, &r.until, &r.name, &r.value); err != nil {
			return fail(err)
		}
		st.through = r.seq
	}
	return st, last.Err()
}

// merge joins what the shards say.
func merge(a, b state) state {
	for _, g := range b.gaps {
		if !slices.Contains(a.gaps, g) {
			a.gaps = append(a.gaps, g)
		}
	}
	if b.through > a.through && a.shownBy(b) {
		a.through, a.last = b.through, b.last
	}
	a.owner, a.rest = newer(a.owner, b.owner), max(a.rest, b.rest)
	for k, v := range b.meta {
		if a.meta[k] == "" || v < a.meta[k] {
			a.meta[k] = v
		}
	}
	return a
}

// shownBy reports whether no gap that a knows covers b's last batch.
func (a state) shownBy(b state) bool {
	return view{through: b.through, gaps: a.gaps}.shows(b.through)
}

func newer(a, b record) record {
	if b.seq > a.seq || b.seq == a.seq && b.value > a.value {
		return b
	}
	return a
}

// look reads what the servers that answer say, without changing anything.
func (s *Store) look(ctx context.Context) error {
	var sum *state
	var last error
	for _, n := range s.cl.nodes {
		if err := s.cl.meet(ctx, n); err != nil {
			if fault.Is(err, fault.Invalid) {
				return err
			}
			last = err
			continue
		}
		st, err := s.readState(ctx, n)
		if err != nil {
			last = err
			continue
		}
		if sum != nil {
			st = merge(*sum, st)
		}
		sum = &st
	}
	if sum == nil {
		return fault.New(fault.Unavailable, "no ClickHouse server answers: %w", last)
	}
	if l := sum.meta["layout"]; l != "" && l != layout {
		return fault.New(fault.Invalid, "its layout is %s, this program knows %s; use the program that wrote it or a newer one", l, layout)
	}
	sum.marks = []byte(sum.meta["cursor_key"])
	s.show(sum.view)
	return nil
}

// settle makes this process the owner, or again after something went wrong, and
// finishes what was begun. It needs every shard. The caller holds mu.
func (s *Store) settle(ctx context.Context) error {
	if err := s.cl.all(ctx); err != nil {
		return err
	}
	read := func() (state, []state, error) {
		each := make([]state, len(s.cl.nodes))
		nodes := s.cl.byShard()
		for i, n := range nodes {
			var err error
			if each[i], err = s.readState(ctx, n); err != nil {
				return state{}, nil, err
			}
		}
		sum := each[0]
		sum.gaps = slices.Clone(sum.gaps)
		for _, st := range each[1:] {
			sum = merge(sum, st)
		}
		return sum, each, nil
	}
	before, was, err := read()
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"layout": layout, "cursor_key": uuid.NewString()} {
		if before.meta[name] != "" {
			value = before.meta[name]
		}
		for i, n := range s.cl.byShard() {
			if was[i].meta[name] != "" {
				continue
			}
			if err := s.writeRecord(ctx, n, record{kind: recMeta, name: name, value: value}); err != nil {
				return err
			}
		}
	}
	epoch := before.owner.seq>>32 + 1
	own := record{kind: recOwner, seq: epoch << 32, name: ownerName, value: s.token}
	if err := s.cl.onAll(func(n *node) error { return s.writeRecord(ctx, n, own) }); err != nil {
		return err
	}
	// From here on an earlier owner knows that he is none any more. What he had
	// committed until now counts.
	now, each, err := read()
	if err != nil {
		return err
	}
	if now.owner.value != s.token {
		return fault.New(fault.Conflict, "another Citywall opened the event store at the same moment")
	}
	if now.through > 0 {
		for i, n := range s.cl.byShard() {
			if each[i].through == now.through {
				continue
			}
			if err := s.writeRecord(ctx, n, now.last); err != nil {
				return err
			}
		}
	}
	v := now.view
	v.marks = []byte(now.meta["cursor_key"])
	// An owner that closed in good order left nothing behind.
	last := before.owner.seq
	if clean := now.rest > now.through && now.rest>>32 == last>>32; !clean && last > 0 {
		g := gap{max(now.through, last) + 1, own.seq - 1}
		if err := s.cl.onAll(func(n *node) error {
			return s.writeRecord(ctx, n, record{kind: recGap, seq: g.from, until: g.to, name: "gap"})
		}); err != nil {
			return err
		}
		v.gaps = append(slices.Clone(v.gaps), g)
	}
	// Gaps are written on the shards that lacked one of an earlier settling.
	for i, n := range s.cl.byShard() {
		for _, g := range now.gaps {
			if slices.Contains(each[i].gaps, g) {
				continue
			}
			if err := s.writeRecord(ctx, n, record{kind: recGap, seq: g.from, until: g.to, name: "gap"}); err != nil {
				return err
			}
		}
	}
	s.next, s.stale = own.seq+1, false
	s.show(v)
	return nil
}

// known reports whether a message was committed, and whether this process is
// still the owner. One shard knows: the log is on all.
func (s *Store) known(ctx context.Context, msgID string) (committed bool, err error) {
	names := []any{ownerName, "b" + msgID}
	w := "name = $1"
	if msgID != "" {
		w = "name IN ($1, $2)"
	}
	q, err := render(fmt.Sprintf("SELECT kind, seq, value FROM %s.log_local WHERE %s", s.opt.Database, w), names)
	if err != nil {
		return false, err
	}
	rows, err := s.cl.nodes[0].conn.Query(ctx, q)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	v := s.seen()
	var owner record
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.kind, &r.seq, &r.value); err != nil {
			return false, err
		}
		if r.kind == recOwner {
			owner = newer(owner, r)
		}
		if r.kind == recBatch && v.shows(r.seq) {
			committed = true
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	if owner.value != s.token {
		return false, fault.New(fault.Conflict, "another Citywall has opened the event store for writing: stop one of the two")
	}
	return committed, nil
}

// forget drops the records of days that are too old to come again. The day of
// the newest batch stays, because it says what is shown.
func (s *Store) forget(ctx context.Context) error {
	now := s.opt.Now().UTC()
	if day := dayNumber(now); day == s.pruned {
		return nil
	}
	oldest := dayNumber(now.Add(-s.opt.Remember - 24*time.Hour))
	for _, n := range s.cl.nodes {
		rows, err := n.conn.Query(ctx, fmt.Sprintf("SELECT part, max(seq) FROM %s.log_local WHERE part > 0 AND part < %d GROUP BY part", s.opt.Database, oldest))
		if err != nil {
			return fmt.Errorf("look for old records on %s: %w", n.addr, err)
		}
		var drop []uint32
		for rows.Next() {
			var part uint32
			var seq uint64
			if err := rows.Scan(&part, &seq); err != nil {
				return errors.Join(err, rows.Close())
			}
			if seq < s.seen().through {
				drop = append(drop, part)
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
		for _, p := range drop {
			if err := n.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s.log_local DROP PARTITION %d", s.opt.Database, p)); err != nil {
				return fmt.Errorf("forget old records on %s: %w", n.addr, err)
			}
		}
	}
	s.pruned = dayNumber(now)
	return nil
}
