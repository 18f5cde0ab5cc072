// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

// signer reads a template definition without building anything and writes what
// it says, with names in place of the offsets at which they lie. Definitions
// with one signature are one template, in whatever chunk they stand. It knows
// the tokens of regular templates only and refuses the others.
//
// A record without a template, as exports have them, is read as the template
// that it might have had: its texts are values, but for those that decide what
// fields are called.
type signer struct {
	c       *chunk
	at, end int
	depth   int
	nodes   int // as the parser would count them
	bare    bool
	keep    bool // the next text, of a record without a template, is no value
	literal int  // bytes of names and texts
	slots   []slot
	sig     []byte
}

// maxSignature bounds a signature: hostile definitions refer to one long name
// over and over. Real ones take up to a few kilobytes.
const maxSignature = 32 << 10

// sign writes the signature of the BinXML between two offsets.
func (s *signer) sign(c *chunk, at, end int, bare bool) bool {
	s.c, s.at, s.end, s.bare = c, at, end, bare
	s.depth, s.nodes, s.literal, s.keep, s.slots, s.sig = 0, 0, 0, false, s.slots[:0], s.sig[:0]
	return s.content(true)
}

func (s *signer) need(n int) bool { return n <= s.end-s.at }

// take appends n bytes as they stand.
func (s *signer) take(n int) bool {
	if !s.need(n) || n > maxSignature-len(s.sig) {
		return false
	}
	s.sig = append(s.sig, s.c.b[s.at:s.at+n]...)
	s.at += n
	return true
}

// content reads to the end of the element, or at the top of the stream.
func (s *signer) content(top bool) bool {
	b := s.c.b
	for s.at < s.end {
		switch tok := b[s.at]; {
		case tok == tokEnd && top:
			return true
		case tok == tokFragment && top:
			if !s.need(4) {
				return false
			}
			s.at += 4
		case tok == tokEndElem && !top:
			return s.take(1)
		case tok&^tokMore == tokOpen:
			s.nodes++
			if !s.element() {
				return false
			}
		case !s.leaf(tok):
			return false
		}
	}
	return top
}

// leaf reads a text or a place for a value.
func (s *signer) leaf(tok byte) bool {
	s.nodes++
	switch tok &^ tokMore {
	case tokText:
		if !s.need(4) || Type(s.c.b[s.at+1]) != String {
			return false
		}
		n := 2 * int(le.Uint16(s.c.b[s.at+2:]))
		s.literal += n
		if !s.bare || s.keep {
			return s.take(4 + n)
		}
		if !s.need(4 + n) {
			return false
		}
		s.slots = append(s.slots, slot{s.at + 4, n, textOfStream})
		s.sig = append(s.sig, tokSub)
		s.at += 4 + n
		return true
	case tokSub, tokOptional:
		return !s.bare && s.take(4)
	}
	return false
}

// textOfStream is the type of a text that stands in the stream itself. It is no
// type of the format.
const textOfStream Type = 0x7f

// asValues puts places where a signer has found values.
func asValues(items []item, next *uint16, keep bool) {
	for i := range items {
		switch it := &items[i]; it.kind {
		case itemText:
			if !keep {
				*it = item{kind: itemSub, index: *next}
				*next++
			}
		case itemElem:
			for k := range it.elem.attrs {
				a := &it.elem.attrs[k]
				asValues(a.items, next, keepsText(it.elem.name, a.name))
			}
			asValues(it.elem.items, next, false)
		}
	}
}

// keepsText reports whether the text of an attribute decides what fields are
// called, or belongs to the root.
func keepsText(elem, attr string) bool {
	return elem == "Data" && attr == "Name" || elem == "Event"
}

// is reports whether the name just appended to the signature is text.
func (s *signer) is(text string) bool {
	b := s.sig[max(0, len(s.sig)-2*len(text)-2):]
	if len(b) < 2*len(text)+2 || int(le.Uint16(b)) != len(text) {
		return false
	}
	for i := range len(text) {
		if le.Uint16(b[2+2*i:]) != uint16(text[i]) {
			return false
		}
	}
	return true
}

func (s *signer) name() bool {
	if !s.need(4) {
		return false
	}
	b := s.c.b
	off := int(le.Uint32(b[s.at:]))
	s.at += 4
	if off+8 > len(b) {
		return false
	}
	n := int(le.Uint16(b[off+6:]))
	end := off + 8 + 2*n + 2
	if end > len(b) || n > maxName || 2*n > maxSignature-len(s.sig) {
		return false
	}
	if off == s.at {
		if end > s.end {
			return false
		}
		s.at = end
	}
	s.sig = append(s.sig, b[off+6:end-2]...)
	s.literal += 2 * n
	return true
}

func (s *signer) element() bool {
	if s.depth++; s.depth > maxShapeDepth+2 {
		return false
	}
	b := s.c.b
	attrs := b[s.at]&tokMore != 0
	head := 3 // token, dependency
	if s.bare {
		head = 1
	}
	if !s.take(head) || !s.need(4) {
		return false
	}
	size := int64(le.Uint32(b[s.at:]))
	s.at += 4
	if size > int64(s.end-s.at) || !s.name() {
		return false
	}
	if attrs {
		if !s.need(4) {
			return false
		}
		s.at += 4
		event, data := s.is("Event"), s.is("Data")
		for s.at < s.end && b[s.at]&^tokMore == tokAttr {
			s.nodes++
			if !s.take(1) || !s.name() {
				return false
			}
			s.keep = event || data && s.is("Name")
			for s.at < s.end && inAttribute(b[s.at]) {
				if !s.leaf(b[s.at]) {
					return false
				}
			}
			s.keep = false
		}
	}
	if s.at >= s.end {
		return false
	}
	switch b[s.at] {
	case tokEmpty:
	case tokCloseTag:
		if !s.take(1) || !s.content(false) {
			return false
		}
		s.depth--
		return true
	default:
		return false
	}
	s.depth--
	return s.take(1)
}
