// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
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
	"citywall/identity"
)

// kept is an event as the store was given it.
type kept struct {
	e      *event.Event
	caseID string
}

// oracle answers as a store must, with plain loops over a slice. It shares
// with an engine only the definition of columns.
type oracle []kept

func (o oracle) add(b eventstore.Batch) oracle {
	for _, e := range b.Events {
		o = append(o, kept{e, b.Case})
	}
	return o
}

func (o oracle) search(sc identity.Scope, q eventstore.Query) []*event.Event {
	var out []*event.Event
	for _, k := range o {
		at := eventstore.When(k.e)
		if visible(k, sc) && !at.Before(q.From) && at.Before(q.To) && match(k.e, q.Filter) {
			out = append(out, k.e)
		}
	}
	slices.SortFunc(out, func(a, b *event.Event) int {
		c := eventstore.When(a).Compare(eventstore.When(b))
		if c == 0 {
			c = bytes.Compare(a.ID[:], b.ID[:])
		}
		return c
	})
	if q.Sort != eventstore.Oldest {
		slices.Reverse(out)
	}
	return out
}

func (o oracle) histogram(sc identity.Scope, q eventstore.Query, width time.Duration) []eventstore.Bucket {
	var out []eventstore.Bucket
	for t := q.From; t.Before(q.To); t = t.Add(width) {
		out = append(out, eventstore.Bucket{Start: t.UTC()})
	}
	for _, e := range o.search(sc, q) {
		i := 0 // not by Sub, which ends at 292 years
		for i+1 < len(out) && !out[i+1].Start.After(eventstore.When(e)) {
			i++
		}
		out[i].Count++
	}
	return out
}

func (o oracle) top(sc identity.Scope, q eventstore.Query, field string, n int) []eventstore.Count {
	m := map[string]int64{}
	for _, e := range o.search(sc, q) {
		for v := range values(e, field) {
			m[v]++
		}
	}
	var out []eventstore.Count
	for v, c := range m {
		out = append(out, eventstore.Count{Value: v, Count: c})
	}
	slices.SortFunc(out, func(a, b eventstore.Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return out[:min(n, len(out))]
}

func visible(k kept, sc identity.Scope) bool {
	if k.e.Realm != sc.Realm || !sc.Realm.Valid() || k.caseID != sc.Case {
		return false
	}
	if len(sc.Agencies) == 0 {
		return true
	}
	for _, a := range sc.Agencies {
		if a != "" && a == k.e.Agency {
			return true
		}
	}
	return false
}

// values returns the distinct values of a field.
func values(e *event.Event, field string) map[string]bool {
	out := map[string]bool{}
	name, native := eventstore.Native(field)
	if !native {
		col, _ := eventstore.Column(field)
		v := e.View()
		if s := eventstore.Text(e, &v, col); s != "" {
			out[s] = true
		}
		return out
	}
	for _, f := range e.Fields {
		if fold(f.Name) != fold(name) {
			continue
		}
		switch f.Value.Kind {
		case event.Text:
			out[f.Value.Text] = true
		case event.List:
			for _, s := range f.Value.List {
				out[s] = true
			}
		}
	}
	return out
}

func match(e *event.Event, f eventstore.Filter) bool {
	switch f := f.(type) {
	case nil:
		return true
	case eventstore.And:
		for _, x := range f {
			if !match(e, x) {
				return false
			}
		}
		return true
	case eventstore.Or:
		for _, x := range f {
			if match(e, x) {
				return true
			}
		}
		return false
	case eventstore.Not:
		return !match(e, f.F)
	case eventstore.Word:
		return hasWord(e, string(f))
	case eventstore.Cond:
		return cond(e, f)
	}
	panic("unknown filter")
}

func hasWord(e *event.Event, w string) bool {
	if w == "" {
		return true
	}
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(w)) }
	for _, f := range e.Fields {
		if has(f.Name) || f.Value.Kind == event.Text && has(f.Value.Text) || f.Value.Kind == event.List && slices.ContainsFunc(f.Value.List, has) {
			return true
		}
	}
	v := e.View()
	for _, c := range eventstore.WordColumns {
		if s := eventstore.Text(e, &v, c); s != "" && has(s) {
			return true
		}
	}
	return false
}

func cond(e *event.Event, c eventstore.Cond) bool {
	if name, native := eventstore.Native(c.Field); native {
		for _, f := range e.Fields {
			if fold(f.Name) != fold(name) {
				continue
			}
			if c.Op == eventstore.Exists && f.Value.Kind != event.Null {
				return true
			}
		}
		if c.Op == eventstore.Exists {
			return false
		}
		for v := range values(e, c.Field) {
			if textMatches(v, c) {
				return true
			}
		}
		return false
	}
	col, _ := eventstore.Column(c.Field)
	kind, _ := eventstore.KindOf(col)
	view := e.View()
	x := eventstore.Text(e, &view, col)
	switch {
	case x == "":
		return false
	case c.Op == eventstore.Exists:
		return true
	case kind == eventstore.KindTime:
		t, err := time.Parse(time.RFC3339Nano, c.Value)
		if err != nil {
			panic(err)
		}
		at := e.Time
		if col == "received" {
			at = e.Received
		}
		return ordered(at.Compare(t), c.Op)
	case kind == eventstore.KindNumber && c.Op == eventstore.Eq:
		n, err := strconv.ParseInt(c.Value, 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == x
	case c.Op == eventstore.Eq && kind == eventstore.KindAddr:
		a, err := netip.ParseAddr(c.Value)
		return err == nil && a.Unmap().WithZone("").String() == x
	case c.Op == eventstore.Eq && kind == eventstore.KindHost && asset.HostName(c.Value) != "":
		return strings.ToLower(x) == asset.HostName(c.Value)
	case c.Op == eventstore.Eq && kind == eventstore.KindAccount:
		if a := asset.ParseAccount("", c.Value); a.Domain != "" {
			return x == a.String()
		}
		_, name, ok := strings.Cut(x, `\`)
		return fold(x) == fold(c.Value) || ok && fold(name) == fold(c.Value)
	case c.Op == eventstore.Eq && kind == eventstore.KindPath && !strings.ContainsAny(c.Value, `\/`):
		return fold(x[strings.LastIndexAny(x, `\/`)+1:]) == fold(c.Value)
	}
	return textMatches(x, c)
}

func fold(s string) string { return strings.ToLower(s) }

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
	panic("not an order: " + op)
}

func textMatches(x string, c eventstore.Cond) bool {
	a, b := fold(x), fold(c.Value)
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
		p := netip.MustParsePrefix(c.Value)
		return err == nil && p.Contains(addr.Unmap().WithZone(""))
	}
	if eventstore.Number(c.Value) {
		if !eventstore.Number(x) {
			return false
		}
		m, _ := new(big.Rat).SetString(x)
		n, _ := new(big.Rat).SetString(c.Value)
		return ordered(m.Cmp(n), c.Op)
	}
	return ordered(cmp.Compare(a, b), c.Op)
}

// glob is the plain recursive reading of a pattern.
func glob(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == eventstore.AnyRun:
		for i := 0; i <= len(s); i++ {
			if glob(p[1:], s[i:]) {
				return true
			}
		}
		return false
	case len(s) == 0:
		return false
	}
	return (p[0] == eventstore.AnyOne || p[0] == s[0]) && glob(p[1:], s[1:])
}
