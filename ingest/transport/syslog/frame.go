// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import "bytes"

// framer finds the messages in a byte stream (RFC 6587). Each one tells its own
// framing: a length, a blank and "<" is octet counting (§3.4.1); anything else
// is a line (§3.4.2), ended by LF or, as some senders do, by NUL. A line that
// begins with digits, a blank and "<" would be misread; no sender writes one.
//
// It holds at most one message of max bytes and what was fed last.
type framer struct {
	max int

	buf  []byte // what is not used yet, in base
	base []byte // taken again when buf is empty; frames have their own memory
	off  int64  // position of buf[0] in the stream
	skip int64  // bytes still to be thrown away of an oversize counted message
	line bool   // the rest of an oversize line is to be thrown away

	counted bool // the stream has used octet counting
}

// frame is one message.
type frame struct {
	data   []byte // its own memory
	offset int64  // of its first byte, after the count
	cut    bool   // longer than max: its end is missing
}

func (f *framer) feed(p []byte) {
	if len(f.buf) > 0 {
		f.buf = append(f.buf, p...)
		return
	}
	f.base = append(f.base[:0], p...)
	f.buf = f.base
}

// next returns the next whole message, if one is there. Blank ones are passed
// over.
func (f *framer) next() (frame, bool) {
	for {
		if !f.discard() {
			return frame{}, false
		}
		head, size, state := f.count()
		switch state {
		case undecided:
			return frame{}, false
		case countedFrame:
			f.counted = true
			if size > int64(f.max) {
				if len(f.buf) < head+f.max {
					return frame{}, false
				}
				fr := f.take(head, f.max, f.max)
				fr.cut, f.skip = true, size-int64(f.max)
				return fr, true
			}
			if int64(len(f.buf)) < int64(head)+size {
				return frame{}, false
			}
			if fr := f.take(head, int(size), int(size)); !blank(fr.data) {
				return fr, true
			}
		case lineFrame:
			i := bytes.IndexAny(f.buf, "\n\x00")
			if i > f.max || i < 0 && len(f.buf) > f.max {
				fr := f.take(0, f.max, f.max)
				fr.cut, f.line = true, true
				return fr, true
			}
			if i < 0 {
				return frame{}, false
			}
			if fr := f.take(0, i, i+1); !blank(fr.data) {
				return fr, true
			}
		}
	}
}

// rest returns the unfinished line at the end of a stream that its sender
// closed properly. broken reports bytes that are no message: a counted one
// that is too short.
func (f *framer) rest() (fr frame, ok, broken bool) {
	if !f.discard() {
		return frame{}, false, f.skip > 0
	}
	if f.counted || len(f.buf) > f.max {
		return frame{}, false, true
	}
	fr = f.take(0, len(f.buf), len(f.buf))
	return fr, !blank(fr.data), false
}

// discard throws away what is to be skipped and blank bytes between messages.
// It returns false when nothing is left.
func (f *framer) discard() bool {
	if f.skip > 0 {
		n := int(min(f.skip, int64(len(f.buf))))
		f.skip -= int64(n)
		f.drop(n)
		if f.skip > 0 {
			return false
		}
	}
	if f.line {
		i := bytes.IndexAny(f.buf, "\n\x00")
		if i < 0 {
			f.drop(len(f.buf))
			return false
		}
		f.line = false
		f.drop(i + 1)
	}
	n := 0
	for n < len(f.buf) && (f.buf[n] == '\n' || f.buf[n] == '\r' || f.buf[n] == 0) {
		n++
	}
	f.drop(n)
	return len(f.buf) > 0
}

type framing int

const (
	undecided framing = iota // more bytes are needed
	lineFrame
	countedFrame
)

// maxDigits of a length: beyond 99,999,999 it is no length.
const maxDigits = 8

// count looks for "123 <" at the start of the buffer and returns the bytes
// before the message and its length.
func (f *framer) count() (head int, size int64, state framing) {
	n := 0
	for n < len(f.buf) && n <= maxDigits && f.buf[n] >= '0' && f.buf[n] <= '9' {
		size = size*10 + int64(f.buf[n]-'0')
		n++
	}
	switch {
	case n == 0 || n > maxDigits || f.buf[0] == '0':
		return 0, 0, lineFrame
	case n == len(f.buf):
		return 0, 0, undecided
	case f.buf[n] != ' ':
		return 0, 0, lineFrame
	case n+1 == len(f.buf) && !f.counted:
		return 0, 0, undecided
	case f.counted || f.buf[n+1] == '<':
		return n + 1, size, countedFrame
	}
	return 0, 0, lineFrame
}

// take cuts the message buf[head:head+n] out and drops the first used bytes
// after head as well.
func (f *framer) take(head, n, used int) frame {
	data := bytes.TrimRight(f.buf[head:head+n], "\r\n\x00")
	fr := frame{data: bytes.Clone(data), offset: f.off + int64(head)}
	f.drop(head + used)
	return fr
}

func (f *framer) drop(n int) {
	f.off += int64(n)
	f.buf = f.buf[n:]
}

func blank(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }
