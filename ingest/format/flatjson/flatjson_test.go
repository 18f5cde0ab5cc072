// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package flatjson

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"citywall/event"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     event.Fields
	}{
		{"nested", `{"a":{"b":1,"c":{"d":"x"}},"e":true}`, event.Fields{{Name: "a.b", Value: event.T("1")}, {Name: "a.c.d", Value: event.T("x")}, {Name: "e", Value: event.T("true")}}},
		{"three states", `{"n":null,"e":"","l":[]}`, event.Fields{{Name: "n"}, {Name: "e", Value: event.T("")}, {Name: "l", Value: event.Value{Kind: event.List}}}},
		{"number text kept", `{"t":1588205199.824370,"b":-0.5e+10,"i":123456789012345678901}`, event.Fields{{Name: "t", Value: event.T("1588205199.824370")}, {Name: "b", Value: event.T("-0.5e+10")}, {Name: "i", Value: event.T("123456789012345678901")}}},
		{"list", `{"l":["a",2,false]}`, event.Fields{{Name: "l", Value: event.L("a", "2", "false")}}},
		{"table", `{"q":[{"n":"a","t":1},{"n":"b"}]}`, event.Fields{{Name: "q.n", Value: event.L("a", "b")}, {Name: "q.t", Value: event.L("1")}}},
		{"escapes", `{"s":"\u8b77\u57ce \ud83d\ude00 \ud800 \"\\\/\n"}`, event.Fields{{Name: "s", Value: event.T("護城 😀 \ufffd \"\\/\n")}}},
		{"repeated name", `{"a":1,"a":2}`, event.Fields{{Name: "a", Value: event.L("1", "2")}}},
	} {
		got, err := Parse([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	for _, bad := range []string{``, `[]`, `{`, `{"a"}`, `{"a":}`, `{"a":01}`, `{"a":1}x`, `{"a":"`, `{"a":"\q"}`, `{"a":+1}`, `{"a":1,}`, "{\"a\":\"\n\"}", `{"a":tru}`} {
		if f, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was accepted as %v", bad, f)
		}
	}
}

// FuzzParse: never panics, and accepts exactly the objects encoding/json does
// (the oracle), limits aside.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,{"c":null}]}}`, `{"s":"\ud83d\ude00"}`, `{"a":[[1],[2]]}`, `{"a":-1.5E3}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := Parse(b)
		if err == nil && !json.Valid(b) {
			t.Fatalf("accepted what encoding/json refuses: %q", b)
		}
		if err != nil && json.Valid(b) && len(b) < 30 && b[0] == '{' {
			t.Fatalf("refused valid JSON %q: %v", b, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	line := []byte(`{"ts":1588205199.82437,"uid":"Cvf4XX17hSAgXDdGEd","id.orig_h":"10.0.1.6","id.orig_p":54243,"id.resp_h":"10.0.0.4","id.resp_p":53,"proto":"udp","service":"dns","duration":0.0015,"orig_bytes":39,"resp_bytes":55,"conn_state":"SF","missed_bytes":0,"history":"Dd","orig_pkts":1,"orig_ip_bytes":67}`)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(line); err != nil {
			b.Fatal(err)
		}
	}
}
