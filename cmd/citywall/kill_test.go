// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb && unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"citywall/app"
	"citywall/event"
	"citywall/eventstore"
	"citywall/exercise"
)

// TestMain lets the test binary be the program: with CITYWALL_TEST_SERVE it
// runs its arguments as citywall would.
func TestMain(m *testing.M) {
	if os.Getenv("CITYWALL_TEST_SERVE") != "" {
		os.Unsetenv("CITYWALL_TEST_SERVE")
		os.Exit(run(context.Background(), streams{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// freeAddr returns a loopback address that was free a moment ago: a server that
// is killed must come back at the same one.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestKillServe plays an exercise over HTTP and TCP syslog at citywall serve and
// kills it, five times or as often as CITYWALL_KILLS says. Acknowledged ⊆ stored ⊆ sent, and nothing twice: the
// promise of design.md §5. Lines are told apart by a number that is put into
// each of them.
func TestKillServe(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a server again and again: not with -short")
	}
	times := 5
	if s := os.Getenv("CITYWALL_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("CITYWALL_KILLS is %q: want a number", s)
		}
		times = n
	}
	dir := filepath.Join(t.TempDir(), "d")
	console, syslogAddr := freeAddr(t), freeAddr(t)
	secret := prepare(t, dir, console, syslogAddr)

	ctx, stop := context.WithTimeout(t.Context(), 90*time.Second+time.Duration(times)*10*time.Second)
	defer stop()
	s := sender{ctx: ctx, url: "http://" + console + app.IngestPath, tcp: syslogAddr, token: secret, acked: map[string]bool{}, sent: map[string]bool{}}
	server := serveChild(t, ctx, dir)
	var wg sync.WaitGroup
	playing, over := context.WithCancel(ctx)
	wg.Go(func() { defer over(); s.play(t) })

	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 7))
	kills := 0
	for kills < times && playing.Err() == nil {
		wait(playing, 300*time.Millisecond+time.Duration(r.Int64N(int64(1500*time.Millisecond))))
		server.kill()
		kills++
		server = serveChild(t, ctx, dir)
	}
	if kills < times {
		t.Errorf("the exercise was over after %d kills", kills)
	}
	s.finish()
	wg.Wait()
	server.kill()

	stored, raws := map[string]int{}, map[string][]string{}
	a, err := app.New(ctx, app.Options{Dir: dir, Config: quietConfig(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	drain, stopDrain := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(drain) }()
	if _, err := a.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	err = a.EachEvent(ctx, eventstore.Query{From: time.Unix(0, 0), To: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, func(e *event.Event) error {
		if e.Origin.Format == "own" { // what Citywall itself says of its sources
			return nil
		}
		m := mark(e.Raw)
		if stored[m]++; stored[m] > 1 || !s.sent[m] {
			raws[m] = append(raws[m], fmt.Sprintf("%+v of %d bytes: %.400q", e.Origin, len(e.Raw), e.Raw))
		}
		return nil
	})
	stopDrain()
	if rerr := <-done; rerr != nil {
		t.Error(rerr)
	}
	a.Close()
	if err != nil {
		t.Fatal(err)
	}
	lost, twice, invented := 0, 0, 0
	for k := range s.acked {
		if stored[k] == 0 {
			lost++
		}
	}
	for k, n := range stored {
		if n > 1 {
			twice++
		}
		if !s.sent[k] {
			invented++
		}
	}
	for m, lines := range raws {
		t.Errorf("mark %q: %d times; %v", m, stored[m], lines[:min(len(lines), 3)])
	}
	t.Logf("%d kills; %d sent, %d acknowledged, %d stored", kills, len(s.sent), len(s.acked), len(stored))
	if lost+twice+invented > 0 || len(s.acked) == 0 || len(stored) <= len(s.acked) {
		t.Errorf("acknowledged and not stored %d, stored twice %d, stored and never sent %d", lost, twice, invented)
	}
}

// prepare makes the data folder, its configuration and a sender's token.
func prepare(t *testing.T, dir, console, syslogAddr string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	yaml := "lang: en\nconsole: {addr: '" + console + "'}\nsyslog: [{name: tcp, net: tcp, addr: '" + syslogAddr + "'}]\n"
	if err := os.WriteFile(filepath.Join(dir, app.ConfigName), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Options{Dir: dir, Config: quietConfig(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	secret, err := a.Sender(t.Context(), "exercise", "hq")
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func quietConfig(t *testing.T, dir string) app.Config {
	t.Helper()
	c, err := app.Load(dir, nil, map[string]string{"console.addr": "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	c.Syslog = nil
	return c
}

type child struct{ cmd *exec.Cmd }

// serveChild starts citywall serve and returns when its console is open.
func serveChild(t *testing.T, ctx context.Context, dir string) child {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0], "serve", "--data", dir)
	cmd.Env = append(os.Environ(), "CITYWALL_TEST_SERVE=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		if strings.Contains(sc.Text(), "Console and API") {
			return child{cmd}
		}
	}
	_ = cmd.Wait()
	t.Fatalf("serve did not start: %s", errs.String())
	return child{}
}

func (c child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sender is a source that goes on until somebody says that it is enough.
type sender struct {
	ctx             context.Context
	url, tcp, token string
	acked, sent     map[string]bool // by mark; of play's goroutine until it has ended

	mu     sync.Mutex
	enough bool
}

func (s *sender) finish() { s.mu.Lock(); s.enough = true; s.mu.Unlock() }

func (s *sender) done() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.enough }

var errEnough = fmt.Errorf("enough")

// mark reads the number out of a line.
func mark(raw []byte) string {
	_, rest, _ := bytes.Cut(raw, []byte("kill-mark-"))
	n := bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if n < 0 {
		n = len(rest)
	}
	return string(rest[:n])
}

func (s *sender) play(t *testing.T) {
	var conn net.Conn
	var batch bytes.Buffer
	var marks []string
	n, batches := 0, 0
	post := func() {
		key := fmt.Sprintf("kill/%d", batches)
		batches++
		for s.ctx.Err() == nil {
			req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url, bytes.NewReader(batch.Bytes()))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+s.token)
			req.Header.Set("Idempotency-Key", key)
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					for _, m := range marks {
						s.acked[m] = true
					}
					break
				}
			}
			wait(s.ctx, 50*time.Millisecond)
		}
		batch.Reset()
		marks = marks[:0]
	}
	for seed := uint64(1); !s.done() && s.ctx.Err() == nil; seed++ {
		ex, err := exercise.New("webshell", exercise.Options{Seed: seed, Devices: 150})
		if err != nil {
			t.Error(err)
			return
		}
		err = ex.Lines(s.ctx, func(l exercise.Line) error {
			if s.done() {
				return errEnough
			}
			n++
			m := fmt.Sprint(n)
			s.sent[m] = true
			if l.Transport == "syslog" {
				line := append(bytes.Clone(l.Bytes), []byte(` msg2="kill-mark-`+m+`"`)...)
				if conn == nil {
					conn, _ = net.Dial("tcp", s.tcp) // nil while the server is down: the line is lost, as in life
				}
				if conn != nil {
					if _, err := fmt.Fprintf(conn, "%d %s", len(line), line); err != nil {
						conn.Close()
						conn = nil
					}
				}
				return nil
			}
			batch.WriteString(`{"kill":"kill-mark-` + m + `",`)
			batch.Write(bytes.TrimPrefix(bytes.TrimSpace(l.Bytes), []byte("{")))
			batch.WriteByte('\n')
			if marks = append(marks, m); len(marks) >= 200 {
				post()
			}
			return nil
		})
		if err != nil && err != errEnough && s.ctx.Err() == nil {
			t.Error(err)
			return
		}
	}
	if len(marks) > 0 {
		post()
	}
	if conn != nil {
		conn.Close()
	}
}
