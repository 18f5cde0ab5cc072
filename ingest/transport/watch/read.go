// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

const (
	passBytes = 4 << 20 // of one file, before the others have their turn
	maxHead   = 64 << 10
)

// follow reads the lines that have come since the last pass.
func (w *Watcher) follow(ctx context.Context, f *file) (more bool, err error) {
	now := w.parts.Now()
	quiet := now.Sub(f.changed)
	if f.size <= f.Offset {
		f.tail = true
		if !f.detached && quiet > keepOpen {
			f.close()
		}
		return false, nil
	}
	if f.f == nil {
		if f.f, err = os.Open(f.Path); err != nil {
			return false, err
		}
		fi, err := f.f.Stat()
		if err != nil {
			return false, err
		}
		if dev, ino := ident(fi); dev != f.Dev || ino != f.Ino || !f.samePrint(f.f) {
			f.close() // it was replaced under our hands; the next pass sees that
			return false, nil
		}
	}
	if err := w.reprint(f); err != nil {
		return false, err
	}
	n, err := f.f.ReadAt(w.buf, f.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	end := errors.Is(err, io.EOF)
	// What has no end of line is taken when nobody will write one any more.
	used, err := w.lines(ctx, f, w.buf[:n], end && quiet >= w.cfg.Stable)
	if err != nil {
		return false, err
	}
	f.tail = end
	return !end && used > 0, nil
}

// reprint lengthens the print to the first printBytes that are there, and has
// it saved before they are sent.
func (w *Watcher) reprint(f *file) error {
	n := min(f.size, printBytes)
	if n <= f.Printed {
		return nil
	}
	b := make([]byte, n)
	if _, err := f.f.ReadAt(b, 0); err != nil {
		return err
	}
	f.Print, f.Printed, w.dirty = printOf(b), n, true
	return w.save()
}

// lines puts the complete lines of b, which stands at f.Offset, on the queue
// and moves on. last says that the end of b ends a line.
func (w *Watcher) lines(ctx context.Context, f *file, b []byte, last bool) (used int, err error) {
	g := grouping{w: w, f: f, head: f.Head, line: f.Line, received: w.parts.Now()}
	for used < len(b) {
		i := bytes.IndexByte(b[used:], '\n')
		n := i + 1
		switch {
		case i > format.MaxRecord || i < 0 && len(b)-used > format.MaxRecord:
			n, i = format.MaxRecord, format.MaxRecord
			g.cut++
		case i < 0 && !last:
			i = -1
		case i < 0:
			n, i = len(b)-used, len(b)-used
		}
		if i < 0 {
			break
		}
		g.add(b[used:used+i], f.Offset+int64(used))
		used += n
	}
	g.close()
	if used == 0 {
		return 0, nil
	}
	if len(g.ms) > 0 {
		if err := w.parts.Publish(ctx, g.ms...); err != nil {
			return 0, err
		}
	}
	h, err := f.sum()
	if err != nil {
		return 0, err
	}
	h.Write(b[:used])
	if f.Hash, err = h.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		return 0, err
	}
	f.Offset, f.Line, f.Head = f.Offset+int64(used), g.line, g.head
	w.dirty = true
	w.count(func(s *Stats) { s.Records += g.records; s.Bytes += int64(used); s.Cut += g.cut })
	return used, nil
}

// grouping makes messages of lines.
type grouping struct {
	w        *Watcher
	f        *file
	head     []byte
	line     int64
	received time.Time

	ms           []queue.Message
	cur          queue.Message
	size         int
	records, cut int64
}

// add takes the line text, without its end, which stands at off.
func (g *grouping) add(text []byte, off int64) {
	g.line++
	text = bytes.TrimSuffix(text, []byte("\r"))
	if len(bytes.TrimSpace(text)) == 0 || g.header(text, off) {
		return
	}
	if len(g.cur.Records) > 0 && (len(g.cur.Records) >= queue.TargetRecords || g.size+len(text) > queue.TargetBytes) {
		g.close()
	}
	if len(g.cur.Records) == 0 {
		g.cur = g.w.message(g.f, g.received)
		g.cur.Head = g.head
	}
	g.cur.Records = append(g.cur.Records, queue.Record{Seq: uint64(off), Offset: off, Line: g.line, Data: bytes.Clone(text)})
	g.size += len(text)
	g.records++
}

// mark is the byte order mark of UTF-8, which some files begin with.
var mark = []byte("\xef\xbb\xbf")

// header keeps a line that others need to be understood, and reports whether
// text is one.
func (g *grouping) header(text []byte, off int64) bool {
	if off == 0 {
		text = bytes.TrimPrefix(text, mark)
	}
	switch {
	case (g.f.Format == "zeek" || g.f.Format == "iis") && bytes.HasPrefix(text, []byte("#")):
		g.close() // the lines before belong to the header before
		if bytes.HasPrefix(text, []byte("#separator")) || bytes.HasPrefix(text, []byte("#Software")) {
			g.head = nil
		}
		if bytes.HasPrefix(text, []byte("#close")) || len(g.head) > maxHead {
			return true
		}
	case g.f.Format == "csv" && len(g.head) == 0:
	default:
		return false
	}
	g.head = append(bytes.Clone(g.head), append(bytes.Clone(text), '\n')...)
	return true
}

func (g *grouping) close() {
	if n := len(g.cur.Records); n > 0 {
		g.cur.ID = fmt.Sprintf("%s/%d-%d", g.f.Stream, g.cur.Records[0].Offset, g.cur.Records[n-1].Offset)
		g.ms = append(g.ms, g.cur)
	}
	g.cur, g.size = queue.Message{}, 0
}

func (w *Watcher) message(f *file, received time.Time) queue.Message {
	m := queue.Message{
		Listener: "watch", Source: w.cfg.source(), Sender: f.Path, File: f.Path, Realm: string(w.cfg.Realm),
		Agency: w.cfg.Agency, Zone: w.cfg.Zone, Stream: f.Stream, Format: f.Format, Received: received, Delayed: !f.tail,
	}
	if w.cfg.CSV != nil {
		m.CSV, _ = json.Marshal(w.cfg.CSV) // strings and a map of strings
	}
	return m
}

// whole puts a file that has come to rest on the queue at once.
func (w *Watcher) whole(ctx context.Context, f *file) error {
	if f.Size == f.size && f.Mod.Equal(f.mod) {
		return nil // done, or passed over
	}
	if w.parts.Now().Sub(f.changed) < w.cfg.Stable {
		return nil
	}
	r, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer r.Close()
	if f.Stream != "" {
		return w.rest(ctx, f, r)
	}
	if why := w.unfit(f, r); why != "" {
		w.note("%s: %s", f.Path, why)
		f.Note = why
		w.done(f)
		return nil
	}
	blob, err := w.parts.PutBlob(ctx, r)
	if err != nil {
		return err
	}
	fi, err := os.Stat(f.Path)
	if err == nil && f.unchanged(fi) && blob.Size == f.size {
		m := w.message(f, w.parts.Now())
		m.ID = "file:" + blob.SHA256 + ":" + w.cfg.source()
		m.Blob, m.Delayed = &blob, true
		if err = w.parts.Publish(ctx, m); err == nil {
			w.done(f)
			w.count(func(s *Stats) { s.Whole++ })
			return nil
		}
	}
	f.changed = w.parts.Now() // it changed while it was copied, or the queue had no room
	if fault.Is(err, fault.Busy) || fault.Is(err, fault.Unavailable) {
		f.changed = f.changed.Add(-w.cfg.Stable)
	}
	return errors.Join(err, w.parts.DropBlob(blob))
}

// unfit says why a file is not worth copying.
func (w *Watcher) unfit(f *file, r io.ReaderAt) string {
	if f.size > w.cfg.MaxWhole {
		return fmt.Sprintf("%d bytes are more than max_whole (%d); unpack or split it", f.size, w.cfg.MaxWhole)
	}
	head := make([]byte, 4096)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	if _, ok := ingest.Recognise(head[:n]); !ok && !archive(head[:n]) && w.cfg.CSV == nil {
		return "not a log of a known format"
	}
	return ""
}

// rest reads what a compressed copy has beyond what was read before it was
// compressed.
func (w *Watcher) rest(ctx context.Context, f *file, r io.Reader) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	if same, _, err := f.begins(z); err != nil || !same {
		if err == nil {
			f.Stream, f.Offset = "", 0 // another file by now: read it whole
		}
		return err
	}
	fill := 0
	for end := false; !end; {
		n, err := io.ReadFull(z, w.buf[fill:])
		fill += n
		end = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return err
		}
		used, err := w.lines(ctx, f, w.buf[:fill], end)
		if err != nil {
			return err
		}
		fill = copy(w.buf, w.buf[used:fill])
	}
	w.done(f)
	return nil
}

func (w *Watcher) done(f *file) {
	f.Size, f.Mod, w.dirty = f.size, f.mod, true
}
