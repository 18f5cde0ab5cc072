// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"citywall/internal/fault"
)

func steps(sqls ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i, s := range sqls {
		m[fmt.Sprintf("migrations/sqlite/%05d_step.sql", i+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + s + "\n")}
	}
	return m
}

func open(t *testing.T, path string) *DB {
	t.Helper()
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func backups(t *testing.T, path string) []string {
	t.Helper()
	m, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.backup"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const one = "create table a_note (id integer primary key, t text not null unique);"

func TestMigrateBacksUpExistingData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.db")
	d := open(t, path)
	if err := d.Migrate(t.Context(), "a", steps(one)); err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(t.Context(), "b", steps("create table b_note (id integer primary key);")); err != nil {
		t.Fatal(err)
	}
	if b := backups(t, path); len(b) != 0 {
		t.Fatalf("a new database was backed up: %v", b)
	}
	if _, err := d.ExecContext(t.Context(), "insert into a_note (t) values ('kept')"); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	d = open(t, path)
	if err := d.Migrate(t.Context(), "a", steps(one)); err != nil {
		t.Fatal(err)
	}
	if b := backups(t, path); len(b) != 0 {
		t.Fatalf("backed up without a migration: %v", b)
	}
	if err := d.Migrate(t.Context(), "a", steps(one, "alter table a_note add column u text;", "delete from a_note;")); err != nil {
		t.Fatal(err)
	}
	b := backups(t, path)
	if len(b) != 1 {
		t.Fatalf("backups %v, want one", b)
	}
	if fi, err := os.Stat(b[0]); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("backup's mode %v, %v", fi.Mode(), err)
	}
	old := open(t, b[0])
	var kept string
	if err := old.QueryRowContext(t.Context(), "select t from a_note").Scan(&kept); err != nil || kept != "kept" {
		t.Errorf("the backup holds %q, %v", kept, err)
	}
	if err := old.Migrate(t.Context(), "a", steps(one)); err != nil {
		t.Errorf("the backup is not at the old version: %v", err)
	}
}

// TestFailedMigration leaves the tables as they were, and the next start tries
// again.
func TestFailedMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.db")
	d := open(t, path)
	if err := d.Migrate(t.Context(), "a", steps(one)); err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(t.Context(), "a", steps(one, "create table a_more (id integer);\ninsert into nowhere values (1);")); err == nil {
		t.Fatal("a broken migration passed")
	}
	var n int
	if err := d.QueryRowContext(t.Context(), "select count(*) from sqlite_master where name = 'a_more'").Scan(&n); err != nil || n != 0 {
		t.Errorf("half a migration stayed: %d, %v", n, err)
	}
	if err := d.Migrate(t.Context(), "a", steps(one, "create table a_more (id integer);")); err != nil {
		t.Error(err)
	}
}

func TestOlderProgramRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "police.db")
	d := open(t, path)
	if err := d.Migrate(t.Context(), "case", steps(one, "create table a_two (id integer);")); err != nil {
		t.Fatal(err)
	}
	err := d.Migrate(t.Context(), "case", steps(one))
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "newer Citywall (case at version 2, this program knows 1)") {
		t.Errorf("error %v", err)
	}
}

// TestOddPath: what stands in a folder's name never becomes a parameter.
func TestOddPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?mode=ro&x=%41#城")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d := open(t, filepath.Join(dir, "city.db"))
	if err := d.Migrate(t.Context(), "a", steps(one)); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(filepath.Join(dir, "city.db"))
	if err != nil || fi.Size() == 0 {
		t.Fatalf("the file is elsewhere: %v", err)
	}
	if fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", fi.Mode())
	}
}

// TestSettings: every connection of the pool has them, not only the first.
func TestSettings(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "x.db"))
	var conns []*sql.Conn
	for range 4 {
		c, err := d.DB.DB.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for _, c := range conns {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
			var got string
			if err := c.QueryRowContext(t.Context(), "pragma "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s = %q (%v), want %s", pragma, got, err, want)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestKinds(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "x.db"))
	if err := d.Migrate(t.Context(), "a", steps(one)); err != nil {
		t.Fatal(err)
	}
	insert := func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "insert into a_note (t) values (?)", "same")
		return err
	}
	if err := d.Write(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), insert); !fault.Is(err, fault.Conflict) {
		t.Errorf("taken key: %v", err)
	}
	var s string
	if err := Err("read", d.QueryRowContext(t.Context(), "select t from a_note where id = 77").Scan(&s)); !fault.Is(err, fault.NotFound) {
		t.Errorf("no row: %v", err)
	}
	own := fault.New(fault.Forbidden, "no")
	if err := d.Write(t.Context(), func(context.Context, bun.Tx) error { return own }); !fault.Is(err, fault.Forbidden) {
		t.Errorf("own kind: %v", err)
	}
	junk := filepath.Join(t.TempDir(), "junk.db")
	if err := os.WriteFile(junk, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), junk); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no database: %v", err)
	}
}

// TestOtherProcess: a writer elsewhere that holds the lock makes ours busy,
// not broken; its own handle stands for the other process.
func TestOtherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	d := open(t, path)
	if err := d.Migrate(t.Context(), "a", steps(one)); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Exec("begin immediate"); err != nil {
		t.Fatal(err)
	}
	conn, err := d.DB.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "pragma busy_timeout(0)"); err != nil {
		t.Fatal(err)
	}
	_, err = conn.ExecContext(t.Context(), "insert into a_note (t) values ('x')")
	if !fault.Is(Err("insert", err), fault.Busy) {
		t.Errorf("error %v", Err("insert", err))
	}
}

// TestManyWriters: readers and writers at once; nobody fails, nothing is lost.
func TestManyWriters(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "x.db"))
	if err := d.Migrate(t.Context(), "a", steps("create table a_n (id integer primary key, n integer not null);\ninsert into a_n values (1, 0);")); err != nil {
		t.Fatal(err)
	}
	const writers, each = 12, 15
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				err := d.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					var n int // read, then write: a lost update would show
					if err := tx.QueryRowContext(ctx, "select n from a_n where id = 1").Scan(&n); err != nil {
						return err
					}
					_, err := tx.ExecContext(ctx, "update a_n set n = ? where id = 1", n+1)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			last := 0
			for range each {
				var n int
				if err := d.QueryRowContext(t.Context(), "select n from a_n where id = 1").Scan(&n); err != nil {
					t.Error(err)
				}
				if n < last {
					t.Errorf("went back from %d to %d", last, n)
				}
				last = n
			}
		})
	}
	wg.Wait()
	var n int
	if err := d.QueryRowContext(t.Context(), "select n from a_n").Scan(&n); err != nil || n != writers*each {
		t.Errorf("%d of %d changes are there (%v)", n, writers*each, err)
	}
}

// TestWriteGivesTheTurnBack after an error, a panic and a cancelled wait.
func TestWriteGivesTheTurnBack(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "x.db"))
	if err := d.Write(t.Context(), func(context.Context, bun.Tx) error { return fault.New(fault.Invalid, "x") }); err == nil {
		t.Fatal("no error")
	}
	func() {
		defer func() { _ = recover() }()
		_ = d.Write(t.Context(), func(context.Context, bun.Tx) error { panic("x") })
	}()
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Write(t.Context(), func(context.Context, bun.Tx) error {
		cancel()
		return d.Write(ctx, func(context.Context, bun.Tx) error { return nil }) // would wait for itself
	})
	if err != context.Canceled {
		t.Errorf("waiting and cancelled: %v", err)
	}
	if err := d.Write(t.Context(), func(context.Context, bun.Tx) error { return nil }); err != nil {
		t.Errorf("the turn is lost: %v", err)
	}
}

// TestTextFromOutside: any text goes in and comes back as Text made it.
func TestTextFromOutside(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "x.db"))
	type Note struct {
		bun.BaseModel `bun:"table:a_text"`
		ID            int64 `bun:",pk,autoincrement"`
		T             string
	}
	if err := d.Migrate(t.Context(), "a", steps("create table a_text (id integer primary key autoincrement, t text not null);")); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.StringMatching(`['"%_\\;-]{0,4}`).Draw(t, "marks")
		n := &Note{T: Text(s)}
		if _, err := d.NewInsert().Model(n).Exec(ctx); err != nil {
			t.Fatal(err)
		}
		var back Note
		if err := d.NewSelect().Model(&back).Where("id = ?", n.ID).Scan(ctx); err != nil {
			t.Fatal(err)
		}
		if back.T != Text(s) {
			t.Fatalf("%q came back as %q", Text(s), back.T)
		}
		found, err := d.NewSelect().Model((*Note)(nil)).Where(`t LIKE ? ESCAPE '\'`, Contains(s)).Where("id = ?", n.ID).Exists(ctx)
		if err != nil || !found {
			t.Fatalf("%q is not found by itself (%v)", s, err)
		}
	})
}
