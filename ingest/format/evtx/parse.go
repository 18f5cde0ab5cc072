// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"errors"
	"fmt"
)

// errLost says that what a record refers to is no longer there.
var errLost = errors.New("template lost")

// BinXML tokens. Bit 0x40 says that more of the same follows.
const (
	tokEnd       = 0x00
	tokOpen      = 0x01
	tokCloseTag  = 0x02
	tokEmpty     = 0x03
	tokEndElem   = 0x04
	tokText      = 0x05
	tokAttr      = 0x06
	tokCDATA     = 0x07
	tokCharRef   = 0x08
	tokEntityRef = 0x09
	tokPITarget  = 0x0a
	tokPIData    = 0x0b
	tokTemplate  = 0x0c
	tokSub       = 0x0d
	tokOptional  = 0x0e
	tokFragment  = 0x0f
	tokMore      = 0x40
)

type itemKind uint8

const (
	itemText itemKind = iota
	itemSub
	itemElem
	itemInstance
)

// item is a piece of content.
type item struct {
	kind     itemKind
	optional bool
	index    uint16 // slot
	text     string
	elem     *element
	inst     *instance
}

type element struct {
	name  string
	dep   int // slot whose being null makes the element vanish; -1 none
	attrs []attribute
	items []item
}

type attribute struct {
	name  string
	items []item
}

// slot is a value where it lies in the chunk.
type slot struct {
	off, size int
	typ       Type
}

// parser reads tokens between two offsets of a chunk.
type parser struct {
	c     *chunk
	at    int
	end   int
	dep   bool // element starts carry a dependency id
	depth int
}

// parse reads BinXML of a record or a value. Those carry dependency ids only
// in their template definitions; if that reading makes no sense, the other is
// tried.
func (c *chunk) parse(at, end int, dep bool) ([]item, error) {
	p := parser{c: c, at: at, end: end, dep: dep}
	items, err := p.fragment()
	if err == nil || errors.Is(err, errLost) {
		return items, err
	}
	p = parser{c: c, at: at, end: end, dep: !dep}
	if items, e := p.fragment(); e == nil && hasElement(items) {
		return items, nil
	}
	return items, err
}

func hasElement(items []item) bool {
	for _, x := range items {
		if x.kind == itemElem {
			return true
		}
	}
	return false
}

func (p *parser) fail(what string) error { return fmt.Errorf("%s at %d", what, p.at) }

// need reports whether n bytes are left.
func (p *parser) need(n int) bool { return n >= 0 && n <= p.end-p.at }

// count charges nodes to the chunk.
func (p *parser) count(n int) error {
	if p.c.parsed += n; p.c.parsed > maxParsed {
		return errors.New("chunk has more nodes than its bytes can hold")
	}
	return nil
}

// fragment reads to the end of the stream or of the bytes.
func (p *parser) fragment() ([]item, error) {
	var out []item
	for p.at < p.end {
		switch p.c.b[p.at] {
		case tokEnd:
			return out, nil
		case tokFragment: // a stream may hold several, one after another
			if !p.need(4) {
				return out, p.fail("fragment header cut off")
			}
			p.at += 4
		default:
			var err error
			if out, err = p.item(out); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// item reads one piece of content and appends it.
func (p *parser) item(out []item) ([]item, error) {
	if err := p.count(1); err != nil {
		return out, err
	}
	b := p.c.b
	switch tok := b[p.at]; tok {
	case tokOpen, tokOpen | tokMore:
		e, err := p.element()
		if err != nil {
			return out, err
		}
		return append(out, item{kind: itemElem, elem: e}), nil
	case tokTemplate, tokTemplate | tokMore:
		inst, err := p.instance()
		if err != nil {
			return out, err
		}
		return append(out, item{kind: itemInstance, inst: inst}), nil
	case tokSub, tokOptional, tokSub | tokMore, tokOptional | tokMore:
		if !p.need(4) {
			return out, p.fail("substitution cut off")
		}
		x := item{kind: itemSub, optional: tok&^tokMore == tokOptional, index: le.Uint16(b[p.at+1:])}
		p.at += 4
		return append(out, x), nil
	case tokText, tokText | tokMore:
		if !p.need(2) || Type(b[p.at+1]) != String {
			return out, p.fail("literal that is not a string")
		}
		return p.counted(out, 2, "", "")
	case tokCDATA, tokCDATA | tokMore:
		return p.counted(out, 1, "", "")
	case tokCharRef, tokCharRef | tokMore:
		if !p.need(3) {
			return out, p.fail("character reference cut off")
		}
		var buf [4]byte
		s, _ := appendUTF16(buf[:0], b[p.at+1:p.at+3])
		p.at += 3
		return append(out, item{text: string(s)}), nil
	case tokEntityRef, tokEntityRef | tokMore:
		p.at++
		n, err := p.name()
		if err != nil {
			return out, err
		}
		return append(out, item{text: entity(n)}), nil
	case tokPITarget:
		// A processing instruction has no place in an event; as text nothing
		// of it is lost.
		p.at++
		n, err := p.name()
		if err != nil {
			return out, err
		}
		if p.at < p.end && b[p.at] == tokPIData {
			return p.counted(out, 1, "<?"+n+" ", "?>")
		}
		return append(out, item{text: "<?" + n + "?>"}), nil
	case tokPIData:
		return p.counted(out, 1, "<?", "?>")
	default:
		return out, p.fail(fmt.Sprintf("unknown token 0x%02x", tok))
	}
}

// counted reads u16 count and that many UTF-16 units after skip bytes.
func (p *parser) counted(out []item, skip int, before, after string) ([]item, error) {
	if !p.need(skip + 2) {
		return out, p.fail("text cut off")
	}
	n := 2 * int(le.Uint16(p.c.b[p.at+skip:]))
	if !p.need(skip + 2 + n) {
		return out, p.fail("text cut off")
	}
	if err := p.c.charge(n); err != nil {
		return out, err
	}
	raw := p.c.b[p.at+skip+2 : p.at+skip+2+n]
	p.at += skip + 2 + n
	text, _ := appendUTF16(nil, raw)
	return append(out, item{text: before + string(text) + after}), nil
}

func entity(name string) string {
	switch name {
	case "amp":
		return "&"
	case "lt":
		return "<"
	case "gt":
		return ">"
	case "quot":
		return `"`
	case "apos":
		return "'"
	}
	return "&" + name + ";"
}

// name reads a reference. An entry right behind its reference is part of the
// stream and is passed over.
func (p *parser) name() (string, error) {
	if !p.need(4) {
		return "", p.fail("name reference cut off")
	}
	off := le.Uint32(p.c.b[p.at:])
	p.at += 4
	n, err := p.c.nameAt(off)
	if err != nil {
		return "", err
	}
	if int(off) == p.at {
		if n.end > p.end {
			return "", p.fail("name runs out of its stream")
		}
		p.at = n.end
	}
	return n.text, nil
}

// element reads an element with all it contains.
func (p *parser) element() (*element, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("elements nested too deeply")
	}
	defer func() { p.depth-- }()
	b := p.c.b
	attrs := b[p.at]&tokMore != 0
	p.at++
	e := &element{dep: -1}
	if p.dep {
		if !p.need(2) {
			return nil, p.fail("element cut off")
		}
		if d := le.Uint16(b[p.at:]); d != 0xffff {
			e.dep = int(d)
		}
		p.at += 2
	}
	if !p.need(4) {
		return nil, p.fail("element cut off")
	}
	size := int64(le.Uint32(b[p.at:]))
	p.at += 4
	if size > int64(p.end-p.at) {
		return nil, p.fail("element larger than its stream")
	}
	var err error
	if e.name, err = p.name(); err != nil {
		return nil, err
	}
	if attrs {
		if err := p.attributes(e); err != nil {
			return nil, err
		}
	}
	for p.at < p.end {
		switch b[p.at] {
		case tokCloseTag:
			p.at++
			for p.at < p.end {
				if b[p.at] == tokEndElem {
					p.at++
					return e, nil
				}
				if e.items, err = p.item(e.items); err != nil {
					return nil, err
				}
			}
		case tokEmpty:
			p.at++
			return e, nil
		default:
			return nil, p.fail("start tag without an end")
		}
	}
	return nil, p.fail("element without an end")
}

func (p *parser) attributes(e *element) error {
	if !p.need(4) {
		return p.fail("attribute list cut off")
	}
	p.at += 4 // its size; the tokens say where it ends
	b := p.c.b
	for p.at < p.end && b[p.at]&^tokMore == tokAttr {
		if err := p.count(1); err != nil {
			return err
		}
		p.at++
		n, err := p.name()
		if err != nil {
			return err
		}
		a := attribute{name: n}
		for p.at < p.end && inAttribute(b[p.at]) {
			if a.items, err = p.item(a.items); err != nil {
				return err
			}
		}
		e.attrs = append(e.attrs, a)
	}
	return nil
}

func inAttribute(tok byte) bool {
	switch tok &^ tokMore {
	case tokText, tokCharRef, tokEntityRef, tokSub, tokOptional:
		return true
	}
	return false
}
