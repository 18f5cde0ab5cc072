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
		if v, ok := m.get(name); ok {
			m.readPairs(s, name, b.field, v)
		}
	}
	return s
}

func (s *slot) reset(gen uint32) {
	s.gen, s.state, s.name = gen, absent, ""
	s.raw, s.folded, s.cased = s.raw[:0], s.folded[:0], s.cased[:0]
}

// get finds a field by its name with spaces left out.
func (m *Matcher) get(name string) (*event.Value, bool) {
	f := m.ev.Fields
	for i := range f {
		if f[i].Name == name || m.spaced && sameButSpaces(f[i].Name, name) {
			return &f[i].Value, true
		}
	}
	return nil, false
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
	v, ok := m.get(name)
	if !ok {
		return false
	}
	s.name = name
	if v.Kind == event.Null {
		s.state = null
		return true
	}
	if v.Kind == event.Text {
		m.addValue(s, v.Text, b)
	} else {
		for _, x := range v.List {
			m.addValue(s, x, b)
		}
		if len(v.List) == 0 {
			s.state = present
		}
	}
	return s.state != absent
}

func (m *Matcher) addValue(s *slot, v string, b *binding) {
	if b != nil && b.take != nil {
		var ok bool
		if v, ok = b.take(b.field, v); !ok {
			return
		}
	}
	if b != nil && b.values != nil {
		if to, ok := b.values[string(appendFold(m.buf[len(m.buf):], v))]; ok {
			v = to
		}
	}
	s.state = present
	s.raw = append(s.raw, v)
}

// readPairs looks for key=value in the texts of a field.
func (m *Matcher) readPairs(s *slot, name, key string, v *event.Value) {
	texts := v.List
	if v.Kind == event.Text {
		texts = []string{v.Text}
	}
	for _, t := range texts {
		if x, ok := pairValue(t, key); ok {
			s.state, s.name = present, name
			s.raw = append(s.raw, x)
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
	add := func(name, v string) {
		m.all.state = present
		m.all.raw = append(m.all.raw, v)
		m.allName = append(m.allName, name)
	}
	f := m.ev.Fields
	for i := range f {
		switch v := &f[i].Value; v.Kind {
		case event.Text:
			add(f[i].Name, v.Text)
		case event.List:
			for _, x := range v.List {
				add(f[i].Name, x)
			}
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

func (m *Matcher) foldedOf(s *slot) [][]byte {
	for i := len(s.folded); i < len(s.raw); i++ {
		from := len(m.buf)
		m.buf = appendFold(m.buf, s.raw[i])
		s.folded = append(s.folded, m.buf[from:len(m.buf):len(m.buf)])
	}
	return s.folded
}

func (m *Matcher) casedOf(s *slot) [][]byte {
	for i := len(s.cased); i < len(s.raw); i++ {
		from := len(m.buf)
		m.buf = append(m.buf, s.raw[i]...)
		s.cased = append(s.cased, m.buf[from:len(m.buf):len(m.buf)])
	}
	return s.cased
}

// clip shortens a value that a finding shows.
func clip(v string) string {
	const limit = 1024
	if len(v) <= limit {
		return v
	}
	return strings.ToValidUTF8(v[:limit], "") + "…"
}
