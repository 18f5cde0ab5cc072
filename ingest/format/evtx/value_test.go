// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"citywall/ingest/format/evtx/evtxwrite"
)

func TestValues(t *testing.T) {
	for _, c := range []struct {
		typ  Type
		hex  string
		want string
		odd  bool
	}{
		{Null, "abcd", "", false},
		{String, "61002000 2000", "a  ", false},
		{String, "6100 0000 6200", "a", false},
		{String, "3dd800de", "😀", false},
		{String, "3dd8 6100", "\ufffda", true},
		{String, "00dc", "\ufffd", true},
		{String, "3dd8", "\ufffd", true},
		{String, "6100 62", "a\ufffd", true},
		{String, "", "", false},
		{ANSI, "616200 63", "ab", false},
		{ANSI, "80e4", "€ä", true},
		{ANSI, "81", "\ufffd", true},
		{Int8, "ff", "-1", false},
		{Uint8, "ff", "255", false},
		{Int16, "0080", "-32768", false},
		{Uint16, "0080", "32768", false},
		{Int32, "ffffffff", "-1", false},
		{Uint32, "ffffffff", "4294967295", false},
		{Int64, "0000000000000080", "-9223372036854775808", false},
		{Uint64, "ffffffffffffffff", "18446744073709551615", false},
		{Uint32, "ff", "FF", true},
		{Uint64, "ffffffff ffffffff ff", "FFFFFFFFFFFFFFFFFF", true},
		{Float32, "0000c03f", "1.5", false},
		{Float64, "9a9999999999b93f", "0.1", false},
		{Bool, "00000000", "false", false},
		{Bool, "01000000", "true", false},
		{Bool, "00000001", "true", false}, // irregular: any non-zero
		{Bool, "ff", "true", false},
		{Bool, "0000", "false", false},
		{Bool, "000000", "000000", true},
		{Binary, "00abff", "00ABFF", false},
		{Binary, "", "", false},
		{GUID, "25968454785494 49a5ba3e3b0328c30d", "54849625-5478-4994-A5BA-3E3B0328C30D", false},
		{GUID, "2596", "2596", true},
		{Size, "f401000000000000", "0x1f4", false},
		{Size, "f4010000", "0x1f4", false},
		{Size, "f401", "F401", true},
		{Hex32, "10140000", "0x1410", false},
		{Hex64, "0000000000002080", "0x8020000000000000", false},
		{Hex64, "0000000000000000", "0x0", false},
		{FileTime, "0000000000000000", "1601-01-01T00:00:00.000000Z", false},
		{FileTime, "00803ed5deb19d01", "1970-01-01T00:00:00.000000Z", false},
		{FileTime, "01803ed5deb19d01", "1970-01-01T00:00:00.0000001Z", false},
		{FileTime, "0a803ed5deb19d01", "1970-01-01T00:00:00.000001Z", false},
		{FileTime, "ffffffffffffff7f", "30828-09-14T02:48:05.4775807Z", false},
		{FileTime, "ffffffffffffffff", "18446744073709551615", false},
		{SysTime, "e907 0200 0000 0900 0200 1e00 0f00 7b00", "2025-02-09T02:30:15.123Z", false},
		{SysTime, "e907 0d00 0000 0900 0200 1e00 0f00 7b00", "E9070D00000009000200" + "1E000F007B00", true},
		{SID, "010100000000000512000000", "S-1-5-18", false},
		{SID, "0102000000000005200000002 0020000", "S-1-5-32-544", false},
		{SID, "0101000000000005", "0101000000000005", true}, // cut off
		{SID, "010100000000000512000000ff", "S-1-5-18", true},
		{SID, "", "", true},
		{Type(0x7f), "c0ffee", "C0FFEE", true},
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
		if err != nil {
			t.Fatal(c.hex, err)
		}
		got, odd := appendValue(nil, c.typ, raw)
		if string(got) != c.want || odd != c.odd {
			t.Errorf("type 0x%02x %s: %q odd %v, want %q odd %v", uint8(c.typ), c.hex, got, odd, c.want, c.odd)
		}
	}
}

func TestArrays(t *testing.T) {
	for _, c := range []struct {
		typ  Type
		hex  string
		want string
		ok   bool
	}{
		{String, "6100 0000 0000 6200 0000", "a||b", true},
		{String, "6100 0000 6200", "a|b", true}, // the last NUL may be missing
		{String, "", "", true},
		{ANSI, "6100006200", "a||b", true},
		{Uint16, "01000200", "1|2", true},
		{Uint16, "010002", "", false},
		{Hex64, "0100000000000000 0200000000000000", "0x1|0x2", true},
		{Bool, "0100000000000000", "true|false", true},
		{SID, "010100000000000512000000 010100000000000513000000", "S-1-5-18|S-1-5-19", true},
		{SID, "0101000000000005", "", false},
		{Binary, "00", "", false}, // no width
		{Type(0x7f), "00", "", false},
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
		if err != nil {
			t.Fatal(c.hex, err)
		}
		var items []string
		ok, err := eachItem(c.typ|array, raw, func(t Type, b []byte) error {
			s, _ := appendValue(nil, t, b)
			items = append(items, string(s))
			return nil
		})
		if got := strings.Join(items, "|"); got != c.want || ok != c.ok || err != nil {
			t.Errorf("array of 0x%02x %s: %q %v %v, want %q %v", uint8(c.typ), c.hex, got, ok, err, c.want, c.ok)
		}
	}
}

// Text survives the way through a log, whatever its characters.
func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
		b, err := evtxwrite.Bytes(sample(evtxwrite.Field{Name: "X", Value: s}))
		if err != nil {
			t.Fatal(err)
		}
		var got string
		eachTree(b, func(e *Element) bool { got = e.Child("EventData").Child("Data").Text(); return true })
		if want := string(utf16.Decode(utf16.Encode([]rune(s)))); got != want {
			t.Fatalf("%q came back as %q", want, got)
		}
	})
}

// Text is looked at four units at a time; the standard library's decoder, and
// a search unit by unit, are the oracles.
func TestTextInFours(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	units := []uint16{0, 1, 'a', 'z', 0x7f, 0x80, 0xff, 0x100, 0x4e2d, 0x7fff, 0x8000, 0xd7ff, 0xd83d, 0xde00, 0xdfff, 0xe000, 0xffff}
	for range 20000 {
		u := make([]uint16, rnd.IntN(40))
		var raw []byte
		for i := range u {
			if u[i] = units[rnd.IntN(5)]; rnd.IntN(8) == 0 {
				u[i] = units[rnd.IntN(len(units))]
			}
			raw = le.AppendUint16(raw, u[i])
		}
		cut := len(u)
		for i := range u {
			if u[i] == 0 {
				cut = i
				break
			}
		}
		if got := cutUTF16(raw); len(got) != 2*cut {
			t.Fatalf("%x is cut after %d units, want %d", u, len(got)/2, cut)
		}
		whole, odd1 := appendUnits([]byte("x"), raw, true)
		if two, odd2 := appendUTF16([]byte("x"), cutUTF16(raw)); string(whole) != string(two) || odd1 != odd2 {
			t.Fatalf("%x reads %q in one go and %q in two", u, whole, two)
		}
		got, odd := appendUTF16([]byte("x"), raw)
		want := "x" + string(utf16.Decode(u))
		lone := 0
		for _, r := range utf16.Decode(u) {
			if r == 0xfffd {
				lone++
			}
		}
		if string(got) != want || odd != (lone > 0) {
			t.Fatalf("%x reads %q (odd: %v), want %q", u, got, odd, want)
		}
	}
}

func TestPadded(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 99, 100, 1601, 9999, 10000, 30828, 65535, 999999, 1000000} {
		for width := 1; width <= 8; width++ {
			if got, want := string(appendPadded([]byte("x"), n, width)), fmt.Sprintf("x%0*d", width, n); got != want {
				t.Errorf("%d in %d digits: %q, want %q", n, width, got, want)
			}
		}
	}
}
