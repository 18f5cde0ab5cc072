// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/sqlfilter"
)

// dialect is ClickHouse's sqlfilter.Dialect, of one Builder. Parameters of its
// lambdas have one letter; no statement may name a result so, because ClickHouse
// puts that in the place of the parameter.
type dialect struct{ b *sqlfilter.Builder }

// newBuilder returns a Builder with this dialect.
func newBuilder() *sqlfilter.Builder {
	b := &sqlfilter.Builder{}
	b.Dialect = dialect{b}
	return b
}

func (dialect) Placeholder(n int) string { return "$" + strconv.Itoa(n) }

// Column makes a column NULL when unknown; the tables hold "" and 0.
func (dialect) Column(name string) string {
	if kind, _ := eventstore.KindOf(name); kind == eventstore.KindNumber {
		return "nullIf(" + quoted(name) + ", 0)"
	}
	if name == "id" {
		return "id"
	}
	return "nullIf(" + quoted(name) + ", '')"
}

// named returns the column that Column made x of.
func named(x string) (string, bool) {
	x, ok := strings.CutPrefix(x, "nullIf(`")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(x, "`, '')")
}

func (dialect) AsText(kind eventstore.Kind, x string) string {
	switch kind {
	case eventstore.KindID:
		return "lower(hex(" + x + "))"
	case eventstore.KindNumber:
		return "toString(" + x + ")"
	}
	return x
}

func (dialect) Time(name string) (us, ns, known string) {
	if name == "received" {
		return "received", "received_ns", "has_received = 1"
	}
	return "us", "ns", "timed = 1"
}

func (dialect) TimeArg(t time.Time) any { return t.UnixMicro() }
func (dialect) IDArg(id event.ID) any   { return id }

// Fold is strings.ToLower: done here for an argument, and before the insert for
// what lower() does not know. "v" is an element of a native field, whose odd
// text is "w" (see Native).
func (d dialect) Fold(x string) string {
	if s, ok := d.b.Value(x).(string); ok {
		return d.b.Arg(strings.ToLower(s))
	}
	if x == "v" {
		return "if(empty(w), lower(v), w)"
	}
	if c, ok := named(x); ok {
		return fmt.Sprintf("if(has(`odd.name`, '%[1]s'), `odd.fold`[indexOf(`odd.name`, '%[1]s')], lower(%[2]s))", c, x)
	}
	return "lower(" + x + ")" // numbers and ids as text
}

// Ordered implements sqlfilter.Orderer: 18.16 takes a text and the same with
// NULs behind it for equal when it orders them.
func (dialect) Ordered(x string) string { return "hex(" + x + ")" }

func (dialect) Has(x, y string) string    { return "position(" + x + ", " + y + ") > 0" }
func (dialect) Starts(x, y string) string { return "startsWith(" + x + ", " + y + ")" }
func (dialect) Ends(x, y string) string   { return "endsWith(" + x + ", " + y + ")" }

// Like writes the pattern again: ClickHouse has backslash for its escape.
func (d dialect) Like(x, p string) string {
	s, _ := d.b.Value(p).(string)
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '!' && i+1 < len(s):
			i++
			if s[i] != '!' {
				out.WriteByte('\\')
			}
		case s[i] == '\\':
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	return x + " LIKE " + d.b.Arg(out.String())
}

// numberText is what eventstore.Number takes.
const numberText = `'^[+-]?[0-9]{1,18}([.][0-9]{1,9})?$'`

// Compare takes a number apart: whole part and billionths, both with its sign,
// are in the same order as the number.
func (d dialect) Compare(x, op, p string) string {
	s, _ := d.b.Value(p).(string)
	sign := int64(1)
	if strings.HasPrefix(s, "-") {
		sign = -1
	}
	whole, frac, _ := strings.Cut(strings.TrimLeft(s, "+-"), ".")
	w, err1 := strconv.ParseInt(whole, 10, 64)
	f, err2 := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if err1 != nil || err2 != nil {
		return "(1 = 0)" // not a number: sqlfilter does not ask
	}
	signOf := "if(startsWith(" + x + ", '-'), -1, 1)"
	xw := "toInt64OrZero(extract(" + x + ", '^[+-]?([0-9]{1,18})')) * " + signOf
	xf := "toInt64OrZero(substring(concat(extract(" + x + ", '[.]([0-9]{1,9})$'), '000000000'), 1, 9)) * " + signOf
	pw, pf := d.b.Arg(w*sign), d.b.Arg(f*sign)
	return fmt.Sprintf("(match(%s, %s) AND (%s %s (%s) OR %s = (%s) AND %s %s (%s)))", x, numberText, xw, op[:1], pw, xw, pw, xf, op, pf)
}

// InPrefix reads addresses as netip.ParseAddr does: IPv6StringToNum takes
// anything, so what is no address is sorted out first.
func (d dialect) InPrefix(x, p string) string {
	s, _ := d.b.Value(p).(string)
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return "(1 = 0)" // not a prefix: sqlfilter does not ask
	}
	// An IPv4 address, also one in IPv6 clothes, as 16 bytes.
	num := "IPv6StringToNum(if(position(" + x + ", ':') = 0, concat('::ffff:', " + x + "), replaceRegexpOne(" + x + ", '%.*', '')))"
	bits, a := prefix.Bits(), prefix.Addr().As16()
	if prefix.Addr().Is4() {
		bits += 96
	}
	parts := []string{"match(" + x + ", " + addressText + ")"}
	if whole := bits / 8; whole > 0 {
		parts = append(parts, fmt.Sprintf("substring(%s, 1, %d) = unhex('%x')", num, whole, a[:whole]))
	}
	if rest := bits % 8; rest > 0 {
		mask := byte(0xff << (8 - rest))
		parts = append(parts, fmt.Sprintf("bitAnd(reinterpretAsUInt8(substring(%s, %d, 1)), %d) = %d", num, bits/8+1, mask, a[bits/8]&mask))
	}
	if !prefix.Addr().Is4() {
		parts = append(parts, "substring("+num+", 1, 12) != unhex('00000000000000000000ffff')") // that is IPv4
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

// Native asks the elements of one name, and lower-cases only those.
func (d dialect) Native(b *sqlfilter.Builder, name string, match func(x string) string) string {
	key := b.Arg(strings.ToLower(name))
	of := func(what string) string {
		return "arrayFilter((x, k, n) -> k = " + key + " AND n BETWEEN 1 AND 3, `field." + what + "`, `field.key`, `field.kind`)"
	}
	return "arrayExists((v, w) -> " + match("v") + ", " + of("value") + ", " + of("fold") + ")"
}

func (d dialect) NativeExists(b *sqlfilter.Builder, name string) string {
	return "arrayExists((k, n) -> k = " + b.Arg(strings.ToLower(name)) + " AND n != 0, `field.key`, `field.kind`)"
}

func (d dialect) AnyText(b *sqlfilter.Builder, word string) string {
	p := b.Arg(strings.ToLower(word))
	return "arrayExists((k, v, w) -> " + d.Has("k", p) + " OR " + d.Has(d.Fold("v"), p) + ", `field.key`, `field.value`, `field.fold`)"
}

// nativeValues is the array of the values of a native field, each once.
func nativeValues(b *sqlfilter.Builder, name string) string {
	return "arrayDistinct(arrayFilter((x, k, n) -> k = " + b.Arg(strings.ToLower(name)) + " AND n BETWEEN 1 AND 3, `field.value`, `field.key`, `field.kind`))"
}
