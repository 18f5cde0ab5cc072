// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"
)

// Limits of a condition.
const (
	maxConditionTokens = 2048
	maxConditionDepth  = 64
)

// exprOp is what an expr does with its parts.
type exprOp uint8

const (
	opAnd exprOp = iota
	opOr
	opNot
	opAtLeast // n of the parts
	opItem    // one field and its values
	opTrue
	opFalse
)

// expr is a rule's logic before it is bound to the fields of a source.
type expr struct {
	op   exprOp
	kids []*expr
	n    int   // opAtLeast
	item *item // opItem
}

var errPipe = errors.New(`aggregation with "|" in a condition is obsolete since Sigma 2: write a correlation rule (event_count or value_count) beside this one`)

// parseCondition reads one condition. selection returns the expression of a
// search identifier; names lists them all. used is told each name that occurs.
func parseCondition(s string, names []string, selection func(string) *expr, used map[string]bool) (*expr, error) {
	toks, err := conditionTokens(s)
	if err != nil {
		return nil, err
	}
	p := conditionParser{toks: toks, names: names, selection: selection, used: used}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.at < len(p.toks) {
		return nil, fmt.Errorf("condition %q: unexpected %q", s, p.toks[p.at])
	}
	return e, nil
}

func conditionTokens(s string) ([]string, error) {
	var out []string
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '(' || c == ')':
			out = append(out, s[i:i+1])
			i++
		case c == '|':
			return nil, errPipe
		case nameByte(c):
			j := i
			for j < len(s) && nameByte(s[j]) {
				j++
			}
			out = append(out, s[i:j])
			i = j
		default:
			return nil, fmt.Errorf("condition %q: unexpected %q", s, s[i:i+1])
		}
		if len(out) > maxConditionTokens {
			return nil, fmt.Errorf("condition has more than %d words", maxConditionTokens)
		}
	}
	return out, nil
}

// nameByte reports whether c may stand in the name of a search identifier or a
// pattern of them. Bytes of other scripts are welcome.
func nameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c == '*' || c == '?' || c >= 0x80 ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// conditionParser is a recursive descent; precedence from low to high: or, and,
// not, "x of", parentheses (specification, "Condition").
type conditionParser struct {
	toks      []string
	at        int
	names     []string
	selection func(string) *expr
	used      map[string]bool
}

func (p *conditionParser) peek() string {
	if p.at < len(p.toks) {
		return p.toks[p.at]
	}
	return ""
}

// word takes the next token when it is that word, in any case.
func (p *conditionParser) word(w string) bool {
	if strings.EqualFold(p.peek(), w) {
		p.at++
		return true
	}
	return false
}

func (p *conditionParser) or(depth int) (*expr, error) { return p.list(depth, "or", opOr, p.and) }

func (p *conditionParser) and(depth int) (*expr, error) { return p.list(depth, "and", opAnd, p.not) }

func (p *conditionParser) list(depth int, word string, op exprOp, part func(int) (*expr, error)) (*expr, error) {
	if depth > maxConditionDepth {
		return nil, fmt.Errorf("condition nests deeper than %d", maxConditionDepth)
	}
	first, err := part(depth + 1)
	if err != nil {
		return nil, err
	}
	all := []*expr{first}
	for p.word(word) {
		e, err := part(depth + 1)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	if len(all) == 1 {
		return first, nil
	}
	return &expr{op: op, kids: all}, nil
}

func (p *conditionParser) not(depth int) (*expr, error) {
	if depth > maxConditionDepth {
		return nil, fmt.Errorf("condition nests deeper than %d", maxConditionDepth)
	}
	if p.word("not") {
		e, err := p.not(depth + 1)
		if err != nil {
			return nil, err
		}
		return &expr{op: opNot, kids: []*expr{e}}, nil
	}
	return p.primary(depth + 1)
}

func (p *conditionParser) primary(depth int) (*expr, error) {
	if p.word("(") {
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.word(")") {
			return nil, errors.New("condition: a parenthesis is not closed")
		}
		return e, nil
	}
	t := p.peek()
	if p.at+1 < len(p.toks) && strings.EqualFold(p.toks[p.at+1], "of") {
		return p.quantifier(t)
	}
	switch strings.ToLower(t) {
	case "":
		return nil, errors.New("condition ends where a selection is expected")
	case ")", "and", "or", "of", "them", "near":
		return nil, fmt.Errorf("condition: unexpected %q", t)
	}
	e := p.selection(t)
	if e == nil {
		return nil, fmt.Errorf("condition names %q, which is no selection of this rule", t)
	}
	p.used[t] = true
	p.at++
	return e, nil
}

// quantifier reads "1 of x*", "all of them" and the like.
func (p *conditionParser) quantifier(count string) (*expr, error) {
	p.at += 2
	target := p.peek()
	if target == "" || target == "(" || target == ")" {
		return nil, fmt.Errorf("condition: %q of what?", count)
	}
	p.at++
	var kids []*expr
	for _, n := range p.names {
		ok := false
		if strings.EqualFold(target, "them") {
			ok = !strings.HasPrefix(n, "_") // hidden from "them" (specification, "Condition")
		} else {
			ok, _ = path.Match(target, n)
		}
		if ok {
			kids = append(kids, p.selection(n))
			p.used[n] = true
		}
	}
	if len(kids) == 0 {
		return nil, fmt.Errorf("condition: no selection is named like %q", target)
	}
	switch strings.ToLower(count) {
	case "all":
		return &expr{op: opAnd, kids: kids}, nil
	case "any", "1":
		return &expr{op: opOr, kids: kids}, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("condition: %q is not a number of selections", count)
	}
	if n > len(kids) {
		return nil, fmt.Errorf("condition: %d of %q, but only %d selections are named so", n, target, len(kids))
	}
	return &expr{op: opAtLeast, n: n, kids: kids}, nil
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
