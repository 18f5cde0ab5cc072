// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Format returns the decoder of Windows event logs. A record does not stand
// alone, so there is no Record function.
//
// What decoders know of templates is kept for the next file.
func Format() format.Format {
	kits := sync.Pool{New: func() any { return new(kit) }}
	return format.Format{Name: "evtx", Sniff: sniff, Decode: func(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
		k := kits.Get().(*kit)
		defer kits.Put(k)
		return decode(ctx, r, src, emit, k)
	}}
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

// decode reads a log chunk by chunk to the end of r, whatever its header says.
func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit, k *kit) (format.Stats, error) {
	d := decoder{kit: k, src: src, emit: emit, model: *src.Event("evtx", format.Pos{})}
	d.model.Product = "windows"
	d.c.lend = nil // of another file
	err := d.file(ctx, r)
	d.report()
	return d.st, err
}

// kit is what decoders of one file after another use again.
type kit struct {
	buf   []byte // one chunk
	c     chunk
	tree  builder
	flat  flattener
	run   runner
	spans []span
	raw   []byte
	slow  bool  // every record by the slow way: for tests
	ran   int64 // records that ran as programs
}

// decoder reads one file. Memory: one chunk, its templates, one record, and
// the programs of the templates so far.
type decoder struct {
	*kit
	src   format.Source
	emit  format.Emit
	st    format.Stats
	model event.Event // what all events of the file have
	ids   continuity

	quick bool // records of this chunk may run as programs

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
	if d.buf == nil {
		d.buf = make([]byte, chunkSize)
	}
	buf := d.buf
	n, err := io.ReadFull(r, buf[:fileHeader])
	if err == io.EOF {
		return nil // an empty file has nothing that could be damaged
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read file header: %w", err)
	}
	base := int64(fileHeader)
	if bytes.HasPrefix(buf[:n], chunkMagic) { // bare chunks without a file
		m, e := io.ReadFull(r, buf[n:])
		if e != nil && e != io.EOF && !errors.Is(e, io.ErrUnexpectedEOF) {
			return fmt.Errorf("read chunk: %w", e)
		}
		base = 0
		d.headerChunks = -1
		if err := d.block(buf[:n+m], 0, base); err != nil {
			return err
		}
		base += int64(n + m)
		if n+m < chunkSize {
			return nil
		}
	} else if err != nil {
		d.damage("the file ends after %d bytes, within its header", n)
		return nil
	} else {
		d.header(buf[:n])
	}
	for i := int32(base / chunkSize); ; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if e := d.block(buf[:n], i, base); e != nil {
				return e
			}
			base += int64(n)
		}
		switch {
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
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
func (d *decoder) damage(f string, args ...any) {
	d.st.Damaged++
	if d.damageNotes++; d.damageNotes <= format.MaxNotes/2 {
		d.st.Note(f, args...)
	}
}

// block reads the 64 KiB at base.
func (d *decoder) block(b []byte, n int32, base int64) error {
	if !bytes.HasPrefix(b, chunkMagic) {
		return d.noChunk(b, n, base)
	}
	d.st.Chunks++
	d.c.open(b, n, base)
	header, data := d.c.badCRC()
	if header {
		d.crcHeader = append(d.crcHeader, n)
	}
	if data {
		d.crcData = append(d.crcData, n)
	}
	spans, end, err := d.c.live(d.spans[:0])
	d.spans = spans
	before := d.st.Decoded
	if err := d.live(spans); err != nil {
		return err
	}
	if d.headerChunks >= 0 && d.st.Chunks > d.headerChunks {
		d.beyond += d.st.Decoded - before
	}
	switch {
	case d.c.cut:
		d.damage("chunk %d: the file ends within it at byte %d, live data went further", n, base+int64(len(b)))
	case err != nil && zero(b[end:min(end+recordHeader, len(b))]):
		if d.early++; d.early == 1 {
			d.earlyAt = fmt.Sprintf("chunk %d at byte %d", n, base+int64(end))
		}
	case err != nil:
		d.damage("chunk %d: the walk through live records ends at byte %d, %d bytes early: %v", n, base+int64(end), d.c.free-end, err)
	}
	if d.src.Carve {
		d.c.keepTemplates()
		return d.carveChunk(end)
	}
	return nil
}

func zero(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if le.Uint64(b) != 0 {
			return false
		}
	}
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// noChunk looks at a block without a chunk header. Files are preallocated, so
// zeroes and leftovers of the disk are normal; records are not.
func (d *decoder) noChunk(b []byte, n int32, base int64) error {
	if zero(b) {
		return nil
	}
	d.c.open(b, n, base)
	d.spans = d.c.slack(chunkHeader, d.spans[:0])
	if len(d.spans) == 0 {
		d.blocks++
		return nil
	}
	d.damage("chunk %d: the chunk header at byte %d is gone, %d records can be seen behind it", n, base, len(d.spans))
	if !d.src.Carve {
		return nil
	}
	return d.carveSpans(d.spans)
}

// live decodes the live records of the chunk: as programs where that is sure
// to say what the slow way says, and the others the slow way.
//
// The budgets of a chunk, and templates that cannot be read, make what a record
// says depend on those before it. When one of these may matter, what the slow
// way would know by now is made up for, and the rest of the chunk goes that way.
func (d *decoder) live(spans []span) error {
	d.quick = !d.slow && !d.src.Carve
	d.run.open(&d.c)
	for i, s := range spans {
		if d.quick && d.run.record(s) {
			if !d.run.over() {
				d.ran++
				if err := d.quickly(s); err != nil {
					return err
				}
				continue
			}
			d.run.drop()
			d.makeUp(spans[:i])
		}
		root, err := d.tree.record(&d.c, s)
		if d.quick && (err != nil || d.run.over()) {
			d.makeUp(spans[:i])
			root, err = d.tree.record(&d.c, s)
		}
		if err := d.record(s, root, err, false); err != nil {
			return err
		}
	}
	return nil
}

// makeUp brings the chunk to where the slow way would be after these records.
func (d *decoder) makeUp(spans []span) {
	d.quick = false
	d.c.open(d.c.b, d.c.n, d.c.base)
	for _, s := range spans {
		_, _ = d.tree.record(&d.c, s) // what it says was said
	}
}

// quickly emits the record that run holds.
func (d *decoder) quickly(s span) error {
	r := &d.run
	r.settle()
	e := r.event()
	d.begin(e, s)
	own := len(r.fields)
	r.block = r.block[:len(r.block)+own]
	e.Fields = r.fields[:own:own]
	channel, computer := r.first("Channel", roleChannel), r.first("Computer", roleComputer)
	if channel == psChannel && isPowerShell(e.Fields) {
		d.flat.f, d.flat.system = e.Fields, r.system
		d.flat.powerShell()
		e.Fields, d.flat.f = d.flat.f, nil
	}
	d.number(e, s, r.first("EventRecordID", roleRecord))
	if i := r.at[roleTime]; i >= 0 {
		e.TimeRaw = r.fields[i].Value.Text
	}
	if t := fileTime(r.stamp); r.timed && r.stamp < 1<<63 && t.Year() <= 9999 {
		if r.stamp != 0 {
			e.Time = t
		}
	} else {
		d.parseTime(e)
	}
	if d.when(e, s) {
		r.written = appendFileTime(r.written[:0], s.written)
		f := event.Field{Name: WrittenTime, Value: event.T(r.keep(r.written))}
		if len(e.Fields) == own { // the block has room for it
			r.block = append(r.block, f)
			e.Fields = r.fields[: own+1 : own+1]
		} else {
			e.Fields = append(e.Fields, f)
		}
	}
	e.Raw = r.document()
	d.ids.saw(channel, computer, e.Origin.Record, e.Time)
	d.st.Saw(e)
	return d.emit(e)
}

// record emits a record that the slow way made a tree of, or counts why there
// is none. An error is emit's.
func (d *decoder) record(s span, root *Element, err error, carved bool) error {
	at := d.c.base + int64(s.off)
	var fields event.Fields
	if err == nil {
		fields, err = d.flat.flatten(root)
	}
	if carved {
		if !d.carve.count(root, &d.tree, err) {
			return nil
		}
		for _, id := range d.tree.lent {
			fields.Add(BorrowedTemplate, fmt.Sprintf("0x%08x", id))
		}
	} else if err != nil {
		d.damage("record %d at byte %d: %v", s.id, at, err)
		return nil
	}
	e := d.event(s, root, fields)
	e.Origin.Carved = carved
	if carved {
		d.st.Carved++
	} else {
		d.ids.saw(fields.Str("Channel"), fields.Str("Computer"), e.Origin.Record, e.Time)
	}
	if d.tree.odd+d.tree.guess > 0 {
		if d.oddAt == "" {
			d.oddAt = fmt.Sprintf("%s of record %d at byte %d", d.tree.first, s.id, at)
		}
		d.odd += int64(d.tree.odd)
		d.guessed += int64(d.tree.guess)
	}
	d.st.Saw(e)
	return d.emit(e)
}

// event makes the event of a record.
func (d *decoder) event(s span, root *Element, fields event.Fields) *event.Event {
	e := &event.Event{}
	d.begin(e, s)
	e.Fields = fields
	d.number(e, s, fields.Str("EventRecordID"))
	e.TimeRaw, _ = root.Child(secSystem).Child("TimeCreated").Attr("SystemTime")
	d.parseTime(e)
	if d.when(e, s) {
		e.Fields = append(e.Fields, event.Field{Name: WrittenTime, Value: event.T(string(appendFileTime(nil, s.written)))})
	}
	d.raw = appendDoc(d.raw[:0], root, false)
	e.Raw = bytes.Clone(d.raw)
	return e
}

// begin sets what follows from where the record lies.
func (d *decoder) begin(e *event.Event, s span) {
	at := d.c.base + int64(s.off)
	*e = d.model
	e.ID = d.src.ID(uint64(at))
	e.Origin.Offset = at
	e.Origin.Chunk = d.c.n
}

// number sets the record's id: what the event itself says, else what the
// record header says.
func (d *decoder) number(e *event.Event, s span, text string) {
	e.Origin.Record = s.id
	if n, err := strconv.ParseUint(text, 10, 64); err == nil && n != 0 {
		e.Origin.Record = n
	}
}

// WrittenTime is the field for the time in the record header, FILETIME as
// text. It is ours, not Windows' (hence the underscore), and is there only
// when that time differs from the event's.
const WrittenTime = "_WrittenTime"

// BorrowedTemplate is the field of a carved event whose template was
// overwritten: the ids of the templates that were taken from live records
// instead. It is ours, not Windows'.
const BorrowedTemplate = "_BorrowedTemplate"

// parseTime sets the time that the event itself says.
func (d *decoder) parseTime(e *event.Event) {
	if e.TimeRaw != "" {
		t, assumed, err := format.Time(e.TimeRaw, d.src.Location())
		if err == nil && !t.Equal(fileTime(0)) { // 1601: the value is zero, not a time
			e.Time, e.ZoneAssumed = t, assumed
		}
	}
}

// when gives an event that says no time that of the record header, and reports
// whether the two differ.
func (d *decoder) when(e *event.Event, s span) bool {
	w := fileTime(s.written)
	usable := s.written < 1<<63 && w.Year() <= 9999
	if e.Time.IsZero() {
		d.noTime++
		if usable && s.written != 0 {
			e.Time = w
		}
		return false
	}
	return !usable || !w.Equal(e.Time.Truncate(100*time.Nanosecond))
}
