// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"unicode/utf8"
)

// glob is a compiled pattern. The common shapes need one call of package bytes;
// the rest is a list of segments between stars, each of a fixed number of
// characters, so that matching is greedy, without backtracking and without a
// regular expression.
type glob struct {
	shape shape
	text  []byte // of the simple shapes
	lit   string // the same
	segs  []segment
	front bool // a star stands before the first segment
	back  bool // a star stands after the last segment
}

type shape uint8

const (
	whole    shape = iota // text
	prefix                // text*
	suffix                // *text
	contains              // *text*
	general
)

// segment is what stands between two stars: literals, single characters and
// dashes.
type segment struct {
	elems pattern
	runes int
}

func compileGlob(p pattern) glob {
	var g glob
	if n := len(p); n > 0 {
		g.front, g.back = p[0].kind == any0, p[n-1].kind == any0
	}
	var cur segment
	flush := func() {
		if len(cur.elems) > 0 {
			g.segs = append(g.segs, cur)
			cur = segment{}
		}
	}
	simple := true
	for _, e := range p {
		switch e.kind {
		case any0:
			flush()
			continue
		case lit:
			cur.runes += utf8.RuneCountInString(e.text)
		default:
			cur.runes++
			simple = false
		}
		cur.elems = joinLit(cur.elems, e)
	}
	flush()
	if !simple || len(g.segs) > 1 {
		g.shape = general
		return g
	}
	if len(g.segs) == 1 {
		g.lit = g.segs[0].elems[0].text
		g.text = []byte(g.lit)
	}
	switch {
	case g.front && g.back, g.front && len(g.segs) == 0:
		g.shape = contains
	case g.front:
		g.shape = suffix
	case g.back:
		g.shape = prefix
	}
	return g
}

func (g *glob) match(s []byte) bool {
	switch g.shape {
	case whole:
		return bytes.Equal(s, g.text)
	case prefix:
		return bytes.HasPrefix(s, g.text)
	case suffix:
		return bytes.HasSuffix(s, g.text)
	case contains:
		return bytes.Contains(s, g.text)
	}
	segs := g.segs
	if !g.front {
		n, ok := segs[0].at(s)
		if !ok || len(segs) == 1 && !g.back && n != len(s) {
			return false
		}
		if s, segs = s[n:], segs[1:]; len(segs) == 0 {
			return true
		}
	}
	if !g.back {
		last := segs[len(segs)-1]
		from, ok := stepBack(s, last.runes)
		if !ok {
			return false
		}
		if n, ok := last.at(s[from:]); !ok || from+n != len(s) {
			return false
		}
		s, segs = s[:from], segs[:len(segs)-1]
	}
	for i := range segs {
		n, ok := segs[i].find(s)
		if !ok {
			return false
		}
		s = s[n:]
	}
	return true
}

// at matches the segment at the start of s and returns the bytes it took.
func (g *segment) at(s []byte) (int, bool) {
	n := 0
	for _, e := range g.elems {
		switch e.kind {
		case lit:
			if len(s)-n < len(e.text) || string(s[n:n+len(e.text)]) != e.text {
				return 0, false
			}
			n += len(e.text)
		case one:
			if n == len(s) {
				return 0, false
			}
			_, size := utf8.DecodeRune(s[n:])
			n += size
		case dash:
			size := dashAt(s[n:])
			if size == 0 {
				return 0, false
			}
			n += size
		}
	}
	return n, true
}

// find returns the end of the leftmost match of the segment in s.
func (g *segment) find(s []byte) (int, bool) {
	for from := 0; from <= len(s); {
		if g.elems[0].kind == lit {
			i := bytes.Index(s[from:], []byte(g.elems[0].text))
			if i < 0 {
				return 0, false
			}
			from += i
		}
		if n, ok := g.at(s[from:]); ok {
			return from + n, true
		}
		if from == len(s) {
			return 0, false
		}
		_, size := utf8.DecodeRune(s[from:])
		from += size
	}
	return 0, false
}

func dashAt(s []byte) int {
	if len(s) == 0 {
		return 0
	}
	if s[0] == '-' || s[0] == '/' {
		return 1
	}
	if len(s) >= 3 && s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0x93 && s[2] <= 0x95 {
		return 3
	}
	return 0
}

// stepBack returns where the last n characters of s begin.
func stepBack(s []byte, n int) (int, bool) {
	at := len(s)
	for ; n > 0; n-- {
		if at == 0 {
			return 0, false
		}
		_, size := utf8.DecodeLastRune(s[:at])
		at -= size
	}
	return at, true
}
