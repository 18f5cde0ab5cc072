// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package httpbulk

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"citywall/event"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a queue that gives the error that is set.
type sink struct {
	mu  sync.Mutex
	err error
	ms  []queue.Message
}

func (s *sink) publish(_ context.Context, ms ...queue.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.ms = append(s.ms, ms...)
	}
	return s.err
}

// ids are the event ids that a worker will derive.
func (s *sink) ids() map[event.ID]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[event.ID]string{}
	for _, m := range s.ms {
		for _, r := range m.Records {
			out[event.NewID(m.Source, m.Stream, r.Seq)] = string(r.Data)
		}
	}
	return out
}

func verify(_ context.Context, token string) (Sender, error) {
	switch token {
	case "good":
		return Sender{Source: "dc-01", Realm: "city", Agency: "A01", Zone: "UTC"}, nil
	case "other":
		return Sender{Source: "dc-02", Realm: "city"}, nil
	case "down":
		return Sender{}, fault.New(fault.Unavailable, "records are being restored")
	}
	return Sender{}, fault.New(fault.NotFound, "no such token")
}

func handler(t testing.TB, s *sink, change func(*Config)) *Handler {
	t.Helper()
	cfg := Defaults()
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg, verify, s.publish, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func post(h http.Handler, token, key, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/api/v1/ingest", strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func zip(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func TestAnswers(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, c := range []struct {
		name, token, key, body string
		headers                []string
		queue                  error
		status                 int
		want                   string // in the body
	}{
		{"accepted", "good", "k", "{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}", nil, nil, 200, `{"accepted":3,"bytes":25}`},
		{"nothing in it", "good", "k", "\n", nil, nil, 200, `{"accepted":0,"bytes":1}`},
		{"gzip", "good", "k", zip("{\"a\":1}\n{\"a\":2}\n"), []string{"Content-Encoding", "gzip"}, nil, 200, `{"accepted":2,"bytes":16}`},
		{"no token", "", "k", "{}", nil, nil, 401, "Authorization: Bearer"},
		{"wrong token", "bad", "k", "{}", nil, nil, 401, "not valid"},
		{"basic auth", "", "k", "{}", []string{"Authorization", "Basic Z29vZDo="}, nil, 401, "Bearer"},
		{"tokens cannot be checked", "down", "k", "{}", nil, nil, 503, "being restored"},
		{"no key", "good", "", "{}", nil, nil, 400, "Idempotency-Key header: any text"},
		{"key too long", "good", strings.Repeat("k", 201), "{}", nil, nil, 400, "200 printable"},
		{"key of odd bytes", "good", "k\x7f", "{}", nil, nil, 400, "printable"},
		{"array", "good", "k", " [\n{\"a\":1},\n{}]", nil, nil, 400, "JSON array"},
		{"unknown encoding", "good", "k", "x", []string{"Content-Encoding", "br"}, nil, 415, "br"},
		{"no gzip", "good", "k", "{}", []string{"Content-Encoding", "gzip"}, nil, 400, "cannot be read"},
		{"gzip cut short", "good", "k", zip("{\"a\":1}\n")[:20], []string{"Content-Encoding", "gzip"}, nil, 400, "cannot be read"},
		{"body too large", "good", "k", strings.Repeat("{\"a\":1}\n", 10_000), nil, nil, 413, "larger than 65536"},
		{"unpacked too large", "good", "k", zip(strings.Repeat("{\"a\":1}\n", 1_000_000)), []string{"Content-Encoding", "gzip"}, nil, 413, "when unpacked"},
		{"line too long", "good", "k", zip("{}\n" + long), []string{"Content-Encoding", "gzip"}, nil, 413, "line 2 is longer"},
		{"queue full", "good", "k", "{}", nil, fault.New(fault.Busy, "the queue is full"), 503, "the queue is full"},
		{"queue closed", "good", "k", "{}", nil, fault.New(fault.Unavailable, "shutting down"), 503, "shutting down"},
		{"queue broken", "good", "k", "{}", nil, fmt.Errorf("secret of the house"), 500, "something went wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &sink{err: c.queue}
			h := handler(t, s, func(c *Config) { c.MaxBody, c.MaxDecoded = 64<<10, 4<<20 })
			w := post(h, c.token, c.key, c.body, c.headers...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("%d %s; want %d with %q", w.Code, w.Body, c.status, c.want)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Error("tells what lies inside")
			}
			if w.Code != 200 {
				var e struct {
					Error struct{ Kind, Message string }
				}
				if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error.Kind == "" || e.Error.Message == "" {
					t.Errorf("answer %s: %v", w.Body, err)
				}
			}
			if (w.Code == 503 && c.token == "good" || w.Code == 429) && w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
	h := handler(t, &sink{}, nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil)); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestMessageCarriesTheSender(t *testing.T) {
	s := &sink{}
	post(handler(t, s, nil), "good", "file-1@0", "\n{\"a\":1}\n")
	m := s.ms[0]
	m.ID, m.Received = "", time.Time{}
	want := queue.Message{
		Listener: "http", Source: "dc-01", Sender: "192.0.2.1:1234", Realm: "city", Agency: "A01", Zone: "UTC", Stream: "http:file-1@0",
		Records: []queue.Record{{Seq: 2, Offset: 1, Line: 2, Data: []byte(`{"a":1}`)}},
	}
	if d := cmp.Diff(want, m); d != "" {
		t.Error(d)
	}
}

// The ids depend on source, key and line, and on nothing else: not on the
// process, on how the body is cut, or on what it says.
func TestIdempotency(t *testing.T) {
	body := strings.Repeat("{\"same\":\"content\"}\n", 1200)
	first := &sink{}
	h := handler(t, first, nil)
	post(h, "good", "k1", body)
	if n := len(first.ids()); n != 1200 {
		t.Fatalf("%d ids for 1200 lines", n)
	}
	if len(first.ms) < 3 {
		t.Errorf("%d messages: the body should have been cut", len(first.ms))
	}

	t.Run("again, in this process: 200 without another write", func(t *testing.T) {
		n := len(first.ms)
		w := post(h, "good", "k1", zip(body), "Content-Encoding", "gzip")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"accepted":1200`) || len(first.ms) != n {
			t.Errorf("%d %s, %d messages more", w.Code, w.Body, len(first.ms)-n)
		}
	})
	t.Run("again, after a restart: the same ids and message ids", func(t *testing.T) {
		second := &sink{}
		post(handler(t, second, nil), "good", "k1", body)
		if d := cmp.Diff(first.ids(), second.ids()); d != "" {
			t.Error(d)
		}
		for i := range second.ms {
			if first.ms[i].ID != second.ms[i].ID {
				t.Errorf("message %d: %s and %s", i, first.ms[i].ID, second.ms[i].ID)
			}
		}
	})
	t.Run("another key, another source: other events", func(t *testing.T) {
		second := &sink{}
		h2 := handler(t, second, nil)
		post(h2, "good", "k2", body)
		post(h2, "other", "k1", body)
		for id := range second.ids() {
			if _, ok := first.ids()[id]; ok {
				t.Fatalf("id %v again", id)
			}
		}
		if n := len(second.ids()); n != 2400 {
			t.Errorf("%d ids, want 2400", n)
		}
	})
	t.Run("other content under a known key: refused", func(t *testing.T) {
		n := len(first.ms)
		if w := post(h, "good", "k1", body+"{}"); w.Code != 409 || len(first.ms) != n {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("other content under a forgotten key: another message, so that no line is taken for a repeat", func(t *testing.T) {
		second := &sink{}
		post(handler(t, second, nil), "good", "k1", strings.Repeat("{\"other\":\"content\"}\n", 1200))
		if second.ms[0].ID == first.ms[0].ID {
			t.Error("the queue would drop it as a duplicate")
		}
	})
	t.Run("a failed request leaves no memory", func(t *testing.T) {
		s := &sink{err: fault.New(fault.Busy, "full")}
		h := handler(t, s, nil)
		post(h, "good", "k", "{}")
		s.err = nil
		if w := post(h, "good", "k", "{\"mended\":1}"); w.Code != 200 || len(s.ms) != 1 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	m := newMemory(3)
	id := func(i int) [16]byte { return [16]byte{byte(i)} }
	for i := range 10 {
		m.put(id(i), id(i))
	}
	for i := range 10 {
		if _, ok := m.get(id(i)); ok != (i >= 7) {
			t.Errorf("key %d known: %v", i, ok)
		}
	}
	if len(m.at) != 3 {
		t.Errorf("holds %d", len(m.at))
	}
}

func TestTooManyAtOnce(t *testing.T) {
	s := &sink{}
	h := handler(t, s, func(c *Config) { c.MaxRequests = 1 })
	pr, pw := io.Pipe()
	started := make(chan struct{})
	done := make(chan *httptest.ResponseRecorder)
	go func() {
		r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("{\"a\":1}\n"), signal{started}, pr))
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Set("Idempotency-Key", "slow")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		done <- w
	}()
	<-started
	if w := post(h, "good", "k", "{}"); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	io.WriteString(pw, "{\"a\":2}\n")
	pw.Close()
	if w := <-done; w.Code != 200 || !strings.Contains(w.Body.String(), `"accepted":2`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := post(h, "good", "k", "{}"); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}

// signal is a reader without bytes that tells when it is reached.
type signal struct{ c chan struct{} }

func (s signal) Read([]byte) (int, error) { close(s.c); return 0, io.EOF }

func TestRateOfASource(t *testing.T) {
	s := &sink{}
	h := handler(t, s, func(c *Config) { c.MaxBody, c.MaxDecoded, c.SourceRate = 64<<10, 64<<10, 1000 })
	body := strings.Repeat("{\"a\":1}\n", 5000) // 40,000 bytes: the second makes a debt of 14,464
	for i := range 2 {
		if w := post(h, "good", fmt.Sprint(i), body); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	w := post(h, "good", "3", body)
	if w.Code != 429 || w.Header().Get("Retry-After") < "1" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := post(h, "other", "3", body); w.Code != 200 {
		t.Errorf("another source: %d %s", w.Code, w.Body)
	}
}

// Over a real connection: a body that stalls is given up, and its sender told.
func TestSlowBody(t *testing.T) {
	h := handler(t, &sink{}, func(c *Config) { c.ReadTimeout = time.Second })
	srv := httptest.NewServer(h)
	defer srv.Close()
	pr, pw := io.Pipe()
	defer pw.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, pr)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer good")
	req.Header.Set("Idempotency-Key", "k")
	go io.WriteString(pw, "{\"a\":1}\n")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d", res.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestConfig(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"max_body":      func(c *Config) { c.MaxBody = 1 },
		"max_decoded":   func(c *Config) { c.MaxDecoded = c.MaxBody - 1 },
		"max_requests":  func(c *Config) { c.MaxRequests = 0 },
		"source_rate":   func(c *Config) { c.SourceRate = -1 },
		"read_timeout":  func(c *Config) { c.ReadTimeout = 0 },
		"retry_after":   func(c *Config) { c.RetryAfter = 0 },
		"keys_remember": func(c *Config) { c.KeysKnown = 0 },
	} {
		c := Defaults()
		change(&c)
		if err := c.Validate(); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Whatever the body: an answer, and 200 only when every line that is not blank
// was handed over with its number.
func FuzzBody(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n{\"a\":2}"), false)
	f.Add([]byte(zip("{\"a\":1}\n")), true)
	f.Add([]byte("\n\r\n [1]\n"), false)
	f.Fuzz(func(t *testing.T, body []byte, gz bool) {
		s := &sink{}
		h := handler(t, s, func(c *Config) { c.MaxBody, c.MaxDecoded = 64<<10, 1<<20 })
		var headers []string
		if gz {
			headers = []string{"Content-Encoding", "gzip"}
		}
		w := post(h, "good", "k", string(body), headers...)
		if gz || w.Code != 200 {
			return
		}
		lines := bytes.Split(body, []byte("\n"))
		n := 0
		for _, l := range lines {
			if len(bytes.TrimSpace(l)) > 0 {
				n++
			}
		}
		got := 0
		for _, m := range s.ms {
			for _, r := range m.Records {
				got++
				if !bytes.Equal(r.Data, bytes.TrimRight(lines[r.Line-1], "\r\n")) {
					t.Fatalf("line %d is %q", r.Line, r.Data)
				}
			}
		}
		if got != n {
			t.Fatalf("%d lines handed over, %d sent", got, n)
		}
	})
}
