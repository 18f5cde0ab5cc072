// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtxwrite

import (
	"crypto/sha256"
	"hash/crc32"
	"unicode/utf16"
)

const (
	chunkSize   = 65536
	chunkHeader = 512
)

// chunk is 64 KiB in the making. All offsets in it are relative to its start,
// and a name or template is written where it is first used.
type chunk struct {
	buf          []byte
	names        map[string]uint32
	templates    map[string]uint32
	nameTable    [64]uint32
	templTable   [32]uint32
	records      int
	firstN       uint64 // record numbers: the position in the whole file
	first, last  uint64 // record ids
	lastRecordAt uint32
}

func newChunk(firstN uint64) *chunk {
	return &chunk{
		buf: make([]byte, chunkHeader, chunkSize), firstN: firstN,
		names: map[string]uint32{}, templates: map[string]uint32{},
	}
}

// seal fills in the header and returns the 65,536 bytes.
func (c *chunk) seal() []byte {
	free := uint32(len(c.buf))
	b := append(c.buf, make([]byte, chunkSize-len(c.buf))...)
	copy(b, "ElfChnk\x00")
	le.PutUint64(b[8:], c.firstN)
	le.PutUint64(b[16:], c.firstN+uint64(c.records)-1)
	le.PutUint64(b[24:], c.first)
	le.PutUint64(b[32:], c.last)
	le.PutUint32(b[40:], 128)
	le.PutUint32(b[44:], c.lastRecordAt)
	le.PutUint32(b[48:], free)
	le.PutUint32(b[52:], crc32.ChecksumIEEE(b[chunkHeader:free]))
	for i, o := range c.nameTable {
		le.PutUint32(b[128+4*i:], o)
	}
	for i, o := range c.templTable {
		le.PutUint32(b[384+4*i:], o)
	}
	le.PutUint32(b[124:], crc32.Update(crc32.ChecksumIEEE(b[:120]), crc32.IEEETable, b[128:chunkHeader]))
	return b
}

func (c *chunk) u8(v ...byte)  { c.buf = append(c.buf, v...) }
func (c *chunk) u16(v uint16)  { c.buf = le.AppendUint16(c.buf, v) }
func (c *chunk) u32(v uint32)  { c.buf = le.AppendUint32(c.buf, v) }
func (c *chunk) u64(v uint64)  { c.buf = le.AppendUint64(c.buf, v) }
func (c *chunk) here() uint32  { return uint32(len(c.buf)) }
func (c *chunk) hole() uint32  { c.u32(0); return c.here() }
func (c *chunk) fill(h uint32) { le.PutUint32(c.buf[h-4:], c.here()-h) }

// name writes a reference, and the entry itself right behind it when the chunk
// has none yet.
func (c *chunk) name(s string) {
	if o, ok := c.names[s]; ok {
		c.u32(o)
		return
	}
	u := utf16.Encode([]rune(s))
	h := uint32(0)
	for _, x := range u {
		h = h*65599 + uint32(x)
	}
	at := c.here() + 4
	c.u32(at)
	bucket := &c.nameTable[uint16(h)%64]
	c.u32(*bucket) // new entries go to the head of the chain
	*bucket = at
	c.names[s] = at
	c.u16(uint16(h))
	c.u16(uint16(len(u)))
	for _, x := range u {
		c.u16(x)
	}
	c.u16(0)
}

// template writes an instance of the template called key, whose definition
// body writes when the chunk has none yet, and then the values. payload, when
// not nil, writes a BinXML value as the last slot; its offsets are those of the
// chunk, so it is written in place.
func (c *chunk) template(key string, body func(), slots []slot, payload func()) {
	sum := sha256.Sum256([]byte(key))
	id := le.Uint32(sum[:])
	c.u8(0x0c, 1)
	c.u32(id)
	if o, ok := c.templates[key]; ok {
		c.u32(o)
	} else {
		at := c.here() + 4
		c.u32(at)
		c.templates[key] = at
		// How Windows chooses the bucket is not known to us; readers go by
		// the offset in the instance.
		bucket := &c.templTable[id%32]
		c.u32(*bucket)
		*bucket = at
		c.u8(sum[:16]...)
		size := c.hole()
		c.u8(0x0f, 1, 1, 0)
		body()
		c.u8(0)
		c.fill(size)
	}
	n := len(slots)
	if payload != nil {
		n++
	}
	c.u32(uint32(n))
	for _, s := range slots {
		c.u16(uint16(len(s.data)))
		c.u8(byte(s.typ), 0)
	}
	size := c.here()
	if payload != nil {
		c.u16(0)
		c.u8(byte(binXML), 0)
	}
	for _, s := range slots {
		c.u8(s.data...)
	}
	if payload != nil {
		at := c.here()
		payload()
		le.PutUint16(c.buf[size:], uint16(c.here()-at)) // too long a record is refused by its size
	}
}

// attr is an attribute of a template element: literal text, or a substitution.
type attr struct {
	name string
	text string
	sub  *sub
}

type sub struct {
	index    uint16
	typ      Type
	optional bool
}

func (c *chunk) sub(s sub) {
	token := byte(0x0d)
	if s.optional {
		token = 0x0e
	}
	c.u8(token)
	c.u16(s.index)
	c.u8(byte(s.typ))
}

func (c *chunk) text(s string) {
	u := utf16.Encode([]rune(s))
	c.u8(0x05, 1)
	c.u16(uint16(len(u)))
	for _, x := range u {
		c.u16(x)
	}
}

// noDep is the dependency id of an element that is always there. Any other is
// the slot whose being null makes the element vanish.
const noDep = 0xffff

// element writes a template element; content nil makes it empty.
func (c *chunk) element(name string, dep uint16, attrs []attr, content func()) {
	token := byte(0x01)
	if len(attrs) > 0 {
		token = 0x41
	}
	c.u8(token)
	c.u16(dep)
	size := c.hole()
	c.name(name)
	if len(attrs) > 0 {
		list := c.hole()
		for i, a := range attrs {
			t := byte(0x46)
			if i == len(attrs)-1 {
				t = 0x06
			}
			c.u8(t)
			c.name(a.name)
			if a.sub != nil {
				c.sub(*a.sub)
			} else {
				c.text(a.text)
			}
		}
		c.fill(list)
	}
	if content == nil {
		c.u8(0x03)
	} else {
		c.u8(0x02)
		content()
		c.u8(0x04)
	}
	c.fill(size)
}
