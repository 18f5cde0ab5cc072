// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package walk

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// shelf is an engine of a slice of keys in the order of time. It counts how
// many rows one Read brought.
type shelf struct {
	keys   []Key
	oldest bool
	most   int
	got    []Key
}

func compare(a, b Key) int {
	return cmp.Or(cmp.Compare(a.US, b.US), cmp.Compare(a.NS, b.NS), bytes.Compare(a.ID[:], b.ID[:]))
}

func (s *shelf) Count(_ context.Context, from, to, width int64) ([]Part, error) {
	byPart := map[int64]int64{}
	for _, k := range s.keys {
		if k.US >= from && k.US < to {
			byPart[(k.US-from)/width]++
		}
	}
	var out []Part
	for n, rows := range byPart {
		out = append(out, Part{from + n*width, min(to, from+(n+1)*width), rows, rows})
	}
	slices.SortFunc(out, func(a, b Part) int { return cmp.Compare(a.From, b.From) })
	return out, nil
}

func (s *shelf) Read(_ context.Context, from, to int64, after *Key, limit int) (*Key, error) {
	var in []Key
	for _, k := range s.keys {
		behind := after == nil || s.oldest && compare(k, *after) > 0 || !s.oldest && compare(k, *after) < 0
		if k.US >= from && k.US < to && behind {
			in = append(in, k)
		}
	}
	if !s.oldest {
		slices.Reverse(in)
	}
	if limit > 0 {
		in = in[:min(limit, len(in))]
	}
	s.most = max(s.most, len(in))
	if s.got = append(s.got, in...); len(in) == 0 {
		return nil, nil
	}
	return &in[len(in)-1], nil
}

func drawKeys(t *rapid.T) []Key {
	keys := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Key {
		at := rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, 3_000_000), rapid.Just(int64(1234))).Draw(t, "us")
		return Key{at, rapid.Int16Range(0, 999).Draw(t, "ns"), event.NewID("k", "", rapid.Uint64().Draw(t, "id"))}
	}), 0, 200, func(k Key) event.ID { return k.ID }).Draw(t, "keys")
	slices.SortFunc(keys, compare)
	return keys
}

var span = eventstore.Query{From: time.UnixMicro(0).UTC(), To: time.UnixMicro(3_000_001).UTC()}

// Each meets every key once and in order, however the slices are cut, and holds
// no more than they allow. The oracle is the sorted slice.
func TestEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &shelf{keys: drawKeys(t), oldest: rapid.Bool().Draw(t, "oldest")}
		q := span
		if s.oldest {
			q.Sort = eventstore.Oldest
		}
		cut := Slices{Parts: rapid.Int64Range(2, 20).Draw(t, "parts"), Rows: rapid.Int64Range(1, 60).Draw(t, "rows"), Bytes: 1000}
		if err := Each(context.Background(), q, cut, s); err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(s.keys)
		if !s.oldest {
			slices.Reverse(want)
		}
		if !slices.Equal(s.got, want) {
			t.Fatalf("%d keys, want %d, or another order", len(s.got), len(want))
		}
		if s.most > int(cut.Rows) {
			t.Fatalf("%d rows at once, at most %d were allowed", s.most, cut.Rows)
		}
	})
}

// Pages laid end to end are the whole. The oracle is the sorted slice.
func TestPage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t)
		q, want := span, slices.Clone(keys)
		if rapid.Bool().Draw(t, "oldest") {
			q.Sort = eventstore.Oldest
		} else {
			slices.Reverse(want)
		}
		n := rapid.IntRange(1, 50).Draw(t, "n")
		w := Windows{First: time.Duration(rapid.IntRange(1, 5000).Draw(t, "first")), Growth: time.Duration(rapid.IntRange(2, 16).Draw(t, "growth")), Least: time.Millisecond}
		var got []Key
		var after *Key
		for {
			ks, err := Page(q, after, n, w, func(w eventstore.Query, n int) ([]Key, error) {
				if w.From.Before(q.From) || w.To.After(q.To) {
					t.Fatalf("the window %v to %v is outside", w.From, w.To)
				}
				var in []Key
				for _, k := range want {
					beyond := after == nil || q.Sort == eventstore.Oldest && compare(k, *after) > 0 || q.Sort != eventstore.Oldest && compare(k, *after) < 0
					if beyond && k.US >= w.From.UnixMicro() && k.US < w.To.UnixMicro() && len(in) < n {
						in = append(in, k)
					}
				}
				return in, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(ks) == 0 {
				break
			}
			got = append(got, ks...)
			after = &ks[len(ks)-1]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d keys, want %d, or another order", len(got), len(want))
		}
	})
}

// Every time lies in a piece, the pieces are few and apart.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(-1<<55, 1<<55), 1, 300).Draw(t, "times")
		before := slices.Clone(times)
		most := rapid.IntRange(1, 16).Draw(t, "most")
		ps := Pieces(times, time.Minute, most)
		if !slices.Equal(times, before) {
			t.Fatal("the caller's times were moved")
		}
		if len(ps) > most {
			t.Fatalf("%d pieces, at most %d", len(ps), most)
		}
		for _, x := range times {
			if !slices.ContainsFunc(ps, func(p Piece) bool { return x >= p.From && x <= p.To }) {
				t.Fatalf("%d is in no piece", x)
			}
		}
	})
}

// A mark comes back, and belongs to its scope, query and key alone.
func TestMarks(t *testing.T) {
	m, sc := Marks("secret"), identity.Scope{Realm: asset.City}
	k := Key{-5, 7, event.NewID("a", "b", 1)}
	q := span
	q.After = m.Write(k, sc, q)
	if got, err := m.Read(sc, q); err != nil || *got != k {
		t.Errorf("%v %v", got, err)
	}
	if got, err := m.Read(sc, span); got != nil || err != nil {
		t.Errorf("no mark: %v %v", got, err)
	}
	for what, f := range map[string]func() error{
		"another scope": func() error { _, err := m.Read(identity.Scope{Realm: asset.Police}, q); return err },
		"another key":   func() error { _, err := Marks("other").Read(sc, q); return err },
		"another query": func() error { q := q; q.To = q.To.Add(1); _, err := m.Read(sc, q); return err },
		"nonsense":      func() error { q := q; q.After = "!"; _, err := m.Read(sc, q); return err },
		"cut":           func() error { q := q; q.After = q.After[:8]; _, err := m.Read(sc, q); return err },
	} {
		if err := f(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzMarks(f *testing.F) {
	m, sc := Marks("secret"), identity.Scope{Realm: asset.City}
	f.Add(m.Write(Key{}, sc, span))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, after string) {
		q := span
		q.After = after
		k, err := m.Read(sc, q)
		if err == nil && k != nil && m.Write(*k, sc, q) != after {
			t.Fatalf("%q is taken for another mark", after)
		}
	})
}
