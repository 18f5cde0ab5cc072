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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return fault.New(fault.Unavailable, "append: the event store is closed")
	}
	if s.stale {
		if err := s.readTables(ctx); err != nil {
			return storeFault("append", err)
		}
	}
	if err := s.prune(ctx); err != nil {
		return storeFault("append", err)
	}
	if _, err := s.w.ExecContext(context.WithoutCancel(ctx), "BEGIN"); err != nil {
		return storeFault("append: begin", err)
	}
	made, err := s.appendTx(ctx, b)
	if err == nil {
		// Not given up half way, so that the answer says what happened.
		_, err = s.w.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		// Whether a failed commit took place is not known; the tables are read
		// again, and the sender repeats the batch. The rollback must run even
		// when ctx is over; a commit that failed leaves none to do.
		s.stale = true
		_, rerr := s.w.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		var d *duckdb.Error
		if errors.As(rerr, &d) && d.Type == duckdb.ErrorTypeTransaction {
			rerr = nil
		}
		return storeFault("append", errors.Join(err, rerr))
	}
	for _, t := range made.tables {
		s.tables[t.name] = t.day
	}
	s.nameMu.Lock()
	s.names.add(made.names)
	s.nameMu.Unlock()
	return nil
}

// made is what a transaction adds to what the store keeps in memory.
type made struct {
	tables []table
	names  []string
}

func (s *Store) appendTx(ctx context.Context, b eventstore.Batch) (made, error) {
	var m made
	if b.MsgID != "" {
		r, err := s.w.ExecContext(
			ctx, `INSERT INTO applied VALUES ($1, $2) ON CONFLICT DO NOTHING`, eventstore.Valid(b.MsgID), s.opt.Now().UTC(),
		)
		if err != nil {
			return m, fmt.Errorf("remember batch: %w", err)
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return m, err
		}
	}
	fresh, err := s.unseen(ctx, b)
	if err != nil {
		return m, err
	}
	byTable := map[string][]placed{}
	for _, p := range fresh {
		t := s.tableFor(p.when, byTable)
		byTable[t] = append(byTable[t], p)
	}
	names := make([]string, 0, len(byTable))
	for t := range byTable {
		names = append(names, t)
	}
	sort.Strings(names)
	for _, t := range names {
		if _, ok := s.tables[t]; !ok {
			n := table{t, dayOf(byTable[t][0].when)}
			m.tables = append(m.tables, n)
			if _, err := s.w.ExecContext(ctx, createTable(t)); err != nil {
				return m, fmt.Errorf("create %s: %w", t, err)
			}
			if _, err := s.w.ExecContext(ctx, `INSERT INTO hot VALUES ($1, $2)`, n.name, n.day); err != nil {
				return m, fmt.Errorf("show %s: %w", t, err)
			}
		}
		if err := s.fill(ctx, t, byTable[t], b.Case); err != nil {
			return m, fmt.Errorf("fill %s: %w", t, err)
		}
	}
	m.names, err = s.newNames(ctx, fresh)
	return m, err
}

// fill appends events to one table. The Appender takes part in the open
// transaction; Close flushes it.
func (s *Store) fill(ctx context.Context, table string, events []placed, caseID string) error {
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
			row, err := s.enc.encode(p.e, p.when, caseID)
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
	when time.Time
}

// tableFor returns the table of a time: its day's, or the common one when
// there are already too many. Times come from records and may be anything; a
// table each would let a sender grow the catalogue without end.
func (s *Store) tableFor(when time.Time, making map[string][]placed) string {
	t := tableOf(when)
	if _, ok := s.tables[t]; ok || making[t] != nil {
		return t
	}
	n := len(s.tables)
	for m := range making {
		if _, ok := s.tables[m]; !ok {
			n++
		}
	}
	if n > s.opt.MaxDays { // otherTable is one of them
		return otherTable
	}
	return t
}

func (s *Store) readTables(ctx context.Context) error {
	list, err := hotTables(ctx, s.w)
	if err != nil {
		return err
	}
	s.tables = make(map[string]time.Time, len(list))
	for _, t := range list {
		s.tables[t.name] = t.day
	}
	s.stale = false
	return nil
}

func (s *Store) tableList() []table {
	out := make([]table, 0, len(s.tables))
	for name, day := range s.tables {
		out = append(out, table{name, day})
	}
	return out
}
