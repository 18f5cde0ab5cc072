// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package extsort sorts more than fits in memory: what goes beyond a bound lies
// in sorted runs in a temporary folder, which are read together in the end.
//
// It promises the order of compare, equals in the order in which they came, and
// memory of about the bound and one buffer for each run. It never leaves its
// folder behind when it is closed, and is not safe for concurrent use.
package extsort

import (
	"bufio"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Codec writes items to a run and reads them back. Decode returns io.EOF at the
// end.
type Codec[T any] struct {
	Encode func(io.Writer) func(*T) error
	Decode func(io.Reader) func(*T) error
}

// Sorter takes items and gives them back in order. Its zero value is not usable.
type Sorter[T any] struct {
	bound   int
	weight  func(*T) int
	compare func(a, b *T) int
	codec   Codec[T]
	items   []T
	size    int
	dir     string // of the runs; "" while there is none
	runs    int
}

// New returns a Sorter that keeps items of so many bytes in memory, by weight.
func New[T any](bound int, weight func(*T) int, compare func(a, b *T) int, codec Codec[T]) *Sorter[T] {
	return &Sorter[T]{bound: bound, weight: weight, compare: compare, codec: codec}
}

// Add takes one item. An error is the disk's; the item is kept all the same.
func (s *Sorter[T]) Add(x T) error {
	s.items = append(s.items, x)
	s.size += s.weight(&x)
	if s.size < s.bound {
		return nil
	}
	return s.spill()
}

func (s *Sorter[T]) sort() {
	slices.SortStableFunc(s.items, func(a, b T) int { return s.compare(&a, &b) })
}

func (s *Sorter[T]) run(i int) string { return filepath.Join(s.dir, strconv.Itoa(i)) }

// spill writes the items in memory as a run.
func (s *Sorter[T]) spill() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("sort on disk: %w", err)
		}
	}()
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "citywall-sort-"); err != nil {
			return err
		}
	}
	s.sort()
	f, err := os.OpenFile(s.run(s.runs), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	put := s.codec.Encode(w)
	for i := range s.items {
		if err == nil {
			err = put(&s.items[i])
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.runs++
	clear(s.items)
	s.items, s.size = s.items[:0], 0
	return nil
}

// Runs is how many runs lie on the disk.
func (s *Sorter[T]) Runs() int { return s.runs }

// stream is one sorted run while it is read.
type stream[T any] struct {
	n    int // of the run: earlier ones first among equals
	cur  T
	next func(*T) error
}

// streams is a heap by the item that comes next.
type streams[T any] struct {
	list    []*stream[T]
	compare func(a, b *T) int
}

func (h *streams[T]) Len() int { return len(h.list) }
func (h *streams[T]) Less(i, j int) bool {
	if c := h.compare(&h.list[i].cur, &h.list[j].cur); c != 0 {
		return c < 0
	}
	return h.list[i].n < h.list[j].n
}
func (h *streams[T]) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *streams[T]) Push(x any)    { h.list = append(h.list, x.(*stream[T])) }
func (h *streams[T]) Pop() any {
	n := len(h.list) - 1
	x := h.list[n]
	h.list = h.list[:n]
	return x
}

// Each calls f for every item in order. It may be called again. The item is f's
// only until it returns.
func (s *Sorter[T]) Each(f func(*T) error) error {
	s.sort()
	h := streams[T]{compare: s.compare}
	for i := range s.runs {
		file, err := os.Open(s.run(i))
		if err != nil {
			return fmt.Errorf("sort on disk: %w", err)
		}
		defer file.Close()
		h.list = append(h.list, &stream[T]{n: i, next: s.codec.Decode(bufio.NewReaderSize(file, 256<<10))})
	}
	at := 0
	h.list = append(h.list, &stream[T]{n: s.runs, next: func(x *T) error {
		if at == len(s.items) {
			return io.EOF
		}
		*x = s.items[at]
		at++
		return nil
	}})
	var err error
	h.list = slices.DeleteFunc(h.list, func(x *stream[T]) bool {
		e := x.next(&x.cur)
		if e != nil && !errors.Is(e, io.EOF) {
			err = errors.Join(err, e)
		}
		return e != nil
	})
	heap.Init(&h)
	for err == nil && len(h.list) > 0 {
		if err := f(&h.list[0].cur); err != nil {
			return err
		}
		var fresh T
		h.list[0].cur = fresh
		switch e := h.list[0].next(&h.list[0].cur); {
		case errors.Is(e, io.EOF):
			heap.Remove(&h, 0)
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

// Close forgets everything and removes the folder.
func (s *Sorter[T]) Close() error {
	s.items, s.size, s.runs = nil, 0, 0
	if s.dir == "" {
		return nil
	}
	dir := s.dir
	s.dir = ""
	return os.RemoveAll(dir)
}
