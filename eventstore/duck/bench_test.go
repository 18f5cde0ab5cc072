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

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/storetest"
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
			s, err := Open(b.Context(), Options{Dir: b.TempDir(), Threads: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			tr := storetest.NewTraffic(1, time.Date(2026, 10, 20, 1, 0, 0, 0, time.UTC), 160*time.Microsecond)
			var used time.Duration
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				batch := tr.Batch(fmt.Sprint("m", n), size)
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
	tr := storetest.NewTraffic(1, time.Date(2026, 10, 20, 1, 0, 0, 0, time.UTC), 160*time.Microsecond)
	var used time.Duration
	var line []byte
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		batch := tr.Batch("", size)
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

// BenchmarkAgain measures a batch that comes again under another name: all of
// its events are found to be known. The store holds a million events of a day.
func BenchmarkAgain(b *testing.B) {
	s, tr := million(b)
	batch := tr.Batch("first", 5_000)
	if err := s.Append(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	n := 0
	var used time.Duration
	for b.Loop() {
		n++
		batch.MsgID = fmt.Sprint("again", n)
		c := cpu(b)
		if err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		used += cpu(b) - c
	}
	perMillion(b, n*len(batch.Events), used)
}

// million opens a store of a million events of one day, in order of arrival.
func million(b *testing.B) (*Store, *storetest.Traffic) {
	b.Helper()
	s, err := Open(b.Context(), Options{Dir: b.TempDir(), Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	tr := storetest.NewTraffic(1, noon.Truncate(24*time.Hour), 85*time.Millisecond)
	for i := range 50 {
		if err := s.Append(b.Context(), tr.Batch(fmt.Sprint(i), 20_000)); err != nil {
			b.Fatal(err)
		}
	}
	return s, tr
}

// BenchmarkAsk measures what people and pages ask, on a million events of one
// day.
func BenchmarkAsk(b *testing.B) {
	s, _ := million(b)
	day := eventstore.Query{From: noon.Truncate(24 * time.Hour), To: noon.Truncate(24 * time.Hour).Add(24 * time.Hour)}
	cond := func(field string, op eventstore.Op, value string) eventstore.Filter {
		return eventstore.Cond{Field: field, Op: op, Value: value}
	}
	search := func(f eventstore.Filter) func() (int, error) {
		return func() (int, error) {
			q := day
			q.Filter = f
			p, err := s.Search(b.Context(), city, q)
			return len(p.Events), err
		}
	}
	top := func(field string) func() (int, error) {
		return func() (int, error) {
			c, err := s.Top(b.Context(), city, day, field, 20)
			return len(c), err
		}
	}
	first, err := s.Search(b.Context(), city, day)
	if err != nil {
		b.Fatal(err)
	}
	for _, ask := range []struct {
		name string
		f    func() (int, error)
	}{
		{"latest 100", search(nil)},
		{"page 2", func() (int, error) {
			q := day
			q.After = first.Next
			p, err := s.Search(b.Context(), city, q)
			return len(p.Events), err
		}},
		{"host and event id", search(eventstore.And{cond("host", eventstore.Eq, "pc0007"), cond("event_id", eventstore.Eq, "4625")})},
		{"substring of command", search(cond("command", eventstore.Contains, "delete shadows"))},
		{"word", search(eventstore.Word("delete shadows"))},
		{"word that is nowhere", search(eventstore.Word("mimikatz"))},
		{"native field", search(cond("TargetLogonId", eventstore.Eq, "0x1a2b3c4d"))},
		{"native field of any case", search(cond("targetusername", eventstore.Eq, "user77"))},
		{"native number", search(cond("sentbyte", eventstore.Gt, "1048000"))},
		{"network", search(cond("src_ip", eventstore.CIDR, "10.2.3.0/28"))},
		{"network of a native field", search(cond("IpAddress", eventstore.CIDR, "10.2.3.0/28"))},
		{"count", func() (int, error) { n, err := s.Count(b.Context(), city, day); return int(n), err }},
		{"histogram by minute", func() (int, error) { h, err := s.Histogram(b.Context(), city, day, time.Minute); return len(h), err }},
		{"top src_ip", top("src_ip")},
		{"top native", top("LogonProcessName")},
		{"get", func() (int, error) { _, err := s.Get(b.Context(), city, first.Events[0].ID); return 1, err }},
		{"each of one host", func() (int, error) {
			q, n := day, 0
			q.Filter = cond("host", eventstore.Eq, "pc0000")
			err := s.Each(b.Context(), city, q, func(*event.Event) error { n++; return nil })
			return n, err
		}},
	} {
		b.Run(ask.name, func(b *testing.B) {
			b.ReportAllocs()
			rows := 0
			var err error
			c := cpu(b)
			for b.Loop() {
				if rows, err = ask.f(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(float64((cpu(b)-c).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
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
