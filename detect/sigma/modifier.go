// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Limits of one rule; beyond them it is refused.
const (
	maxExpanded = 1 << 16 // values of one field after placeholders and encodings
	maxRegexp   = 4096    // bytes of one regular expression
)

// chain is a field's modifiers, read left to right (appendix Modifiers).
type chain struct {
	front, back bool // wildcards that contains, startswith and endswith add
	all         bool
	neg         bool // neq
	cased       bool
	expand      bool
	exists      bool
	cidr        bool
	ref         bool // fieldref
	re          bool
	reFlags     string
	cmp         cmpOp
	part        datePart
	encoders    []string // windash, wide, utf16be, utf16, base64, base64offset in order
}

// cmpOp is a numeric comparison.
type cmpOp uint8

const (
	cmpNone cmpOp = iota
	cmpLT
	cmpLTE
	cmpGT
	cmpGTE
)

// datePart is the number a date modifier takes out of a date.
type datePart uint8

const (
	partNone datePart = iota
	partMinute
	partHour
	partDay
	partWeek
	partMonth
	partYear
)

var (
	cmpWords  = map[string]cmpOp{"lt": cmpLT, "lte": cmpLTE, "gt": cmpGT, "gte": cmpGTE}
	partWords = map[string]datePart{
		"minute": partMinute, "hour": partHour, "day": partDay, "week": partWeek, "month": partMonth, "year": partYear,
	}
	reFlagWords = map[string]string{"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
)

// parseChain reads the part of a key after the field's name.
func parseChain(words []string) (chain, error) {
	var c chain
	for _, w := range words {
		if err := c.add(w); err != nil {
			return c, err
		}
	}
	kinds := 0
	for _, on := range []bool{c.re, c.cidr, c.exists, c.ref, c.cmp != cmpNone || c.part != partNone} {
		if on {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return c, fmt.Errorf("modifiers %s exclude one another", strings.Join(words, "|"))
	case (c.front || c.back) && (c.cidr || c.exists || c.cmp != cmpNone || c.part != partNone):
		return c, fmt.Errorf("a position has no meaning in %s", strings.Join(words, "|"))
	case len(c.encoders) > 0 && kinds > 0:
		return c, fmt.Errorf("%s works on strings only", c.encoders[0])
	case c.cased && kinds > 0 && !c.ref:
		return c, fmt.Errorf("cased works on strings only")
	}
	return c, nil
}

func (c *chain) add(w string) error {
	switch w {
	case "contains":
		c.front, c.back = true, true
	case "startswith":
		c.back = true
	case "endswith":
		c.front = true
	case "all":
		c.all = true
	case "neq":
		c.neg = true
	case "cased":
		c.cased = true
	case "expand":
		c.expand = true
	case "exists":
		c.exists = true
	case "cidr":
		c.cidr = true
	case "fieldref":
		c.ref = true
	case "re":
		if c.front || c.back {
			return errors.New("re must stand before contains, startswith and endswith")
		}
		c.re = true
	case "windash":
		if n := len(c.encoders); n > 0 && c.encoders[n-1] != "windash" {
			return errors.New("windash must stand before an encoding")
		}
		c.encoders = append(c.encoders, w)
	case "wide", "utf16le", "utf16be", "utf16", "base64", "base64offset":
		if c.front || c.back {
			return fmt.Errorf("%s must stand before contains, startswith and endswith: it would encode their wildcards", w)
		}
		c.encoders = append(c.encoders, w)
	default:
		if f, ok := reFlagWords[w]; ok {
			if !c.re {
				return fmt.Errorf("modifier %s belongs to re", w)
			}
			if !strings.Contains(c.reFlags, f) {
				c.reFlags += f
			}
			return nil
		}
		if op, ok := cmpWords[w]; ok {
			if c.cmp != cmpNone {
				return errors.New("two comparisons on one field: write two selections")
			}
			c.cmp = op
			return nil
		}
		if p, ok := partWords[w]; ok {
			if c.part != partNone || c.cmp != cmpNone {
				return fmt.Errorf("modifier %s must stand alone and before a comparison", w)
			}
			c.part = p
			return nil
		}
		return fmt.Errorf("unknown modifier %q", w)
	}
	return nil
}

// scalar is a value as the rule's YAML has it.
type scalar struct {
	kind scalarKind
	text string
	line int
}

type scalarKind uint8

const (
	textScalar scalarKind = iota
	numberScalar
	boolScalar
	nullScalar
)

// predOp is what a pred does.
type predOp uint8

const (
	opGlob predOp = iota
	opRegexp
	opCIDR
	opNumber // comparison, or equality of a date part
	opRef
	opExists
	opNull
)

// pred is one value of a rule, compiled.
type pred struct {
	op     predOp
	value  int    // index of the rule's value this is a form of; "all" asks for one form of each
	text   string // as a person wrote it, for findings
	glob   glob
	pat    pattern // what glob was compiled from
	re     *expression
	prefix netip.Prefix
	num    number
	ref    string // field, of fieldref
	want   bool   // of exists
	cased  bool   // glob compares with case: the modifier, or base64 text
}

// preds compiles the values of one field. The error names the placeholder when
// one has no values, as an *unresolved.
func (c chain) preds(values []scalar, opt *Options) ([]pred, error) {
	var out []pred
	for i, v := range values {
		texts := []string{v.text}
		if c.expand {
			if v.kind != textScalar {
				return nil, errors.New("expand works on strings only")
			}
			var err error
			if texts, err = expandPlaceholders(v.text, opt.Placeholders); err != nil {
				return nil, err
			}
		}
		for _, t := range texts {
			ps, err := c.value(scalar{v.kind, t, v.line})
			if err != nil {
				return nil, err
			}
			for j := range ps {
				ps[j].value = i
				if ps[j].re != nil {
					ps[j].re.plain = opt.Without&Automata != 0
				}
			}
			if out = append(out, ps...); len(out) > maxExpanded {
				return nil, fmt.Errorf("more than %d values in one field", maxExpanded)
			}
		}
	}
	return out, nil
}

func (c chain) value(v scalar) ([]pred, error) {
	plain := !c.front && !c.back && !c.cased && len(c.encoders) == 0
	switch {
	case c.exists:
		switch strings.ToLower(v.text) {
		case "true", "yes":
			return []pred{{op: opExists, text: v.text, want: true}}, nil
		case "false", "no":
			return []pred{{op: opExists, text: v.text}}, nil
		}
		return nil, fmt.Errorf("exists wants true or false, not %q", v.text)
	case v.kind == nullScalar:
		if !plain || c.re || c.cidr || c.ref || c.cmp != cmpNone || c.part != partNone {
			return nil, errors.New("null takes no modifier but neq")
		}
		return []pred{{op: opNull, text: "null"}}, nil
	case c.re:
		return c.regexp(v.text)
	case c.cidr:
		p, err := parsePrefix(v.text)
		if err != nil {
			return nil, err
		}
		return []pred{{op: opCIDR, text: v.text, prefix: p}}, nil
	case c.ref:
		if v.kind != textScalar || v.text == "" {
			return nil, errors.New("fieldref wants the name of a field")
		}
		return []pred{{op: opRef, text: v.text, ref: v.text}}, nil
	case c.cmp != cmpNone || c.part != partNone:
		n, ok := parseNumber(v.text)
		if !ok {
			return nil, fmt.Errorf("a numeric modifier wants a number, not %q", v.text)
		}
		return []pred{{op: opNumber, text: v.text, num: n}}, nil
	}
	return c.globs(v)
}

// globs compiles a string: windash, encodings, position, case.
func (c chain) globs(v scalar) ([]pred, error) {
	pats := []pattern{parsePattern(v.text)}
	cased := c.cased
	for _, enc := range c.encoders {
		if v.kind != textScalar {
			return nil, fmt.Errorf("%s works on strings only", enc)
		}
		if enc == "windash" {
			pats[0] = pats[0].windash()
			continue
		}
		var next []pattern
		for _, p := range pats {
			forms := p.expandDashes(maxExpanded)
			if forms == nil {
				return nil, fmt.Errorf("more than %d forms of %q", maxExpanded, v.text)
			}
			for _, f := range forms {
				s, ok := f.literal()
				if !ok {
					return nil, fmt.Errorf("%s cannot encode the wildcards of %q", enc, v.text)
				}
				for _, e := range encode(enc, s) {
					next = append(next, pattern{{lit, e}})
				}
			}
		}
		if pats = next; strings.HasPrefix(enc, "base64") {
			cased = true // base64 text has a meaning in its case
		}
	}
	var out []pred
	for _, p := range pats {
		p = p.around(c.front, c.back)
		if !cased {
			p = p.fold()
		}
		out = append(out, pred{op: opGlob, text: v.text, pat: p, glob: compileGlob(p), cased: cased})
	}
	return out, nil
}

func (c chain) regexp(s string) ([]pred, error) {
	if len(s) > maxRegexp {
		return nil, fmt.Errorf("regular expression longer than %d bytes", maxRegexp)
	}
	src := s
	if c.front != c.back { // contains changes nothing: a search is not anchored
		if src = `\A(?:` + s + ")"; c.front {
			src = "(?:" + s + `)\z`
		}
	}
	if c.reFlags != "" {
		src = "(?" + c.reFlags + ")" + src
	}
	re, err := regexp.Compile(src)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w (the specification allows no lookaround and no back reference)", s, err)
	}
	return []pred{{op: opRegexp, text: s, re: &expression{re: re, need: requiredTexts(src), src: src}}}, nil
}

// parsePrefix reads a network, or one address.
func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network", s)
	}
	return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
}

// unresolved says that a placeholder has no values (yet).
type unresolved struct{ name string }

func (u *unresolved) Error() string {
	return "placeholder %" + u.name + "% has no values: give them in the configuration"
}

// expandPlaceholders replaces every %name% by each of its values; \% is a
// literal percent sign.
func expandPlaceholders(s string, values map[string][]string) ([]string, error) {
	out := []string{""}
	add := func(t string) {
		for i := range out {
			out[i] += t
		}
	}
	for s != "" {
		i := strings.IndexAny(s, `%\`)
		if i < 0 {
			add(s)
			break
		}
		add(s[:i])
		s = s[i:]
		if s[0] == '\\' {
			if strings.HasPrefix(s, `\%`) {
				add("%")
				s = s[2:]
			} else {
				n := min(2, len(s)) // keep an escaped backslash together
				if n == 2 && s[1] != '\\' {
					n = 1
				}
				add(s[:n])
				s = s[n:]
			}
			continue
		}
		name, rest, ok := strings.Cut(s[1:], "%")
		if !ok || name == "" {
			return nil, fmt.Errorf("a percent sign in %q does not close a placeholder: write \\%%", s)
		}
		vs := values[name]
		if len(vs) == 0 {
			return nil, &unresolved{name}
		}
		if len(out)*len(vs) > maxExpanded {
			return nil, fmt.Errorf("placeholder %%%s%% gives more than %d values", name, maxExpanded)
		}
		next := make([]string, 0, len(out)*len(vs))
		for _, o := range out {
			for _, v := range vs {
				next = append(next, o+v)
			}
		}
		out, s = next, rest
	}
	return out, nil
}
