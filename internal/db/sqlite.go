// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"citywall/internal/durable"
	"citywall/internal/fault"
)

// Open opens or creates the SQLite file at path.
func Open(ctx context.Context, path string) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open records: %w", err)
	}
	// The file's name is data, not part of the URI: "?", "#" and "%" in a
	// folder's name must not become parameters.
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath()}).String() +
		"?_pragma=journal_mode(WAL)" +
		fmt.Sprintf("&_pragma=busy_timeout(%d)", lockWait.Milliseconds()) +
		"&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&_txlock=immediate&_time_format=sqlite"
	if err := touch(abs); err != nil {
		return nil, err
	}
	s, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open records %s: %w", path, err)
	}
	s.SetMaxOpenConns(max(4, 2*runtime.NumCPU()))
	s.SetMaxIdleConns(max(4, 2*runtime.NumCPU()))
	d := newDB(bun.NewDB(s, sqlitedialect.New()), SQLite, abs)
	var tables int
	if err := s.QueryRowContext(ctx, `select count(*) from sqlite_master where type = 'table'`).Scan(&tables); err != nil {
		return nil, errors.Join(Err("open records "+path, err), s.Close())
	}
	d.existed = tables > 0
	return d, nil
}

// touch creates the file for its owner alone; SQLite would take the umask's
// word for it.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open records: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("open records: %w", err)
	}
	return durable.SyncDir(filepath.Dir(path))
}

// Backup writes a consistent copy of the whole database to the new file to,
// while readers and writers go on, and makes it durable. A PostgreSQL database
// is backed up by its site: an unavailable error says so.
func (d *DB) Backup(ctx context.Context, to string) error {
	if d.engine == Postgres {
		return fault.New(fault.Unavailable, "backup: the records lie in %s, and their backups are that database's own (pg_dump, or archived WAL)", d.path)
	}
	if _, err := os.Lstat(to); err == nil {
		return fault.New(fault.Conflict, "backup %s: the file exists already", to)
	}
	tmp := to + ".partial"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backup: %w", err)
	}
	if _, err := d.DB.DB.ExecContext(ctx, `vacuum into ?`, tmp); err != nil {
		return Err("backup "+to, err)
	}
	if err := os.Chmod(tmp, 0o600); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return durable.Publish(tmp, to)
}
