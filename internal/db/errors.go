// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package db

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"citywall/internal/fault"
)

// Err wraps err with the operation and gives it the kind a caller can act on.
// An error that has a kind keeps it; nil stays nil.
func Err(op string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := err
	if op != "" {
		wrapped = fmt.Errorf("%s: %w", op, err)
	}
	if fault.Of(err) != "" {
		return wrapped
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "%w", wrapped)
	}
	if k := postgresKind(err); k != "" {
		return fault.New(k, "%w", wrapped)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return wrapped
	}
	switch e.Code() & 0xff { // the primary code; the rest is detail
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.New(fault.Busy, "%w", wrapped)
	case sqlite3.SQLITE_CONSTRAINT:
		return fault.New(fault.Conflict, "%w", wrapped)
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOTADB:
		return fault.New(fault.Unavailable, "%w", wrapped)
	}
	return wrapped
}

// postgresKind reads the SQLSTATE (PostgreSQL documentation, appendix A), and
// knows a server that does not answer.
func postgresKind(err error) fault.Kind {
	var p *pgconn.PgError
	if !errors.As(err, &p) {
		var c *pgconn.ConnectError
		var n *net.OpError
		if errors.As(err, &c) || errors.As(err, &n) || errors.Is(err, driver.ErrBadConn) {
			return fault.Unavailable
		}
		return ""
	}
	switch p.Code {
	case "55P03", "40001", "40P01": // lock not available, serialization failure, deadlock
		return fault.Busy
	case "P0001": // raised by a trigger: what never changes
		return fault.Conflict
	case "57014": // cancelled by whoever asked
		return ""
	case "42501": // no privilege
		return fault.Unavailable
	}
	switch p.Code[:min(2, len(p.Code))] {
	case "23": // integrity constraint
		return fault.Conflict
	case "08", "28", "3D", "53", "57", "58", "F0", "XX": // connection, sign-in, no such database, resources, operator, system, configuration, internal
		return fault.Unavailable
	}
	return ""
}

// Text makes a text from outside storable: NUL, which no engine takes, and
// bytes that are not UTF-8 become U+FFFD. Names of hosts and accounts come
// from records that an intruder may have written.
func Text(s string) string {
	if utf8.ValidString(s) && !strings.ContainsRune(s, 0) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// Contains returns the pattern that finds s anywhere in a column, for
// LIKE ? ESCAPE '\'.
func Contains(s string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(Text(s)) + "%"
}
