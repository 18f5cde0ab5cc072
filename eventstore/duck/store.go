// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"citywall/internal/fault"
	"citywall/internal/mishap"
)

// Names inside Options.Dir.
const (
	fileName   = "hot.duckdb"
	tmpDir     = "tmp"
	asideDir   = "aside"
	restoreDir = "restore"
)

// dsn asks for the newest storage format: it alone has zstd.
const dsn = "?storage_compatibility_version=latest"

// Store is an eventstore.Store and an eventstore.Keeper.
type Store struct {
	opt       Options
	dir       string // absolute
	cursorKey []byte
	slots     chan struct{}           // one value per question under way
	step      func(what string) error // between the steps of sealing; tests stop there
	lame      atomic.Bool             // DuckDB declared the open database invalid: it must be opened again
	decayed   atomic.Bool             // a block of the hot file could not be read: what can be must be saved

	sealing sync.Mutex // held by Seal, LetGo and Backup: one at a time. Before mu.

	// mu is held by the one writer, so by Append and the last step of Seal and
	// LetGo.
	mu      sync.Mutex
	w       *sql.Conn            // the writer connection
	enc     encoder              //
	tables  map[string]table     // hot tables by name
	files   []file               // sealed files, in the order of their paths
	filters map[string]*idFilter // ids of hot tables, where all are known
	at      progress             // how far the store has come
	mark    *mark                //
	stale   bool                 // a commit failed: tables must be read again
	rotten  string               // a damaged hot file that was set aside, until salvage has read it
	pruned  time.Time            // UTC day on which applied was last pruned

	// poolMu guards the connections of readers.
	poolMu sync.Mutex
	db     *sql.DB
	live   map[*snapshot]struct{} // reads under way
	shut   bool                   // no read may begin: the file is being opened again

	badMu   sync.Mutex
	bad     map[string]bool // sealed files that are missing or damaged
	checked map[string]bool // sealed files whose hash was compared in this round, see Check
	mishaps []mishap.Mishap

	nameMu sync.RWMutex
	names  nameBook
}

// Open opens or makes the store in o.Dir. Files that were damaged are kept
// aside and the rest is opened; Mishaps says what that cost.
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
	if err := os.MkdirAll(filepath.Join(dir, tmpDir), 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "event store: %w", err)
	}
	s := &Store{
		opt: o, dir: dir, slots: make(chan struct{}, o.Readers), step: func(string) error { return nil },
		live: map[*snapshot]struct{}{}, bad: map[string]bool{}, checked: map[string]bool{},
	}
	if err := s.open(ctx); err != nil {
		_ = s.disconnect() // the reason is err
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

// open connects to the hot file, mending what can be mended, and brings what
// lies around it in line with it.
func (s *Store) open(ctx context.Context) error {
	var err error
	if s.mark, err = openMark(s.path(markName)); err != nil {
		return err
	}
	there, err := exists(s.path(fileName))
	if err != nil {
		return err
	}
	began := !there
	for try := 0; ; try++ {
		if err = s.connect(ctx); err == nil {
			break
		}
		_ = s.disconnect() // of what could not be opened
		again, merr := s.mend(err, try)
		if merr != nil {
			return errors.Join(err, merr)
		}
		if !again {
			return err
		}
		began = began || s.rotten != ""
	}
	if s.rotten != "" {
		if err := s.salvage(ctx); err != nil {
			return fmt.Errorf("save what can be read of %s: %w", s.rotten, err)
		}
	} else if m, ok := s.mark.read(); ok && !there && m.seq > 0 {
		s.tell(mishap.New(mishap.HotLost, s.path(fileName), s.opt.Now(), "n", mishap.Num(m.hot), "of", mishap.Num(m.hot),
			"from", mishap.Time(m.first), "to", mishap.Time(m.last.Add(24*time.Hour)), "aside", "-"))
		if err := s.mark.clear(); err != nil {
			return fmt.Errorf("clear the store's mark: %w", err)
		}
	}
	if err := s.takeIn(ctx); err != nil {
		return fmt.Errorf("take in the backup: %w", err)
	}
	if began {
		if err := s.rebuild(ctx); err != nil {
			return fmt.Errorf("make the list of sealed days again: %w", err)
		}
	}
	if m, ok := s.mark.read(); ok {
		if x := lost(s.dir, m, s.at, s.opt.Now()); x != nil {
			s.tell(*x)
		}
		if err := s.mark.clear(); err != nil {
			return fmt.Errorf("clear the store's mark: %w", err)
		}
	}
	s.writeMark()
	if err := s.filterEmpty(ctx); err != nil {
		return err
	}
	return s.tidy(ctx)
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// connect opens the hot file, locks the database down, makes what is missing
// and reads what is kept in memory.
func (s *Store) connect(ctx context.Context) error {
	c, err := duckdb.NewConnector(s.path(fileName)+dsn, nil)
	if err != nil {
		return err
	}
	db := sql.OpenDB(c)
	db.SetMaxIdleConns(s.opt.Readers + 1)
	s.poolMu.Lock()
	s.db = db
	s.poolMu.Unlock()
	if s.w, err = db.Conn(ctx); err != nil {
		return err
	}
	// The order matters: nothing can be set after the last one. The settings
	// hold for every connection. 256 MB of log before a checkpoint halves the
	// writing; it is replayed in seconds after a kill.
	for _, q := range []string{
		fmt.Sprintf("SET threads=%d", s.opt.Threads),
		"SET memory_limit='" + strings.ReplaceAll(s.opt.MemoryLimit, "'", "") + "'",
		"SET temp_directory='" + s.path(tmpDir) + "'",
		"SET checkpoint_threshold='256MB'",
		"SET parquet_metadata_cache=true", // sealed files never change
		"SET autoinstall_known_extensions=false",
		"SET autoload_known_extensions=false",
		"SET allowed_directories=['" + s.dir + "/']",
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
	moved, err := s.migrate(ctx)
	if err != nil {
		return err
	}
	if moved { // to a new file
		return s.connect(ctx)
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

// disconnect closes what connect opened. Reads under way fail.
func (s *Store) disconnect() error {
	var errs []error
	if s.w != nil {
		errs = append(errs, s.w.Close())
		s.w = nil
	}
	s.poolMu.Lock()
	db := s.db
	s.poolMu.Unlock()
	if db != nil {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// revive opens the file again after DuckDB declared the open database invalid:
// that happens when the disk is full in the wrong moment. The caller holds mu.
func (s *Store) revive(ctx context.Context) error {
	s.poolMu.Lock()
	s.shut = true
	under := make([]*snapshot, 0, len(s.live))
	for r := range s.live {
		under = append(under, r)
	}
	s.poolMu.Unlock()
	defer func() { s.poolMu.Lock(); s.shut = false; s.poolMu.Unlock() }()
	for _, r := range under { // they fail at their next statement
		select {
		case <-r.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_ = s.disconnect() // of a database that is beyond use
	if s.decayed.Load() {
		if err := s.moveHotAside(); err != nil {
			return err
		}
		s.decayed.Store(false)
	}
	if err := s.connect(ctx); err != nil {
		return openFault(s.dir, err)
	}
	if s.rotten != "" {
		if err := s.salvage(ctx); err != nil {
			return err
		}
		if err := s.rebuild(ctx); err != nil {
			return err
		}
		s.writeMark()
	}
	if err := s.filterEmpty(ctx); err != nil {
		return err
	}
	s.lame.Store(false)
	return nil
}

// ready makes the writer fit for use. The caller holds mu.
func (s *Store) ready(ctx context.Context, op string) error {
	if s.mark == nil {
		return fault.New(fault.Unavailable, "%s: the event store is closed", op)
	}
	if s.lame.Load() || s.decayed.Load() || s.w == nil {
		if err := s.revive(ctx); err != nil {
			return s.fault(op+": open the store again", err)
		}
	}
	if s.stale {
		if err := s.readTables(ctx); err != nil {
			return s.fault(op, err)
		}
	}
	return nil
}

// transact runs f in a transaction of the writer. What f changed in memory
// must follow from the database: after an error it is read again. The caller
// holds mu.
func (s *Store) transact(ctx context.Context, op string, f func() error) error {
	// Begin and commit are not given up half way, so that the answer says what
	// happened.
	if _, err := s.w.ExecContext(context.WithoutCancel(ctx), "BEGIN"); err != nil {
		return s.fault(op+": begin", err)
	}
	err := f()
	if err == nil {
		_, err = s.w.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	}
	if err == nil {
		return nil
	}
	// Whether a failed commit took place is not known; the tables are read
	// again, and the sender repeats the batch. The rollback must run even when
	// ctx is over; a commit that failed leaves none to do.
	s.stale = true
	_, rerr := s.w.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	var d *duckdb.Error
	if errors.As(rerr, &d) && d.Type == duckdb.ErrorTypeTransaction {
		rerr = nil
	}
	return s.fault(op, errors.Join(err, rerr))
}

// Close waits for the writer, writes the checkpoint and releases the file.
// Queries under way fail.
func (s *Store) Close() error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mark == nil {
		return nil
	}
	err := errors.Join(s.disconnect(), s.mark.close())
	s.mark = nil
	return err
}

// Mishaps implements eventstore.Keeper.
func (s *Store) Mishaps() []mishap.Mishap {
	s.badMu.Lock()
	defer s.badMu.Unlock()
	return append([]mishap.Mishap(nil), s.mishaps...)
}

func (s *Store) tell(m mishap.Mishap) {
	s.badMu.Lock()
	defer s.badMu.Unlock()
	s.mishaps = append(s.mishaps, m)
}

// fault says what was being done and gives err the kind that a caller can act
// on.
func (s *Store) fault(op string, err error) error {
	if err == nil {
		return nil
	}
	var d *duckdb.Error
	known := errors.As(err, &d)
	if known && d.Type == duckdb.ErrorTypeFatal || strings.Contains(err.Error(), "database has been invalidated") {
		s.lame.Store(true)
	}
	if strings.Contains(err.Error(), "Corrupt database file") {
		s.decayed.Store(true)
	}
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || fault.Of(err) != "":
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "database is closed"):
		return fault.New(fault.Unavailable, "%s: the event store is closed: %w", op, err)
	case strings.Contains(err.Error(), "No space left"): // a commit says it in an error of another type
		return fault.New(fault.Unavailable, "%s: the disk is full; make room, and it goes on by itself: %w", op, err)
	case known:
		switch d.Type {
		case duckdb.ErrorTypeIO, duckdb.ErrorTypeFatal, duckdb.ErrorTypeOutOfMemory, duckdb.ErrorTypePermission, duckdb.ErrorTypeInternal:
			return fault.New(fault.Unavailable, "%s: %w", op, err)
		}
	}
	return fmt.Errorf("%s: %w", op, err)
}
