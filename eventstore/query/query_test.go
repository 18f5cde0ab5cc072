// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	es "citywall/eventstore"
	"citywall/internal/text"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	day := func(s string) time.Time { x, _ := time.Parse(time.RFC3339, s); return x.UTC() }
	for in, want := range map[string]es.Query{
		``: {},
		`src_ip:10.0.0.5 AND event_id:4625 last:24h`: {Filter: es.And{es.Cond{Field: "src_ip", Op: es.Eq, Value: "10.0.0.5"}, es.Cond{Field: "event_id", Op: es.Eq, Value: "4625"}}, From: now.Add(-24 * time.Hour), To: now},
		`last:7d`:                 {From: now.Add(-7 * 24 * time.Hour), To: now},
		`a b OR -c`:               {Filter: es.Or{es.And{es.Word("a"), es.Word("b")}, es.Not{F: es.Word("c")}}},
		`NOT (a OR "b c")`:        {Filter: es.Not{F: es.Or{es.Word("a"), es.Word("b c")}}},
		`host:web*`:               {Filter: es.Cond{Field: "host", Op: es.Prefix, Value: "web"}},
		`command:*vss*`:           {Filter: es.Cond{Field: "command", Op: es.Contains, Value: "vss"}},
		`host:w?b*1`:              {Filter: es.Cond{Field: "host", Op: es.Glob, Value: "w?b*1"}},
		`host:"w*b"`:              {Filter: es.Cond{Field: "host", Op: es.Eq, Value: "w*b"}},
		`src_ip:10.1.2.3/16`:      {Filter: es.Cond{Field: "src_ip", Op: es.CIDR, Value: "10.1.0.0/16"}},
		`bytes_out:>=10`:          {Filter: es.Cond{Field: "bytes_out", Op: es.Gte, Value: "10"}},
		`user:*`:                  {Filter: es.Cond{Field: "user", Op: es.Exists}},
		`event_id:(1 OR 2)`:       {Filter: es.Or{es.Cond{Field: "event_id", Op: es.Eq, Value: "1"}, es.Cond{Field: "event_id", Op: es.Eq, Value: "2"}}},
		`"Threat Name":"a \"b\""`: {Filter: es.Cond{Field: "Threat Name", Op: es.Eq, Value: `a "b"`}},
		`winlog.event_data.X:y`:   {Filter: es.Cond{Field: "winlog.event_data.X", Op: es.Eq, Value: "y"}},
		`x from:2026-11-01 to:"2026-11-02 08:00"`: {Filter: es.Word("x"), From: day("2026-10-31T16:00:00Z"), To: day("2026-11-02T00:00:00Z")},
		`from:-2h to:now`:                         {From: now.Add(-2 * time.Hour), To: now},
		`護城`:                                      {Filter: es.Word("護城")},

		// words that look like fields
		`C:\Windows\x`: {Filter: es.Word(`C:\Windows\x`)}, `http://a.example/b?c=1`: {Filter: es.Word("http://a.example/b?c=1")}, `fe80::1`: {Filter: es.Word("fe80::1")}, `::1`: {Filter: es.Word("::1")},
		`08:30:00`: {Filter: es.Word("08:30:00")}, `00:1b:44:11:3a:b7`: {Filter: es.Word("00:1b:44:11:3a:b7")}, `2001:db8::/32`: {Filter: es.Word("2001:db8::/32")},
		`登入失敗：密碼錯誤`: {Filter: es.Word("登入失敗：密碼錯誤")}, `*mimi*`: {Filter: es.Word("mimi")}, `"*"`: {Filter: es.Word("*")}, `*`: {Filter: es.And{}}, `"or"`: {Filter: es.Word("or")},
		// values
		`src_ip:fe80::1`: {Filter: es.Cond{Field: "src_ip", Op: es.Eq, Value: "fe80::1"}}, `process:C:\a.exe`: {Filter: es.Cond{Field: "process", Op: es.Eq, Value: `C:\a.exe`}},
		`file:*"my docs"*`: {Filter: es.Cond{Field: "file", Op: es.Contains, Value: "my docs"}}, `file:"a*"*`: {Filter: es.Cond{Field: "file", Op: es.Prefix, Value: "a*"}},
		`file:"a*"?b*`: {Filter: es.Cond{Field: "file", Op: es.Glob, Value: "a[*]?b*"}}, `file:[a]*`: {Filter: es.Cond{Field: "file", Op: es.Prefix, Value: "[a]"}}, `file:*`: {Filter: es.Cond{Field: "file", Op: es.Exists}},
		`file:"*"`: {Filter: es.Cond{Field: "file", Op: es.Eq, Value: "*"}}, `file:""`: {Filter: es.Cond{Field: "file", Op: es.Eq}}, `a:">1"`: {Filter: es.Cond{Field: "a", Op: es.Eq, Value: ">1"}}, `a:>"="`: {Filter: es.Cond{Field: "a", Op: es.Gt, Value: "="}},
		`src_ip:"10.0.0.1"`: {Filter: es.Cond{Field: "src_ip", Op: es.Eq, Value: "10.0.0.1"}}, `x:"10.0.0.0/8"`: {Filter: es.Cond{Field: "x", Op: es.Eq, Value: "10.0.0.0/8"}}, `event_id:(4624)`: {Filter: es.Cond{Field: "event_id", Op: es.Eq, Value: "4624"}},
		`"last":x`: {Filter: es.Cond{Field: "last", Op: es.Eq, Value: "x"}}, `"":x`: {Filter: es.Cond{Field: "", Op: es.Eq, Value: "x"}},
		// an input method for Chinese
		`user：alice　（a OR b）`: {Filter: es.And{es.Cond{Field: "user", Op: es.Eq, Value: "alice"}, es.Or{es.Word("a"), es.Word("b")}}}, `“a b”`: {Filter: es.Word("a b")},
		// days
		`from:2026-11-01 to:2026-11-02`: {From: day("2026-10-31T16:00:00Z"), To: day("2026-11-02T16:00:00Z")}, `from:roc115-11-01 to:now`: {From: day("2026-10-31T16:00:00Z"), To: now},
		`from:yesterday to:today`: {From: day("2026-11-22T16:00:00Z"), To: day("2026-11-24T16:00:00Z")}, `from:"2026-11-01 08:00:00+09:00"`: {From: day("2026-10-31T23:00:00Z")},
		`time:>2026-11-01`:            {Filter: es.Cond{Field: "time", Op: es.Gte, Value: "2026-11-01T16:00:00Z"}},
		`time:<="2026-11-01 08:00"`:   {Filter: es.Cond{Field: "time", Op: es.Lte, Value: "2026-11-01T00:00:00Z"}},
		`received:2026-11-01`:         {Filter: es.And{es.Cond{Field: "received", Op: es.Gte, Value: "2026-10-31T16:00:00Z"}, es.Cond{Field: "received", Op: es.Lt, Value: "2026-11-01T16:00:00Z"}}},
		`time:2026-11-01T00:00:00.1Z`: {Filter: es.Cond{Field: "time", Op: es.Eq, Value: "2026-11-01T00:00:00.1Z"}},
	} {
		got, err := Parse(in, now)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
}

// TestErrors: each says where, and has words in both languages.
func TestErrors(t *testing.T) {
	for in, want := range map[string]struct {
		code string
		pos  int
	}{
		`a AND`: {"want_term", 5}, `AND a`: {"and_first", 0}, `(a`: {"paren_open", 0}, `a)`: {"paren_close", 1}, `"a`: {"quote", 0}, `host:`: {"want_value", 0}, `:x`: {"want_field", 0},
		`last:1y`: {"span", 0}, `from:tomorrow`: {"time", 0}, `a OR last:1h`: {"time_inside", 5}, `last:1h OR a`: {"time_inside", 0}, `(last:1h)`: {"time_inside", 1}, `last:1h last:2h`: {"time_twice", 8},
		`from:2026-11-02 to:2026-11-01`: {"time_empty", 0}, `event_id:(1 a:b)`: {"values_only", 12}, `x OR`: {"want_term", 4}, `bytes_out:>`: {"want_value", 0},
		`a or b`: {"lower", 2}, `not a`: {"lower", 0}, `mimi*katz`: {"word_wild", 0}, `src_port:x`: {"number", 0}, `a src_port:>x`: {"number", 2}, `src_ip:10.0.`: {"address", 0}, `time:noon`: {"time", 0}, `time:2026*`: {"time", 0},
		`from:2026-02-30`: {"time", 0}, `from:roc0-01-01`: {"time", 0}, `a (last:1h b)`: {"time_inside", 3}, `-last:1h`: {"time_inside", 1}, `event_id:(1 AND 2)`: {"values_only", 12}, `event_id:()`: {"want_value", 0}, `"a\"`: {"quote", 0},
		strings.Repeat("(", 50) + "a": {"deep", 25}, strings.Repeat("a ", 300): {"many", 400}, strings.Repeat("a", 9000): {"long", 0}, strings.Repeat("NOT ", 50) + "a": {"deep", 96},
	} {
		_, err := Parse(in, now)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.20s: no error of ours: %v", in, err)
			continue
		}
		if e.Code != want.code || e.Pos != want.pos {
			t.Errorf("%.20s: %s at %d, want %s at %d", in, e.Code, e.Pos, want.code, want.pos)
		}
		for _, l := range []text.Lang{text.En, text.ZhTW} {
			if s := e.Text(l); strings.Contains(s, "query.") || strings.Contains(s, "{") {
				t.Errorf("%s in %s: %s", e.Code, l, s)
			}
		}
	}
}

// TestRoundTrip: what Format writes reads back as the same filter.
func TestRoundTrip(t *testing.T) {
	txt := rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z0-9.:\\"“：（*?\[\]<>=/ 護()-]{0,8}`), rapid.String(),
		rapid.SampledFrom([]string{"", "AND", "or", "last", "from", "10.0.0.0/8", "::1", `C:\x`, "12:30", "-x", "http://x", "[*]", `\`, `\\srv\`, `"`, "*", "\u3000", "4624", "native.host", "Threat Name"}),
	)
	field := rapid.Map(txt, func(s string) string {
		if k, ok := es.KindOf(s); ok && k != es.KindText {
			return "x" // those columns take their own values only
		}
		return s
	})
	some := txt.Filter(func(s string) bool { return s != "" })
	leaf := rapid.Custom(func(t *rapid.T) es.Filter {
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0:
			return es.Word(txt.Draw(t, "word"))
		case 1:
			return es.Cond{Field: field.Draw(t, "field"), Op: es.Exists}
		case 2:
			return es.Cond{Field: field.Draw(t, "field"), Op: rapid.SampledFrom([]es.Op{es.Eq, es.Lt, es.Lte, es.Gt, es.Gte}).Draw(t, "op"), Value: txt.Draw(t, "value")}
		case 3:
			return es.Cond{Field: field.Draw(t, "field"), Op: rapid.SampledFrom([]es.Op{es.Prefix, es.Suffix, es.Contains}).Draw(t, "op"), Value: some.Draw(t, "value")}
		case 4:
			g := append([]rune(txt.Draw(t, "head")), rapid.SampledFrom([]rune{es.AnyOne, es.AnyRun}).Draw(t, "wild"))
			g = append(append(g, []rune(txt.Draw(t, "middle"))...), es.AnyOne)
			return es.Cond{Field: field.Draw(t, "field"), Op: es.Glob, Value: es.FormatGlob(append(g, []rune(txt.Draw(t, "tail"))...))}
		case 5:
			return es.Cond{Field: rapid.SampledFrom([]string{"src_ip", "n"}).Draw(t, "field"), Op: es.CIDR, Value: rapid.SampledFrom([]string{"10.0.0.0/8", "2001:db8::/32", "::/0"}).Draw(t, "net")}
		case 6:
			return es.Cond{Field: "src_ip", Op: es.Eq, Value: rapid.SampledFrom([]string{"10.0.0.5", "fe80::1"}).Draw(t, "address")}
		}
		return es.Cond{Field: "time", Op: rapid.SampledFrom([]es.Op{es.Eq, es.Lt, es.Gte}).Draw(t, "op"), Value: "2026-11-01T00:00:00.000000001Z"}
	})
	var tree func(depth int) *rapid.Generator[es.Filter]
	tree = func(depth int) *rapid.Generator[es.Filter] {
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf,
			rapid.Map(tree(depth-1), func(f es.Filter) es.Filter { return es.Not{F: f} }),
			rapid.Map(rapid.SliceOfN(tree(depth-1), 2, 3), func(fs []es.Filter) es.Filter { return es.And(fs) }),
			rapid.Map(rapid.SliceOfN(tree(depth-1), 2, 3), func(fs []es.Filter) es.Filter { return es.Or(fs) }))
	}
	rapid.Check(t, func(t *rapid.T) {
		f := tree(3).Draw(t, "filter")
		s := Format(f)
		q, err := Parse(s, now)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if d := cmp.Diff(f, q.Filter); d != "" {
			t.Fatalf("%s: %s", s, d)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`a:b OR (c -"d e") last:1h`, `x:(1 OR 2) from:2026-01-01`, `":":`, `-(-(a`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s, now)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: an error without a place: %v", s, err)
			}
			return
		}
		if len(s) > 1000 || !utf8.ValidString(s) {
			return // what is written may be longer than what may be read
		}
		again, err := Parse(Format(q.Filter), now)
		if err != nil {
			t.Fatalf("%q was written as %q, which is not read: %v", s, Format(q.Filter), err)
		}
		if d := cmp.Diff(q.Filter, again.Filter); d != "" {
			t.Fatalf("%q was written as %q, which is read as something else: %s", s, Format(q.Filter), d)
		}
	})
}
