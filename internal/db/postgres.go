// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"citywall/internal/fault"
)

// writerLock makes writers of all processes stand in line, as SQLite's file
// lock does, so that what is read in a transaction holds until its commit. It
// is released with the transaction. The first number is ours: "CITY".
const writerLock = `select pg_advisory_xact_lock(1128879193, hashtext(current_schema()))`

// howToCreate is told to whoever has a database that does not fit.
const howToCreate = "create one with: createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8 NAME"

// OpenPostgres opens the schema that dsn leads to: a URL
// (postgres://user:password@host:5432/database?sslmode=verify-full&search_path=city)
// or key=value pairs, as libpq has them. The database must be UTF-8 with its
// text in the order of bytes and its letters those of Unicode (C.UTF-8). What
// dsn holds is secret: no error shows it.
func OpenPostgres(ctx context.Context, dsn string) (*DB, error) {
	c, err := pgx.ParseConfig(strings.TrimSpace(dsn))
	if err != nil {
		// The parser's own words quote the text.
		return nil, fault.New(fault.Invalid, "open records: the text is no connection string of PostgreSQL like postgres://user:password@host:5432/database?sslmode=verify-full")
	}
	// bun writes values into the text, so every statement is another one: not
	// worth preparing. Extended protocol all the same: it takes one statement
	// at a time.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	for k, v := range map[string]string{
		"application_name":            "citywall",
		"client_encoding":             "UTF8",
		"standard_conforming_strings": "on", // bun quotes for it
		"synchronous_commit":          "on", // a commit that was reported survives loss of power
		"TimeZone":                    "UTC",
	} {
		c.RuntimeParams[k] = v
	}
	if c.RuntimeParams["lock_timeout"] == "" {
		c.RuntimeParams["lock_timeout"] = strconv.FormatInt(lockWait.Milliseconds(), 10)
	}
	s := stdlib.OpenDB(*c)
	s.SetMaxOpenConns(max(8, 2*runtime.NumCPU()))
	s.SetMaxIdleConns(max(4, 2*runtime.NumCPU()))
	d := newDB(bun.NewDB(s, pgdialect.New()), Postgres, fmt.Sprintf("PostgreSQL %s@%s:%d/%s", c.User, c.Host, c.Port, c.Database))
	if err := d.fits(ctx); err != nil {
		return nil, errors.Join(Err("open records in "+d.path, err), s.Close())
	}
	return d, nil
}

// fits checks what the contract rests on: encoding, order, letters, and a
// schema to write to.
func (d *DB) fits(ctx context.Context) error {
	var (
		schema                   sql.NullString
		encoding, ctype          string
		byBytes, letters, writes bool
	)
	if err := d.DB.DB.QueryRowContext(ctx, `select current_user, current_schema(), pg_encoding_to_char(encoding), datctype
		from pg_database where datname = current_database()`).Scan(&d.user, &schema, &encoding, &ctype); err != nil {
		return err
	}
	d.path += " (" + schema.String + ")"
	if encoding != "UTF8" {
		return fault.New(fault.Invalid, "the database is in %s, not in UTF8; %s", encoding, howToCreate)
	}
	if err := d.DB.DB.QueryRowContext(ctx, `select 'a' > 'B' and 'é' > 'z', '金' ~ '^[[:alpha:]]$' and lower('É') = 'é',
		coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)`).Scan(&byBytes, &letters, &writes); err != nil {
		return err
	}
	switch {
	case !letters:
		return fault.New(fault.Invalid, "the database does not know Chinese letters (its LC_CTYPE is %s), so that no index would find Chinese words; %s", ctype, howToCreate)
	case !byBytes:
		return fault.New(fault.Invalid, "the database sorts texts by a language, and lists need the order of bytes; %s", howToCreate)
	case !schema.Valid:
		return fault.New(fault.Invalid, "the search_path names no schema that exists; create it: CREATE SCHEMA city AUTHORIZATION %s", d.user)
	case !writes:
		return fault.New(fault.Invalid, "the user %s may not create tables in the schema %s: GRANT CREATE, USAGE ON SCHEMA %s TO %s", d.user, schema.String, schema.String, d.user)
	}
	return nil
}

// Apart returns an invalid error when the user of d, or that of o, may read
// the other's records. Both realms may lie in one PostgreSQL, but no role sees
// across. Files are apart by the rights of their folder.
func (d *DB) Apart(ctx context.Context, o *DB) error {
	if d.engine != Postgres || o.engine != Postgres {
		return nil
	}
	if d.path == o.path {
		return fault.New(fault.Invalid, "both realms would lie in %s: give each its own user, and its own database or schema", d.path)
	}
	for _, x := range [][2]*DB{{d, o}, {o, d}} {
		mine, theirs := x[0], x[1]
		// On a server that does not know the other user there is no row.
		var sees bool
		err := mine.DB.DB.QueryRowContext(ctx, `select coalesce((select bool_or(has_table_privilege(r.oid, c.oid, 'SELECT')) from pg_class c
			where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'), false) from pg_roles r where r.rolname = $1`, theirs.user).Scan(&sees)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return Err("compare the rights of the realms", err)
		}
		if sees {
			return fault.New(fault.Invalid, "the database user %s may read the records in %s, and no role sees across the realms: use two users, neither of them a superuser, and REVOKE what was granted", theirs.user, mine.path)
		}
	}
	return nil
}

// TextIndex makes LIKE '%…%' on a column quick where the engine can: on
// PostgreSQL with the extension pg_trgm, for words of three characters and
// more. Without it, and on SQLite, the answer is the same by reading all.
func (d *DB) TextIndex(ctx context.Context, table, column string) error {
	if d.engine != Postgres {
		return nil
	}
	var schema string
	find := func() error {
		return d.DB.DB.QueryRowContext(ctx, `select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
			where e.extname = 'pg_trgm' and has_schema_privilege(n.oid, 'USAGE')`).Scan(&schema)
	}
	err := find()
	if errors.Is(err, sql.ErrNoRows) {
		// Its owner may add it to his database; others go without.
		if _, err := d.DB.DB.ExecContext(ctx, `create extension if not exists pg_trgm`); err != nil {
			return nil //nolint:nilerr // no right to, or not installed: the index is a matter of speed alone
		}
		err = find()
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return Err("look for pg_trgm", err)
	}
	q := fmt.Sprintf("create index if not exists %s on %s using gin (%s %s)",
		pgx.Identifier{table + "_" + column + "_trgm"}.Sanitize(), pgx.Identifier{table}.Sanitize(), pgx.Identifier{column}.Sanitize(),
		pgx.Identifier{schema, "gin_trgm_ops"}.Sanitize())
	if _, err := d.DB.DB.ExecContext(ctx, q); err != nil {
		return Err("index "+table+"."+column, err)
	}
	return nil
}
