// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"regexp/syntax"
	"unicode"
)

// maxRequired bounds the texts asked of one regular expression.
const maxRequired = 64

// requiredTexts returns folded texts of which at least one occurs in every
// match of the expression, or nil. A match without any of them is impossible, so
// the expression need not be run.
func requiredTexts(src string) []string {
	re, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return nil
	}
	ts := requiredOf(re.Simplify(), 0)
	if len(ts) == 0 || len(ts) > maxRequired {
		return nil
	}
	return ts
}

func requiredOf(re *syntax.Regexp, depth int) []string {
	if depth > 100 {
		return nil
	}
	switch re.Op {
	case syntax.OpLiteral:
		if t := longestStable(re.Rune, re.Flags&syntax.FoldCase != 0); t != "" {
			return []string{t}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredOf(re.Sub[0], depth+1)
	case syntax.OpRepeat:
		if re.Min >= 1 {
			return requiredOf(re.Sub[0], depth+1)
		}
	case syntax.OpConcat:
		var best []string
		for _, s := range re.Sub {
			if ts := requiredOf(s, depth+1); len(ts) > 0 && (best == nil || minLen(ts) > minLen(best)) {
				best = ts
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, s := range re.Sub {
			ts := requiredOf(s, depth+1)
			if len(ts) == 0 {
				return nil
			}
			if all = append(all, ts...); len(all) > maxRequired {
				return nil
			}
		}
		return all
	}
	return nil
}

func minLen(ts []string) int {
	n := 1 << 30
	for _, t := range ts {
		n = min(n, len(t))
	}
	return n
}

// leastOf returns a number of characters that every match has at least.
func leastOf(re *syntax.Regexp, depth int) int {
	const enough = 1 << 20
	if depth > 100 {
		return 0
	}
	n := 0
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		n = 1
	case syntax.OpCapture, syntax.OpPlus:
		n = leastOf(re.Sub[0], depth+1)
	case syntax.OpRepeat:
		n = re.Min * leastOf(re.Sub[0], depth+1)
	case syntax.OpConcat:
		for _, s := range re.Sub {
			n += leastOf(s, depth+1)
		}
	case syntax.OpAlternate:
		n = enough
		for _, s := range re.Sub {
			n = min(n, leastOf(s, depth+1))
		}
	}
	return min(n, enough)
}

// longestStable returns the longest run of runes, folded, whose lower case is
// the same whichever text they match. (?i)s also matches U+017F, whose lower
// case is itself, so it splits a run; so does U+FFFD, which stands for any
// invalid byte.
func longestStable(rs []rune, anyCase bool) string {
	best, from := "", 0
	for i := 0; i <= len(rs); i++ {
		if i < len(rs) && rs[i] != unicode.ReplacementChar && (!anyCase || stableFold(rs[i])) {
			continue
		}
		if t := string(appendFold(nil, string(rs[from:i]))); len(t) > len(best) {
			best = t
		}
		from = i + 1
	}
	return best
}

func stableFold(r rune) bool {
	low := unicode.ToLower(r)
	for x := unicode.SimpleFold(r); x != r; x = unicode.SimpleFold(x) {
		if unicode.ToLower(x) != low {
			return false
		}
	}
	return true
}
