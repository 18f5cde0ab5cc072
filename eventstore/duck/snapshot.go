// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"strings"

	"citywall/internal/fault"
)

// snapshot is one consistent state of the store for the length of a read: the
// lists of tables and files are read in the transaction that reads them. A view
// over all of them would say the same, but planning it costs 19 ms for 30
// tables and a second for 400; a read of three days names three tables, which
// costs one. Files that are let go stay until the snapshots that may read them
// have ended.
type snapshot struct {
	s      *Store
	conn   *sql.Conn
	tables []table
	files  []file
	lacks  []file        // sealed, and missing or damaged
	slot   chan struct{} // to give the place back to, nil for Each
	done   chan struct{} // closed when it has ended
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
	r := &snapshot{s: s, done: make(chan struct{})}
	s.poolMu.Lock()
	if s.shut {
		s.poolMu.Unlock()
		return nil, fault.New(fault.Unavailable, "the event store is being opened again; ask again in a moment")
	}
	db := s.db
	s.live[r] = struct{}{} // before it begins: see LetGo
	s.poolMu.Unlock()
	var err error
	if r.conn, err = db.Conn(ctx); err != nil {
		r.leave()
		return nil, err
	}
	// Not given up half way: a transaction that began although the answer is an
	// error would stay with the connection and fail its next reader.
	if _, err := r.conn.ExecContext(context.WithoutCancel(ctx), "BEGIN TRANSACTION READ ONLY"); err != nil {
		_ = r.conn.Raw(func(any) error { return driver.ErrBadConn }) // which is its answer
		r.conn.Close()
		r.leave()
		return nil, err
	}
	if r.tables, err = hotTables(ctx, r.conn); err == nil {
		r.files, err = sealedFiles(ctx, r.conn)
	}
	if err != nil {
		r.end(ctx)
		return nil, err
	}
	r.files, r.lacks = s.whole(r.files)
	return r, nil
}

// leave takes the snapshot off the list of reads under way.
func (r *snapshot) leave() {
	r.s.poolMu.Lock()
	delete(r.s.live, r)
	r.s.poolMu.Unlock()
	close(r.done)
}

// end gives the connection back. A transaction that cannot be ended takes its
// connection with it.
func (r *snapshot) end(ctx context.Context) {
	// Also when ctx is over: the next reader gets this connection.
	if _, err := r.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		_ = r.conn.Raw(func(any) error { return driver.ErrBadConn }) // which is its answer
	}
	r.conn.Close()
	r.leave()
	if r.slot != nil {
		<-r.slot
	}
}

// union selects cols of all events that w holds for, of every table and file
// that may have them.
func (r *snapshot) union(cols string, w *where) string {
	return r.s.union(r.tables, r.files, cols, w)
}

func (s *Store) union(tables []table, files []file, cols string, w *where) string {
	var parts []string
	for _, t := range tables {
		if w.bounded && !t.holds(w.from, w.to) {
			continue
		}
		parts = append(parts, "SELECT "+cols+` FROM "`+t.name+`" WHERE `+w.String())
	}
	var names []string
	for _, f := range files {
		if w.bounded && !f.holds(w.from, w.to) {
			continue
		}
		names = append(names, f.path)
	}
	if len(names) > 0 {
		parts = append(parts, "SELECT "+cols+" FROM "+s.parquet(names...)+" WHERE "+w.String())
	}
	return strings.Join(parts, " UNION ALL ")
}

// parquet reads the files as one table. The empty one with all columns comes
// first, so that a column that older files lack is NULL in them.
func (s *Store) parquet(names ...string) string {
	var b strings.Builder
	b.WriteString("read_parquet(['" + s.path(filepath.FromSlash(schemaFile)) + "'")
	for _, n := range names {
		b.WriteString(", '" + s.path(filepath.FromSlash(n)) + "'")
	}
	b.WriteString("], union_by_name=true, hive_partitioning=false)")
	return b.String()
}

// ask puts one question. When it fails because a sealed file is missing or
// damaged, the file is set apart and the question put once more, without it.
func (s *Store) ask(ctx context.Context, op string, f func(r *snapshot) error) error {
	for try := 0; ; try++ {
		r, err := s.question(ctx)
		if err != nil {
			return s.fault(op, err)
		}
		err = f(r)
		r.end(ctx)
		if err == nil || try > 0 || ctx.Err() != nil || !s.suspect(err, r.files) {
			return s.fault(op, err)
		}
	}
}
