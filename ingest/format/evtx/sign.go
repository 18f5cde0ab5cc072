// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

// signer reads a template definition without building anything and writes what
// it says, with names in place of the offsets at which they lie. Definitions
// with one signature are one template, in whatever chunk they stand. It knows
// the tokens of regular templates only and refuses the others.
type signer struct {
	c       *chunk
	at, end int
	depth   int
	nodes   int // as the parser would count them
	sig     []byte
}

// sign appends the signature of the BinXML between two offsets.
func (s *signer) sign(c *chunk, at, end int) bool {
	s.c, s.at, s.end, s.depth, s.nodes, s.sig = c, at, end, 0, 0, s.sig[:0]
	return s.content(true)
}

func (s *signer) need(n int) bool { return n <= s.end-s.at }

// take appends n bytes as they stand.
func (s *signer) take(n int) bool {
	if !s.need(n) {
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
		return s.take(4 + 2*int(le.Uint16(s.c.b[s.at+2:])))
	case tokSub, tokOptional:
		return s.take(4)
	}
	return false
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
	if end > len(b) || n > maxName {
		return false
	}
	if off == s.at {
		if end > s.end {
			return false
		}
		s.at = end
	}
	s.sig = append(s.sig, b[off+6:end-2]...)
	return true
}

func (s *signer) element() bool {
	if s.depth++; s.depth > maxShapeDepth+2 {
		return false
	}
	b := s.c.b
	attrs := b[s.at]&tokMore != 0
	if !s.take(3) || !s.need(4) { // token, dependency
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
		for s.at < s.end && b[s.at]&^tokMore == tokAttr {
			s.nodes++
			if !s.take(1) || !s.name() {
				return false
			}
			for s.at < s.end && inAttribute(b[s.at]) {
				if !s.leaf(b[s.at]) {
					return false
				}
			}
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
