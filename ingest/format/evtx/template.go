// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"fmt"
	"maps"
	"slices"
)

// template is a compiled definition: a tree with places for values. Records
// without a template compile to the same tree without places.
type template struct {
	items []item
	busy  bool  // being compiled: a definition that uses itself
	err   error // why it cannot be used
}

// instance is a template with values.
type instance struct {
	t        *template
	slots    []slot
	borrowed uint32 // id of a template that stands in for a lost one, else 0
}

// instance reads a template instance: u8 1, u32 template id, u32 offset of the
// definition, the definition itself if that is here, and the values.
func (p *parser) instance() (*instance, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("templates nested too deeply")
	}
	defer func() { p.depth-- }()
	b := p.c.b
	if !p.need(10) {
		return nil, p.fail("template instance cut off")
	}
	id, off := le.Uint32(b[p.at+2:]), le.Uint32(b[p.at+6:])
	p.at += 10
	t, size, err := p.c.templateAt(off, id, p.depth)
	if err == nil && int(off) == p.at {
		if !p.need(24 + size) {
			return nil, p.fail("template definition runs out of the record")
		}
		p.at += 24 + size
	}
	if err == nil {
		err = t.err
	}
	inst := &instance{t: t}
	if err != nil {
		if inst.t = p.c.lend[id]; inst.t == nil || !p.c.strict {
			return nil, err
		}
		inst.borrowed = id
	}
	if !p.need(4) {
		return nil, p.fail("template values cut off")
	}
	n := int64(le.Uint32(b[p.at:]))
	p.at += 4
	if 4*n > int64(p.end-p.at) {
		return nil, p.fail(fmt.Sprintf("%d template values do not fit", n))
	}
	if err := p.count(int(n / 4)); err != nil {
		return nil, err
	}
	inst.slots = make([]slot, n)
	v := p.at + 4*int(n)
	for i := range inst.slots {
		s := slot{v, int(le.Uint16(b[p.at:])), Type(b[p.at+2])}
		if s.size > p.end-v {
			return nil, p.fail(fmt.Sprintf("value %d of %d bytes runs out of the record", i, s.size))
		}
		inst.slots[i] = s
		v += s.size
		p.at += 4
	}
	p.at = v
	return inst, nil
}

// portable reports whether a compiled definition holds nothing but text and
// places, so that it means the same in another chunk.
func portable(items []item) bool {
	for _, x := range items {
		switch x.kind {
		case itemInstance:
			return false
		case itemElem:
			for _, a := range x.elem.attrs {
				if !portable(a.items) {
					return false
				}
			}
			if !portable(x.elem.items) {
				return false
			}
		}
	}
	return true
}

// maxLent bounds the templates kept for carving; a city's logs have hundreds.
const maxLent = 4096

// keepTemplates adds the templates that live records use to those that may
// stand in for lost ones of the same id. The id is the beginning of the GUID,
// which Windows derives from the definition: in the 405 logs at hand no id has
// two meanings.
func (c *chunk) keepTemplates() {
	if c.lend == nil {
		c.lend = map[uint32]*template{}
	}
	for _, off := range slices.Sorted(maps.Keys(c.templates)) {
		t := c.templates[off]
		id := le.Uint32(c.b[off+4:])
		if c.lend[id] == nil && t.err == nil && len(c.lend) < maxLent && portable(t.items) {
			c.lend[id] = t
		}
	}
}

// templateAt returns the compiled definition at off and the size of its BinXML.
func (c *chunk) templateAt(off, id uint32, depth int) (*template, int, error) {
	at := int(off)
	if at < chunkHeader || at+24 > len(c.b) {
		return nil, 0, fmt.Errorf("%w: its definition at %d lies outside the chunk", errLost, off)
	}
	if le.Uint32(c.b[at+4:]) != id {
		return nil, 0, fmt.Errorf("%w: another one stands at %d", errLost, off)
	}
	size := int(min(le.Uint32(c.b[at+20:]), chunkSize))
	if size > len(c.b)-at-24 {
		return nil, 0, fmt.Errorf("%w: its definition at %d runs out of the chunk", errLost, off)
	}
	t, ok := c.templates[off]
	if ok {
		if t.busy {
			return nil, 0, fmt.Errorf("template at %d uses itself", off)
		}
		return t, size, nil
	}
	t = &template{busy: true}
	c.templates[off] = t
	p := parser{c: c, at: at + 24, end: at + 24 + size, dep: true, depth: depth}
	t.items, t.err = p.fragment()
	if t.err != nil {
		alt := parser{c: c, at: at + 24, end: at + 24 + size, depth: depth}
		if items, err := alt.fragment(); err == nil && hasElement(items) {
			t.items, t.err = items, nil
		}
	}
	if t.err != nil {
		t.err = fmt.Errorf("template at %d: %w", off, t.err)
	}
	t.busy = false
	return t, size, nil
}
