// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package live

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"citywall/detect/sigma"
	"citywall/eventstore/duck"
	"citywall/ingest/transport/httpbulk"
	ownrules "citywall/rules"
)

// BenchmarkHTTPToStored is the whole way of an event: HTTP body, queue on disk,
// decoding, DuckDB, Citywall's own rules, correlation, acknowledgement. One
// operation is one request of 500 Winlogbeat lines; the time ends when the last
// is stored and correlated.
func BenchmarkHTTPToStored(b *testing.B) {
	const lines, together = 500, 8
	h := newHouse(b)
	store, err := duck.Open(b.Context(), duck.Options{Dir: filepath.Join(h.dir, "events")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	h.store, h.cfg = store, Defaults()
	if h.rules, _, err = sigma.Load([]sigma.Set{{Name: "citywall", FS: ownrules.FS}}, sigma.Options{}); err != nil {
		b.Fatal(err)
	}
	h.start()
	verify := func(context.Context, string) (httpbulk.Sender, error) {
		return httpbulk.Sender{Source: "dc-01", Realm: "city"}, nil
	}
	bulk, err := httpbulk.New(httpbulk.Defaults(), verify, h.q.Publish, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now().UTC().Add(-time.Hour)
	bodies := make([][]byte, b.N)
	var size int
	for n := range bodies {
		var w bytes.Buffer
		for i := range lines {
			k := n*lines + i
			ws := k * 7919 % 18000
			fmt.Fprintf(&w, `{"@timestamp":%q,"host":{"name":"ws-%05d"},"winlog":{"channel":"Security","event_id":4624,"provider_name":"Microsoft-Windows-Security-Auditing","computer_name":"ws-%05d.city.example","record_id":%d,"event_data":{"TargetUserName":"user%05d","TargetDomainName":"CITY","TargetLogonId":"0x%x","LogonType":"3","IpAddress":"10.%d.%d.%d","IpPort":"%d","AuthenticationPackageName":"Kerberos","LogonProcessName":"Kerberos"}}}`+"\n",
				begin.Add(time.Duration(k)*time.Millisecond).Format(time.RFC3339Nano), ws, ws, k, ws/2, k, ws/65000, ws/250, ws%250, 1024+k%60000)
		}
		bodies[n] = w.Bytes()
		size += w.Len()
	}
	b.SetBytes(int64(size / b.N))
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime(b)
	next := make(chan int)
	done := make(chan error, together)
	for range together {
		go func() {
			for n := range next {
				r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(bodies[n]))
				r.Header.Set("Authorization", "Bearer x")
				r.Header.Set("Idempotency-Key", fmt.Sprint(n))
				w := httptest.NewRecorder()
				if bulk.ServeHTTP(w, r); w.Code != http.StatusOK {
					done <- fmt.Errorf("%d %s", w.Code, w.Body)
					return
				}
			}
			done <- nil
		}()
	}
	for n := range bodies {
		next <- n
	}
	close(next)
	for range together {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	sent := b.Elapsed()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := h.l.Settle(ctx); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	events := float64(b.N * lines)
	if n := h.l.Health().Events; n != int64(events) {
		b.Fatalf("%d events kept, want %.0f", n, events)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(events/sent.Seconds(), "acked/s")
	b.ReportMetric(events/b.Elapsed().Seconds(), "stored/s")
	b.ReportMetric((cpuTime(b)-cpu).Seconds()*1e6/events, "CPU-s/M")
	b.ReportMetric(events/float64(h.l.Health().Batches), "events/batch")
	b.ReportMetric(float64(m.Sys)/1e6, "Go-MB")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
