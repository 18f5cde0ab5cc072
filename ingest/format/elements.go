// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"citywall/event"
)

// errElement is what an element beyond the limit ends the reading with.
var errElement = errors.New("an element is longer than a record may be")

// EachElement calls f for every element of the array that the member key of one
// large JSON object holds, or of the whole document when it is an array and key is
// "". Text is the element as written. It reads on in the document's size without
// keeping it; an element longer than MaxRecord, or broken JSON, ends it with an
// error, since nothing after that can be trusted.
func EachElement(ctx context.Context, r io.Reader, key string, f func(text []byte, p Pos) error) error {
	lim := &elementReader{r: r}
	dec := json.NewDecoder(lim)
	if key != "" {
		if err := delim(dec, '{'); err != nil {
			return err
		}
		for {
			if !dec.More() {
				return fmt.Errorf("the document has no %q", key)
			}
			name, err := dec.Token()
			if err != nil {
				return err
			}
			if name == key {
				break
			}
			lim.end = dec.InputOffset() + MaxRecord
			var skip json.RawMessage
			if err := dec.Decode(&skip); err != nil {
				return err
			}
		}
	}
	if err := delim(dec, '['); err != nil {
		return err
	}
	for dec.More() {
		if err := ctx.Err(); err != nil {
			return err
		}
		lim.end = dec.InputOffset() + MaxRecord
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		at := lim.bom + dec.InputOffset() - int64(len(raw))
		if err := f(bytes.Clone(raw), Pos{Offset: at, Seq: uint64(at)}); err != nil { //nolint:gosec // not negative
			return err
		}
	}
	return nil
}

func delim(dec *json.Decoder, want json.Delim) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("want %v, not %v", want, t)
	}
	return nil
}

// elementReader refuses to read further beyond the begin of an element than a
// record may be long, so that the decoder's buffer stays bounded.
type elementReader struct {
	r    io.Reader
	n    int64
	end  int64 // 0: the document's beginning
	mark bool
	bom  int64 // bytes of the mark, which the decoder has not seen
}

const readAhead = 64 << 10

func (l *elementReader) Read(p []byte) (int, error) {
	if !l.mark { // a UTF-8 byte order mark is no JSON
		l.mark = true
		var b [3]byte
		n, err := io.ReadFull(l.r, b[:])
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, err
		}
		if n == 3 && string(b[:]) == "\xef\xbb\xbf" {
			n, l.bom = 0, 3
		}
		l.n += int64(n)
		return copy(p, b[:n]), nil
	}
	if room := max(l.end, MaxRecord) + readAhead - l.n; room <= 0 {
		return 0, errElement
	} else if int64(len(p)) > room {
		p = p[:room]
	}
	n, err := l.r.Read(p)
	l.n += int64(n)
	return n, err
}

// Elements decodes the elements of an array in one large document, as
// EachElement finds them. A document that breaks off is one damage; what came
// before counts.
func Elements(ctx context.Context, r io.Reader, key string, record func(text []byte, p Pos) (*event.Event, error), emit Emit) (Stats, error) {
	var st Stats
	var stop error
	err := EachElement(ctx, r, key, func(text []byte, p Pos) error {
		e, err := record(text, p)
		if err != nil {
			st.Damaged++
			st.Note("element at byte %d: %v", p.Offset, err)
			return nil
		}
		st.Saw(e)
		stop = emit(e)
		return stop
	})
	switch {
	case stop != nil:
		return st, stop
	case ctx.Err() != nil:
		return st, ctx.Err()
	case err != nil:
		st.Damaged++
		st.Note("the document breaks off: %v", err)
	}
	return st, nil
}
