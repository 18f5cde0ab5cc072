// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"citywall/eventstore"
	"citywall/internal/durable"
	"citywall/internal/mishap"
)

// schemaFile has all columns and no rows, see Store.parquet.
const schemaFile = "day=1970-01-01/schema.parquet"

// scattered is the folder of files whose events are of many days.
const scattered = "day=other"

// file is one sealed file.
type file struct {
	path           string    // below the store's folder, with slashes
	day            time.Time // zero for scattered days
	rows, bytes    int64
	sha            string
	first, last    time.Time // of its events, whole microseconds
	untimed, cased int64     // events without a time of their own; of a case's exhibits
	sealed         time.Time
}

// holds reports whether f may have events of [from, to).
func (f file) holds(from, to time.Time) bool {
	return f.first.Before(to) && !f.last.Before(from.Truncate(time.Microsecond))
}

// id is what LetGo calls what f belongs to.
func (f file) id() string {
	if f.day.IsZero() {
		return strings.TrimSuffix(strings.TrimPrefix(f.path, "day="), ".parquet")
	}
	return f.day.Format(time.DateOnly)
}

func sealedFiles(ctx context.Context, db queryer) ([]file, error) {
	rows, err := db.QueryContext(ctx, "SELECT path, day, nrows, bytes, sha256, first_ts, last_ts, untimed, cased, sealed_at FROM sealed ORDER BY path")
	if err != nil {
		return nil, fmt.Errorf("list sealed files: %w", err)
	}
	defer rows.Close()
	var out []file
	for rows.Next() {
		var f file
		var day sql.NullTime
		if err := rows.Scan(&f.path, &day, &f.rows, &f.bytes, &f.sha, &f.first, &f.last, &f.untimed, &f.cased, &f.sealed); err != nil {
			return nil, fmt.Errorf("list sealed files: %w", err)
		}
		f.day, f.first, f.last, f.sealed = day.Time, f.first.UTC(), f.last.UTC(), f.sealed.UTC()
		out = append(out, f)
	}
	return out, rows.Err()
}

// listFile adds f to the list, in the transaction that is open.
func (s *Store) listFile(ctx context.Context, f file) error {
	var day any
	if !f.day.IsZero() {
		day = f.day
	}
	_, err := s.w.ExecContext(
		ctx, `INSERT INTO sealed (path, day, nrows, bytes, sha256, first_ts, last_ts, untimed, cased, sealed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		f.path, day, f.rows, f.bytes, f.sha, f.first, f.last, f.untimed, f.cased, f.sealed,
	)
	if err != nil {
		return fmt.Errorf("list %s: %w", f.path, err)
	}
	return nil
}

// whole divides files into those that can be read and those that cannot.
func (s *Store) whole(files []file) (good, lacks []file) {
	s.badMu.Lock()
	defer s.badMu.Unlock()
	if len(s.bad) == 0 {
		return files, nil
	}
	for _, f := range files {
		if s.bad[f.path] {
			lacks = append(lacks, f)
		} else {
			good = append(good, f)
		}
	}
	return good, lacks
}

// setApart takes a file out of every answer from now on.
func (s *Store) setApart(f file, k mishap.Kind) {
	s.badMu.Lock()
	known := s.bad[f.path]
	s.bad[f.path] = true
	s.badMu.Unlock()
	if !known {
		s.tell(mishap.New(k, s.path(filepath.FromSlash(f.path)), s.opt.Now(), "n", mishap.Num(f.rows), "day", f.id()))
	}
}

// look sets a file apart that is missing or not as long as it was.
func (s *Store) look(f file) (well bool) {
	i, err := os.Stat(s.path(filepath.FromSlash(f.path)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.setApart(f, mishap.FileMissing)
	case err != nil || i.Size() != f.bytes || !i.Mode().IsRegular():
		s.setApart(f, mishap.FileDamaged)
	default:
		return true
	}
	return false
}

// suspect looks for the files that made a question fail, and reports whether
// it set one apart. Only then are whole files read to find the one.
func (s *Store) suspect(err error, files []file) bool {
	var d *duckdb.Error
	if !errors.As(err, &d) || d.Type != duckdb.ErrorTypeIO && d.Type != duckdb.ErrorTypeInvalidInput && d.Type != duckdb.ErrorTypeSerialization && d.Type != duckdb.ErrorTypeInternal && d.Type != duckdb.ErrorTypeInvalid {
		return false
	}
	if strings.Contains(err.Error(), "Corrupt database file") { // the hot file
		return false
	}
	found := false
	for _, f := range files {
		found = !s.look(f) || found
	}
	if found {
		return true
	}
	for _, f := range files {
		if sum, _, err := hashFile(s.path(filepath.FromSlash(f.path))); err != nil || sum != f.sha {
			s.setApart(f, mishap.FileDamaged)
			found = true
		}
	}
	return found
}

// incomplete says which days an answer to w lacks, nil when none.
func (r *snapshot) incomplete(w *where) *eventstore.Incomplete {
	var i eventstore.Incomplete
	for _, f := range r.lacks {
		if (!w.bounded || f.holds(w.from, w.to)) && !slices.Contains(i.Days, f.id()) {
			i.Days = append(i.Days, f.id())
		}
	}
	if len(i.Days) == 0 {
		return nil
	}
	return &i
}

// partial is incomplete as the error of a question that has no page.
func (r *snapshot) partial(w *where) error {
	if i := r.incomplete(w); i != nil {
		return i
	}
	return nil
}

func hashFile(name string) (sum string, n int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if n, err = io.Copy(h, f); err != nil {
		return "", n, err
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// dayFolders returns the folders of sealed days, sorted.
func (s *Store) dayFolders() ([]string, error) {
	es, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range es {
		if e.IsDir() && strings.HasPrefix(e.Name(), "day=") {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// tidy brings the folders in line with the list: what the list names must be
// there, what it does not name is moved aside, what was let go is deleted.
func (s *Store) tidy(ctx context.Context) error {
	// Half-made files and DuckDB's spill: their events are where they were.
	if err := os.RemoveAll(s.path(tmpDir)); err != nil {
		return err
	}
	for _, d := range []string{tmpDir, path.Dir(schemaFile)} {
		if err := durable.Mkdir(s.path(d)); err != nil {
			return err
		}
	}
	if err := s.writeSchema(ctx); err != nil {
		return err
	}
	if err := s.deleteGone(ctx); err != nil {
		return err
	}
	named := map[string]bool{schemaFile: true}
	for _, f := range s.files {
		named[f.path] = true
		s.look(f)
	}
	return s.moveStrays(named)
}

// writeSchema makes the empty file anew: it must have the columns of this
// program.
func (s *Store) writeSchema(ctx context.Context) error {
	tmp := s.path(tmpDir, "schema")
	if _, err := s.w.ExecContext(ctx, `COPY (SELECT * FROM "`+s.writable(time.Time{})+`" LIMIT 0) TO '`+tmp+`' (FORMAT parquet)`); err != nil {
		return fmt.Errorf("write %s: %w", schemaFile, err)
	}
	b, err := os.ReadFile(tmp)
	if err != nil {
		return err
	}
	return durable.Replace(s.path(filepath.FromSlash(schemaFile)), 0o600, b)
}

// moveStrays moves what lies in the folders of days and is not named aside.
func (s *Store) moveStrays(named map[string]bool) error {
	dirs, err := s.dayFolders()
	if err != nil {
		return err
	}
	for _, d := range dirs {
		es, err := os.ReadDir(s.path(d))
		if err != nil {
			return err
		}
		for _, e := range es {
			if named[d+"/"+e.Name()] {
				continue
			}
			to, err := s.aside(s.path(d, e.Name()), d+"."+e.Name())
			if err != nil {
				return err
			}
			s.tell(mishap.New(mishap.FileStray, s.path(d, e.Name()), s.opt.Now(), "aside", to))
		}
	}
	return nil
}

// aside moves a file out of the way and returns where it is now.
func (s *Store) aside(name, as string) (string, error) {
	if err := durable.Mkdir(s.path(asideDir)); err != nil {
		return "", err
	}
	base := s.path(asideDir, as+"."+s.opt.Now().UTC().Format("20060102T150405Z"))
	to := base
	for n := 1; ; n++ {
		taken, err := exists(to)
		if err != nil {
			return "", err
		}
		if !taken {
			break
		}
		to = base + "-" + strconv.Itoa(n)
	}
	if err := os.Rename(name, to); err != nil {
		return "", err
	}
	return to, errors.Join(durable.SyncDir(s.path(asideDir)), durable.SyncDir(filepath.Dir(name)))
}

// rebuild makes the list of sealed files again from the folders, after the hot
// file was lost. It does nothing to a store that has a list.
func (s *Store) rebuild(ctx context.Context) error {
	if len(s.files) > 0 {
		return nil
	}
	dirs, err := s.dayFolders()
	if err != nil {
		return err
	}
	if err := errors.Join(durable.Mkdir(s.path(tmpDir)), durable.Mkdir(s.path(path.Dir(schemaFile)))); err != nil {
		return err
	}
	if err := s.writeSchema(ctx); err != nil {
		return err
	}
	var found []file
	for _, d := range dirs {
		names, err := filepath.Glob(s.path(d, "p*.parquet"))
		if err != nil {
			return err
		}
		for _, n := range names {
			f, err := s.describe(ctx, d+"/"+filepath.Base(n))
			if err != nil {
				to, merr := s.aside(n, d+"."+filepath.Base(n))
				if merr != nil {
					return merr
				}
				s.tell(mishap.New(mishap.FileUnread, n, s.opt.Now(), "why", err.Error(), "aside", to))
				continue
			}
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return nil
	}
	names, err := s.readNamesFile()
	if err != nil {
		return err
	}
	var rows int64
	err = s.transact(ctx, "rebuild", func() error {
		for _, f := range found {
			if err := s.listFile(ctx, f); err != nil {
				return err
			}
			rows += f.rows
		}
		if len(names) > 0 {
			if _, err := s.w.ExecContext(ctx, `INSERT INTO names SELECT unnest($1::VARCHAR[])`, names); err != nil {
				return err
			}
		}
		_, err := s.w.ExecContext(ctx, `UPDATE progress SET events = events + $1`, rows)
		return err
	})
	if err != nil {
		return err
	}
	s.names.add(names)
	s.tell(mishap.New(mishap.Rebuilt, s.dir, s.opt.Now(), "files", strconv.Itoa(len(found)), "n", mishap.Num(rows)))
	return s.readTables(ctx)
}

// describe reads what the list says of a file out of the file itself.
func (s *Store) describe(ctx context.Context, name string) (file, error) {
	full := s.path(filepath.FromSlash(name))
	f := file{path: name}
	i, err := os.Stat(full)
	if err != nil {
		return f, err
	}
	f.sealed = i.ModTime().UTC().Truncate(time.Microsecond)
	if day, err := time.Parse(time.DateOnly, strings.TrimPrefix(path.Dir(name), "day=")); err == nil {
		f.day = day
	} else if path.Dir(name) != scattered {
		return f, fmt.Errorf("its folder is no day")
	}
	st, err := s.stats(ctx, s.w, s.parquet(name)+" t", "TRUE")
	if err != nil {
		return f, err
	}
	if st.rows == 0 {
		return f, fmt.Errorf("it holds no events")
	}
	if !f.day.IsZero() && (st.first.Before(f.day) || !st.last.Before(f.day.Add(24*time.Hour))) {
		return f, fmt.Errorf("it holds events of another day than its folder")
	}
	f.rows, f.first, f.last, f.untimed, f.cased = st.rows, st.first, st.last, st.untimed, st.cased
	f.sha, f.bytes, err = hashFile(full)
	return f, err
}
