// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package db opens the records of one realm (city.db, police.db) and brings
// their tables up to date.
//
// It promises that a commit it reported survives loss of power, that existing
// data is backed up before a migration touches it, that an older program
// refuses newer data with a sentence, that writers stand in line fairly, and
// that errors come back with the kind a caller can act on. It knows no
// capability: each …db package brings its own migrations and queries.
//
// The engine is SQLite. What PostgreSQL would need differently (driver, data
// source, migration folder, goose and bun dialect) stands in Open and Migrate
// and nowhere else; queries of capabilities keep to what both speak: bun,
// BIGINT microseconds for times, TEXT for documents whose bytes are hashed.
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
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"citywall/internal/durable"
	"citywall/internal/fault"
)

// Waits of a writer: for its turn in this process, and for another process
// that holds the file's lock. Beyond them it gets a busy error.
const (
	turnWait = 10 * time.Second
	lockWait = 5 * time.Second
)

// DB is one open database. It is safe for concurrent use: any number of
// readers, and one writer at a time through Write.
type DB struct {
	*bun.DB
	path     string
	existed  bool          // had tables when it was opened: a migration must back up first
	backedUp atomic.Bool   // once per opening is enough: nothing was written in between
	turn     chan struct{} // holds one token; who has it may write
}

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
	d := &DB{DB: bun.NewDB(s, sqlitedialect.New()), path: abs, turn: make(chan struct{}, 1)}
	d.turn <- struct{}{}
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

// Path returns the file's absolute path.
func (d *DB) Path() string { return d.path }

// Migrate brings the tables of one capability up to date. Its versions are
// counted apart from those of its neighbours, in table <name>_version.
// Migrations are files "00001_words.sql" in folder sqlite of migrations.
func (d *DB) Migrate(ctx context.Context, name string, migrations fs.FS) error {
	sub, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, d.DB.DB, sub,
		goose.WithTableName(name+"_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return Err("migrate "+name, err)
	}
	switch {
	case have > want:
		return fault.New(fault.Unavailable,
			"the data in %s was written by a newer Citywall (%s at version %d, this program knows %d): start the newer program, or restore the backup made before its migration",
			d.path, name, have, want)
	case have == want:
		return nil
	}
	if d.existed && !d.backedUp.Load() {
		to := fmt.Sprintf("%s.before-%s-%d.%s.backup", d.path, name, want, time.Now().UTC().Format("20060102T150405.000"))
		if err := d.Backup(ctx, to); err != nil {
			return fmt.Errorf("migrate %s: the backup beforehand: %w", name, err)
		}
		d.backedUp.Store(true)
	}
	if _, err := p.Up(ctx); err != nil {
		return Err("migrate "+name, err)
	}
	return nil
}

// Backup writes a consistent copy of the whole database to the new file to,
// while readers and writers go on, and makes it durable.
func (d *DB) Backup(ctx context.Context, to string) error {
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

// Write runs f in a transaction, alone among the writers of this process, and
// commits when f returns nil. Writers are served in the order in which they
// came; one that waits too long gets a busy error.
func (d *DB) Write(ctx context.Context, f func(context.Context, bun.Tx) error) error {
	late := time.NewTimer(turnWait)
	defer late.Stop()
	select {
	case <-d.turn:
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return fault.New(fault.Busy, "the records are busy: other changes are being written, try again")
	}
	defer func() { d.turn <- struct{}{} }()
	return Err("", d.DB.RunInTx(ctx, nil, f))
}
