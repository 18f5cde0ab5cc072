// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package sqlfilter turns a typed filter into an SQL condition with arguments,
// for the engines that keep events. It is the only way from a filter to SQL.
//
// It promises that no value and no native field name ever becomes part of the
// SQL text: values are arguments, columns come from eventstore.Columns, native
// names are arguments of the dialect's look-up. What engines say differently is
// in their Dialect; the rest keeps to what all of them read, so no TRUE, FALSE
// and IS TRUE, which ClickHouse learned late. It knows no scope and no bounds:
// those are the engine's.
package sqlfilter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
)

// Limits of a filter. What people write stays far below them.
const (
	MaxDepth = 64
	MaxNodes = 2000
)

// Dialect is what engines say differently. An x or y is an SQL expression, a p
// the placeholder of an argument. Comparisons get both sides folded.
type Dialect interface {
	// Placeholder returns the placeholder of argument n, counted from 1. It
	// may be used more than once.
	Placeholder(n int) string
	// Column returns the expression of a text or number column, NULL when
	// unknown.
	Column(name string) string
	// AsText returns x, which is a column of that kind, as text.
	AsText(kind eventstore.Kind, x string) string
	// Time returns the expressions of a time column: in microseconds rounded
	// down, the nanoseconds beyond them, and whether it is known.
	Time(name string) (us, ns, known string)
	// TimeArg and IDArg return the argument that stands for a time (its ns cut
	// off) or an id, and Fold the lower-case text.
	TimeArg(t time.Time) any
	IDArg(id event.ID) any
	Fold(x string) string
	// Has, Starts, Ends and Like test folded texts. Like's pattern has % and _
	// with ! as the escape.
	Has(x, y string) string
	Starts(x, y string) string
	Ends(x, y string) string
	Like(x, p string) string
	// Compare tests whether the text x writes a number (see
	// eventstore.Number) that stands in the order op to that of p.
	Compare(x, op, p string) string
	// InPrefix tests whether the text x is an address inside prefix p.
	InPrefix(x, p string) string
	// Native tests whether a value of the native field, or an element of its
	// list, matches.
	Native(b *Builder, name string, match func(x string) string) string
	// NativeExists tests whether the native field is there and not null.
	NativeExists(b *Builder, name string) string
	// AnyText tests whether a native field's name, value or element contains
	// word, case ignored.
	AnyText(b *Builder, word string) string
}

// Orderer is a Dialect whose folded texts stand in the order of their bytes only
// by another expression.
type Orderer interface {
	Ordered(x string) string
}

// Builder collects the arguments of one statement.
type Builder struct {
	Dialect Dialect
	Args    []any
	nodes   int
}

// Arg adds an argument and returns its placeholder.
func (b *Builder) Arg(v any) string {
	if s, ok := v.(string); ok {
		v = eventstore.Valid(s)
	}
	b.Args = append(b.Args, v)
	return b.Dialect.Placeholder(len(b.Args))
}

// Value returns the argument that p stands for, for a dialect that must write
// another one in its place.
func (b *Builder) Value(p string) any {
	for i := len(b.Args) - 1; i >= 0; i-- { // mostly the last
		if b.Dialect.Placeholder(i+1) == p {
			return b.Args[i]
		}
	}
	return nil
}

// all and none hold for every row and for none.
const (
	all  = "(1 = 1)"
	none = "(1 = 0)"
)

// Filter returns the condition of f; nil is all.
func (b *Builder) Filter(f eventstore.Filter) (string, error) { return b.filter(f, 0) }

func (b *Builder) filter(f eventstore.Filter, depth int) (string, error) {
	if b.nodes++; b.nodes > MaxNodes || depth > MaxDepth {
		return "", fault.New(fault.Invalid, "the filter is too large: at most %d parts and %d levels", MaxNodes, MaxDepth)
	}
	switch f := f.(type) {
	case nil:
		return all, nil
	case eventstore.And:
		return b.join(f, " AND ", all, depth)
	case eventstore.Or:
		return b.join(f, " OR ", none, depth)
	case eventstore.Not:
		s, err := b.filter(f.F, depth+1)
		// A comparison with an unknown value is NULL, and NOT NULL is NULL;
		// people mean "everything else".
		return "(NOT coalesce((" + s + "), " + none + "))", err
	case eventstore.Word:
		return b.word(string(f)), nil
	case eventstore.Cond:
		return b.cond(f)
	}
	return "", fault.New(fault.Invalid, "unknown kind of filter %T", f)
}

func (b *Builder) join(fs []eventstore.Filter, op, empty string, depth int) (string, error) {
	if len(fs) == 0 {
		return empty, nil
	}
	parts := make([]string, len(fs))
	for i, f := range fs {
		var err error
		if parts[i], err = b.filter(f, depth+1); err != nil {
			return "", err
		}
	}
	return "(" + strings.Join(parts, op) + ")", nil
}

func (b *Builder) word(w string) string {
	if w == "" {
		return all
	}
	d := b.Dialect
	parts := []string{d.AnyText(b, w)}
	p := d.Fold(b.Arg(w))
	for _, c := range eventstore.WordColumns {
		parts = append(parts, d.Has(d.Fold(d.Column(c)), p))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (b *Builder) cond(c eventstore.Cond) (string, error) {
	d := b.Dialect
	if name, ok := eventstore.Native(c.Field); ok {
		if c.Op == eventstore.Exists {
			return d.NativeExists(b, name), nil
		}
		match, err := b.text(c)
		if err != nil {
			return "", err
		}
		return d.Native(b, name, match), nil
	}
	name, _ := eventstore.Column(c.Field)
	kind, _ := eventstore.KindOf(name)
	if kind == eventstore.KindTime {
		return b.time(name, c)
	}
	x := d.Column(name)
	switch {
	case c.Op == eventstore.Exists:
		return x + " IS NOT NULL", nil
	case c.Op == eventstore.Eq:
		if s, ok := b.columnEq(kind, x, c.Value); ok {
			return s, nil
		}
	case kind == eventstore.KindNumber && orders[c.Op] != "":
		return b.number(x, c)
	}
	match, err := b.text(c)
	if err != nil {
		return "", err
	}
	s := match(d.AsText(kind, x))
	if c.Op == eventstore.CIDR && kind == eventstore.KindAddr {
		if p, err := prefixOf(c.Value); err == nil && p.Addr().Is4() && p.Bits() >= 8 {
			// Addresses in columns are canonical, so whole octets can be
			// compared as text before each is parsed.
			octets := strings.SplitAfterN(p.Addr().String(), ".", 4)[:p.Bits()/8]
			head := strings.Join(octets, "")
			s = "(" + d.Starts(x, b.Arg(head)) + " AND " + s + ")"
		}
	}
	return s, nil
}

// columnEq is Eq where the kind of column makes it wider or exact; false means
// compare as text.
func (b *Builder) columnEq(kind eventstore.Kind, x, v string) (string, bool) {
	d := b.Dialect
	either := func(seps string) string {
		p := d.Fold(b.Arg(v))
		parts := []string{d.Fold(x) + " = " + p}
		for _, sep := range seps {
			parts = append(parts, d.Ends(d.Fold(x), d.Fold(b.Arg(string(sep)+v))))
		}
		return "(" + strings.Join(parts, " OR ") + ")"
	}
	switch kind {
	case eventstore.KindID:
		id, err := event.ParseID(v)
		if err != nil {
			return none, true
		}
		return x + " = " + b.Arg(d.IDArg(id)), true
	case eventstore.KindNumber:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return none, true
		}
		return x + " = " + b.Arg(n), true
	case eventstore.KindAddr:
		if a, err := netip.ParseAddr(v); err == nil {
			return x + " = " + b.Arg(a.Unmap().WithZone("").String()), true
		}
	case eventstore.KindHost:
		if h := asset.HostName(v); h != "" {
			return d.Fold(x) + " = " + d.Fold(b.Arg(h)), true
		}
	case eventstore.KindAccount:
		if a := asset.ParseAccount("", v); a.Domain != "" {
			return d.Fold(x) + " = " + d.Fold(b.Arg(a.String())), true
		}
		return either(`\`), true
	case eventstore.KindPath:
		if !strings.ContainsAny(v, `\/`) {
			return either(`\/`), true
		}
	}
	return "", false
}

var orders = map[eventstore.Op]string{eventstore.Lt: "<", eventstore.Lte: "<=", eventstore.Gt: ">", eventstore.Gte: ">="}

func (b *Builder) number(x string, c eventstore.Cond) (string, error) {
	if n, err := strconv.ParseInt(c.Value, 10, 64); err == nil {
		return x + " " + orders[c.Op] + " " + b.Arg(n), nil
	}
	if !eventstore.Number(c.Value) {
		return "", fault.New(fault.Invalid, "%s compares with a number, not with %q", c.Field, c.Value)
	}
	d := b.Dialect
	return d.Compare(d.AsText(eventstore.KindNumber, x), orders[c.Op], b.Arg(c.Value)), nil
}

func (b *Builder) time(name string, c eventstore.Cond) (string, error) {
	us, ns, known := b.Dialect.Time(name)
	if c.Op == eventstore.Exists {
		return known, nil
	}
	op := orders[c.Op]
	if op == "" && c.Op != eventstore.Eq {
		return "", fault.New(fault.Invalid, "%s cannot be compared by %s: write a time after : or :> or :<", name, c.Op)
	}
	t, err := time.Parse(time.RFC3339Nano, c.Value)
	if err != nil || !eventstore.Timed(t) {
		return "", fault.New(fault.Invalid, "%s compares with a time like 2026-11-01T08:00:00+08:00, not with %q", name, c.Value)
	}
	p, n := b.Arg(b.Dialect.TimeArg(t)), b.Arg(int64(t.Nanosecond()%1000))
	if op == "" {
		return fmt.Sprintf("(%s AND %s = %s AND %s = %s)", known, us, p, ns, n), nil
	}
	return fmt.Sprintf("(%s AND (%s %s %s OR %s = %s AND %s %s %s))", known, us, op[:1], p, us, p, ns, op, n), nil
}

// text returns the test of one text by c. It is called once per spelling or
// column; its arguments are added once.
func (b *Builder) text(c eventstore.Cond) (match func(x string) string, err error) {
	d := b.Dialect
	fold := func(s string) string { return d.Fold(b.Arg(s)) }
	switch c.Op {
	case eventstore.Eq:
		p := fold(c.Value)
		return func(x string) string { return d.Fold(x) + " = " + p }, nil
	case eventstore.Contains:
		p := fold(c.Value)
		return func(x string) string { return d.Has(d.Fold(x), p) }, nil
	case eventstore.Prefix:
		p := fold(c.Value)
		return func(x string) string { return d.Starts(d.Fold(x), p) }, nil
	case eventstore.Suffix:
		p := fold(c.Value)
		return func(x string) string { return d.Ends(d.Fold(x), p) }, nil
	case eventstore.Glob:
		p := fold(like(c.Value))
		return func(x string) string { return d.Like(d.Fold(x), p) }, nil
	case eventstore.CIDR:
		prefix, err := prefixOf(c.Value)
		if err != nil {
			return nil, fault.New(fault.Invalid, "%q is not an address range like 10.0.0.0/8", c.Value)
		}
		p := b.Arg(prefix.String())
		return func(x string) string { return d.InPrefix(x, p) }, nil
	case eventstore.Lt, eventstore.Lte, eventstore.Gt, eventstore.Gte:
		if eventstore.Number(c.Value) {
			p := b.Arg(c.Value)
			return func(x string) string { return d.Compare(x, orders[c.Op], p) }, nil
		}
		ordered := func(x string) string { return x }
		if o, ok := d.(Orderer); ok {
			ordered = o.Ordered
		}
		p := fold(c.Value)
		return func(x string) string { return ordered(d.Fold(x)) + " " + orders[c.Op] + " " + ordered(p) }, nil
	}
	return nil, fault.New(fault.Invalid, "unknown comparison %q", c.Op)
}

// like turns a glob into a LIKE pattern with ! as escape.
func like(glob string) string {
	var p strings.Builder
	for _, t := range eventstore.ParseGlob(glob) {
		switch t {
		case eventstore.AnyRun:
			p.WriteByte('%')
		case eventstore.AnyOne:
			p.WriteByte('_')
		case '%', '_', '!':
			p.WriteByte('!')
			p.WriteRune(t)
		default:
			p.WriteRune(t)
		}
	}
	return p.String()
}

// prefixOf reads an address range, or one address as a range of one. IPv4 in
// IPv6 clothes is undressed, as the addresses are.
func prefixOf(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, aerr := netip.ParseAddr(s)
		if aerr != nil {
			return p, err
		}
		p = netip.PrefixFrom(a.WithZone(""), a.BitLen())
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
