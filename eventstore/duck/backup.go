// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"citywall/eventstore"
	"citywall/internal/durable"
	"citywall/internal/fault"
)

// Backup implements eventstore.Backuper: sealed files as they are, hot tables and lists as Parquet under
// restore/, where the next opening of a restored folder takes them in. Files
// let go meanwhile stay until it has ended.
func (s *Store) Backup(ctx context.Context, a eventstore.Archive) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	r, err := s.snapshot(ctx)
	if err != nil {
		return s.fault("backup", err)
	}
	defer r.end(ctx)
	for _, f := range r.lacks {
		return fault.New(fault.Unavailable, "backup: the sealed file %s is missing or damaged; put it back from an older backup, or move the day out of the way", f.path)
	}
	dir := s.path(tmpDir, "backup")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := durable.Mkdir(dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	type part struct{ name, query string }
	parts := []part{
		{"applied", "SELECT * FROM applied"}, {"progress", "SELECT * FROM progress"}, {"sealed", "SELECT * FROM sealed"}, {"hot", "SELECT * FROM hot"},
		{"names", "SELECT name FROM names ORDER BY rowid"}, {"meta", `SELECT * FROM meta`},
	}
	for _, t := range r.tables {
		parts = append(parts, part{t.name, `SELECT * FROM "` + t.name + `"`})
	}
	for _, p := range parts {
		name := p.name + ".parquet"
		if _, err := r.conn.ExecContext(ctx, "COPY ("+p.query+") TO '"+filepath.Join(dir, name)+"' (FORMAT parquet, COMPRESSION zstd)"); err != nil {
			return s.fault("backup: "+p.name, err)
		}
		if err := a.Add(ctx, restoreDir+"/"+name, filepath.Join(dir, name)); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, f := range r.files {
		if err := a.Fixed(ctx, f.path, s.path(filepath.FromSlash(f.path)), f.sha, f.bytes); err != nil {
			return err
		}
	}
	return nil
}

// takenIn in meta says that restore/ was taken in, and may go.
const takenIn = "taken_in"

// takeIn takes a restored backup in, in one transaction, into an empty store.
func (s *Store) takeIn(ctx context.Context) error {
	dir := s.path(restoreDir)
	there, err := exists(dir)
	if err != nil || !there {
		return err
	}
	var done int
	if err := s.w.QueryRowContext(ctx, `SELECT count(*) FROM meta WHERE "key" = '`+takenIn+`'`).Scan(&done); err != nil {
		return err
	}
	if done == 0 {
		if s.at.events > 0 || len(s.files) > 0 {
			return fault.New(fault.Conflict, "%s lies in a store that is not empty; restore into an empty folder, or move it away", dir)
		}
		if err := s.readBackup(ctx, dir); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := durable.SyncDir(s.dir); err != nil {
		return err
	}
	_, err = s.w.ExecContext(ctx, `DELETE FROM meta WHERE "key" = '`+takenIn+`'`)
	return err
}

func (s *Store) readBackup(ctx context.Context, dir string) error {
	from := func(name string) string {
		return "read_parquet('" + filepath.Join(dir, name+".parquet") + "', hive_partitioning=false)"
	}
	var have string
	if err := s.w.QueryRowContext(ctx, `SELECT "value" FROM `+from("meta")+` WHERE "key" = 'layout'`).Scan(&have); err != nil {
		return fmt.Errorf("read its layout: %w", err)
	}
	if have != fmt.Sprint(layout) {
		return fault.New(fault.Invalid, "the backup has layout %s, this program knows %d; start the program that made it first", have, layout)
	}
	tables, err := s.texts(ctx, "SELECT name FROM "+from("hot"))
	if err != nil {
		return err
	}
	for _, t := range tables {
		if !strings.HasPrefix(t, "hot_") || strings.ContainsAny(t, `"'/\`) {
			return fault.New(fault.Invalid, "the backup has a table %q, which no store makes", t)
		}
	}
	err = s.transact(ctx, "take in", func() error {
		steps := []string{
			`DELETE FROM hot`, `DROP TABLE "` + s.writable(time.Time{}) + `"`,
			`DELETE FROM meta`, `INSERT INTO meta SELECT * FROM ` + from("meta"), `INSERT INTO meta VALUES ('` + takenIn + `', '1')`,
			`INSERT INTO hot SELECT name, day, made, frozen FROM ` + from("hot"),
			`INSERT INTO applied SELECT * FROM ` + from("applied"), `INSERT INTO names SELECT name FROM ` + from("names"),
			`DELETE FROM progress`, `INSERT INTO progress SELECT * FROM ` + from("progress"), `INSERT INTO sealed SELECT * FROM ` + from("sealed"),
		}
		for _, t := range tables {
			steps = append(steps, createTable(t), `INSERT INTO "`+t+`" SELECT * FROM `+from(t))
		}
		for _, q := range steps {
			if _, err := s.w.ExecContext(ctx, q); err != nil {
				return fmt.Errorf("%.60s: %w", q, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := errors.Join(s.readMeta(ctx), s.readTables(ctx)); err != nil {
		return err
	}
	return s.readNames(ctx)
}
