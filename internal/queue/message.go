// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"citywall/internal/fault"
)

// Limits of a message. A listener stays well below them by cutting its input
// into messages of TargetBytes.
const (
	TargetBytes   = 256 << 10 // raw bytes a listener should gather before it publishes
	TargetRecords = 500       // records a listener should gather before it publishes
	MaxMessage    = 2 << 20   // raw bytes of one message, header included; above is refused as invalid
	packBytes     = 512 << 10 // raw bytes gathered into one write to disk
	maxPayload    = 2<<20 + 64<<10
	maxUnpacked   = 8 << 20 // a pack that claims more is damaged
)

// Message is raw records of one sender, with what is known of that sender.
// Nothing in it has been decoded: that is the worker's business, so that a
// decoder's fault never loses bytes whose arrival was acknowledged.
type Message struct {
	ID       string          `json:"id"`                // the same for a repeated sending of the same bytes
	Listener string          `json:"listener"`          // syslog-udp, syslog-tcp, syslog-tls, http, watch
	Source   string          `json:"source"`            // registered sender
	Sender   string          `json:"sender,omitempty"`  // address as seen on the wire, or path
	Realm    string          `json:"realm"`             // city, police
	Agency   string          `json:"agency,omitempty"`  //
	Zone     string          `json:"zone,omitempty"`    // for times without one; IANA name, "" means the default
	Stream   string          `json:"stream,omitempty"`  // connection, idempotency key or followed file
	File     string          `json:"file,omitempty"`    // path, for followed and whole files
	Format   string          `json:"format,omitempty"`  // decoder's name when the listener knows it
	Head     []byte          `json:"head,omitempty"`    // header lines that decoding of these records needs
	CSV      json.RawMessage `json:"csv,omitempty"`     // what the columns mean, when the listener was told
	Blob     *Blob           `json:"blob,omitempty"`    // a whole file instead of records
	Received time.Time       `json:"received"`          // of the first record
	Records  []Record        `json:"-"`                 //
	Delayed  bool            `json:"delayed,omitempty"` // not near real time: says nothing about the sender's clock
}

// Record is one record as it arrived.
type Record struct {
	Seq    uint64        // what the event's id is derived from, within Stream
	Offset int64         // bytes from the start of the stream
	Line   int64         // 1-based; 0 when unknown
	After  time.Duration // arrival, after Message.Received; microseconds are kept
	Data   []byte
}

// Size returns the raw bytes of the records.
func (m *Message) Size() int {
	n := len(m.Head)
	for i := range m.Records {
		n += len(m.Records[i].Data)
	}
	return n
}

/*
A pack, as it lies in the stream:

	byte    1                       version
	zstd of messages, one after another:
	  uvarint length, JSON header   Message without its records
	  uvarint number of records
	  per record:
	    varint  Seq     minus the previous record's (the first: as it is)
	    varint  Offset  minus the previous record's
	    varint  Line    minus the previous record's
	    varint  After   in microseconds
	    uvarint length, Data
*/
const packVersion = 1

// appendMessage appends the uncompressed form of m.
func appendMessage(b []byte, m *Message) ([]byte, error) {
	head, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode queue message: %w", err)
	}
	start := len(b)
	b = binary.AppendUvarint(b, uint64(len(head)))
	b = append(b, head...)
	b = binary.AppendUvarint(b, uint64(len(m.Records)))
	var p Record
	for i := range m.Records {
		r := &m.Records[i]
		b = binary.AppendVarint(b, int64(r.Seq-p.Seq))
		b = binary.AppendVarint(b, r.Offset-p.Offset)
		b = binary.AppendVarint(b, r.Line-p.Line)
		b = binary.AppendVarint(b, r.After.Microseconds())
		b = binary.AppendUvarint(b, uint64(len(r.Data)))
		b = append(b, r.Data...)
		p = *r
	}
	if n := len(b) - start; n > MaxMessage {
		return nil, fault.New(fault.Invalid, "queue message of %d bytes is larger than %d: send it in parts", n, MaxMessage)
	}
	return b, nil
}

// unpack reads the messages of a pack. What it returns shares no memory with
// pack.
func unpack(dec *zstd.Decoder, pack []byte) ([]Message, error) {
	if len(pack) == 0 || pack[0] != packVersion {
		return nil, fmt.Errorf("queue pack: unknown version")
	}
	raw, err := dec.DecodeAll(pack[1:], nil)
	if err != nil {
		return nil, fmt.Errorf("queue pack: %w", err)
	}
	var out []Message
	c := cursor{b: raw}
	for len(c.b) > 0 && c.err == nil {
		var m Message
		head := c.bytes()
		if c.err != nil {
			break
		}
		if err := json.Unmarshal(head, &m); err != nil {
			return nil, fmt.Errorf("queue pack, message %d: %w", len(out)+1, err)
		}
		n := c.uvarint()
		if n > uint64(len(c.b))/5 { // a record takes at least five bytes
			return nil, fmt.Errorf("queue pack, message %d: %d records cannot be in %d bytes", len(out)+1, n, len(c.b))
		}
		m.Records = make([]Record, 0, n)
		var p Record
		for range n {
			p.Seq += uint64(c.varint())
			p.Offset += c.varint()
			p.Line += c.varint()
			p.After = time.Duration(c.varint()) * time.Microsecond
			p.Data = c.bytes()
			m.Records = append(m.Records, p)
		}
		out = append(out, m)
	}
	if c.err != nil {
		return nil, fmt.Errorf("queue pack, message %d: %w", len(out)+1, c.err)
	}
	return out, nil
}

// cursor reads a pack; after the first error it returns zeroes.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	return v * uint64(c.step(n))
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	return v * int64(c.step(n))
}

// step moves on by n bytes and returns 1, or notes that the pack ends and
// returns 0.
func (c *cursor) step(n int) int {
	if c.err != nil || n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return 1
}

func (c *cursor) bytes() []byte {
	n := c.uvarint()
	if c.err != nil || n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) fail() {
	if c.err == nil {
		c.err = fmt.Errorf("ends in the middle")
	}
	c.b = nil
}
