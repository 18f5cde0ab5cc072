// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

// table maps keys to what is known of them, at most limit at once: the one not
// touched for longest goes first. Keys are texts, so that it can be written as
// JSON.
type table[V any] struct {
	Limit int           `json:"-"`
	Old   map[string]*V `json:"old,omitempty"` // not touched since the last turn
	New   map[string]*V `json:"new,omitempty"`
	Gone  int64         `json:"gone"` // entries let go
}

func newTable[V any](limit int) table[V] {
	return table[V]{Limit: limit, New: map[string]*V{}}
}

// get returns the entry of key and counts it as touched; nil when there is none.
func (t *table[V]) get(key string) *V {
	if v, ok := t.New[key]; ok {
		return v
	}
	v, ok := t.Old[key]
	if !ok {
		return nil
	}
	delete(t.Old, key)
	t.put(key, v)
	return v
}

// make returns the entry of key, a zero one when it is new.
func (t *table[V]) make(key string) *V {
	if v := t.get(key); v != nil {
		return v
	}
	v := new(V)
	t.put(key, v)
	return v
}

// put files v. When half the limit has been touched, what was not touched since
// the last turn goes: the two generations of a second-chance cache.
func (t *table[V]) put(key string, v *V) {
	if t.New == nil {
		t.New = map[string]*V{}
	}
	if len(t.New) >= max(t.Limit/2, 1) {
		t.Gone += int64(len(t.Old))
		t.Old, t.New = t.New, make(map[string]*V, len(t.New))
	}
	t.New[key] = v
}

func (t *table[V]) len() int { return len(t.New) + len(t.Old) }
