// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"errors"
)

// builder makes the tree of one record from its template and values. The tree
// lives until the next record; the texts in it are strings of their own.
type builder struct {
	c     *chunk
	text  []byte // texts of all values of the record, one after another
	elems []Element
	nodes []Node
	attrs []Attr
	stack []Node   // content of the elements that are open
	used  int      // nodes of this record
	size  int      // bytes of its names and texts
	odd   int      // values that do not fit their type
	guess int      // values in a code page that was guessed
	first string   // name of the element with the first of these
	lent  []uint32 // ids of templates that stand in for lost ones
}

var errTooMuch = errors.New("record expands beyond the limits")

// record decodes the BinXML of the record at s.
func (x *builder) record(c *chunk, s span) (*Element, error) {
	x.c = c
	x.text, x.elems, x.nodes, x.attrs, x.stack = x.text[:0], x.elems[:0], x.nodes[:0], x.attrs[:0], x.stack[:0]
	x.used, x.size, x.odd, x.guess, x.first, x.lent = 0, 0, 0, 0, "", x.lent[:0]
	items, err := c.parse(s.off+recordHeader, s.off+s.size-4, false)
	if err == nil {
		err = x.content(items, nil, 0, true)
	}
	c.nodes += x.used
	c.text += x.size
	if err != nil {
		return nil, err
	}
	var root *Element
	for i := range x.stack {
		if e := x.stack[i].Elem; e != nil {
			root = e
			break
		}
	}
	if root == nil {
		return nil, errors.New("record has no element")
	}
	finish(root, string(x.text))
	return root, nil
}

// finish gives the values their texts, which share one string.
func finish(e *Element, all string) {
	for i := range e.Attrs {
		e.Attrs[i].Value.settle(all)
	}
	for i := range e.Nodes {
		if e.Nodes[i].Elem != nil {
			finish(e.Nodes[i].Elem, all)
		} else {
			e.Nodes[i].Value.settle(all)
		}
	}
}

func (v *Value) settle(all string) {
	if v.end > v.off {
		v.Text = all[v.off:v.end]
		v.off, v.end = 0, 0
	}
}

// spend charges one node and n bytes to record and chunk.
func (x *builder) spend(n int) error {
	x.used++
	x.size += n
	if x.used > maxRecordNodes || x.size > maxRecordText ||
		x.c.nodes+x.used > maxChunkNodes || x.c.text+x.size > maxChunkText {
		return errTooMuch
	}
	return nil
}

// value makes a value of bytes of the chunk.
func (x *builder) value(t Type, raw []byte) (Value, error) {
	v := Value{Type: t, off: int32(len(x.text))}
	x.text, v.Odd = appendValue(x.text, t, raw)
	v.end = int32(len(x.text))
	if v.Odd {
		if t == ANSI {
			x.guess++
		} else {
			x.odd++
		}
	}
	return v, x.spend(int(v.end - v.off))
}

// content pushes what items stand for. Slots are those of the template that
// the items belong to.
func (x *builder) content(items []item, slots []slot, depth int, root bool) error {
	for i := range items {
		it := &items[i]
		switch it.kind {
		case itemText:
			if err := x.spend(len(it.text)); err != nil {
				return err
			}
			x.stack = append(x.stack, Node{Value: Value{Type: String, Text: it.text}})
		case itemElem:
			if err := x.element(it.elem, slots, depth, root); err != nil {
				return err
			}
		case itemInstance:
			if depth >= maxDepth {
				return errTooMuch
			}
			if it.inst.borrowed != 0 {
				x.lent = append(x.lent, it.inst.borrowed)
			}
			if err := x.content(it.inst.t.items, it.inst.slots, depth+1, root); err != nil {
				return err
			}
		case itemSub:
			if err := x.sub(it, slots, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// sub pushes the value of a substitution.
func (x *builder) sub(it *item, slots []slot, depth int) error {
	if null(slots, int(it.index)) {
		x.stack = append(x.stack, Node{Value: Value{Type: Null}})
		return x.spend(0)
	}
	s := slots[it.index]
	raw := x.c.b[s.off : s.off+s.size]
	if s.typ == BinXML {
		return x.fragment(s, raw, depth)
	}
	if s.typ&array != 0 {
		// Not alone in its element: the items stand one after another, with a
		// comma between.
		v, err := x.joined(s.typ, raw)
		x.stack = append(x.stack, Node{Value: v})
		return err
	}
	v, err := x.value(s.typ, raw)
	x.stack = append(x.stack, Node{Value: v})
	return err
}

// fragment pushes a nested BinXML value.
func (x *builder) fragment(s slot, raw []byte, depth int) error {
	if depth >= maxDepth {
		return errTooMuch
	}
	items, err := x.c.parse(s.off, s.off+s.size, false)
	if err != nil {
		return err
	}
	return x.content(items, nil, depth+1, false)
}

// joined makes one value of an array.
func (x *builder) joined(t Type, raw []byte) (Value, error) {
	v := Value{Type: String, off: int32(len(x.text))}
	n := 0
	ok, err := eachItem(t, raw, func(t Type, b []byte) error {
		if n++; n > 1 {
			x.text = append(x.text, ',')
		}
		var odd bool
		x.text, odd = appendValue(x.text, t, b)
		v.Odd = v.Odd || odd
		return nil
	})
	if !ok {
		x.text, v.Odd = appendHex(x.text, raw), true
	}
	v.end = int32(len(x.text))
	if v.Odd {
		x.odd++
	}
	if err == nil {
		err = x.spend(int(v.end - v.off))
	}
	return v, err
}

// null reports whether a slot has no value. One that does not exist has none.
func null(slots []slot, i int) bool { return i < 0 || i >= len(slots) || slots[i].typ == Null }

// element pushes an element, or one for each item when its content is an
// array.
//
// By the format an element vanishes when the slot it depends on is null. One
// whose whole content is that slot stays here, with a null value: nothing is
// lost that way, and null stays apart from absent. The root depends on a slot
// too in real logs, and is shown always.
func (x *builder) element(e *element, slots []slot, depth int, root bool) error {
	if depth >= maxDepth {
		return errTooMuch
	}
	sole := len(e.items) == 1 && e.items[0].kind == itemSub
	if !root && !sole && e.dep >= 0 && null(slots, e.dep) {
		return x.spend(0)
	}
	if sole && !null(slots, int(e.items[0].index)) {
		if s := slots[e.items[0].index]; s.typ&array != 0 && s.size > 0 {
			ok, err := eachItem(s.typ, x.c.b[s.off:s.off+s.size], func(t Type, b []byte) error {
				return x.open(e, slots, func() error {
					v, err := x.value(t, b)
					x.stack = append(x.stack, Node{Value: v})
					return err
				})
			})
			if ok || err != nil {
				return err
			}
		}
	}
	return x.open(e, slots, func() error { return x.content(e.items, slots, depth+1, false) })
}

// open pushes an element with its attributes and the content that f pushes.
func (x *builder) open(e *element, slots []slot, f func() error) error {
	if err := x.spend(len(e.name)); err != nil {
		return err
	}
	odd, attrs, bottom := x.odd+x.guess, len(x.attrs), len(x.stack)
	for i := range e.attrs {
		if err := x.attribute(&e.attrs[i], slots); err != nil {
			return err
		}
	}
	x.elems = append(x.elems, Element{Name: e.name, Attrs: x.attrs[attrs:len(x.attrs):len(x.attrs)]})
	el := &x.elems[len(x.elems)-1]
	if err := f(); err != nil {
		return err
	}
	nodes := len(x.nodes)
	x.nodes = append(x.nodes, x.stack[bottom:]...)
	el.Nodes = x.nodes[nodes:len(x.nodes):len(x.nodes)]
	x.stack = append(x.stack[:bottom], Node{Elem: el})
	if x.first == "" && x.odd+x.guess > odd {
		x.first = e.name
		for i := range el.Attrs {
			if a := el.Attrs[i]; a.Name == "Name" && a.Value.Text != "" {
				x.first = a.Value.Text
			}
		}
	}
	return nil
}

// attribute adds an attribute. An optional one without a value is left out.
func (x *builder) attribute(a *attribute, slots []slot) error {
	if len(a.items) == 1 && a.items[0].kind == itemText {
		it := &a.items[0]
		x.attrs = append(x.attrs, Attr{a.name, Value{Type: String, Text: it.text}})
		return x.spend(len(a.name) + len(it.text))
	}
	bottom := len(x.stack)
	if err := x.content(a.items, slots, maxDepth, false); err != nil {
		return err
	}
	parts := x.stack[bottom:]
	x.stack = x.stack[:bottom]
	switch len(parts) {
	case 0:
		x.attrs = append(x.attrs, Attr{a.name, Value{Type: String}})
	case 1:
		if parts[0].Value.Type == Null && a.items[0].optional {
			return x.spend(0)
		}
		x.attrs = append(x.attrs, Attr{a.name, parts[0].Value})
	default:
		v := Value{Type: String, off: int32(len(x.text))}
		for _, p := range parts {
			v.Odd = v.Odd || p.Value.Odd
			if p.Value.end > p.Value.off {
				x.text = append(x.text, x.text[p.Value.off:p.Value.end]...)
			} else {
				x.text = append(x.text, p.Value.Text...)
			}
		}
		v.end = int32(len(x.text))
		x.attrs = append(x.attrs, Attr{a.name, v})
	}
	return x.spend(len(a.name))
}
