// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exhibit

import (
	"cmp"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
)

// The comparisons of package eventstore, over one event in memory: a case has
// thousands of records, not millions, and no database.

// check refuses a filter that cannot be answered.
func check(f eventstore.Filter) error {
	switch f := f.(type) {
	case nil, eventstore.Word:
		return nil
	case eventstore.And:
		return checkAll(f)
	case eventstore.Or:
		return checkAll(f)
	case eventstore.Not:
		if f.F == nil {
			return fault.New(fault.Invalid, "search: NOT of nothing")
		}
		return check(f.F)
	case eventstore.Cond:
		return checkCond(f)
	}
	return fault.New(fault.Invalid, "search: unknown filter %T", f)
}

func checkAll(fs []eventstore.Filter) error {
	for _, f := range fs {
		if err := check(f); err != nil {
			return err
		}
	}
	return nil
}

func checkCond(c eventstore.Cond) error {
	switch c.Op {
	case eventstore.Eq, eventstore.Contains, eventstore.Prefix, eventstore.Suffix, eventstore.Glob, eventstore.Exists,
		eventstore.Lt, eventstore.Lte, eventstore.Gt, eventstore.Gte:
	case eventstore.CIDR:
		if _, err := netip.ParsePrefix(c.Value); err != nil {
			return fault.New(fault.Invalid, "search: %q is no network: write one like 10.0.0.0/8", c.Value)
		}
	default:
		return fault.New(fault.Invalid, "search: unknown comparison %q", c.Op)
	}
	if kind, ok := eventstore.KindOf(c.Field); ok && kind == eventstore.KindTime && c.Op != eventstore.Exists {
		if _, err := time.Parse(time.RFC3339Nano, c.Value); err != nil {
			return fault.New(fault.Invalid, "search: %q is no time: write one like 2026-10-20T01:02:03Z", c.Value)
		}
		switch c.Op {
		case eventstore.Eq, eventstore.Lt, eventstore.Lte, eventstore.Gt, eventstore.Gte:
		default:
			return fault.New(fault.Invalid, "search: %s does not compare times", c.Op)
		}
	}
	return nil
}

// matcher holds an event and its view, which is made at most once.
type matcher struct {
	e *event.Event
	v *event.View
}

func (m *matcher) view() *event.View {
	if m.v == nil {
		v := m.e.View()
		m.v = &v
	}
	return m.v
}

func (m *matcher) match(f eventstore.Filter) bool {
	switch f := f.(type) {
	case eventstore.And:
		for _, x := range f {
			if !m.match(x) {
				return false
			}
		}
		return true
	case eventstore.Or:
		return slices.ContainsFunc(f, m.match)
	case eventstore.Not:
		return !m.match(f.F)
	case eventstore.Word:
		return m.word(strings.ToLower(string(f)))
	case eventstore.Cond:
		if name, native := eventstore.Native(f.Field); native {
			return m.native(name, f)
		}
		return m.column(f)
	}
	return true // nil: all
}

func (m *matcher) word(w string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), w) }
	for _, f := range m.e.Fields {
		if has(f.Name) || f.Value.Kind == event.Text && has(f.Value.Text) || f.Value.Kind == event.List && slices.ContainsFunc(f.Value.List, has) {
			return true
		}
	}
	for _, c := range eventstore.WordColumns {
		if s := eventstore.Text(m.e, m.view(), c); s != "" && has(s) {
			return true
		}
	}
	return w == ""
}

func (m *matcher) native(name string, c eventstore.Cond) bool {
	for _, f := range m.e.Fields {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		switch {
		case f.Value.Kind == event.Null:
		case c.Op == eventstore.Exists:
			return true
		case f.Value.Kind == event.Text && compare(f.Value.Text, c):
			return true
		case f.Value.Kind == event.List && slices.ContainsFunc(f.Value.List, func(s string) bool { return compare(s, c) }):
			return true
		}
	}
	return false
}

func (m *matcher) column(c eventstore.Cond) bool {
	col, _ := eventstore.Column(c.Field)
	kind, _ := eventstore.KindOf(col)
	x := eventstore.Text(m.e, m.view(), col)
	switch {
	case x == "":
		return false
	case c.Op == eventstore.Exists:
		return true
	case kind == eventstore.KindTime:
		at := m.e.Time
		if col == "received" {
			at = m.e.Received
		}
		t, err := time.Parse(time.RFC3339Nano, c.Value)
		return err == nil && ordered(at.Compare(t), c.Op)
	case c.Op == eventstore.Eq:
		return equal(x, c, kind)
	}
	return compare(x, c)
}

// equal is Eq on a column, a little wider than on a native field.
func equal(x string, c eventstore.Cond, kind eventstore.Kind) bool {
	switch kind {
	case eventstore.KindNumber:
		n, err := strconv.ParseInt(c.Value, 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == x
	case eventstore.KindAddr:
		a, err := netip.ParseAddr(c.Value)
		return err == nil && a.Unmap().WithZone("").String() == x
	case eventstore.KindHost:
		if h := asset.HostName(c.Value); h != "" {
			return strings.ToLower(x) == h
		}
	case eventstore.KindAccount:
		if a := asset.ParseAccount("", c.Value); a.Domain != "" {
			return x == a.String()
		}
		_, name, ok := strings.Cut(x, `\`)
		return strings.EqualFold(x, c.Value) || ok && strings.EqualFold(name, c.Value)
	case eventstore.KindPath:
		if !strings.ContainsAny(c.Value, `\/`) {
			x = x[strings.LastIndexAny(x, `\/`)+1:]
		}
	}
	return compare(x, c)
}

func compare(x string, c eventstore.Cond) bool {
	a, b := strings.ToLower(x), strings.ToLower(c.Value)
	switch c.Op {
	case eventstore.Eq:
		return a == b
	case eventstore.Contains:
		return strings.Contains(a, b)
	case eventstore.Prefix:
		return strings.HasPrefix(a, b)
	case eventstore.Suffix:
		return strings.HasSuffix(a, b)
	case eventstore.Glob:
		return glob(eventstore.ParseGlob(b), []rune(a))
	case eventstore.CIDR:
		addr, err := netip.ParseAddr(x)
		p, perr := netip.ParsePrefix(c.Value)
		return err == nil && perr == nil && p.Contains(addr.Unmap().WithZone(""))
	}
	if !eventstore.Number(c.Value) {
		return ordered(cmp.Compare(a, b), c.Op)
	}
	if !eventstore.Number(x) {
		return false
	}
	m, ok := new(big.Rat).SetString(x)
	n, ok2 := new(big.Rat).SetString(c.Value)
	return ok && ok2 && ordered(m.Cmp(n), c.Op)
}

func ordered(c int, op eventstore.Op) bool {
	switch op {
	case eventstore.Eq:
		return c == 0
	case eventstore.Lt:
		return c < 0
	case eventstore.Lte:
		return c <= 0
	case eventstore.Gt:
		return c > 0
	case eventstore.Gte:
		return c >= 0
	}
	return false
}

// glob compares in time len(p)·len(s) at most: on a mismatch only the last
// star takes one rune more.
func glob(p, s []rune) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == eventstore.AnyRun:
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == eventstore.AnyOne || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == eventstore.AnyRun {
		i++
	}
	return i == len(p)
}
