// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"citywall/event"
)

const hexDigits = "0123456789abcdef"

// AppendFields writes f as one JSON object in the order of the record: null,
// text or list of texts. It writes what event.Fields.MarshalJSON writes, except
// that only quotes, backslashes and control characters are escaped (searching
// in the text relies on that), and costs a tenth. A byte that is not UTF-8
// becomes U+FFFD.
func AppendFields(b []byte, f event.Fields) []byte {
	b, _ = AppendFieldsExact(b, f)
	return b
}

// AppendFieldsExact is AppendFields and reports whether it kept every byte: that
// all names and values are UTF-8.
func AppendFieldsExact(b []byte, f event.Fields) (out []byte, exact bool) {
	bad := 0
	b = append(b, '{')
	for i := range f {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, f[i].Name, &bad)
		b = append(b, ':')
		switch v := &f[i].Value; v.Kind {
		case event.Text:
			b = appendText(b, v.Text, &bad)
		case event.List:
			b = append(b, '[')
			for j, s := range v.List {
				if j > 0 {
					b = append(b, ',')
				}
				b = appendText(b, s, &bad)
			}
			b = append(b, ']')
		default:
			b = append(b, "null"...)
		}
	}
	return append(b, '}'), bad == 0
}

// AppendText writes s as a JSON string, see AppendFields.
func AppendText(b []byte, s string) []byte {
	bad := 0
	return appendText(b, s, &bad)
}

// appendText is AppendText; bad counts the bytes that are not UTF-8.
func appendText(b []byte, s string, bad *int) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		for i+8 <= len(s) && plain(s[i:i+8]) {
			i += 8
		}
		if i == len(s) {
			break
		}
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			*bad++
			b = append(append(b, s[start:i]...), "\ufffd"...)
		} else {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// plain reports whether eight bytes are ASCII that stands in a JSON string as it
// is. All at once: a byte below n leaves its high bit set in (x-n*ones)&^x (see
// "Bit Twiddling Hacks", haszero and hasless).
func plain(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	quote, slash := x^('"'*ones), x^('\\'*ones)
	return (x|(x-0x20*ones)|(quote-ones)&^quote|(slash-ones)&^slash)&high == 0
}

// Valid returns s with every byte that is not UTF-8 replaced by U+FFFD.
func Valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // one U+FFFD per bad byte, as AppendText has it
		b.WriteRune(r)
	}
	return b.String()
}

// ParseFields reads what AppendFields wrote, or any other JSON object of
// texts, lists of texts and nulls. Text without escapes shares s.
func ParseFields(s string) (event.Fields, error) {
	p := fieldParser{s: s}
	f, err := p.object()
	if err != nil {
		return nil, fmt.Errorf("fields at byte %d: %w", p.i, err)
	}
	return f, nil
}

type fieldParser struct {
	s string
	i int
}

// next skips white space and returns the byte it stands at, 0 at the end.
func (p *fieldParser) next() byte {
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return c
		}
	}
	return 0
}

func (p *fieldParser) take(c byte) error {
	if got := p.next(); got != c || p.i >= len(p.s) {
		return fmt.Errorf("want %q", c)
	}
	p.i++
	return nil
}

func (p *fieldParser) object() (event.Fields, error) {
	if err := p.take('{'); err != nil {
		return nil, err
	}
	var f event.Fields
	if p.next() == '}' {
		p.i++
		return f, p.end()
	}
	f = make(event.Fields, 0, 16)
	for {
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if err := p.take(':'); err != nil {
			return nil, err
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		f = append(f, event.Field{Name: name, Value: v})
		if p.next() == ',' {
			p.i++
			continue
		}
		if err := p.take('}'); err != nil {
			return nil, err
		}
		return f, p.end()
	}
}

func (p *fieldParser) end() error {
	if p.next(); p.i < len(p.s) {
		return fmt.Errorf("text after the object")
	}
	return nil
}

func (p *fieldParser) value() (event.Value, error) {
	switch p.next() {
	case 'n':
		if !strings.HasPrefix(p.s[p.i:], "null") {
			return event.Value{}, fmt.Errorf("want null")
		}
		p.i += len("null")
		return event.Value{}, nil
	case '[':
		p.i++
		v := event.Value{Kind: event.List, List: []string{}}
		if p.next() == ']' {
			p.i++
			return v, nil
		}
		for {
			s, err := p.text()
			if err != nil {
				return v, err
			}
			v.List = append(v.List, s)
			if p.next() == ',' {
				p.i++
				continue
			}
			return v, p.take(']')
		}
	}
	s, err := p.text()
	return event.T(s), err
}

func (p *fieldParser) text() (string, error) {
	if err := p.take('"'); err != nil {
		return "", err
	}
	rest := p.s[p.i:]
	end := strings.IndexByte(rest, '"')
	if end < 0 {
		return "", fmt.Errorf("text without an end")
	}
	if strings.IndexByte(rest[:end], '\\') < 0 {
		p.i += end + 1
		return rest[:end], nil
	}
	return p.escaped()
}

func (p *fieldParser) escaped() (string, error) {
	var b strings.Builder
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return b.String(), nil
		case c != '\\':
			b.WriteByte(c)
			p.i++
			continue
		case p.i+1 >= len(p.s):
			return "", fmt.Errorf("text without an end")
		}
		e := p.s[p.i+1]
		p.i += 2
		switch e {
		case '"', '\\', '/':
			b.WriteByte(e)
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, err := p.unit()
			if err != nil {
				return "", err
			}
			if utf16.IsSurrogate(r) && strings.HasPrefix(p.s[p.i:], `\u`) {
				p.i += 2
				low, err := p.unit()
				if err != nil {
					return "", err
				}
				r = utf16.DecodeRune(r, low)
			}
			b.WriteRune(r)
		default:
			return "", fmt.Errorf("unknown escape %q", e)
		}
	}
	return "", fmt.Errorf("text without an end")
}

func (p *fieldParser) unit() (rune, error) {
	if len(p.s)-p.i < 4 {
		return 0, fmt.Errorf(`short \u escape`)
	}
	n, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 16)
	if err != nil {
		return 0, fmt.Errorf(`bad \u escape`)
	}
	p.i += 4
	return rune(n), nil
}
