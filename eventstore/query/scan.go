// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"citywall/internal/fault"
	"citywall/internal/text"
)

type tokenKind int

const (
	tokWord  tokenKind = iota // a word or field:value
	tokOpen                   // (
	tokClose                  // )
	tokMinus                  // - before a term
)

// token is one piece of the text. Positions count characters from 0.
type token struct {
	kind   tokenKind
	pos    int
	end    int
	field  string
	text   string
	quoted bool
}

// scan cuts the text into tokens.
func scan(s string) ([]token, error) {
	rs := []rune(s)
	var out []token
	i := 0
	for i < len(rs) {
		switch r := rs[i]; {
		case unicode.IsSpace(r):
			i++
		case r == '(':
			out = append(out, token{kind: tokOpen, pos: i, end: i + 1})
			i++
		case r == ')':
			out = append(out, token{kind: tokClose, pos: i, end: i + 1})
			i++
		case r == '-' && i+1 < len(rs) && !unicode.IsSpace(rs[i+1]):
			out = append(out, token{kind: tokMinus, pos: i, end: i + 1})
			i++
		default:
			t, next, err := word(rs, i)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			i = next
		}
	}
	return out, nil
}

// word reads a word, "a phrase", field:value or "field":"value".
func word(rs []rune, i int) (token, int, error) {
	t := token{kind: tokWord, pos: i}
	part, quoted, i, err := piece(rs, i, true)
	if err != nil {
		return t, i, err
	}
	if i >= len(rs) || rs[i] != ':' {
		t.text, t.quoted, t.end = part, quoted, i
		return t, i, nil
	}
	if t.field = part; part == "" {
		return t, i, errAt(i, "want_field")
	}
	i++ // :
	if i < len(rs) && rs[i] == '(' || i >= len(rs) || unicode.IsSpace(rs[i]) {
		t.end = i
		return t, i, nil
	}
	t.text, t.quoted, i, err = piece(rs, i, false)
	t.end = i
	return t, i, err
}

// piece reads a quoted text or runs to white space, a parenthesis and, in a
// name, a colon. In quotes \" and \\ stand for themselves.
func piece(rs []rune, i int, name bool) (string, bool, int, error) {
	if rs[i] != '"' {
		start := i
		for i < len(rs) && !unicode.IsSpace(rs[i]) && rs[i] != '(' && rs[i] != ')' && rs[i] != '"' && (!name || rs[i] != ':') {
			i++
		}
		if i == start && i < len(rs) && rs[i] != ':' {
			return "", false, i, errAt(i, "want_term")
		}
		return string(rs[start:i]), false, i, nil
	}
	open := i
	var b strings.Builder
	for i++; i < len(rs); i++ {
		switch {
		case rs[i] == '\\' && i+1 < len(rs) && (rs[i+1] == '"' || rs[i+1] == '\\'):
			i++
			b.WriteRune(rs[i])
		case rs[i] == '"':
			return b.String(), true, i + 1, nil
		default:
			b.WriteRune(rs[i])
		}
	}
	return "", false, i, errAt(open, "quote")
}

func isTime(field string) bool { return field == "last" || field == "from" || field == "to" }

// span reads 15m, 24h, 7d, 2w.
func span(s string) (time.Duration, bool) {
	if len(s) < 2 {
		return 0, false
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil || unit == 0 || n == 0 || n > uint64(100*365*24*time.Hour/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// layouts of an absolute time, in the zone given.
// taipei is the zone of a time that writes none; it has had no daylight saving since 1980.
var taipei = time.FixedZone("Asia/Taipei", 8*3600)

var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "2006/01/02",
}

// moment reads an absolute time, "now", or one relative to now: -2h.
func moment(s string, now time.Time, zone *time.Location) (time.Time, error) {
	if s == "now" && !now.IsZero() {
		return now.UTC(), nil
	}
	if v, ok := strings.CutPrefix(s, "-"); ok && !now.IsZero() {
		if d, ok := span(v); ok {
			return now.Add(-d).UTC(), nil
		}
	}
	var err error
	for _, l := range layouts {
		var t time.Time
		if t, err = time.ParseInLocation(l, s, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, err
}

// Error says what of a text could not be read.
type Error struct {
	Code string // key below "query." in internal/text
	Pos  int    // characters from the start, 0-based
	Args []string
}

// Error is the English sentence.
func (e *Error) Error() string { return e.Text(text.En) }

// Text is the sentence in a language: what, where, what to do.
func (e *Error) Text(l text.Lang) string {
	return text.T(l, "query.at", "column", itoa(e.Pos+1), "what", text.T(l, "query."+e.Code, e.Args...))
}

func errAt(pos int, code string, args ...string) error {
	return &fault.Error{Kind: fault.Invalid, Err: &Error{code, pos, args}}
}

func itoa(n int) string { return strconv.Itoa(n) }
