// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/internal/fault"
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
		Queue: h.q, Store: h.store, Rules: h.rules, SaveFindings: h.rec.saveFindings, EachFinding: h.rec.eachFinding,
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

func TestPath(t *testing.T) {
	h := newHouse(t)
	h.prepare()
	notices, cancel := h.l.Subscribe()
	defer cancel()
	h.start()
	h.publish(message("a", winlog(4624, 1), winlog(1102, 2), winlog(4634, 3)))
	h.settle()
	if got := h.mem.raws(); len(got) != 3 {
		t.Fatalf("stored %q", got)
	}
	for _, e := range h.mem.events {
		if e.Source != "dc-01" || e.Agency != "A01" || e.Realm != "city" || e.ID != event.NewID("dc-01", "http:a", uint64(e.Origin.Line)) {
			t.Errorf("event %+v", e)
		}
	}
	if h.rec.count() != 1 {
		t.Errorf("findings %+v", h.rec.findings)
	}
	if h.rec.saves == 0 {
		t.Error("incidents were never saved")
	}
	n := <-notices
	if n.Kind != NoticeFinding || n.Finding.Rule.Title != "Security log cleared" {
		t.Errorf("notice %+v", n)
	}
	if hl := h.l.Health(); hl.Events != 3 || hl.Findings != 1 || hl.InFlight != 0 || len(hl.Trouble) != 0 {
		t.Errorf("health %+v", hl)
	}
	ss := h.l.Sources()
	if len(ss) != 1 || ss[0].Name != "dc-01" || ss[0].Records != 3 || ss[0].Formats["jsonl"] != 3 || ss[0].Transport != "http" || !ss[0].LastEvent.Equal(t0.Add(3*time.Second)) {
		t.Errorf("sources %+v", ss)
	}

	// The same messages again, as a sender's retry: nothing is new.
	again := message("a", winlog(4624, 1), winlog(1102, 2), winlog(4634, 3))
	again.ID = "another id, so that the queue takes it"
	h.publish(again)
	h.settle()
	if hl := h.l.Health(); hl.Events != 3 || hl.Findings != 1 || len(h.mem.raws()) != 3 {
		t.Errorf("after a retry: health %+v", hl)
	}
	select {
	case n := <-notices:
		if n.Kind == NoticeFinding {
			t.Errorf("announced again: %+v", n)
		}
	default:
	}
}

// Bytes that nobody understands are kept as bytes, whether the decoder says so
// or falls over; what is no event is counted.
func TestUndecoded(t *testing.T) {
	h := newHouse(t)
	h.prepare()
	h.l.record = func(b []byte, p format.Pos, s format.Source) (*event.Event, error) {
		switch {
		case bytes.Contains(b, []byte("panic")):
			panic("oh")
		case bytes.HasPrefix(b, []byte("#")):
			return nil, format.ErrSkip
		}
		return ingest.Record(b, p, s)
	}
	h.start()
	lines := []string{winlog(1102, 1), "what is this \xff\x00", "# a header", "panic!", winlog(1102, 2)}
	h.publish(message("a", lines...))
	h.settle()
	want := []string{lines[0], lines[1], lines[3], lines[4]}
	slices.Sort(want)
	if d := cmp.Diff(want, h.mem.raws()); d != "" {
		t.Error(d)
	}
	bad := h.mem.events[event.NewID("dc-01", "http:a", 4)]
	if bad == nil || bad.Origin.Format != Undecoded || !strings.Contains(bad.Fields.Str("decode_error"), "panicked: oh") || !bad.Time.IsZero() || bad.Origin.Line != 4 {
		t.Errorf("event %+v", bad)
	}
	s := h.l.Sources()[0]
	if s.Records != 4 || s.Damaged != 2 || s.Skipped != 1 || len(s.Notes) != 2 || h.l.Health().Undecoded != 2 {
		t.Errorf("source %+v", s)
	}
	if h.rec.count() != 2 {
		t.Errorf("%d findings: the bad records hid good ones", h.rec.count())
	}
}

const zeekHead = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\n#types\ttime\tstring\taddr\tport\taddr\tport\tenum\n"

// Lines that need a header are decoded with it, and stand where they stood.
func TestLinesWithHead(t *testing.T) {
	h := newHouse(t)
	h.start()
	m := message("z", "1588205198.9\tCa\t10.0.1.4\t1\t10.0.0.4\t53\tudp", "broken", "1588205199.9\tCb\t10.0.1.4\t2\t10.0.0.4\t53\tudp")
	m.Listener, m.Format, m.Head, m.Stream, m.File = "watch", "zeek", []byte(zeekHead), "file:x", "/logs/conn.log"
	for i := range m.Records {
		m.Records[i].Seq, m.Records[i].Offset, m.Records[i].Line = uint64(1000*i+500), int64(1000*i+500), int64(i+50)
	}
	csv := message("c", "1642204801,High entropy,10.0.0.1,host,AM", "1642204802,\"two\nlines\",10.0.0.1,host,AM")
	csv.Format, csv.Head = "csv", []byte("time,name,ip,host,short\n")
	h.publish(m, csv)
	h.settle()
	for i, want := range []string{"zeek", Undecoded, "zeek"} {
		r := m.Records[i]
		e := h.mem.events[event.NewID("dc-01", "file:x", r.Seq)]
		if e == nil {
			t.Fatalf("record %d is not there under its id", i)
		}
		if e.Origin.Format != want || e.Origin.Offset != r.Offset || e.Origin.Line != r.Line || e.Origin.File != "/logs/conn.log" || e.Origin.Stream != "file:x" || string(e.Raw) != string(r.Data) {
			t.Errorf("record %d: %+v, raw %q", i, e.Origin, e.Raw)
		}
	}
	if e := h.mem.events[event.NewID("dc-01", "http:c", 1)]; e == nil || e.Product != "alert" || e.Fields.Str("name") != "High entropy" {
		t.Errorf("csv: %+v", e)
	}
	if e := h.mem.events[event.NewID("dc-01", "http:c", 2)]; e == nil || e.Fields.Str("name") != "two\nlines" {
		t.Errorf("csv: %+v", e)
	}
	if len(h.mem.events) != 5 {
		t.Errorf("%d events", len(h.mem.events))
	}
}

// A whole file becomes several batches, with ids by its content, and is gone
// from the queue when it is through.
func TestWholeFile(t *testing.T) {
	h := newHouse(t)
	h.cfg.MaxEvents = 100
	h.start()
	var raw, packed bytes.Buffer
	for i := range 250 {
		fmt.Fprintln(&raw, winlog(4624, i))
	}
	z := gzip.NewWriter(&packed)
	z.Write(raw.Bytes())
	z.Close()
	put := func(name string, content []byte) queue.Blob {
		b, err := h.q.PutBlob(context.Background(), bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		m := message(name)
		m.Listener, m.File, m.Blob, m.Delayed = "watch", "/drop/"+name, &b, true
		h.publish(m)
		return b
	}
	gz := put("log.json.gz", packed.Bytes())
	put("log.json", raw.Bytes())
	put("photo.jpg", []byte("\xff\xd8\xff\x00"))
	h.settle()
	if len(h.mem.events) != 250 {
		t.Errorf("%d events, want 250: a file and its compressed copy are the same records", len(h.mem.events))
	}
	for _, e := range h.mem.events {
		if e.Origin.File != "/drop/log.json.gz" || e.Source != "dc-01" || e.Origin.SHA256 == "" || e.Received.IsZero() {
			t.Fatalf("event %+v", e)
		}
	}
	path, err := h.q.BlobPath(gz)
	if err != nil {
		t.Fatal(err)
	}
	h.until("the file to be deleted", func() bool { _, err := os.Stat(path); return errors.Is(err, os.ErrNotExist) })
	if notes := strings.Join(h.l.Sources()[0].Notes, "\n"); !strings.Contains(notes, "photo.jpg") {
		t.Errorf("notes %q", notes)
	}
}

// What the store refuses is put aside alone.
func TestOneRefusedEventDoesNotStopTheOthers(t *testing.T) {
	h := newHouse(t)
	poison := event.NewID("dc-01", "http:a", 7)
	h.mem.fail = func(b eventstore.Batch) error {
		if slices.ContainsFunc(b.Events, func(e *event.Event) bool { return e.ID == poison }) {
			return fault.New(fault.Invalid, "this one cannot be")
		}
		return nil
	}
	h.start()
	var lines []string
	for i := range 20 {
		lines = append(lines, winlog(4624, i))
	}
	h.publish(message("a", lines...))
	h.settle()
	if len(h.mem.events) != 19 {
		t.Errorf("%d stored", len(h.mem.events))
	}
	b, err := os.ReadFile(filepath.Join(h.dir, "queue", "dead", "event-"+poison.String()+".bin"))
	var e event.Event
	if err != nil || json.Unmarshal(b, &e) != nil || string(e.Raw) != lines[6] {
		t.Errorf("put aside: %s, %v", b, err)
	}
}

// A store or a database that is down stops the pipeline, not the queue; when it
// is back, nothing is missing.
func TestWaitsForWhatIsDown(t *testing.T) {
	for _, part := range []string{"keep", "record"} {
		t.Run(part, func(t *testing.T) {
			h := newHouse(t)
			down := fault.New(fault.Unavailable, "being restored")
			if part == "keep" {
				h.mem.setFail(func(eventstore.Batch) error { return down })
			} else {
				h.rec.failing = down
			}
			h.start()
			for i := range 10 {
				h.publish(message(fmt.Sprint("m", i), winlog(1102, i)))
			}
			h.until("the trouble to be told", func() bool {
				tr := h.l.Health().Trouble
				return len(tr) == 1 && tr[0].Stage == part && strings.Contains(tr[0].Error, "restored")
			})
			if st, _ := h.q.Stats(context.Background()); st.Messages == 0 {
				t.Error("acknowledged what was not kept")
			}
			h.mem.setFail(nil)
			h.rec.mu.Lock()
			h.rec.failing = nil
			h.rec.mu.Unlock()
			h.settle()
			if len(h.mem.events) != 10 || h.rec.count() != 10 || len(h.l.Health().Trouble) != 0 {
				t.Errorf("%d events, %d findings, health %+v", len(h.mem.events), h.rec.count(), h.l.Health())
			}
		})
	}
}

// Stopped while the store is down: what was in hand is delivered after a
// restart.
func TestStopInTrouble(t *testing.T) {
	h := newHouse(t)
	h.cfg.Grace = 50 * time.Millisecond
	h.mem.setFail(func(eventstore.Batch) error { return errors.New("disk on fire") })
	h.start()
	h.publish(message("a", winlog(1102, 1)))
	h.until("trouble", func() bool { return len(h.l.Health().Trouble) == 1 })
	h.stop()
	h.q.Close()
	h.mem.setFail(nil)
	h.openQueue()
	h.start()
	h.settle()
	if len(h.mem.events) != 1 || h.rec.count() != 1 {
		t.Errorf("%d events, %d findings", len(h.mem.events), h.rec.count())
	}
}

// Incidents after a restart in the middle are those of one run, although some
// packs came twice: kept before the kill, not acknowledged, delivered again.
func TestRestartGivesTheSameIncidents(t *testing.T) {
	msgs := attack()
	whole := newHouse(t)
	whole.rules = rules(t, logCleared, sprayed)
	whole.start()
	whole.publish(msgs...)
	whole.settle()
	want := whole.rec.last()
	if len(want) == 0 {
		t.Fatal("no incident: the test tests nothing")
	}

	h := newHouse(t)
	h.rules = whole.rules
	h.start()
	half := len(msgs) / 2
	h.publish(msgs[:half]...)
	h.settle()
	h.stop()
	// The last of them come again under another id, as if never acknowledged.
	for _, m := range msgs[half-3 : half] {
		m.ID += "/again"
		h.publish(m)
	}
	h.publish(msgs[half:]...)
	h.q.Close()
	h.openQueue()
	h.start()
	h.settle()
	if d := cmp.Diff(asJSON(t, want), asJSON(t, h.rec.last())); d != "" {
		t.Errorf("incidents differ: %s", d)
	}
	if hl := h.l.Health(); hl.Correlate.Refilled == 0 || hl.Correlate.Cut {
		t.Errorf("health %+v", hl)
	}

	// And those of an engine that simply saw every event once.
	e := correlate.New(correlate.Config{})
	m := whole.rules.NewMatcher()
	for _, ev := range whole.mem.events {
		e.Observe(ev, m.Match(ev))
	}
	if d := cmp.Diff(asJSON(t, e.Incidents(context.Background())), asJSON(t, want)); d != "" {
		t.Errorf("live and batch differ: %s", d)
	}
}

const sprayed = `title: Failed logon
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0002
status: test
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 4625}
  condition: sel
level: critical
tags: [attack.credential-access, attack.t1110]
`

func attack() (ms []queue.Message) {
	for i := range 40 {
		id := []int{4624, 4625, 1102, 4634}[i%4]
		line := fmt.Sprintf(`{"@timestamp":%q,"winlog":{"channel":"Security","event_id":%d,"provider_name":"P","computer_name":"srv-%d","record_id":%d,"event_data":{"TargetUserName":"lin","TargetDomainName":"CITY","IpAddress":"10.1.2.%d","LogonType":"3"}}}`,
			t0.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), id, i%3, i, i%5+1)
		ms = append(ms, message(fmt.Sprintf("m%02d", i), line))
	}
	return ms
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A renewed engine knows what is stored, each once, also what is handed over
// while it reads back.
func TestRefill(t *testing.T) {
	h := newHouse(t)
	h.rules = rules(t, logCleared, sprayed)
	h.start()
	h.publish(attack()...)
	h.settle()
	before := asJSON(t, h.rec.last())
	h.stop()
	h.prepare()
	h.cfg.RefillMax = 10
	c := correlator{l: h.l}
	if err := c.refill(context.Background()); err != nil {
		t.Fatal(err)
	}
	if hl := h.l.Health().Correlate; hl.Refilled != 40 || hl.Cut {
		t.Errorf("%+v", hl)
	}
	var all []*event.Event
	for _, e := range h.mem.events {
		all = append(all, e)
	}
	again := &batch{events: all, findings: make([][]detect.Finding, len(all)), kept: c.refilled}
	c.observe(again) // kept before the reading ended: known
	if err := c.answer(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, asJSON(t, h.rec.last())); d != "" {
		t.Error(d)
	}
	h.prepare() // with RefillMax
	c = correlator{l: h.l}
	if err := c.refill(context.Background()); err != nil {
		t.Fatal(err)
	}
	if hl := h.l.Health().Correlate; hl.Refilled != 10 || !hl.Cut {
		t.Errorf("%+v", hl)
	}
}

const counted = `title: Failed logon
name: failed
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0003
status: test
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 4625}
  condition: sel
level: low
---
title: Many failed logons
id: 4e7ac0a9-6f2a-4f0e-9a3c-0d4a6d2f0004
status: test
correlation:
  type: event_count
  rules: [failed]
  group-by: [Computer]
  timespan: 10m
  condition: {gte: 5}
level: high
`

// A rule that counts over time goes on over a restart, and counts a record that
// is delivered again once.
func TestRulesThatCountOutliveARestart(t *testing.T) {
	old := t0
	defer func() { t0 = old }()
	t0 = time.Now().UTC().Add(-time.Minute).Truncate(time.Second)
	load := func() *sigma.Engine {
		e, rep, err := sigma.Load([]sigma.Set{{Name: "t", FS: fstest.MapFS{"r.yml": {Data: []byte(counted)}}}}, sigma.Options{})
		if err != nil || len(e.Rules()) == 0 {
			t.Fatal(err, rep)
		}
		return e
	}
	many := func(h *house) (n int) {
		h.rec.mu.Lock()
		defer h.rec.mu.Unlock()
		for _, f := range h.rec.findings {
			if f.Rule.Title == "Many failed logons" {
				n++
			}
		}
		return n
	}
	h := newHouse(t)
	h.rules = load()
	h.start()
	three := message("a", winlog(4625, 1), winlog(4625, 2), winlog(4625, 3))
	h.publish(three)
	for i := range 3 {
		three.ID = fmt.Sprint("again", i)
		h.publish(three)
	}
	h.settle()
	if many(h) != 0 {
		t.Fatal("three records, delivered again, were counted as five")
	}
	h.stop()
	h.q.Close()
	h.openQueue()
	h.rules = load()
	one := three
	one.ID, one.Records = "after the restart", three.Records[2:]
	h.publish(one)
	h.start()
	h.publish(message("b", winlog(4625, 4)))
	h.settle()
	if many(h) != 0 {
		t.Fatal("four records were counted as five")
	}
	h.publish(message("c", winlog(4625, 5)))
	h.settle()
	if many(h) != 1 {
		t.Errorf("%d findings of the rule that counts, want 1", many(h))
	}
}

// Killed between keep and record: the findings are made up for, in the records
// and in correlation, also when the event is older than what rules see again.
func TestKilledBeforeTheFindingsWereSaved(t *testing.T) {
	for name, age := range map[string]time.Duration{"lately": time.Minute, "old records": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			old := t0
			defer func() { t0 = old }()
			t0 = time.Now().UTC().Add(-age).Truncate(time.Second)
			h := newHouse(t)
			h.rules = rules(t, sprayed, logCleared)
			h.cfg.Grace = 20 * time.Millisecond
			h.rec.failing = errors.New("disk full")
			h.start()
			h.publish(attack()...)
			h.until("events to be kept and their findings not", func() bool { return len(h.l.Health().Trouble) == 1 && h.l.Health().Events > 0 })
			h.stop()
			h.q.Close()
			h.rec.mu.Lock()
			h.rec.failing = nil
			h.rec.mu.Unlock()
			h.openQueue()
			h.start()
			h.settle()
			if h.rec.count() != 20 {
				t.Errorf("%d findings saved, want 20", h.rec.count())
			}
			n := 0
			for _, i := range h.rec.last() {
				n += len(i.Findings)
			}
			whole := newHouse(t)
			whole.rules = h.rules
			whole.start()
			whole.publish(attack()...)
			whole.settle()
			want := 0
			for _, i := range whole.rec.last() {
				want += len(i.Findings)
			}
			if n != want || want == 0 {
				t.Errorf("incidents rest on %d findings, want %d", n, want)
			}
		})
	}
}

func TestRulesAreExchanged(t *testing.T) {
	h := newHouse(t)
	h.rules = nil
	h.start()
	h.publish(message("a", winlog(1102, 1)))
	h.settle()
	if h.rec.count() != 0 {
		t.Fatalf("findings without rules: %+v", h.rec.findings)
	}
	h.l.SetRules(rules(t, logCleared))
	h.publish(message("b", winlog(1102, 2)))
	h.settle()
	if h.rec.count() != 1 {
		t.Errorf("findings %+v", h.rec.findings)
	}
	if s := h.l.RuleStats(); s.Events != 1 || s.Findings != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestSlowReaderIsTold(t *testing.T) {
	var h hub
	slow, cancel := h.subscribe()
	for range noticeBuffer + 7 {
		h.send(Notice{Kind: NoticeFinding})
	}
	for range noticeBuffer {
		if n := <-slow; n.Missed != 0 {
			t.Fatalf("missed %d too early", n.Missed)
		}
	}
	h.send(Notice{Kind: NoticeIncident, Incident: "x"})
	if n := <-slow; n.Missed != 7 || n.Incident != "x" {
		t.Errorf("notice %+v, want 7 missed", n)
	}
	cancel()
	cancel()
	if _, ok := <-slow; ok {
		t.Error("not closed")
	}
	h.send(Notice{}) // to nobody
}

func TestRecent(t *testing.T) {
	r := newRecent(10)
	id := func(i int) event.ID { return event.NewID("s", "t", uint64(i)) }
	for i := range 100 {
		if !r.add(id(i)) {
			t.Fatalf("%d is new", i)
		}
		if r.add(id(i)) {
			t.Fatalf("%d is known", i)
		}
	}
	for i := 91; i < 100; i++ { // the last ten at least
		if r.add(id(i)) {
			t.Errorf("%d was forgotten", i)
		}
	}
	if len(r.now)+len(r.old) > 21 {
		t.Errorf("holds %d", len(r.now)+len(r.old))
	}
}

func TestConfig(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"realm":      func(c *Config) { c.Realm = "x" },
		"workers":    func(c *Config) { c.Workers = -1 },
		"linger":     func(c *Config) { c.Linger = -1 },
		"max_events": func(c *Config) { c.MaxEvents = 0 },
		"max_bytes":  func(c *Config) { c.MaxBytes = 0 },
		"recompute":  func(c *Config) { c.Recompute = 0 },
		"lookback":   func(c *Config) { c.Lookback = 0 },
		"warm":       func(c *Config) { c.Warm = -1 },
		"refill_max": func(c *Config) { c.RefillMax = 0 },
		"renew":      func(c *Config) { c.Renew = 0 },
		"late_after": func(c *Config) { c.LateAfter = 0 },
		"grace":      func(c *Config) { c.Grace = -1 },
	} {
		c := Defaults()
		change(&c)
		if err := c.Validate(); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := New(Defaults(), Parts{}); err == nil {
		t.Error("a pipeline without parts")
	}
}
