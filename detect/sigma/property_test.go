// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"citywall/event"
)

// matchSlow is the obvious meaning of a pattern: try everything, rune by rune.
func matchSlow(p pattern, s []rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch e := p[0]; e.kind {
	case any0:
		for i := 0; i <= len(s); i++ {
			if matchSlow(p[1:], s[i:]) {
				return true
			}
		}
		return false
	case one:
		return len(s) > 0 && matchSlow(p[1:], s[1:])
	case dash:
		return len(s) > 0 && strings.ContainsRune(dashes, s[0]) && matchSlow(p[1:], s[1:])
	default:
		t := []rune(e.text)
		return len(s) >= len(t) && string(s[:len(t)]) == e.text && matchSlow(p[1:], s[len(t):])
	}
}

// foldSlow lower-cases rune by rune.
func foldSlow(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

var (
	patternText = rapid.StringOfN(rapid.SampledFrom([]rune(`ab-/ *?\護Ä–`)), 0, 9, -1)
	valueText   = rapid.StringOfN(rapid.SampledFrom([]rune(`abAB-/ *?\護ä–—`)), 0, 12, -1)
)

// TestGlobEqualsReference compares the compiled matcher with the obvious one.
func TestGlobEqualsReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := parsePattern(patternText.Draw(t, "pattern"))
		if rapid.Bool().Draw(t, "windash") {
			p = p.windash()
		}
		p = p.around(rapid.Bool().Draw(t, "front"), rapid.Bool().Draw(t, "back")).fold()
		s := valueText.Draw(t, "value")
		g := compileGlob(p)
		if got, want := g.match(appendFold(nil, s)), matchSlow(p, []rune(foldSlow(s))); got != want {
			t.Fatalf("%v on %q: %v, want %v", p, s, got, want)
		}
	})
}

// TestWindashEqualsPermutations compares the class with the specification's
// words: all permutations of the dashes that start a word.
func TestWindashEqualsPermutations(t *testing.T) {
	word := rapid.StringOfN(rapid.SampledFrom([]rune(`a-/ –_`)), 1, 7, -1)
	rapid.Check(t, func(t *rapid.T) {
		s := word.Draw(t, "rule")
		var forms []string
		var grow func(done string, rest []rune, prev rune)
		grow = func(done string, rest []rune, prev rune) {
			if len(rest) == 0 {
				forms = append(forms, done)
				return
			}
			isWord := func(r rune) bool { return r == 'a' || r == '_' }
			if strings.ContainsRune(dashes, rest[0]) && !isWord(prev) && len(rest) > 1 && isWord(rest[1]) {
				for _, d := range dashes {
					grow(done+string(d), rest[1:], rest[0])
				}
				return
			}
			grow(done+string(rest[0]), rest[1:], rest[0])
		}
		grow("", []rune(s), ' ')
		g := compileGlob(parsePattern(s).windash())
		v := rapid.OneOf(rapid.SampledFrom(forms), word).Draw(t, "value")
		if got, want := g.match([]byte(v)), slices.Contains(forms, v); got != want {
			t.Fatalf("%q on %q: %v, want %v", s, v, got, want)
		}
	})
}

// TestEscapes: a text with every special character escaped matches itself and
// nothing else.
func TestEscapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := valueText.Draw(t, "text")
		escaped := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(s)
		if got, ok := parsePattern(escaped).literal(); !ok || got != s {
			t.Fatalf("%q escaped as %q reads %q", s, escaped, got)
		}
	})
}

// randomRule draws a rule of a few fields and all kinds of trees.
func randomRule(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("title: t\nlogsource: {product: test}\ndetection:\n")
	mods := []string{"", "|contains", "|startswith", "|endswith", "|windash", "|contains|windash", "|re", "|neq", "|cased", "|exists", "|fieldref", "|gt", "|cidr", "|contains|all"}
	for _, n := range []string{"s1", "s2", "s3"} {
		fmt.Fprintf(&b, "  %s:\n", n)
		for _, f := range []string{"A", "B"}[:rapid.IntRange(1, 2).Draw(t, "fields")] {
			m := rapid.SampledFrom(mods).Draw(t, "modifier")
			v := rapid.SampledFrom([]string{"[abc, xyz]", "['a*c', '-x']", "[abcd, ' -en ']"}).Draw(t, "values")
			switch m {
			case "|exists":
				v = "true"
			case "|fieldref":
				v = "B"
			case "|gt":
				v = "3"
			case "|cidr":
				v = "10.0.0.0/8"
			case "|re":
				v = `'(abc|x+yz)'`
			}
			fmt.Fprintf(&b, "    %s%s: %s\n", f, m, v)
		}
	}
	b.WriteString("  condition: " + rapid.SampledFrom([]string{"s1 and s2", "s1 or s2", "not s1 and s2", "1 of s*", "all of s*", "2 of s*", "s1 or (s2 and not s3)", "not s1"}).Draw(t, "condition") + "\n")
	return b.String()
}

func randomFields(t *rapid.T) event.Fields {
	var f event.Fields
	values := []string{"abc", "ABCD", "xxyz", "a b /en c", "/x", "-X", "5", "10.1.2.3", ""}
	for _, n := range []string{"A", "B", "C"} {
		switch rapid.IntRange(0, 5).Draw(t, "state") {
		case 0:
		case 1:
			f = append(f, event.Field{Name: n})
		case 2:
			f = append(f, event.Field{Name: n, Value: event.L(rapid.SampledFrom(values).Draw(t, "v"), rapid.SampledFrom(values).Draw(t, "w"))})
		default:
			f = append(f, event.Field{Name: n, Value: event.T(rapid.SampledFrom(values).Draw(t, "v"))})
		}
	}
	return f
}

// TestOrderOfFields: matching does not depend on the order of an event's fields,
// nor on what the matcher saw before.
func TestOrderOfFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, rep, err := Load([]Set{{Name: "x", FS: fstest.MapFS{"a.yml": {Data: []byte(randomRule(t))}}}}, Options{})
		if err != nil || rep.Loaded != 1 {
			t.Fatalf("%v %+v", err, rep)
		}
		used := e.NewMatcher()
		for range 3 {
			f := randomFields(t)
			want := len(e.NewMatcher().Match(&event.Event{Product: "test", Fields: f}))
			if got := len(used.Match(&event.Event{Product: "test", Fields: rapid.Permutation(f).Draw(t, "order")})); got != want {
				t.Fatalf("%v: %d findings, in another order %d", f, want, got)
			}
		}
	})
}

// TestIndexLosesNothing holds that constant folding and the witness index only
// make matching faster: all of SigmaHQ on the regression records, and random
// rules on random events.
func TestIndexLosesNothing(t *testing.T) {
	ids := func(e *Engine, ev *event.Event) []string {
		var out []string
		for _, f := range e.NewMatcher().Match(ev) {
			out = append(out, f.Rule.ID)
		}
		slices.Sort(out)
		return out
	}
	t.Run("random", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			f := fstest.MapFS{}
			for i := range 4 {
				f[fmt.Sprintf("%d.yml", i)] = &fstest.MapFile{Data: []byte(randomRule(t))}
			}
			e, _, err := Load([]Set{{Name: "x", FS: f}}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			ev := &event.Event{Product: "test", Fields: randomFields(t)}
			if got, want := ids(e, ev), BruteForce(e, ev); !slices.Equal(got, want) {
				t.Fatalf("%v: with index %v, without %v", ev.Fields, got, want)
			}
		})
	})
	t.Run("sigmahq", func(t *testing.T) {
		e, _ := loadHQ(t, Options{})
		for _, ev := range regressionEvents(t) {
			if got, want := ids(e, ev), BruteForce(e, ev); !slices.Equal(got, want) {
				t.Errorf("%s: with index %v, without %v", ev.Fields.Str("Image"), got, want)
			}
		}
	})
}

func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{`a*b?c`, "axxbyc"}, {`*-x /y*`, "p /x -y"}, {`\\*`, `\x`}, {"\xff?", "\xffa"}, {`a\`, `a\`}} {
		f.Add(s[0], s[1], true)
	}
	f.Fuzz(func(t *testing.T, rule, value string, windash bool) {
		if len(rule) > 12 || len(value) > 24 {
			t.Skip("the reference is exponential")
		}
		p := parsePattern(rule)
		if windash {
			p = p.windash()
		}
		p = p.fold()
		g := compileGlob(p)
		got := g.match(appendFold(nil, value))
		if utf8.ValidString(rule) && utf8.ValidString(value) {
			if want := matchSlow(p, []rune(foldSlow(value))); got != want {
				t.Errorf("%q on %q: %v, want %v", rule, value, got, want)
			}
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{"a and not b", "1 of a*", "all of them", "(a or b) and not (c)", "a | count() > 5", "2 of *", "((((", "not not not a"} {
		f.Add(s)
	}
	names := []string{"a", "b", "c", "a_1", "_d"}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseCondition(s, names, func(n string) *expr {
			if slices.Contains(names, n) {
				return &expr{op: opTrue}
			}
			return nil
		}, map[string]bool{})
		if (e == nil) == (err == nil) {
			t.Errorf("%q: %v and %v", s, e, err)
		}
	})
}

// FuzzLoad loads any bytes as a rule file and holds an event against what comes
// of it.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("title: t\nlogsource: {product: test}\ndetection: {s: {A|contains: [x, 1, null]}, condition: s}\n"))
	f.Add([]byte("title: t\nlogsource: {product: test}\ndetection: {s: [x, {A|re|i: 'a.*b'}], condition: not s}\nlevel: high\n---\ntitle: c\ncorrelation: {type: event_count, rules: [t], timespan: 5m, condition: {gte: 2}}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("title: f\nlogsource: {product: test}\nfilter: {rules: any, s: {A: x}, condition: not s}\n"))
	ev := &event.Event{Product: "test", Fields: event.Fields{{Name: "A", Value: event.T("x ab")}, {Name: "B", Value: event.L("1", "2")}, {Name: "C"}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rep, err := Load([]Set{{Name: "fuzz", FS: fstest.MapFS{"a.yml": {Data: b}}}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range slices.Concat(rep.Refused, rep.Waiting) {
			if p.Reason == "" || p.Class == "" {
				t.Errorf("refused without a reason: %+v", p)
			}
		}
		e.NewMatcher().Match(ev)
	})
}

func FuzzPairs(f *testing.F) {
	f.Add(`type=EXECVE a0="cat" a1=2F657463`, "a1")
	f.Add("x : TTY=pts/0 ; USER=root ; COMMAND=/bin/sh -i", "COMMAND")
	f.Fuzz(func(t *testing.T, text, key string) {
		if key == "" {
			t.Skip()
		}
		pairValue(text, key)
	})
}

// Folding eight bytes at a time is folding rune by rune. Oracle: foldSlow, and
// every byte for itself where the text is no UTF-8.
func TestFold(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("AZaz@[`{09\x00\x7fÄ護İK\ufffd")), 0, 40, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "text"), text.Draw(t, "more")
		if got, want := string(appendFold([]byte("X"), a)), "X"+foldSlow(a); got != want {
			t.Fatalf("%q: %q, want %q", a, got, want)
		}
		if got, want := string(appendFold(nil, a+"\xff\xc3"+b)), foldSlow(a)+"\xff\xc3"+foldSlow(b); got != want {
			t.Fatalf("%q: %q, want %q", a+"\xff\xc3"+b, got, want)
		}
	})
}
