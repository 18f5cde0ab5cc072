// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package modsecurity decodes the audit log of the web application firewalls
// ModSecurity (2.x, 3.x) and Coraza: the native form, whose sections A to Z stand
// on lines of their own, serial or a file for each transaction; the index lines of
// the concurrent log; and the JSON of all three.
//
// One transaction is one event. JSON keeps its own dotted names; the native form
// takes the names of ModSecurity 2's JSON where its lines have none, and its
// trailer's own names (Message, Action, Producer …). README.md lists them.
//
// It never executes, decodes or shortens what a client sent: a body beyond the
// limit of a record makes the transaction damaged.
package modsecurity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "modsecurity"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"transaction"}, Decode: decode, Record: record}
}

func sniff(head []byte) int {
	line, rest, _ := bytes.Cut(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), "\r\n"), []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	switch {
	case len(line) == 0:
	case line[0] == '{':
		if isJSON(line) {
			return 95
		}
	case line[0] == '-':
		if _, s, ok := boundary(string(line)); ok && s == 'A' && bytes.HasPrefix(rest, []byte("[")) {
			return 95
		}
	default:
		if _, ok := indexLine(string(line)); ok {
			return 92
		}
	}
	return 0
}

// isJSON knows the three by members that only they have beside "transaction".
func isJSON(line []byte) bool {
	if !bytes.Contains(line[:min(len(line), 64)], []byte(`"transaction"`)) {
		return false
	}
	has := func(s string) bool { return bytes.Contains(line, []byte(s)) }
	return has(`"audit_data"`) || has(`"request_line"`) || has(`"unique_id"`) && has(`"time_stamp"`) || has(`"is_interrupted"`) || has(`"unix_timestamp"`) && has(`"client_ip"`)
}

// record reads a line that stands alone: JSON, or a line of the concurrent
// log's index.
func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Product, e.Category, e.Service = "modsecurity", "waf", "audit"
	e.Raw = bytes.Clone(rec)
	if len(rec) > 0 && rec[0] == '{' {
		return fromJSON(e, rec, src)
	}
	f, ok := indexLine(string(rec))
	if !ok {
		return nil, errors.New("neither JSON nor a line of an audit log's index")
	}
	e.Fields, e.Service = f, "index"
	return e, setTime(e, f.Str("time"), src)
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	d := decoder{src: src, emit: emit}
	err := format.EachLine(ctx, r, d.line)
	if err == nil {
		err = d.flush()
	}
	return d.st, err
}

// decoder gathers the sections of one transaction.
type decoder struct {
	src  format.Source
	emit format.Emit
	st   format.Stats

	id    string // boundary of the open transaction
	pos   format.Pos
	raw   []byte
	parts []section
	over  bool   // beyond the limit of a record
	stray bool   // the line before belonged to nothing and was counted
	last  string // section A of the transaction that ended: Coraza writes it again after its section Z
}

type section struct {
	letter byte
	lines  []string
}

func (d *decoder) line(l format.Line) error {
	text := string(l.Text)
	id, letter, isBoundary := boundary(text)
	switch {
	case isBoundary && letter == 'A' && !l.Long:
		if err := d.flush(); err != nil {
			return err
		}
		d.id, d.pos, d.stray = id, l.Pos, false
		d.keep(text, section{letter: 'A'})
		return nil
	case isBoundary && id == d.id && d.id != "":
		if letter == 'Z' {
			d.raw = append(append(d.raw, text...), '\n')
			return d.finish(true)
		}
		d.keep(text, section{letter: letter})
		return nil
	case d.id != "":
		if d.over = d.over || l.Long || len(d.raw)+len(text) > format.MaxRecord; !d.over {
			d.raw = append(append(d.raw, text...), '\n')
			last := &d.parts[len(d.parts)-1]
			last.lines = append(last.lines, text)
		}
		return nil
	case !l.Long && (text[0] == '{' || strings.Contains(text, " md5:")):
		e, err := record(l.Text, l.Pos, d.src)
		if err != nil {
			d.damaged(l.Pos, err)
			return nil
		}
		d.stray = false
		d.st.Saw(e)
		return d.emit(e)
	}
	if d.last != "" && text == d.last {
		return nil
	}
	if !d.stray {
		d.damaged(l.Pos, errors.New("text outside a transaction"))
	}
	d.stray = true
	return nil
}

func (d *decoder) keep(text string, s section) {
	if len(d.parts) >= 32 {
		d.over = true
		return
	}
	d.raw = append(append(d.raw, text...), '\n')
	d.parts = append(d.parts, s)
}

func (d *decoder) damaged(p format.Pos, err error) {
	d.st.Damaged++
	d.st.Note("line %d at byte %d: %v", p.Line, p.Offset, err)
}

// flush ends a transaction that has no section Z: the log was cut, or another
// began. What is there is kept and marked.
func (d *decoder) flush() error {
	if d.id == "" {
		return nil
	}
	return d.finish(false)
}

func (d *decoder) finish(whole bool) error {
	parts, raw, pos, over := d.parts, d.raw, d.pos, d.over
	d.id, d.parts, d.raw, d.over, d.last = "", nil, nil, false, ""
	if over {
		d.damaged(pos, fmt.Errorf("a transaction longer than %d bytes", format.MaxRecord))
		return nil
	}
	if len(parts[0].lines) > 0 {
		d.last = parts[0].lines[0]
	}
	e := d.src.Event(name, pos)
	e.Product, e.Category, e.Service, e.Raw = "modsecurity", "waf", "audit", raw
	if err := native(e, parts, d.src); err != nil {
		d.damaged(pos, err)
		return nil
	}
	if !whole {
		e.Fields.Add("truncated", "true")
		d.st.Note("line %d at byte %d: a transaction without its end, kept as far as it goes", pos.Line, pos.Offset)
	}
	d.st.Saw(e)
	return d.emit(e)
}

// boundary reads --ID-A-- (ModSecurity 2, Coraza) and ---ID---A-- (3).
func boundary(s string) (id string, letter byte, ok bool) {
	if len(s) < 8 || len(s) > 80 || s[:2] != "--" || s[len(s)-2:] != "--" || s[len(s)-4] != '-' {
		return "", 0, false
	}
	letter = s[len(s)-3]
	id = strings.Trim(s[2:len(s)-4], "-")
	if letter < 'A' || letter > 'Z' || id == "" {
		return "", 0, false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "", 0, false
		}
	}
	return id, letter, true
}
