// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"

	"citywall/internal/fault"
)

// layout1 makes a file as the first layout had it, with the events of a store.
func layout1(t *testing.T, from, to string) {
	t.Helper()
	c, err := duckdb.NewConnector(filepath.Join(to, fileName), nil)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer db.Close()
	db.SetMaxOpenConns(1)
	do := func(q string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	do("ATTACH '" + filepath.Join(from, fileName) + "' AS now (READ_ONLY)")
	for _, q := range []string{
		`CREATE TABLE meta ("key" VARCHAR PRIMARY KEY, "value" VARCHAR NOT NULL)`,
		`CREATE TABLE applied (msg_id VARCHAR PRIMARY KEY, seen TIMESTAMP NOT NULL)`,
		`CREATE TABLE sealed (path VARCHAR PRIMARY KEY, day DATE NOT NULL, nrows BIGINT NOT NULL, sha256 VARCHAR NOT NULL)`,
		`CREATE TABLE hot (name VARCHAR PRIMARY KEY, day DATE)`,
		`CREATE TABLE names (name VARCHAR NOT NULL)`,
		`INSERT INTO meta SELECT * FROM now.meta`, `UPDATE meta SET "value" = '1' WHERE "key" = 'layout'`,
		`INSERT INTO applied SELECT * FROM now.applied`, `INSERT INTO names SELECT * FROM now.names ORDER BY rowid`,
		`INSERT INTO hot SELECT name, day FROM now.hot`,
	} {
		do(q)
	}
	var list string
	if err := db.QueryRowContext(t.Context(), "SELECT string_agg(name, ',') FROM hot").Scan(&list); err != nil {
		t.Fatal(err)
	}
	for _, n := range strings.Split(list, ",") {
		do(strings.ReplaceAll(createTable(n), " USING COMPRESSION zstd", ""))
		do(`INSERT INTO "` + n + `" SELECT * FROM now."` + n + `"`)
	}
}

// A store of the first layout is brought forward, its file kept as a backup,
// and what it answers stays the same.
func TestMigrate(t *testing.T) {
	dir, old := t.TempDir(), t.TempDir()
	s := openWith(t, Options{Dir: dir})
	days(t, s, 2, 300)
	before := answers(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	layout1(t, dir, old)
	for range 2 {
		s = openWith(t, Options{Dir: old})
		if d := cmp.Diff(before, answers(t, s)); d != "" {
			t.Fatalf("the answers changed (-before +after):\n%.2000s", d)
		}
		days(t, s, 2, 300) // the same message ids
		if n := count(t, s, nil); n != 600 {
			t.Errorf("%d events, want 600", n)
		}
		noMishap(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = openWith(t, Options{Dir: old})
	seal(t, s, farFuture)
	if d := cmp.Diff(before, answers(t, s)); d != "" {
		t.Errorf("sealed: the answers changed (-before +after):\n%.2000s", d)
	}
	kept, err := filepath.Glob(filepath.Join(old, fileName+".before-2.*.backup"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the backup of the migration: %v %v", kept, err)
	}
	// A newer one is refused with a sentence, and not touched.
	if _, err := s.w.ExecContext(t.Context(), `UPDATE meta SET "value" = '3' WHERE "key" = 'layout'`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: old}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "newer one") {
		t.Errorf("a newer layout: %v", err)
	}
}
