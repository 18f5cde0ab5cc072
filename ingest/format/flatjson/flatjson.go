// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package flatjson reads one JSON object into flat, ordered event fields:
// {"a":{"b":1}} becomes a.b = "1".
//
// It promises the text of every value as written (a number is never turned
// into a float), the three states null, empty and absent, lists kept per
// element, and hard limits on depth, fields, names and size. It never interprets
// a field. encoding/json would lose the order and the text of numbers, and costs
// several times as much for this shape.
//
// A log repeats the same names in the same order, record after record, and
// values like "-" in the same places. A Parser remembers both, so that a record
// costs three allocations however many fields it has; what it remembers is
// bounded and changes no result.
package flatjson

import (
	"fmt"
	"sync"
	"unicode/utf8"

	"citywall/event"
	"citywall/ingest/format"
)

// Parse reads the object in b. Arrays of plain values become lists. An array
// of objects gives each member name the list of its values over the elements
// ("answers.rrname"), since records use them as small tables; the elements
// stay in order, but a member absent from one element leaves no hole.
//
// Anything after the object but white space is an error, as is a depth or field
// count beyond the limits of package format. A name that occurs twice becomes a
// list: JSON forbids it, logs contain it, and neither value may get lost.
func Parse(b []byte) (event.Fields, error) {
	p := parsers.Get().(*Parser)
	defer parsers.Put(p)
	f, _, err := p.Parse(b)
	return f, err
}

// parsers are those of Parse. What they remember makes them faster, nothing else.
var parsers = sync.Pool{New: func() any { return new(Parser) }}

// Parser reads one record after the other. The zero value is ready. It is for
// one goroutine.
type Parser struct {
	// Alias, when set, is asked once for each distinct name, before the first
	// Parse that meets it: under which name its values are kept ("" drops them),
	// and a class of the caller's that Parse reports.
	Alias func(name string) (alias string, class uint8)

	b     []byte
	i     int
	utf8  bool // all of b is
	gen   uint32
	root  *node
	slots map[string]*slot
	known int // nodes
	size  int // bytes of their names
	class uint8
	count int // distinct names of the record

	items []item
	text  []byte // of values that are not remembered
	esc   []byte // scratch for a string with escapes
}

// node is a name at its place in the object.
type node struct {
	key   string
	full  string
	class uint8
	slot  *slot // nil: dropped
	kids  map[string]*node
	first *node // the member that came first last time
	after *node // the member of the same object that came after this one

	gen   uint32 // of the record that it was last met in
	value string // a value that it had
	tries uint8  // values remembered so far
}

// slot is where the values of one name go in the record being read.
type slot struct {
	name string
	gen  uint32
	at   int
}

// item is a field in the making.
type item struct {
	slot   *slot
	kind   event.Kind
	text   string
	lo, hi int // in Parser.text, when hi > lo
	list   []string
}

// Bounds of what a Parser remembers; beyond them it begins anew.
const (
	maxKnown = 4096
	maxSize  = 1 << 20
	maxName  = 4096 // bytes of one dotted name
	maxTries = 8
	maxValue = 128
)

// Parse is the function of the same name, with aliases, and the classes of all
// names that occurred, or-ed. Fields share one copy of their text.
func (p *Parser) Parse(b []byte) (event.Fields, uint8, error) {
	if p.root == nil || p.known > maxKnown || p.size > maxSize || p.gen == 1<<32-1 {
		p.root, p.slots, p.known, p.size, p.gen = &node{}, map[string]*slot{}, 0, 0, 0
	}
	p.b, p.i, p.utf8, p.class, p.count = b, 0, utf8.Valid(b), 0, 0
	p.gen++
	p.items, p.text = p.items[:0], p.text[:0]
	defer func() { p.b = nil }()
	p.space()
	if p.peek() != '{' {
		return nil, 0, p.fail("want a JSON object")
	}
	if err := p.object(p.root, 0, false); err != nil {
		return nil, 0, err
	}
	p.space()
	if p.i < len(p.b) {
		return nil, 0, p.fail("text after the object")
	}
	return p.fields(), p.class, nil
}

// fields writes the items down.
func (p *Parser) fields() event.Fields {
	out := make(event.Fields, len(p.items))
	text := string(p.text)
	for i := range p.items {
		x := &p.items[i]
		f := &out[i]
		f.Name, f.Value.Kind = x.slot.name, x.kind
		switch {
		case x.kind == event.List:
			f.Value.List = x.list
		case x.hi > x.lo:
			f.Value.Text = text[x.lo:x.hi]
		default:
			f.Value.Text = x.text
		}
	}
	clear(p.items)
	return out
}

func (p *Parser) fail(what string) error {
	return fmt.Errorf("json, byte %d: %s", p.i, what)
}

func (p *Parser) space() {
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
func (p *Parser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

// object reads {...} at n; inArray makes its members lists.
func (p *Parser) object(n *node, depth int, inArray bool) error {
	if depth > format.MaxDepth {
		return p.fail("nested too deeply")
	}
	p.i++ // {
	p.space()
	if p.peek() == '}' {
		p.i++
		return nil
	}
	guess := &n.first
	for {
		p.space()
		if p.peek() != '"' {
			return p.fail("want a member name")
		}
		key, err := p.str()
		if err != nil {
			return err
		}
		kid := *guess
		if kid == nil || kid.key != string(key) {
			if kid, err = p.kid(n, key); err != nil {
				return err
			}
			*guess = kid
		}
		p.space()
		if p.peek() != ':' {
			return p.fail("want a colon")
		}
		p.i++
		if err := p.value(kid, depth, inArray); err != nil {
			return err
		}
		guess = &kid.after
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

// kid finds or makes the member of n with that name.
func (p *Parser) kid(n *node, key []byte) (*node, error) {
	if k := n.kids[string(key)]; k != nil {
		return k, nil
	}
	k := &node{key: string(key)}
	if k.full = k.key; n != p.root {
		k.full = n.full + "." + k.key
	}
	if len(k.full) > maxName {
		return nil, p.fail("name too long")
	}
	alias := k.full
	if p.Alias != nil {
		alias, k.class = p.Alias(k.full)
	}
	if alias != "" || p.Alias == nil {
		if k.slot = p.slots[alias]; k.slot == nil {
			k.slot = &slot{name: alias}
			p.slots[alias] = k.slot
		}
	}
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	n.kids[k.key] = k
	p.known++
	p.size += len(k.full) + len(alias)
	return k, nil
}

func (p *Parser) value(n *node, depth int, inArray bool) error {
	p.space()
	switch c := p.peek(); c {
	case '{':
		return p.object(n, depth+1, inArray)
	case '[':
		return p.array(n, depth+1)
	case 'n':
		if err := p.word("null"); err != nil {
			return err
		}
		if inArray {
			return nil
		}
		return p.put(n, item{})
	default:
		s, err := p.scalar(c)
		if err != nil {
			return err
		}
		if inArray {
			return p.add(n, p.keep(n, s))
		}
		return p.put(n, p.plain(n, s))
	}
}

func (p *Parser) array(n *node, depth int) error {
	if depth > format.MaxDepth {
		return p.fail("nested too deeply")
	}
	p.i++ // [
	v := item{kind: event.List}
	objects := false
	p.space()
	if p.peek() == ']' {
		p.i++
		return p.put(n, v)
	}
	for count := 0; ; count++ {
		if count > 64*format.MaxFields {
			return p.fail("array too long")
		}
		p.space()
		switch c := p.peek(); c {
		case '{':
			objects = true
			if err := p.object(n, depth+1, true); err != nil {
				return err
			}
		case '[':
			// A table in a table: its plain values join the outer list.
			if err := p.array(n, depth+1); err != nil {
				return err
			}
			objects = true
		case 'n':
			if err := p.word("null"); err != nil {
				return err
			}
			v.list = append(v.list, "")
		default:
			s, err := p.scalar(c)
			if err != nil {
				return err
			}
			v.list = append(v.list, p.keep(n, s))
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
		case ']':
			p.i++
			if objects && len(v.list) == 0 {
				return nil
			}
			return p.put(n, v)
		default:
			return p.fail("want a comma or the end of the array")
		}
	}
}

// remembered returns the value that n had when it is this one again. The first
// few values of a name are remembered in turn; a name that differs each time is
// soon left alone.
func (n *node) remembered(s []byte) (string, bool) {
	if n.value == string(s) {
		return n.value, true
	}
	if n.tries < maxTries && len(s) <= maxValue {
		n.tries++
		n.value = string(s)
		return n.value, true
	}
	return "", false
}

// plain is a text value.
func (p *Parser) plain(n *node, s []byte) item {
	if v, ok := n.remembered(s); ok {
		return item{kind: event.Text, text: v}
	}
	lo := len(p.text)
	p.text = append(p.text, s...)
	return item{kind: event.Text, lo: lo, hi: len(p.text)}
}

// keep is s as a string of its own.
func (p *Parser) keep(n *node, s []byte) string {
	if v, ok := n.remembered(s); ok {
		return v
	}
	return string(s)
}

// put appends a field, or joins its value to that of the same name.
func (p *Parser) put(n *node, x item) error {
	p.class |= n.class
	if n.gen != p.gen {
		if p.count++; p.count > format.MaxFields { // whatever the aliases
			return p.fail("too many fields")
		}
		n.gen = p.gen
	}
	if n.slot == nil {
		return nil
	}
	if n.slot.gen == p.gen {
		p.join(n.slot.at, x)
		return nil
	}
	n.slot.gen, n.slot.at = p.gen, len(p.items)
	x.slot = n.slot
	p.items = append(p.items, x)
	return nil
}

func (p *Parser) join(i int, x item) {
	old := &p.items[i]
	var all []string
	for _, v := range []*item{old, &x} {
		switch {
		case v.kind == event.List:
			all = append(all, v.list...)
		case v.kind == event.Text && v.hi > v.lo:
			all = append(all, string(p.text[v.lo:v.hi]))
		case v.kind == event.Text:
			all = append(all, v.text)
		}
	}
	*old = item{slot: old.slot, kind: event.List, list: all}
}

// add appends to a list field: the member of an object in an array.
func (p *Parser) add(n *node, s string) error {
	if n.slot != nil && n.slot.gen == p.gen {
		if x := &p.items[n.slot.at]; x.kind == event.List {
			x.list = append(x.list, s)
			return nil
		}
	}
	return p.put(n, item{kind: event.List, list: []string{s}})
}

func (p *Parser) word(w string) error {
	if p.i+len(w) > len(p.b) || string(p.b[p.i:p.i+len(w)]) != w {
		return p.fail("unknown word")
	}
	p.i += len(w)
	return nil
}

// scalar reads a value that is no list or object. What it returns is valid until
// the next call.
func (p *Parser) scalar(c byte) ([]byte, error) {
	start := p.i
	var err error
	switch {
	case c == '"':
		return p.str()
	case c == 't':
		err = p.word("true")
	case c == 'f':
		err = p.word("false")
	case c == '-' || c >= '0' && c <= '9':
		err = p.number()
	default:
		return nil, p.fail("want a value")
	}
	return p.b[start:p.i], err
}

// number checks the grammar of RFC 8259 §6.
func (p *Parser) number() error {
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
		return p.fail("want a digit")
	}
	if p.peek() == '.' {
		p.i++
		if !digits() {
			return p.fail("want a digit")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		if !digits() {
			return p.fail("want a digit")
		}
	}
	return nil
}
