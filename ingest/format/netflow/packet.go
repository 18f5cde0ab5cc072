// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package netflow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Limits of what exporters can make us keep. Addresses of UDP packets can be
// forged, so all of it is bounded.
const (
	maxDomains   = 1024 // exporter, version and observation domain; the one unused for longest makes way
	maxTemplates = 512  // of one domain; more are refused and counted
	maxFields    = 256  // of one template
	maxSamplers  = 64   // of one domain
	maxRecords   = 8192 // of one packet: 64 KiB of 8 bytes
)

// Stats counts what packets came to.
type Stats struct {
	Packets    int64 `json:"packets"`
	Flows      int64 `json:"flows"`
	Options    int64 `json:"options"`     // records about the exporter itself: samplers, interfaces
	Templates  int64 `json:"templates"`   // received, repetitions included
	Refused    int64 `json:"refused"`     // templates beyond the limits
	NoTemplate int64 `json:"no_template"` // sets of data whose template has not come yet: their flows are lost
	Broken     int64 `json:"broken"`      // packets that could not be read to their end
	Missed     int64 `json:"missed"`      // by the sequence numbers: packets (v9) or flows (v5, IPFIX) that never came
}

// Decoder keeps the templates and samplers of exporters. One goroutine uses it.
type Decoder struct {
	domains map[domainKey]*domain
	clock   int64 // counts packets: which domain was used last
	st      Stats
}

type domainKey struct {
	exporter netip.Addr
	version  uint16
	id       uint32
}

type domain struct {
	used      int64
	templates map[uint16]*template
	samplers  map[uint64]uint64 // id -> rate; id 0 when the exporter names none
	next      uint32            // expected sequence number
	started   bool
}

// NewDecoder returns a decoder without templates.
func NewDecoder() *Decoder { return &Decoder{domains: map[domainKey]*domain{}} }

// Stats returns the counts so far.
func (d *Decoder) Stats() Stats { return d.st }

// header is what the flows of one packet share.
type header struct {
	version  uint16
	exporter netip.Addr // invalid when unknown
	domain   uint32
	sequence uint32
	export   time.Time
	uptime   uint32 // ms, v5 and v9
	sampling uint64 // v5: in the header

	exportText string // of export, once it was written
}

// Packet decodes one export packet and calls emit for each flow, which is valid
// until emit returns. An error says why the rest of the packet was not read.
func (d *Decoder) Packet(exporter netip.Addr, b []byte, emit func(*Flow)) error {
	d.st.Packets++
	d.clock++
	err := d.packet(exporter.Unmap(), b, emit)
	if err != nil {
		d.st.Broken++
	}
	return err
}

func (d *Decoder) packet(exporter netip.Addr, b []byte, emit func(*Flow)) error {
	if len(b) < 16 {
		return fmt.Errorf("%d bytes are no export packet", len(b))
	}
	h := header{version: binary.BigEndian.Uint16(b), exporter: exporter}
	switch h.version {
	case 5:
		return d.v5(&h, b, emit)
	case 9:
		if len(b) < 20 {
			return errors.New("v9: the header is cut off")
		}
		h.uptime = binary.BigEndian.Uint32(b[4:])
		h.export = time.Unix(int64(binary.BigEndian.Uint32(b[8:])), 0).UTC()
		h.sequence, h.domain = binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:])
		dom := d.domain(&h)
		dom.sequence(&d.st, h.sequence, 1)
		_, err := d.sets(&h, dom, b[20:], emit)
		return err
	case 10:
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 16 || n > len(b) {
			return fmt.Errorf("IPFIX: the message says it has %d bytes, %d are there", n, len(b))
		}
		h.export = time.Unix(int64(binary.BigEndian.Uint32(b[4:])), 0).UTC()
		h.sequence, h.domain = binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
		dom := d.domain(&h)
		unread := d.st.NoTemplate
		records, err := d.sets(&h, dom, b[16:n], emit)
		if d.st.NoTemplate != unread || err != nil {
			dom.started = false // how many records it had is not known
			return err
		}
		dom.sequence(&d.st, h.sequence, uint32(records))
		return nil
	}
	return fmt.Errorf("version %d is none of NetFlow 5, 9 and IPFIX (10)", h.version)
}

const (
	v5Header = 24
	v5Record = 48
)

func (d *Decoder) v5(h *header, b []byte, emit func(*Flow)) error {
	n := int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < v5Header+n*v5Record {
		return fmt.Errorf("v5: %d records do not fit in %d bytes", n, len(b))
	}
	h.uptime = binary.BigEndian.Uint32(b[4:])
	h.export = time.Unix(int64(binary.BigEndian.Uint32(b[8:])), int64(binary.BigEndian.Uint32(b[12:]))%1e9).UTC()
	h.sequence = binary.BigEndian.Uint32(b[16:])
	h.domain = uint32(binary.BigEndian.Uint16(b[20:])) // engine type and id
	h.sampling = uint64(binary.BigEndian.Uint16(b[22:]) & 0x3fff)
	d.domain(h).sequence(&d.st, h.sequence, uint32(n))
	for i := range n {
		d.st.Flows++
		emit(&Flow{h: h, t: v5Template, data: b[v5Header+i*v5Record:][:v5Record], sampling: h.sampling})
	}
	return nil
}

// domain returns what is known of the packet's observation domain.
func (d *Decoder) domain(h *header) *domain {
	k := domainKey{h.exporter, h.version, h.domain}
	x := d.domains[k]
	if x == nil {
		if len(d.domains) >= maxDomains {
			d.evict()
		}
		x = &domain{templates: map[uint16]*template{}, samplers: map[uint64]uint64{}}
		d.domains[k] = x
	}
	x.used = d.clock
	return x
}

func (d *Decoder) evict() {
	var oldest domainKey
	at := int64(-1)
	for k, x := range d.domains {
		if at < 0 || x.used < at {
			oldest, at = k, x.used
		}
	}
	delete(d.domains, oldest)
}

// sequence counts what is missing before seq. A step back, or one of more than
// a million, is an exporter that started anew.
func (x *domain) sequence(st *Stats, seq, n uint32) {
	if gap := seq - x.next; x.started && gap > 0 && gap < 1e6 {
		st.Missed += int64(gap)
	}
	x.next, x.started = seq+n, true
}

// sets reads the sets of a v9 or IPFIX packet and returns how many data
// records they held.
func (d *Decoder) sets(h *header, x *domain, b []byte, emit func(*Flow)) (records int, err error) {
	for len(b) >= 4 {
		id, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return records, fmt.Errorf("set %d says it has %d bytes, %d are there", id, n, len(b))
		}
		set := b[4:n]
		b = b[n:]
		switch {
		case id == 0 && h.version == 9, id == 2 && h.version == 10:
			err = d.readTemplates(x, h.version, set, false)
		case id == 1 && h.version == 9, id == 3 && h.version == 10:
			err = d.readTemplates(x, h.version, set, true)
		case id >= 256:
			t := x.templates[id]
			if t == nil {
				d.st.NoTemplate++
				continue
			}
			var k int
			k, err = d.data(h, x, t, set, emit)
			records += k
		}
		if err != nil {
			return records, err
		}
	}
	return records, nil
}

// data reads the records of one set. What is left and shorter than a record is
// padding.
func (d *Decoder) data(h *header, x *domain, t *template, b []byte, emit func(*Flow)) (n int, err error) {
	for len(b) >= t.shortest {
		if n++; n > maxRecords {
			return n, errors.New("too many records in one set")
		}
		size, err := t.measure(b)
		if err != nil {
			return n, err
		}
		if t.options {
			d.st.Options++
			x.option(t, b[:size])
		} else {
			d.st.Flows++
			f := Flow{h: h, t: t, data: b[:size]}
			f.sampling = x.rate(&f)
			emit(&f)
		}
		b = b[size:]
	}
	return n, nil
}

// option keeps the rate of a sampler: elements 34, 50 or 305 (with 306) beside
// the sampler's id, 48 or 302.
func (x *domain) option(t *template, b []byte) {
	var id, rate, packets, space uint64
	t.each(b, func(f *field, v []byte) {
		if f.pen != 0 || f.scope && t.v9 {
			return
		}
		switch f.id {
		case 48, 302:
			id = number(v)
		case 34, 50:
			rate = number(v)
		case 305:
			packets = number(v)
		case 306:
			space = number(v)
		}
	})
	if rate == 0 && packets > 0 {
		rate = (packets + space) / packets
	}
	if rate == 0 {
		return
	}
	if _, there := x.samplers[id]; there || len(x.samplers) < maxSamplers {
		x.samplers[id] = rate
	}
}

// rate returns the sampling rate of a flow: of the sampler it names, else of
// the only one that the exporter told of; 0 when not known.
func (x *domain) rate(f *Flow) uint64 {
	if len(x.samplers) == 0 {
		return 0
	}
	if f.t.sampler {
		var id uint64
		f.t.each(f.data, func(fd *field, v []byte) {
			if fd.pen == 0 && (fd.id == 48 || fd.id == 302) {
				id = number(v)
			}
		})
		return x.samplers[id]
	}
	if len(x.samplers) == 1 {
		for _, r := range x.samplers {
			return r
		}
	}
	return x.samplers[0]
}

// Domains returns how many observation domains are remembered.
func (d *Decoder) Domains() int { return len(d.domains) }
