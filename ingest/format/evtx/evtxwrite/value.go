// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtxwrite

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

var le = binary.LittleEndian

// slot is one substitution value as it will lie in the record.
type slot struct {
	typ  Type
	data []byte
}

// slotOf encodes a field.
func slotOf(f Field) (slot, error) {
	t := f.Type
	if t == 0 {
		t = String
	}
	if t == Null {
		return slot{}, nil
	}
	if f.List == nil {
		b, err := appendValue(nil, t, f.Value)
		if err != nil {
			return slot{}, fmt.Errorf("field %s: %w", f.Name, err)
		}
		return slot{t, b}, nil
	}
	if t == Binary {
		return slot{}, fmt.Errorf("field %s: binary values have no fixed width and cannot be a list", f.Name)
	}
	var b []byte
	for _, v := range f.List {
		var err error
		if b, err = appendValue(b, t, v); err != nil {
			return slot{}, fmt.Errorf("field %s: %w", f.Name, err)
		}
		switch t {
		case String:
			b = append(b, 0, 0)
		case ANSI:
			b = append(b, 0)
		}
	}
	return slot{array | t, b}, nil
}

// appendValue reads the text of a value and appends its bytes.
func appendValue(b []byte, t Type, s string) ([]byte, error) {
	switch t {
	case String:
		if strings.IndexByte(s, 0) >= 0 {
			return nil, fmt.Errorf("text %q: a NUL would cut it", s)
		}
		return appendUTF16(b, s), nil
	case ANSI:
		for _, r := range s {
			if r == 0 || r > 0xff || 0x80 <= r && r < 0xa0 {
				return nil, fmt.Errorf("text %q: not in code page 1252", s)
			}
			b = append(b, byte(r))
		}
		return b, nil
	case Int8, Int16, Int32, Int64:
		bits := 8 << ((t - Int8) / 2)
		n, err := strconv.ParseInt(s, 10, bits)
		if err != nil {
			return nil, err
		}
		return appendUint(b, uint64(n), bits/8), nil
	case Uint8, Uint16, Uint32, Uint64:
		bits := 8 << ((t - Uint8) / 2)
		n, err := strconv.ParseUint(s, 10, bits)
		if err != nil {
			return nil, err
		}
		return appendUint(b, n, bits/8), nil
	case Hex32, Hex64, Size:
		bits := 64
		if t == Hex32 {
			bits = 32
		}
		n, err := strconv.ParseUint(s, 0, bits)
		if err != nil {
			return nil, err
		}
		return appendUint(b, n, bits/8), nil
	case Float32, Float64:
		bits := 32 << (t - Float32)
		x, err := strconv.ParseFloat(s, bits)
		if err != nil {
			return nil, err
		}
		if t == Float32 {
			return le.AppendUint32(b, math.Float32bits(float32(x))), nil
		}
		return le.AppendUint64(b, math.Float64bits(x)), nil
	case Bool:
		x, err := strconv.ParseBool(s)
		if err != nil {
			return nil, err
		}
		n := uint64(0)
		if x {
			n = 1
		}
		return appendUint(b, n, 4), nil
	case Binary:
		x, err := hex.DecodeString(s)
		return append(b, x...), err
	case GUID:
		return appendGUID(b, s)
	case SID:
		return appendSID(b, s)
	case FileTime, SysTime:
		x, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return nil, err
		}
		if t == SysTime {
			return appendSysTime(b, x)
		}
		n, err := filetime(x)
		return le.AppendUint64(b, n), err
	}
	return nil, fmt.Errorf("type 0x%02x cannot be written", uint8(t))
}

func appendUint(b []byte, n uint64, bytes int) []byte {
	for range bytes {
		b = append(b, byte(n))
		n >>= 8
	}
	return b
}

func appendUTF16(b []byte, s string) []byte {
	for _, r := range s {
		if hi, lo := utf16.EncodeRune(r); hi != 0xfffd {
			b = le.AppendUint16(le.AppendUint16(b, uint16(hi)), uint16(lo))
		} else {
			b = le.AppendUint16(b, uint16(r))
		}
	}
	return b
}

// epochs1601 is the number of 100 ns steps from 1601 to 1970.
const epochs1601 = 116444736000000000

func filetime(t time.Time) (uint64, error) {
	if y := t.UTC().Year(); y < 1601 || y > 9999 {
		return 0, fmt.Errorf("time %v: not in years 1601 to 9999", t)
	}
	return uint64(t.Unix()*1e7 + int64(t.Nanosecond())/100 + epochs1601), nil
}

func appendSysTime(b []byte, t time.Time) ([]byte, error) {
	if _, err := filetime(t); err != nil {
		return nil, err
	}
	t = t.UTC()
	for _, n := range []int{t.Year(), int(t.Month()), int(t.Weekday()), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond() / 1e6} {
		b = le.AppendUint16(b, uint16(n))
	}
	return b, nil
}

func appendGUID(b []byte, s string) ([]byte, error) {
	x := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	d, err := hex.DecodeString(strings.ReplaceAll(x, "-", ""))
	if err != nil || len(d) != 16 || strings.Count(x, "-") != 4 {
		return nil, fmt.Errorf("guid %q: want xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", s)
	}
	// The first three groups are numbers and so little-endian.
	return append(b, d[3], d[2], d[1], d[0], d[5], d[4], d[7], d[6],
		d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]), nil
}

func appendSID(b []byte, s string) ([]byte, error) {
	bad := fmt.Errorf("sid %q: want S-1-authority-number-…", s)
	p := strings.Split(s, "-")
	if len(p) < 3 || len(p) > 3+255 || p[0] != "S" || p[1] != "1" {
		return nil, bad
	}
	auth, err := strconv.ParseUint(p[2], 10, 48)
	if err != nil {
		return nil, bad
	}
	b = append(b, 1, byte(len(p)-3))
	for i := 5; i >= 0; i-- {
		b = append(b, byte(auth>>(8*i)))
	}
	for _, x := range p[3:] {
		n, err := strconv.ParseUint(x, 10, 32)
		if err != nil {
			return nil, bad
		}
		b = le.AppendUint32(b, uint32(n))
	}
	return b, nil
}
