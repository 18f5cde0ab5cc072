// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"citywall/eventstore"
)

type (
	and  = eventstore.And
	or   = eventstore.Or
	word = eventstore.Word
)

func no(f eventstore.Filter) eventstore.Not { return eventstore.Not{F: f} }

func eq(field, value string) eventstore.Cond { return is(field, eventstore.Eq, value) }

func is(field string, op eventstore.Op, value string) eventstore.Cond {
	return eventstore.Cond{Field: field, Op: op, Value: value}
}

// filters are what people ask, and what breaks engines. Thin leaves most of the
// latter out.
func filters(thin bool) map[string]eventstore.Filter {
	fs := []eventstore.Filter{
		nil, and{}, or{}, no(nil), no(and{}), and{nil, or{}}, or{nil},
		eq("event_id", "4625"), and{eq("event_id", "4625"), eq("host", "web1")}, or{eq("event_id", "4624"), eq("event_id", "4625")},
		no(eq("event_id", "4625")), no(eq("src_ip", "10.0.0.5")), no(or{eq("user", "alice"), eq("host", "dc01")}), no(no(eq("product", "linux"))),
		and{eq("product", "windows"), no(and{eq("event_id", "4624"), is("logon_type", eventstore.Gt, "2")})},
		// columns with kinds
		eq("host", "WEB1.city.example"), eq("host", "web1"), eq("host", "web"), is("host", eventstore.Prefix, "web"),
		eq("user", "alice"), eq("user", `CITY\Alice`), eq("user", `city.example\alice`), eq("user", "alice@edu.example"), eq("user", "王小明"), eq("user", "lice"), eq("user", ""),
		is("user", eventstore.Suffix, "$"), is("user", eventstore.Contains, `\`),
		eq("src_ip", "10.0.0.5"), eq("src_ip", "::ffff:10.0.0.5"), eq("src_ip", "ten"), eq("dst_ip", "2001:DB8:0::1"),
		is("src_ip", eventstore.CIDR, "10.0.0.0/8"), is("src_ip", eventstore.CIDR, "10.0.0.0/23"), is("src_ip", eventstore.CIDR, "0.0.0.0/0"), is("src_ip", eventstore.CIDR, "10.0.0.5/32"),
		is("dst_ip", eventstore.CIDR, "2001:db8::/48"), is("dst_ip", eventstore.CIDR, "::/0"), is("dst_ip", eventstore.CIDR, "172.16.0.0/12"), is("host", eventstore.CIDR, "10.0.0.0/8"),
		is("src_ip", eventstore.Prefix, "10."), is("src_ip", eventstore.Glob, "10.*.?"), is("src_ip", eventstore.Gt, "10.0.0.5"),
		eq("dst_port", "443"), eq("dst_port", "0443"), eq("dst_port", "x"), eq("src_port", "0"), is("dst_port", eventstore.Lt, "443"), is("dst_port", eventstore.Lte, "443"), is("dst_port", eventstore.Gte, "444.5"),
		is("dst_port", eventstore.Prefix, "44"), is("src_port", eventstore.Contains, "99"), is("src_port", eventstore.Exists, ""), no(is("src_port", eventstore.Exists, "")), is("bytes_out", eventstore.Gt, "1000000"),
		is("bytes_in", eventstore.Gt, "-1"), is("bytes_out", eventstore.Lt, "99999999999999999999"[:18]), eq("logon_type", "10"),
		eq("process", "cmd.exe"), eq("process", `C:\windows\system32\CMD.exe`), eq("process", "md.exe"), is("process", eventstore.Glob, `c:\*\cmd.exe`), eq("parent", "explorer.exe"), eq("file", "x"),
		is("command", eventstore.Contains, "delete shadows"), is("command", eventstore.Contains, "100%_!"), is("command", eventstore.Glob, "*100%_*"), is("command", eventstore.Glob, "cmd*ALL"),
		eq("source", ""), eq("source", "'"), is("source", eventstore.Exists, ""), eq("agency", "edu"), eq("agency", ""), eq("category", `\`), eq("category", "�"),
		eq("action", "logon_failed"), eq("outcome", "Success"), eq("format", "jsonl"), eq("ACTION", "logon"), eq("observer", "fw-0"), eq("app", "https"), eq("proto", "udp"),
		eq("id", seeds()[0].Events[3].ID.String()), eq("id", "zz"), is("id", eventstore.Prefix, seeds()[0].Events[3].ID.String()[:3]), is("id", eventstore.Glob, "*a?"), is("id", eventstore.Exists, ""),
		// times
		is("time", eventstore.Lt, "2026-11-02T12:00:00Z"), is("time", eventstore.Gte, "2026-11-02T20:00:00.123456789+08:00"), is("time", eventstore.Lte, "2026-11-02T12:00:00.123456789Z"),
		is("time", eventstore.Gt, "2026-11-02T12:00:00.123456789Z"), eq("time", "2026-11-02T12:00:00.123456789Z"), eq("time", "2026-11-02T12:00:00.123456Z"),
		is("time", eventstore.Exists, ""), no(is("time", eventstore.Exists, "")), is("received", eventstore.Exists, ""), is("received", eventstore.Gt, "2026-11-02T12:00:00.5Z"),
		// native fields
		eq("TargetUserName", "alice"), eq("targetusername", "ALICE"), is("TARGETUSERNAME", eventstore.Exists, ""), no(eq("TargetUserName", "alice")), eq("NoSuchField", "x"), is("NoSuchField", eventstore.Exists, ""),
		is("sentbyte", eventstore.Gt, "1000000"), is("sentbyte", eventstore.Lte, "12.5"), is("srcip", eventstore.CIDR, "10.0.0.0/16"), is("srcip", eventstore.CIDR, "2001:db8::/32"),
		eq("tags", "a"), eq("tags", "b"), eq("tags", `["a","B"]`), eq("tags", `["a"`), is("tags", eventstore.Contains, "lph"), is("tags", eventstore.Prefix, "["), is("tags", eventstore.Contains, `","`),
		is("tags", eventstore.Exists, ""), no(eq("tags", "a")), eq("tags", ""), is("tags", eventstore.Glob, "?"), is("Answers", eventstore.CIDR, "10.0.0.0/8"), eq("answers", ""), is("answers", eventstore.Exists, ""),
		eq("name", "x"), eq("NAME", "y"), is("name", eventstore.Gt, "5"), is("name", eventstore.Lt, "x"), is("n", eventstore.Gt, "9007199254740992"), is("n", eventstore.Gte, "9007199254740992"), is("n", eventstore.Lt, "0"),
		is("n", eventstore.Lte, "12.5"), is("n", eventstore.Gt, "a"), is("n", eventstore.CIDR, "10.0.0.0/8"), is("n", eventstore.CIDR, "fe80::/10"), is("n", eventstore.Exists, ""),
		eq("winlog.event_data.x", "x"), is("winlog.event_data.x", eventstore.Exists, ""), is("native.winlog.event_data.x", eventstore.Exists, ""), is("native.host", eventstore.Exists, ""), is("native.user", eventstore.Exists, ""),
		is("native.native.x", eventstore.Exists, ""), is("native.hostname", eventstore.Prefix, "SRV"), is("text", eventstore.Glob, "[*]"), is("text", eventstore.Glob, "[?]"), is("text", eventstore.Glob, "?"), is("text", eventstore.Glob, "*"), is("text", eventstore.Glob, `\*`),
		is("text", eventstore.Glob, "[[]*"), is("text", eventstore.Glob, `c:\*\*.exe`), is("text", eventstore.Glob, "*%*"),
		// words
		word(""), word("alice"), word("ALICE"), word("EventID"), word("city\\alice"), word("delete shadows"), word("src1"), word("nothing of the kind"), word("null"), word("nul"), word(","), word(`":"`), word("[]"), word("{"),
		word("ninvoke"), word("Invoke-Mimikatz"), word("n"), word("new"), word(`\new`), word(`\n`), word("\n"), word("u001f"), word("1f"), word("0"), word("000"), word("\x00"), word(`\`), word(`\\`), word(`"`), word(`\"`), word("加密"), word("ω"), word("straße"), word("i̇"), word("istanbul"), word("1.1.1.1"),
		and{word("alice"), no(word("web1")), or{eq("outcome", "failure"), is("sentbyte", eventstore.Exists, "")}},
	}
	some := func(i int, all ...eventstore.Filter) {
		if thin {
			all = []eventstore.Filter{all[i%len(all)], all[(i+3)%len(all)]}
		}
		fs = append(fs, all...)
	}
	for i, s := range hostile {
		some(i, eq("text", s), is("text", eventstore.Contains, s), is("n", eventstore.Prefix, s), is("text", eventstore.Suffix, s), eq("source", s), is("category", eventstore.Contains, s), word(s))
	}
	for i, n := range hostileNames {
		some(i, is(n, eventstore.Exists, ""), is("native."+n, eventstore.Exists, ""), is("native."+n, eventstore.Contains, "a"), no(eq("native."+n, "x")))
	}
	out := map[string]eventstore.Filter{}
	for i, f := range fs {
		out[fmt.Sprintf("%03d %#v", i, f)] = f
	}
	return out
}

func testQueries(t *testing.T, s eventstore.Store, o oracle, thin bool) {
	fs := filters(thin)
	for n, name := range slices.Sorted(maps.Keys(fs)) {
		t.Run(name, func(t *testing.T) {
			q := all
			q.Filter = fs[name]
			if n%8 > 0 { // counts and pages have the same condition; some of them do
				sameEvents(t, each(t, s, city, q), o.search(city, q))
				return
			}
			check(t, s, o, city, q)
		})
	}
	t.Run("bounds", func(t *testing.T) {
		mid := begin.Add(36*time.Hour + 123456789)
		for _, q := range []eventstore.Query{
			{From: begin, To: begin},
			{From: mid, To: mid},
			{From: mid, To: mid.Add(1)},
			{From: mid.Add(1), To: mid.Add(time.Microsecond)},
			{From: mid.Add(-1), To: mid},
			{From: mid.Add(-789), To: mid.Add(211)},
			{From: begin, To: mid},
			{From: mid, To: end},
			{From: begin.In(time.FixedZone("Asia/Taipei", 8*3600)), To: end.In(time.FixedZone("x", -3600))},
			{From: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(1970, 1, 1, 0, 0, 0, 1, time.UTC)},
			{From: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)},
			{From: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), To: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)},
		} {
			for _, q.Sort = range []eventstore.Sort{"", eventstore.Oldest, eventstore.Newest} {
				check(t, s, o, city, q)
			}
		}
	})
	t.Run("histogram", func(t *testing.T) {
		mid := begin.Add(36*time.Hour + 123456789)
		for _, c := range []struct {
			q     eventstore.Query
			width time.Duration
		}{
			{all, time.Hour},
			{all, 7 * time.Hour},
			{all, 1000 * time.Hour},
			{eventstore.Query{From: begin, To: begin}, time.Hour},
			{eventstore.Query{From: mid.Add(-789), To: mid.Add(5 * time.Microsecond)}, time.Microsecond},
			{eventstore.Query{From: mid.Add(-3000), To: mid.Add(5001)}, time.Microsecond},
			{eventstore.Query{From: mid.Add(-5), To: mid.Add(2 * time.Hour)}, 3 * time.Minute},
			{eventstore.Query{From: begin, To: end, Filter: eq("event_id", "4625")}, 6 * time.Hour},
			{eventstore.Query{From: time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), To: end}, 365 * 24 * time.Hour},
		} {
			h, err := s.Histogram(t.Context(), city, c.q, c.width)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(o.histogram(city, c.q, c.width), h, cmp.Transformer("", func(b []eventstore.Bucket) map[time.Time]int64 {
				m := map[time.Time]int64{}
				for _, x := range b {
					m[x.Start] = x.Count
				}
				return m
			})); d != "" {
				t.Errorf("%v by %v: %s", c.q, c.width, d)
			}
		}
	})
	t.Run("top", func(t *testing.T) {
		for _, col := range eventstore.Columns {
			if col != "time" && col != "received" && col != "id" {
				checkTop(t, s, o, all, col)
			}
		}
		for _, n := range append([]string{"EventID", "eventid", "tags", "Answers", "name", "n", "text", "nosuch", "Computer"}, hostileNames...) {
			checkTop(t, s, o, all, "native."+n)
		}
		q := all
		q.Filter = eq("host", "web1")
		checkTop(t, s, o, q, "TargetUserName")
	})
}

func checkTop(t *testing.T, s eventstore.Store, o oracle, q eventstore.Query, field string) {
	t.Helper()
	for _, n := range []int{1, 5, 1000} {
		got, err := s.Top(t.Context(), city, q, field, n)
		if err != nil {
			t.Fatalf("top %q: %v", field, err)
		}
		if d := cmp.Diff(o.top(city, q, field, n), got); d != "" {
			t.Errorf("top %d of %q: %s", n, field, d)
		}
	}
}

// testRandomFilters asks trees that nobody thought of.
func testRandomFilters(t *testing.T, s eventstore.Store, o oracle) {
	fields := []string{
		"host", "user", "src_ip", "process", "source", "category", "message", "command", "event_id",
		"TargetUserName", "tags", "Answers", "n", "NAME", "text", "Image", "CommandLine", "native.host", "winlog.event_data.x", "nosuch",
	}
	ops := []eventstore.Op{
		eventstore.Eq, eventstore.Contains, eventstore.Prefix, eventstore.Suffix, eventstore.Glob,
		eventstore.Lt, eventstore.Lte, eventstore.Gt, eventstore.Gte, eventstore.Exists,
	}
	texts := append([]string{"alice", "web1", "a", "10", "cmd.exe", `C:\`, "4624", "*e*", "?", "n", "5"}, hostile...)
	value := rapid.Custom(func(t *rapid.T) string {
		r := []rune(rapid.SampledFrom(texts).Draw(t, "text"))
		i := rapid.IntRange(0, len(r)).Draw(t, "from")
		return string(r[i:rapid.IntRange(i, len(r)).Draw(t, "to")])
	})
	var filter func(depth int) *rapid.Generator[eventstore.Filter]
	filter = func(depth int) *rapid.Generator[eventstore.Filter] {
		return rapid.Custom(func(t *rapid.T) eventstore.Filter {
			kinds := 5
			if depth > 3 {
				kinds = 2
			}
			switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
			case 0:
				return word(value.Draw(t, "word"))
			case 2:
				return no(filter(depth+1).Draw(t, "not"))
			case 3:
				return and(rapid.SliceOfN(filter(depth+1), 0, 3).Draw(t, "and"))
			case 4:
				return or(rapid.SliceOfN(filter(depth+1), 0, 3).Draw(t, "or"))
			}
			return is(rapid.SampledFrom(fields).Draw(t, "field"), rapid.SampledFrom(ops).Draw(t, "op"), value.Draw(t, "value"))
		})
	}
	rapid.Check(t, func(rt *rapid.T) {
		q := all
		q.Filter = filter(0).Draw(rt, "filter")
		want := o.search(city, q)
		n, err := s.Count(t.Context(), city, q)
		if err != nil {
			rt.Fatal(err)
		}
		if n != int64(len(want)) {
			rt.Fatalf("count is %d, want %d", n, len(want))
		}
		q.Limit = 1000
		p, err := s.Search(t.Context(), city, q)
		if err != nil {
			rt.Fatal(err)
		}
		for i, e := range p.Events {
			if e.ID != want[i].ID {
				rt.Fatalf("event %d is %s, want %s", i, e.ID, want[i].ID)
			}
		}
	})
}
