// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
)

// table is a hot table and the UTC day of its events, zero for otherTable.
type table struct {
	name string
	day  time.Time
}

// holds reports whether t may have events of [from, to).
func (t table) holds(from, to time.Time) bool {
	return t.day.IsZero() || t.day.Before(to) && t.day.Add(24*time.Hour).After(from)
}

// queryer is a connection or the pool.
type queryer interface {
	QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error)
}

func hotTables(ctx context.Context, db queryer) ([]table, error) {
	rows, err := db.QueryContext(ctx, "SELECT name, day FROM hot ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list hot tables: %w", err)
	}
	defer rows.Close()
	var out []table
	for rows.Next() {
		var t table
		var day sql.NullTime
		if err := rows.Scan(&t.name, &day); err != nil {
			return nil, fmt.Errorf("list hot tables: %w", err)
		}
		t.day = day.Time
		out = append(out, t)
	}
	return out, rows.Err()
}

// snapshot is one consistent state of the store for the length of a read: the
// list of tables is read in the transaction that reads them. A view over all
// of them would say the same, but planning it costs 19 ms for 30 tables and a
// second for 400; a read of three days names three tables, which costs one.
type snapshot struct {
	conn   *sql.Conn
	tables []table
	slot   chan struct{} // to give the place back to, nil for Each
}

// question waits for one of the Options.Readers places. Each has none: its
// function may ask the store, and would wait for those who wait for it.
func (s *Store) question(ctx context.Context) (*snapshot, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r, err := s.snapshot(ctx)
	if err != nil {
		<-s.slots
		return nil, err
	}
	r.slot = s.slots
	return r, nil
}

func (s *Store) snapshot(ctx context.Context) (*snapshot, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	// Not given up half way: a transaction that began although the answer is an
	// error would stay with the connection and fail its next reader.
	if _, err := conn.ExecContext(context.WithoutCancel(ctx), "BEGIN TRANSACTION READ ONLY"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which is its answer
		conn.Close()
		return nil, err
	}
	r := &snapshot{conn: conn}
	if r.tables, err = hotTables(ctx, conn); err != nil {
		r.end(ctx)
		return nil, err
	}
	return r, nil
}

// end gives the connection back. A transaction that cannot be ended takes its
// connection with it.
func (r *snapshot) end(ctx context.Context) {
	// Also when ctx is over: the next reader gets this connection.
	if _, err := r.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		_ = r.conn.Raw(func(any) error { return driver.ErrBadConn }) // which is its answer
	}
	r.conn.Close()
	if r.slot != nil {
		<-r.slot
	}
}

// union selects cols of all events that w holds for, of every table that may
// have them.
func union(tables []table, cols string, w *where) string {
	var parts []string
	for _, t := range tables {
		if w.bounded && !t.holds(w.from, w.to) {
			continue
		}
		parts = append(parts, "SELECT "+cols+` FROM "`+t.name+`" WHERE `+w.String())
	}
	return strings.Join(parts, " UNION ALL ")
}
