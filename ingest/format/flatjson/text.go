// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package flatjson

import (
	"encoding/binary"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads a string. Invalid UTF-8 and lone surrogates become U+FFFD. What it
// returns is valid until the next call.
func (p *Parser) str() ([]byte, error) {
	p.i++ // "
	start := p.i
	p.plainRun()
	if p.i >= len(p.b) {
		return nil, p.fail("string without an end")
	}
	switch p.b[p.i] {
	case '"':
		s := p.b[start:p.i]
		p.i++
		if p.utf8 {
			return s, nil
		}
		return valid(s), nil
	case '\\':
		return p.escaped(start)
	}
	return nil, p.fail("control character in a string")
}

// plainRun goes on to the next quote, backslash or control character, eight
// bytes at a time.
func (p *Parser) plainRun() {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	b, i := p.b, p.i
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		// The high bit of a byte is set where the byte is zero, or below 0x20; a
		// borrow may set it in a later byte, never in an earlier one.
		if ((quote-ones)&^quote|(slash-ones)&^slash|(x-ones*0x20)&^x)&highs != 0 {
			break
		}
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 {
		i++
	}
	p.i = i
}

func valid(s []byte) []byte {
	if utf8.Valid(s) {
		return s
	}
	return []byte(string([]rune(string(s))))
}

func (p *Parser) escaped(start int) ([]byte, error) {
	out := append(p.esc[:0], p.b[start:p.i]...)
	for p.i < len(p.b) {
		c := p.b[p.i]
		switch {
		case c == '"':
			p.i++
			p.esc = out
			if p.utf8 {
				return out, nil
			}
			return valid(out), nil
		case c < 0x20:
			return nil, p.fail("control character in a string")
		case c != '\\':
			from := p.i
			p.plainRun()
			out = append(out, p.b[from:p.i]...)
			continue
		}
		if p.i+1 >= len(p.b) {
			break
		}
		p.i += 2
		switch e := p.b[p.i-1]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := p.hex4()
			if !ok {
				return nil, p.fail("want four hex digits")
			}
			if utf16.IsSurrogate(r) && p.i+1 < len(p.b) && p.b[p.i] == '\\' && p.b[p.i+1] == 'u' {
				save := p.i
				p.i += 2
				low, ok := p.hex4()
				if d := utf16.DecodeRune(r, low); ok && d != utf8.RuneError {
					r = d
				} else {
					p.i = save
				}
			}
			out = utf8.AppendRune(out, r) // a lone surrogate is written as U+FFFD
		default:
			return nil, p.fail("unknown escape")
		}
	}
	return nil, p.fail("string without an end")
}

func (p *Parser) hex4() (rune, bool) {
	if p.i+4 > len(p.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.b[p.i:p.i+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.i += 4
	return rune(n), true
}
