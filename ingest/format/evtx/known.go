// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

// place is where a definition stands in the chunk, and what it is used for.
type place struct {
	off    uint32
	within within
}

const (
	maxSigned = 32 << 20 // bytes of programs and their signatures
	nodeBytes = 300      // of a program, roughly
)

// open begins the next chunk.
func (r *runner) open(c *chunk) {
	r.c, r.spent = c, cost{}
	if r.here == nil {
		r.here = map[place]*program{}
	}
	clear(r.here)
	if r.signed == 0 || r.signed > maxSigned {
		for i := range r.programs {
			r.programs[i] = map[string]*program{}
		}
		r.signed = 0
	}
}

// over reports whether the budgets of the chunk may be exhausted: then only
// the slow way knows which record is the first beyond them.
func (r *runner) over() bool {
	c, s := r.c, &r.spent
	return c.parsed+s.parsed > maxParsed || c.literal+s.literal > maxParsedText ||
		c.nodes+s.nodes > maxChunkNodes || c.text+s.text > maxChunkText
}

// program returns the program of the definition at off, nil when it has none.
func (r *runner) program(off uint32, size int, w within) *program {
	k := place{off, w}
	p, ok := r.here[k]
	if ok {
		return p
	}
	at := int(off) + 24
	p = r.compiled(at, at+size, w, false)
	r.here[k] = p
	if p != nil {
		r.spent.parsed += p.cost.parsed
		r.spent.literal += p.cost.literal
	}
	return p
}

// compiled returns the program of the BinXML between two offsets. A bare one is
// that of a record or a value without a template.
func (r *runner) compiled(at, end int, w within, bare bool) *program {
	if !r.sign.sign(r.c, at, end, bare) {
		return nil
	}
	known := r.programs[w]
	if bare {
		known = r.programs[w+inUserData+1]
	}
	if p, ok := known[string(r.sign.sig)]; ok {
		return p
	}
	if r.signed > maxSigned {
		return nil // until the next chunk
	}
	var p *program
	x := parser{c: r.c, at: at, end: end, dep: !bare}
	if items, err := x.fragment(); err == nil {
		if bare {
			var n uint16
			asValues(items, &n, false)
		}
		p = compile(items, w)
	}
	if p != nil {
		p.cost.parsed, p.cost.literal = r.sign.nodes, r.sign.literal
	}
	known[string(r.sign.sig)] = p
	r.signed += len(r.sign.sig) + nodeBytes*r.sign.nodes
	return p
}

// bare reads BinXML without a template.
func (r *runner) bare(at, end int, w within) (*program, []slot) {
	p := r.compiled(at, end, w, true)
	r.spent.parsed += r.sign.nodes // as each of them is parsed anew
	r.spent.literal += r.sign.literal
	if p == nil {
		return nil, nil
	}
	from := len(r.slots)
	r.slots = append(r.slots, r.sign.slots...)
	r.nodes += p.cost.nodes
	r.size += p.cost.text
	return p, r.slots[from:len(r.slots):len(r.slots)]
}

// instance reads the template instance at [at,end) with nothing behind it.
func (r *runner) instance(at, end int, w within) (*program, []slot) {
	b := r.c.b
	for at+4 <= end && b[at] == tokFragment {
		at += 4
	}
	if at < end && b[at]&^tokMore == tokOpen {
		return r.bare(at, end, w)
	}
	if end-at < 14 || b[at]&^tokMore != tokTemplate {
		return nil, nil
	}
	id, off := le.Uint32(b[at+2:]), le.Uint32(b[at+6:])
	at += 10
	def := int(off)
	if def < chunkHeader || def+24 > len(b) || le.Uint32(b[def+4:]) != id {
		return nil, nil
	}
	size := int(min(le.Uint32(b[def+20:]), chunkSize))
	if size > len(b)-def-24 {
		return nil, nil
	}
	if def == at {
		if at += 24 + size; at+4 > end {
			return nil, nil
		}
	}
	p := r.program(off, size, w)
	if p == nil {
		return nil, nil
	}
	n := int(le.Uint32(b[at:]))
	at += 4
	if n > maxShapeValues || 4*n > end-at {
		return nil, nil
	}
	from, v := len(r.slots), at+4*n
	for range n {
		s := slot{v, int(le.Uint16(b[at:])), Type(b[at+2])}
		if s.size > end-v || s.typ == textOfStream {
			return nil, nil
		}
		r.slots = append(r.slots, s)
		v += s.size
		at += 4
	}
	if v < end && b[v] != tokEnd {
		return nil, nil
	}
	r.spent.parsed += 1 + n/4
	r.nodes += p.cost.nodes
	r.size += p.cost.text
	return p, r.slots[from:len(r.slots):len(r.slots)]
}
