// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"testing"

	"pgregory.net/rapid"

	"citywall/event"
)

// TestBody holds Body to event.Fields.Add, which scans, for names of the
// message, and to its rule for names of the header.
func TestBody(t *testing.T) {
	name := rapid.StringMatching(`[a-c]{0,3}`)
	rapid.Check(t, func(r *rapid.T) {
		var got, want event.Fields
		head := rapid.SliceOfDistinct(name, func(s string) string { return s }).Draw(r, "head")
		for _, h := range head {
			got.Add(h, "h")
		}
		b := NewBody(&got, rapid.IntRange(0, 9).Draw(r, "room"))
		for i, n := range rapid.SliceOf(name).Draw(r, "names") {
			v := string(rune('0' + i%10))
			b.Add(n, v)
			want.Add(n, v)
		}
		if b.Len() != len(head)+len(want) {
			r.Fatalf("%v: %d fields, want %d", got, len(got), len(head)+len(want))
		}
		for i, w := range want {
			if g := got[len(head)+i]; g.Name != w.Name || g.Value.String() != w.Value.String() || g.Value.Kind != w.Value.Kind {
				r.Fatalf("%v: %s is %v, want %v", got, w.Name, g, w)
			}
		}
		for i, h := range head {
			if _, over := want.Get(h); over {
				h = "header." + h
			}
			if got[i].Name != h || got[i].Value.Text != "h" {
				r.Fatalf("%v: header field %d is %v, want %s", got, i, got[i], h)
			}
		}
	})
}
