// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/gob"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestBenchSend: what the sender says it sent is what arrived; a batch that was
// turned away comes again under its key, every other has a key of its own.
func TestBenchSend(t *testing.T) {
	file := filepath.Join(t.TempDir(), "load")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	enc := gob.NewEncoder(f)
	for _, l := range []load{{Kind: "http", Token: "t", Body: []byte("{}\n{}\n"), Lines: 2}, {Kind: "tcp", Body: []byte("1 a1 b1 c"), Lines: 3}} {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	keys := map[string]int{}
	var lines, refused int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if keys[r.Header.Get("Idempotency-Key")]++; refused == 0 {
			refused++
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		lines += int64(bytes.Count(b, []byte("\n")))
	}))
	defer srv.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var tcp int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				b, err := io.ReadAll(c)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				tcp += int64(len(b) / 3)
				mu.Unlock()
			})
		}
	})
	got, err := sendAll(t.Context(), benchSendOptions{file: file, to: srv.URL, tcp: ln.Addr().String(), senders: 3, seconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	wg.Wait()
	if got.HTTP != lines || got.TCP != tcp || got.HTTP == 0 || got.TCP == 0 {
		t.Errorf("said %+v, arrived %d over HTTP and %d over TCP", got, lines, tcp)
	}
	twice := 0
	for _, n := range keys {
		if n > 1 {
			twice++
		}
	}
	if twice != 1 {
		t.Errorf("%d keys came twice, want the one that was turned away", twice)
	}
}
