// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package flatjson reads one JSON object into flat, ordered event fields:
// {"a":{"b":1}} becomes a.b = "1".
//
// It promises the text of every value as written (a number is never turned
// into a float), the three states null, empty and absent, lists kept per
// element, and hard limits on depth, fields and size. It never interprets a
// field. encoding/json would lose the order and the text of numbers, and costs
// several times as much for this shape.
package flatjson

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"citywall/event"
	"citywall/ingest/format"
)

// Parse reads the object in b. Arrays of plain values become lists. An array
// of objects gives each member name the list of its values over the elements
// ("answers.rrname"), since records use them as small tables; the elements
// stay in order, but a member absent from one element leaves no hole.
//
// Anything after the object but white space is an error, as is a repeated
// depth or field count beyond the limits of package format.
func Parse(b []byte) (event.Fields, error) {
	p := parser{b: b}
	p.fields = make(event.Fields, 0, 24)
	p.space()
	if p.peek() != '{' {
		return nil, p.fail("want a JSON object")
	}
	if err := p.object("", 0, false); err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(p.b) {
		return nil, p.fail("text after the object")
	}
	return p.fields, nil
}

type parser struct {
	b      []byte
	i      int
	fields event.Fields
	path   []byte // scratch for the dotted name
}

func (p *parser) fail(what string) error {
	return fmt.Errorf("json, byte %d: %s", p.i, what)
}

func (p *parser) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

// object reads {...}; inArray makes its members lists.
func (p *parser) object(prefix string, depth int, inArray bool) error {
	if depth > format.MaxDepth {
		return p.fail("nested too deeply")
	}
	p.i++ // {
	p.space()
	if p.peek() == '}' {
		p.i++
		return nil
	}
	for {
		p.space()
		if p.peek() != '"' {
			return p.fail("want a member name")
		}
		key, err := p.str()
		if err != nil {
			return err
		}
		p.space()
		if p.peek() != ':' {
			return p.fail("want a colon")
		}
		p.i++
		if prefix != "" {
			p.path = append(append(append(p.path[:0], prefix...), '.'), key...)
			key = string(p.path)
		}
		if err := p.value(key, depth, inArray); err != nil {
			return err
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
		case '}':
			p.i++
			return nil
		default:
			return p.fail("want a comma or the end of the object")
		}
	}
}

func (p *parser) value(key string, depth int, inArray bool) error {
	p.space()
	switch c := p.peek(); c {
	case '{':
		return p.object(key, depth+1, inArray)
	case '[':
		return p.array(key, depth+1)
	case 'n':
		if err := p.word("null"); err != nil {
			return err
		}
		if inArray {
			return nil
		}
		return p.put(key, event.Value{})
	default:
		s, err := p.scalar(c)
		if err != nil {
			return err
		}
		if inArray {
			return p.add(key, s)
		}
		return p.put(key, event.T(s))
	}
}

func (p *parser) array(key string, depth int) error {
	if depth > format.MaxDepth {
		return p.fail("nested too deeply")
	}
	p.i++ // [
	v := event.Value{Kind: event.List}
	objects := false
	p.space()
	if p.peek() == ']' {
		p.i++
		return p.put(key, v)
	}
	for n := 0; ; n++ {
		if n > 64*format.MaxFields {
			return p.fail("array too long")
		}
		p.space()
		switch c := p.peek(); c {
		case '{':
			objects = true
			if err := p.object(key, depth+1, true); err != nil {
				return err
			}
		case '[':
			// A table in a table: its plain values join the outer list.
			if err := p.array(key, depth+1); err != nil {
				return err
			}
			objects = true
		case 'n':
			if err := p.word("null"); err != nil {
				return err
			}
			v.List = append(v.List, "")
		default:
			s, err := p.scalar(c)
			if err != nil {
				return err
			}
			v.List = append(v.List, s)
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
		case ']':
			p.i++
			if objects && len(v.List) == 0 {
				return nil
			}
			return p.put(key, v)
		default:
			return p.fail("want a comma or the end of the array")
		}
	}
}

// put appends a field. A name that came before is joined into a list: JSON
// forbids it, logs contain it, and neither value may get lost.
func (p *parser) put(key string, v event.Value) error {
	if len(p.fields) >= format.MaxFields {
		return p.fail("too many fields")
	}
	if len(p.fields) < 128 { // the search is quadratic; a real record is smaller
		for i := range p.fields {
			if p.fields[i].Name == key {
				p.join(i, v)
				return nil
			}
		}
	}
	p.fields = append(p.fields, event.Field{Name: key, Value: v})
	return nil
}

func (p *parser) join(i int, v event.Value) {
	old := &p.fields[i].Value
	var all []string
	for _, x := range []event.Value{*old, v} {
		switch x.Kind {
		case event.Text:
			all = append(all, x.Text)
		case event.List:
			all = append(all, x.List...)
		}
	}
	*old = event.Value{Kind: event.List, List: all}
}

// add appends to a list field: the member of an object in an array.
func (p *parser) add(key, s string) error {
	for i := range p.fields {
		if p.fields[i].Name == key {
			v := &p.fields[i].Value
			if v.Kind == event.List {
				v.List = append(v.List, s)
			} else {
				p.join(i, event.T(s))
			}
			return nil
		}
	}
	return p.put(key, event.L(s))
}

func (p *parser) word(w string) error {
	if p.i+len(w) > len(p.b) || string(p.b[p.i:p.i+len(w)]) != w {
		return p.fail("unknown word")
	}
	p.i += len(w)
	return nil
}

func (p *parser) scalar(c byte) (string, error) {
	switch {
	case c == '"':
		return p.str()
	case c == 't':
		return "true", p.word("true")
	case c == 'f':
		return "false", p.word("false")
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	return "", p.fail("want a value")
}

// number checks the grammar of RFC 8259 §6 and keeps the text.
func (p *parser) number() (string, error) {
	start := p.i
	digits := func() bool {
		n := p.i
		for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
			p.i++
		}
		return p.i > n
	}
	if p.peek() == '-' {
		p.i++
	}
	if p.peek() == '0' {
		p.i++
	} else if !digits() {
		return "", p.fail("want a digit")
	}
	if p.peek() == '.' {
		p.i++
		if !digits() {
			return "", p.fail("want a digit")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		if !digits() {
			return "", p.fail("want a digit")
		}
	}
	return string(p.b[start:p.i]), nil
}

// str reads a string. Invalid UTF-8 and lone surrogates become U+FFFD.
func (p *parser) str() (string, error) {
	p.i++ // "
	start := p.i
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == '"':
			s := p.b[start:p.i]
			p.i++
			if utf8.Valid(s) {
				return string(s), nil
			}
			return string([]rune(string(s))), nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.fail("control character in a string")
		}
		p.i++
	}
	return "", p.fail("string without an end")
}

func (p *parser) escaped(start int) (string, error) {
	out := append([]byte(nil), p.b[start:p.i]...)
	for p.i < len(p.b) {
		c := p.b[p.i]
		switch {
		case c == '"':
			p.i++
			if utf8.Valid(out) {
				return string(out), nil
			}
			return string([]rune(string(out))), nil
		case c < 0x20:
			return "", p.fail("control character in a string")
		case c != '\\':
			out = append(out, c)
			p.i++
			continue
		}
		if p.i+1 >= len(p.b) {
			break
		}
		p.i += 2
		switch e := p.b[p.i-1]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := p.hex4()
			if !ok {
				return "", p.fail("want four hex digits")
			}
			if utf16.IsSurrogate(r) && p.i+1 < len(p.b) && p.b[p.i] == '\\' && p.b[p.i+1] == 'u' {
				save := p.i
				p.i += 2
				low, ok := p.hex4()
				if d := utf16.DecodeRune(r, low); ok && d != utf8.RuneError {
					r = d
				} else {
					p.i = save
				}
			}
			out = utf8.AppendRune(out, r) // a lone surrogate is written as U+FFFD
		default:
			return "", p.fail("unknown escape")
		}
	}
	return "", p.fail("string without an end")
}

func (p *parser) hex4() (rune, bool) {
	if p.i+4 > len(p.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.b[p.i:p.i+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.i += 4
	return rune(n), true
}
