// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package speed measures detection: what decoding costs, what matching costs,
// both together over real files, and whether memory stays flat on a log as large
// as one likes.
//
// It promises that decoding and matching are measured over the same records,
// that the first pass (cold: buckets are built, memory grows) stands beside later
// ones, that each layer of the matcher is left out in turn with findings
// unchanged, and that what is generated is said to be. It asserts no time.
package speed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/ingest/file"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx"
	"citywall/pipeline/batch"
)

// Options of one measurement.
type Options struct {
	Paths  []string // evidence: files, folders, archives
	Sets   []sigma.Set
	Passes int                  // warm passes; the best counts
	CPU    func() time.Duration // processor time of the process so far
	Told   func(step string)    // progress; may be nil
}

// Cost is what one step took, best of its passes.
type Cost struct {
	Records int64         `json:"records"`
	CPU     time.Duration `json:"cpu_ns"`  // user and system, of all threads
	Wall    time.Duration `json:"wall_ns"` // by the clock
	Bytes   uint64        `json:"bytes"`   // allocated
	Allocs  uint64        `json:"allocs"`
}

// PerRecord is the processor time of one record.
func (c Cost) PerRecord() time.Duration {
	if c.Records == 0 {
		return 0
	}
	return c.CPU / time.Duration(c.Records)
}

// PerCore is how many records one core does in a second.
func (c Cost) PerCore() float64 {
	if c.CPU <= 0 {
		return 0
	}
	return float64(c.Records) / c.CPU.Seconds()
}

// Layer is what matching costs when a part is left out.
type Layer struct {
	Without string `json:"without"`
	Match   Cost   `json:"match"`
}

// Result is one measurement.
type Result struct {
	Rules     int           `json:"rules"`
	Load      time.Duration `json:"load_ns"` // processor time to read and compile the rules
	Findings  int64         `json:"findings"`
	Decode    Cost          `json:"decode"`     // files into events, reading and hashing them included
	Memory    Cost          `json:"memory"`     // the same for Windows logs that are in memory and have their hash; none in archives
	MatchCold Cost          `json:"match_cold"` // first pass over them
	Match     Cost          `json:"match"`      // later passes
	Whole     Cost          `json:"whole"`      // files into findings, rules loaded and warm
	Layers    []Layer       `json:"layers"`
}

// maxEvents bounds the events that are held in memory to be matched again.
const maxEvents = 2_000_000

// Run measures. Nothing else should run in the process meanwhile.
func Run(ctx context.Context, o Options) (Result, error) {
	var r Result
	told := o.Told
	if told == nil {
		told = func(string) {}
	}
	told("load rules")
	from := o.CPU()
	engine, rep, err := sigma.Load(o.Sets, sigma.Options{})
	if err != nil {
		return r, err
	}
	r.Rules, r.Load = rep.Loaded, o.CPU()-from

	var events []*event.Event
	read := func(emit format.Emit) func() (int64, error) {
		return func() (n int64, err error) {
			_, err = file.Read(ctx, o.Paths, file.Options{}, func(e *event.Event) error {
				n++
				return emit(e)
			})
			return n, err
		}
	}
	if _, err := read(func(e *event.Event) error {
		if len(events) == maxEvents {
			return fmt.Errorf("more than %d records: measure on less evidence", maxEvents)
		}
		events = append(events, e)
		return nil
	})(); err != nil {
		return r, err
	}
	if len(events) == 0 {
		return r, errors.New("the evidence holds no record")
	}
	passes := max(o.Passes, 1)
	told("decode")
	if r.Decode, err = o.best(passes, read(func(*event.Event) error { return nil })); err != nil {
		return r, err
	}
	told("decode from memory")
	if r.Memory, err = o.fromMemory(ctx, passes); err != nil {
		return r, err
	}
	told("match")
	match := func(m *sigma.Matcher, found *int64) func() (int64, error) {
		return func() (int64, error) {
			*found = 0
			for _, e := range events {
				*found += int64(len(m.Match(e)))
			}
			return int64(len(events)), ctx.Err()
		}
	}
	m := engine.NewMatcher()
	events[0].View() // the tables of views are read once in a process, whoever asks first
	if r.MatchCold, err = o.best(1, match(m, &r.Findings)); err != nil {
		return r, err
	}
	var warm int64
	if r.Match, err = o.best(passes, match(m, &warm)); err != nil {
		return r, err
	}
	told("decode and match")
	if r.Whole, err = o.best(passes, func() (n int64, err error) {
		_, err = file.Read(ctx, o.Paths, file.Options{}, func(e *event.Event) error {
			n++
			m.Match(e)
			return nil
		})
		return n, err
	}); err != nil {
		return r, err
	}
	for i, name := range sigma.LayerNames() {
		told("match without " + name)
		e, _, err := sigma.Load(o.Sets, sigma.Options{Without: 1 << i})
		if err != nil {
			return r, err
		}
		var found int64
		lm := e.NewMatcher()
		run := match(lm, &found)
		if _, err := run(); err != nil { // cold
			return r, err
		}
		if found != r.Findings {
			return r, fmt.Errorf("without %s there are %d findings, with it %d: the layer changes the answer", name, found, r.Findings)
		}
		c, err := o.best(1, run)
		if err != nil {
			return r, err
		}
		r.Layers = append(r.Layers, Layer{name, c})
	}
	return r, nil
}

// best measures f so many times and returns the pass with the least processor
// time.
func (o *Options) best(passes int, f func() (int64, error)) (Cost, error) {
	var best Cost
	for i := range passes {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		cpu, begun := o.CPU(), time.Now()
		n, err := f()
		c := Cost{Records: n, CPU: o.CPU() - cpu, Wall: time.Since(begun)}
		if err != nil {
			return c, err
		}
		runtime.ReadMemStats(&after)
		c.Bytes, c.Allocs = after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
		if i == 0 || c.CPU < best.CPU {
			best = c
		}
	}
	return best, nil
}

// fromMemory decodes the Windows logs among the evidence, once they are in
// memory, and with the hash that events are named by given: what is left is the
// decoder.
func (o *Options) fromMemory(ctx context.Context, passes int) (Cost, error) {
	var logs [][]byte
	size := 0
	if err := eachLog(o.Paths, func(b []byte) bool {
		logs = append(logs, b)
		size += len(b)
		return size >= maxLogs
	}); err != nil {
		return Cost{}, err
	}
	decode := evtx.Format().Decode
	return o.best(passes, func() (n int64, err error) {
		for i, b := range logs {
			src := format.Source{Realm: asset.City, File: "log", SHA256: fmt.Sprintf("%064d", i)}
			st, err := decode(ctx, bytes.NewReader(b), src, func(*event.Event) error { return nil })
			if n += st.Decoded; err != nil {
				return n, err
			}
		}
		return n, nil
	})
}

// Grown is what a large log took.
type Grown struct {
	Size     int64         `json:"size"` // bytes of the log
	Records  int64         `json:"records"`
	Findings int64         `json:"findings"`
	CPU      time.Duration `json:"cpu_ns"`
	Wall     time.Duration `json:"wall_ns"`
	Live     []uint64      `json:"live"` // memory in use at every tenth of the log, bytes after collection
}

// Grow decodes and matches one generated Windows log of so many bytes: the
// chunks of the logs in Paths over and over. Nothing of it lies on the disk.
func Grow(ctx context.Context, o Options, size int64) (Grown, error) {
	g := Grown{Size: size}
	src, err := newEndless(o.Paths, size)
	if err != nil {
		return g, err
	}
	engine, _, err := sigma.Load(o.Sets, sigma.Options{})
	if err != nil {
		return g, err
	}
	src.tenth = func() {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		g.Live = append(g.Live, m.HeapAlloc)
		if o.Told != nil {
			o.Told(fmt.Sprintf("%d of 10 parts read", len(g.Live)))
		}
	}
	cpu, begun := o.CPU(), time.Now()
	_, err = batch.Detect(ctx, func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		_, err := evtx.Format().Decode(ctx, src, format.Source{File: "generated", Realm: asset.City}, emit)
		return nil, err
	}, engine, 0, func(e *event.Event, fs []detect.Finding) error {
		if e != nil {
			g.Records++
		}
		g.Findings += int64(len(fs))
		return nil
	})
	g.CPU, g.Wall = o.CPU()-cpu, time.Since(begun)
	return g, err
}

const (
	evtxHeader = 4096
	evtxChunk  = 65536
	maxLogs    = 256 << 20 // bytes of logs that are held in memory
)

// endless reads as one log whose chunks are those of some files in turn.
type endless struct {
	chunks []byte
	left   int64
	every  int64 // bytes between calls of tenth
	next   int64
	at     int
	head   []byte
	tenth  func()
}

// eachLog calls f for the Windows logs in paths, archives not included, until
// it has enough.
func eachLog(paths []string, f func(b []byte) (enough bool)) error {
	for _, root := range paths {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(p)
			if err != nil || len(b) < evtxHeader || string(b[:7]) != "ElfFile" {
				return err
			}
			if f(b) {
				return filepath.SkipAll
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// newEndless takes the chunks of the Windows logs in paths, at most 256 MiB.
func newEndless(paths []string, size int64) (*endless, error) {
	e := &endless{left: size, every: max(size/10, 1)}
	e.next = size - e.every
	err := eachLog(paths, func(b []byte) bool {
		if len(b) >= evtxHeader+evtxChunk && e.head == nil {
			e.head = b[:evtxHeader]
		}
		for b = b[evtxHeader:]; len(b) >= evtxChunk && len(e.chunks) < maxLogs; b = b[evtxChunk:] {
			if string(b[:7]) == "ElfChnk" {
				e.chunks = append(e.chunks, b[:evtxChunk]...)
			}
		}
		return len(e.chunks) >= maxLogs
	})
	if err != nil {
		return nil, err
	}
	if len(e.chunks) == 0 {
		return nil, errors.New("no Windows log with a whole chunk among the files")
	}
	return e, nil
}

func (e *endless) Read(p []byte) (n int, err error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	if len(e.head) > 0 {
		n = copy(p, e.head)
		e.head = e.head[n:]
	} else {
		n = copy(p[:min(int64(len(p)), e.left)], e.chunks[e.at:])
		e.at = (e.at + n) % len(e.chunks)
	}
	if e.left -= int64(n); e.left <= e.next {
		e.next -= e.every
		if e.tenth != nil {
			e.tenth()
		}
	}
	return n, nil
}
