// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"citywall/internal/canon"
	"citywall/internal/fault"
)

// Query selects entries. Zero fields select all.
type Query struct {
	Actor    string
	Action   string // exact, or a prefix when it ends with "."
	Object   string // exact, or a prefix when it ends with "/"
	Text     string // anywhere in the entry, case ignored
	Phase    Phase
	Result   string
	From, To time.Time // To exclusive
	Limit    int       // 1..1000; 0 means 100
	Before   string    // cursor of the page before
}

// Page is a page of entries, newest first.
type Page struct {
	Entries []Entry
	Next    string // cursor, "" at the end
}

// List returns entries newest first.
func (l *Log) List(ctx context.Context, q Query) (Page, error) {
	switch {
	case q.Limit == 0:
		q.Limit = 100
	case q.Limit < 0 || q.Limit > 1000:
		return Page{}, fault.New(fault.Invalid, "audit list: limit %d is not in 1..1000", q.Limit)
	}
	before := l.size.Load()
	if q.Before != "" {
		n, err := strconv.ParseUint(q.Before, 10, 64)
		if err != nil {
			return Page{}, fault.New(fault.Invalid, "audit list: %q is no cursor", q.Before)
		}
		before = min(before, n)
	}
	must, err := q.must()
	if err != nil {
		return Page{}, err
	}
	q.Text = strings.ToLower(q.Text)
	var p Page
	err = l.back(before, func(seq uint64, line []byte) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		for _, m := range must {
			if !bytes.Contains(line, m) {
				return true, nil
			}
		}
		e, err := l.entry(seq, line)
		if err != nil || !q.selects(e, line) {
			return true, err
		}
		if len(p.Entries) == q.Limit {
			p.Next = strconv.FormatUint(p.Entries[len(p.Entries)-1].Seq, 10)
			return false, nil
		}
		p.Entries = append(p.Entries, e)
		return true, nil
	})
	if err != nil {
		return Page{}, err
	}
	return p, nil
}

// must returns what a line has to contain to be selected. Most lines are
// passed over for the lack of it, without being parsed: a year's log has a
// million of them. The names before the values keep a value of another field
// from standing in, and selects has the last word.
func (q Query) must() ([][]byte, error) {
	var out [][]byte
	for _, f := range []struct{ name, value, edge string }{
		{"actor", q.Actor, ""}, {"action", q.Action, "."}, {"object", q.Object, "/"},
		{"phase", string(q.Phase), ""}, {"result", q.Result, ""},
	} {
		if f.value == "" {
			continue
		}
		b, err := canon.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		if f.edge != "" && strings.HasSuffix(f.value, f.edge) {
			b = b[:len(b)-1] // a prefix: without the closing quote
		}
		out = append(out, append([]byte(`"`+f.name+`":`), b...))
	}
	return out, nil
}

func (q Query) selects(e Entry, line []byte) bool {
	return (q.Actor == "" || q.Actor == e.Actor) &&
		matches(q.Action, e.Action, ".") && matches(q.Object, e.Object, "/") &&
		(q.Phase == "" || q.Phase == e.Phase) && (q.Result == "" || q.Result == e.Result) &&
		(q.From.IsZero() || !e.Time.Before(q.From)) && (q.To.IsZero() || e.Time.Before(q.To)) &&
		(q.Text == "" || bytes.Contains(bytes.ToLower(line), []byte(q.Text)))
}

func matches(want, have, edge string) bool {
	if want == "" || want == have {
		return true
	}
	return strings.HasSuffix(want, edge) && strings.HasPrefix(have, want)
}

// Get returns one entry.
func (l *Log) Get(_ context.Context, seq uint64) (Entry, error) {
	e, _, err := l.read(seq)
	return e, err
}

// read returns entry seq and its line.
func (l *Log) read(seq uint64) (Entry, []byte, error) {
	if seq >= l.size.Load() {
		return Entry{}, nil, fault.New(fault.NotFound, "the audit log of realm %s has no entry %d", l.realm, seq)
	}
	ends, err := l.offsets.ends(seq, seq+1)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("read audit log: %w", err)
	}
	line, err := l.line(ends[0], ends[1])
	if err != nil {
		return Entry{}, nil, err
	}
	e, err := l.entry(seq, line)
	return e, line, err
}

// entry parses the line that stands where entry seq should.
func (l *Log) entry(seq uint64, line []byte) (Entry, error) {
	e, err := parse(line)
	if err == nil && e.Seq != seq {
		err = fmt.Errorf("is entry %d", e.Seq)
	}
	if err != nil {
		return Entry{}, l.refuse("line %d %v", seq+1, err)
	}
	return e, nil
}

// back calls f for the lines of the entries below before, from the last to the
// first, until f returns false. The line is f's only for the call.
func (l *Log) back(before uint64, f func(seq uint64, line []byte) (bool, error)) error {
	const most = 256 // entries read at once
	step := uint64(1)
	for before > 0 {
		from := before - min(before, step)
		step = min(step*4, most) // the newest few are often all that is wanted
		ends, err := l.offsets.ends(from, before)
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		b, err := l.bytes(ends[0], ends[len(ends)-1])
		if err != nil {
			return err
		}
		for n := before; n > from; n-- {
			lo, hi := ends[n-1-from]-ends[0], ends[n-from]-ends[0]
			if lo < 0 || hi <= lo || hi > int64(len(b)) || b[hi-1] != '\n' {
				return l.refuse("offsets do not fit the entries near %d", n-1)
			}
			if more, err := f(n-1, b[lo:hi-1]); err != nil || !more {
				return err
			}
		}
		before = from
	}
	return nil
}

// line returns the bytes of one line that begins at lo and ends, newline
// included, at hi.
func (l *Log) line(lo, hi int64) ([]byte, error) {
	b, err := l.bytes(lo, hi)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return nil, l.refuse("offsets do not fit the entries")
	}
	return b[:len(b)-1], nil
}

func (l *Log) bytes(lo, hi int64) ([]byte, error) {
	if lo < 0 || hi < lo || hi-lo > 256*maxLine {
		return nil, l.refuse("offsets do not fit the entries")
	}
	b := make([]byte, hi-lo)
	if _, err := l.entries.ReadAt(b, lo); err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return b, nil
}
