// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && cgo && !noduckdb

package clickhouse_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/clickhouse"
	"citywall/eventstore/clickhouse/chtest"
	"citywall/eventstore/duck"
	"citywall/eventstore/storetest"
	"citywall/identity"
)

var (
	city     = identity.Scope{Realm: asset.City}
	midnight = time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	day      = eventstore.Query{From: midnight, To: midnight.Add(24 * time.Hour)}
)

// engine is a store with what it costs.
type engine struct {
	name  string
	store eventstore.Store
	cpu   func(b *testing.B) time.Duration // of this process and of servers
	bytes func(b *testing.B) int64
}

// engines opens both, one after the other.
func engines(b *testing.B, f func(b *testing.B, e engine)) {
	own := func(b *testing.B) time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.Run("duckdb", func(b *testing.B) {
		dir := b.TempDir()
		s, err := duck.Open(b.Context(), duck.Options{Dir: dir, Threads: 2})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		f(b, engine{"duckdb", s, own, func(b *testing.B) (n int64) {
			err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				i, err := d.Info()
				if err == nil {
					n += i.Size()
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			return n
		}})
	})
	b.Run("clickhouse", func(b *testing.B) {
		c := chtest.Start(b, 2)
		s, err := clickhouse.Open(b.Context(), clickhouse.Options{Addrs: c.Addrs, Cluster: chtest.Name, Database: "bench", OwnDays: 10000})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		f(b, engine{"clickhouse", s, func(b *testing.B) time.Duration { return own(b) + c.CPU(b) }, func(b *testing.B) int64 { return c.Bytes(b) }})
	})
}

// BenchmarkAppend measures ingest on both engines in one run, by size of batch:
// processor seconds per million events, servers and their merging included; the
// making of events is not counted.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 5_000, 50_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			engines(b, func(b *testing.B, e engine) {
				tr := storetest.NewTraffic(1, midnight, 160*time.Microsecond)
				var used time.Duration
				n := 0
				for b.Loop() {
					b.StopTimer()
					batch := tr.Batch(fmt.Sprint("m", n), size)
					c := e.cpu(b)
					b.StartTimer()
					if err := e.store.Append(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					used += e.cpu(b) - c
					n += size
					b.StartTimer()
				}
				b.ReportMetric(used.Seconds()/float64(n)*1e6, "cpu-s/M")
				b.ReportMetric(float64(e.bytes(b))/float64(n), "B/event")
			})
		})
	}
}

// BenchmarkAsk measures what people and pages ask on both engines in one run:
// processor milliseconds and wall time on the events of a day.
func BenchmarkAsk(b *testing.B) {
	const events = 500_000
	engines(b, func(b *testing.B, e engine) {
		tr := storetest.NewTraffic(1, midnight, 24*time.Hour/events)
		for i := range events / 20_000 {
			if err := e.store.Append(b.Context(), tr.Batch(fmt.Sprint(i), 20_000)); err != nil {
				b.Fatal(err)
			}
		}
		cond := func(field string, op eventstore.Op, value string) eventstore.Filter {
			return eventstore.Cond{Field: field, Op: op, Value: value}
		}
		search := func(f eventstore.Filter) func() (int, error) {
			return func() (int, error) {
				q := day
				q.Filter = f
				p, err := e.store.Search(b.Context(), city, q)
				return len(p.Events), err
			}
		}
		top := func(field string) func() (int, error) {
			return func() (int, error) {
				c, err := e.store.Top(b.Context(), city, day, field, 20)
				return len(c), err
			}
		}
		first, err := e.store.Search(b.Context(), city, day)
		if err != nil {
			b.Fatal(err)
		}
		for _, ask := range []struct {
			name string
			f    func() (int, error)
		}{
			{"latest 100", search(nil)},
			{"host and event id", search(eventstore.And{cond("host", eventstore.Eq, "pc0007"), cond("event_id", eventstore.Eq, "4625")})},
			{"substring of command", search(cond("command", eventstore.Contains, "delete shadows"))},
			{"word that is nowhere", search(eventstore.Word("mimikatz"))},
			{"native field", search(cond("TargetLogonId", eventstore.Eq, "0x1a2b3c4d"))},
			{"native number", search(cond("sentbyte", eventstore.Gt, "1048000"))},
			{"network", search(cond("src_ip", eventstore.CIDR, "10.2.3.0/28"))},
			{"count", func() (int, error) { n, err := e.store.Count(b.Context(), city, day); return int(n), err }},
			{"histogram by hour", func() (int, error) {
				h, err := e.store.Histogram(b.Context(), city, day, time.Hour)
				return len(h), err
			}},
			{"top src_ip", top("src_ip")},
			{"top native", top("LogonProcessName")},
			{"get", func() (int, error) { _, err := e.store.Get(b.Context(), city, first.Events[0].ID); return 1, err }},
			{"each of one host", func() (int, error) {
				q, n := day, 0
				q.Filter = cond("host", eventstore.Eq, "pc0000")
				err := e.store.Each(b.Context(), city, q, func(*event.Event) error { n++; return nil })
				return n, err
			}},
		} {
			b.Run(ask.name, func(b *testing.B) {
				rows := 0
				var err error
				c := e.cpu(b)
				for b.Loop() {
					if rows, err = ask.f(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(rows), "rows")
				b.ReportMetric(float64((e.cpu(b)-c).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
	})
}
