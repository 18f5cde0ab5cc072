// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/file"
	"citywall/ingest/format"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

// Undecoded is Origin.Format of an event that is only bytes: no decoder
// understood the record, and its Raw is all there is.
const Undecoded = "undecoded"

// decode makes the events of packs and passes them on. It returns an error only
// when ctx ends or a file cannot be put aside.
func (l *Live) decode(ctx context.Context, packs []queue.Delivery, out chan<- *batch) error {
	var ms []*queue.Message
	for i := range packs {
		for j := range packs[i].Messages {
			ms = append(ms, &packs[i].Messages[j])
		}
	}
	b := &batch{id: idOf(ms), packs: packs, seq: lowest(packs)}
	decoded := make([][]*event.Event, len(ms))
	begin := time.Now()
	parallel(l.cfg.workers(), len(ms), func(i int) {
		if ms[i].Blob == nil {
			decoded[i] = l.message(ctx, ms[i])
			event.KeepViews(decoded[i]) // the store, the detectors and correlation all ask
		}
	})
	l.st.busy.decode.Add(int64(time.Since(begin)))
	for i, m := range ms {
		if m.Blob != nil {
			if err := l.blob(ctx, m, packs, out); err != nil {
				return err
			}
		}
		for _, e := range decoded[i] {
			b.events, b.from = append(b.events, e), append(b.from, m)
		}
	}
	return send(ctx, out, b)
}

func send(ctx context.Context, out chan<- *batch, b *batch) error {
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// idOf names a batch by the messages in it.
func idOf(ms []*queue.Message) string {
	h := sha256.New()
	for _, m := range ms {
		fmt.Fprintf(h, "%d:%s", len(m.ID), m.ID)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func lowest(packs []queue.Delivery) uint64 {
	seq := packs[0].Seq
	for i := range packs {
		seq = min(seq, packs[i].Seq)
	}
	return seq
}

// parallel calls f(0..n-1) from up to workers goroutines and waits.
func parallel(workers, n int, f func(i int)) {
	workers = min(workers, n)
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// decoder remembers time zones; it is used by many goroutines.
type decoder struct {
	mu    sync.Mutex
	zones map[string]*time.Location
}

func (d *decoder) zone(name string) *time.Location {
	if name == "" {
		return nil // the default of format.Source
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	z, ok := d.zones[name]
	if !ok {
		z, _ = time.LoadLocation(name) // nil, the default, for a name that was valid when it was configured
		if d.zones == nil {
			d.zones = map[string]*time.Location{}
		}
		d.zones[name] = z
	}
	return z
}

func (l *Live) source(m *queue.Message) format.Source {
	s := format.Source{
		Realm: asset.Realm(m.Realm), Agency: m.Agency, Name: m.Source, File: m.File, Stream: m.Stream,
		Zone: l.decoder.zone(m.Zone), Received: m.Received.UTC(), NotAfter: m.Received.UTC(),
	}
	if len(m.CSV) > 0 {
		s.CSV = new(format.CSVMapping)
		if err := json.Unmarshal(m.CSV, s.CSV); err != nil {
			s.CSV = nil // then the CSV decoder says that it needs a mapping
		}
	}
	return s
}

// message decodes the records of m. Each one becomes an event, unless its
// decoder says that it is none.
func (l *Live) message(ctx context.Context, m *queue.Message) []*event.Event {
	if !asset.Realm(m.Realm).Valid() {
		m.Realm = string(l.cfg.Realm) // no listener writes another; the store would refuse the whole batch
	}
	src := l.source(m)
	if f, ok := ingest.ByName(m.Format); ok && (len(m.Head) > 0 || f.Joined) {
		out, whole := l.together(ctx, f, m, src)
		if whole || !f.Joined {
			return out
		}
		// A damaged line would make every line that was joined to another look
		// damaged too: each for itself, then.
	}
	out := make([]*event.Event, 0, len(m.Records))
	for i := range m.Records {
		r := &m.Records[i]
		at := received(src, r)
		e, err := l.one(r.Data, position(r), at)
		switch {
		case errors.Is(err, format.ErrSkip):
			l.sources.skipped(m, 1)
		case err != nil:
			out = append(out, l.undecoded(m, r, at, err))
		default:
			out = append(out, e)
		}
	}
	return out
}

// one decodes a record that stands alone. A decoder that panics has met a
// record that it does not understand.
func (l *Live) one(data []byte, p format.Pos, s format.Source) (e *event.Event, err error) {
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("pipeline: a decoder panicked", "source", s.Name, "stream", s.Stream, "seq", p.Seq, "panic", r)
			e, err = nil, fmt.Errorf("the decoder panicked: %v", r)
		}
	}()
	return l.record(data, p, s)
}

// together decodes records that mean something only after their header lines,
// or with each other: it gives the decoder a small file of header and records,
// and puts the events back to where the records really stand. whole is false
// when a record was damaged.
func (l *Live) together(ctx context.Context, f format.Format, m *queue.Message, src format.Source) (out []*event.Event, whole bool) {
	text := bytes.Clone(m.Head)
	starts := make([]int64, len(m.Records))
	for i := range m.Records {
		starts[i] = int64(len(text))
		text = append(append(text, m.Records[i].Data...), '\n')
	}
	got := make([]bool, len(m.Records))
	out = make([]*event.Event, 0, len(m.Records))
	st, err := decodeAll(ctx, f, text, src, func(e *event.Event) error {
		i := sort.Search(len(starts), func(i int) bool { return starts[i] > e.Origin.Offset }) - 1
		if i < 0 || starts[i] != e.Origin.Offset {
			return fmt.Errorf("decoder %s gives an event at byte %d, where no record begins", f.Name, e.Origin.Offset)
		}
		r := &m.Records[i]
		got[i] = true
		e.ID = event.NewID(src.Name, src.Stream, r.Seq)
		e.Received = received(src, r).Received
		e.Origin.Offset, e.Origin.Line = r.Offset, r.Line
		out = append(out, e)
		return nil
	})
	if err == nil && st.Damaged == 0 {
		// What gave no event of its own belongs to the one before (a CSV value
		// with a line end in it) or is none.
		l.sources.skipped(m, st.Skipped)
		return out, true
	}
	if f.Joined {
		return nil, false
	}
	if err == nil {
		err = fmt.Errorf("%d records of this message could not be read: %v", st.Damaged, st.Notes)
	}
	for i := range m.Records {
		if !got[i] {
			out = append(out, l.undecoded(m, &m.Records[i], received(src, &m.Records[i]), err))
		}
	}
	return out, false
}

func decodeAll(ctx context.Context, f format.Format, text []byte, src format.Source, emit format.Emit) (st format.Stats, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder panicked: %v", r)
		}
	}()
	return f.Decode(ctx, bytes.NewReader(text), src, emit)
}

func position(r *queue.Record) format.Pos {
	return format.Pos{Offset: r.Offset, Line: r.Line, Seq: r.Seq}
}

// received is src at the arrival of r.
func received(src format.Source, r *queue.Record) format.Source {
	src.Received = src.Received.Add(r.After)
	src.NotAfter = src.Received
	return src
}

// undecoded keeps a record as the bytes it is.
func (l *Live) undecoded(m *queue.Message, r *queue.Record, src format.Source, err error) *event.Event {
	l.st.undecoded.Add(1)
	l.sources.note(m, "%s, record %d: %v", m.Stream, r.Seq, err)
	e := src.Event(Undecoded, position(r))
	e.Fields.Add("decode_error", err.Error())
	e.Raw = bytes.Clone(r.Data)
	return e
}

// blob decodes a whole file, batch by batch, ahead of the batch that
// acknowledges it. Its ids follow from its content.
func (l *Live) blob(ctx context.Context, m *queue.Message, packs []queue.Delivery, out chan<- *batch) error {
	path, err := l.p.Queue.BlobPath(*m.Blob)
	if err != nil {
		return err
	}
	src := l.source(m)
	part := 0
	var events []*event.Event
	flush := func() error {
		if len(events) == 0 {
			return nil
		}
		event.KeepViews(events)
		b := &batch{id: fmt.Sprintf("%s/%d", idOf([]*queue.Message{m}), part), seq: lowest(packs), events: events}
		for range events {
			b.from = append(b.from, m)
		}
		part, events = part+1, nil
		for i := range packs { // it may take longer than the queue waits
			if err := packs[i].Working(); err != nil {
				l.log.Warn("pipeline: ask the queue for more time", "err", err)
			}
		}
		return send(ctx, out, b)
	}
	stats, err := readFile(ctx, path, file.Options{Realm: src.Realm, Agency: src.Agency, Zone: src.Zone, CSV: src.CSV}, func(e *event.Event) error {
		e.Source, e.Received, e.Origin.File = m.Source, m.Received.UTC(), m.File
		if events = append(events, e); len(events) < l.cfg.MaxEvents {
			return nil
		}
		return flush()
	})
	for _, st := range stats {
		l.sources.read(m, st)
		if st.Problem != "" {
			l.sources.note(m, "%s %s: %s", m.File, st.Inner, st.Problem)
		}
		for _, n := range st.Notes {
			l.sources.note(m, "%s %s: %s", m.File, st.Inner, n)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		l.sources.note(m, "%s: %v", m.File, err)
		if err := l.p.Queue.BuryBlob(*m.Blob, fmt.Errorf("%s: %w", m.File, err)); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return flush()
}

func readFile(ctx context.Context, path string, opt file.Options, emit format.Emit) (stats []file.Stat, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder panicked: %v", r)
		}
	}()
	return file.Read(ctx, []string{path}, opt, emit)
}
