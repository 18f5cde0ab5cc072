// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import "slices"

// maxNames is how many native names one table may ask for.
const maxNames = 128 // a power of two: record.str masks by it

// record is an event whose fields have been found.
type record struct {
	e  *Event
	at [maxNames]uint16 // by slot: 1 + the place in Fields; 0 is absent
}

func (r *record) str(slot int16) string {
	i := r.at[slot&(maxNames-1)]
	if i == 0 {
		return ""
	}
	v := &r.e.Fields[i-1].Value
	if v.Kind != List {
		return v.Text
	}
	return v.String()
}

func (r *record) key(k int) string {
	switch k {
	case keyService:
		return r.e.Service
	case keyCategory:
		return r.e.Category
	}
	return r.str(int16(k)) //nolint:gosec // at most maxNames
}

// names gives each native name of a table a slot, and finds them in a record by
// one pass over its fields.
type names struct {
	list  []string
	place index[int16]
}

func (n *names) slot(name string) int16 {
	i := slices.Index(n.list, name)
	if i < 0 {
		i = len(n.list)
		n.list = append(n.list, name)
	}
	return int16(min(i, 1<<15-1)) //nolint:gosec // compile refuses more than maxNames
}

func (n *names) index() {
	n.place = newIndex[int16](len(n.list))
	for i, name := range n.list {
		n.place.add(name, int16(i)) //nolint:gosec // at most maxNames
	}
}

// find notes where the first field of each name lies.
func (n *names) find(f Fields, at *[maxNames]uint16) {
	places, shift := n.place.places, n.place.shift
	for i := range min(len(f), 1<<16-1) {
		name := f[i].Name
		h := hash(name) >> shift
		for p := &places[h]; p.used; p = &places[h] {
			if p.name == name {
				if at[p.value&(maxNames-1)] == 0 {
					at[p.value&(maxNames-1)] = uint16(i + 1) //nolint:gosec // bounded above
				}
				break
			}
			h = (h + 1) & uint32(len(places)-1) //nolint:gosec // a power of two
		}
	}
}

// index is a hash table that is made once: open addressing, four places for each
// name at least. It is several times as fast as a map for the few short names of
// a table.
type index[T any] struct {
	shift  uint32
	places []place[T]
}

type place[T any] struct {
	name  string
	value T
	used  bool
}

func newIndex[T any](n int) index[T] {
	bits := uint32(2)
	for 1<<bits < 4*n {
		bits++
	}
	return index[T]{32 - bits, make([]place[T], 1<<bits)}
}

func (x *index[T]) add(name string, value T) {
	h := hash(name) >> x.shift
	for x.places[h].used {
		h = (h + 1) & uint32(len(x.places)-1) //nolint:gosec // a power of two
	}
	x.places[h] = place[T]{name, value, true}
}

// get returns the value of name, whatever the case of its ASCII letters when fold
// is set; the zero value when there is none.
func (x *index[T]) get(name string, fold bool) (value T) {
	h := hash(name) >> x.shift
	for p := &x.places[h]; p.used; p = &x.places[h] {
		if p.name == name || fold && same(p.name, name) {
			return p.value
		}
		h = (h + 1) & uint32(len(x.places)-1) //nolint:gosec // a power of two
	}
	return value
}

// hash mixes length, first, middle and last byte: enough to tell the few names
// of a table apart, and it does not read the whole name. ASCII letters of either
// case give the same.
func hash(s string) uint32 {
	l := len(s)
	if l == 0 {
		return 0
	}
	h := uint32(s[0]|0x20) | uint32(s[l/2]|0x20)<<8 | uint32(s[l-1]|0x20)<<16 | uint32(l)<<24 //nolint:gosec // a hash
	return h * 2654435761
}

// same compares without regard to the case of ASCII letters.
func same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if x, y := a[i], b[i]; x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}
