// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package dbtest runs the tests of the records on both engines. For tests
// only.
//
// A package of records opens its databases with Open and has one test
//
//	func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }
//
// Its tests run on SQLite as always; that one starts a PostgreSQL server and
// runs all of them again on it, each in a schema of its own. Without the
// programs of PostgreSQL it skips loudly, and CITYWALL_REQUIRE=postgres turns
// the skip into a failure.
package dbtest

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"citywall/internal/db"
)

// serverVar tells a test process which server to use.
const serverVar = "CITYWALL_DBTEST_POSTGRES"

// Open returns an empty database, an SQLite file in a folder of the test's own
// or a schema of the server of OnPostgres. It is closed with the test.
func Open(t testing.TB) *db.DB {
	t.Helper()
	if os.Getenv(serverVar) == "" {
		return Again(t, filepath.Join(t.TempDir(), "records.db"))
	}
	return Again(t, Schema(t, os.Getenv(serverVar)))
}

// Again opens once more what Open opened, by its Where.
func Again(t testing.TB, where string) *db.DB {
	t.Helper()
	open := db.Open
	if strings.HasPrefix(where, "postgres:") {
		open = db.OpenPostgres
	}
	d, err := open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Where returns a place for Again that holds nothing yet.
func Where(t testing.TB) string {
	t.Helper()
	if s := os.Getenv(serverVar); s != "" {
		return Schema(t, s)
	}
	return filepath.Join(t.TempDir(), "records.db")
}

// Schema makes a new schema and a user who owns it in the database at dsn, and
// returns the way to it.
func Schema(t testing.TB, dsn string) string {
	t.Helper()
	d, err := db.OpenPostgres(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	name := "t" + strings.ReplaceAll(uuid.NewString(), "-", "")
	for _, q := range []string{"create role " + name + " login password '" + name + "'", "create schema " + name + " authorization " + name} {
		if _, err := d.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(name, name)
	u.RawQuery = url.Values{"search_path": {name + ",public"}, "sslmode": {"disable"}}.Encode()
	return u.String()
}

// OnSQLite skips a test that looks at a file.
func OnSQLite(t testing.TB) {
	t.Helper()
	if os.Getenv(serverVar) != "" {
		t.Skip("of SQLite alone")
	}
}

// ran matches the line of a test that ran on PostgreSQL, of top level.
var ran = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\S+)`)

// OnPostgres runs all other tests of the package again, on a PostgreSQL server
// that lives as long as this test.
func OnPostgres(t *testing.T) {
	if os.Getenv(serverVar) != "" {
		t.Skip("this is the second run")
	}
	server := Server(t)
	args := []string{"-test.v", "-test.count=1", "-test.skip=^" + t.Name() + "$"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), serverVar+"="+server)
	out, err := cmd.CombinedOutput()
	n := map[string]int{}
	for _, m := range ran.FindAllSubmatch(out, -1) {
		n[string(m[1])]++
	}
	if err != nil || n["FAIL"] > 0 {
		t.Fatalf("on PostgreSQL: %v\n%s", err, failures(out))
	}
	if n["PASS"] == 0 {
		t.Fatalf("on PostgreSQL no test ran:\n%s", out)
	}
	t.Logf("on PostgreSQL: %d tests passed, %d are of SQLite alone", n["PASS"], n["SKIP"])
}

// failures leaves out what passed.
func failures(out []byte) string {
	var b strings.Builder
	for _, l := range bytes.Split(out, []byte("\n")) {
		if !bytes.Contains(l, []byte("=== ")) && !bytes.Contains(l, []byte("--- PASS")) {
			fmt.Fprintf(&b, "%s\n", l)
		}
	}
	return b.String()
}
