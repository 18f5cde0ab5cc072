// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package netflow_test

import (
	"encoding/binary"
	"net/netip"
)

// The packets of these tests are built here after RFC 3954, RFC 7011 and Cisco's
// description of version 5; what is expected of them is written by hand.

var be = binary.BigEndian

const exported = 1773398400 // 2026-03-13T10:40:00Z

func u8(n ...byte) []byte      { return n }
func u16(n uint16) []byte      { return be.AppendUint16(nil, n) }
func u32(n uint32) []byte      { return be.AppendUint32(nil, n) }
func u64(n uint64) []byte      { return be.AppendUint64(nil, n) }
func ip(s string) []byte       { return netip.MustParseAddr(s).AsSlice() }
func join(p ...[]byte) []byte  { return appendAll(nil, p) }
func words(n ...uint16) []byte { return appendWords(n) }

func appendAll(b []byte, p [][]byte) []byte {
	for _, x := range p {
		b = append(b, x...)
	}
	return b
}

func appendWords(n []uint16) []byte {
	var b []byte
	for _, x := range n {
		b = be.AppendUint16(b, x)
	}
	return b
}

// v5 is a packet of version 5, sampled 1 in 100.
func v5(seq uint32, records ...[]byte) []byte {
	return join(u16(5), u16(uint16(len(records))), u32(3_600_000), u32(exported), u32(250_000_000), u32(seq), u8(0, 3), u16(1<<14|100), appendAll(nil, records))
}

// v5Record is a connection that began 30 s and ended 10 s before the export.
func v5Record(src, dst string, sport, dport uint16, octets uint32) []byte {
	return join(ip(src), ip(dst), ip("0.0.0.0"), u16(1), u16(2), u32(12), u32(octets), u32(3_570_000), u32(3_590_000), u16(sport), u16(dport), u8(0, 0x1b, 6, 0), u16(0), u16(0), u8(24, 24), u16(0))
}

// set is a set of v9 or IPFIX, padded to four bytes.
func set(id uint16, body ...[]byte) []byte {
	b := appendAll(nil, body)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return join(u16(id), u16(uint16(len(b)+4)), b)
}

func v9(seq, source uint32, sets ...[]byte) []byte {
	return join(u16(9), u16(uint16(len(sets))), u32(3_600_000), u32(exported), u32(seq), u32(source), appendAll(nil, sets))
}

func ipfix(seq, domain uint32, sets ...[]byte) []byte {
	b := appendAll(nil, sets)
	return join(u16(10), u16(uint16(len(b)+16)), u32(exported), u32(seq), u32(domain), b)
}

// pcap is a capture of one UDP packet from 192.0.2.1 for each of payloads, after
// a frame of another kind.
func pcap(payloads ...[]byte) []byte {
	le := binary.LittleEndian
	var b []byte
	for _, n := range []uint32{0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1} {
		b = le.AppendUint32(b, n)
	}
	frame := func(f []byte) {
		b = le.AppendUint32(b, exported)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, uint32(len(f)))
		b = le.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	frame(join(make([]byte, 12), u16(0x0806), make([]byte, 28)))
	for _, p := range payloads {
		frame(ethernet(p))
	}
	return b
}

func ethernet(p []byte) []byte {
	udp := join(u16(50000), u16(2055), u16(uint16(8+len(p))), u16(0), p)
	return join(make([]byte, 12), u16(0x8100), u16(7), u16(0x0800),
		u8(0x45, 0), u16(uint16(20+len(udp))), u16(0), u16(0), u8(64, 17), u16(0), ip("192.0.2.1"), ip("192.0.2.2"), udp)
}

// pcapng is the same in pcapng.
func pcapng(payloads ...[]byte) []byte {
	le := binary.LittleEndian
	block := func(b []byte, kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		b = le.AppendUint32(b, kind)
		b = le.AppendUint32(b, uint32(12+len(body)))
		b = append(b, body...)
		return le.AppendUint32(b, uint32(12+len(body)))
	}
	section := le.AppendUint32(nil, 0x1a2b3c4d)
	section = append(section, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)
	b := block(nil, 0x0a0d0d0a, section)
	b = block(b, 1, []byte{1, 0, 0, 0, 0, 0, 1, 0})
	for _, p := range payloads {
		f := ethernet(p)
		body := make([]byte, 12)
		body = le.AppendUint32(body, uint32(len(f)))
		body = le.AppendUint32(body, uint32(len(f)))
		b = block(b, 6, append(body, f...))
	}
	return b
}
