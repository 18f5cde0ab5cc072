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
	shift uint32
	place []place // open addressing
}

// place is where a name hashes to.
type place struct {
	name string
	slot int16
	used bool
}

func (n *names) slot(name string) int16 {
	i := slices.Index(n.list, name)
	if i < 0 {
		i = len(n.list)
		n.list = append(n.list, name)
	}
	return int16(min(i, 1<<15-1)) //nolint:gosec // compile refuses more than maxNames
}

// index makes the hash table, four places for each name at least.
func (n *names) index() {
	bits := uint32(3)
	for 1<<bits < 4*len(n.list) {
		bits++
	}
	n.shift, n.place = 32-bits, make([]place, 1<<bits)
	for i, name := range n.list {
		h := n.hash(name)
		for n.place[h].used {
			h = (h + 1) & (1<<bits - 1)
		}
		n.place[h] = place{name, int16(i), true} //nolint:gosec // at most maxNames
	}
}

// hash mixes length, first, middle and last byte: enough to tell the few names
// of a table apart, and it does not read the whole name.
func (n *names) hash(s string) uint32 {
	l := len(s)
	if l == 0 {
		return 0
	}
	h := uint32(s[0]) | uint32(s[l/2])<<8 | uint32(s[l-1])<<16 | uint32(l)<<24 //nolint:gosec // a hash
	return h * 2654435761 >> n.shift
}

// find notes where the first field of each name lies.
func (n *names) find(f Fields, at *[maxNames]uint16) {
	places := n.place
	for i := range min(len(f), 1<<16-1) {
		name := f[i].Name
		h := n.hash(name)
		for p := &places[h]; p.used; p = &places[h] {
			if p.name == name {
				if at[p.slot&(maxNames-1)] == 0 {
					at[p.slot&(maxNames-1)] = uint16(i + 1) //nolint:gosec // bounded above
				}
				break
			}
			h = (h + 1) & uint32(len(places)-1) //nolint:gosec // a power of two
		}
	}
}
