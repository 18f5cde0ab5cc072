// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

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

// TestJoined: lines of one event are joined when they come in one message; with a
// damaged line among them each stands for itself, and none is lost.
func TestJoined(t *testing.T) {
	h := newHouse(t)
	h.start()
	lines := []string{
		`type=SYSCALL msg=audit(1773398400.123:501): arch=c000003e syscall=59 success=yes exit=0 pid=1 uid=0 comm="sh" exe="/usr/bin/dash"`,
		`type=EXECVE msg=audit(1773398400.123:501): argc=2 a0="sh" a1="-x"`,
		`type=CWD msg=audit(1773398400.123:501): cwd="/"`,
	}
	whole, torn := message("a", lines...), message("b", lines[0], lines[1], "torn")
	for _, m := range []*queue.Message{&whole, &torn} {
		m.Listener, m.Format = "watch", "auditd"
	}
	h.publish(whole, torn)
	h.settle()
	if e := h.mem.events[event.NewID("dc-01", "http:a", 1)]; e == nil || e.View().Command != "sh -x" || e.Fields.Str("cwd") != "/" {
		t.Errorf("joined: %+v", e)
	}
	if e := h.mem.events[event.NewID("dc-01", "http:b", 2)]; e == nil || e.View().Command != "sh -x" {
		t.Errorf("alone: %+v", e)
	}
	if e := h.mem.events[event.NewID("dc-01", "http:b", 3)]; e == nil || e.Origin.Format != Undecoded {
		t.Errorf("damaged: %+v", e)
	}
	if len(h.mem.events) != 4 {
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

// TestObserve: who observes sees each kept event once, also when a pack comes
// again, and one that panics stops nothing.
func TestObserve(t *testing.T) {
	h := newHouse(t)
	h.prepare()
	var mu sync.Mutex
	seen := map[event.ID]int{}
	h.l.p.Observe = func(es []*event.Event) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range es {
			seen[e.ID]++
		}
		panic("oh")
	}
	h.start()
	for _, id := range []string{"", "another id, so that the queue takes it"} {
		m := message("a", winlog(4624, 1), winlog(1102, 2), winlog(4634, 3))
		if id != "" {
			m.ID = id
		}
		h.publish(m)
		h.settle()
	}
	mu.Lock()
	defer mu.Unlock()
	for id := range h.mem.events {
		if seen[id] != 1 {
			t.Errorf("event %s was shown %d times", id, seen[id])
		}
	}
	if len(seen) != 3 || h.l.Health().InFlight != 0 {
		t.Errorf("%d events were shown, want 3; health %+v", len(seen), h.l.Health())
	}
}
