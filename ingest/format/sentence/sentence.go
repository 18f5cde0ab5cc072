// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package sentence reads what devices say in words: a fixed text with places in
// it, "Login denied from {src_ip}/{src_port} to {service}".
//
// It promises that a text is read whole or not at all, in time that grows with
// its length, and that releases which write " : " and ": " are the same. It
// never guesses at a text that fits no pattern.
package sentence

import "strings"

// Table holds the patterns of one product by the id of the message, or by any
// other word that narrows the choice.
type Table map[string][]pattern

// piece is literal text, then a field up to the next piece's text.
type piece struct{ lit, field string }

type pattern struct {
	event  string
	pieces []piece
}

// maxPieces bounds a pattern's fields.
const maxPieces = 20

// Parse reads lines "id|event|text with {fields}". {_} is read and not kept; the
// first pattern of an id that fits counts.
func Parse(texts string) Table {
	out := Table{}
	for line := range strings.SplitSeq(strings.TrimSpace(texts), "\n") {
		id, rest, _ := strings.Cut(line, "|")
		ev, text, _ := strings.Cut(rest, "|")
		p := pattern{event: ev}
		for text != "" {
			lit, after, _ := strings.Cut(text, "{")
			field, next, _ := strings.Cut(after, "}")
			p.pieces = append(p.pieces, piece{lit, field})
			text = next
		}
		out[id] = append(out[id], p)
	}
	return out
}

// Read gives add the fields of text and returns what it tells: the event of the
// pattern that fits, "" when none of id does. Values lose the spaces and <> around
// them; empty ones are not given.
func (t Table) Read(id, text string, add func(field, value string)) (event string) {
	for i := range t[id] {
		p := &t[id][i]
		if len(p.pieces) > maxPieces {
			continue
		}
		var vals [maxPieces]string
		if !p.read(text, &vals) {
			continue
		}
		for i, x := range p.pieces {
			if v := strings.Trim(vals[i], " <>"); x.field != "" && x.field != "_" && v != "" {
				add(x.field, v)
			}
		}
		return p.event
	}
	return ""
}

// read fills vals; false when the text does not fit. A space before a colon or
// none, and a space behind one, are the same: releases differ in them.
func (p *pattern) read(s string, vals *[maxPieces]string) bool {
	for i, x := range p.pieces {
		rest, ok := cutText(s, x.lit)
		if !ok {
			return false
		}
		s = rest
		if x.field == "" {
			continue
		}
		if i+1 == len(p.pieces) {
			vals[i] = s
			return true
		}
		next := strings.TrimSpace(p.pieces[i+1].lit)
		first := p.pieces[i+1].lit
		if next == "" {
			next = " "
		} else if k := strings.IndexByte(next, ' '); k > 0 {
			next = next[:k] // the first word; cutText compares the rest
		}
		at := -1
		for from := 0; ; {
			j := strings.Index(s[from:], next)
			if j < 0 {
				return false
			}
			k := from + j
			for next != " " && k > 0 && s[k-1] == ' ' && strings.HasPrefix(first, " ") {
				k--
			}
			if _, ok := cutText(s[k:], first); ok {
				at = k
				break
			}
			from += j + 1
		}
		vals[i] = s[:at]
		s = s[at:]
	}
	return s == "" || s == "."
}

// cutText cuts lit off s; spaces before ":" and after it may be missing in
// either.
func cutText(s, lit string) (string, bool) {
	i, j := 0, 0
	for j < len(lit) {
		switch {
		case i < len(s) && s[i] == lit[j]:
			i++
			j++
		case i < len(s) && s[i] == ' ' && (i+1 < len(s) && s[i+1] == ':' || i > 0 && s[i-1] == ':'):
			i++
		case lit[j] == ' ' && (j+1 < len(lit) && lit[j+1] == ':' || j > 0 && lit[j-1] == ':'):
			j++
		default:
			return s, false
		}
	}
	return s[i:], true
}
