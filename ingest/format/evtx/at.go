// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"citywall/internal/fault"
)

// At decodes the one record at an offset of a log, which an event's Origin
// names: this is how a finding is led back to its bytes. A carved record whose
// template is lost cannot be decoded alone.
func At(r io.ReaderAt, offset int64) (*Element, error) {
	var magic [8]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil {
		return nil, fmt.Errorf("read log header: %w", err)
	}
	first := int64(fileHeader)
	if bytes.Equal(magic[:], chunkMagic) {
		first = 0
	}
	n := (offset - first) / chunkSize
	base := first + n*chunkSize
	at := int(offset - base)
	if offset < first || at < chunkHeader {
		return nil, fault.New(fault.Invalid, "offset %d holds no record: it lies in a header", offset)
	}
	buf := make([]byte, chunkSize)
	m, err := r.ReadAt(buf, base)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read chunk at %d: %w", base, err)
	}
	buf = buf[:m]
	if at+minRecord > m || !isRecord(buf[at:]) {
		return nil, fault.New(fault.Invalid, "offset %d holds no record", offset)
	}
	var c chunk
	c.open(buf, int32(n), base)
	s := c.span(at)
	if s.size < minRecord || s.size > m-at {
		return nil, fault.New(fault.Invalid, "record at %d has the impossible size %d", offset, s.size)
	}
	var x builder
	e, err := x.record(&c, s)
	if err != nil {
		return nil, fmt.Errorf("record at %d: %w", offset, err)
	}
	return e, nil
}
