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
	"slices"
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

// isWord reports whether t is one of the words that join terms.
func (t token) isWord(w string) bool {
	return t.kind == tokWord && t.field == "" && !t.named && !t.quoted && t.text == w
}

// isTime reports whether t bounds the query in time.
func (t token) isTime() bool {
	return t.kind == tokWord && !t.named && (t.field == "last" || t.field == "from" || t.field == "to")
}

func (p *parser) isWord(w string) bool {
	t, ok := p.peek()
	return ok && t.isWord(w)
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
		if t.isTime() {
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
	case t.field == "" && !t.named:
		return free(t)
	case t.isTime():
		if !top {
			return nil, errAt(t.pos, "time_inside", "word", t.field)
		}
		return nil, p.time(t)
	case len(t.value) == 0 && !t.quoted:
		if n, ok := p.peek(); ok && n.kind == tokOpen && n.pos == t.end {
			return p.values(t)
		}
		return nil, errAt(t.pos, "want_value", "field", t.field)
	}
	return cond(t, p.now)
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
			switch len(alt) {
			case 0:
				return nil, errAt(t.pos, "want_value", "field", t.field)
			case 1:
				return alt[0], nil
			}
			return alt, nil
		case v.kind != tokWord || v.field != "" || v.named || v.isWord("AND") || v.isWord("NOT"):
			return nil, errAt(v.pos, "values_only", "field", t.field)
		}
		p.i++
		if v.isWord("OR") {
			continue
		}
		if p.terms++; p.terms > maxTerms {
			return nil, errAt(v.pos, "many", "max", itoa(maxTerms))
		}
		v.field = t.field
		f, err := cond(v, p.now)
		if err != nil {
			return nil, err
		}
		alt = append(alt, f)
	}
}

// free reads a word or phrase without a field.
func free(t token) (eventstore.Filter, error) {
	if !t.quoted {
		switch t.text {
		case "and", "or", "not":
			return nil, errAt(t.pos, "lower", "word", t.text, "upper", strings.ToUpper(t.text))
		}
	}
	// A word is looked for anywhere, so stars around it say nothing.
	cs := t.value
	for len(cs) > 0 && cs[0] == (cell{r: '*'}) {
		cs = cs[1:]
	}
	for len(cs) > 0 && cs[len(cs)-1] == (cell{r: '*'}) {
		cs = cs[:len(cs)-1]
	}
	if len(cs) == 0 && !t.quoted {
		return eventstore.And{}, nil // * alone: everything
	}
	if slices.Contains(cs, cell{r: '*'}) {
		return nil, errAt(t.pos, "word_wild", "word", t.text)
	}
	return eventstore.Word(plain(cs)), nil
}

var signs = []struct {
	sign string
	op   eventstore.Op
}{{">=", eventstore.Gte}, {"<=", eventstore.Lte}, {">", eventstore.Gt}, {"<", eventstore.Lt}}

// cond turns field:value into a comparison.
func cond(t token, now time.Time) (eventstore.Filter, error) {
	c := eventstore.Cond{Field: t.field, Op: eventstore.Eq, Value: t.text}
	cs := t.value
	for _, s := range signs {
		if n := len(s.sign); len(cs) >= n && plain(cs[:n]) == s.sign && !cs[0].lit && !cs[n-1].lit {
			if cs = cs[n:]; len(cs) == 0 && !t.quoted {
				return nil, errAt(t.pos, "want_value", "field", t.field)
			}
			c.Op, c.Value = s.op, plain(cs)
			break
		}
	}
	kind, _ := eventstore.KindOf(t.field)
	switch {
	case c.Op == eventstore.Eq && len(cs) == 1 && cs[0] == cell{r: '*'}:
		return eventstore.Cond{Field: t.field, Op: eventstore.Exists}, nil
	case kind == eventstore.KindTime:
		return timeCond(t, c, now)
	case c.Op != eventstore.Eq:
		if kind == eventstore.KindNumber && !eventstore.Number(c.Value) {
			return nil, errAt(t.pos, "number", "field", t.field, "value", c.Value)
		}
		return c, nil
	case slices.Contains(cs, cell{r: '*'}) || slices.Contains(cs, cell{r: '?'}):
		return wild(c, cs), nil
	case !t.quoted && strings.Contains(t.text, "/"):
		if pfx, err := netip.ParsePrefix(t.text); err == nil {
			c.Op, c.Value = eventstore.CIDR, pfx.Masked().String()
			return c, nil
		}
	}
	switch _, err := netip.ParseAddr(t.text); {
	case kind == eventstore.KindAddr && err != nil:
		return nil, errAt(t.pos, "address", "field", t.field, "value", t.text)
	case kind == eventstore.KindNumber && !eventstore.Number(t.text):
		return nil, errAt(t.pos, "number", "field", t.field, "value", t.text)
	}
	return c, nil
}

// wild turns a value with wildcards into the simplest comparison.
func wild(c eventstore.Cond, cs []cell) eventstore.Cond {
	g := make([]rune, len(cs))
	for i, x := range cs {
		switch x {
		case cell{r: '*'}:
			g[i] = eventstore.AnyRun
		case cell{r: '?'}:
			g[i] = eventstore.AnyOne
		default:
			g[i] = x.r
		}
	}
	first, last := g[0] == eventstore.AnyRun, g[len(g)-1] == eventstore.AnyRun
	inner := g
	if first {
		inner = inner[1:]
	}
	if last && len(inner) > 0 {
		inner = inner[:len(inner)-1]
	}
	if len(inner) == 0 || slices.Contains(inner, eventstore.AnyRun) || slices.Contains(inner, eventstore.AnyOne) {
		c.Op, c.Value = eventstore.Glob, eventstore.FormatGlob(g)
		return c
	}
	c.Value = string(inner)
	switch {
	case first && last:
		c.Op = eventstore.Contains
	case first:
		c.Op = eventstore.Suffix
	default:
		c.Op = eventstore.Prefix
	}
	return c
}

// timeCond compares a time column. A day is all of the day: after it begins
// with the next, and equal to it is anything within.
func timeCond(t token, c eventstore.Cond, now time.Time) (eventstore.Filter, error) {
	at, next, ok := moment(c.Value, now)
	if !ok {
		return nil, errAt(t.pos, "time", "value", c.Value)
	}
	is := func(op eventstore.Op, at time.Time) eventstore.Cond {
		return eventstore.Cond{Field: t.field, Op: op, Value: at.Format(time.RFC3339Nano)}
	}
	if at.Equal(next) {
		return is(c.Op, at), nil
	}
	switch c.Op {
	case eventstore.Lt:
		return is(eventstore.Lt, at), nil
	case eventstore.Lte:
		return is(eventstore.Lt, next), nil
	case eventstore.Gt:
		return is(eventstore.Gte, next), nil
	case eventstore.Gte:
		return is(eventstore.Gte, at), nil
	}
	return eventstore.And{is(eventstore.Gte, at), is(eventstore.Lt, next)}, nil
}

// time takes last:, from: and to:.
func (p *parser) time(t token) error {
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
	at, next, ok := moment(t.text, p.now)
	if !ok {
		return errAt(t.pos, "time", "value", t.text)
	}
	switch {
	case t.field == "from" && p.from.IsZero():
		p.from = at
	case t.field == "to" && p.to.IsZero():
		p.to = next // a day is searched to its end
	default:
		return errAt(t.pos, "time_twice", "word", t.field)
	}
	return nil
}
