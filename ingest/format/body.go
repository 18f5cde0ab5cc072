// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import "citywall/event"

// Body adds what the message of a line holds to the fields that its header gave.
// A name that repeats within the message becomes a list; a header's field of
// the same name makes way and is kept as "header."+name, so that the device's
// own hostname is never mixed with the relay's.
type Body struct {
	f    *event.Fields
	head int        // fields of the header
	seen [16]uint64 // a bit for each hash of a name that is there: no scan for new ones
}

// NewBody returns a Body over f with room for n more fields.
func NewBody(f *event.Fields, n int) *Body {
	b := &Body{f: f, head: len(*f)}
	if n = min(n, MaxFields); cap(*f)-len(*f) < n {
		g := make(event.Fields, len(*f), len(*f)+n)
		copy(g, *f)
		*f = g
	}
	for i := range *f {
		b.mark((*f)[i].Name)
	}
	return b
}

// mark reports whether the hash of name was there, and sets it.
func (b *Body) mark(name string) bool {
	if name == "" {
		return true
	}
	n := len(name)
	h := (uint32(n) | uint32(name[0])<<8 | uint32(name[n-1])<<16 | uint32(name[n/2])<<24) ^ uint32(name[n/3])<<12
	h *= 0x9e3779b1 // Knuth's multiplicative hash; the high bits are the mixed ones
	i, bit := h>>28, uint64(1)<<(h>>22&63)
	was := b.seen[i]&bit != 0
	b.seen[i] |= bit
	return was
}

// Add adds a field of the message.
func (b *Body) Add(name, value string) {
	if b.mark(name) {
		for i := range b.head {
			if x := &(*b.f)[i]; x.Name == name {
				x.Name = "header." + name
				break
			}
		}
		b.f.Add(name, value)
		return
	}
	*b.f = append(*b.f, event.Field{Name: name, Value: event.T(value)})
}

// Len is the number of fields, the header's included.
func (b *Body) Len() int { return len(*b.f) }
