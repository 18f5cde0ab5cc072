// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// elemKind is one kind of piece of a pattern.
type elemKind uint8

const (
	lit  elemKind = iota // text that stands for itself
	any0                 // * any run of characters, also none
	one                  // ? exactly one character
	dash                 // any of - / U+2013 U+2014 U+2015 (windash)
)

// elem is one piece of a pattern.
type elem struct {
	kind elemKind
	text string // when kind is lit; for the others as the rule wrote it
}

// pattern is a Sigma string after its escapes were read.
type pattern []elem

// parsePattern reads the wildcards and escapes of a Sigma string
// (specification, "Escape Character"): a backslash escapes *, ? and itself and
// is plain text before anything else.
func parsePattern(s string) pattern {
	var p pattern
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			p = append(p, elem{lit, b.String()})
			b.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			if i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '*' || s[i+1] == '?') {
				i++
			}
			b.WriteByte(s[i])
		case '*':
			flush()
			if len(p) == 0 || p[len(p)-1].kind != any0 {
				p = append(p, elem{any0, "*"})
			}
		case '?':
			flush()
			p = append(p, elem{one, "?"})
		default:
			b.WriteByte(c)
		}
	}
	flush()
	return p
}

// literal returns the text of a pattern without wildcards.
func (p pattern) literal() (string, bool) {
	switch {
	case len(p) == 0:
		return "", true
	case len(p) == 1 && p[0].kind == lit:
		return p[0].text, true
	}
	return "", false
}

// around adds wildcards at the front and at the back.
func (p pattern) around(front, back bool) pattern {
	out := make(pattern, 0, len(p)+2)
	if front && (len(p) == 0 || p[0].kind != any0) {
		out = append(out, elem{any0, "*"})
	}
	out = append(out, p...)
	if back && (len(out) == 0 || out[len(out)-1].kind != any0) {
		out = append(out, elem{any0, "*"})
	}
	return out
}

// fold lower-cases the literal pieces.
func (p pattern) fold() pattern {
	out := make(pattern, len(p))
	for i, e := range p {
		if e.kind == lit {
			e.text = string(appendFold(nil, e.text))
		}
		out[i] = e
	}
	return out
}

// dashes are the members of the windash class (appendix Modifiers, "windash").
const dashes = "-/\u2013\u2014\u2015"

// windash turns every dash that starts a word into the five-member class. A
// dash starts a word when a word character follows and none precedes; inner
// dashes stay what they are.
func (p pattern) windash() pattern {
	var out pattern
	for i, e := range p {
		if e.kind != lit {
			out = append(out, e)
			continue
		}
		start, prev := 0, rune(-1)
		if i > 0 && p[i-1].kind == dash {
			prev = '-'
		}
		for at, size := 0, 0; at < len(e.text); at += size {
			var r rune
			r, size = utf8.DecodeRuneInString(e.text[at:])
			next, _ := utf8.DecodeRuneInString(e.text[at+size:])
			if at+size < len(e.text) && strings.ContainsRune(dashes, r) && !wordRune(prev) && wordRune(next) {
				if at > start {
					out = append(out, elem{lit, e.text[start:at]})
				}
				out = append(out, elem{dash, e.text[at : at+size]})
				start = at + size
			}
			prev = r
		}
		if start < len(e.text) {
			out = append(out, elem{lit, e.text[start:]})
		}
	}
	return out
}

func wordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// expandDashes writes a pattern with dash classes as all its literal forms, for
// encoders that need bytes. It returns nil beyond limit forms.
func (p pattern) expandDashes(limit int) []pattern {
	out := []pattern{nil}
	for _, e := range p {
		if e.kind != dash {
			for i := range out {
				out[i] = joinLit(out[i], e)
			}
			continue
		}
		var next []pattern
		for _, o := range out {
			for _, r := range dashes {
				next = append(next, joinLit(append(pattern(nil), o...), elem{lit, string(r)}))
			}
		}
		if out = next; len(out) > limit {
			return nil
		}
	}
	return out
}

// joinLit appends e, merging neighbouring literals.
func joinLit(p pattern, e elem) pattern {
	if n := len(p); n > 0 && e.kind == lit && p[n-1].kind == lit {
		p[n-1].text += e.text
		return p
	}
	return append(p, e)
}

// appendFold appends s in lower case, rune by rune; invalid bytes stay.
func appendFold(dst []byte, s string) []byte {
	const high, ones = 0x8080808080808080, 0x0101010101010101
	i := 0
	dst = slices.Grow(dst, len(s))
	for ; i+8 <= len(s); i += 8 { // eight bytes at a time while they are ASCII
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if x&high != 0 {
			break
		}
		// The high bit of a byte says: not before A, but not after Z either.
		capital := (x + (0x80-'A')*ones) &^ (x + (0x80-'Z'-1)*ones) & high
		dst = binary.LittleEndian.AppendUint64(dst, x|capital>>2)
	}
	for i < len(s) {
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += n
	}
	return dst
}
