// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"strings"

	"citywall/eventstore"
)

// Format writes a filter so that Parse reads the same filter again.
func Format(f eventstore.Filter) string { return write(f, false) }

// write puts parentheses around what would otherwise join its neighbours.
func write(f eventstore.Filter, inner bool) string {
	switch x := f.(type) {
	case nil:
		return ""
	case eventstore.And:
		if len(x) == 0 {
			return "*"
		}
		return group(x, " AND ", inner)
	case eventstore.Or:
		if len(x) == 0 {
			return "NOT *"
		}
		return group(x, " OR ", inner)
	case eventstore.Not:
		return "NOT " + write(x.F, true)
	case eventstore.Word:
		return quote(string(x))
	case eventstore.Cond:
		return quoteName(x.Field) + ":" + value(x)
	}
	return ""
}

func group[F ~[]eventstore.Filter](fs F, sep string, inner bool) string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = write(f, true)
	}
	s := strings.Join(parts, sep)
	if inner && len(fs) > 1 {
		return "(" + s + ")"
	}
	return s
}

func value(c eventstore.Cond) string {
	switch c.Op {
	case eventstore.Exists:
		return "*"
	case eventstore.Lt:
		return "<" + c.Value
	case eventstore.Lte:
		return "<=" + c.Value
	case eventstore.Gt:
		return ">" + c.Value
	case eventstore.Gte:
		return ">=" + c.Value
	case eventstore.CIDR:
		return c.Value
	case eventstore.Contains:
		return "*" + c.Value + "*"
	case eventstore.Prefix:
		return c.Value + "*"
	case eventstore.Suffix:
		return "*" + c.Value
	case eventstore.Glob:
		return strings.ReplaceAll(c.Value, "[[]", "[")
	}
	return quote(c.Value)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func quoteName(s string) string {
	if strings.ContainsAny(s, " \t\"():") || strings.HasPrefix(s, "-") {
		return quote(s)
	}
	return s
}
