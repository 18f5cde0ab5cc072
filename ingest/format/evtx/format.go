// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"citywall/event"
	"citywall/ingest/format"
)

// Format returns the decoder of Windows event logs. A record does not stand
// alone, so there is no Record function.
//
// What decoders know of templates is kept for the next file.
func Format() format.Format {
	return format.Format{Name: "evtx", Sniff: sniff, Decode: new(shop).decode}
}

// sniff knows a log by its magic, and a bare chunk (cut out of a disk image)
// by its own.
func sniff(head []byte) int {
	switch {
	case bytes.HasPrefix(head, fileMagic):
		return 100
	case bytes.HasPrefix(head, chunkMagic):
		return 95
	}
	return 0
}

// shop is what the decoders of all files share: kits, and the rest that they
// put away for the next file.
type shop struct {
	kits    shelf[kit]
	jobs    shelf[job]
	batches shelf[batch]
	workers int          // jobs that are decoded at a time; 0: one for each processor
	slow    bool         // every record by the slow way: for tests
	ran     atomic.Int64 // records that ran as programs
}

// shelf holds what waits for its next use, the last one on top. A sync.Pool
// would lose kits, and all they have compiled, whenever a goroutine changes its
// processor and memory is collected.
type shelf[T any] struct {
	mu   sync.Mutex
	free []*T
}

// maxShelf bounds what is kept of each kind.
const maxShelf = 64

// take returns nil when the shelf is empty.
func (s *shelf[T]) take() *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		return nil
	}
	x := s.free[n-1]
	s.free = s.free[:n-1]
	return x
}

func (s *shelf[T]) put(x *T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < maxShelf {
		s.free = append(s.free, x)
	}
}

// decode reads a log chunk by chunk to the end of r, whatever its header says.
// Chunks are decoded side by side; what they hold is emitted in the order of
// the file, by the caller's goroutine.
func (s *shop) decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	d := decoder{shop: s, src: src, emit: emit, model: *src.Event("evtx", format.Pos{})}
	d.model.Product = "windows"
	err := d.file(ctx, r)
	d.report()
	return d.st, err
}

// decoder reads one file. Memory: for each chunk at work the chunk, its
// templates, and some records; and the programs of the templates so far.
type decoder struct {
	*shop
	src   format.Source
	emit  format.Emit
	st    format.Stats
	model event.Event // what all events of the file have
	ids   continuity

	headerChunks       int
	beyond             int64 // live records in chunks beyond the header's count
	crcHeader, crcData []int32
	early              int    // chunks whose live data ends early in zeroes
	earlyAt            string // the first of them
	blocks             int    // blocks that hold no chunk and no record
	odd, guessed       int64  // values
	oddAt              string
	noTime             int64
	damageNotes        int
	carve              carveCount
}

// file reads the file header and all blocks.
func (d *decoder) file(ctx context.Context, r io.Reader) error {
	c := newCrew(d)
	defer c.dismiss()
	j := c.job()
	n, err := io.ReadFull(r, j.buf[:fileHeader])
	if err == io.EOF {
		return nil // an empty file has nothing that could be damaged
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read file header: %w", err)
	}
	have, base := 0, int64(fileHeader)
	switch {
	case bytes.HasPrefix(j.buf[:n], chunkMagic): // bare chunks without a file
		have, base = n, 0
		d.headerChunks = -1
	case err != nil:
		d.damage(fmt.Sprintf("the file ends after %d bytes, within its header", n))
		return nil
	default:
		d.header(j.buf[:n])
	}
	for i := int32(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, j.buf[have:])
		ends := err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)
		if n += have; n > 0 {
			j.b, j.n, j.base = j.buf[:n], i, base
			base += int64(n)
			i += int32((n + chunkSize - 1) / chunkSize)
			if e := c.give(ctx, j); e != nil {
				return e
			}
			if ends {
				return c.finish(ctx)
			}
			j, have = c.job(), 0
		}
		switch {
		case ends:
			return c.finish(ctx)
		case err != nil:
			if e := c.finish(ctx); e != nil {
				return e
			}
			return fmt.Errorf("read chunk %d: %w", i, err)
		}
	}
}

// header looks at the file header. It is only compared, never believed.
func (d *decoder) header(h []byte) {
	if !bytes.HasPrefix(h, fileMagic) {
		d.damage("the file header has no magic; chunks are read all the same")
		d.headerChunks = -1
		return
	}
	d.headerChunks = int(le.Uint16(h[42:]))
	if le.Uint32(h[120:])&flagNoCRC == 0 && le.Uint32(h[124:]) != crcOf(h[:120]) {
		d.st.Note("the checksum of the file header does not fit")
	}
}

// damage counts something that could not be read. Notes leave room for the
// summary at the end.
func (d *decoder) damage(what string) {
	d.st.Damaged++
	if d.damageNotes++; d.damageNotes <= format.MaxNotes/2 {
		d.st.Note("%s", what)
	}
}

// take emits the events of a batch and counts what it says.
func (d *decoder) take(p *batch) error {
	d.crcHeader = append(d.crcHeader, p.crcHeader...)
	d.crcData = append(d.crcData, p.crcData...)
	for i := range p.steps {
		s := &p.steps[i]
		e := s.e
		if s.begins {
			d.st.Chunks++
			continue
		}
		if e == nil {
			d.damage(s.damage)
			continue
		}
		if e.Origin.Carved {
			d.st.Carved++
		} else {
			d.ids.saw(s.channel, s.computer, e.Origin.Record, e.Time)
			if d.headerChunks >= 0 && d.st.Chunks > d.headerChunks {
				d.beyond++
			}
		}
		d.st.Saw(e)
		if err := d.emit(e); err != nil {
			return err
		}
	}
	if d.early == 0 {
		d.earlyAt = p.earlyAt
	}
	d.early += p.early
	if d.oddAt == "" {
		d.oddAt = p.oddAt
	}
	d.blocks += p.blocks
	d.odd += p.odd
	d.guessed += p.guessed
	d.noTime += p.noTime
	d.carve.add(p.carve)
	return nil
}
