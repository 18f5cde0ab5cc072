// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"fmt"
	"strings"
)

// Layout version of the tables; newer ones are refused.
const layout = "1"

// column is one column of the table of events, in the order of inserts.
type column struct{ name, typ string }

// columns hold what those of package duck hold. Unknown is the empty text or 0.
//
// us is the time of eventstore.When in microseconds since 1970, rounded down:
// DateTime ends in 1970 and 2106, and records say 1601. ns are the nanoseconds
// that this cuts off.
//
// The texts of native fields lie flat in field, one element for each text: key
// is the name in lower case as strings.ToLower has it, and kind says what the
// element is (see row.go). Comparing ignores case: lower() of ClickHouse knows
// ASCII, so where strings.ToLower gives another text, that is kept as well, in
// field.fold for native values and in odd for columns. Both are mostly empty.
var columns = []column{
	{"part", "UInt32"}, // UTC day as yyyymmdd, 0 for days that share a partition
	{"us", "Int64"},
	{"ns", "UInt16"},
	{"timed", "UInt8"}, // us is the event's own time
	{"id", "FixedString(16)"},
	{"seq", "UInt64"}, // of the batch, see log.go
	{"realm", "String"},
	{"case_id", "String"},
	{"agency", "String"},
	{"received", "Int64"},
	{"received_ns", "UInt16"},
	{"has_received", "UInt8"},
	{"source", "String"},
	{"product", "String"},
	{"category", "String"},
	{"service", "String"},
	{"host", "String"},
	{"host_ip", "String"},
	{"user", "String"},
	{"target_user", "String"},
	{"src_ip", "String"},
	{"src_host", "String"},
	{"src_port", "UInt16"},
	{"dst_ip", "String"},
	{"dst_host", "String"},
	{"dst_port", "UInt16"},
	{"proto", "String"},
	{"app", "String"},
	{"event_id", "String"},
	{"channel", "String"},
	{"action", "String"},
	{"outcome", "String"},
	{"logon_type", "Int64"},
	{"process", "String"},
	{"parent", "String"},
	{"command", "String"},
	{"file", "String"},
	{"hash", "String"},
	{"message", "String"},
	{"session", "String"},
	{"bytes_out", "Int64"},
	{"bytes_in", "Int64"},
	{"observer", "String"},
	{"format", "String"},
	{"time_raw", "String"},
	{"uncertainty", "Int64"}, // ns
	{"zone_assumed", "UInt8"},
	{"origin_file", "String"},
	{"origin_inner", "String"},
	{"origin_sha256", "String"},
	{"origin_stream", "String"},
	{"origin_exhibit", "String"},
	{"origin_carved", "UInt8"},
	{"origin_offset", "Int64"},
	{"origin_line", "Int64"},
	{"origin_record", "UInt64"},
	{"origin_chunk", "Int32"},
	{"size", "UInt32"}, // bytes of fields and raw, about
	{"raw", "String"},
	{"has_raw", "UInt8"},
	{"field.key", "Array(String)"},
	{"field.name", "Array(String)"},
	{"field.kind", "Array(UInt8)"},
	{"field.value", "Array(String)"},
	{"field.fold", "Array(String)"},
	{"odd.name", "Array(String)"},
	{"odd.fold", "Array(String)"},
}

// columnList is what an insert names.
func columnList() string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = quoted(c.name)
	}
	return strings.Join(names, ", ")
}

func quoted(name string) string { return "`" + name + "`" }

// tables are the statements that make what is missing on one server.
//
// Events lie in the order of time: that is how they are asked for, and how the
// ids of a batch that comes again are found without reading a day.
func tables(db, cluster string) []string {
	defs := make([]string, len(columns))
	for i, c := range columns {
		defs[i] = quoted(c.name) + " " + c.typ
	}
	return []string{
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.events_local (%s) ENGINE = MergeTree PARTITION BY part ORDER BY (us, ns, id)", db, strings.Join(defs, ", ")),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.log_local (part UInt32, kind UInt8, seq UInt64, until UInt64, name String, value String) "+
			"ENGINE = MergeTree PARTITION BY part ORDER BY (name, seq)", db),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.events AS %s.events_local ENGINE = Distributed(%s, %s, events_local)", db, db, cluster, db),
	}
}
