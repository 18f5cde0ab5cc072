// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// frames reads stream in pieces of the sizes that chunk gives.
func frames(stream string, max int, chunk func(left int) int) (out []string, broken bool) {
	f := framer{max: max}
	show := func(fr frame) {
		s := fmt.Sprintf("%d %s", fr.offset, fr.data)
		if fr.cut {
			s += "…"
		}
		out = append(out, s)
	}
	for len(stream) > 0 {
		n := chunk(len(stream))
		f.feed([]byte(stream[:n]))
		stream = stream[n:]
		for fr, ok := f.next(); ok; fr, ok = f.next() {
			show(fr)
		}
	}
	fr, ok, broken := f.rest()
	if ok {
		show(fr)
	}
	return out, broken
}

func TestFraming(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
		broken   bool
	}{
		{"lines", "<13>one\n<14>two\n", []string{"0 <13>one", "8 <14>two"}, false},
		{"last line without end", "<13>one\n<14>two", []string{"0 <13>one", "8 <14>two"}, false},
		{"crlf and blank lines", "<13>one\r\n\r\n  \n<14>two\r\n", []string{"0 <13>one", "14 <14>two"}, false},
		{"nul ends a line", "<13>one\x00<14>two\x00", []string{"0 <13>one", "8 <14>two"}, false},
		{"leading blanks belong to the line", "  <13>one\n", []string{"0   <13>one"}, false},
		{"octet counting", "7 <13>one8 <14>three", []string{"2 <13>one", "11 <14>thre"}, true},
		{"octet counting, exact", "7 <13>one9 <14>three", []string{"2 <13>one", "11 <14>three"}, false},
		{"octet counting with line ends inside", "11 <13>one\ntwo7 <14>six", []string{"3 <13>one\ntwo", "16 <14>six"}, false},
		{"octet counting with a line end after", "7 <13>one\n7 <14>two\n", []string{"2 <13>one", "12 <14>two"}, false},
		{"octet counting without priority, once established", "7 <13>one3 two", []string{"2 <13>one", "11 two"}, false},
		{"octet counting ends early", "7 <13>one70 <14>tw", []string{"2 <13>one"}, true},
		{"both in one stream", "7 <13>one<14>two\n7 <15>six", []string{"2 <13>one", "9 <14>two", "19 <15>six"}, false},
		{"a year is no count", "2026-01-02 x\n12 monkeys\n", []string{"0 2026-01-02 x", "13 12 monkeys"}, false},
		{"a long number is no count", "123456789 <13>x\n", []string{"0 123456789 <13>x"}, false},
		{"zero is no count", "0 <13>x\n", []string{"0 0 <13>x"}, false},
		{"digits at the end", "<13>a\n12", []string{"0 <13>a", "6 12"}, false},
		{"long line", strings.Repeat("a", 40) + "\n<13>b\n", []string{"0 " + strings.Repeat("a", 32) + "…", "41 <13>b"}, false},
		{"line of exactly max", strings.Repeat("a", 32) + "\n<13>b\n", []string{"0 " + strings.Repeat("a", 32), "33 <13>b"}, false},
		{"long counted message", "40 <13>" + strings.Repeat("a", 36) + "7 <14>two", []string{"3 <13>" + strings.Repeat("a", 28) + "…", "45 <14>two"}, false},
		{"long line at the end", strings.Repeat("a", 40), []string{"0 " + strings.Repeat("a", 32) + "…"}, false},
		{"nothing", "", nil, false},
		{"only line ends", "\n\r\n\x00", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1, 3, 1000} {
				got, broken := frames(c.in, 32, func(left int) int { return min(size, left) })
				if d := cmp.Diff(c.want, got); d != "" || broken != c.broken {
					t.Errorf("in pieces of %d: broken %v, want %v %s", size, broken, c.broken, d)
				}
			}
		})
	}
}

// How TCP cut the stream must not matter.
func TestFramingIgnoresChunks(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"<13>", "\n", "\r\n", "\x00", " ", "7 <13>one", "12 ", "0", "99999999 <", "a", "護"}),
		rapid.StringMatching(`[0-9]{1,3} <[0-9a-z \n]{0,20}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "in"), "")
		whole, wb := frames(in, 32, func(left int) int { return left })
		cut, cb := frames(in, 32, func(left int) int { return rapid.IntRange(1, left).Draw(t, "n") })
		if d := cmp.Diff(whole, cut); d != "" || wb != cb {
			t.Fatalf("%q: broken %v and %v %s", in, wb, cb, d)
		}
	})
}

// No bytes make it panic, grow without bound, or lose a byte of a line.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("<13>one\n7 <14>two"), uint8(3))
	f.Add([]byte("99999999 <13>one\n7 <14>two"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		const max = 64
		fr := framer{max: max}
		end := int64(0)
		for b := range chunks(in, int(size)+1) {
			fr.feed(b)
			for x, ok := fr.next(); ok; x, ok = fr.next() {
				if len(x.data) > max || len(x.data) == 0 {
					t.Fatalf("message of %d bytes", len(x.data))
				}
				if x.offset < end || !bytes.HasPrefix(in[x.offset:], x.data) {
					t.Fatalf("message %q is not at %d", x.data, x.offset)
				}
				end = x.offset + int64(len(x.data))
			}
			if len(fr.buf) > max+maxDigits+2+int(size)+1 {
				t.Fatalf("holds %d bytes", len(fr.buf))
			}
		}
		fr.rest()
	})
}

func chunks(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}
