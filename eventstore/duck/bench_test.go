// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"citywall/eventstore"
)

// cpu is the processor time of this process so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perMillion reports events a second and processor seconds per million.
func perMillion(b *testing.B, events int, used time.Duration) {
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(used.Seconds()/float64(events)*1e6, "cpu-s/M")
}

// BenchmarkAppend measures ingest by size of batch; the making of events is
// not counted. Compare with BenchmarkFloor, which only writes the same events
// to a file as JSON lines.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 5_000, 50_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, err := Open(b.Context(), Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			tr := newTraffic(1, time.Date(2026, 10, 20, 1, 0, 0, 0, time.UTC), 160*time.Microsecond)
			var used time.Duration
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				batch := tr.batch(fmt.Sprint("m", n), size)
				c := cpu(b)
				b.StartTimer()
				if err := s.Append(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				used += cpu(b) - c
				n += size
				b.StartTimer()
			}
			perMillion(b, n, used)
			b.ReportMetric(float64(folderSize(b, s.opt.Dir))/float64(n), "B/event")
		})
	}
}

// BenchmarkFloor is the least that keeping an event can cost: its fields and
// raw bytes as one line in a file, synced per batch.
func BenchmarkFloor(b *testing.B) {
	const size = 5_000
	f, err := os.Create(filepath.Join(b.TempDir(), "lines"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	tr := newTraffic(1, time.Date(2026, 10, 20, 1, 0, 0, 0, time.UTC), 160*time.Microsecond)
	var used time.Duration
	var line []byte
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		batch := tr.batch("", size)
		c := cpu(b)
		b.StartTimer()
		for _, e := range batch.Events {
			line = append(eventstore.AppendFields(append(line[:0], e.ID.String()...), e.Fields), e.Raw...)
			if _, err := w.Write(append(line, '\n')); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		used += cpu(b) - c
		n += size
		b.StartTimer()
	}
	perMillion(b, n, used)
}

func folderSize(b *testing.B, dir string) (n int64) {
	err := filepath.Walk(dir, func(_ string, i os.FileInfo, err error) error {
		if err == nil && i.Mode().IsRegular() {
			n += i.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
