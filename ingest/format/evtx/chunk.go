// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	fileHeader   = 4096
	chunkSize    = 65536
	chunkHeader  = 512
	recordHeader = 24
	minRecord    = recordHeader + 4

	flagNoCRC = 4
)

var (
	le         = binary.LittleEndian
	fileMagic  = []byte("ElfFile\x00")
	chunkMagic = []byte("ElfChnk\x00")
)

// Limits beyond format's, so that no 64 KiB of hostile bytes cost more than
// about a second. The largest real chunk seen stays two orders below them.
const (
	maxDepth       = 32      // open elements and templates in one another
	maxParsed      = 1 << 16 // nodes parsed per chunk; each takes bytes of the chunk
	maxParsedText  = 1 << 20 // bytes of names and literals parsed per chunk, likewise
	maxName        = 4096    // UTF-16 units of one name
	maxInterned    = 4 << 20 // bytes of names kept from chunk to chunk
	maxRecordNodes = 1 << 13 // elements, attributes and values of one record
	maxChunkNodes  = 1 << 18
	maxRecordText  = 1 << 20 // bytes of names and values of one record
	maxChunkText   = 1 << 25
)

// chunk is 64 KiB that decodes alone; offsets in it are relative to its start.
// It is used by one goroutine and reused for the next chunk.
type chunk struct {
	b     []byte // shorter than chunkSize only at the end of a cut file
	n     int32  // position in the file, from 0
	base  int64  // offset in the file
	free  int    // end of live data, within b
	cut   bool   // free lies beyond b
	flags uint32

	names     map[uint32]name
	templates map[uint32]*template
	interned  map[string]string    // names of all chunks so far
	lend      map[uint32]*template // carving: templates of live records so far, by id
	strict    bool                 // carving: what a record refers to may be overwritten
	kept      int                  // bytes of interned
	parsed    int
	literal   int // bytes of names and literals parsed
	nodes     int // budgets used up by expansion
	text      int
}

// open takes the bytes of the next chunk. b must begin with the magic.
func (c *chunk) open(b []byte, n int32, base int64) {
	c.b, c.n, c.base = b, n, base
	c.parsed, c.literal, c.nodes, c.text, c.strict = 0, 0, 0, 0, false
	if c.names == nil {
		c.names, c.templates, c.interned = map[uint32]name{}, map[uint32]*template{}, map[string]string{}
	}
	clear(c.names)
	clear(c.templates)
	if c.kept > maxInterned { // hostile: real logs have a few hundred short names
		clear(c.interned)
		c.kept = 0
	}
	c.free = chunkHeader
	c.cut = false
	c.flags = 0
	if len(b) < chunkHeader {
		c.free, c.cut = len(b), true
		return
	}
	c.flags = le.Uint32(b[120:])
	free := min(int64(le.Uint32(b[48:])), chunkSize)
	c.free = int(max(free, chunkHeader))
	if c.free > len(b) {
		c.free, c.cut = len(b), true
	}
}

// badCRC says which checksums do not fit. A chunk that is cut, or says it has
// none, is not checked.
func (c *chunk) badCRC() (header, data bool) {
	if c.flags&flagNoCRC != 0 || c.cut || len(c.b) < chunkHeader {
		return false, false
	}
	header = le.Uint32(c.b[124:]) != crc32.Update(crc32.ChecksumIEEE(c.b[:120]), crc32.IEEETable, c.b[128:chunkHeader])
	data = le.Uint32(c.b[52:]) != crc32.ChecksumIEEE(c.b[chunkHeader:c.free])
	return header, data
}

// span is where a record lies in its chunk.
type span struct {
	off, size int
	id        uint64
	written   uint64 // FILETIME
}

func (c *chunk) span(off int) span {
	return span{off, int(le.Uint32(c.b[off+4:])), le.Uint64(c.b[off+8:]), le.Uint64(c.b[off+16:])}
}

func isRecord(b []byte) bool { return b[0] == '*' && b[1] == '*' && b[2] == 0 && b[3] == 0 }

// live appends the live records. end is where the walk stopped, and err says
// why when that is before the end of live data.
func (c *chunk) live(out []span) (spans []span, end int, err error) {
	off := chunkHeader
	for off < c.free {
		rest := len(c.b) - off
		if rest < minRecord {
			return out, off, fmt.Errorf("%d bytes at the end are too few for a record", rest)
		}
		if !isRecord(c.b[off:]) {
			return out, off, errors.New("no record where one must be")
		}
		s := c.span(off)
		if s.size < minRecord || s.size > rest {
			return out, off, fmt.Errorf("record %d has the impossible size %d", s.id, s.size)
		}
		out = append(out, s)
		off += s.size
	}
	return out, off, nil
}

// slack appends what looks like records from off to the end of the chunk:
// magic, a size that fits, and the same size again at the end.
func (c *chunk) slack(off int, out []span) []span {
	for off+minRecord <= len(c.b) {
		if !isRecord(c.b[off:]) {
			off++
			continue
		}
		s := c.span(off)
		if s.size < minRecord || s.size > len(c.b)-off || int(le.Uint32(c.b[off+s.size-4:])) != s.size {
			off++
			continue
		}
		out = append(out, s)
		off += s.size
	}
	return out
}

// name is a name entry: its text and the offset behind it.
type name struct {
	text string
	end  int
}

// nameAt reads the entry at off: u32 next, u16 hash, u16 count, characters,
// NUL. The hash table of the chunk is a convenience for writers; it can be
// corrupt and is not looked at.
func (c *chunk) nameAt(off uint32) (name, error) {
	if n, ok := c.names[off]; ok {
		return n, nil
	}
	at := int(off)
	if at < 0 || at+8 > len(c.b) {
		return name{}, fmt.Errorf("name at %d lies outside the chunk", off)
	}
	count := int(le.Uint16(c.b[at+6:]))
	end := at + 8 + 2*count + 2
	if end > len(c.b) {
		return name{}, fmt.Errorf("name at %d runs out of the chunk", off)
	}
	raw := c.b[at+8 : end-2]
	if count > maxName {
		return name{}, fmt.Errorf("name at %d has %d characters", off, count)
	}
	if err := c.charge(len(raw)); err != nil {
		return name{}, err
	}
	if c.strict {
		h := uint32(0)
		for i := 0; i < len(raw); i += 2 {
			h = h*65599 + uint32(le.Uint16(raw[i:]))
		}
		if uint16(h) != le.Uint16(c.b[at+4:]) {
			return name{}, fmt.Errorf("%w: name at %d does not fit its hash", errLost, off)
		}
	}
	var buf [128]byte
	text, _ := appendUTF16(buf[:0], raw)
	s, ok := c.interned[string(text)]
	if !ok {
		s = string(text)
		c.interned[s] = s
		c.kept += len(s)
	}
	n := name{s, end}
	c.names[off] = n
	return n, nil
}

// charge counts bytes of names and literals. Real ones lie side by side, so
// that a chunk cannot hold more than a chunk; hostile ones overlap.
func (c *chunk) charge(n int) error {
	if c.literal += n; c.literal > maxParsedText {
		return errors.New("chunk has more text than its bytes can hold")
	}
	return nil
}
