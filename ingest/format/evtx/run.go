// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"math"
	"strconv"
	"strings"

	"citywall/event"
)

// runner makes events of records whose templates are regular, without a tree:
// one pass over the program gives document and fields. It says no to a record
// that it cannot be sure of, and nothing of that record stays.
//
// What events keep (texts, fields, documents) lies in blocks that several
// events share, so that a record costs no allocation of its own; a block is
// small, because one event that is kept keeps its block.
type runner struct {
	c        *chunk
	sign     signer
	programs [2 * (inUserData + 1)]map[string]*program // by use and signature; nil: not regular
	signed   int                                       // bytes, roughly
	here     map[place]*program                        // of this chunk
	spent    cost                                      // upper bound of what the slow way would have charged

	slots  []slot
	nodes  int
	size   int
	text   []byte
	json   []byte
	fields []event.Field // open end of a block
	refs   []ref
	items  []ref
	series []seriesRef
	at     [roleTime + 1]int // fields of these roles; -1 none
	stamp  uint64            // FILETIME that roleTime shows, when timed
	timed  bool
	system int // fields of System

	texts   strings.Builder
	block   []event.Field
	docs    []byte
	events  []event.Event
	strings []string
	written []byte
}

// ref is a text of the record: [off,end) belongs to a field.
type ref struct {
	field    int
	off, end int
}

// seriesRef is a field with several texts: items [from,to).
type seriesRef struct{ field, from, to int }

// record runs the record at s. It reports whether it could.
func (r *runner) record(s span) bool {
	r.fields = nil
	if !r.try(s) {
		r.drop()
		return false
	}
	return true
}

// drop forgets the record: the room for its fields is empty again.
func (r *runner) drop() {
	clear(r.fields)
	r.fields = nil
}

func (r *runner) try(s span) bool {
	r.slots, r.refs, r.items, r.series = r.slots[:0], r.refs[:0], r.items[:0], r.series[:0]
	r.text, r.json, r.nodes, r.size, r.timed = r.text[:0], r.json[:0], 0, 0, false
	for i := range r.at {
		r.at[i] = -1
	}
	p, slots := r.instance(s.off+recordHeader, s.off+s.size-4, besideSystem)
	if p == nil || p.system == nil {
		return false
	}
	r.room(len(p.fields) + 1)
	r.json = append(r.json, p.open...)
	if !r.member(p.system, slots, p.fields) {
		return false
	}
	r.system = len(r.fields)
	for i := range p.parts {
		x := &p.parts[i]
		if x.slot < 0 {
			if !r.member(&x.section, slots, p.fields) {
				return false
			}
		} else if !r.payload(p, slots, x) {
			return false
		}
	}
	r.json = append(r.json, '}', '}')
	r.size += len(r.text)
	if r.nodes > maxRecordNodes || r.size > maxRecordText {
		return false
	}
	r.spent.nodes += r.nodes
	r.spent.text += r.size
	return true
}

// payload runs the value of a part of p's record: sections, or what a section
// holds.
func (r *runner) payload(p *program, slots []slot, x *part) bool {
	if x.within != besideSystem {
		r.comma()
		r.json = append(r.json, x.section.key...)
	}
	from := len(r.json)
	if !null(slots, x.slot) {
		s := slots[x.slot]
		if s.typ != BinXML {
			return false
		}
		if x.within != besideSystem {
			r.json = append(r.json, '{')
		}
		if s.size > 0 && !r.nested(p, s, x.within) {
			return false
		}
	}
	if x.within == besideSystem {
		return true
	}
	if len(r.json) <= from+1 { // nothing in it
		r.json = append(r.json[:from], "null"...)
	} else {
		r.json = append(r.json, '}')
	}
	return true
}

// nested runs the template instance that a value of p's record is.
func (r *runner) nested(p *program, s slot, w within) bool {
	q, slots := r.instance(s.off, s.off+s.size, w)
	if q == nil || q.system != nil {
		return false
	}
	l, size := p.linkTo(q)
	r.signed += size
	if l.names == nil {
		return false
	}
	r.room(len(p.fields) + len(q.names) + 1)
	for i := range q.parts {
		if x := &q.parts[i]; x.slot >= 0 || !r.member(&x.section, slots, l.names) {
			return false
		}
	}
	return true
}

// comma parts a member from the one before it. A value never ends with a
// brace that opens.
func (r *runner) comma() {
	if r.json[len(r.json)-1] != '{' {
		r.json = append(r.json, ',')
	}
}

// member writes the element m with its fields.
func (r *runner) member(m *member, slots []slot, names []string) bool {
	if m.dep >= 0 && null(slots, m.dep) {
		return true
	}
	r.comma()
	r.json = append(r.json, m.key...)
	if m.shape == series {
		return r.list(m, slots, names)
	}
	field := -1
	if m.before {
		field = r.field(names[m.field], m.role)
	}
	there, counted := false, 0
	for i := range m.attrs {
		a := &m.attrs[i]
		if a.slot >= 0 && a.optional && null(slots, a.slot) {
			continue
		}
		if there {
			r.json = append(r.json, ',')
		} else {
			r.json = append(r.json, `{"#attributes":{`...)
			there = true
		}
		r.json = append(r.json, a.key...)
		f := -1
		if a.field >= 0 {
			counted++
			f = r.field(names[a.field], a.role)
		}
		if a.slot < 0 {
			r.json = append(r.json, a.json...)
			r.put(f, a.text)
		} else if !r.value(slots, a.slot, f) {
			return false
		}
		if a.role == roleTime && a.slot >= 0 && a.slot < len(slots) {
			if s := slots[a.slot]; s.typ == FileTime {
				r.stamp, r.timed = le.Uint64(r.c.b[s.off:]), true
			}
		}
	}
	if there {
		r.json = append(r.json, '}')
	}
	if m.field >= 0 && field < 0 && (m.shape != empty || counted == 0 && m.blank) {
		field = r.field(names[m.field], m.role)
	}
	switch m.shape {
	case empty:
		r.put(field, "")
		if !there {
			r.json = append(r.json, "null"...)
		}
	case literal:
		r.put(field, m.text)
		if there {
			r.json = append(r.json, `,"#text":`...)
		}
		r.json = append(r.json, m.json...)
	case placed:
		if there {
			if null(slots, m.slot) {
				break
			}
			r.json = append(r.json, `,"#text":`...)
		}
		if !r.value(slots, m.slot, field) {
			return false
		}
	case parent:
		return r.children(m, slots, names, there)
	}
	if there {
		r.json = append(r.json, '}')
	}
	return true
}

// children writes the elements of m. When all of them vanish m is as one
// without content.
func (r *runner) children(m *member, slots []slot, names []string, there bool) bool {
	if !there {
		r.json = append(r.json, '{')
	}
	from := len(r.json)
	for i := range m.kids {
		if !r.member(&m.kids[i], slots, names) {
			return false
		}
	}
	if !there && len(r.json) == from {
		r.json = append(r.json[:from-1], "null"...)
		return true
	}
	r.json = append(r.json, '}')
	return true
}

// list writes all <Data> without a name as one list.
func (r *runner) list(m *member, slots []slot, names []string) bool {
	r.json = append(r.json, `{"#text":`...)
	from, first := len(r.json), len(r.items)
	field := r.field(names[m.field], roleNone)
	n := 0
	next := func() {
		if n++; n > 1 {
			r.json = append(r.json, ',')
		}
		r.nodes += 2
		r.size += len(m.name)
	}
	isNull := false
	for i := range m.kids {
		k := &m.kids[i]
		off := len(r.text)
		switch k.shape {
		case empty:
			next()
			r.json = append(r.json, '"', '"')
		case literal:
			next()
			r.text = append(r.text, k.text...)
			r.json = append(r.json, k.json...)
		default:
			if null(slots, k.slot) {
				isNull = true
			} else if s := slots[k.slot]; s.typ == String|array && s.size > 0 {
				for raw := r.c.b[s.off : s.off+s.size]; len(raw) > 0; {
					x := cutUTF16(raw)
					raw = raw[min(len(x)+2, len(raw)):]
					next()
					off := len(r.text)
					if !r.string(x, false) {
						return false
					}
					r.items = append(r.items, ref{0, off, len(r.text)})
				}
				continue
			}
			next()
			if !r.value(slots, k.slot, -1) {
				return false
			}
		}
		r.items = append(r.items, ref{0, off, len(r.text)})
	}
	switch {
	case n > 1:
		r.json = append(r.json, 0)
		copy(r.json[from+1:], r.json[from:])
		r.json[from] = '['
		r.json = append(r.json, ']')
		r.series = append(r.series, seriesRef{field, first, len(r.items)})
	case !isNull:
		x := r.items[first]
		r.refs = append(r.refs, ref{field, x.off, x.end})
		r.items = r.items[:first]
	}
	r.json = append(r.json, '}')
	return true
}

// field adds a field without a value and returns its number.
func (r *runner) field(name string, as role) int {
	n := len(r.fields)
	r.fields = r.fields[:n+1] // room was made, and is empty
	r.fields[n].Name = name
	if as != roleNone {
		r.at[as] = n
	}
	return n
}

// put gives a field a text of the template.
func (r *runner) put(field int, text string) {
	if field >= 0 {
		v := &r.fields[field].Value
		v.Kind, v.Text = event.Text, text
	}
}

// value writes the value of a slot and gives it to a field, unless that is -1.
func (r *runner) value(slots []slot, i, field int) bool {
	if null(slots, i) {
		r.json = append(r.json, "null"...)
		return true
	}
	s := slots[i]
	raw := r.c.b[s.off : s.off+s.size]
	off := len(r.text)
	switch {
	case s.typ == String:
		if !r.string(raw, true) {
			return false
		}
	case s.typ == textOfStream:
		if !r.string(raw, false) {
			return false
		}
	case s.typ >= array || s.typ == BinXML:
		return false
	default:
		var odd bool
		if r.text, odd = appendValue(r.text, s.typ, raw); odd {
			return false
		}
		text := r.text[off:]
		switch {
		case s.typ >= Int8 && s.typ <= Uint64, s.typ == Bool, isNumber(s.typ, text):
			r.json = append(r.json, text...)
		case s.typ == ANSI:
			r.json = append(appendEscapedText(append(r.json, '"'), text), '"')
		default:
			r.json = append(append(append(r.json, '"'), text...), '"')
		}
	}
	if len(r.text) > maxRecordText/2 {
		return false
	}
	if field >= 0 {
		r.refs = append(r.refs, ref{field, off, len(r.text)})
	}
	return true
}

// isNumber reports whether the text of a float is a number in JSON.
func isNumber(t Type, text []byte) bool {
	if t != Float32 && t != Float64 {
		return false
	}
	x, err := strconv.ParseFloat(string(text), 64)
	return err == nil && !math.IsInf(x, 0) && !math.IsNaN(x)
}

// string writes a text, up to its first NUL when cut is true.
func (r *runner) string(raw []byte, cut bool) bool {
	off := len(r.text)
	var odd bool
	if r.text, odd = appendUnits(r.text, raw, cut); odd || len(r.text) > maxRecordText/2 {
		return false
	}
	r.json = append(appendEscapedText(append(r.json, '"'), r.text[off:]), '"')
	return true
}
