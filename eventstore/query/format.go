// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"net/netip"
	"strings"
	"unicode"

	"citywall/eventstore"
)

// Format writes a filter so that Parse reads the same filter again, whatever
// its names and values are. Lists of one part, which mean that part, and nil,
// which means everything, come back as what they mean.
func Format(f eventstore.Filter) string { return write(f, false) }

// write puts parentheses around what would otherwise join its neighbours.
func write(f eventstore.Filter, inner bool) string {
	switch x := f.(type) {
	case nil:
		if inner {
			return "*"
		}
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
		if w := string(x); bare(w) && !strings.ContainsAny(w, ":：") && !strings.HasPrefix(w, "-") && !joins(w) {
			return w
		}
		return quote(string(x))
	case eventstore.Cond:
		n, v := name(x.Field), value(x)
		if wordWithColon([]rune(n+":"+v), 0) {
			n = quote(x.Field)
		}
		return n + ":" + v
	}
	return ""
}

func group[F ~[]eventstore.Filter](fs F, sep string, inner bool) string {
	if len(fs) == 1 {
		return write(fs[0], inner)
	}
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = write(f, true)
	}
	s := strings.Join(parts, sep)
	if inner {
		return "(" + s + ")"
	}
	return s
}

func joins(w string) bool {
	switch strings.ToLower(w) {
	case "and", "or", "not":
		return true
	}
	return false
}

func value(c eventstore.Cond) string {
	switch c.Op {
	case eventstore.Exists:
		return "*"
	case eventstore.Lt:
		return "<" + literal(c.Value)
	case eventstore.Lte:
		return "<=" + literal(c.Value)
	case eventstore.Gt:
		return ">" + literal(c.Value)
	case eventstore.Gte:
		return ">=" + literal(c.Value)
	case eventstore.CIDR:
		return c.Value
	case eventstore.Contains:
		return "*" + literal(c.Value) + "*"
	case eventstore.Prefix:
		return literal(c.Value) + "*"
	case eventstore.Suffix:
		return "*" + literal(c.Value)
	case eventstore.Glob:
		return glob(c.Value)
	}
	if _, err := netip.ParsePrefix(c.Value); err == nil {
		return quote(c.Value) // bare it would be a network
	}
	return literal(c.Value)
}

func glob(s string) string {
	var b, run strings.Builder
	flush := func() {
		if run.Len() > 0 {
			b.WriteString(literal(run.String()))
			run.Reset()
		}
	}
	for _, r := range eventstore.ParseGlob(s) {
		switch r {
		case eventstore.AnyRun:
			flush()
			b.WriteByte('*')
		case eventstore.AnyOne:
			flush()
			b.WriteByte('?')
		default:
			run.WriteRune(r)
		}
	}
	flush()
	return b.String()
}

// literal writes a value that stands for itself.
func literal(s string) string {
	if bare(s) {
		return s
	}
	return quote(s)
}

// bare reports whether s needs no quotes as a value.
func bare(s string) bool {
	for _, r := range s {
		if unicode.IsSpace(r) || isOpen(r) || isClose(r) || isQuote(r) || strings.ContainsRune("*?<>=", r) {
			return false
		}
	}
	return s != ""
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `“`, `\“`, `”`, `\”`).Replace(s) + `"`
}

func name(s string) string {
	if bare(s) && !strings.ContainsAny(s, ":：") && !strings.HasPrefix(s, "-") && !(token{kind: tokWord, field: s}).isTime() {
		return s
	}
	return quote(s)
}
