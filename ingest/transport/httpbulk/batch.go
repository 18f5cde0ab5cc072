// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package httpbulk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"
	"time"

	"citywall/ingest/format"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

// together is how many messages are published at once: enough that a large
// request does not pay for a sync every 256 KiB, few enough that a request
// holds little memory.
const together = 4

// batch is one request while it is read.
type batch struct {
	sender  Sender
	key     string
	from    string
	publish Publish // nil: read only

	lines, bytes int64
	sum          hash.Hash
	ready        []queue.Message
	cur          queue.Message
	size         int
}

// read cuts the body into lines and puts them on the queue.
func (b *batch) read(ctx context.Context, body io.Reader) error {
	b.sum = sha256.New()
	in := bufio.NewReaderSize(body, 64<<10)
	var long []byte
	for n := int64(1); ; n++ {
		start := b.bytes
		line, err := in.ReadSlice('\n')
		b.count(line)
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long[:0], line...)
			for errors.Is(err, bufio.ErrBufferFull) {
				if len(long) > format.MaxRecord {
					return refuse(http.StatusRequestEntityTooLarge, fault.Invalid, "line %d is longer than %d bytes", n, format.MaxRecord)
				}
				line, err = in.ReadSlice('\n')
				b.count(line)
				long = append(long, line...)
			}
			line = long
		}
		if err != nil && err != io.EOF {
			return badBody(err)
		}
		text := bytes.TrimRight(line, "\r\n")
		if len(text) > format.MaxRecord {
			return refuse(http.StatusRequestEntityTooLarge, fault.Invalid, "line %d is longer than %d bytes", n, format.MaxRecord)
		}
		if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 {
			if b.lines == 0 && trimmed[0] == '[' {
				return refuse(http.StatusBadRequest, fault.Invalid, "this is a JSON array; send one JSON object a line, without brackets and commas around them")
			}
			b.lines++
			if err := b.add(ctx, queue.Record{Seq: uint64(n), Offset: start, Line: n, Data: text}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
	}
	b.close()
	return b.flush(ctx)
}

func (b *batch) count(p []byte) {
	b.bytes += int64(len(p))
	b.sum.Write(p)
}

func (b *batch) digest() (d [16]byte) {
	copy(d[:], b.sum.Sum(nil))
	return d
}

func (b *batch) add(ctx context.Context, r queue.Record) error {
	if b.publish == nil {
		return nil
	}
	if len(b.cur.Records) > 0 && (len(b.cur.Records) >= queue.TargetRecords || b.size+len(r.Data) > queue.TargetBytes) {
		b.close()
		if len(b.ready) == together {
			if err := b.flush(ctx); err != nil {
				return err
			}
		}
	}
	if len(b.cur.Records) == 0 {
		b.cur = queue.Message{
			Listener: "http", Source: b.sender.Source, Sender: b.from, Realm: string(b.sender.Realm), Agency: b.sender.Agency,
			Zone: b.sender.Zone, Stream: "http:" + b.key, Received: time.Now(),
		}
	}
	r.Data = bytes.Clone(r.Data)
	b.cur.Records = append(b.cur.Records, r)
	b.size += len(r.Data)
	return nil
}

// close finishes the current message. Its id says source, key, place and
// content: a repeat is recognised by the queue, and other content under the
// same key is not mistaken for one.
func (b *batch) close() {
	if len(b.cur.Records) == 0 {
		return
	}
	h := sha256.New()
	fmt.Fprintf(h, "%x", keyID(b.sender, b.key))
	for _, r := range b.cur.Records {
		fmt.Fprintf(h, "\n%d %d ", r.Seq, len(r.Data))
		h.Write(r.Data)
	}
	b.cur.ID = hex.EncodeToString(h.Sum(nil)[:16])
	b.ready = append(b.ready, b.cur)
	b.cur, b.size = queue.Message{}, 0
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.ready) == 0 {
		return nil
	}
	err := b.publish(ctx, b.ready...)
	b.ready = b.ready[:0]
	return err
}

func keyID(s Sender, key string) (id [16]byte) {
	h := sha256.New()
	for _, p := range []string{string(s.Realm), s.Source, key} {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	copy(id[:], h.Sum(nil))
	return id
}

// memory remembers the content of the last keys, the oldest forgotten first.
type memory struct {
	mu   sync.Mutex
	at   map[[16]byte][16]byte
	ring [][16]byte
	next int
}

func newMemory(n int) *memory {
	return &memory{at: map[[16]byte][16]byte{}, ring: make([][16]byte, 0, n)}
}

func (m *memory) get(id [16]byte) ([16]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.at[id]
	return d, ok
}

// put remembers a key unless it is known already, and returns what is known.
func (m *memory) put(id, digest [16]byte) ([16]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := m.at[id]; ok {
		return d, true
	}
	if len(m.ring) < cap(m.ring) {
		m.ring = append(m.ring, id)
	} else {
		delete(m.at, m.ring[m.next])
		m.ring[m.next] = id
		m.next = (m.next + 1) % len(m.ring)
	}
	m.at[id] = digest
	return digest, false
}
