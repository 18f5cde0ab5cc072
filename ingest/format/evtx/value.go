// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendValue appends the text of a value. odd is true when the bytes do not
// fit the type and their hex was taken, or a character could not be read and
// became U+FFFD.
func appendValue(dst []byte, t Type, raw []byte) (out []byte, odd bool) {
	switch t {
	case Null:
		return dst, false
	case String:
		return appendUnits(dst, raw, true)
	case ANSI:
		if i := bytes.IndexByte(raw, 0); i >= 0 {
			raw = raw[:i]
		}
		return append1252(dst, raw)
	case Int8, Int16, Int32, Int64:
		if bits := 8 << ((t - Int8) / 2); len(raw) == bits/8 {
			n := int64(number(raw)<<(64-bits)) >> (64 - bits)
			return strconv.AppendInt(dst, n, 10), false
		}
	case Uint8, Uint16, Uint32, Uint64:
		if len(raw) == 1<<((t-Uint8)/2) {
			return strconv.AppendUint(dst, number(raw), 10), false
		}
	case Float32:
		if len(raw) == 4 {
			return strconv.AppendFloat(dst, float64(math.Float32frombits(uint32(number(raw)))), 'g', -1, 32), false
		}
	case Float64:
		if len(raw) == 8 {
			return strconv.AppendFloat(dst, math.Float64frombits(number(raw)), 'g', -1, 64), false
		}
	case Bool: // normally 4 bytes; any value but zero is true
		switch len(raw) {
		case 1, 2, 4, 8:
			return strconv.AppendBool(dst, number(raw) != 0), false
		}
	case Binary:
		return appendHex(dst, raw), false
	case GUID:
		if len(raw) == 16 {
			return appendGUID(dst, raw), false
		}
	case Size:
		if len(raw) == 4 || len(raw) == 8 {
			return strconv.AppendUint(append(dst, "0x"...), number(raw), 16), false
		}
	case Hex32, Hex64:
		if len(raw) == 4<<(t-Hex32) {
			return strconv.AppendUint(append(dst, "0x"...), number(raw), 16), false
		}
	case FileTime:
		if len(raw) == 8 {
			return appendFileTime(dst, number(raw)), false
		}
	case SysTime:
		if len(raw) == 16 {
			return appendSysTime(dst, raw)
		}
	case SID:
		if n := sidSize(raw); n > 0 && n <= len(raw) {
			return appendSID(dst, raw[:n]), n != len(raw)
		}
	}
	return appendHex(dst, raw), true
}

// number reads up to 8 little-endian bytes.
func number(b []byte) uint64 {
	switch len(b) {
	case 4:
		return uint64(le.Uint32(b))
	case 8:
		return le.Uint64(b)
	}
	var n uint64
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}

// Four UTF-16 units are looked at together while they are ASCII.
const (
	notASCII = 0xff80ff80ff80ff80
	unitOnes = 0x0001000100010001
	unitTops = 0x8000800080008000
)

// cutUTF16 ends a string at its first NUL: Windows counts the terminator in
// the size of some strings, and what follows it is not part of the text.
func cutUTF16(raw []byte) []byte {
	i := 0
	for ; i+8 <= len(raw); i += 8 {
		// A unit of zero borrows, and so may the one above it: the loop below
		// looks closer.
		if x := le.Uint64(raw[i:]); (x-unitOnes)&^x&unitTops != 0 {
			break
		}
	}
	for ; i+1 < len(raw); i += 2 {
		if raw[i]|raw[i+1] == 0 {
			return raw[:i]
		}
	}
	return raw
}

// appendUTF16 appends little-endian UTF-16 as UTF-8. A surrogate without its
// other half, and an odd byte at the end, become U+FFFD and are reported.
func appendUTF16(dst, raw []byte) (out []byte, odd bool) { return appendUnits(dst, raw, false) }

// appendUnits is appendUTF16, and of what cutUTF16 leaves when cut is true.
func appendUnits(dst, raw []byte, cut bool) (out []byte, odd bool) {
	dst = slices.Grow(dst, len(raw)/2)
	i := 0
	for i+1 < len(raw) {
		if i+8 <= len(raw) {
			if x := le.Uint64(raw[i:]); x&notASCII == 0 && (!cut || (x-unitOnes)&unitTops == 0) {
				x = (x | x>>8) & 0x0000ffff0000ffff
				dst = le.AppendUint32(dst, uint32(x|x>>16))
				i += 8
				continue
			}
		}
		u := rune(raw[i]) | rune(raw[i+1])<<8
		i += 2
		if u < utf8.RuneSelf {
			if u == 0 && cut {
				return dst, odd
			}
			dst = append(dst, byte(u))
			continue
		}
		if 0xd800 <= u && u < 0xe000 {
			if u < 0xdc00 && i+1 < len(raw) {
				if v := rune(raw[i]) | rune(raw[i+1])<<8; 0xdc00 <= v && v < 0xe000 {
					dst = utf8.AppendRune(dst, (u-0xd800)<<10+(v-0xdc00)+0x10000)
					i += 2
					continue
				}
			}
			u, odd = utf8.RuneError, true
		}
		dst = utf8.AppendRune(dst, u)
	}
	if i < len(raw) {
		dst, odd = utf8.AppendRune(dst, utf8.RuneError), true
	}
	return dst, odd
}

// c1 are the characters of code page 1252 from 0x80 to 0x9f; 0 is unassigned.
var c1 = [32]rune{
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
}

// append1252 reads text in code page 1252. The log does not say which code
// page its writer used, so any byte beyond ASCII is a guess; it is reported,
// for a host in Taiwan may have meant Big5.
func append1252(dst, raw []byte) (out []byte, odd bool) {
	for _, b := range raw {
		r := rune(b)
		if b >= 0x80 {
			odd = true
			if b < 0xa0 {
				if r = c1[b-0x80]; r == 0 {
					r = utf8.RuneError
				}
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, odd
}

const hexUpper = "0123456789ABCDEF"

func appendHex(dst, raw []byte) []byte {
	for _, b := range raw {
		dst = append(dst, hexUpper[b>>4], hexUpper[b&15])
	}
	return dst
}

// appendGUID writes the form without braces in upper case. Windows shows
// braces; those who compare should ignore both.
func appendGUID(dst, b []byte) []byte {
	for i, k := range [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		switch i {
		case 4, 6, 8, 10:
			dst = append(dst, '-')
		}
		dst = append(dst, hexUpper[b[k]>>4], hexUpper[b[k]&15])
	}
	return dst
}

// sidSize returns the size of the SID that begins b, 0 when there is none.
func sidSize(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	return 8 + 4*int(b[1])
}

func appendSID(dst, b []byte) []byte {
	dst = strconv.AppendUint(append(dst, "S-"...), uint64(b[0]), 10)
	auth := uint64(0)
	for _, x := range b[2:8] {
		auth = auth<<8 | uint64(x)
	}
	dst = strconv.AppendUint(append(dst, '-'), auth, 10)
	for i := 8; i+4 <= len(b); i += 4 {
		dst = strconv.AppendUint(append(dst, '-'), uint64(le.Uint32(b[i:])), 10)
	}
	return dst
}

// ticks1970 is 1970 in FILETIME: 100 ns steps since 1601.
const ticks1970 = 116444736000000000

// fileTime returns the time of a FILETIME. It stays in integers: a float64
// has no room for today's 100 ns.
func fileTime(n uint64) time.Time {
	t := int64(n) - ticks1970 // wraps only from the year 30828 on
	sec, rest := t/1e7, t%1e7
	return time.Unix(sec, rest*100).UTC()
}

// appendFileTime writes ISO 8601 with six digits, seven when the last is not
// zero. A number that is no time of this calendar stays a number.
func appendFileTime(dst []byte, n uint64) []byte {
	if n >= 1<<63 {
		return strconv.AppendUint(dst, n, 10)
	}
	t := fileTime(n)
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDateTime(dst, year, int(month), day, hour, minute, second)
	frac := int(n % 1e7)
	dst = append(dst, '.')
	if frac%10 == 0 {
		dst = appendPadded(dst, frac/10, 6)
	} else {
		dst = appendPadded(dst, frac, 7)
	}
	return append(dst, 'Z')
}

// appendSysTime writes a SYSTEMTIME, which has milliseconds, as they stand.
func appendSysTime(dst, b []byte) (out []byte, odd bool) {
	var f [8]int
	for i := range f {
		f[i] = int(le.Uint16(b[2*i:]))
	}
	if f[1] < 1 || f[1] > 12 || f[3] < 1 || f[3] > 31 || f[4] > 23 || f[5] > 59 || f[6] > 60 || f[7] > 999 {
		return appendHex(dst, b), true
	}
	dst = appendDateTime(dst, f[0], f[1], f[3], f[4], f[5], f[6])
	dst = appendPadded(append(dst, '.'), f[7], 3)
	return append(dst, 'Z'), false
}

func appendDateTime(dst []byte, year, month, day, hour, minute, second int) []byte {
	dst = append(appendPadded(dst, year, 4), '-')
	dst = append(appendPadded(dst, month, 2), '-')
	dst = append(appendPadded(dst, day, 2), 'T')
	dst = append(appendPadded(dst, hour, 2), ':')
	dst = append(appendPadded(dst, minute, 2), ':')
	return appendPadded(dst, second, 2)
}

// appendPadded appends a number that is not negative in at least width digits,
// of up to 8.
func appendPadded(dst []byte, n, width int) []byte {
	from, rest := len(dst), n
	dst = append(dst, "00000000"[:width]...)
	for i := from + width - 1; i >= from; i-- {
		dst[i] = byte('0' + rest%10)
		rest /= 10
	}
	if rest > 0 {
		return strconv.AppendInt(dst[:from], int64(n), 10)
	}
	return dst
}

// eachItem calls f with the bytes of every item of an array and its type. ok
// is false when the bytes do not divide into items; f was then not called.
func eachItem(t Type, raw []byte, f func(Type, []byte) error) (ok bool, err error) {
	base := t &^ array
	width := 0
	switch base {
	case String: // NUL-separated; the last NUL ends the array
		for len(raw) > 0 {
			s := cutUTF16(raw)
			if err := f(base, s); err != nil {
				return true, err
			}
			raw = raw[min(len(s)+2, len(raw)):]
		}
		return true, nil
	case ANSI:
		for len(raw) > 0 {
			s, rest, _ := bytes.Cut(raw, []byte{0})
			if err := f(base, s); err != nil {
				return true, err
			}
			raw = rest
		}
		return true, nil
	case SID:
		for b := raw; len(b) > 0; b = b[sidSize(b):] {
			if n := sidSize(b); n == 0 || n > len(b) {
				return false, nil
			}
		}
		for len(raw) > 0 {
			n := sidSize(raw)
			if err := f(base, raw[:n]); err != nil {
				return true, err
			}
			raw = raw[n:]
		}
		return true, nil
	case Int8, Uint8:
		width = 1
	case Int16, Uint16:
		width = 2
	case Int32, Uint32, Float32, Bool, Hex32:
		width = 4
	case Int64, Uint64, Float64, FileTime, Hex64, Size:
		width = 8
	case GUID, SysTime:
		width = 16
	}
	if width == 0 || len(raw)%width != 0 {
		return false, nil
	}
	for ; len(raw) > 0; raw = raw[width:] {
		if err := f(base, raw[:width]); err != nil {
			return true, err
		}
	}
	return true, nil
}
