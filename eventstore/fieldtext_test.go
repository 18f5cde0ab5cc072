// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"citywall/event"
)

func drawFields(t *rapid.T) event.Fields {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Field {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z"\\{}\[\]:,\n\r\t\x00-\x1f]*`))
		v := event.Value{}
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 1:
			v = event.T(text.Draw(t, "text"))
		case 2:
			v = event.L(rapid.SliceOfN(text, 0, 3).Draw(t, "list")...)
		}
		return event.Field{Name: text.Draw(t, "name"), Value: v}
	}), 0, 8).Draw(t, "fields")
}

func TestFieldsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawFields(t)
		b := AppendFields(nil, want)
		if !json.Valid(b) {
			t.Fatalf("not JSON: %q", b)
		}
		got, err := ParseFields(string(b))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%s: %s", b, d)
		}
		var viaJSON event.Fields
		if err := json.Unmarshal(b, &viaJSON); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, viaJSON, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("encoding/json reads %s differently: %s", b, d)
		}
	})
}

// A value that holds the text must hold it in the JSON as well, with nothing
// but AppendText's own escapes between: search relies on it.
func TestTextIsFoundInFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFields(t)
		all := strings.ToLower(string(AppendFields(nil, f)))
		for _, x := range f {
			for _, s := range append([]string{x.Name, x.Value.Text}, x.Value.List...) {
				r := []rune(s)
				i := rapid.IntRange(0, len(r)).Draw(t, "from")
				j := rapid.IntRange(i, len(r)).Draw(t, "to")
				part := string(AppendText(nil, string(r[i:j])))
				if part = strings.ToLower(part[1 : len(part)-1]); !strings.Contains(all, part) {
					t.Fatalf("%q is in %q but %q is not in %q", string(r[i:j]), s, part, all)
				}
			}
		}
	})
}

func TestParseFieldsRefuses(t *testing.T) {
	for _, s := range []string{
		``, `[]`, `{`, `{}x`, `{"a"}`, `{"a":1}`, `{"a":true}`, `{"a":{"b":"c"}}`, `{"a":[1]}`, `{"a":["b"}`,
		`{"a":"b"`, `{"a":"b",}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":nul}`, `{a:"b"}`, `{"a":"b\`, `{"a":"\`,
	} {
		if f, err := ParseFields(s); err == nil {
			t.Errorf("%s: read as %v", s, f)
		}
	}
}

func TestBadUTF8BecomesReplacement(t *testing.T) {
	b := AppendFields(nil, event.Fields{{Name: "a\xff", Value: event.L("b\xc3", "\xe4\xb8")}})
	if want := "{\"a\ufffd\":[\"b\ufffd\",\"\ufffd\ufffd\"]}"; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
}

func FuzzParseFields(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"b\u0041\ud83d\ude00","c":["d","e\n"],"f":null}`, `{"a":"\ud83d"}`, `{"":""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFields(s)
		if err != nil || !utf8.ValidString(s) {
			return
		}
		again, err := ParseFields(string(AppendFields(nil, got)))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if d := cmp.Diff(got, again, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%q: %s", s, d)
		}
	})
}
