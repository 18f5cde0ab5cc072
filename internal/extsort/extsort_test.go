// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package extsort

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type item struct{ Key, Came int }

var asJSON = Codec[item]{
	Encode: func(w io.Writer) func(*item) error {
		e := json.NewEncoder(w)
		return func(x *item) error { return e.Encode(x) }
	},
	Decode: func(r io.Reader) func(*item) error {
		d := json.NewDecoder(r)
		return func(x *item) error { return d.Decode(x) }
	},
}

func byKey(a, b *item) int { return cmp.Compare(a.Key, b.Key) }

// Oracle: a stable sort in memory, whatever the bound.
func TestLikeStableSort(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.IntRange(0, 20), 0, 200).Draw(t, "keys")
		s := New(rapid.IntRange(1, 300).Draw(t, "bound"), func(*item) int { return 1 }, byKey, asJSON)
		var want []item
		for i, k := range keys {
			want = append(want, item{k, i})
			if err := s.Add(item{k, i}); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(want, func(a, b item) int { return byKey(&a, &b) })
		for range 2 {
			var got []item
			if err := s.Each(func(x *item) error { got = append(got, *x); return nil }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A disk that refuses is told, and so is an error of the reader.
func TestErrors(t *testing.T) {
	t.Setenv("TMPDIR", "/nonexistent")
	s := New(1, func(*item) int { return 1 }, byKey, asJSON)
	if err := s.Add(item{1, 1}); err == nil {
		t.Error("no error without a folder")
	}
	stop := errors.New("stop")
	if err := s.Each(func(*item) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}
