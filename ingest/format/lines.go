// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"citywall/event"
)

// ErrSkip is returned by a record function for a line that is not an event and
// not damage: a header, a marker.
var ErrSkip = errors.New("not an event")

// Line is one line and where it stands. Text is valid until the next one.
type Line struct {
	Text []byte // without the line end
	Pos  Pos
	Long bool // longer than MaxRecord: Text is its beginning only
}

// EachLine calls f for every line of r that is not blank, with its byte offset.
// A line longer than MaxRecord is passed on cut and marked, never lost in
// silence; a UTF-8 byte order mark is dropped.
func EachLine(ctx context.Context, r io.Reader, f func(Line) error) error {
	br := bufio.NewReaderSize(r, 256<<10)
	var off, n int64
	var long []byte
	for {
		if n&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		start := off
		buf, err := br.ReadSlice('\n')
		off += int64(len(buf))
		over := false
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long[:0], buf...)
			for errors.Is(err, bufio.ErrBufferFull) {
				buf, err = br.ReadSlice('\n')
				off += int64(len(buf))
				if len(long)+len(buf) <= MaxRecord {
					long = append(long, buf...)
				} else {
					over = true
				}
			}
			buf = long
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(buf) > 0 {
			n++
			text := bytes.TrimRight(buf, "\r\n")
			if n == 1 {
				text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
			}
			if len(bytes.TrimSpace(text)) > 0 {
				if e := f(Line{text, Pos{Offset: start, Line: n, Seq: uint64(start)}, over}); e != nil {
					return e
				}
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// Lines makes a Decode function out of a record function for formats with one
// record a line.
func Lines(record func(rec []byte, p Pos, src Source) (*event.Event, error)) func(context.Context, io.Reader, Source, Emit) (Stats, error) {
	return func(ctx context.Context, r io.Reader, src Source, emit Emit) (Stats, error) {
		var st Stats
		err := EachLine(ctx, r, func(l Line) error {
			if l.Long {
				st.Damaged++
				st.Note("line %d at byte %d is longer than %d bytes", l.Pos.Line, l.Pos.Offset, MaxRecord)
				return nil
			}
			e, err := record(l.Text, l.Pos, src)
			if errors.Is(err, ErrSkip) {
				st.Skipped++
				return nil
			}
			if err != nil {
				st.Damaged++
				st.Note("line %d at byte %d: %v", l.Pos.Line, l.Pos.Offset, err)
				return nil
			}
			st.Saw(e)
			return emit(e)
		})
		return st, err
	}
}
