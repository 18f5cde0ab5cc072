// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpbulk takes records over HTTP: one JSON object a line, gzip or
// not, with a bearer token and an Idempotency-Key.
//
// It promises that 200 means every line of the body is on the queue's disk, and
// that a line's event id follows from source, key and line number alone: a
// request that is sent again with its key, a restart later or a year later, is
// stored once. Another key makes other events, whatever the content. While it
// remembers a key it refuses other content under it (409); beyond that, what
// was stored first stays.
//
// Any answer but 200 promises nothing: parts of the body may be on the queue.
// Send the same body with the same key again.
//
//	400  no key, a JSON array, a broken gzip stream     mend the request
//	401  no token, or one that is not valid
//	405, 408, 415                                           method, too slow, Content-Encoding
//	409  the key was used for other content             take a new key
//	413  body, decoded body or one line too large       send smaller requests
//	429  too many requests at once, or over the rate    wait Retry-After
//	503  the queue is full or shutting down             wait Retry-After
//
// It never decodes a record: a line that is no JSON is accepted as bytes and
// counted as damaged later, with its place.
package httpbulk

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"citywall/asset"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

// Publish puts messages on the queue and returns when they are durable.
type Publish func(ctx context.Context, ms ...queue.Message) error

// Sender is what a token stands for.
type Sender struct {
	Source string // registered name
	Realm  asset.Realm
	Agency string
	Zone   string // IANA name, "" for the default
}

// Verify returns whom a token stands for, or an error of kind forbidden or not
// found when it stands for nobody.
type Verify func(ctx context.Context, token string) (Sender, error)

// Handler serves POST of bulk records.
type Handler struct {
	cfg     Config
	verify  Verify
	publish Publish
	log     *slog.Logger
	slots   chan struct{}
	keys    *memory
	st      counters

	mu    sync.Mutex
	rates map[string]*rate.Limiter // by source; as many as there are tokens
}

type counters struct{ requests, records, bytes, replayed, refused atomic.Int64 }

// Stats counts since start.
type Stats struct {
	Requests int64 `json:"requests"`
	Records  int64 `json:"records"`  // that are on the queue
	Bytes    int64 `json:"bytes"`    // of them
	Replayed int64 `json:"replayed"` // requests answered 200 from memory
	Refused  int64 `json:"refused"`  // any answer but 200
}

// New returns a handler.
func New(cfg Config, verify Verify, publish Publish, log *slog.Logger) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Handler{
		cfg: cfg, verify: verify, publish: publish, log: log, slots: make(chan struct{}, cfg.MaxRequests),
		keys: newMemory(cfg.KeysKnown), rates: map[string]*rate.Limiter{},
	}, nil
}

// Stats returns the counts so far.
func (h *Handler) Stats() Stats {
	return Stats{
		Requests: h.st.requests.Load(), Records: h.st.records.Load(), Bytes: h.st.bytes.Load(),
		Replayed: h.st.replayed.Load(), Refused: h.st.refused.Load(),
	}
}

// accepted is the answer to a request whose lines are all on the queue.
type accepted struct {
	Accepted int64 `json:"accepted"` // lines that are not blank
	Bytes    int64 `json:"bytes"`    // of the decoded body
}

// problem is every other answer.
type problem struct {
	Kind    fault.Kind `json:"kind"`
	Message string     `json:"message"`
	status  int
	wait    time.Duration
}

func (p *problem) Error() string { return p.Message }

func refuse(status int, kind fault.Kind, f string, args ...any) *problem {
	return &problem{Kind: kind, Message: fmt.Sprintf(f, args...), status: status}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.st.requests.Add(1)
	ok, err := h.take(w, r)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err == nil {
		h.answer(w, http.StatusOK, ok)
		return
	}
	h.st.refused.Add(1)
	p := h.explain(r.Context(), err)
	if p.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.wait+time.Second-1)/time.Second)))
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="citywall"`)
	}
	h.answer(w, p.status, map[string]*problem{"error": p})
}

func (h *Handler) answer(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.log.Debug("bulk: the sender did not wait for the answer", "err", err)
	}
}

// explain turns any error into an answer.
func (h *Handler) explain(ctx context.Context, err error) *problem {
	var p *problem
	var body *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &body):
		return refuse(http.StatusRequestEntityTooLarge, fault.Invalid, "the body is larger than %d bytes; send it in smaller requests, each with its own key", body.Limit)
	case fault.Is(err, fault.Busy), fault.Is(err, fault.Unavailable):
		p = refuse(http.StatusServiceUnavailable, fault.Of(err), "%v", err)
		p.wait = h.cfg.RetryAfter
		return p
	case ctx.Err() != nil:
		return refuse(http.StatusServiceUnavailable, fault.Unavailable, "the request was cut short")
	}
	h.log.ErrorContext(ctx, "bulk: request", "err", err)
	return refuse(http.StatusInternalServerError, "internal", "something went wrong inside; the log of the server says what")
}

// take reads one request to its end and returns when its lines are durable.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) (accepted, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return accepted{}, refuse(http.StatusMethodNotAllowed, fault.Invalid, "send records with POST")
	}
	sender, err := h.sender(r)
	if err != nil {
		return accepted{}, err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return accepted{}, err
	}
	lim := h.limiter(sender.Source)
	if lim != nil {
		if debt := -lim.Tokens(); debt > 0 {
			p := refuse(http.StatusTooManyRequests, fault.Busy, "source %q sends more than %d bytes a second; wait", sender.Source, h.cfg.SourceRate)
			p.wait = time.Duration(debt / float64(h.cfg.SourceRate) * float64(time.Second))
			return accepted{}, p
		}
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		p := refuse(http.StatusTooManyRequests, fault.Busy, "%d requests are being read already; wait", h.cfg.MaxRequests)
		p.wait = time.Second
		return accepted{}, p
	}
	body, err := h.body(w, r)
	if err != nil {
		return accepted{}, err
	}
	id := keyID(sender, key)
	before, known := h.keys.get(id)
	b := batch{sender: sender, key: key, from: r.RemoteAddr, publish: h.publish}
	if known { // it is durable already; see only whether it is the same
		b.publish = nil
	}
	if err := b.read(r.Context(), body); err != nil {
		return accepted{}, err
	}
	if lim != nil {
		lim.ReserveN(time.Now(), int(min(b.bytes, h.cfg.MaxDecoded)))
	}
	digest := b.digest()
	if !known {
		before, known = h.keys.put(id, digest) // somebody may have been faster
	} else {
		h.st.replayed.Add(1)
	}
	if known && before != digest {
		return accepted{}, refuse(http.StatusConflict, fault.Conflict, "Idempotency-Key %q was used for other content; take a new key for new records", key)
	}
	if b.publish != nil {
		h.st.records.Add(b.lines)
		h.st.bytes.Add(b.bytes)
	}
	return accepted{b.lines, b.bytes}, nil
}

func (h *Handler) sender(r *http.Request) (Sender, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Sender{}, refuse(http.StatusUnauthorized, fault.Forbidden, "send the token of the source as Authorization: Bearer TOKEN")
	}
	s, err := h.verify(r.Context(), token)
	if fault.Is(err, fault.Forbidden) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
		return Sender{}, refuse(http.StatusUnauthorized, fault.Forbidden, "the token is not valid; a system administrator can make a new one")
	}
	return s, err
}

// maxKey bytes are enough for any UUID, hash or path.
const maxKey = 200

func idempotencyKey(r *http.Request) (string, error) {
	key := strings.TrimSpace(r.Header.Get("Idempotency-Key"))
	if key == "" {
		return "", refuse(http.StatusBadRequest, fault.Invalid, "send an Idempotency-Key header: any text that names this batch and no other (a UUID, or file name and offset), and the same one when you send the batch again")
	}
	if len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c < 0x20 || c > 0x7e }) {
		return "", refuse(http.StatusBadRequest, fault.Invalid, "the Idempotency-Key must be at most %d printable ASCII characters", maxKey)
	}
	return key, nil
}

func (h *Handler) limiter(source string) *rate.Limiter {
	if h.cfg.SourceRate == 0 {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	l, ok := h.rates[source]
	if !ok {
		l = rate.NewLimiter(rate.Limit(h.cfg.SourceRate), int(h.cfg.MaxDecoded))
		h.rates[source] = l
	}
	return l
}

// body returns the decoded body, bounded in size and time.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.cfg.ReadTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	var in io.Reader = http.MaxBytesReader(w, r.Body, h.cfg.MaxBody)
	switch enc := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, badBody(err)
		}
		in = z
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, fault.Invalid, "Content-Encoding %q is not understood; send gzip or none", enc)
	}
	return &bounded{in, h.cfg.MaxDecoded, h.cfg.MaxDecoded}, nil
}

// bounded fails, where io.LimitReader would end as if all were well.
type bounded struct {
	r         io.Reader
	left, max int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, refuse(http.StatusRequestEntityTooLarge, fault.Invalid, "the body is larger than %d bytes when unpacked; send it in smaller requests, each with its own key", b.max)
	}
	return n, err
}

// badBody is for bytes that cannot be read to their end.
func badBody(err error) error {
	var p *problem
	var body *http.MaxBytesError
	if errors.As(err, &p) || errors.As(err, &body) {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(http.StatusRequestTimeout, fault.Busy, "the body did not arrive in time; send it again, or in smaller requests")
	}
	return refuse(http.StatusBadRequest, fault.Invalid, "the body cannot be read: %v", err)
}
