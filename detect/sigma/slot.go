// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"strings"

	"citywall/event"
)

// slot returns the values of a binding, read once per event.
func (m *Matcher) slot(id int32) *slot {
	s := &m.slots[id]
	if s.gen == m.gen {
		return s
	}
	s.reset(m.gen)
	b := &m.e.prog.binds[id]
	if b.take != nil && m.read(s, b.field, nil) { // a record that has the field itself needs no derivation
		return s
	}
	for _, name := range b.from {
		if m.read(s, name, b) {
			return s
		}
	}
	for _, name := range b.pairs {
		if i, ok := m.get(name); ok {
			m.readPairs(s, name, b.field, i)
		}
	}
	return s
}

func (s *slot) reset(gen uint32) {
	s.gen, s.state, s.name = gen, absent, ""
	s.own.reset(gen)
	s.texts = &s.own
}

func (t *texts) reset(gen uint32) {
	t.gen, t.raw, t.folded, t.cased = gen, t.raw[:0], t.folded[:0], t.cased[:0]
}

// textsOf returns the values of the event's i'th field, read once for all that
// look at it.
func (m *Matcher) textsOf(i int) *texts {
	t := &m.fields[i]
	if t.gen == m.gen {
		return t
	}
	t.reset(m.gen)
	switch v := &m.ev.Fields[i].Value; v.Kind {
	case event.Text:
		t.raw = append(t.raw, v.Text)
	case event.List:
		t.raw = append(t.raw, v.List...)
	}
	return t
}

// get finds a field by its name with spaces left out.
func (m *Matcher) get(name string) (i int, ok bool) {
	f := m.ev.Fields
	for i := range f {
		if f[i].Name == name || m.spaced && sameButSpaces(f[i].Name, name) {
			return i, true
		}
	}
	return 0, false
}

func sameButSpaces(have, want string) bool {
	j := 0
	for i := 0; i < len(have); i++ {
		if have[i] == ' ' {
			continue
		}
		if j == len(want) || have[i] != want[j] {
			return false
		}
		j++
	}
	return j == len(want)
}

// read fills s from one field of the event and reports whether it is there.
func (m *Matcher) read(s *slot, name string, b *binding) bool {
	i, ok := m.get(name)
	if !ok {
		return false
	}
	s.name = name
	t := m.textsOf(i)
	switch {
	case m.ev.Fields[i].Value.Kind == event.Null:
		s.state = null
	case b == nil || b.take == nil && b.values == nil:
		s.state, s.texts = present, t
	default:
		for _, x := range t.raw {
			m.addValue(s, x, b)
		}
		if len(t.raw) == 0 {
			s.state = present
		}
	}
	return s.state != absent
}

func (m *Matcher) addValue(s *slot, v string, b *binding) {
	if b.take != nil {
		var ok bool
		if v, ok = b.take(b.field, v); !ok {
			return
		}
	}
	if b.values != nil {
		if to, ok := b.values[string(appendFold(m.buf[len(m.buf):], v))]; ok {
			v = to
		}
	}
	s.state = present
	s.own.raw = append(s.own.raw, v)
}

// readPairs looks for key=value in the texts of a field.
func (m *Matcher) readPairs(s *slot, name, key string, field int) {
	for _, t := range m.textsOf(field).raw {
		if x, ok := pairValue(t, key); ok {
			s.state, s.name = present, name
			s.own.raw = append(s.own.raw, x)
		}
	}
}

// fillAll gathers every value of the event, for keywords.
func (m *Matcher) fillAll() {
	if m.all.gen == m.gen {
		return
	}
	m.all.reset(m.gen)
	m.allName = m.allName[:0]
	for i := range m.ev.Fields {
		t := m.textsOf(i)
		if len(t.raw) == 0 {
			continue
		}
		m.all.state = present
		m.all.own.raw = append(m.all.own.raw, t.raw...)
		m.all.own.folded = append(m.all.own.folded, m.fold(t)...)
		for range t.raw {
			m.allName = append(m.allName, m.ev.Fields[i].Name)
		}
	}
}

// bytes returns the values as pred p compares them.
func (m *Matcher) bytes(s *slot, p *pred) [][]byte {
	if p.cased {
		return m.casedOf(s)
	}
	return m.foldedOf(s)
}

func (m *Matcher) foldedOf(s *slot) [][]byte { return m.fold(s.texts) }

func (m *Matcher) fold(t *texts) [][]byte {
	for i := len(t.folded); i < len(t.raw); i++ {
		from := len(m.buf)
		m.buf = appendFold(m.buf, t.raw[i])
		t.folded = append(t.folded, m.buf[from:len(m.buf):len(m.buf)])
	}
	return t.folded
}

func (m *Matcher) casedOf(s *slot) [][]byte {
	t := s.texts
	for i := len(t.cased); i < len(t.raw); i++ {
		from := len(m.buf)
		m.buf = append(m.buf, t.raw[i]...)
		t.cased = append(t.cased, m.buf[from:len(m.buf):len(m.buf)])
	}
	return t.cased
}

// clip shortens a value that a finding shows.
func clip(v string) string {
	const limit = 1024
	if len(v) <= limit {
		return v
	}
	return strings.ToValidUTF8(v[:limit], "") + "…"
}
