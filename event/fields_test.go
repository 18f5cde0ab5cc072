// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func fieldsGen() *rapid.Generator[Fields] {
	value := rapid.Custom(func(t *rapid.T) Value {
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			return Value{}
		case 1:
			return T(rapid.String().Draw(t, "text"))
		}
		return Value{Kind: List, List: append([]string{}, rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "list")...)}
	})
	return rapid.Custom(func(t *rapid.T) Fields {
		names := rapid.SliceOfDistinct(rapid.String(), rapid.ID).Draw(t, "names")
		f := make(Fields, len(names))
		for i, n := range names {
			f[i] = Field{n, value.Draw(t, "value")}
		}
		return f
	})
}

// TestFieldsKeepEverything: order, text and the three states survive JSON.
func TestFieldsKeepEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := fieldsGen().Draw(t, "fields")
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back Fields
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if d := cmp.Diff(append(Fields{}, f...), append(Fields{}, back...)); d != "" {
			t.Fatalf("%s: %s", b, d)
		}
	})
}

func TestAddMakesLists(t *testing.T) {
	var f Fields
	f.Add("Data", "a")
	f.Add("Data", "")
	f.Add("x", "y")
	if v, _ := f.Get("Data"); v.Kind != List || len(v.List) != 2 || f[0].Name != "Data" {
		t.Errorf("got %+v", f)
	}
}

// TestIDsDependOnThePlaceOnly: the same place gives the same id, and moving a
// byte between source and stream does not.
func TestIDsDependOnThePlaceOnly(t *testing.T) {
	a := NewID("file", "abc", 7)
	if a != NewID("file", "abc", 7) || a == NewID("file", "abc", 8) || a == NewID("filea", "bc", 7) {
		t.Error("ids collide or differ")
	}
	back, err := ParseID(a.String())
	if err != nil || back != a {
		t.Errorf("%v %v", back, err)
	}
	if _, err := ParseID("zz"); err == nil {
		t.Error("accepted a bad id")
	}
}
