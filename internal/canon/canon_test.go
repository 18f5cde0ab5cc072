// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package canon

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"names sorted, no space", "{ \"b\": 1,\n \"a\": [true, null, \"x\"] }", `{"a":[true,null,"x"],"b":1}`},
		{"shortest escapes", `"\u0041\/\u001F\b\u0022\\\u2028<&>"`, "\"A/\\u001f\\b\\\"\\\\\u2028<&>\""},
		{"upper case before lower", `{"a":1,"B":2,"10":3,"":4}`, `{"":4,"10":3,"B":2,"a":1}`},
		// U+FB33 sorts after U+1F600 by UTF-16 units (D83D), before it by code points.
		{"UTF-16 order", `{"\ufb33":1,"😀":2}`, "{\"😀\":2,\"\ufb33\":1}"},
		{"Chinese stays", `{"理由":"偵查不公開"}`, `{"理由":"偵查不公開"}`},
		{"largest integer", `9007199254740991`, `9007199254740991`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Canonical([]byte(c.in))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	deep := ""
	for range maxDepth + 2 {
		deep += "["
	}
	for range maxDepth + 2 {
		deep += "]"
	}
	for _, in := range []string{`1.5`, `1e3`, `9007199254740992`, `{} {}`, `{`, ``, deep} {
		if got, err := Canonical([]byte(in)); err == nil {
			t.Errorf("%s: accepted as %s", in, got)
		}
	}
}

// TestStable: the canonical form is its own canonical form, and reads back as
// the same value.
func TestStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "v")
		one, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		two, err := Canonical(one)
		if err != nil || string(one) != string(two) {
			t.Fatalf("%s became %s (%v)", one, two, err)
		}
		var back map[string][]string
		if err := json.Unmarshal(one, &back); err != nil {
			t.Fatal(err)
		}
		if again, err := Marshal(back); err != nil || !reflect.DeepEqual(again, one) {
			t.Fatalf("read back as %s (%v)", again, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"a":[1,-2,"\ud800"],"b":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		one, err := Canonical(b)
		if err != nil {
			return
		}
		if two, err := Canonical(one); err != nil || string(one) != string(two) {
			t.Fatalf("%s became %s (%v)", one, two, err)
		}
	})
}
