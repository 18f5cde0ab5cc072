// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package evtxwrite writes Windows event logs (EVTX) as Windows does: chunks
// with name and template tables, one template for each shape of event, typed
// values, checksums.
//
// It promises that the same records give the same bytes, that every file is
// read back by ingest/format/evtx and by libevtx (which lacks the type Null),
// and that a text becomes the value that a decoder shows as that text. It is for exercises and tests. It
// never edits an existing log.
package evtxwrite

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	fileHeader = 4096
	maxName    = 1024 // bytes of a field or element name
	eventNS    = "http://schemas.microsoft.com/win/2004/08/events/event"
)

// ErrTooLarge is returned for a record that does not fit in a chunk (64 KiB
// with its templates). The writer can go on with the next record.
var ErrTooLarge = errors.New("record does not fit in a chunk")

// Writer writes one log. It is for one goroutine.
type Writer struct {
	w      io.WriteSeeker
	c      *chunk
	chunks uint64
	n      uint64 // records written
	lastID uint64
	err    error // of w; sticks
}

// New returns a writer of a log to w, from its current position on. The file
// header is written by Close, which seeks back.
func New(w io.WriteSeeker) *Writer { return &Writer{w: w} }

// Write adds a record. An error about the record itself leaves the log as it
// was before.
func (w *Writer) Write(r Record) error {
	if w.err != nil {
		return w.err
	}
	if r.ID == 0 {
		r.ID = w.lastID + 1
	}
	p, err := prepare(r)
	if err != nil {
		return fmt.Errorf("record %d: %w", r.ID, err)
	}
	if w.c == nil {
		w.c = newChunk(w.n + 1)
	}
	if !w.c.add(p) {
		if w.c.records == 0 {
			w.c = nil
			return fmt.Errorf("record %d: %w", r.ID, ErrTooLarge)
		}
		if err := w.flush(); err != nil {
			return err
		}
		w.c = newChunk(w.n + 1)
		if !w.c.add(p) {
			w.c = nil
			return fmt.Errorf("record %d: %w", r.ID, ErrTooLarge)
		}
	}
	w.n++
	w.lastID = r.ID
	return nil
}

// flush writes the open chunk, and room for the file header before the first.
func (w *Writer) flush() error {
	if w.chunks == 0 {
		w.put(make([]byte, fileHeader))
	}
	if w.c != nil {
		w.put(w.c.seal())
		w.chunks++
		w.c = nil
	}
	return w.err
}

func (w *Writer) put(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

// Close writes what is left and the file header. It does not close the
// underlying file.
func (w *Writer) Close() error {
	if w.c == nil && w.chunks == 0 {
		w.c = newChunk(1) // an empty log has one empty chunk
		w.c.empty()
	}
	if err := w.flush(); err != nil {
		return err
	}
	h := make([]byte, fileHeader)
	copy(h, "ElfFile\x00")
	le.PutUint64(h[16:], w.chunks-1)
	le.PutUint64(h[24:], w.lastID+1)
	le.PutUint32(h[32:], 128)
	le.PutUint16(h[36:], 1)
	le.PutUint16(h[38:], 3)
	le.PutUint16(h[40:], fileHeader)
	le.PutUint16(h[42:], uint16(w.chunks)) // wraps above 4 GiB, as Windows' own
	le.PutUint32(h[124:], crc32.ChecksumIEEE(h[:120]))
	size := int64(fileHeader + w.chunks*chunkSize)
	if _, err := w.w.Seek(-size, io.SeekCurrent); err != nil {
		return fmt.Errorf("seek to file header: %w", err)
	}
	if w.put(h); w.err != nil {
		return w.err
	}
	_, err := w.w.Seek(size-fileHeader, io.SeekCurrent)
	return err
}

// Bytes returns a whole log in memory.
func Bytes(records ...Record) ([]byte, error) {
	var m memory
	w := New(&m)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return m.b, err
}

// memory is an io.WriteSeeker over a slice.
type memory struct {
	b  []byte
	at int
}

func (m *memory) Write(p []byte) (int, error) {
	n := copy(m.b[m.at:], p)
	m.b = append(m.b, p[n:]...)
	m.at += len(p)
	return len(p), nil
}

func (m *memory) Seek(off int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || m.at+int(off) < 0 || m.at+int(off) > len(m.b) {
		return 0, errors.New("seek outside the log")
	}
	m.at += int(off)
	return int64(m.at), nil
}

// prepared is a record whose values are known to be good.
type prepared struct {
	Record
	created, written uint64 // FILETIME
	system           []slot // 0..16 of the outer template
	values           []slot // of the payload template
	key              string // of the payload template
}

// Slots of the outer template. The order is that of Windows' own template.
const (
	slotLevel, slotOpcode, slotTask, slotEventID     = 0, 1, 2, 3
	slotQualifiers, slotKeywords, slotTime, slotActi = 4, 5, 6, 7
	slotPID, slotTID, slotRecordID, slotVersion      = 8, 9, 10, 11
	slotUser, slotRelated, slotProvider, slotGUID    = 12, 13, 14, 15
	slotChannel, slotPayload                         = 16, 17
)

func prepare(r Record) (*prepared, error) {
	p := &prepared{Record: r, system: make([]slot, slotPayload)}
	var err error
	if p.created, err = filetime(r.Time); err != nil {
		return nil, err
	}
	p.written = p.created
	if !r.Written.IsZero() {
		if p.written, err = filetime(r.Written); err != nil {
			return nil, err
		}
	}
	set := func(i int, t Type, text string, use bool) {
		if err == nil && use {
			p.system[i], err = slotOf(Field{Type: t, Value: text})
		}
	}
	num := func(i int, t Type, n uint64) { set(i, t, strconv.FormatUint(n, 10), true) }
	num(slotLevel, Uint8, uint64(r.Level))
	num(slotOpcode, Uint8, uint64(r.Opcode))
	num(slotTask, Uint16, uint64(r.Task))
	num(slotEventID, Uint16, uint64(r.EventID))
	if r.Qualifiers != nil {
		num(slotQualifiers, Uint16, uint64(*r.Qualifiers))
	}
	num(slotKeywords, Hex64, r.Keywords)
	set(slotTime, FileTime, r.Time.Format(time.RFC3339Nano), true)
	set(slotActi, GUID, r.ActivityID, r.ActivityID != "")
	if r.ProcessID != 0 || r.ThreadID != 0 {
		num(slotPID, Uint32, uint64(r.ProcessID))
		num(slotTID, Uint32, uint64(r.ThreadID))
	}
	num(slotRecordID, Uint64, r.ID)
	num(slotVersion, Uint8, uint64(r.Version))
	set(slotUser, SID, r.UserSID, r.UserSID != "")
	set(slotRelated, GUID, r.RelatedActivityID, r.RelatedActivityID != "")
	set(slotProvider, String, r.Provider, r.Provider != "")
	set(slotGUID, GUID, r.ProviderGUID, r.ProviderGUID != "")
	set(slotChannel, String, r.Channel, true)
	if err != nil {
		return nil, err
	}
	if r.User != nil && (len(r.Data) > 0 || len(r.Unnamed) > 0 || r.Binary != nil) {
		return nil, errors.New("an event has EventData or UserData, not both")
	}
	return p, p.payloadValues()
}

// payloadValues encodes the payload and names its template: one for each
// provider, event, version and set of names with types.
func (p *prepared) payloadValues() error {
	var k strings.Builder
	fmt.Fprintf(&k, "%q %d %d", p.Provider, p.EventID, p.Version)
	fields := p.Data
	if p.User != nil {
		fields = p.User.Fields
		fmt.Fprintf(&k, " user %q %q", p.User.Name, p.User.Namespace)
	}
	if p.Unnamed != nil {
		s, err := slotOf(Field{Name: "Data", List: p.Unnamed})
		if err != nil {
			return err
		}
		p.values = append(p.values, s)
		k.WriteString(" unnamed")
	}
	for _, f := range fields {
		if f.Name == "" || len(f.Name) > maxName {
			return fmt.Errorf("field name %.40q: want 1 to %d bytes", f.Name, maxName)
		}
		s, err := slotOf(f)
		if err != nil {
			return err
		}
		p.values = append(p.values, s)
		fmt.Fprintf(&k, " %q:%d", f.Name, s.typ)
	}
	if p.Binary != nil {
		p.values = append(p.values, slot{Binary, p.Binary})
		k.WriteString(" binary")
	}
	for i, s := range p.values {
		if len(s.data) > 0xffff {
			return fmt.Errorf("value %d of %d bytes: %w", i, len(s.data), ErrTooLarge)
		}
	}
	p.key = k.String()
	return nil
}
