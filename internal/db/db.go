// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package db opens the records of one realm and brings their tables up to date.
// They lie in an SQLite file in the data folder (city.db, police.db) or, where
// a city has outgrown that, in a PostgreSQL database that its site runs.
//
// It promises that a commit it reported survives loss of power, that an older
// program refuses newer data with a sentence, that writers stand in line fairly
// and one at a time, and that errors come back with the kind a caller can act
// on. An SQLite file is backed up before a migration touches existing data; the
// backups of a PostgreSQL database are its site's (pg_dump), and a migration
// that fails there leaves the tables as they were. It knows no capability: each
// …db package brings its own migrations and queries.
//
// What the engines need differently stands here and nowhere else; queries of
// capabilities keep to what both speak: bun, BIGINT microseconds for times,
// TEXT for documents whose bytes are hashed, text in the order of its bytes.
// Their tests run on both, see package dbtest.
package db

import (
	"context"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/uptrace/bun"

	"citywall/internal/fault"
)

// Waits of a writer: for its turn in this process, and for another process
// that holds the lock of the file or schema. Beyond them it gets a busy error.
const (
	turnWait = 10 * time.Second
	lockWait = 5 * time.Second
)

// Engine is what keeps the records.
type Engine string

// Engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// DB is one open database. It is safe for concurrent use: any number of
// readers, and one writer at a time through Write.
type DB struct {
	*bun.DB
	engine   Engine
	path     string        // of the file; for PostgreSQL what a person calls it, without secrets
	user     string        // of PostgreSQL
	existed  bool          // a file that had tables when it was opened: a migration must back up first
	backedUp atomic.Bool   // once per opening is enough: nothing was written in between
	turn     chan struct{} // holds one token; who has it may write
}

func newDB(b *bun.DB, e Engine, path string) *DB {
	d := &DB{DB: b, engine: e, path: path, turn: make(chan struct{}, 1)}
	d.turn <- struct{}{}
	return d
}

// Engine returns what keeps the records.
func (d *DB) Engine() Engine { return d.engine }

// Path returns the file's absolute path, or what the PostgreSQL database is
// called: "PostgreSQL user@host:port/database (schema)".
func (d *DB) Path() string { return d.path }

// Migrate brings the tables of one capability up to date. Its versions are
// counted apart from those of its neighbours, in table <name>_version.
// Migrations are files "00001_words.sql" in folder migrations/sqlite of
// migrations. PostgreSQL takes the same files, but for those that have a
// namesake in migrations/postgres.
func (d *DB) Migrate(ctx context.Context, name string, migrations fs.FS) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	dialect, opts := goose.DialectSQLite3, []goose.ProviderOption{goose.WithTableName(name + "_version"), goose.WithDisableGlobalRegistry(true)}
	if d.engine == Postgres {
		other, err := fs.Sub(migrations, "migrations/postgres")
		if err != nil {
			return fmt.Errorf("migrate %s: %w", name, err)
		}
		files, dialect = over{other, files}, goose.DialectPostgres
		l, err := lock.NewPostgresSessionLocker() // two processes may start at once
		if err != nil {
			return fmt.Errorf("migrate %s: %w", name, err)
		}
		opts = append(opts, goose.WithSessionLocker(l))
	}
	p, err := goose.NewProvider(dialect, d.DB.DB, files, opts...)
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

// Write runs f in a transaction, alone among the writers, and commits when f
// returns nil. Writers of this process are served in the order in which they
// came; one that waits too long gets a busy error. SQLite keeps other
// processes out by the file's lock, PostgreSQL by one of the schema.
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
	return Err("", d.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if d.engine == Postgres {
			if _, err := tx.ExecContext(ctx, writerLock); err != nil {
				return err
			}
		}
		return f(ctx, tx)
	}))
}
