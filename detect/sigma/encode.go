// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

// encode returns the forms of s under one encoding modifier.
func encode(enc, s string) []string {
	switch enc {
	case "wide", "utf16le":
		return []string{wide(s, false)}
	case "utf16be":
		return []string{wide(s, true)}
	case "utf16":
		return []string{"\xff\xfe" + wide(s, false)}
	case "base64":
		return []string{base64.StdEncoding.EncodeToString([]byte(s))}
	}
	// base64offset: s may start at any of three positions in a group of three
	// bytes. The characters that also depend on the neighbours are cut: after a
	// shift of one byte two characters, of two bytes three; at the end the
	// partial group and its padding.
	var out []string
	for shift := range 3 {
		b := base64.StdEncoding.EncodeToString(append(make([]byte, shift), s...))
		from := [3]int{0, 2, 3}[shift]
		to := len(b) - [3]int{0, 3, 2}[(len(s)+shift)%3]
		if from < to {
			out = append(out, b[from:to])
		}
	}
	return out
}

func wide(s string, big bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b.WriteByte(byte(u >> 8))
			b.WriteByte(byte(u))
		} else {
			b.WriteByte(byte(u))
			b.WriteByte(byte(u >> 8))
		}
	}
	return b.String()
}
