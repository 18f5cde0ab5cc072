// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"errors"
	"strings"
	"testing"
	"time"

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
		strings.Repeat("(", 50) + "a": {"deep", 25}, strings.Repeat("a ", 300): {"many", 400}, strings.Repeat("a", 9000): {"long", 0},
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
	field := rapid.SampledFrom([]string{"host", "src_ip", "Threat Name", "a.b", `q"x`, "護城"})
	txt := rapid.StringMatching(`[a-z0-9.:\\" 護()-]{1,8}`)
	leaf := rapid.OneOf(
		rapid.Map(txt, func(s string) es.Filter { return es.Word(s) }),
		rapid.Custom(func(t *rapid.T) es.Filter {
			return es.Cond{Field: field.Draw(t, "f"), Op: es.Eq, Value: txt.Draw(t, "v")}
		}),
		rapid.Custom(func(t *rapid.T) es.Filter {
			op := rapid.SampledFrom([]es.Op{es.Prefix, es.Suffix, es.Contains, es.Gt, es.Lte}).Draw(t, "op")
			return es.Cond{Field: "message", Op: op, Value: rapid.StringMatching(`[a-z0-9]{1,6}`).Draw(t, "v")}
		}),
		rapid.Just[es.Filter](es.Cond{Field: "user", Op: es.Exists}),
	)
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
		if q.Filter == nil {
			return
		}
		if _, err := Parse(Format(q.Filter), now); err != nil && len(s) < 1000 {
			t.Fatalf("%q was written as %q, which is not read: %v", s, Format(q.Filter), err)
		}
	})
}
