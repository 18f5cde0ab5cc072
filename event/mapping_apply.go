// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// table is a mapping made ready: View runs several times for every event, so
// native names are looked up once a record and rows that cannot hold are never
// asked.
type table struct {
	names names
	root  *branch
}

// row is a compiled row of a mapping.
type row struct {
	when, unless []condition
	action       Action
	outcome      Outcome
	clear        []field
	set          []setting
}

// What a condition looks at: the place of a native name in names, or one of
// these.
const (
	keyService  = -1
	keyCategory = -2
)

type condition struct {
	key   int
	texts []string
}

// exact reports that c compares whole texts only, so that a map can decide it.
func (c condition) exact() bool {
	return c.key < 0 || !slices.ContainsFunc(c.texts, func(t string) bool {
		return len(t) > 1 && (strings.HasPrefix(t, "*") || strings.HasSuffix(t, "*"))
	})
}

type setting struct {
	way    way
	field  field
	view   field
	domain int16 // slot; -1: none
	from   []int16
	text   string
	parts  []part // of a join
	unit   time.Duration
	how    *how // nil: the native text as it is
}

// way is where a setting takes its text from.
type way uint8

const (
	wayFrom way = iota
	wayText
	wayView
	wayJoin
	wayBefore
)

// how changes a native text.
type how struct {
	take   func(string) string
	values map[string]string
}

// part of a joined text: a native field, or text between (slot -1).
type part struct {
	slot int16
	text string
}

// branch picks the rows that may hold by the text of one key; a leaf has only
// rows.
type branch struct {
	key  int
	next *index[*branch]
	rest *branch // any other text
	rows []row
}

// maxBranches bounds how many keys are looked at before rows are tried one by
// one.
const maxBranches = 3

// branchOf divides rows by the key that most of them ask about. What the text of
// the key decides is decided here; order is kept.
func branchOf(rows []row, depth int) *branch {
	asked := map[int]int{}
	for i := range rows {
		for _, c := range rows[i].when {
			if c.exact() {
				asked[c.key]++
			}
		}
	}
	best, most := 0, 1 // one row is not worth a map
	for _, k := range slices.Sorted(maps.Keys(asked)) {
		if asked[k] > most {
			best, most = k, asked[k]
		}
	}
	if most == 1 || depth == 0 {
		return &branch{rows: rows}
	}
	b := &branch{key: best}
	var texts []string
	for i := range rows {
		for _, c := range slices.Concat(rows[i].when, rows[i].unless) {
			if c.key != best || !c.exact() {
				continue
			}
			for _, t := range c.texts {
				if !slices.ContainsFunc(texts, func(x string) bool { return x == t || best >= 0 && same(x, t) }) {
					texts = append(texts, t)
				}
			}
		}
	}
	next := newIndex[*branch](len(texts))
	for _, t := range texts {
		next.add(t, branchOf(decided(rows, best, func(c condition) (bool, bool) { return c.text(t), true }), depth-1))
	}
	b.next = &next
	b.rest = branchOf(decided(rows, best, func(c condition) (bool, bool) { return false, c.exact() }), depth-1)
	return b
}

// decided returns the rows that can still hold, without the conditions on key
// that decide has settled.
func decided(rows []row, key int, decide func(condition) (holds, settled bool)) []row {
	var out []row
next:
	for _, r := range rows {
		var when, unless []condition
		for _, c := range r.when {
			if c.key == key {
				if holds, settled := decide(c); settled && !holds {
					continue next
				} else if settled {
					continue
				}
			}
			when = append(when, c)
		}
		for _, c := range r.unless {
			if c.key == key {
				if holds, settled := decide(c); holds {
					continue next
				} else if settled {
					continue
				}
			}
			unless = append(unless, c)
		}
		r.when, r.unless = when, unless
		out = append(out, r)
	}
	return out
}

// apply sets the fields of v that the table knows.
func (t *table) apply(e *Event, v *View) {
	rec := record{e: e}
	t.names.find(e.Fields, &rec.at)
	b := t.root
	for b.next != nil {
		b = b.follow(&rec)
	}
	for i := range b.rows {
		if r := &b.rows[i]; r.holds(&rec) {
			r.apply(&rec, v)
		}
	}
}

func (b *branch) follow(rec *record) *branch {
	if n := b.next.get(rec.key(b.key), b.key >= 0); n != nil {
		return n
	}
	return b.rest
}

func (r *row) holds(rec *record) bool {
	for i := range r.when {
		if !r.when[i].holds(rec) {
			return false
		}
	}
	for i := range r.unless {
		if r.unless[i].holds(rec) {
			return false
		}
	}
	return true
}

func (c *condition) holds(rec *record) bool { return c.text(rec.key(c.key)) }

func (c *condition) text(s string) bool {
	if c.key < 0 {
		return slices.Contains(c.texts, s)
	}
	for _, t := range c.texts {
		n := len(t)
		switch {
		case n > 2 && t[0] == '*' && t[n-1] == '*':
			if contains(s, t[1:n-1]) {
				return true
			}
		case n > 1 && t[n-1] == '*':
			if len(s) >= n-1 && same(s[:n-1], t[:n-1]) {
				return true
			}
		case n > 1 && t[0] == '*':
			if len(s) >= n-1 && same(s[len(s)-n+1:], t[1:]) {
				return true
			}
		case same(s, t):
			return true
		}
	}
	return false
}

func contains(s, t string) bool {
	for i := 0; i+len(t) <= len(s); i++ {
		if same(s[i:i+len(t)], t) {
			return true
		}
	}
	return false
}

func (r *row) apply(rec *record, v *View) {
	if r.action != "" {
		v.Action, v.Outcome = r.action, r.outcome
	} else if r.outcome != "" {
		v.Outcome = r.outcome
	}
	for _, f := range r.clear {
		v.clear(f)
	}
	for i := range r.set {
		if s := &r.set[i]; s.way == wayFrom {
			s.read(rec, v)
		} else {
			s.make(rec, v)
		}
	}
}

// read sets a field from the first native one that has something to say. When
// none has, what an earlier row knew stays.
func (s *setting) read(rec *record, v *View) {
	for _, slot := range s.from {
		i := rec.at[slot&(maxNames-1)]
		if i == 0 {
			continue
		}
		x := &rec.e.Fields[i-1].Value
		text := x.Text
		if x.Kind == List {
			if len(x.List) > 1 && s.field.one() {
				continue // several are not one
			}
			text = x.String()
		}
		if text == "" {
			continue
		}
		if s.how != nil {
			var nobody bool
			if text, nobody = s.how.read(text); nobody {
				v.clear(s.field)
				return
			}
		}
		domain := ""
		if s.domain >= 0 {
			domain = rec.str(s.domain)
		}
		if v.put(s.field, text, domain, s.unit) {
			return
		}
	}
}

// make sets a field from what is not one native field.
func (s *setting) make(rec *record, v *View) {
	text := s.text
	switch s.way {
	case wayView:
		v.copy(s.field, s.view)
		return
	case wayBefore:
		if v.Duration > 0 && !rec.e.Time.IsZero() {
			v.Start = rec.e.Time.Add(-v.Duration)
		}
		return
	case wayJoin:
		text = s.join(rec)
	}
	if s.how != nil {
		text, _ = s.how.read(text)
	}
	domain := ""
	if s.domain >= 0 {
		domain = rec.str(s.domain)
	}
	v.put(s.field, text, domain, s.unit)
}

// read returns what of the native text counts. Nobody means that the table gives
// the text as a way to say nothing: the field is emptied.
func (h *how) read(text string) (to string, nobody bool) {
	if h.take != nil {
		text = h.take(text)
	}
	if len(h.values) > 0 && text != "" {
		if to, ok := h.values[strings.ToLower(text)]; ok {
			return to, to == ""
		}
	}
	return text, false
}

func (s *setting) join(rec *record) string {
	var buf [256]byte
	b, some := buf[:0], false
	for _, p := range s.parts {
		if p.slot < 0 {
			b = append(b, p.text...)
			continue
		}
		x := rec.str(p.slot)
		some = some || x != ""
		b = append(b, x...)
	}
	if !some {
		return ""
	}
	return strings.TrimSpace(string(b))
}
