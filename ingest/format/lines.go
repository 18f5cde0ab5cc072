// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"citywall/event"
)

// ErrSkip is returned by a record function for a line that is not an event and
// not damage: a header, a marker.
var ErrSkip = errors.New("not an event")

// Line is one line and where it stands. Text is valid until the next one.
type Line struct {
	Text []byte // without the line end
	Pos  Pos
	Long bool // longer than MaxRecord: Text is its beginning only
}

// EachLine calls f for every line of r that is not blank, with its byte offset.
// A line longer than MaxRecord is passed on cut and marked, never lost in
// silence; a UTF-8 byte order mark is dropped. Text in UTF-16 with its mark comes
// as UTF-8.
func EachLine(ctx context.Context, r io.Reader, f func(Line) error) error {
	br := bufio.NewReaderSize(r, 256<<10)
	if mark, err := br.Peek(len(utf16Mark)); err == nil && bytes.Equal(mark, utf16Mark) {
		_, _ = br.Discard(len(utf16Mark)) // it was just peeked
		return eachLine16(ctx, br, f)
	}
	var off, n int64
	var long []byte
	for {
		if n&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		start := off
		buf, err := br.ReadSlice('\n')
		off += int64(len(buf))
		over := false
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long[:0], buf...)
			for errors.Is(err, bufio.ErrBufferFull) {
				buf, err = br.ReadSlice('\n')
				off += int64(len(buf))
				if len(long)+len(buf) <= MaxRecord {
					long = append(long, buf...)
				} else {
					over = true
				}
			}
			buf = long
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(buf) > 0 {
			n++
			text := bytes.TrimRight(buf, "\r\n")
			if n == 1 {
				text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
			}
			if len(bytes.TrimSpace(text)) > 0 {
				if e := f(Line{text, Pos{Offset: start, Line: n, Seq: uint64(start)}, over}); e != nil {
					return e
				}
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// Lines makes a Decode function out of a record function for formats with one
// record a line. Records are decoded on up to maxWorkers processors at once, so
// record must keep nothing from one call to the next that changes a result;
// emit is called by the caller's goroutine alone, in the order of the lines.
func Lines(record func(rec []byte, p Pos, src Source) (*event.Event, error)) func(context.Context, io.Reader, Source, Emit) (Stats, error) {
	return func(ctx context.Context, r io.Reader, src Source, emit Emit) (Stats, error) {
		return decodeLines(ctx, r, min(runtime.GOMAXPROCS(0), maxWorkers), func(l Line) (*event.Event, error) {
			return record(l.Text, l.Pos, src)
		}, emit)
	}
}

const (
	maxWorkers = 4
	pageBytes  = 128 << 10 // of lines that a worker takes at a time
	pageLines  = 256
)

// page is some lines and what became of them.
type page struct {
	text  []byte
	lines []Line // Text lies in text
	ends  []int
	out   []decoded
	done  chan struct{} // closed by the worker
}

type decoded struct {
	ev  *event.Event
	err error
}

func (p *page) add(l Line) {
	p.text = append(p.text, l.Text...) // may move: Text is set when the page is full
	p.lines, p.ends = append(p.lines, l), append(p.ends, len(p.text))
}

func (p *page) full() bool { return len(p.text) >= pageBytes || len(p.lines) >= pageLines }

// decode runs in a worker.
func (p *page) decode(record func(Line) (*event.Event, error)) {
	from := 0
	for i := range p.lines {
		l := &p.lines[i]
		l.Text = p.text[from:p.ends[i]:p.ends[i]]
		if from = p.ends[i]; l.Long {
			p.out = append(p.out, decoded{})
			continue
		}
		ev, err := record(*l)
		p.out = append(p.out, decoded{ev, err})
	}
	close(p.done)
}

// decodeLines reads in one goroutine, decodes in several and emits in the
// caller's. Both channels bound what is in memory; used pages go back to the
// reader.
func decodeLines(ctx context.Context, r io.Reader, workers int, record func(Line) (*event.Event, error), emit Emit) (Stats, error) {
	ctx, cancel := context.WithCancel(ctx)
	work := make(chan *page, workers)
	order := make(chan *page, 3*workers)
	spare := make(chan *page, 3*workers)
	var wg sync.WaitGroup
	defer wg.Wait() // the reader and the workers, once cancelled
	defer cancel()
	for range workers {
		wg.Go(func() {
			for p := range work {
				p.decode(record)
			}
		})
	}
	var readErr error // read after order is closed
	wg.Go(func() {
		defer close(order)
		defer close(work)
		readErr = readPages(ctx, r, work, order, spare)
	})
	var st Stats
	for p := range order {
		<-p.done
		for i := range p.out {
			if err := st.take(&p.lines[i], p.out[i], emit); err != nil {
				return st, err
			}
		}
		clear(p.out)
		select {
		case spare <- p:
		default:
		}
	}
	return st, readErr
}

// readPages hands every page to the workers and, in order, to the one who emits.
func readPages(ctx context.Context, r io.Reader, work, order chan<- *page, spare <-chan *page) error {
	fresh := func() *page {
		select {
		case p := <-spare:
			return &page{text: p.text[:0], lines: p.lines[:0], ends: p.ends[:0], out: p.out[:0], done: make(chan struct{})}
		default:
			return &page{done: make(chan struct{})}
		}
	}
	p := fresh()
	flush := func() error {
		if len(p.lines) == 0 {
			return nil
		}
		for _, to := range []chan<- *page{work, order} {
			select {
			case to <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		p = fresh()
		return nil
	}
	err := EachLine(ctx, r, func(l Line) error {
		if p.add(l); p.full() {
			return flush()
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, flush()) // what was read before the error counts
	}
	return flush()
}

// take counts what became of a line and passes the event on.
func (s *Stats) take(l *Line, d decoded, emit Emit) error {
	switch {
	case l.Long:
		s.Damaged++
		s.Note("line %d at byte %d is longer than %d bytes", l.Pos.Line, l.Pos.Offset, MaxRecord)
	case errors.Is(d.err, ErrSkip):
		s.Skipped++
	case d.err != nil:
		s.Damaged++
		s.Note("line %d at byte %d: %v", l.Pos.Line, l.Pos.Offset, d.err)
	default:
		s.Saw(d.ev)
		return emit(d.ev)
	}
	return nil
}
