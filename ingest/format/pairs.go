// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"errors"
	"fmt"
	"strings"

	"citywall/event"
)

// Pairs reads key=value and key="value with \" and \\", separated by spaces, as
// FortiOS and many small firewalls write. A key may repeat.
func Pairs(s string, f *event.Fields) error { return PairsBy(" ", s, f) }

// PairsBy is Pairs with another separator: " " or ",".
func PairsBy(sep, s string, f *event.Fields) error {
	b := NewBody(f, strings.Count(s, "="))
	for n := 0; ; n++ {
		for s != "" && (s[0] == ' ' || s[0] == sep[0]) {
			s = s[1:]
		}
		if s == "" {
			return nil
		}
		if n >= MaxFields {
			return errors.New("too many pairs")
		}
		key, rest, ok := strings.Cut(s, "=")
		if !ok || key == "" || !word(key) {
			return fmt.Errorf("want key=value at %q", s[:min(len(s), 40)])
		}
		if !strings.HasPrefix(rest, `"`) {
			v, r, _ := strings.Cut(rest, sep)
			b.Add(key, v)
			s = r
			continue
		}
		if i := strings.IndexByte(rest[1:], '"') + 1; i > 0 && strings.IndexByte(rest[1:i], '\\') < 0 { // nothing escaped
			b.Add(key, rest[1:i])
			s = rest[i+1:]
			continue
		}
		var v strings.Builder
		i := 1
		for i < len(rest) && rest[i] != '"' {
			if rest[i] == '\\' && i+1 < len(rest) && (rest[i+1] == '"' || rest[i+1] == '\\') {
				i++
			}
			v.WriteByte(rest[i])
			i++
		}
		if i >= len(rest) {
			return fmt.Errorf("the value of %s has no closing quote", key)
		}
		b.Add(key, v.String())
		s = rest[i+1:]
	}
}

// word reports whether a key holds neither a space nor a quote.
func word(key string) bool {
	for i := range len(key) {
		if key[i] == ' ' || key[i] == '"' {
			return false
		}
	}
	return true
}
