// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package netflow_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/ingest/transport/netflow"
	"citywall/ingest/transport/syslog"
	"citywall/internal/queue"
)

// v5 is a packet of version 5 with n flows.
func v5(seq uint32, n int) []byte {
	b := make([]byte, 24+48*n)
	be := binary.BigEndian
	be.PutUint16(b, 5)
	be.PutUint16(b[2:], uint16(n))
	be.PutUint32(b[4:], 10_000)
	be.PutUint32(b[8:], 1773398400)
	be.PutUint32(b[16:], seq)
	for i := range n {
		r := b[24+48*i:]
		copy(r, []byte{10, 1, 9, 4, 203, 0, 113, byte(i)})
		be.PutUint32(r[20:], 5000)
		be.PutUint32(r[24:], 9000)
		be.PutUint32(r[28:], 9500)
		be.PutUint16(r[32:], 50000)
		be.PutUint16(r[34:], 443)
		r[38] = 6
	}
	return b
}

type world struct {
	mu sync.Mutex
	ms []queue.Message
}

func (w *world) publish(_ context.Context, ms ...queue.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ms = append(w.ms, ms...)
	return nil
}

// TestListener sends packets over a socket and decodes what lies on the queue as
// the live path does.
func TestListener(t *testing.T) {
	cfg := netflow.Defaults()
	cfg.Addr = "127.0.0.1:0"
	cfg.Exporters = []syslog.Sender{{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Name: "core-router", Agency: "A1"}}
	var w world
	l, err := netflow.Listen(t.Context(), cfg, w.publish, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	c, err := net.Dial("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, p := range [][]byte{v5(0, 30), v5(40, 2), []byte("no packet of an exporter")} {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for l.Stats().Flows.Packets < 3 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	st := l.Stats()
	if st.Records != 32 || st.Flows.Flows != 32 || st.Flows.Missed != 10 || st.Flows.Broken != 1 || st.Flows.Packets != 3 {
		t.Errorf("%+v", st)
	}
	seen := map[uint64]bool{}
	n := 0
	for _, m := range w.ms {
		if m.Listener != "netflow" || m.Source != "core-router" || m.Agency != "A1" || m.Realm != "city" {
			t.Errorf("message %+v", m)
		}
		for _, r := range m.Records {
			e, err := ingest.Record(r.Data, format.Pos{Seq: r.Seq}, format.Source{Realm: "city", Name: m.Source, Stream: m.Stream})
			if err != nil {
				t.Fatal(err)
			}
			if v := e.View(); v.Src.String() != "10.1.9.4" || v.Observer != "127.0.0.1" || v.BytesOut != 5000 || v.DstPort != 443 {
				t.Errorf("%+v", v)
			}
			seen[r.Seq] = true
			n++
		}
	}
	if n != 32 || len(seen) != 32 {
		t.Errorf("%d records, %d positions", n, len(seen))
	}
}

// TestKnown: with known, packets of others are counted and not read.
func TestKnown(t *testing.T) {
	cfg := netflow.Defaults()
	cfg.Addr, cfg.Known = "127.0.0.1:0", true
	if err := cfg.Validate(); err == nil {
		t.Error("known without exporters is accepted")
	}
	cfg.Exporters = []syslog.Sender{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Name: "r1"}}
	var w world
	l, err := netflow.Listen(t.Context(), cfg, w.publish, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	c, err := net.Dial("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(v5(0, 3)); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for l.Stats().Unknown == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if st := l.Stats(); st.Unknown != 1 || st.Flows.Packets != 0 || len(w.ms) != 0 {
		t.Errorf("%+v, %d messages", st, len(w.ms))
	}
}
