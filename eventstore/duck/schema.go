// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"strings"
	"time"
)

// layout is the version of tables and files. An older store is brought up to
// it when it is opened (migrate.go), a newer one is refused.
const layout = 2

// otherTable takes the events of days that have no table of their own, see
// Options.MaxDays. Like a day's table it gets a number behind it when one of
// that name is being sealed.
const otherTable = "hot_other"

// column is one column of every hot table and sealed file, in the order of the
// Appender.
type column struct{ name, typ string }

// columns hold, in this order, where the event stands in time, whose it is,
// the normalised columns of eventstore.Columns that are not already there, and
// what is needed to give the event back exactly. Unknown is NULL.
//
// ts is the time of eventstore.When in microseconds, rounded down, and ns the
// nanoseconds that this cuts off.
//
// fields and raw are nine tenths of an event; zstd makes the whole hot file
// less than half as large as what DuckDB would choose (426 -> 194 bytes an
// event of the traffic in the tests), for a tenth more time at a checkpoint.
var columns = []column{
	{"day", "DATE"}, // UTC day of ts: the folder's name when sealed
	{"ts", "TIMESTAMP"},
	{"ns", "SMALLINT"},
	{"timed", "BOOLEAN"}, // ts is the event's own time
	{"id", "UUID"},
	{"realm", "VARCHAR"},
	{"case_id", "VARCHAR"},
	{"agency", "VARCHAR"},
	{"received", "TIMESTAMP"},
	{"received_ns", "SMALLINT"},
	{"source", "VARCHAR"},
	{"product", "VARCHAR"},
	{"category", "VARCHAR"},
	{"service", "VARCHAR"},
	{"host", "VARCHAR"},
	{"host_ip", "VARCHAR"},
	{"user", "VARCHAR"},
	{"target_user", "VARCHAR"},
	{"src_ip", "VARCHAR"},
	{"src_host", "VARCHAR"},
	{"src_port", "INTEGER"},
	{"dst_ip", "VARCHAR"},
	{"dst_host", "VARCHAR"},
	{"dst_port", "INTEGER"},
	{"proto", "VARCHAR"},
	{"app", "VARCHAR"},
	{"event_id", "VARCHAR"},
	{"channel", "VARCHAR"},
	{"action", "VARCHAR"},
	{"outcome", "VARCHAR"},
	{"logon_type", "BIGINT"},
	{"process", "VARCHAR"},
	{"parent", "VARCHAR"},
	{"command", "VARCHAR"},
	{"file", "VARCHAR"},
	{"hash", "VARCHAR"},
	{"message", "VARCHAR"},
	{"session", "VARCHAR"},
	{"bytes_out", "BIGINT"},
	{"bytes_in", "BIGINT"},
	{"observer", "VARCHAR"},
	{"format", "VARCHAR"},
	{"time_raw", "VARCHAR"},
	{"uncertainty", "BIGINT"}, // ns
	{"zone_assumed", "BOOLEAN"},
	{"origin", "VARCHAR"}, // JSON of event.Origin without the four numbers that follow
	{"origin_offset", "BIGINT"},
	{"origin_line", "BIGINT"},
	{"origin_record", "UBIGINT"},
	{"origin_chunk", "INTEGER"},
	{"size", "INTEGER"},                          // bytes of fields and raw
	{"fields", "VARCHAR USING COMPRESSION zstd"}, // eventstore.AppendFields
	{"raw", "BLOB USING COMPRESSION zstd"},
	{"exact", "BLOB"}, // all texts as they were, when one is not UTF-8
}

// columnList names them all.
var columnList = func() string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = `"` + c.name + `"`
	}
	return strings.Join(names, ", ")
}()

// tableOf returns the name of the first hot table of a day.
func tableOf(day time.Time) string { return "hot_" + day.Format("20060102") }

func createTable(name string) string {
	defs := make([]string, len(columns))
	for i, c := range columns {
		defs[i] = `"` + c.name + `" ` + c.typ
	}
	return `CREATE TABLE IF NOT EXISTS "` + name + `" (` + strings.Join(defs, ", ") + `)`
}

var setUp = []string{
	`CREATE TABLE IF NOT EXISTS meta ("key" VARCHAR PRIMARY KEY, "value" VARCHAR NOT NULL)`,
	// What was committed; rows older than Options.Remember are dropped.
	`CREATE TABLE IF NOT EXISTS applied (msg_id VARCHAR PRIMARY KEY, seen TIMESTAMP NOT NULL)`,
	// One row: how many batches and events were ever committed. The mark
	// beside the file says the same, see mark.go.
	`CREATE TABLE IF NOT EXISTS progress (seq BIGINT NOT NULL, events BIGINT NOT NULL, committed TIMESTAMP NOT NULL)`,
	`INSERT INTO progress SELECT 0, 0, TIMESTAMP '1970-01-01' WHERE NOT EXISTS (SELECT 1 FROM progress)`,
	// Which Parquet files are shown, by their paths below the folder. day is
	// NULL for scattered days.
	`CREATE TABLE IF NOT EXISTS sealed (path VARCHAR PRIMARY KEY, day DATE, nrows BIGINT NOT NULL, sha256 VARCHAR NOT NULL, bytes BIGINT NOT NULL,
		first_ts TIMESTAMP NOT NULL, last_ts TIMESTAMP NOT NULL, untimed BIGINT NOT NULL, cased BIGINT NOT NULL, sealed_at TIMESTAMP NOT NULL)`,
	// Files that were let go and may not be deleted yet.
	`CREATE TABLE IF NOT EXISTS going (path VARCHAR PRIMARY KEY)`,
	// Which hot tables are shown, with their days; NULL is otherTable. A
	// frozen one takes no more events.
	`CREATE TABLE IF NOT EXISTS hot (name VARCHAR PRIMARY KEY, day DATE, made TIMESTAMP NOT NULL, frozen BOOLEAN NOT NULL)`,
	// Spellings of native field names that were met, so that a person may
	// write them in any case.
	`CREATE TABLE IF NOT EXISTS names (name VARCHAR NOT NULL)`,
}
