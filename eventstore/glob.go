// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import "strings"

// AnyRun and AnyOne stand in the result of ParseGlob for * and ?.
const (
	AnyRun rune = -1
	AnyOne rune = -2
)

// ParseGlob reads the value of a Glob: runes, AnyRun and AnyOne. Backslashes
// are text, because paths are full of them.
func ParseGlob(s string) []rune {
	r := []rune(s)
	out := make([]rune, 0, len(r))
	for i := 0; i < len(r); i++ {
		switch c := r[i]; {
		case c == '*':
			out = append(out, AnyRun)
		case c == '?':
			out = append(out, AnyOne)
		case c == '[' && i+2 < len(r) && r[i+2] == ']' && strings.ContainsRune("*?[", r[i+1]):
			out = append(out, r[i+1])
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// FormatGlob writes what ParseGlob reads.
func FormatGlob(g []rune) string {
	var b strings.Builder
	for _, c := range g {
		switch c {
		case AnyRun:
			b.WriteByte('*')
		case AnyOne:
			b.WriteByte('?')
		case '*', '?', '[':
			b.WriteByte('[')
			b.WriteRune(c)
			b.WriteByte(']')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
