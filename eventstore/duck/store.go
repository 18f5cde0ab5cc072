// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"citywall/internal/fault"
)

// fileName is the database inside Options.Dir. Sealed days lie beside it.
const fileName = "hot.duckdb"

// Store is an eventstore.Store.
type Store struct {
	opt       Options
	db        *sql.DB
	cursorKey []byte
	slots     chan struct{} // one value per question under way

	// mu is held by the one writer, so by Append and Close.
	mu     sync.Mutex
	w      *sql.Conn            // the writer connection
	enc    encoder              //
	tables map[string]time.Time // hot tables and their days
	stale  bool                 // a commit failed: tables must be read again
	pruned time.Time            // UTC day on which applied was last pruned

	nameMu sync.RWMutex
	names  nameBook
}

// Open opens or makes the store in o.Dir.
func Open(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("event store: %w", err)
	}
	if strings.ContainsAny(dir, "?%#'") {
		// The driver reads the path as a URL, the lock-down as an SQL text.
		return nil, fault.New(fault.Invalid, "event store: the folder %q has one of ? %% # ' in its name; choose another", dir)
	}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "event store: %w", err)
	}
	c, err := duckdb.NewConnector(filepath.Join(dir, fileName), nil)
	if err != nil {
		return nil, openFault(dir, err)
	}
	s := &Store{opt: o, db: sql.OpenDB(c), slots: make(chan struct{}, o.Readers)}
	s.db.SetMaxIdleConns(o.Readers + 1)
	if err := s.start(ctx, dir); err != nil {
		if s.w != nil {
			s.w.Close()
		}
		s.db.Close()
		return nil, openFault(dir, err)
	}
	return s, nil
}

func openFault(dir string, err error) error {
	switch {
	case strings.Contains(err.Error(), "Could not set lock on file"):
		return fault.New(fault.Conflict, "event store %s: another process holds it; ask that one over the API: %w", dir, err)
	case strings.Contains(err.Error(), "configuration has been locked"):
		return fault.New(fault.Conflict, "event store %s: it is already open in this process: %w", dir, err)
	case fault.Of(err) != "":
		return err
	}
	return fault.New(fault.Unavailable, "open event store %s: %w", dir, err)
}

// start locks the database down, makes what is missing and reads what it keeps
// in memory.
func (s *Store) start(ctx context.Context, dir string) error {
	var err error
	if s.w, err = s.db.Conn(ctx); err != nil {
		return err
	}
	// The order matters: nothing can be set after the last one. The settings
	// hold for every connection. 256 MB of log before a checkpoint halves the
	// writing; it is replayed in seconds after a kill.
	for _, q := range []string{
		fmt.Sprintf("SET threads=%d", s.opt.Threads),
		"SET memory_limit='" + strings.ReplaceAll(s.opt.MemoryLimit, "'", "") + "'",
		"SET temp_directory='" + dir + "/tmp'",
		"SET checkpoint_threshold='256MB'",
		"SET autoinstall_known_extensions=false",
		"SET autoload_known_extensions=false",
		"SET allowed_directories=['" + dir + "/']",
		"SET enable_external_access=false",
		"SET lock_configuration=true",
	} {
		if _, err := s.w.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	if err := duckdb.RegisterScalarUDF(s.w, inPrefix, prefixFunc{}); err != nil {
		return fmt.Errorf("register %s: %w", inPrefix, err)
	}
	for _, q := range setUp {
		if _, err := s.w.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	if err := s.readMeta(ctx); err != nil {
		return err
	}
	if err := s.readTables(ctx); err != nil {
		return err
	}
	if err := s.readNames(ctx); err != nil {
		return err
	}
	return s.prune(ctx)
}

// readMeta checks the layout and reads the key of cursors; both are made for a
// new file.
func (s *Store) readMeta(ctx context.Context) error {
	fresh := make([]byte, 32)
	if _, err := rand.Read(fresh); err != nil {
		return err
	}
	if _, err := s.w.ExecContext(
		ctx, `INSERT INTO meta VALUES ('layout', $1), ('cursor_key', $2) ON CONFLICT DO NOTHING`, layout, hex.EncodeToString(fresh),
	); err != nil {
		return fmt.Errorf("write meta: %w", err)
	}
	get := func(key string) (v string, err error) {
		err = s.w.QueryRowContext(ctx, `SELECT "value" FROM meta WHERE "key" = $1`, key).Scan(&v)
		return v, err
	}
	have, err := get("layout")
	if err != nil {
		return fmt.Errorf("read layout: %w", err)
	}
	if have != layout {
		return fault.New(fault.Invalid, "event store: its layout is %s, this program knows %s; use the program that wrote it or a newer one", have, layout)
	}
	key, err := get("cursor_key")
	if err != nil {
		return fmt.Errorf("read cursor key: %w", err)
	}
	s.cursorKey, err = hex.DecodeString(key)
	return err
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

// Close waits for the writer, writes the checkpoint and releases the file.
// Queries under way fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return nil
	}
	err := s.w.Close()
	s.w = nil
	return errors.Join(err, s.db.Close())
}

// storeFault says what was being done and gives err the kind that a caller
// can act on.
func storeFault(op string, err error) error {
	var d *duckdb.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || fault.Of(err) != "":
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "database is closed"):
		return fault.New(fault.Unavailable, "%s: the event store is closed: %w", op, err)
	case errors.As(err, &d):
		switch d.Type {
		case duckdb.ErrorTypeIO, duckdb.ErrorTypeFatal, duckdb.ErrorTypeOutOfMemory, duckdb.ErrorTypePermission, duckdb.ErrorTypeInternal:
			return fault.New(fault.Unavailable, "%s: %w", op, err)
		}
	}
	return fmt.Errorf("%s: %w", op, err)
}
