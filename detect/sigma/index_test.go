// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The index of a field finds the texts that are there, no other, and each once,
// wherever they must stand and however long they are. Oracle: package strings.
func TestFieldIndex(t *testing.T) {
	letters := rapid.SampledFrom([]rune("abc\\護"))
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.StringOfN(letters, 0, 40, -1).Draw(t, "value")
		f := &fieldWitnesses{}
		var want []int32
		holds := [...]func(s, t string) bool{inside: strings.Contains, front: strings.HasPrefix, back: strings.HasSuffix, alone: func(s, t string) bool { return s == t }}
		seen := map[witness]bool{}
		for i := range int32(rapid.IntRange(1, 30).Draw(t, "texts")) {
			w := witness{where: where(rapid.IntRange(0, int(alone)).Draw(t, "where")), text: rapid.StringOfN(letters, 1, 14, -1).Draw(t, "text")}
			if rapid.Bool().Draw(t, "of the value") && v != "" { // else long ones would never be there
				from := rapid.IntRange(0, len(v)-1).Draw(t, "from")
				w.text = v[from:rapid.IntRange(from+1, len(v)).Draw(t, "to")]
			}
			if seen[w] {
				continue
			}
			seen[w] = true
			f.at[w.where] = append(f.at[w.where], found{w.text, []int32{i}})
			if holds[w.where](v, w.text) {
				want = append(want, i)
			}
		}
		m := &Matcher{seen: make([]uint32, 30), gen: 1}
		f.index().look(m, []byte(v))
		slices.Sort(m.cand)
		if !slices.Equal(m.cand, want) {
			t.Fatalf("%q: %v, want %v of %q", v, m.cand, want, f.at)
		}
	})
}
