// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
)

// Append implements eventstore.Store: one transaction, on disk when it returns.
func (s *Store) Append(ctx context.Context, b eventstore.Batch) error {
	for i, e := range b.Events {
		if e == nil || !e.Realm.Valid() {
			return fault.New(fault.Invalid, "append: event %d of the batch has no realm", i)
		}
	}
	if err := s.opt.Room(); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx, "append"); err != nil {
		return err
	}
	if err := s.prune(ctx); err != nil {
		return s.fault("append", err)
	}
	var m made
	if err := s.transact(ctx, "append", func() (err error) { m, err = s.appendTx(ctx, b); return err }); err != nil {
		return err
	}
	if m.again {
		return nil
	}
	s.nameMu.Lock()
	s.names.add(m.names)
	s.nameMu.Unlock()
	s.at.seq, s.at.events, s.at.at, s.at.hot = s.at.seq+1, s.at.events+m.events, m.at, s.at.hot+m.events
	for _, t := range m.tables {
		s.at.span(s.tables[t])
	}
	s.writeMark()
	return nil
}

// made is what a transaction adds to what the store keeps in memory.
type made struct {
	again  bool // the batch was committed before: nothing was done
	events int64
	at     time.Time
	names  []string
	tables []string // new ones
}

func (s *Store) appendTx(ctx context.Context, b eventstore.Batch) (made, error) {
	m := made{at: s.opt.Now().UTC().Truncate(time.Microsecond)}
	rows := s.enc.start(b.Events, b.Case) // while DuckDB looks for what it knows
	defer rows.free()
	if b.MsgID != "" {
		r, err := s.w.ExecContext(
			ctx, `INSERT INTO applied VALUES ($1, $2) ON CONFLICT DO NOTHING`, eventstore.Valid(b.MsgID), m.at,
		)
		if err != nil {
			return m, fmt.Errorf("remember batch: %w", err)
		}
		n, err := r.RowsAffected()
		if err != nil || n == 0 {
			m.again = true
			return m, err
		}
	}
	fresh, err := s.unseen(ctx, b)
	if err != nil {
		return m, err
	}
	byTable, days := map[string][]placed{}, map[string]time.Time{}
	for _, p := range fresh {
		t, day := s.tableFor(p.when, byTable)
		byTable[t], days[t] = append(byTable[t], p), day
	}
	names := make([]string, 0, len(byTable))
	for t := range byTable {
		names = append(names, t)
	}
	sort.Strings(names)
	for _, t := range names {
		if _, ok := s.tables[t]; !ok {
			if err := s.makeTable(ctx, t, days[t]); err != nil {
				return m, err
			}
			m.tables = append(m.tables, t)
			s.filters[t] = new(idFilter)
		}
		s.remember(t, byTable[t])
		if err := s.fill(ctx, t, byTable[t], rows); err != nil {
			return m, fmt.Errorf("fill %s: %w", t, err)
		}
	}
	m.events = int64(len(fresh))
	if _, err := s.w.ExecContext(ctx, `UPDATE progress SET seq = seq + 1, events = events + $1, committed = $2`, m.events, m.at); err != nil {
		return m, fmt.Errorf("count the batch: %w", err)
	}
	m.names, err = s.newNames(ctx, fresh)
	return m, err
}

// fill appends events to one table. The Appender takes part in the open
// transaction; Close flushes it.
func (s *Store) fill(ctx context.Context, table string, events []placed, rows *rows) error {
	return s.w.Raw(func(dc any) (err error) {
		ap, err := duckdb.NewAppenderFromConn(dc.(driver.Conn), "", table)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, ap.CloseWithCancel(ctx)) }()
		for i, p := range events {
			if i&1023 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			row, err := rows.row(p.at)
			if err != nil {
				return err
			}
			if err := ap.AppendRow(row...); err != nil {
				return fmt.Errorf("event %s: %w", p.e.ID, err)
			}
		}
		return nil
	})
}

// placed is an event at its time in the store.
type placed struct {
	e    *event.Event
	at   int // in the batch
	when time.Time
}
