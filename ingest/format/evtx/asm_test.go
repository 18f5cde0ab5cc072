// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"hash/crc32"
	"unicode/utf16"
)

// asm puts together chunks that Windows would not write: one small oddity
// each, byte by byte. The writer in evtxwrite is for what Windows does write.
type asm struct {
	b     []byte // the chunk so far
	names map[string]int
	id    uint64
}

func newAsm() *asm {
	return &asm{b: make([]byte, chunkHeader), names: map[string]int{}}
}

func (a *asm) u8(v ...byte) *asm { a.b = append(a.b, v...); return a }
func (a *asm) u16(v ...uint16) *asm {
	for _, x := range v {
		a.b = le.AppendUint16(a.b, x)
	}
	return a
}
func (a *asm) u32(v uint32) *asm { a.b = le.AppendUint32(a.b, v); return a }

func (a *asm) utf16(s string) *asm { return a.u16(utf16.Encode([]rune(s))...) }

// counted writes u16 count and the characters.
func (a *asm) counted(s string) *asm { return a.u16(uint16(len(utf16.Encode([]rune(s))))).utf16(s) }

// name writes a reference, with the entry inline the first time.
func (a *asm) name(s string) *asm {
	if at, ok := a.names[s]; ok {
		return a.u32(uint32(at))
	}
	a.names[s] = len(a.b) + 4
	a.u32(uint32(len(a.b) + 4)).u32(0)
	h := uint32(0)
	for _, u := range utf16.Encode([]rune(s)) {
		h = h*65599 + uint32(u)
	}
	return a.u16(uint16(h)).counted(s).u16(0)
}

// elem writes an element without dependency id around what f writes.
func (a *asm) elem(name string, f func()) *asm { return a.elemDep(name, -1, f) }

// elemDep writes a dependency id as well when dep is not negative.
func (a *asm) elemDep(name string, dep int, f func()) *asm {
	a.u8(tokOpen)
	if dep >= 0 {
		a.u16(uint16(dep))
	}
	hole := len(a.b)
	a.u32(0).name(name)
	if f == nil {
		a.u8(tokEmpty)
	} else {
		a.u8(tokCloseTag)
		f()
		a.u8(tokEndElem)
	}
	le.PutUint32(a.b[hole:], uint32(len(a.b)-hole-4))
	return a
}

func (a *asm) text(s string) *asm { return a.u8(tokText, byte(String)).counted(s) }

func (a *asm) sub(index uint16, optional bool) *asm {
	tok := byte(tokSub)
	if optional {
		tok = tokOptional
	}
	return a.u8(tok).u16(index).u8(byte(String))
}

// template writes an instance with an inline definition; f writes its tree.
func (a *asm) template(id uint32, f func(), slots []slotBytes) *asm {
	a.u8(tokTemplate, 1).u32(id).u32(uint32(len(a.b) + 4 + 4))
	// the offset written above is where the next byte stands
	le.PutUint32(a.b[len(a.b)-4:], uint32(len(a.b)))
	a.u32(0).u32(id).u8(make([]byte, 12)...)
	hole := len(a.b)
	a.u32(0).u8(tokFragment, 1, 1, 0)
	f()
	a.u8(tokEnd)
	le.PutUint32(a.b[hole:], uint32(len(a.b)-hole-4))
	return a.values(slots)
}

type slotBytes struct {
	typ  Type
	data []byte
}

func (a *asm) values(slots []slotBytes) *asm {
	a.u32(uint32(len(slots)))
	for _, s := range slots {
		a.u16(uint16(len(s.data))).u8(byte(s.typ), 0)
	}
	for _, s := range slots {
		a.u8(s.data...)
	}
	return a
}

// record writes a record around the BinXML that f writes.
func (a *asm) record(f func()) *asm {
	a.id++
	start := len(a.b)
	a.u8('*', '*', 0, 0).u32(0).u32(uint32(a.id)).u32(0).u32(0).u32(0x01d00000)
	a.u8(tokFragment, 1, 1, 0)
	f()
	a.u8(tokEnd)
	size := uint32(len(a.b) - start + 4)
	a.u32(size)
	le.PutUint32(a.b[start+4:], size)
	return a
}

// event is record with an element tree that begins as events do.
func (a *asm) event(payload func()) *asm {
	return a.record(func() {
		a.elem("Event", func() {
			a.elem("System", func() {
				a.elem("EventID", func() { a.text("1") })
				a.elem("Channel", func() { a.text("Test") })
				a.elem("Computer", func() { a.text("PC1") })
			})
			payload()
		})
	})
}

// file returns a log of this one chunk.
func (a *asm) file() []byte {
	free := len(a.b)
	c := append(append([]byte(nil), a.b...), make([]byte, chunkSize-free)...)
	copy(c, chunkMagic)
	le.PutUint32(c[40:], 128)
	le.PutUint32(c[48:], uint32(free))
	le.PutUint32(c[52:], crc32.ChecksumIEEE(c[chunkHeader:free]))
	le.PutUint32(c[124:], crc32.Update(crc32.ChecksumIEEE(c[:120]), crc32.IEEETable, c[128:chunkHeader]))
	return append(logHeader(1), c...)
}

// logHeader is a file header that counts n chunks.
func logHeader(n uint16) []byte {
	h := make([]byte, fileHeader)
	copy(h, fileMagic)
	le.PutUint32(h[32:], 128)
	le.PutUint16(h[36:], 1)
	le.PutUint16(h[38:], 3)
	le.PutUint16(h[40:], fileHeader)
	le.PutUint16(h[42:], n)
	le.PutUint32(h[124:], crc32.ChecksumIEEE(h[:120]))
	return h
}
