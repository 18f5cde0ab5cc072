// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/incident"
	"citywall/internal/queue"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// memStore is a store that remembers, and fails when it is told to.
type memStore struct {
	eventstore.Store
	mu      sync.Mutex
	fail    func(b eventstore.Batch) error
	msgs    map[string]bool
	events  map[event.ID]*event.Event
	order   []event.ID
	appends int
}

func (s *memStore) Append(_ context.Context, b eventstore.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(b); err != nil {
			return err
		}
	}
	s.appends++
	if s.events == nil {
		s.events, s.msgs = map[event.ID]*event.Event{}, map[string]bool{}
	}
	if s.msgs[b.MsgID] {
		return nil
	}
	s.msgs[b.MsgID] = true
	for _, e := range b.Events {
		if _, ok := s.events[e.ID]; !ok {
			s.events[e.ID] = e
			s.order = append(s.order, e.ID)
		}
	}
	return nil
}

func (s *memStore) Each(ctx context.Context, _ identity.Scope, q eventstore.Query, f func(*event.Event) error) error {
	s.mu.Lock()
	var es []*event.Event
	for _, id := range s.order {
		if e := s.events[id]; !eventstore.When(e).Before(q.From) && eventstore.When(e).Before(q.To) {
			es = append(es, e)
		}
	}
	s.mu.Unlock()
	slices.SortStableFunc(es, func(a, b *event.Event) int {
		if q.Sort == eventstore.Oldest {
			a, b = b, a
		}
		return b.Time.Compare(a.Time)
	})
	for _, e := range es {
		if err := f(e); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *memStore) Count(ctx context.Context, sc identity.Scope, q eventstore.Query) (n int64, err error) {
	err = s.Each(ctx, sc, q, func(*event.Event) error { n++; return nil })
	return n, err
}

func (s *memStore) raws() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, id := range s.order {
		out = append(out, string(s.events[id].Raw))
	}
	slices.Sort(out)
	return out
}

func (s *memStore) setFail(f func(eventstore.Batch) error) { s.mu.Lock(); s.fail = f; s.mu.Unlock() }

// records keep findings and incidents as the databases do.
type records struct {
	mu        sync.Mutex
	failing   error
	findings  map[string]detect.Finding
	incidents []incident.Incident
	saves     int
}

func (r *records) saveFindings(_ context.Context, fs []detect.Finding) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing != nil {
		return r.failing
	}
	if r.findings == nil {
		r.findings = map[string]detect.Finding{}
	}
	for _, f := range fs {
		r.findings[f.ID] = f
	}
	return nil
}

func (r *records) eachFinding(_ context.Context, from, to time.Time, f func(detect.Finding)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.findings {
		if !x.Time.Before(from) && x.Time.Before(to) {
			f(x)
		}
	}
	return nil
}

func (r *records) saveIncidents(_ context.Context, is []incident.Incident) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incidents = is
	r.saves++
	var ids []string
	for _, i := range is {
		ids = append(ids, i.ID)
	}
	return ids, nil
}

func (r *records) count() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.findings) }

func (r *records) last() []incident.Incident {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.incidents
}

// house is a pipeline with all it needs.
type house struct {
	t     testing.TB
	dir   string
	q     *queue.Queue
	store eventstore.Store
	mem   *memStore
	rec   *records
	rules *sigma.Engine
	state detect.State // of the detectors of behaviour
	muted func(string) bool
	cfg   Config
	l     *Live
	stop  func()
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), mem: &memStore{}, rec: &records{}, cfg: Defaults()}
	h.store = h.mem
	h.cfg.Linger, h.cfg.Recompute, h.cfg.Quiet = 5*time.Millisecond, 20*time.Millisecond, 50*time.Millisecond
	h.rules = rules(t, logCleared)
	h.openQueue()
	return h
}

func (h *house) openQueue() {
	h.t.Helper()
	cfg := queue.Defaults()
	cfg.MinFree = 0
	var err error
	if h.q, err = queue.Open(context.Background(), filepath.Join(h.dir, "queue"), cfg, slog.New(slog.DiscardHandler)); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { h.q.Close() })
}

// prepare makes the pipeline; start runs it.
func (h *house) prepare() {
	h.t.Helper()
	var err error
	h.l, err = New(h.cfg, Parts{
		Queue: h.q, Store: h.store, Rules: h.rules, SaveFindings: h.rec.saveFindings, EachFinding: h.rec.eachFinding, Muted: h.muted,
		LoadState:     func(context.Context) (detect.State, error) { return h.state, nil },
		SaveState:     func(_ context.Context, st detect.State) error { h.state = st; return nil },
		SaveIncidents: h.rec.saveIncidents, SourcesFile: filepath.Join(h.dir, "sources.json"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) start() {
	h.t.Helper()
	if h.l == nil {
		h.prepare()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	l := h.l
	go func() { done <- l.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
		h.l = nil
	})
	h.t.Cleanup(h.stop)
}

func (h *house) settle() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := h.l.Settle(ctx); err != nil {
		h.t.Fatalf("settle: %v, health %+v", err, h.l.Health())
	}
}

func (h *house) publish(ms ...queue.Message) {
	h.t.Helper()
	if err := h.q.Publish(context.Background(), ms...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("waited in vain: %s; health %+v", what, h.l.Health())
		}
	}
}

func rules(t testing.TB, docs ...string) *sigma.Engine {
	t.Helper()
	e, err := loadRules(docs...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func loadRules(docs ...string) (*sigma.Engine, error) {
	fsys := fstest.MapFS{}
	for i, d := range docs {
		fsys[fmt.Sprintf("r%d.yml", i)] = &fstest.MapFile{Data: []byte(d)}
	}
	e, rep, err := sigma.Load([]sigma.Set{{Name: "test", FS: fsys}}, sigma.Options{})
	if err == nil && len(e.Rules()) != len(docs) {
		err = fmt.Errorf("rules not loaded: %+v", rep)
	}
	return e, err
}

const logCleared = `title: Security log cleared
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0001
status: test
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 1102}
  condition: sel
level: high
tags: [attack.defense-evasion, attack.t1070.001]
`

var t0 = time.Now().UTC().Add(-time.Hour).Truncate(time.Second)

func winlog(id, n int) string {
	return fmt.Sprintf(`{"@timestamp":%q,"winlog":{"channel":"Security","event_id":%d,"provider_name":"P","computer_name":"dc-01","record_id":%d}}`,
		t0.Add(time.Duration(n)*time.Second).Format(time.RFC3339Nano), id, n)
}

func message(id string, lines ...string) queue.Message {
	m := queue.Message{ID: id, Listener: "http", Source: "dc-01", Realm: "city", Agency: "A01", Stream: "http:" + id, Received: time.Now().UTC()}
	for i, l := range lines {
		m.Records = append(m.Records, queue.Record{Seq: uint64(i + 1), Line: int64(i + 1), Data: []byte(l)})
	}
	return m
}
