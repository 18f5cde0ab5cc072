// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"citywall/internal/fault"
)

// table is a hot table and the UTC day of its events, zero for otherTable.
type table struct {
	name   string
	day    time.Time
	made   time.Time
	frozen bool // takes no more events: it is being sealed
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
	rows, err := db.QueryContext(ctx, "SELECT name, day, made, frozen FROM hot ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list hot tables: %w", err)
	}
	defer rows.Close()
	var out []table
	for rows.Next() {
		var t table
		var day sql.NullTime
		if err := rows.Scan(&t.name, &day, &t.made, &t.frozen); err != nil {
			return nil, fmt.Errorf("list hot tables: %w", err)
		}
		t.day, t.made = day.Time, t.made.UTC()
		out = append(out, t)
	}
	return out, rows.Err()
}

// texts returns the only column of a question of the writer.
func (s *Store) texts(ctx context.Context, q string) ([]string, error) {
	rows, err := s.w.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// readTables reads what the writer keeps in memory. The caller holds mu or is
// Open.
func (s *Store) readTables(ctx context.Context) error {
	list, err := hotTables(ctx, s.w)
	if err != nil {
		return err
	}
	s.tables = make(map[string]table, len(list))
	for _, t := range list {
		s.tables[t.name] = t
	}
	if s.writable(time.Time{}) == "" {
		if err := s.makeTable(ctx, s.freeName(time.Time{}), time.Time{}); err != nil {
			return err
		}
	}
	if s.files, err = sealedFiles(ctx, s.w); err != nil {
		return err
	}
	var p progress
	if err := s.w.QueryRowContext(ctx, "SELECT seq, events, committed FROM progress").Scan(&p.seq, &p.events, &p.at); err != nil {
		return fmt.Errorf("read how far the store has come: %w", err)
	}
	p.at = p.at.UTC()
	for name, t := range s.tables {
		var n int64
		if err := s.w.QueryRowContext(ctx, `SELECT count(*) FROM "`+name+`"`).Scan(&n); err != nil {
			return fmt.Errorf("count %s: %w", name, err)
		}
		p.hot += n
		p.span(t)
	}
	s.at, s.stale = p, false
	return nil
}

// span widens the days of the hot tables by t's.
func (p *progress) span(t table) {
	switch {
	case t.day.IsZero():
	case p.first.IsZero():
		p.first, p.last = t.day, t.day
	case t.day.Before(p.first):
		p.first = t.day
	case t.day.After(p.last):
		p.last = t.day
	}
}

// makeTable makes and lists a hot table, in the transaction that is open.
func (s *Store) makeTable(ctx context.Context, name string, day time.Time) error {
	t := table{name: name, day: day, made: s.opt.Now().UTC().Truncate(time.Microsecond)}
	if _, err := s.w.ExecContext(ctx, createTable(name)); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	var d any
	if !day.IsZero() {
		d = day
	}
	if _, err := s.w.ExecContext(ctx, `INSERT INTO hot VALUES ($1, $2, $3, FALSE)`, name, d, t.made); err != nil {
		return fmt.Errorf("show %s: %w", name, err)
	}
	s.tables[name] = t
	return nil
}

// writable returns the table of a day that takes events, "" when there is
// none.
func (s *Store) writable(day time.Time) string {
	for _, t := range s.tables {
		if !t.frozen && t.day.Equal(day) {
			return t.name
		}
	}
	return ""
}

// freeName returns the first name for a day's table that is not taken.
func (s *Store) freeName(day time.Time) string {
	base := otherTable
	if !day.IsZero() {
		base = tableOf(day)
	}
	name := base
	for n := 1; ; n++ {
		if _, taken := s.tables[name]; !taken {
			return name
		}
		name = base + "_" + strconv.Itoa(n)
	}
}

// tableFor returns the table of a time and its day: its day's, or the common
// one when there are already too many. Times come from records and may be
// anything; a table each would let a sender grow the catalogue without end.
// The days around now always have their own.
func (s *Store) tableFor(when time.Time, making map[string][]placed) (string, time.Time) {
	day := dayOf(when)
	if t := s.writable(day); t != "" {
		return t, day
	}
	t := s.freeName(day)
	if making[t] != nil {
		return t, day
	}
	n := 0
	for _, t := range s.tables {
		if !t.frozen && !t.day.IsZero() {
			n++
		}
	}
	for m := range making {
		if _, there := s.tables[m]; !there {
			n++
		}
	}
	if now := s.opt.Now().UTC(); n >= s.opt.MaxDays && (when.Before(now.Add(-48*time.Hour)) || when.After(now.Add(24*time.Hour))) {
		return s.writable(time.Time{}), time.Time{}
	}
	return t, day
}

func (s *Store) tableList() []table {
	out := make([]table, 0, len(s.tables))
	for _, t := range s.tables {
		out = append(out, t)
	}
	return out
}

// writeMark writes the mark. What it is for is told in mark.go; a mark that
// cannot be written hides a later loss and is no reason to refuse events.
func (s *Store) writeMark() { _ = s.mark.write(s.at) }

// readMeta checks the layout and reads the key of cursors; both are made for a
// new file.
func (s *Store) readMeta(ctx context.Context) error {
	fresh := make([]byte, 32)
	if _, err := rand.Read(fresh); err != nil {
		return err
	}
	if _, err := s.w.ExecContext(
		ctx, `INSERT INTO meta VALUES ('layout', $1), ('cursor_key', $2) ON CONFLICT DO NOTHING`, strconv.Itoa(layout), hex.EncodeToString(fresh),
	); err != nil {
		return fmt.Errorf("write meta: %w", err)
	}
	key, err := s.meta(ctx, "cursor_key")
	if err != nil {
		return fmt.Errorf("read cursor key: %w", err)
	}
	s.cursorKey, err = hex.DecodeString(key)
	return err
}

func (s *Store) meta(ctx context.Context, key string) (v string, err error) {
	err = s.w.QueryRowContext(ctx, `SELECT "value" FROM meta WHERE "key" = $1`, key).Scan(&v)
	return v, err
}

// prune forgets MsgIDs that are too old to come again. The caller holds mu or
// is Open.
func (s *Store) prune(ctx context.Context) error {
	now := s.opt.Now().UTC()
	day := now.Truncate(24 * time.Hour)
	if day.Equal(s.pruned) {
		return nil
	}
	if _, err := s.w.ExecContext(ctx, `DELETE FROM applied WHERE seen < $1`, now.Add(-s.opt.Remember)); err != nil {
		return fmt.Errorf("prune applied: %w", err)
	}
	s.pruned = day
	return nil
}

// checkLayout returns the layout of the file, 0 when it is new.
func (s *Store) checkLayout(ctx context.Context) (int, error) {
	var n int
	if err := s.w.QueryRowContext(ctx, `SELECT count(*) FROM duckdb_tables() WHERE table_name = 'meta' AND database_name = current_database()`).Scan(&n); err != nil {
		return 0, fmt.Errorf("read layout: %w", err)
	}
	if n == 0 {
		return 0, nil
	}
	v, err := s.meta(ctx, "layout")
	if err != nil {
		return 0, fmt.Errorf("read layout: %w", err)
	}
	have, err := strconv.Atoi(v)
	if err != nil || have > layout || have < 1 {
		return 0, fault.New(fault.Invalid, "event store: its layout is %s, this program knows %d; use the program that wrote it or a newer one", v, layout)
	}
	return have, nil
}
