// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/base64"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"gopkg.in/yaml.v3"
)

// value compares one value of a rule with one of the event.
func (p plainEvent) value(n *yaml.Node, have string, mods []string) bool {
	has := func(w string) bool { return slices.Contains(mods, w) }
	want := n.Value
	if n.Tag == "!!int" {
		var i int64
		if n.Decode(&i) == nil {
			want = strconv.FormatInt(i, 10)
		}
	}
	front, back := has("endswith") || has("contains"), has("startswith") || has("contains")
	switch {
	case has("re"):
		flags := ""
		for _, m := range mods {
			if f, ok := map[string]string{"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}[m]; ok {
				flags += f
			}
		}
		re := want
		if front != back {
			re = map[bool]string{true: "(?:" + want + `)\z`, false: `\A(?:` + want + ")"}[front]
		}
		if flags != "" {
			re = "(?" + flags + ")" + re
		}
		return plainRegexp(re).MatchString(have)
	case has("cidr"):
		a, err := netip.ParseAddr(have)
		if err != nil {
			return false
		}
		net, err := netip.ParsePrefix(want)
		if err != nil {
			one := netip.MustParseAddr(want)
			net = netip.PrefixFrom(one, one.BitLen())
		}
		if net.Addr().Is4In6() {
			net = netip.PrefixFrom(net.Addr().Unmap(), net.Bits()-96)
		}
		return net.Contains(a.Unmap().WithZone(""))
	case has("fieldref"):
		_, others := p.values(want)
		if !has("cased") {
			have = foldSlow(have)
		}
		return slices.ContainsFunc(others, func(o string) bool {
			if !has("cased") {
				o = foldSlow(o)
			}
			switch {
			case front && back:
				return strings.Contains(have, o)
			case front:
				return strings.HasSuffix(have, o)
			case back:
				return strings.HasPrefix(have, o)
			}
			return have == o
		})
	}
	for _, m := range mods {
		if slices.Contains([]string{"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"}, m) {
			return plainNumbers(want, have, mods)
		}
	}
	cased := has("cased")
	texts := []string{want}
	encoded, dashed := false, false
	for _, m := range mods {
		switch m {
		case "windash":
			dashed = true
		case "wide", "utf16le", "utf16be", "utf16", "base64", "base64offset":
			var next []string
			for _, s := range texts {
				forms := []string{s}
				if !encoded {
					forms = plainDashes(plainUnescape(s), dashed)
				}
				for _, f := range forms {
					next = append(next, plainEncode(m, f)...)
				}
			}
			texts, encoded = next, true
			cased = cased || strings.HasPrefix(m, "base64")
		}
	}
	if !cased {
		have = foldSlow(have)
	}
	return slices.ContainsFunc(texts, func(s string) bool {
		re := ""
		if encoded {
			if !cased {
				s = foldSlow(s)
			}
			re = regexp.QuoteMeta(s)
		} else {
			re = plainGlob(s, dashed, cased)
		}
		return plainRegexp(`(?s)\A` + map[bool]string{true: ".*"}[front] + re + map[bool]string{true: ".*"}[back] + `\z`).MatchString(have)
	})
}

var plainCompiled = map[string]*regexp.Regexp{}

func plainRegexp(s string) *regexp.Regexp {
	if plainCompiled[s] == nil {
		plainCompiled[s] = regexp.MustCompile(s)
	}
	return plainCompiled[s]
}

// plainUnescape reads a text without wildcards.
func plainUnescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\*`, `*`, `\?`, `?`).Replace(s)
}

// plainGlob turns a Sigma string into a regular expression.
func plainGlob(s string, dashed, cased bool) string {
	type char struct {
		r    rune
		wild bool
	}
	var cs []char
	rs := []rune(s)
	for i := 0; i < len(rs); i++ {
		switch {
		case rs[i] == '\\' && i+1 < len(rs) && strings.ContainsRune(`\*?`, rs[i+1]):
			i++
			cs = append(cs, char{rs[i], false})
		case rs[i] == '*' || rs[i] == '?':
			cs = append(cs, char{rs[i], true})
		default:
			cs = append(cs, char{rs[i], false})
		}
	}
	var b strings.Builder
	for i, c := range cs {
		switch {
		case c.wild && c.r == '*':
			b.WriteString(".*")
		case c.wild:
			b.WriteString(".")
		case dashed && strings.ContainsRune("-/–—―", c.r) && (i == 0 || cs[i-1].wild || !plainWord(cs[i-1].r)) && i+1 < len(cs) && !cs[i+1].wild && plainWord(cs[i+1].r):
			b.WriteString("[-/–—―]")
		default:
			r := c.r
			if !cased {
				r = unicode.ToLower(r)
			}
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String()
}

func plainWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// plainDashes writes every form of a text that windash allows.
func plainDashes(s string, dashed bool) []string {
	out := []string{""}
	rs := []rune(s)
	for i, r := range rs {
		forms := []rune{r}
		if dashed && strings.ContainsRune("-/–—―", r) && (i == 0 || !plainWord(rs[i-1])) && i+1 < len(rs) && plainWord(rs[i+1]) {
			forms = []rune("-/–—―")
		}
		var next []string
		for _, o := range out {
			for _, f := range forms {
				next = append(next, o+string(f))
			}
		}
		out = next
	}
	return out
}

func plainEncode(m, s string) []string {
	units := utf16.Encode([]rune(s))
	bytes := func(big bool) string {
		var b []byte
		for _, u := range units {
			if big {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
		return string(b)
	}
	switch m {
	case "wide", "utf16le":
		return []string{bytes(false)}
	case "utf16be":
		return []string{bytes(true)}
	case "utf16":
		return []string{"\xff\xfe" + bytes(false)}
	case "base64":
		return []string{base64.StdEncoding.EncodeToString([]byte(s))}
	}
	// A character of base64 is six bits: those that lie in s alone are the same
	// whatever stands before and after.
	var out []string
	for shift := range 3 {
		whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + s + "\x00\x00\x00"))
		if from, to := (8*shift+5)/6, 8*(shift+len(s))/6; from < to {
			out = append(out, whole[from:to])
		}
	}
	return out
}

func plainNumbers(want, have string, mods []string) bool {
	num := func(s string) (float64, bool) {
		s = strings.TrimSpace(s)
		if len(s) > 2 && strings.EqualFold(s[:2], "0x") {
			u, err := strconv.ParseUint(s[2:], 16, 64)
			return float64(u), err == nil
		}
		if strings.ContainsAny(strings.ToLower(s), "nixp_") {
			return 0, false
		}
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	w, _ := num(want)
	h, ok := num(have)
	cmp := "eq"
	for _, m := range mods {
		switch m {
		case "lt", "lte", "gt", "gte":
			cmp = m
		case "minute", "hour", "day", "week", "month", "year":
			ok = false
			for _, l := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
				if len(have) < len(l) {
					continue
				}
				t, err := time.Parse(l, have[:len(l)])
				if err != nil {
					continue
				}
				if len(l) == 10 && (m == "minute" || m == "hour") {
					break
				}
				_, week := t.ISOWeek()
				h, ok = float64(map[string]int{"minute": t.Minute(), "hour": t.Hour(), "day": t.Day(), "week": week, "month": int(t.Month()), "year": t.Year()}[m]), true
				break
			}
		}
	}
	if !ok {
		return false
	}
	return map[string]bool{"eq": h == w, "lt": h < w, "lte": h <= w, "gt": h > w, "gte": h >= w}[cmp]
}
