// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"bufio"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// sorter keeps rows in memory up to a bound and the rest in sorted runs on disk,
// which each reads together.
type sorter struct {
	bound int
	rows  []Row
	size  int
	dir   string // of the runs; "" while there is none
	runs  int
}

func newSorter(bound int) *sorter {
	if bound <= 0 {
		bound = 64 << 20
	}
	return &sorter{bound: bound}
}

func (s *sorter) add(r Row) error {
	s.rows = append(s.rows, r)
	s.size += weight(&r)
	if s.size < s.bound {
		return nil
	}
	return s.spill()
}

// weight is about what a row takes in memory.
func weight(r *Row) int {
	n := 400 + len(r.Computer) + len(r.Channel)
	for _, ps := range []Pairs{r.Matched, r.Details, r.more.Extra} {
		for _, p := range ps {
			n += 32 + len(p.Name) + len(p.Value)
		}
	}
	return n
}

func (s *sorter) sort() {
	slices.SortStableFunc(s.rows, func(a, b Row) int { return compare(&a, &b) })
}

func (s *sorter) run(i int) string { return filepath.Join(s.dir, strconv.Itoa(i)) }

// spill writes the rows in memory as a run.
func (s *sorter) spill() (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "citywall-hunt-"); err != nil {
			return fmt.Errorf("sort on disk: %w", err)
		}
	}
	s.sort()
	f, err := os.OpenFile(s.run(s.runs), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("sort on disk: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	s.runs++
	w := bufio.NewWriterSize(f, 1<<20)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := range s.rows {
		if err := e.Encode(fullRow{s.rows[i], s.rows[i].more}); err != nil {
			return fmt.Errorf("sort on disk: %w", err)
		}
	}
	s.rows, s.size = s.rows[:0], 0
	clear(s.rows[:cap(s.rows)])
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort on disk: %w", err)
	}
	return nil
}

// stream is one sorted run while it is read.
type stream struct {
	n    int // of the run: earlier ones first among equals
	cur  Row
	next func(*Row) error // io.EOF at the end
}

// streams is a heap by the row that comes next.
type streams []*stream

func (h streams) Len() int { return len(h) }
func (h streams) Less(i, j int) bool {
	if c := compare(&h[i].cur, &h[j].cur); c != 0 {
		return c < 0
	}
	return h[i].n < h[j].n
}
func (h streams) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *streams) Push(x any)   { *h = append(*h, x.(*stream)) }
func (h *streams) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (s *sorter) each(f func(*Row) error) error {
	s.sort()
	var h streams
	for i := range s.runs {
		file, err := os.Open(s.run(i))
		if err != nil {
			return fmt.Errorf("sort on disk: %w", err)
		}
		defer file.Close()
		d := json.NewDecoder(bufio.NewReaderSize(file, 256<<10))
		h = append(h, &stream{n: i, next: func(r *Row) error {
			var full fullRow
			if err := d.Decode(&full); err != nil {
				return err
			}
			*r, r.more = full.Row, full.More
			return nil
		}})
	}
	at := 0
	h = append(h, &stream{n: s.runs, next: func(r *Row) error {
		if at == len(s.rows) {
			return io.EOF
		}
		*r = s.rows[at]
		at++
		return nil
	}})
	var err error
	h = slices.DeleteFunc(h, func(x *stream) bool {
		e := x.next(&x.cur)
		if e != nil && !errors.Is(e, io.EOF) {
			err = errors.Join(err, e)
		}
		return e != nil
	})
	heap.Init(&h)
	for err == nil && len(h) > 0 {
		if err = f(&h[0].cur); err != nil {
			return err
		}
		switch e := h[0].next(&h[0].cur); {
		case errors.Is(e, io.EOF):
			heap.Pop(&h)
		case e != nil:
			err = e
		default:
			heap.Fix(&h, 0)
		}
	}
	if err != nil {
		return fmt.Errorf("sort on disk: %w", err)
	}
	return nil
}

func (s *sorter) close() error {
	s.rows = nil
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}
