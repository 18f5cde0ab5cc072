// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"citywall/internal/fault"
	"citywall/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a queue that can be full.
type sink struct {
	mu   sync.Mutex
	full bool
	ms   []queue.Message
}

func (s *sink) publish(ctx context.Context, ms ...queue.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return fault.New(fault.Busy, "full")
	}
	s.ms = append(s.ms, ms...)
	return ctx.Err()
}

func (s *sink) setFull(v bool) { s.mu.Lock(); s.full = v; s.mu.Unlock() }

func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.ms {
		for _, r := range m.Records {
			out = append(out, string(r.Data))
		}
	}
	return out
}

// start runs a listener and returns it with a function that stops it and waits.
func start(t *testing.T, s *sink, change func(*Config)) (*Listener, func()) {
	t.Helper()
	cfg := Defaults()
	cfg.Addr = "127.0.0.1:0"
	change(&cfg)
	l, err := Listen(t.Context(), cfg, s.publish, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return l, stop
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func dial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestTCP(t *testing.T) {
	s := &sink{}
	l, stop := start(t, s, func(c *Config) {
		c.Net, c.Agency = TCP, "A01"
		c.Senders = []Sender{{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Name: "fw-1", Zone: "UTC"}, {Prefix: netip.MustParsePrefix("0.0.0.0/0"), Name: "all"}}
	})
	a, b := dial(t, l), dial(t, l)
	fmt.Fprint(a, "<13>one\n<13>two\n")
	fmt.Fprint(b, "7 <14>six7 <14>ten")
	until(t, "four messages", func() bool { return len(s.lines()) == 4 })
	fmt.Fprint(a, "<13>three")
	a.Close()
	until(t, "the unfinished last line", func() bool { return len(s.lines()) == 5 })
	fmt.Fprint(b, "99 <14>never whole")
	b.Close()
	until(t, "the broken connection", func() bool { return l.Stats().Broken == 1 })
	stop()

	streams := map[string][]uint64{}
	ids := map[string]bool{}
	for _, m := range s.ms {
		if m.Source != "fw-1" || m.Agency != "A01" || m.Zone != "UTC" || m.Realm != "city" || m.Listener != "syslog-tcp" || !strings.HasPrefix(m.Sender, "127.0.0.1:") {
			t.Errorf("message of %+v", m)
		}
		if ids[m.ID] {
			t.Errorf("id %s twice", m.ID)
		}
		ids[m.ID] = true
		for _, r := range m.Records {
			streams[m.Stream] = append(streams[m.Stream], r.Seq)
		}
	}
	if len(streams) != 2 {
		t.Errorf("streams %v, want one per connection", streams)
	}
	for st, seqs := range streams {
		for i, q := range seqs {
			if q != uint64(i) {
				t.Errorf("%s: sequence %v", st, seqs)
			}
		}
	}
	if st := l.Stats(); st.Records != 5 || st.Lost != 0 || st.Connections != 0 {
		t.Errorf("stats %+v", st)
	}
}

// A full queue closes the sender's window; when there is room again, nothing is
// missing and nothing came twice.
func TestTCPWaitsForTheQueue(t *testing.T) {
	s := &sink{full: true}
	l, stop := start(t, s, func(c *Config) { c.Net = TCP })
	c := dial(t, l)
	line := func(i int) string { return fmt.Sprintf("<13>%08d %s\n", i, strings.Repeat("x", 1000)) }
	n := 0
	var left string
	for {
		c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		text := line(n)
		k, err := io.WriteString(c, text)
		n++
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			left = text[k:]
			break
		}
		if n > 1<<17 { // 128 MB: no window is so large
			t.Fatal("the sender was never stopped")
		}
	}
	until(t, "the connection to be seen as blocked", func() bool { return l.Stats().Blocked == 1 })
	s.setFull(false)
	c.SetWriteDeadline(time.Time{})
	io.WriteString(c, left)
	for range 100 {
		io.WriteString(c, line(n))
		n++
	}
	c.Close()
	until(t, "all lines", func() bool { return len(s.lines()) >= n })
	stop()
	for i, got := range s.lines() {
		if got+"\n" != line(i) {
			t.Fatalf("line %d is %.20q", i, got)
		}
	}
	if len(s.lines()) != n {
		t.Errorf("%d lines, sent %d", len(s.lines()), n)
	}
}

func TestTCPLimits(t *testing.T) {
	s := &sink{}
	l, _ := start(t, s, func(c *Config) { c.Net, c.MaxConns, c.MaxSize, c.Idle = TCP, 1, 480, time.Second })
	a := dial(t, l)
	fmt.Fprintf(a, "<13>%s\n", strings.Repeat("x", 600))
	until(t, "the cut message", func() bool { return len(s.lines()) == 1 })
	if st := l.Stats(); st.Cut != 1 || len(s.lines()[0]) != 480 {
		t.Errorf("cut %d, %d bytes", st.Cut, len(s.lines()[0]))
	}
	b := dial(t, l)
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Error("a second connection was served")
	}
	until(t, "the refusal", func() bool { return l.Stats().Refused == 1 })
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, io.EOF) { // silent for a second
		t.Errorf("idle connection: %v", err)
	}
}

func TestUDP(t *testing.T) {
	s := &sink{}
	l, stop := start(t, s, func(c *Config) { c.MaxSize = 480 })
	a, b := dial(t, l), dial(t, l)
	for i := range 50 {
		fmt.Fprintf(a, "<13>a%d\n", i)
		fmt.Fprintf(b, "<13>b%d\x00", i)
	}
	fmt.Fprint(a, "\n")
	fmt.Fprintf(a, "<13>%s", strings.Repeat("x", 600))
	until(t, "all datagrams", func() bool { return len(s.lines()) == 101 })
	stop()
	seqs := map[uint64]bool{}
	for _, m := range s.ms {
		if m.Source != "127.0.0.1" || m.Listener != "syslog-udp" {
			t.Errorf("message of %+v", m)
		}
		for _, r := range m.Records {
			if seqs[r.Seq] {
				t.Errorf("sequence %d twice", r.Seq)
			}
			seqs[r.Seq] = true
		}
	}
	if st := l.Stats(); st.Records != 101 || st.Cut != 1 || st.Lost != 0 {
		t.Errorf("stats %+v", st)
	}
}

// Every datagram is either on the queue or counted as lost: here, because the
// backlog is full, and in the kernel, because nobody reads.
func TestUDPCountsItsLosses(t *testing.T) {
	s := &sink{full: true}
	cfg := Defaults()
	cfg.Addr, cfg.ReceiveBuffer, cfg.Backlog = "127.0.0.1:0", 4096, 1<<20
	l, err := Listen(t.Context(), cfg, s.publish, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, l)
	sent := 0
	for range 500 { // nobody reads yet
		fmt.Fprintf(c, "<13>%d %s", sent, strings.Repeat("x", 1000))
		sent++
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	until(t, "the backlog to overflow", func() bool {
		fmt.Fprintf(c, "<13>%d %s", sent, strings.Repeat("x", 1000))
		sent++
		return l.Stats().Lost > 0
	})
	s.setFull(false)
	// A last one brings the kernel's final count with it.
	until(t, "everything accounted for", func() bool {
		fmt.Fprintf(c, "<13>%d", sent)
		sent++
		time.Sleep(20 * time.Millisecond)
		st := l.Stats()
		if st.LostKernel == nil {
			return st.Records > 0
		}
		return st.Records+st.Lost+*st.LostKernel == int64(sent)
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if st := l.Stats(); st.LostKernel != nil && *st.LostKernel == 0 {
		t.Error("the kernel dropped nothing: the test did not fill its buffer")
	}
}

// Stopping hands over what was read.
func TestStopLosesNothingThatWasRead(t *testing.T) {
	for _, network := range []string{UDP, TCP} {
		t.Run(network, func(t *testing.T) {
			s := &sink{full: true}
			l, stop := start(t, s, func(c *Config) { c.Net = network })
			c := dial(t, l)
			for i := range 10 {
				fmt.Fprintf(c, "<13>%d\n", i)
			}
			until(t, "the listener to wait for the queue", func() bool { return l.Stats().Blocked == 1 })
			go func() {
				time.Sleep(50 * time.Millisecond) // after stop has begun; either order is right
				s.setFull(false)
			}()
			stop()
			if n := int64(len(s.lines())); n+l.Stats().Lost == 0 || l.Stats().Lost != 0 || n != l.Stats().Records {
				t.Errorf("%d on the queue, stats %+v", n, l.Stats())
			}
		})
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca, caKey := certificate(t, dir, "ca", nil, nil)
	certificate(t, dir, "server", ca, caKey)
	certificate(t, dir, "client", ca, caKey)
	file := func(n string) string { return filepath.Join(dir, n) }
	s := &sink{}
	l, stop := start(t, s, func(c *Config) {
		c.Net, c.Cert, c.Key, c.ClientCA = TLS, file("server.pem"), file("server.key"), file("ca.pem")
	})
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	pair, err := tls.LoadX509KeyPair(file("client.pem"), file("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "7 <13>one")
	until(t, "the first message", func() bool { return len(s.lines()) == 1 })
	// Longer than the time a message waits for company: a read that timed out
	// must not break the session.
	fmt.Fprint(c, "7 <13>tw")
	time.Sleep(3 * gatherFor)
	fmt.Fprint(c, "o")
	until(t, "the second message", func() bool { return len(s.lines()) == 2 })
	c.Close()

	for name, conf := range map[string]*tls.Config{
		"no client certificate": {RootCAs: pool, ServerName: "localhost"},
		"old version":           {RootCAs: pool, ServerName: "localhost", Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS11},
	} {
		before := l.Stats().Refused
		if c, err := tls.Dial("tcp", l.Addr().String(), conf); err == nil { // TLS 1.3 tells the client late
			fmt.Fprint(c, "7 <13>bad")
			c.Close()
		}
		until(t, name+": the refusal", func() bool { return l.Stats().Refused > before })
	}
	stop()
	if got := s.lines(); len(got) != 2 || s.ms[0].Listener != "syslog-tls" {
		t.Errorf("lines %q", got)
	}
}

// certificate writes name.pem and name.key, signed by ca or by itself.
func certificate(t *testing.T, dir, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: ca == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := tmpl, key
	if ca != nil {
		parent, signer = ca, caKey
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: kb}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestConfig(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"net":       func(c *Config) { c.Net = "sctp" },
		"name":      func(c *Config) { c.Name = "" },
		"addr":      func(c *Config) { c.Addr = "5514" },
		"realm":     func(c *Config) { c.Realm = "county" },
		"max_size":  func(c *Config) { c.MaxSize = 479 },
		"max_conns": func(c *Config) { c.Net, c.MaxConns = TCP, 0 },
		"cert":      func(c *Config) { c.Net = TLS },
		"zone":      func(c *Config) { c.Zone = "Asia/Atlantis" },
		"backlog":   func(c *Config) { c.Backlog = 0 },
		"senders":   func(c *Config) { c.Senders = []Sender{{Name: "x"}} },
	} {
		c := Defaults()
		change(&c)
		if err := c.Validate(); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
