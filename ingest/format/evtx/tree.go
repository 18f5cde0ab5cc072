// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import "strings"

// Element is a node of a record's XML, templates resolved.
type Element struct {
	Name  string
	Attrs []Attr
	Nodes []Node // content in order
}

// Attr is an attribute of an element.
type Attr struct {
	Name  string
	Value Value
}

// Node is one piece of an element's content: a child element, or a value when
// Elem is nil.
type Node struct {
	Elem  *Element
	Value Value
}

// Value is a value in the text that a rule expects, and its BinXML type.
type Value struct {
	Type Type
	Text string
	Odd  bool // the bytes did not fit the type: Text is their hex, or holds U+FFFD

	off, end int32 // of Text in the builder's arena, until the tree is finished
}

// Type is a BinXML value type.
type Type uint8

// Value types. An array has bit 0x80 as well; in a tree its items are apart.
const (
	Null     Type = 0x00
	String   Type = 0x01
	ANSI     Type = 0x02
	Int8     Type = 0x03
	Uint8    Type = 0x04
	Int16    Type = 0x05
	Uint16   Type = 0x06
	Int32    Type = 0x07
	Uint32   Type = 0x08
	Int64    Type = 0x09
	Uint64   Type = 0x0a
	Float32  Type = 0x0b
	Float64  Type = 0x0c
	Bool     Type = 0x0d
	Binary   Type = 0x0e
	GUID     Type = 0x0f
	Size     Type = 0x10
	FileTime Type = 0x11
	SysTime  Type = 0x12
	SID      Type = 0x13
	Hex32    Type = 0x14
	Hex64    Type = 0x15
	BinXML   Type = 0x21

	array Type = 0x80
)

// Child returns the first child element of that name, or nil. A nil element
// has no children, so that calls chain.
func (e *Element) Child(name string) *Element {
	if e != nil {
		for i := range e.Nodes {
			if x := e.Nodes[i].Elem; x != nil && x.Name == name {
				return x
			}
		}
	}
	return nil
}

// Attr returns the text of an attribute.
func (e *Element) Attr(name string) (string, bool) {
	if e != nil {
		for i := range e.Attrs {
			if e.Attrs[i].Name == name {
				return e.Attrs[i].Value.Text, true
			}
		}
	}
	return "", false
}

// Text returns the values of the element itself, joined; those of children are
// theirs.
func (e *Element) Text() string {
	v, _ := e.value()
	return v.Text
}

// value returns the values of the element as one. Pieces that are text and
// references make one string. ok is false when the element has no value at
// all, which differs from a null or an empty one.
func (e *Element) value() (v Value, ok bool) {
	if e == nil {
		return v, false
	}
	var b strings.Builder
	n := 0
	for i := range e.Nodes {
		if e.Nodes[i].Elem != nil {
			continue
		}
		x := e.Nodes[i].Value
		if n++; n == 1 {
			v = x
			continue
		}
		if n == 2 {
			b.WriteString(v.Text)
			v.Type = String
		}
		b.WriteString(x.Text)
		v.Odd = v.Odd || x.Odd
	}
	if n > 1 {
		v.Text = b.String()
	}
	return v, n > 0
}

// elements reports whether e has child elements.
func (e *Element) elements() bool {
	for i := range e.Nodes {
		if e.Nodes[i].Elem != nil {
			return true
		}
	}
	return false
}
