// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"citywall/eventstore"
	"citywall/internal/durable"
	"citywall/internal/fault"
)

// Days implements eventstore.Keeper.
func (s *Store) Days(ctx context.Context) ([]eventstore.Day, error) {
	r, err := s.question(ctx)
	if err != nil {
		return nil, s.fault("days", err)
	}
	defer r.end(ctx)
	days := map[string]*eventstore.Day{}
	at := func(id string, first, last time.Time) *eventstore.Day {
		d := days[id]
		if d == nil {
			d = &eventstore.Day{ID: id, First: dayOf(first), Last: dayOf(last)}
			days[id] = d
		}
		return d
	}
	for _, f := range append(slices.Clone(r.files), r.lacks...) {
		d := at(f.id(), f.first, f.last)
		d.Sealed, d.Files, d.Bytes, d.Cased = d.Sealed+f.rows, d.Files+1, d.Bytes+f.bytes, d.Cased+f.cased
		if f.sealed.After(d.LastSealed) {
			d.LastSealed = f.sealed
		}
		if slices.ContainsFunc(r.lacks, func(x file) bool { return x.path == f.path }) {
			d.Unavailable += f.rows
		}
	}
	var hot int64
	for _, t := range r.tables {
		var n, cased int64
		var first, last any
		if err := r.conn.QueryRowContext(
			ctx, `SELECT count(*), count(*) FILTER (case_id <> ''), min(ts), max(ts) FROM "`+t.name+`"`,
		).Scan(&n, &cased, &first, &last); err != nil {
			return nil, s.fault("days", err)
		}
		if n == 0 {
			continue
		}
		id, from, to := t.day.Format(time.DateOnly), t.day, t.day
		if t.day.IsZero() {
			id, from, to = "other", first.(time.Time).UTC(), last.(time.Time).UTC()
		}
		d := at(id, from, to)
		d.Hot, d.Cased = d.Hot+n, d.Cased+cased
		hot += n
	}
	size, err := hotSize(s.dir)
	if err != nil {
		return nil, s.fault("days", err)
	}
	out := make([]eventstore.Day, 0, len(days))
	for _, d := range days {
		if hot > 0 {
			d.HotBytes = int64(float64(size) * float64(d.Hot) / float64(hot))
		}
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b eventstore.Day) int {
		return cmp.Or(a.First.Compare(b.First), a.Last.Compare(b.Last), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// hotSize is what the hot file and its log take.
func hotSize(dir string) (n int64, err error) {
	for _, name := range []string{fileName, fileName + ".wal"} {
		i, err := os.Stat(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if err == nil {
			n += i.Size()
		}
	}
	return n, nil
}

// LetGo implements eventstore.Keeper. The day is out of every answer when it
// returns; its files are deleted when the reads that began before have ended,
// or at the next opening.
func (s *Store) LetGo(ctx context.Context, id string) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	err := s.unlist(ctx, id)
	if err != nil {
		return err
	}
	s.poolMu.Lock()
	under := make([]*snapshot, 0, len(s.live))
	for r := range s.live { // those that begin later do not see the files
		under = append(under, r)
	}
	s.poolMu.Unlock()
	for _, r := range under {
		select {
		case <-r.done:
		case <-ctx.Done():
			return fmt.Errorf("let %s go: its files are still being read and go at the next start: %w", id, ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx, "let go"); err != nil {
		return err
	}
	return s.fault("let "+id+" go", s.deleteGone(ctx))
}

// unlist takes the files of a day out of the list, in one transaction with the
// note that they are to be deleted.
func (s *Store) unlist(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx, "let go"); err != nil {
		return err
	}
	var files []file
	for _, f := range s.files {
		if f.id() == id {
			files = append(files, f)
			if f.cased > 0 {
				return fault.New(fault.Conflict, "let %s go: %d of its events belong to a case's exhibits", id, f.cased)
			}
		}
	}
	for _, t := range s.tables {
		if !t.day.IsZero() && t.day.Format(time.DateOnly) == id {
			return fault.New(fault.Conflict, "let %s go: it has events that are not sealed yet", id)
		}
	}
	if len(files) == 0 {
		return fault.New(fault.NotFound, "let %s go: there is no such sealed day", id)
	}
	err := s.transact(ctx, "let go", func() error {
		for _, f := range files {
			if _, err := s.w.ExecContext(ctx, `DELETE FROM sealed WHERE path = $1`, f.path); err != nil {
				return err
			}
			if _, err := s.w.ExecContext(ctx, `INSERT INTO going VALUES ($1)`, f.path); err != nil {
				return err
			}
		}
		return s.step("letting go")
	})
	if err != nil {
		return err
	}
	if err := s.readTables(ctx); err != nil {
		s.stale = true
		return s.fault("let go", err)
	}
	return s.step("let go")
}

// deleteGone deletes the files that were let go. The caller holds mu or is
// Open.
func (s *Store) deleteGone(ctx context.Context) error {
	paths, err := s.texts(ctx, "SELECT path FROM going")
	if err != nil || len(paths) == 0 {
		return err
	}
	dirs := map[string]bool{}
	for _, p := range paths {
		full := s.path(filepath.FromSlash(p))
		if err := os.Remove(full); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		dirs[filepath.Dir(full)] = true
	}
	for d := range dirs {
		left, err := os.ReadDir(d)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if len(left) == 0 {
			if err := os.Remove(d); err != nil {
				return err
			}
			d = filepath.Dir(d)
		}
		if err := durable.SyncDir(d); err != nil {
			return err
		}
	}
	_, err = s.w.ExecContext(ctx, "DELETE FROM going")
	return err
}
