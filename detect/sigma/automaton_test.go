// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// expressions are of every kind of instruction and of every question to a
// position.
var expressions = []string{
	``, `a`, `abc`, `a.c`, `(?s)a.c`, `^a`, `a$`, `\Aa`, `a\z`, `(?m)^a`, `(?m)a$`, `(?m)^$`, `^$`, `\bab\b`, `\Ba`, `a\B`, `(?i)ſk`, `(?i)K`, `[^a]`, `[^\n]+$`,
	`.{5,}`, `(?s).{3,}`, `[a-c]{2,}`, `(.){2,4}`, `(?i)[äöü]`, `\p{Han}`, `[\x{fffd}]`, `a|bc|`, `(a|b)*c`, `x*`, `(^|\s)a`, `a(\s|$)`, `(?i)(set).*&&\s?set.*(x|y)`,
	`\w+\x60(?:\w+|-|.)\x60[\w+|\s]`, `(?:^a|b$)|c^`, `$^`, `[[:^alpha:]]a`, `a{2,3}?b`, `\d{1,3}(\.\d{1,3}){3}`,
}

func expressionOf(t interface{ Fatal(...any) }, src string) *expression {
	re, err := regexp.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	return &expression{re: re, src: src}
}

// The automaton says what package regexp says, the oracle, in whatever order
// texts come.
func TestAutomaton(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("aabbccAK kſ\n\n_-.1`xy&ä護\ufffd")), 0, 14, -1)
	all := map[string]*expression{}
	for _, src := range expressions {
		all[src] = expressionOf(t, src)
	}
	rapid.Check(t, func(t *rapid.T) {
		src := rapid.SampledFrom(expressions).Draw(t, "expression")
		s := text.Draw(t, "text")
		if rapid.Bool().Draw(t, "broken") {
			s += "\xff" + text.Draw(t, "more")
		}
		x := all[src]
		if got, want := x.match(s), x.re.MatchString(s); got != want {
			t.Fatalf("%q on %q: %v, want %v", src, s, got, want)
		}
	})
}

// The same for expressions that are put together at random.
func TestAutomatonRandom(t *testing.T) {
	atom := rapid.SampledFrom([]string{"a", "b", ".", "[ab]", "[^a]", "\\w", "\\b", "\\B", "^", "$", "\\s", "(?i:a)", "(?s:.)", "(?m:^)", "(?m:$)", "é"})
	text := rapid.StringOfN(rapid.SampledFrom([]rune("abAB \né")), 0, 10, -1)
	var draw func(t *rapid.T, deep int) string
	draw = func(t *rapid.T, deep int) string {
		var b strings.Builder
		for range rapid.IntRange(1, 3).Draw(t, "length") {
			p := atom.Draw(t, "atom")
			if deep > 0 && rapid.Bool().Draw(t, "group") {
				p = "(" + draw(t, deep-1) + "|" + draw(t, deep-1) + ")"
			}
			b.WriteString(p + rapid.SampledFrom([]string{"", "", "*", "+", "?", "{2}", "{1,3}"}).Draw(t, "times"))
		}
		return b.String()
	}
	rapid.Check(t, func(t *rapid.T) {
		src := draw(t, 2)
		re, err := regexp.Compile(src)
		if err != nil {
			t.Skip(err)
		}
		x := &expression{re: re, src: src}
		for range 5 {
			s := text.Draw(t, "text")
			if got, want := x.match(s), re.MatchString(s); got != want {
				t.Fatalf("%q on %q: %v, want %v", src, s, got, want)
			}
		}
	})
}

// An automaton that may not grow further leaves the rest to package regexp.
func TestAutomatonFull(t *testing.T) {
	x := expressionOf(t, `[ab]*a[ab]{12}c`) // every one of 2^12 pasts is another state
	var seed uint32 = 1
	for range 200 {
		b := make([]byte, 200)
		for i := range b {
			seed = seed*1664525 + 1013904223
			b[i] = 'a' + byte(seed>>31)
		}
		b[len(b)-1] = 'c'
		if got, want := x.match(string(b)), x.re.Match(b); got != want {
			t.Fatalf("%s: %v, want %v", b, got, want)
		}
	}
	if !x.auto.full.Load() || x.auto.bytes > 2*maxStateBytes {
		t.Errorf("full %v, %d bytes", x.auto.full.Load(), x.auto.bytes)
	}
}

// Several goroutines may use one expression.
func TestAutomatonTogether(t *testing.T) {
	x := expressionOf(t, `(?i)(set).*&&\s?set.*(environment|invoke)`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for _, s := range []string{"set x && set y invoke", "set x & set y", strings.Repeat("set && ", i) + "environment"} {
				if got, want := x.match(s), x.re.MatchString(s); got != want {
					t.Errorf("%q: %v", s, got)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzAutomaton(f *testing.F) {
	for _, src := range expressions {
		f.Add(src, "ab c\n护\xff")
	}
	f.Fuzz(func(t *testing.T, src, s string) {
		if len(src) > 200 {
			t.Skip("long expressions only take time")
		}
		re, err := regexp.Compile(src)
		if err != nil {
			t.Skip(err)
		}
		x := &expression{re: re, src: src}
		if got, want := x.match(s), re.MatchString(s); got != want {
			t.Errorf("%q on %q: %v, want %v", src, s, got, want)
		}
	})
}
