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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"citywall/eventstore"
	"citywall/internal/durable"
	"citywall/internal/fault"
)

// A day is sealed in these steps, and may be killed between any two of them:
//
//	freeze   its hot table takes no more events; late ones get a new table
//	copy     into tmp/, sorted by time, one file for about Options.SealRows
//	check    number and content of the events in the files are those of the table
//	sync     the files' bytes
//	place    under their names in the day's folder; the folder is synced
//	commit   in one transaction: the files into the list, the table gone
//	give back the table's room in the hot file
//
// Before the commit the table is what is read, after it the files. A file that
// was placed and not committed is moved aside at the next opening, and the
// table is sealed again. A late event's table becomes the day's next file.

// Seal implements eventstore.Keeper.
func (s *Store) Seal(ctx context.Context, due time.Time) ([]eventstore.Sealed, error) {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	ts, err := s.freeze(ctx, due.UTC())
	if err != nil {
		return nil, err
	}
	var out []eventstore.Sealed
	for _, t := range ts {
		x, err := s.sealTable(ctx, t)
		if err != nil {
			return out, s.fault("seal "+t.name, err)
		}
		if x.Events > 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

// freeze chooses the tables that are due and returns them with those that an
// earlier sealing left frozen.
func (s *Store) freeze(ctx context.Context, due time.Time) ([]table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx, "seal"); err != nil {
		return nil, err
	}
	var fresh []table
	for _, t := range s.tables {
		ended := t.day.IsZero() || !t.day.Add(24*time.Hour).After(due)
		if t.frozen || !ended || t.made.After(due) {
			continue
		}
		if t.day.IsZero() { // always there; not worth a file when it is empty
			var n int64
			if err := s.w.QueryRowContext(ctx, `SELECT count(*) FROM "`+t.name+`"`).Scan(&n); err != nil {
				return nil, s.fault("seal", err)
			}
			if n == 0 {
				continue
			}
		}
		fresh = append(fresh, t)
	}
	if len(fresh) > 0 {
		err := s.transact(ctx, "seal: freeze", func() error {
			for _, t := range fresh {
				if _, err := s.w.ExecContext(ctx, `UPDATE hot SET frozen = TRUE WHERE name = $1`, t.name); err != nil {
					return err
				}
				t.frozen = true
				s.tables[t.name] = t
				if t.day.IsZero() {
					name := s.freeName(time.Time{})
					if err := s.makeTable(ctx, name, time.Time{}); err != nil {
						return err
					}
					s.filters[name] = new(idFilter)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var out []table
	for _, t := range s.tables {
		if t.frozen {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b table) int { return strings.Compare(a.name, b.name) })
	return out, s.step("frozen")
}

func (s *Store) sealTable(ctx context.Context, t table) (eventstore.Sealed, error) {
	x := eventstore.Sealed{ID: t.day.Format(time.DateOnly)}
	folder := "day=" + x.ID
	if t.day.IsZero() {
		x.ID, folder = "other", scattered
	}
	r, err := s.snapshot(ctx)
	if err != nil {
		return x, err
	}
	files, tmps, err := s.copyTable(ctx, r, t)
	r.end(ctx)
	if err != nil {
		return x, err
	}
	if len(files) > 0 {
		if err := durable.Mkdir(s.path(folder)); err != nil {
			return x, err
		}
		if err := s.writeNamesFile(); err != nil {
			return x, err
		}
	}
	n, err := s.nextNumber(folder)
	if err != nil {
		return x, err
	}
	for i := range files {
		f := &files[i]
		f.path, f.day = folder+"/p"+strconv.Itoa(n+i)+".parquet", t.day
		if err := durable.Publish(tmps[i], s.path(filepath.FromSlash(f.path))); err != nil {
			return x, err
		}
		if err := s.step("placed"); err != nil {
			return x, err
		}
		x.Events, x.Bytes, x.Files = x.Events+f.rows, x.Bytes+f.bytes, append(x.Files, f.path)
	}
	return x, s.commitSeal(ctx, t, files)
}

// copyTable writes the events of a frozen table into files in tmp, checks and
// syncs them.
func (s *Store) copyTable(ctx context.Context, r *snapshot, t table) (files []file, tmps []string, err error) {
	from := `"` + t.name + `" t`
	cuts, err := s.cuts(ctx, r.conn, t)
	if err != nil {
		return nil, nil, err
	}
	for i := range len(cuts) - 1 {
		w := "ts >= " + timeText(cuts[i]) + " AND ts < " + timeText(cuts[i+1])
		tmp := s.path(tmpDir, "seal-"+t.name+"-"+strconv.Itoa(i))
		if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
		if _, err := r.conn.ExecContext(
			ctx, "COPY (SELECT * FROM "+from+" WHERE "+w+" ORDER BY ts, ns) TO '"+tmp+"' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)",
		); err != nil {
			return nil, nil, fmt.Errorf("copy: %w", err)
		}
		if err := s.step("copied"); err != nil {
			return nil, nil, err
		}
		want, err := s.stats(ctx, r.conn, from, w)
		if err != nil {
			return nil, nil, fmt.Errorf("check: %w", err)
		}
		got, err := s.stats(ctx, r.conn, "read_parquet('"+tmp+"', hive_partitioning=false) t", "TRUE")
		if err != nil {
			return nil, nil, fmt.Errorf("check: %w", err)
		}
		if got != want {
			return nil, nil, fault.New(fault.Unavailable, "check: the file holds %+v, the table %+v", got, want)
		}
		f := file{
			rows: got.rows, first: got.first, last: got.last, untimed: got.untimed, cased: got.cased, sealed: s.opt.Now().UTC().Truncate(time.Microsecond),
		}
		if f.sha, f.bytes, err = hashFile(tmp); err != nil {
			return nil, nil, err
		}
		if err := os.Chmod(tmp, 0o400); err != nil {
			return nil, nil, err
		}
		if err := s.step("checked"); err != nil {
			return nil, nil, err
		}
		files, tmps = append(files, f), append(tmps, tmp)
	}
	return files, tmps, nil
}

// commitSeal changes from the table to the files and gives the room back.
func (s *Store) commitSeal(ctx context.Context, t table, files []file) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx, "commit"); err != nil {
		return err
	}
	err := s.transact(ctx, "commit", func() error {
		for _, f := range files {
			if err := s.listFile(ctx, f); err != nil {
				return err
			}
		}
		if _, err := s.w.ExecContext(ctx, `DELETE FROM hot WHERE name = $1`, t.name); err != nil {
			return err
		}
		if _, err := s.w.ExecContext(ctx, `DROP TABLE "`+t.name+`"`); err != nil {
			return err
		}
		return s.step("committing")
	})
	if err != nil {
		return err
	}
	if err := s.readTables(ctx); err != nil {
		s.stale = true
		return err
	}
	if err := s.step("committed"); err != nil {
		return err
	}
	s.writeMark()
	// Other transactions may stand in the way; then a later checkpoint gives the
	// room back.
	_, err = s.w.ExecContext(ctx, "CHECKPOINT")
	var d *duckdb.Error
	if err != nil && !(errors.As(err, &d) && d.Type == duckdb.ErrorTypeTransaction) {
		return fmt.Errorf("give the room back: %w", err)
	}
	return s.step("done")
}

// tableStats are what a file must have in common with the table it was made
// from.
type tableStats struct {
	rows           int64
	first, last    time.Time
	untimed, cased int64
	sum            string // of the hashes of all rows: their content, in any order
}

func (s *Store) stats(ctx context.Context, c *sql.Conn, from, where string) (tableStats, error) {
	var st tableStats
	var first, last sql.NullTime
	err := c.QueryRowContext(
		ctx, "SELECT count(*), min(ts), max(ts), count(*) FILTER (NOT timed), count(*) FILTER (case_id <> ''), coalesce(sum(hash("+columnList+"))::VARCHAR, '') FROM "+from+" WHERE "+where,
	).Scan(&st.rows, &first, &last, &st.untimed, &st.cased, &st.sum)
	st.first, st.last = first.Time.UTC(), last.Time.UTC()
	return st, err
}

// cuts divides the time of a table into stretches of about Options.SealRows
// events. A sort of a whole city's day would need its size again as spill, and
// smaller files are skipped by time.
func (s *Store) cuts(ctx context.Context, c *sql.Conn, t table) ([]time.Time, error) {
	rows, err := c.QueryContext(ctx, `SELECT time_bucket(INTERVAL 1 minute, ts) AS m, count(*) FROM "`+t.name+`" GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("look over the day: %w", err)
	}
	defer rows.Close()
	var out []time.Time
	var last time.Time
	var in int64
	for rows.Next() {
		var m time.Time
		var n int64
		if err := rows.Scan(&m, &n); err != nil {
			return nil, fmt.Errorf("look over the day: %w", err)
		}
		m = m.UTC()
		if len(out) == 0 || in > 0 && in+n > s.opt.SealRows {
			out, in = append(out, m), 0
		}
		in, last = in+n, m
	}
	if len(out) > 0 {
		out = append(out, last.Add(time.Minute))
	}
	return out, rows.Err()
}

// nextNumber returns the first number that no file of the folder has.
func (s *Store) nextNumber(folder string) (int, error) {
	n := 0
	see := func(name string) {
		if i, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "p"), ".parquet")); err == nil {
			n = max(n, i+1)
		}
	}
	es, err := os.ReadDir(s.path(folder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	for _, e := range es {
		see(e.Name())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files { // also those that are missing
		if strings.HasPrefix(f.path, folder+"/") {
			see(f.path)
		}
	}
	return n, nil
}

func timeText(t time.Time) string {
	return "TIMESTAMP '" + t.UTC().Format("2006-01-02 15:04:05.999999") + "'"
}
