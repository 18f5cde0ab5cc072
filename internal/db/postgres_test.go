// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"context"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"citywall/internal/db"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
)

// TestServer holds what only PostgreSQL has against one server.
func TestServer(t *testing.T) {
	dsn := dbtest.Server(t)
	root := dbtest.Again(t, dsn)
	exec := func(t *testing.T, q ...string) {
		t.Helper()
		for _, q := range q {
			if _, err := root.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	to := func(change func(u *url.URL)) string {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	t.Run("databases that do not fit", func(t *testing.T) {
		exec(t, "create database plain template template0 encoding 'UTF8' locale 'C'", "create database narrow template template0 encoding 'LATIN1' locale 'C'",
			"create role nobody login", "create schema theirs")
		for name, want := range map[string]string{"plain": "does not know Chinese letters", "narrow": "not in UTF8", "postgres?search_path=nowhere": "names no schema", "nobody": "may not create tables"} {
			_, err := db.OpenPostgres(t.Context(), to(func(u *url.URL) {
				u.Path = name
				if p, q, ok := strings.Cut(name, "?"); ok {
					u.Path, u.RawQuery = p, q
				}
				if name == "nobody" {
					u.Path, u.User = "postgres", url.User("nobody")
				}
			}))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("no way in", func(t *testing.T) {
		for name, d := range map[string]string{
			"no user":     to(func(u *url.URL) { u.User = url.UserPassword("unknown", "hush-hush") }),
			"no database": to(func(u *url.URL) { u.User, u.Path = url.UserPassword("citywall", "hush-hush"), "unknown" }),
			"no server":   "postgres://citywall:hush-hush@127.0.0.1:1/x?sslmode=disable",
			"nonsense":    "postgres://citywall:hush-hush@127.0.0.1:port/x",
			"no string":   "hush-hush",
		} {
			_, err := db.OpenPostgres(t.Context(), d)
			want := fault.Unavailable
			if name == "nonsense" || name == "no string" {
				want = fault.Invalid
			}
			if !fault.Is(err, want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
			if err != nil && strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("%s: the error tells the secret: %v", name, err)
			}
		}
	})
	t.Run("apart", func(t *testing.T) {
		city, police := dbtest.Again(t, dbtest.Schema(t, dsn)), dbtest.Again(t, dbtest.Schema(t, dsn))
		for _, d := range []*db.DB{city, police} {
			if err := d.Migrate(t.Context(), "a", steps(one)); err != nil {
				t.Fatal(err)
			}
		}
		if err := city.Apart(t.Context(), police); err != nil {
			t.Error(err)
		}
		for name, o := range map[string]*db.DB{"the same": city, "a superuser": root} {
			if err := city.Apart(t.Context(), o); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		schema := strings.Trim(police.Path()[strings.Index(police.Path(), "("):], "()")
		other := strings.Trim(city.Path()[strings.Index(city.Path(), "("):], "()")
		exec(t, "grant select on "+schema+".a_note to "+other)
		if err := city.Apart(t.Context(), police); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), other) {
			t.Errorf("granted: %v", err)
		}
	})
	// Another process writes: our writer waits, and is busy in the end.
	t.Run("another process", func(t *testing.T) {
		where := dbtest.Schema(t, dsn) + "&lock_timeout=100"
		mine, theirs := dbtest.Again(t, where), dbtest.Again(t, where)
		if err := mine.Migrate(t.Context(), "a", steps(one)); err != nil {
			t.Fatal(err)
		}
		none := func(context.Context, bun.Tx) error { return nil }
		err := theirs.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error { return mine.Write(ctx, none) })
		if !fault.Is(err, fault.Busy) {
			t.Errorf("while another writes: %v", err)
		}
		if err := mine.Write(t.Context(), none); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("text index", func(t *testing.T) {
		d := dbtest.Again(t, dbtest.Schema(t, dsn))
		if err := d.Migrate(t.Context(), "a", steps(one)); err != nil {
			t.Fatal(err)
		}
		var has bool
		if err := d.QueryRowContext(t.Context(), "select exists (select from pg_available_extensions where name = 'pg_trgm')").Scan(&has); err != nil {
			t.Fatal(err)
		}
		if has {
			exec(t, "create extension if not exists pg_trgm schema public", "grant usage on schema public to public")
		}
		for range 2 { // the second time it is there
			if err := d.TextIndex(t.Context(), "a_note", "t"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.ExecContext(t.Context(), "insert into a_note (t) select '案件 ' || n from generate_series(1, 2000) n"); err != nil {
			t.Fatal(err)
		}
		if _, err := d.ExecContext(t.Context(), "insert into a_note (t) values ('金流追蹤報告'), ('幣流')"); err != nil {
			t.Fatal(err)
		}
		for _, w := range []string{"金流追蹤", "幣流", "流追"} {
			n, err := d.NewSelect().Table("a_note").Where(`t LIKE ? ESCAPE '\'`, db.Contains(w)).Count(t.Context())
			if err != nil || n != 1 {
				t.Errorf("%s: %d, %v", w, n, err)
			}
		}
		var plan string
		err := d.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.ExecContext(ctx, "set local enable_seqscan = off"); err != nil {
				return err
			}
			return tx.QueryRowContext(ctx, `explain (format json) select * from a_note where t like '%金流追蹤%' escape '\'`).Scan(&plan)
		})
		if err != nil || strings.Contains(plan, "a_note_t_trgm") != has {
			t.Errorf("pg_trgm %v, plan %s, %v", has, plan, err)
		}
	})
	t.Run("backup", func(t *testing.T) {
		if err := root.Backup(t.Context(), filepath.Join(t.TempDir(), "x")); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "pg_dump") {
			t.Error(err)
		}
	})
	// The tables of every capability of this program can be made here.
	t.Run("all migrations", func(t *testing.T) {
		d := dbtest.Again(t, dbtest.Schema(t, dsn))
		n := 0
		err := filepath.WalkDir("../..", func(p string, e fs.DirEntry, err error) error {
			if err != nil || !e.IsDir() || e.Name() != "migrations" {
				return err
			}
			if err := d.Migrate(t.Context(), filepath.Base(filepath.Dir(p)), os.DirFS(filepath.Dir(p))); err != nil {
				t.Error(err)
			}
			n++
			return fs.SkipDir
		})
		if err != nil || n < 4 {
			t.Errorf("%d folders of migrations, %v", n, err)
		}
	})
}
