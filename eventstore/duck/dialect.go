// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"fmt"
	"strings"
	"time"

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/sqlfilter"
)

// dialect is DuckDB's sqlfilter.Dialect. spellings tells under which names a
// native field may stand in records.
type dialect struct {
	spellings func(name string) []string
}

func (dialect) Placeholder(n int) string { return fmt.Sprintf("$%d", n) }

// Column quotes a name out of eventstore.Columns; "user" is a reserved word.
func (dialect) Column(name string) string { return `"` + name + `"` }

func (dialect) AsText(kind eventstore.Kind, x string) string {
	switch kind {
	case eventstore.KindID:
		return "replace(CAST(" + x + " AS VARCHAR), '-', '')"
	case eventstore.KindNumber:
		return "CAST(" + x + " AS VARCHAR)"
	}
	return x
}

func (dialect) Time(name string) (us, ns, known string) {
	if name == "received" {
		return "received", "received_ns", "received IS NOT NULL"
	}
	return "ts", "ns", "timed"
}

func (dialect) TimeArg(t time.Time) any     { return t.UTC().Truncate(time.Microsecond) }
func (dialect) IDArg(id event.ID) any       { return id.String() }
func (dialect) Fold(x string) string        { return "lower(" + x + ")" }
func (dialect) Has(x, y string) string      { return "contains(" + x + ", " + y + ")" }
func (dialect) Starts(x, y string) string   { return "starts_with(" + x + ", " + y + ")" }
func (dialect) Ends(x, y string) string     { return "ends_with(" + x + ", " + y + ")" }
func (dialect) Like(x, p string) string     { return x + " LIKE " + p + " ESCAPE '!'" }
func (dialect) InPrefix(x, p string) string { return inPrefix + "(" + x + ", " + p + ")" }

func jsonText(p string) string { return "json_extract_string(fields, " + p + ")" }
func jsonType(p string) string { return "json_type(fields, " + p + ")" }

// jsonList is the list under p, NULL when there is another thing.
func jsonList(p string) string {
	return "try_cast(json_extract(fields, " + p + ") AS VARCHAR[])"
}

// Compare goes through DOUBLE, because reading a DECIMAL costs ten times as
// much (4.7 s for 450,000 values); only what is equal there is compared
// exactly. That is right because rounding keeps the order.
func (dialect) Compare(x, op, p string) string {
	return fmt.Sprintf(
		"(CASE WHEN NOT regexp_full_match(%[1]s, '[+-]?[0-9]{1,18}([.][0-9]{1,9})?') THEN FALSE "+
			"WHEN try_cast(%[1]s AS DOUBLE) <> CAST(%[3]s AS DOUBLE) THEN try_cast(%[1]s AS DOUBLE) %[2]s CAST(%[3]s AS DOUBLE) "+
			"ELSE try_cast(%[1]s AS DECIMAL(38,9)) %[2]s CAST(%[3]s AS DECIMAL(38,9)) END)", x, op, p,
	)
}

// pointer is the JSON pointer (RFC 6901) to a member of fields. Unlike a JSON
// path it can name every member, also one with quotes, dots or stars.
func pointer(name string) string {
	return "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// inJSON is s as it stands inside a string of fields.
func inJSON(s string) string {
	b := eventstore.AppendText(nil, s)
	return string(b[1 : len(b)-1])
}

// hasText is true for all records in which s stands somewhere.
func hasText(b *sqlfilter.Builder, s string) string {
	return "contains(lower(fields), lower(" + b.Arg(inJSON(s)) + "))"
}

// Native parses every record. Looking for the name in the text first, which
// sounds cheaper, was measured to cost more.
func (d dialect) Native(b *sqlfilter.Builder, name string, match func(x string) string) string {
	var any []string
	for _, n := range d.spellings(name) {
		p := b.Arg(pointer(n))
		any = append(any, fmt.Sprintf(
			"(CASE WHEN starts_with(%s, '[') AND %s = 'ARRAY' THEN len(list_filter(%s, lambda v: %s)) > 0 ELSE %s END)",
			jsonText(p), jsonType(p), jsonList(p), match("v"), match(jsonText(p)),
		))
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

func (d dialect) NativeExists(b *sqlfilter.Builder, name string) string {
	var any []string
	for _, n := range d.spellings(name) {
		any = append(any, "coalesce("+jsonType(b.Arg(pointer(n)))+", 'NULL') <> 'NULL'")
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

// AnyText looks for the word in the text of fields, which holds all names and
// values with the escapes of eventstore.AppendText. That finds every record
// that is meant. It may find others when the word could be a piece of the
// JSON itself or begin in the middle of an escape; only those records are then
// looked at value by value.
func (dialect) AnyText(b *sqlfilter.Builder, word string) string {
	found, w := hasText(b, word), strings.ToLower(word)
	exact := func() string {
		p := "lower(" + b.Arg(word) + ")"
		return "(len(list_filter(json_keys(fields), lambda v: contains(lower(v), " + p + "))) > 0 OR " +
			"len(list_filter(json_extract(fields, '$.*'), lambda j: len(list_filter(" +
			"coalesce(try_cast(j AS VARCHAR[]), [json_extract_string(j, '$')]), lambda v: contains(lower(v), " + p + "))) > 0)) > 0)"
	}
	switch {
	case strings.Trim(w, "{}[]:,nul") == "" || strings.ContainsAny(inJSON(word), `\`):
		return "(" + found + " AND " + exact() + ")"
	case strings.ContainsRune("nrtu0123456789abcdef", rune(w[0])):
		return `(` + found + ` AND (NOT contains(fields, '\') OR ` + exact() + `))`
	}
	return found
}

// nativeValues is the list of the values of a native field under all its
// spellings, each once.
func (d dialect) nativeValues(b *sqlfilter.Builder, name string) string {
	var lists []string
	for _, n := range d.spellings(name) {
		p := b.Arg(pointer(n))
		lists = append(lists, "(CASE WHEN starts_with("+jsonText(p)+", '[') AND "+jsonType(p)+" = 'ARRAY' THEN "+jsonList(p)+" ELSE ["+jsonText(p)+"] END)")
	}
	if len(lists) == 1 {
		return "list_distinct(" + lists[0] + ")"
	}
	return "list_distinct(flatten([" + strings.Join(lists, ", ") + "]))"
}
