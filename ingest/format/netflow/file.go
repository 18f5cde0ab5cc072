// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package netflow

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"citywall/ingest/format"
)

const maxPacket = 64 << 10

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 2*maxPacket) }

// isPacket reports whether b begins with an export packet: the version, and a
// header whose parts agree with each other.
func isPacket(b []byte) bool {
	if len(b) < 24 {
		return false
	}
	count, at := int(binary.BigEndian.Uint16(b[2:])), binary.BigEndian.Uint32(b[8:])
	switch binary.BigEndian.Uint16(b) {
	case 5:
		return count >= 1 && count <= 30 && plausible(at) && binary.BigEndian.Uint32(b[12:]) < 1e9
	case 9:
		id, n := binary.BigEndian.Uint16(b[20:]), binary.BigEndian.Uint16(b[22:])
		return count >= 1 && plausible(at) && (id <= 1 || id >= 256) && n >= 4
	case 10:
		id, n := binary.BigEndian.Uint16(b[16:]), int(binary.BigEndian.Uint16(b[18:]))
		return count >= 20 && plausible(binary.BigEndian.Uint32(b[4:])) && (id == 2 || id == 3 || id >= 256) && n >= 4 && n <= count-16
	}
	return false
}

// plausible reports the years 2000 to 2037.
func plausible(sec uint32) bool { return sec >= 946684800 && sec < 1<<31 }

// packets decodes a file of packets one after another, or a capture.
func packets(ctx context.Context, br *bufio.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	w := writer{src: src, emit: emit, dec: NewDecoder()}
	head, _ := br.Peek(32)
	c := newCapture(head)
	for ctx.Err() == nil {
		var b []byte
		var from netip.Addr
		var n int
		var err error
		if c != nil {
			b, from, n, err = c.next(br)
		} else {
			b, n, err = next(br)
		}
		if b != nil {
			w.packet(from, b)
		}
		w.off += int64(n)
		if w.err != nil {
			return w.st, w.err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			w.st.Damaged++
			w.st.Note("byte %d: %v; the rest was not read", w.off, err)
			break
		}
	}
	if s := w.dec.Stats(); s.NoTemplate > 0 || s.Missed > 0 {
		w.st.Note("%d sets of flows came before their template and are lost; %d packets or flows are missing in the sequence", s.NoTemplate, s.Missed)
	}
	w.st.Damaged += w.dec.Stats().NoTemplate
	w.st.Skipped += w.dec.Stats().Options
	return w.st, ctx.Err()
}

// writer makes events of flows.
type writer struct {
	src  format.Source
	emit format.Emit
	dec  *Decoder
	st   format.Stats
	off  int64
	err  error
}

func (w *writer) packet(from netip.Addr, b []byte) {
	n := uint64(0)
	err := w.dec.Packet(from, b, func(f *Flow) {
		if w.err != nil {
			return
		}
		// Flows of a packet share its offset; their number tells them apart.
		e := w.src.Event(name, format.Pos{Offset: w.off, Seq: uint64(w.off)<<16 | n})
		e.Origin.Record = n + 1
		n++
		e.Raw = f.AppendJSON(nil)
		if err := fill(e); err != nil {
			w.st.Damaged++
			w.st.Note("packet at byte %d, flow %d: %v", w.off, n, err)
			return
		}
		w.st.Saw(e)
		w.err = w.emit(e)
	})
	if err != nil {
		w.st.Damaged++
		w.st.Note("packet at byte %d: %v", w.off, err)
	}
}

// next cuts the next packet off a file. IPFIX says how long it is and version 5
// how many records it has; version 9 ends where another packet begins, whose
// version can be no id of a set.
func next(br *bufio.Reader) (b []byte, n int, err error) {
	head, err := br.Peek(20)
	if len(head) == 0 {
		return nil, 0, err
	}
	if len(head) < 16 {
		return nil, 0, errors.New("the last packet is cut off")
	}
	switch v := binary.BigEndian.Uint16(head); v {
	case 5:
		n = v5Header + v5Record*int(binary.BigEndian.Uint16(head[2:]))
	case 10:
		n = int(binary.BigEndian.Uint16(head[2:]))
	case 9:
		for n = 20; ; {
			b, _ = br.Peek(min(n+4, maxPacket)) // an error comes again below
			if len(b) < n+4 {
				break
			}
			id, size := binary.BigEndian.Uint16(b[n:]), int(binary.BigEndian.Uint16(b[n+2:]))
			if id > 1 && id < 256 || size < 4 || n+size > maxPacket {
				break
			}
			n += size
		}
	default:
		return nil, 0, fmt.Errorf("version %d is none of NetFlow 5, 9 and IPFIX (10)", v)
	}
	if n < 16 || n > maxPacket {
		return nil, 0, fmt.Errorf("a packet of %d bytes", n)
	}
	b, err = br.Peek(n)
	if len(b) < n {
		return nil, 0, errors.New("the last packet is cut off")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	b = append([]byte(nil), b...)
	_, err = br.Discard(n)
	return b, n, err
}

// capture reads pcap and pcapng (IETF drafts draft-ietf-opsawg-pcap and
// -pcapng), as far as UDP packets of exporters need it.
type capture struct {
	order  binary.ByteOrder
	ng     bool
	opened bool
	links  []uint32 // link type, of each interface
}

// Link types (LINKTYPE_ values of the drafts).
const (
	linkEthernet = 1
	linkRaw      = 101
	linkSLL      = 113
	linkSLL2     = 276
)

// newCapture returns nil when head does not begin a capture.
func newCapture(head []byte) *capture {
	if len(head) < 28 {
		return nil
	}
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch o.Uint32(head) {
		case 0xa1b2c3d4, 0xa1b23c4d:
			return &capture{order: o, links: []uint32{o.Uint32(head[20:]) & 0xffff}}
		}
		if binary.BigEndian.Uint32(head) == 0x0a0d0d0a && o.Uint32(head[8:]) == 0x1a2b3c4d {
			return &capture{order: o, ng: true}
		}
	}
	return nil
}

// captured reports a capture that has an export packet within head.
func captured(head []byte) bool {
	c := newCapture(head)
	if c == nil {
		return false
	}
	r := bufio.NewReaderSize(bytes.NewReader(head), len(head)+16)
	for {
		b, _, _, err := c.next(r)
		if b != nil {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// next returns the next export packet, nil for anything else, and how many
// bytes of the file it took.
func (c *capture) next(br *bufio.Reader) (b []byte, from netip.Addr, n int, err error) {
	if !c.ng {
		if !c.opened {
			c.opened = true
			n, err = br.Discard(24)
			return nil, from, n, err
		}
		h, err := br.Peek(16)
		if len(h) < 16 {
			return nil, from, len(h), eof(h, err)
		}
		size := int(c.order.Uint32(h[8:]))
		if size < 0 || size > maxPacket*2-16 {
			return nil, from, 0, fmt.Errorf("a captured packet of %d bytes", size)
		}
		h, err = br.Peek(16 + size)
		if len(h) < 16+size {
			return nil, from, 0, eof(h, err)
		}
		b, from = payload(c.links[0], h[16:])
		b = append([]byte(nil), b...)
		n, err = br.Discard(16 + size)
		return orNil(b), from, n, err
	}
	h, err := br.Peek(12)
	if len(h) < 12 {
		return nil, from, len(h), eof(h, err)
	}
	if binary.BigEndian.Uint32(h) == 0x0a0d0d0a { // a new section may change the byte order
		c.links = nil
		if c.order = binary.ByteOrder(binary.LittleEndian); binary.BigEndian.Uint32(h[8:]) == 0x1a2b3c4d {
			c.order = binary.BigEndian
		}
	}
	kind, size := c.order.Uint32(h), int(c.order.Uint32(h[4:]))
	if size < 12 || size%4 != 0 || size > maxPacket*2 {
		return nil, from, 0, fmt.Errorf("a capture block of %d bytes", size)
	}
	h, err = br.Peek(size)
	if len(h) < size {
		return nil, from, 0, eof(h, err)
	}
	switch {
	case kind == 1 && size >= 20 && len(c.links) < 1024: // interface description
		c.links = append(c.links, uint32(c.order.Uint16(h[8:])))
	case kind == 6 && size >= 32: // enhanced packet
		i, k := c.order.Uint32(h[8:]), int(c.order.Uint32(h[20:]))
		if int64(i) < int64(len(c.links)) && k >= 0 && k <= size-32 {
			b, from = payload(c.links[i], h[28:28+k])
		}
	case kind == 3 && size >= 16 && len(c.links) > 0: // simple packet
		b, from = payload(c.links[0], h[12:size-4])
	}
	b = append([]byte(nil), b...)
	n, err = br.Discard(size)
	return orNil(b), from, n, err
}

func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func eof(rest []byte, err error) error {
	if len(rest) == 0 && errors.Is(err, io.EOF) {
		return io.EOF
	}
	return errors.New("the capture is cut off")
}

// payload returns the export packet that a frame carries over UDP, and who sent
// it.
func payload(link uint32, b []byte) ([]byte, netip.Addr) {
	at := 0
	switch link {
	case linkEthernet:
		at = 14
		for at <= len(b) && at >= 2 && at < 30 && len(b) >= at && (binary.BigEndian.Uint16(b[at-2:at]) == 0x8100 || binary.BigEndian.Uint16(b[at-2:at]) == 0x88a8) {
			at += 4
		}
	case linkSLL:
		at = 16
	case linkSLL2:
		at = 20
	case linkRaw:
	default:
		return nil, netip.Addr{}
	}
	if at >= len(b) {
		return nil, netip.Addr{}
	}
	b = b[at:]
	var from netip.Addr
	switch b[0] >> 4 {
	case 4:
		n := int(b[0]&15) * 4
		if len(b) < n+8 || n < 20 || b[9] != 17 || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return nil, from // no UDP, or a fragment
		}
		from = netip.AddrFrom4([4]byte(b[12:16]))
		b = b[n:]
	case 6:
		if len(b) < 48 || b[6] != 17 {
			return nil, from
		}
		from = netip.AddrFrom16([16]byte(b[8:24]))
		b = b[40:]
	default:
		return nil, from
	}
	size := int(binary.BigEndian.Uint16(b[4:]))
	if size < 8 || size > len(b) || !isPacket(b[8:size]) {
		return nil, from
	}
	return b[8:size], from
}
