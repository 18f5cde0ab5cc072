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
	"regexp"
	"strconv"
	"strings"
	"time"

	"citywall/internal/durable"
	"citywall/internal/mishap"
)

// DuckDB keeps checksums of every block and log entry and refuses what does not
// fit. What it says then is the only way to tell damage from a disk that is
// full or a file that another process holds.
var damageWords = []string{
	"Corrupt WAL file", "Failure while replaying WAL", "Corrupt database file", "not a valid DuckDB database file",
	"Could not read enough bytes", "Serialization Error", "INTERNAL Error",
}

var passingWords = []string{"No space left", "Out of Memory", "Could not set lock", "Permission denied", "configuration has been locked", "Too many open files"}

func damaged(err error) bool {
	for _, w := range passingWords {
		if strings.Contains(err.Error(), w) {
			return false
		}
	}
	for _, w := range damageWords {
		if strings.Contains(err.Error(), w) {
			return true
		}
	}
	return false
}

var walPosition = regexp.MustCompile(`entry at byte position (\d+)`)

// mend sets aside what an opening stumbled over, and reports whether it is
// worth another try: first the log beyond its first damaged entry, then the
// whole log, then the hot file. Nothing is deleted.
func (s *Store) mend(err error, try int) (again bool, _ error) {
	if try > 3 || !damaged(err) {
		return false, nil
	}
	wal := s.path(fileName + ".wal")
	there, serr := exists(wal)
	if serr != nil {
		return false, serr
	}
	if !there || !strings.Contains(err.Error(), "WAL") {
		return true, s.moveHotAside()
	}
	to, merr := s.aside(wal, filepath.Base(wal))
	if merr != nil {
		return false, merr
	}
	s.tell(mishap.New(mishap.WALDamaged, wal, s.opt.Now(), "aside", to))
	if m := walPosition.FindStringSubmatch(err.Error()); m != nil && try == 0 {
		at, perr := strconv.ParseInt(m[1], 10, 64)
		if perr != nil {
			return false, perr
		}
		if err := copyFile(to, wal, at); err != nil { // what stands before it is whole
			return false, err
		}
	}
	return true, nil
}

// moveHotAside makes room for a new hot file and remembers where the old one
// is, see salvage.
func (s *Store) moveHotAside() error {
	to, err := s.aside(s.path(fileName), fileName)
	if err != nil {
		return err
	}
	s.rotten = to
	wal := s.path(fileName + ".wal")
	if there, err := exists(wal); err != nil || !there {
		return err
	}
	if err := os.Rename(wal, to+".wal"); err != nil { // where DuckDB looks for it
		return err
	}
	return durable.SyncDir(s.path(asideDir))
}

// salvage copies what can still be read from the hot file that was set aside
// into the new one, and says what could not.
func (s *Store) salvage(ctx context.Context) error {
	old := s.rotten
	m, marked := s.mark.read()
	defer func() { s.rotten = "" }()
	var total, saved int64
	attach := func() error {
		_, err := s.w.ExecContext(ctx, "ATTACH '"+old+"' AS damaged (READ_ONLY)")
		return err
	}
	err := attach()
	if wal := old + ".wal"; err != nil {
		if there, _ := exists(wal); there { // then what stands in the file itself
			if rerr := os.Rename(wal, wal+".unread"); rerr != nil {
				return rerr
			}
			err = attach()
		}
	}
	if err == nil {
		total, saved, err = s.copyDamaged(ctx)
		if _, derr := s.w.ExecContext(context.WithoutCancel(ctx), "DETACH damaged"); derr != nil {
			err = errors.Join(err, derr)
		}
		if err != nil && !damaged(err) {
			return err
		}
	} else if !damaged(err) && !strings.Contains(err.Error(), "Corrupt") {
		return err
	}
	if err := s.readTables(ctx); err != nil {
		return err
	}
	if err := s.readNames(ctx); err != nil {
		return err
	}
	from, to := "?", "?"
	if marked {
		total = max(total, m.hot)
		from, to = mishap.Time(m.first), mishap.Time(m.last.Add(24*time.Hour))
	}
	s.tell(mishap.New(
		mishap.HotLost, s.path(fileName), s.opt.Now(), "n", mishap.Num(max(0, total-saved)), "of", mishap.Num(total), "from", from, "to", to, "aside", old,
	))
	return s.mark.clear()
}

// copyDamaged copies hot tables and lists out of the attached file. Lists that
// cannot be read are left out: that of sealed files is made again from the
// folders, the others only save work.
func (s *Store) copyDamaged(ctx context.Context) (total, saved int64, err error) {
	names, err := s.texts(ctx, `SELECT table_name FROM duckdb_tables() WHERE database_name = 'damaged' ORDER BY 1`)
	if err != nil {
		return 0, 0, err
	}
	try := func(q string, args ...any) error {
		_, err := s.w.ExecContext(ctx, q, args...)
		if err != nil && !damaged(err) {
			return err
		}
		return nil
	}
	for _, n := range names {
		switch {
		case n == "meta":
			err = try(`INSERT OR REPLACE INTO meta SELECT * FROM damaged.meta WHERE "key" = 'cursor_key'`)
		case n == "applied" || n == "sealed" || n == "going" || n == "names":
			err = try(`INSERT INTO ` + n + ` SELECT * FROM damaged.` + n)
		case strings.HasPrefix(n, "hot_"):
			var of, got int64
			of, got, err = s.copyRows(ctx, n)
			total, saved = total+of, saved+got
		}
		if err != nil {
			return total, saved, err
		}
	}
	return total, saved, try(`UPDATE progress SET events = $1 + (SELECT coalesce(sum(nrows), 0) FROM sealed)`, saved)
}

// copyRows copies one table, group of rows by group, halving a group that
// cannot be read until the rows that are lost stand alone.
func (s *Store) copyRows(ctx context.Context, name string) (of, got int64, err error) {
	if err := s.w.QueryRowContext(ctx, `SELECT count(*) FROM damaged."`+name+`"`).Scan(&of); err != nil {
		if damaged(err) {
			return 0, 0, nil
		}
		return 0, 0, err
	}
	day := time.Time{}
	if d, err := time.Parse("20060102", strings.SplitN(strings.TrimPrefix(name, "hot_"), "_", 2)[0]); err == nil {
		day = d
	}
	to := s.writable(day)
	if to == "" {
		to = s.freeName(day)
		if err := s.makeTable(ctx, to, day); err != nil {
			return of, 0, err
		}
	}
	const group, least = 122880, 2048 // rows of DuckDB's row group and vector
	var copyRange func(from, n int64) error
	copyRange = func(from, n int64) error {
		r, err := s.w.ExecContext(ctx, fmt.Sprintf(`INSERT INTO "%s" SELECT * FROM damaged."%s" WHERE rowid >= %d AND rowid < %d`, to, name, from, from+n))
		switch {
		case err == nil:
			k, err := r.RowsAffected()
			got += k
			return err
		case !damaged(err):
			return err
		case n <= least:
			return nil
		}
		if err := copyRange(from, n/2); err != nil {
			return err
		}
		return copyRange(from+n/2, n-n/2)
	}
	for at := int64(0); at < of; at += group {
		if err := copyRange(at, group); err != nil {
			return of, got, err
		}
	}
	return of, got, nil
}
