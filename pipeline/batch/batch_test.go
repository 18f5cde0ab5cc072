// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/ingest/format"
	"citywall/ingest/format/csvlog"
	"citywall/internal/shared"
	ownrules "citywall/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testRules = `title: Failed logon
name: failed
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0013
status: test
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 4625}
  condition: sel
level: critical
tags: [attack.credential-access, attack.t1110]
---
title: Log cleared
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0015
status: test
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 1102}
  condition: sel
level: high
tags: [attack.defense-evasion]
---
title: Many failed logons
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0014
status: test
correlation:
  type: event_count
  rules: [failed]
  generate: true
  group-by: [Computer]
  timespan: 10m
  condition: {gte: 5}
level: high
`

func engine(t testing.TB) *sigma.Engine {
	t.Helper()
	e, rep, err := sigma.Load([]sigma.Set{{Name: "t", FS: fstest.MapFS{"r.yml": {Data: []byte(testRules)}}}}, sigma.Options{Batch: true})
	if err != nil || len(e.Rules()) < 2 {
		t.Fatal(err, rep)
	}
	return e
}

var t0 = time.Date(2026, 10, 20, 8, 0, 0, 0, time.UTC)

func record(i int) *event.Event {
	s := format.Source{Realm: "police", Name: "a.json", File: "a.json", SHA256: "aa"}
	e := s.Event("jsonl", format.Pos{Offset: int64(i), Line: int64(i + 1), Seq: uint64(i)})
	e.Time, e.Product = t0.Add(time.Duration(i)*time.Second), "windows"
	e.Fields.Add("Channel", "Security")
	e.Fields.Add("EventID", []string{"4624", "4625", "1102", "4634"}[i%4])
	e.Fields.Add("Computer", fmt.Sprintf("srv-%d", i%3))
	e.Fields.Add("TargetUserName", "lin")
	e.Fields.Add("IpAddress", fmt.Sprintf("10.1.2.%d", i%5+1))
	e.Fields.Add("LogonType", "3")
	return e
}

func reading(n int) func(context.Context, format.Emit) ([]incident.SourceStat, error) {
	return func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		for i := range n {
			if err := emit(record(i)); err != nil {
				return nil, err
			}
		}
		return []incident.SourceStat{{File: "a.json", SHA256: "aa", Records: int64(n)}}, ctx.Err()
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The number of workers does not show in the result.
func TestWorkers(t *testing.T) {
	const n = 3*chunk + 17
	var want string
	for _, workers := range []int{1, 2, 7} {
		res, err := Investigate(t.Context(), Options{Read: reading(n), Engine: engine(t), Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		got := asJSON(t, res)
		if want == "" {
			want = got
			counts := map[string]int64{}
			for _, r := range res.ByRule {
				counts[r.Rule.Title] = r.Count
			}
			if counts["Failed logon"] != n/4 || counts["Log cleared"] != n/4 || counts["Many failed logons"] == 0 || len(res.Incidents) == 0 {
				t.Errorf("counts %v, %d incidents", counts, len(res.Incidents))
			}
			if res.Findings != counts["Failed logon"]+counts["Log cleared"]+counts["Many failed logons"] {
				t.Errorf("%d findings in all", res.Findings)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d workers: %s", workers, d)
		}
	}
}

func TestNothing(t *testing.T) {
	res, err := Investigate(t.Context(), Options{Read: reading(0), Engine: engine(t)})
	if err != nil || res.Findings != 0 || len(res.Incidents) != 0 || res.ByRule == nil {
		t.Errorf("%+v, %v", res, err)
	}
}

// A file beside its copy gives what the file alone gives, and says so.
func TestCopiesCountOnce(t *testing.T) {
	alone, err := Investigate(t.Context(), Options{Read: reading(200), Engine: engine(t)})
	if err != nil {
		t.Fatal(err)
	}
	both, err := Investigate(t.Context(), Options{Engine: engine(t), Read: func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		st, err := reading(200)(ctx, emit)
		if err != nil {
			return nil, err
		}
		for i := range 200 {
			e := record(i)
			e.Origin.File, e.Origin.Inner = "all.zip", "a.json"
			if err := emit(e); err != nil {
				return nil, err
			}
		}
		return append(st, incident.SourceStat{File: "all.zip", Inner: "a.json", SHA256: "aa", Records: 200}), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(both.Sources) != 2 || len(both.Sources[0].Notes) != 0 || !strings.Contains(strings.Join(both.Sources[1].Notes, ""), "the same bytes as a.json") {
		t.Errorf("sources %+v", both.Sources)
	}
	both.Sources = alone.Sources
	if d := cmp.Diff(asJSON(t, alone), asJSON(t, both)); d != "" {
		t.Error(d)
	}
}

// An error in the middle ends everything that runs.
func TestErrors(t *testing.T) {
	broken := errors.New("disk gone")
	for name, c := range map[string]struct {
		read func(context.Context, context.CancelFunc, format.Emit) error
		want error
	}{
		"reading fails": {func(_ context.Context, _ context.CancelFunc, emit format.Emit) error {
			for i := range 5 * chunk {
				if err := emit(record(i)); err != nil {
					return err
				}
			}
			return broken
		}, broken},
		"given up": {func(ctx context.Context, cancel context.CancelFunc, emit format.Emit) error {
			for i := range 5 * chunk {
				if i == 2*chunk {
					cancel()
				}
				if err := emit(record(i)); err != nil {
					return err
				}
			}
			return ctx.Err()
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := Investigate(ctx, Options{Engine: engine(t), Read: func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error) {
				return nil, c.read(ctx, cancel, emit)
			}})
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// Events do not pile up: after every so many, those that can still be reached
// are a few chunks.
func TestEventsAreLetGo(t *testing.T) {
	const n = 100 * chunk
	const workers = 2
	var alive, most atomic.Int64
	_, err := Investigate(t.Context(), Options{Engine: engine(t), Workers: workers, Read: func(_ context.Context, emit format.Emit) ([]incident.SourceStat, error) {
		for i := range n {
			e := record(i)
			alive.Add(1)
			runtime.AddCleanup(e, func(struct{}) { alive.Add(-1) }, struct{}{})
			if err := emit(e); err != nil {
				return nil, err
			}
			if i%(20*chunk) == 20*chunk-1 {
				runtime.GC()
				// Cleanups run in their own time.
				for range 100 {
					if alive.Load() < 12*workers*chunk {
						break
					}
					time.Sleep(time.Millisecond)
				}
				most.Store(max(most.Load(), alive.Load()))
			}
		}
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if most.Load() >= 12*workers*chunk {
		t.Errorf("%d events of %d were held at once", most.Load(), n)
	}
}

// BenchmarkAIT investigates the largest alert file (473,104 rows), without its
// label columns: once, and five times over with each repeat a month later, which
// is what a whole data set of that kind amounts to.
func BenchmarkAIT(b *testing.B) {
	rows := unlabelled(b, "casework/ait/fox_alerts.csv.gz")
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: ownrules.FS}}, sigma.Options{Batch: true})
	if err != nil {
		b.Fatal(err)
	}
	for _, times := range []int{1, 5} {
		b.Run(fmt.Sprintf("times=%d", times), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(rows) * times))
			var records int64
			peak := watchHeap(b)
			for b.Loop() {
				records = 0
				res, err := Investigate(b.Context(), Options{Engine: e, Read: func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error) {
					for i := range times {
						name := fmt.Sprint("fox", i)
						src := format.Source{Realm: "police", Name: name, File: name, SHA256: name}
						_, err := csvlog.Format().Decode(ctx, bytes.NewReader(rows), src, func(ev *event.Event) error {
							records++
							ev.Time = ev.Time.AddDate(0, i, 0)
							return emit(ev)
						})
						if err != nil {
							return nil, err
						}
					}
					return nil, nil
				}})
				if err != nil {
					b.Fatal(err)
				}
				if len(res.Incidents) == 0 {
					b.Fatal("no incident")
				}
			}
			b.ReportMetric(float64(records), "records")
			b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(peak(), "peak-MB")
		})
	}
}

func unlabelled(b *testing.B, rel string) []byte {
	f, err := os.Open(shared.Path(b, rel))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	for line := range bytes.Lines(all) {
		line = bytes.TrimRight(line, "\r\n")
		for range 2 {
			line = line[:bytes.LastIndexByte(line, ',')]
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// watchHeap samples what the heap holds and returns the most, in MB.
func watchHeap(b *testing.B) func() float64 {
	stop, done := make(chan struct{}), make(chan float64)
	go func() {
		var most uint64
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-stop:
				done <- float64(most) / 1e6
				return
			case <-t.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse+m.StackInuse)
			}
		}
	}()
	return sync.OnceValue(func() float64 { close(stop); return <-done })
}
