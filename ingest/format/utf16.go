// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"unicode/utf16"
)

// utf16Mark begins a text of 16-bit characters, low byte first, as Windows
// programs write logs and exports.
var utf16Mark = []byte{0xff, 0xfe}

// PlainHead returns the first bytes of a file as a Sniff expects them: UTF-8,
// also when the file is UTF-16 with its mark.
func PlainHead(head []byte) []byte {
	if !bytes.HasPrefix(head, utf16Mark) {
		return head
	}
	return plain(head[2:])
}

func plain(b []byte) []byte {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	return []byte(string(utf16.Decode(u)))
}

// eachLine16 is EachLine for UTF-16 after its mark. Lines are handed on as UTF-8;
// offsets are those of the file's bytes.
func eachLine16(ctx context.Context, br *bufio.Reader, f func(Line) error) error {
	off := int64(len(utf16Mark))
	for n := int64(1); ; n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		buf, size, err := line16(br)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if text := bytes.TrimRight(plain(buf), "\r\n"); len(bytes.TrimSpace(text)) > 0 {
			if e := f(Line{text, Pos{Offset: off, Line: n, Seq: uint64(off)}, size > int64(len(buf))}); e != nil { //nolint:gosec // not negative
				return e
			}
		}
		if off += size; errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// line16 reads up to a line feed of 16 bits. It keeps the beginning of a line
// that is longer than MaxRecord and counts the rest.
func line16(br *bufio.Reader) (buf []byte, size int64, err error) {
	for {
		part, err := br.ReadSlice('\n')
		size += int64(len(part))
		if room := 2*MaxRecord - len(buf); room > 0 {
			buf = append(buf, part[:min(len(part), room)]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil || size%2 == 0 { // the byte was the high half of a character
			if err != nil {
				return buf, size, err
			}
			continue
		}
		high, err := br.ReadByte()
		if err != nil {
			return buf, size, err
		}
		size++
		if len(buf) < 2*MaxRecord {
			buf = append(buf, high)
		}
		if high == 0 {
			return buf, size, nil
		}
	}
}
