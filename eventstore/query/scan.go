// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"citywall/eventstore"
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
	field  string // "" for a word
	named  bool   // the field was quoted: never a time bound
	text   string // the value as read
	quoted bool   // some of the value was in quotes
	value  []cell
}

// cell is a character of a value; those in quotes stand for themselves.
type cell struct {
	r   rune
	lit bool
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
		case isOpen(r):
			out = append(out, token{kind: tokOpen, pos: i, end: i + 1})
			i++
		case isClose(r):
			out = append(out, token{kind: tokClose, pos: i, end: i + 1})
			i++
		case r == '-' && i+1 < len(rs) && !unicode.IsSpace(rs[i+1]):
			out = append(out, token{kind: tokMinus, pos: i, end: i + 1})
			i++
		default:
			t, err := word(rs, i)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			i = t.end
		}
	}
	return out, nil
}

// What an input method for Chinese writes is taken as well.
func isOpen(r rune) bool  { return r == '(' || r == '（' }
func isClose(r rune) bool { return r == ')' || r == '）' }
func isQuote(r rune) bool { return r == '"' || r == '“' || r == '”' }

// word reads a word, "a phrase", field:value or "field":"value". A value may
// be made of several pieces, some in quotes: *"my docs"*.
func word(rs []rune, i int) (token, error) {
	t := token{kind: tokWord, pos: i}
	colon := -1
	named := false
	var cells []cell
	for i < len(rs) && !unicode.IsSpace(rs[i]) && !isOpen(rs[i]) && !isClose(rs[i]) {
		switch r := rs[i]; {
		case isQuote(r):
			in, next, err := quotation(rs, i)
			if err != nil {
				return t, err
			}
			cells, i = append(cells, in...), next
			if colon >= 0 || !beforeColon(rs, i) {
				t.quoted = true
			} else {
				named = true
			}
			continue
		case colon < 0 && (r == ':' || r == '：' && isASCII(cells)):
			if len(cells) == 0 && !named && !wordWithColon(rs, i) {
				return t, errAt(i, "want_field")
			}
			if named || !wordWithColon(rs, t.pos) {
				colon = len(cells)
				i++
				continue
			}
		}
		cells = append(cells, cell{r: rs[i]})
		i++
	}
	t.end = i
	if colon >= 0 {
		t.field, t.named = plain(cells[:colon]), named
		cells = cells[colon:]
	}
	t.value, t.text = cells, plain(cells)
	return t, nil
}

func beforeColon(rs []rune, i int) bool { return i < len(rs) && rs[i] == ':' }

func isASCII(cs []cell) bool {
	for _, c := range cs {
		if c.r > unicode.MaxASCII {
			return false
		}
	}
	return len(cs) > 0
}

func plain(cs []cell) string {
	var b strings.Builder
	for _, c := range cs {
		b.WriteRune(c.r)
	}
	return b.String()
}

// wordWithColon reports whether the piece at i is a word although it has a
// colon: an address, a clock, a drive or a URL.
func wordWithColon(rs []rune, i int) bool {
	end := i
	for end < len(rs) && !unicode.IsSpace(rs[end]) && !isOpen(rs[end]) && !isClose(rs[end]) && !isQuote(rs[end]) {
		end++
	}
	s := string(rs[i:end])
	head, rest, _ := strings.Cut(s, ":")
	if strings.HasPrefix(rest, "//") || len(head) == 1 && strings.HasPrefix(rest, `\`) || head != "" && strings.Trim(head, "0123456789") == "" {
		return true
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	_, err := net.ParseMAC(s)
	return err == nil
}

// quotation reads a quoted piece. In it \" and \\ stand for the quote and the
// backslash.
func quotation(rs []rune, open int) ([]cell, int, error) {
	var out []cell
	for i := open + 1; i < len(rs); i++ {
		switch {
		case rs[i] == '\\' && i+1 < len(rs) && (isQuote(rs[i+1]) || rs[i+1] == '\\'):
			i++
			out = append(out, cell{rs[i], true})
		case isQuote(rs[i]):
			return out, i + 1, nil
		default:
			out = append(out, cell{rs[i], true})
		}
	}
	return nil, open, errAt(open, "quote")
}

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

// taipei is the zone of a time that writes none; it has had no daylight saving
// since 1980.
var taipei = time.FixedZone("Asia/Taipei", 8*3600)

// layouts of an absolute time. The days stand for the whole day.
var (
	layouts = []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04",
		"2006-01-02T15:04Z07:00", "2006-01-02 15:04:05.999999999Z07:00",
	}
	dayLayouts = []string{"2006-01-02", "2006/01/02"}
)

// moment reads an absolute time, "now", a day, or a time relative to now: -2h.
// For a day it returns its midnight and the next.
func moment(s string, now time.Time) (at, next time.Time, ok bool) {
	midnight := now.In(taipei)
	midnight = time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 0, 0, 0, 0, taipei)
	switch s {
	case "now":
		return now.UTC(), now.UTC(), true
	case "today":
		return midnight.UTC(), midnight.AddDate(0, 0, 1).UTC(), true
	case "yesterday":
		return midnight.AddDate(0, 0, -1).UTC(), midnight.UTC(), true
	}
	if v, ok := strings.CutPrefix(s, "-"); ok {
		if d, ok := span(v); ok {
			at := now.Add(-d).UTC()
			return at, at, eventstore.Timed(at)
		}
	}
	if v, ok := strings.CutPrefix(s, "roc"); ok { // roc115-11-01: the year of the Republic
		year, rest, _ := strings.Cut(v, "-")
		n, err := strconv.ParseUint(year, 10, 16)
		if err != nil || n == 0 || n > 8000 {
			return at, at, false
		}
		s = strconv.FormatUint(n+1911, 10) + "-" + rest
	}
	for _, l := range dayLayouts {
		if t, err := time.ParseInLocation(l, s, taipei); err == nil {
			return t.UTC(), t.AddDate(0, 0, 1).UTC(), eventstore.Timed(t) && eventstore.Timed(t.AddDate(0, 0, 1))
		}
	}
	for _, l := range layouts {
		if t, err := time.ParseInLocation(l, s, taipei); err == nil {
			return t.UTC(), t.UTC(), eventstore.Timed(t)
		}
	}
	return at, at, false
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
