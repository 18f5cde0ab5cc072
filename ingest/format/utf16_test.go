// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"
)

func utf16LE(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func linesOf(t interface{ Fatal(...any) }, b []byte) (text []string, at []int64) {
	err := EachLine(context.Background(), bytes.NewReader(b), func(l Line) error {
		text, at = append(text, string(l.Text)), append(at, l.Pos.Offset)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return text, at
}

// TestUTF16 holds it to the UTF-8 of the same text, line by line, and each offset
// to where the line's bytes lie. U+0A0A and U+010A hold the byte of a line feed.
func TestUTF16(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringOf(rapid.SampledFrom([]rune{'a', ' ', '毒', '\u0a0a', '\u010a', '\u0a00', '😀', '"'}))).Draw(t, "lines")
		s := strings.Join(lines, rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end"))
		wide := utf16LE(s)
		got, at := linesOf(t, wide)
		want, _ := linesOf(t, []byte(s))
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%q, want %q", got, want)
		}
		for i, o := range at {
			if !bytes.HasPrefix(wide[o:], utf16LE(got[i])[2:]) {
				t.Fatalf("line %d is not at %d", i, o)
			}
		}
		if h := PlainHead(wide); string(h) != s {
			t.Fatalf("%q, want %q", h, s)
		}
	})
}

func TestUTF16LongLine(t *testing.T) {
	b := utf16LE(strings.Repeat("x", MaxRecord+10) + "\nnext")
	n := 0
	err := EachLine(context.Background(), bytes.NewReader(b), func(l Line) error {
		if n++; l.Long != (n == 1) || n == 2 && string(l.Text) != "next" {
			t.Errorf("line %d: long %v, %d bytes", n, l.Long, len(l.Text))
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("%v, %d lines", err, n)
	}
}
