// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// kit decodes chunks, one at a time, for decoders of one file after another.
// What it finds goes out in batches.
type kit struct {
	src   *format.Source
	model event.Event
	slow  bool
	ran   int64 // records that ran as programs

	c     chunk
	tree  builder
	flat  flattener
	run   runner
	spans []span
	raw   []byte
	quick bool // records of this chunk may run as programs

	out  *batch
	send func(*batch) (*batch, error) // gives the next one to fill
}

// batch is some of what a block holds, in its order.
type batch struct {
	steps    []step
	size     int  // bytes of its documents
	ends     bool // the job
	panicked any  // with its stack

	crcHeader, crcData []int32
	early              int
	earlyAt            string
	blocks             int
	odd, guessed       int64
	oddAt              string
	noTime             int64
	carve              carveCount
}

// step is the beginning of a chunk, an event, or a place that could not be
// read.
type step struct {
	begins            bool
	e                 *event.Event
	channel, computer string
	damage            string
}

// A batch goes out when it has so many events or bytes.
const (
	batchEvents = 64
	batchBytes  = 256 << 10
)

// reset empties a batch for its next use.
func (p *batch) reset() *batch {
	clear(p.steps)
	*p = batch{steps: p.steps[:0], crcHeader: p.crcHeader[:0], crcData: p.crcData[:0]}
	return p
}

// say puts an event into the batch. An error says that nobody listens.
func (k *kit) say(e *event.Event, channel, computer string) (err error) {
	p := k.out
	p.steps = append(p.steps, step{e: e, channel: channel, computer: computer})
	if p.size += len(e.Raw); len(p.steps) >= batchEvents || p.size >= batchBytes {
		k.out, err = k.send(p)
	}
	return err
}

// damage puts something that could not be read into the batch.
func (k *kit) damage(f string, args ...any) {
	k.out.steps = append(k.out.steps, step{damage: fmt.Sprintf(f, args...)})
}

// job decodes the blocks of a job.
func (k *kit) job(j *job) error {
	for n, b := j.n, j.b; len(b) > 0; n++ {
		block := b[:min(chunkSize, len(b))]
		if err := k.block(block, n, j.base+int64(len(j.b)-len(b))); err != nil {
			return err
		}
		b = b[len(block):]
	}
	return nil
}

// block decodes the 64 KiB at base.
func (k *kit) block(b []byte, n int32, base int64) error {
	if !bytes.HasPrefix(b, chunkMagic) {
		return k.noChunk(b, n, base)
	}
	k.c.open(b, n, base)
	k.out.steps = append(k.out.steps, step{begins: true})
	header, data := k.c.badCRC()
	if header {
		k.out.crcHeader = append(k.out.crcHeader, n)
	}
	if data {
		k.out.crcData = append(k.out.crcData, n)
	}
	spans, end, err := k.c.live(k.spans[:0])
	k.spans = spans
	if err := k.live(spans); err != nil {
		return err
	}
	switch {
	case k.c.cut:
		k.damage("chunk %d: the file ends within it at byte %d, live data went further", n, base+int64(len(b)))
	case err != nil && zero(b[end:min(end+recordHeader, len(b))]):
		if k.out.early++; k.out.early == 1 {
			k.out.earlyAt = fmt.Sprintf("chunk %d at byte %d", n, base+int64(end))
		}
	case err != nil:
		k.damage("chunk %d: the walk through live records ends at byte %d, %d bytes early: %v", n, base+int64(end), k.c.free-end, err)
	}
	if k.src.Carve {
		k.c.keepTemplates()
		return k.carveChunk(end)
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
func (k *kit) noChunk(b []byte, n int32, base int64) error {
	if zero(b) {
		return nil
	}
	k.c.open(b, n, base)
	k.spans = k.c.slack(chunkHeader, k.spans[:0])
	if len(k.spans) == 0 {
		k.out.blocks++
		return nil
	}
	k.damage("chunk %d: the chunk header at byte %d is gone, %d records can be seen behind it", n, base, len(k.spans))
	if !k.src.Carve {
		return nil
	}
	return k.carveSpans(k.spans)
}

// live decodes the live records of the chunk: as programs where that is sure
// to say what the slow way says, and the others the slow way.
//
// The budgets of a chunk, and templates that cannot be read, make what a record
// says depend on those before it. When one of these may matter, what the slow
// way would know by now is made up for, and the rest of the chunk goes that way.
func (k *kit) live(spans []span) error {
	k.quick = !k.slow && !k.src.Carve
	k.run.open(&k.c)
	for i, s := range spans {
		if k.quick && k.run.record(s) {
			if !k.run.over() {
				k.ran++
				if err := k.quickly(s); err != nil {
					return err
				}
				continue
			}
			k.run.drop()
			k.makeUp(spans[:i])
		}
		root, err := k.tree.record(&k.c, s)
		if k.quick && (err != nil || k.run.over()) {
			k.makeUp(spans[:i])
			root, err = k.tree.record(&k.c, s)
		}
		if err := k.record(s, root, err, false); err != nil {
			return err
		}
	}
	return nil
}

// makeUp brings the chunk to where the slow way would be after these records.
func (k *kit) makeUp(spans []span) {
	k.quick = false
	k.c.open(k.c.b, k.c.n, k.c.base)
	for _, s := range spans {
		_, _ = k.tree.record(&k.c, s) // what it says was said
	}
}

// quickly emits the record that run holds.
func (k *kit) quickly(s span) error {
	r := &k.run
	r.settle()
	e := r.event()
	k.begin(e, s)
	own := len(r.fields)
	r.block = r.block[:len(r.block)+own]
	e.Fields = r.fields[:own:own]
	channel, computer := r.first("Channel", roleChannel), r.first("Computer", roleComputer)
	if channel == psChannel && isPowerShell(e.Fields) {
		k.flat.f, k.flat.system = e.Fields, r.system
		k.flat.powerShell()
		e.Fields, k.flat.f = k.flat.f, nil
	}
	k.number(e, s, r.first("EventRecordID", roleRecord))
	if i := r.at[roleTime]; i >= 0 {
		e.TimeRaw = r.fields[i].Value.Text
	}
	if t := fileTime(r.stamp); r.timed && r.stamp < 1<<63 && t.Year() <= 9999 {
		if r.stamp != 0 {
			e.Time = t
		}
	} else {
		k.parseTime(e)
	}
	if k.when(e, s) {
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
	return k.say(e, channel, computer)
}

// record emits a record that the slow way made a tree of, or counts why there
// is none. An error is emit's.
func (k *kit) record(s span, root *Element, err error, carved bool) error {
	at := k.c.base + int64(s.off)
	var fields event.Fields
	if err == nil {
		fields, err = k.flat.flatten(root)
	}
	if carved {
		if !k.out.carve.count(root, &k.tree, err) {
			return nil
		}
		for _, id := range k.tree.lent {
			fields.Add(BorrowedTemplate, fmt.Sprintf("0x%08x", id))
		}
	} else if err != nil {
		k.damage("record %d at byte %d: %v", s.id, at, err)
		return nil
	}
	e := k.event(s, root, fields)
	e.Origin.Carved = carved
	if k.tree.odd+k.tree.guess > 0 {
		if k.out.oddAt == "" {
			k.out.oddAt = fmt.Sprintf("%s of record %d at byte %d", k.tree.first, s.id, at)
		}
		k.out.odd += int64(k.tree.odd)
		k.out.guessed += int64(k.tree.guess)
	}
	return k.say(e, fields.Str("Channel"), fields.Str("Computer"))
}

// event makes the event of a record.
func (k *kit) event(s span, root *Element, fields event.Fields) *event.Event {
	e := &event.Event{}
	k.begin(e, s)
	e.Fields = fields
	k.number(e, s, fields.Str("EventRecordID"))
	e.TimeRaw, _ = root.Child(secSystem).Child("TimeCreated").Attr("SystemTime")
	k.parseTime(e)
	if k.when(e, s) {
		e.Fields = append(e.Fields, event.Field{Name: WrittenTime, Value: event.T(string(appendFileTime(nil, s.written)))})
	}
	k.raw = appendDoc(k.raw[:0], root, false)
	e.Raw = bytes.Clone(k.raw)
	return e
}

// begin sets what follows from where the record lies.
func (k *kit) begin(e *event.Event, s span) {
	at := k.c.base + int64(s.off)
	*e = k.model
	e.ID = k.src.ID(uint64(at))
	e.Origin.Offset = at
	e.Origin.Chunk = k.c.n
}

// number sets the record's id: what the event itself says, else what the
// record header says.
func (k *kit) number(e *event.Event, s span, text string) {
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
func (k *kit) parseTime(e *event.Event) {
	if e.TimeRaw != "" {
		t, assumed, err := format.Time(e.TimeRaw, k.src.Location())
		if err == nil && !t.Equal(fileTime(0)) { // 1601: the value is zero, not a time
			e.Time, e.ZoneAssumed = t, assumed
		}
	}
}

// when gives an event that says no time that of the record header, and reports
// whether the two differ.
func (k *kit) when(e *event.Event, s span) bool {
	w := fileTime(s.written)
	usable := s.written < 1<<63 && w.Year() <= 9999
	if e.Time.IsZero() {
		k.out.noTime++
		if usable && s.written != 0 {
			e.Time = w
		}
		return false
	}
	return !usable || !w.Equal(e.Time.Truncate(100*time.Nanosecond))
}

// carveChunk looks for deleted records between the end of live data and the
// end of the chunk.
func (k *kit) carveChunk(end int) error {
	k.spans = k.c.slack(end, k.spans[:0])
	return k.carveSpans(k.spans)
}

// carveSpans decodes records that nothing vouches for: what they refer to must
// prove itself by template id and name hash.
func (k *kit) carveSpans(spans []span) error {
	k.c.strict = true
	for _, s := range spans {
		root, err := k.tree.record(&k.c, s)
		if err := k.record(s, root, err, true); err != nil {
			return err
		}
	}
	return nil
}
