// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package live

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/duck"
	"citywall/identity"
	"citywall/incident"
	"citywall/ingest/transport/httpbulk"
	"citywall/ingest/transport/syslog"
	"citywall/internal/db"
	"citywall/internal/queue"
)

// childEnv names the data folder of a child: this test's own program, run as a
// small Citywall (HTTP and TCP listeners, queue, DuckDB, SQLite, pipeline).
const childEnv = "CITYWALL_TEST_CHILD"

const (
	kills     = 5
	batchSize = 20
	senders   = 4
	toldEvery = 10 // one line in so many raises a finding
)

// TestKill is Show 7 of the first issue at the height of this package: killed
// five times at random while senders play over HTTP and TCP syslog; after a
// restart and a drain, acknowledged ⊆ stored ⊆ sent, no event twice, and every
// stored event that a rule is about has its finding.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute: not with -short")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	defer cancel()
	book := &book{sent: map[string]bool{}, acked: map[string]bool{}}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() { book.overHTTP(ctx, dir, fmt.Sprintf("h%d", i), stop) })
	}
	wg.Go(func() { book.overTCP(ctx, dir, stop) })

	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 7))
	for i := range kills {
		c := startChild(t, ctx, dir)
		pause(ctx, time.Duration(300+rnd.IntN(1500))*time.Millisecond)
		t.Logf("kill %d: %d sent, %d acknowledged", i+1, book.count(book.sent), book.count(book.acked))
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.wait()
	}
	c := startChild(t, ctx, dir)
	pause(ctx, time.Second)
	close(stop)
	wg.Wait() // each batch is acknowledged in the end
	c.stdin.Close()
	if err := c.wait(); err != nil {
		t.Fatalf("the last child did not drain and stop: %v", err)
	}
	if err := ctx.Err(); err != nil {
		t.Fatal(err)
	}
	book.check(t, dir)
}

func pause(ctx context.Context, d time.Duration) { sleep(ctx, d) }

// book is what the senders know.
type book struct {
	mu          sync.Mutex
	sent, acked map[string]bool // tag of a line
}

func (b *book) count(m map[string]bool) int { b.mu.Lock(); defer b.mu.Unlock(); return len(m) }

func (b *book) note(m map[string]bool, tags ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range tags {
		m[t] = true
	}
}

// overHTTP sends batches one after another, each until it is acknowledged.
func (b *book) overHTTP(ctx context.Context, dir, name string, stop <-chan struct{}) {
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-stop:
			return
		default:
		}
		var body bytes.Buffer
		var tags []string
		for i := range batchSize {
			tag := fmt.Sprintf("%s-%d-%d", name, n, i)
			tags = append(tags, tag)
			id := 4624
			if i%toldEvery == 0 {
				id = 1102
			}
			fmt.Fprintf(&body, `{"@timestamp":%q,"tag":%q,"winlog":{"channel":"Security","event_id":%d,"provider_name":"P","computer_name":"dc-01","record_id":%d}}`+"\n",
				time.Now().UTC().Format(time.RFC3339Nano), tag, id, n*batchSize+i)
		}
		b.note(b.sent, tags...)
		for ctx.Err() == nil {
			addr := address(dir, "http")
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/", bytes.NewReader(body.Bytes()))
			if err == nil {
				req.Header.Set("Authorization", "Bearer "+name)
				req.Header.Set("Idempotency-Key", fmt.Sprint(n))
				var res *http.Response
				if res, err = client.Do(req); err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if err == nil && res.StatusCode == http.StatusOK {
						b.note(b.acked, tags...)
						break
					}
				}
			}
			pause(ctx, 20*time.Millisecond)
		}
	}
}

// overTCP sends lines and never knows what became of them.
func (b *book) overTCP(ctx context.Context, dir string, stop <-chan struct{}) {
	for n := 0; ctx.Err() == nil; {
		conn, err := net.DialTimeout("tcp", address(dir, "tcp"), time.Second)
		if err != nil {
			select {
			case <-stop:
				return
			default:
			}
			pause(ctx, 20*time.Millisecond)
			continue
		}
		for err == nil {
			select {
			case <-stop:
				conn.Close()
				return
			default:
			}
			tag := fmt.Sprintf("t-%d", n)
			n++
			b.note(b.sent, tag)
			_, err = fmt.Fprintf(conn, "<13>1 %s fw-1 app - - - tag=%s end\n", time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), tag)
			if n%50 == 0 {
				pause(ctx, time.Millisecond)
			}
		}
		conn.Close()
	}
}

// address is where the child that runs now listens.
func address(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name+".addr"))
	if err != nil {
		return "127.0.0.1:1" // nobody yet
	}
	return string(b)
}

// check opens what the child left.
func (b *book) check(t *testing.T, dir string) {
	store, err := duck.Open(t.Context(), duck.Options{Dir: filepath.Join(dir, "events"), Threads: 1, MemoryLimit: "256MB"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	d, findings := openFindings(t.Context(), dir)
	defer d.Close()
	stored := map[string]int{}
	ids := map[event.ID]bool{}
	cleared, tcp := 0, 0
	now := time.Now()
	q := eventstore.Query{From: now.Add(-time.Hour), To: now.Add(time.Hour)}
	err = store.Each(t.Context(), city, q, func(e *event.Event) error {
		if ids[e.ID] {
			t.Errorf("id %s twice", e.ID)
		}
		ids[e.ID] = true
		if e.Origin.Format == Undecoded {
			t.Errorf("undecoded: %q", e.Raw)
		}
		tag := tagOf(e.Raw)
		stored[tag]++
		if strings.HasPrefix(tag, "t-") {
			tcp++
		}
		if bytes.Contains(e.Raw, []byte(`"event_id":1102`)) {
			cleared++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for tag := range b.acked {
		if stored[tag] == 0 {
			t.Errorf("acknowledged and not stored: %s", tag)
		}
	}
	for tag, n := range stored {
		if !b.sent[tag] {
			t.Errorf("stored and never sent: %q", tag)
		}
		if n > 1 {
			t.Errorf("stored %d times: %s", n, tag)
		}
	}
	n, err := findings.Count(t.Context(), city, detectdb.Query{})
	if err != nil || int(n) != cleared {
		t.Errorf("%d findings for %d events that a rule is about, %v", n, cleared, err)
	}
	if len(b.acked) == 0 || tcp == 0 {
		t.Errorf("%d acknowledged, %d over TCP: the test played nothing", len(b.acked), tcp)
	}
	t.Logf("sent %d, acknowledged %d, stored %d (%d over TCP), findings %d", len(b.sent), len(b.acked), len(ids), tcp, n)
}

var city = identity.Scope{Realm: "city"}

// tagOf finds "tag":"x" or tag=x.
func tagOf(raw []byte) string {
	s := string(raw)
	if _, rest, ok := strings.Cut(s, `"tag":"`); ok {
		tag, _, _ := strings.Cut(rest, `"`)
		return tag
	}
	_, rest, _ := strings.Cut(s, "tag=")
	tag, _, whole := strings.Cut(rest, " end")
	if !whole {
		return "cut: " + s
	}
	return tag
}

type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	log   *bytes.Buffer
	once  sync.Once
	err   error
}

func (p *process) wait() error { p.once.Do(func() { p.err = p.cmd.Wait() }); return p.err }

func startChild(t *testing.T, ctx context.Context, dir string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(ctx, exe), log: &bytes.Buffer{}}
	p.cmd.Env = append(os.Environ(), childEnv+"="+dir)
	p.cmd.Stderr = p.log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.wait()
		if t.Failed() && p.log.Len() > 0 {
			t.Logf("child: %s", p.log)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		p.cmd.Process.Kill()
		p.wait()
		t.Fatalf("the child did not start: %q %v %s", line, err, p.log)
	}
	return p
}

func openFindings(ctx context.Context, dir string) (*db.DB, *detectdb.Store) {
	d, err := db.Open(ctx, filepath.Join(dir, "city.db"))
	if err != nil {
		panic(err)
	}
	f, err := detectdb.Open(ctx, d, "city")
	if err != nil {
		panic(err)
	}
	return d, f
}

// child is a small Citywall. It runs until it is killed, or until its standard
// input ends: then it drains and stops.
func child() {
	if err := runChild(os.Getenv(childEnv)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild(dir string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	qc := queue.Defaults()
	qc.MinFree = 0
	q, err := queue.Open(ctx, filepath.Join(dir, "queue"), qc, log)
	if err != nil {
		return err
	}
	defer q.Close()
	store, err := duck.Open(ctx, duck.Options{Dir: filepath.Join(dir, "events"), Threads: 1, MemoryLimit: "256MB"})
	if err != nil {
		return err
	}
	defer store.Close()
	d, findings := openFindings(ctx, dir)
	defer d.Close()

	rules, err := loadRules(logCleared)
	if err != nil {
		return err
	}
	cfg := Defaults()
	cfg.Linger = 20 * time.Millisecond
	l, err := New(cfg, Parts{
		Queue: q, Store: store, Rules: rules, Log: log, SourcesFile: filepath.Join(dir, "sources.json"),
		SaveFindings: func(ctx context.Context, fs []detect.Finding) error { _, err := findings.Save(ctx, fs); return err },
		EachFinding: func(ctx context.Context, from, to time.Time, f func(detect.Finding)) error {
			return eachFinding(ctx, findings, from, to, f)
		},
		SaveIncidents: func(context.Context, []incident.Incident) ([]string, error) { return nil, nil },
	})
	if err != nil {
		return err
	}
	verify := func(_ context.Context, token string) (httpbulk.Sender, error) {
		return httpbulk.Sender{Source: token, Realm: "city"}, nil
	}
	bulk, err := httpbulk.New(httpbulk.Defaults(), verify, q.Publish, log)
	if err != nil {
		return err
	}
	sc := syslog.Defaults()
	sc.Net, sc.Addr = syslog.TCP, "127.0.0.1:0"
	tcp, err := syslog.Listen(ctx, sc, q.Publish, log)
	if err != nil {
		return err
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	for name, a := range map[string]net.Addr{"http": web.Addr(), "tcp": tcp.Addr()} {
		tmp := filepath.Join(dir, name+".tmp")
		if err := errors.Join(os.WriteFile(tmp, []byte(a.String()), 0o600), os.Rename(tmp, filepath.Join(dir, name+".addr"))); err != nil {
			return err
		}
	}
	srv := &http.Server{Handler: bulk}
	go srv.Serve(web)
	lctx, lstop := context.WithCancel(ctx)
	tcpDone, liveDone := make(chan error, 1), make(chan error, 1)
	go func() { tcpDone <- tcp.Run(lctx) }()
	go func() { liveDone <- l.Run(ctx) }()
	fmt.Println("ready")

	io.Copy(io.Discard, os.Stdin)
	srv.Shutdown(ctx)
	lstop()
	err = <-tcpDone
	err = errors.Join(err, l.Settle(ctx))
	cancel()
	return errors.Join(err, <-liveDone)
}

func eachFinding(ctx context.Context, s *detectdb.Store, from, to time.Time, f func(detect.Finding)) error {
	q := detectdb.Query{From: from, To: to, Sort: detectdb.Oldest, Limit: 1000}
	for {
		p, err := s.List(ctx, city, q)
		if err != nil {
			return err
		}
		for _, x := range p.Findings {
			f(x)
		}
		if q.After = p.Next; p.Next == "" {
			return nil
		}
	}
}
