// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package query reads the query language for people:
//
//	src_ip:10.0.0.5 AND event_id:4625 last:24h
//
// and turns it into a typed eventstore.Query. README.md in this folder explains
// it to users.
//
// It promises that every text is either read wholly or refused with an Error
// that says what, where and what to do, in both languages; and that Format
// writes a filter in a form that reads back as the same filter. It never
// touches a store and knows no SQL.
package query

import (
	"net/netip"
	"strings"
	"time"

	"citywall/eventstore"
)

// Limits of a text.
const (
	maxLength = 8 << 10 // bytes
	maxDepth  = 24      // parentheses and negations within each other
	maxTerms  = 200
)

// Parse reads text. now is what last: counts back from. Times without a zone
// are Taipei's. Without a time in the text From and To are zero.
func Parse(text string, now time.Time) (eventstore.Query, error) {
	if len(text) > maxLength {
		return eventstore.Query{}, errAt(0, "long", "max", itoa(maxLength))
	}
	toks, err := scan(text)
	if err != nil {
		return eventstore.Query{}, err
	}
	p := parser{toks: toks, now: now, end: len([]rune(text))}
	var q eventstore.Query
	if len(toks) == 0 {
		return q, nil
	}
	f, err := p.or(0, true)
	if err != nil {
		return q, err
	}
	if t, ok := p.peek(); ok {
		return q, errAt(t.pos, "paren_close")
	}
	if !p.from.IsZero() && !p.to.IsZero() && !p.from.Before(p.to) {
		return q, errAt(0, "time_empty")
	}
	q.Filter, q.From, q.To = f, p.from, p.to
	return q, nil
}

type parser struct {
	toks     []token
	i        int
	end      int
	terms    int
	now      time.Time
	from, to time.Time
}

func (p *parser) peek() (token, bool) {
	if p.i < len(p.toks) {
		return p.toks[p.i], true
	}
	return token{pos: p.end}, false
}

func (p *parser) isWord(w string) bool {
	t, ok := p.peek()
	return ok && t.kind == tokWord && t.field == "" && t.text == w
}

// or reads alternatives. top is true where a time may stand: joined to all the
// rest by AND.
func (p *parser) or(depth int, top bool) (eventstore.Filter, error) {
	if depth > maxDepth {
		t, _ := p.peek()
		return nil, errAt(t.pos, "deep", "max", itoa(maxDepth))
	}
	start := p.i
	first, err := p.and(depth, top)
	if err != nil {
		return nil, err
	}
	alt := eventstore.Or{first}
	for p.isWord("OR") {
		if t, ok := p.timeWithin(start); ok {
			return nil, errAt(t.pos, "time_inside", "word", t.field)
		}
		p.i++
		start = p.i
		f, err := p.and(depth, false)
		if err != nil {
			return nil, err
		}
		alt = append(alt, f)
	}
	if len(alt) == 1 {
		return first, nil
	}
	for i, f := range alt {
		if f == nil {
			alt[i] = eventstore.And{}
		}
	}
	return alt, nil
}

// timeWithin finds a time among the tokens since start.
func (p *parser) timeWithin(start int) (token, bool) {
	for _, t := range p.toks[start:p.i] {
		if t.kind == tokWord && isTime(t.field) {
			return t, true
		}
	}
	return token{}, false
}

func (p *parser) and(depth int, top bool) (eventstore.Filter, error) {
	var all eventstore.And
	n := 0
	for {
		t, ok := p.peek()
		if !ok || t.kind == tokClose || p.isWord("OR") {
			break
		}
		if p.isWord("AND") {
			if n == 0 {
				return nil, errAt(t.pos, "and_first")
			}
			p.i++
			if t, ok := p.peek(); !ok || t.kind == tokClose || p.isWord("OR") || p.isWord("AND") {
				return nil, errAt(t.pos, "want_term")
			}
		}
		f, err := p.unary(depth, top)
		if err != nil {
			return nil, err
		}
		n++
		if f != nil {
			all = append(all, f)
		}
	}
	if n == 0 {
		t, _ := p.peek()
		return nil, errAt(t.pos, "want_term")
	}
	switch len(all) {
	case 0:
		return nil, nil // a time alone
	case 1:
		return all[0], nil
	}
	return all, nil
}

func (p *parser) unary(depth int, top bool) (eventstore.Filter, error) {
	t, ok := p.peek()
	switch {
	case !ok:
		return nil, errAt(t.pos, "want_term")
	case p.isWord("NOT") || t.kind == tokMinus:
		p.i++
		if depth >= maxDepth {
			return nil, errAt(t.pos, "deep", "max", itoa(maxDepth))
		}
		f, err := p.unary(depth+1, false)
		if err != nil {
			return nil, err
		}
		if f == nil {
			f = eventstore.And{}
		}
		return eventstore.Not{F: f}, nil
	case t.kind == tokOpen:
		p.i++
		f, err := p.or(depth+1, false)
		if err != nil {
			return nil, err
		}
		if c, ok := p.peek(); !ok || c.kind != tokClose {
			return nil, errAt(t.pos, "paren_open")
		}
		p.i++
		return f, nil
	case t.kind == tokClose:
		return nil, errAt(t.pos, "want_term")
	}
	if p.terms++; p.terms > maxTerms {
		return nil, errAt(t.pos, "many", "max", itoa(maxTerms))
	}
	p.i++
	switch {
	case t.field == "" && t.quoted:
		return eventstore.Word(t.text), nil
	case t.field == "":
		w := strings.Trim(t.text, "*")
		if w == "" {
			return eventstore.And{}, nil // * alone: everything
		}
		return eventstore.Word(w), nil
	case isTime(t.field):
		if !top {
			return nil, errAt(t.pos, "time_inside", "word", t.field)
		}
		return nil, p.time(t)
	case t.text == "" && !t.quoted:
		if n, ok := p.peek(); ok && n.kind == tokOpen && n.pos == t.end {
			return p.values(t)
		}
		return nil, errAt(t.pos, "want_value", "field", t.field)
	}
	return cond(t)
}

// values reads field:(a OR b OR "c d").
func (p *parser) values(t token) (eventstore.Filter, error) {
	p.i++ // (
	var alt eventstore.Or
	for {
		v, ok := p.peek()
		switch {
		case !ok:
			return nil, errAt(t.pos, "paren_open")
		case v.kind == tokClose:
			p.i++
			if len(alt) == 0 {
				return nil, errAt(t.pos, "want_value", "field", t.field)
			}
			return alt, nil
		case v.kind != tokWord || v.field != "":
			return nil, errAt(v.pos, "values_only", "field", t.field)
		}
		p.i++
		if v.text == "OR" && !v.quoted {
			continue
		}
		if p.terms++; p.terms > maxTerms {
			return nil, errAt(v.pos, "many", "max", itoa(maxTerms))
		}
		v.field = t.field
		f, err := cond(v)
		if err != nil {
			return nil, err
		}
		alt = append(alt, f)
	}
}

// cond turns field:value into a comparison.
func cond(t token) (eventstore.Filter, error) {
	c := eventstore.Cond{Field: t.field, Op: eventstore.Eq, Value: t.text}
	if t.quoted {
		return c, nil
	}
	for _, o := range []struct {
		sign string
		op   eventstore.Op
	}{{">=", eventstore.Gte}, {"<=", eventstore.Lte}, {">", eventstore.Gt}, {"<", eventstore.Lt}} {
		if v, ok := strings.CutPrefix(t.text, o.sign); ok {
			if v == "" {
				return nil, errAt(t.pos, "want_value", "field", t.field)
			}
			c.Op, c.Value = o.op, v
			if k, ok := eventstore.KindOf(t.field); ok && k == eventstore.KindTime {
				at, err := moment(v, time.Time{}, taipei)
				if err != nil {
					return nil, errAt(t.pos, "time", "value", v)
				}
				c.Value = at.Format(time.RFC3339Nano)
			}
			return c, nil
		}
	}
	switch {
	case t.text == "*":
		return eventstore.Cond{Field: t.field, Op: eventstore.Exists}, nil
	case strings.ContainsAny(t.text, "*?"):
		c.Op, c.Value = eventstore.Glob, strings.ReplaceAll(t.text, "[", "[[]")
		inner := strings.Trim(t.text, "*")
		if !strings.ContainsAny(inner, "*?") && inner != "" { // the three simple shapes
			c.Value = inner
			switch {
			case strings.HasPrefix(t.text, "*") && strings.HasSuffix(t.text, "*"):
				c.Op = eventstore.Contains
			case strings.HasPrefix(t.text, "*"):
				c.Op = eventstore.Suffix
			default:
				c.Op = eventstore.Prefix
			}
		}
	case strings.Contains(t.text, "/"):
		if pfx, err := netip.ParsePrefix(t.text); err == nil {
			c.Op, c.Value = eventstore.CIDR, pfx.Masked().String()
		}
	}
	return c, nil
}

// time takes last:, from: and to:.
func (p *parser) time(t token) error {
	bad := errAt(t.pos, "time", "value", t.text)
	if t.field == "last" {
		d, ok := span(t.text)
		if !ok {
			return errAt(t.pos, "span", "value", t.text)
		}
		if !p.from.IsZero() {
			return errAt(t.pos, "time_twice", "word", t.field)
		}
		p.from = p.now.Add(-d).UTC()
		if p.to.IsZero() {
			p.to = p.now.UTC()
		}
		return nil
	}
	at, err := moment(t.text, p.now, taipei)
	if err != nil {
		return bad
	}
	switch {
	case t.field == "from" && p.from.IsZero():
		p.from = at
	case t.field == "to" && p.to.IsZero():
		p.to = at
	default:
		return errAt(t.pos, "time_twice", "word", t.field)
	}
	return nil
}
