// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

// table maps keys to what is known of them, at most limit at once, and at most
// heavy parts of them together: what was not touched for longest goes first.
// Keys are texts or write themselves as such, so that it can be written as JSON.
type table[K comparable, V any] struct {
	Limit int          `json:"-"`
	Heavy int          `json:"-"`             // parts of all entries; 0: not counted
	Old   map[K]*V     `json:"old,omitempty"` // not touched since the last turn
	New   map[K]*V     `json:"new,omitempty"`
	Load  int          `json:"load,omitempty"` // parts of the entries in New
	Gone  int64        `json:"gone"`           // entries let go
	parts func(*V) int // of one entry; nil: not counted
}

func newTable[K comparable, V any](limit int) table[K, V] {
	return table[K, V]{Limit: limit, New: map[K]*V{}}
}

// newHeavy bounds also what all entries hold together: parts says of how many an
// entry consists.
func newHeavy[K comparable, V any](limit, heavy int, parts func(*V) int) table[K, V] {
	return table[K, V]{Limit: limit, Heavy: heavy, New: map[K]*V{}, parts: parts}
}

// get returns the entry of key and counts it as touched; nil when there is none.
func (t *table[K, V]) get(key K) *V {
	if v, ok := t.New[key]; ok {
		return v
	}
	v, ok := t.Old[key]
	if !ok {
		return nil
	}
	delete(t.Old, key)
	if t.parts != nil {
		t.Load += t.parts(v)
	}
	t.put(key, v)
	return v
}

// make returns the entry of key, a zero one when it is new.
func (t *table[K, V]) make(key K) *V {
	if v := t.get(key); v != nil {
		return v
	}
	v := new(V)
	t.put(key, v)
	return v
}

// put files v.
func (t *table[K, V]) put(key K, v *V) {
	if t.New == nil {
		t.New = map[K]*V{}
	}
	if len(t.New) >= max(t.Limit/2, 1) {
		t.turn()
	}
	t.New[key] = v
}

// load returns the entry of key as make does, and of how many parts it consists:
// settle wants to know when the event is done with.
func (t *table[K, V]) load(key K) (v *V, parts int) {
	v = t.make(key)
	return v, t.parts(v)
}

// settle counts what an entry got or lost since it had so many parts.
func (t *table[K, V]) settle(v *V, had int) {
	if t.Load += t.parts(v) - had; t.Load > t.Heavy/2 {
		t.turn()
	}
}

// turn lets go what was not touched since the last turn: the two generations of a
// second-chance cache.
func (t *table[K, V]) turn() {
	t.Gone += int64(len(t.Old))
	t.Old, t.New, t.Load = t.New, make(map[K]*V), 0
}

func (t *table[K, V]) len() int { return len(t.New) + len(t.Old) }
