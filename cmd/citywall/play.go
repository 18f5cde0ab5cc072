// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"citywall/exercise"
	"citywall/internal/fault"
)

// player sends an exercise to a server through the same doors that real
// sources use: HTTP bulk and syslog over TCP.
type player struct {
	url    string                                                           // of the ingest endpoint
	token  func(ctx context.Context, source, agency string) (string, error) // of a source, for HTTP
	syslog string                                                           // host:port, TCP; "" sends syslog lines over HTTP too
	run    string                                                           // distinguishes this run's idempotency keys
	speed  float64                                                          // times real time; 0: as fast as the server takes it
	client *http.Client
	sent   func(lines int64, at time.Time) // progress; may be nil

	conn    net.Conn
	batches map[string]*lineBatch
	lines   int64
}

// lineBatch is what one source has written and not yet sent.
type lineBatch struct {
	buf   bytes.Buffer
	token string
	lines int
	n     int // batches before
}

const (
	batchLines = 500
	batchBytes = 512 << 10
	sendTries  = 60 // with a second or more between: a minute of a full queue
)

// play sends all lines and returns how many. When it returns nil, everything
// sent over HTTP was acknowledged.
func (p *player) play(ctx context.Context, ex *exercise.Play) (int64, error) {
	p.batches = map[string]*lineBatch{}
	defer func() {
		if p.conn != nil {
			p.conn.Close()
		}
	}()
	var first time.Time
	begun := time.Now()
	err := ex.Lines(ctx, func(l exercise.Line) error {
		if first.IsZero() {
			first = l.Time
		}
		if p.speed > 0 {
			wait := time.Duration(float64(l.Time.Sub(first))/p.speed) - time.Since(begun)
			if wait > 20*time.Millisecond {
				if err := p.flushAll(ctx); err != nil {
					return err
				}
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		p.lines++
		if p.sent != nil && p.lines%2000 == 0 {
			p.sent(p.lines, l.Time)
		}
		if l.Transport == "syslog" && p.syslog != "" {
			return p.line(ctx, l.Bytes)
		}
		return p.add(ctx, l)
	})
	if err == nil {
		err = p.flushAll(ctx)
	}
	if p.sent != nil {
		p.sent(p.lines, ex.Truth().End)
	}
	return p.lines, err
}

// line writes one syslog message with its length before it (RFC 6587 §3.4.1).
func (p *player) line(ctx context.Context, b []byte) error {
	if p.conn == nil {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", p.syslog)
		if err != nil {
			return fmt.Errorf("reach the syslog listener: %w", err)
		}
		p.conn = c
	}
	if _, err := p.conn.Write(append(strconv.AppendInt(nil, int64(len(b)), 10), append([]byte{' '}, b...)...)); err != nil {
		return fmt.Errorf("send syslog: %w", err)
	}
	return nil
}

func (p *player) add(ctx context.Context, l exercise.Line) error {
	b, ok := p.batches[l.Source]
	if !ok {
		secret, err := p.token(ctx, l.Source, l.Agency)
		if err != nil {
			return fmt.Errorf("get a token for %s: %w", l.Source, err)
		}
		b = &lineBatch{token: secret}
		p.batches[l.Source] = b
	}
	b.buf.Write(l.Bytes)
	b.buf.WriteByte('\n')
	b.lines++
	if b.lines >= batchLines || b.buf.Len() >= batchBytes {
		return p.post(ctx, l.Source, b)
	}
	return nil
}

func (p *player) flushAll(ctx context.Context) error {
	for _, s := range sorted(p.batches) {
		if b := p.batches[s]; b.lines > 0 {
			if err := p.post(ctx, s, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// post sends one batch until it is acknowledged. The key stays the same over
// all tries, so that a lost answer stores nothing twice.
func (p *player) post(ctx context.Context, source string, b *lineBatch) error {
	key := fmt.Sprintf("%s/%s/%d", p.run, source, b.n)
	for try := 0; ; try++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(b.buf.Bytes()))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+b.token)
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := p.client.Do(req)
		if err != nil {
			return fmt.Errorf("send events: %w", err)
		}
		msg, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // for the error only
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusOK:
			b.buf.Reset()
			b.lines = 0
			b.n++
			return nil
		case resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("the server refused events of %s: %s: %s", source, resp.Status, bytes.TrimSpace(msg))
		case try >= sendTries:
			return fault.New(fault.Busy, "the server took no events for %d tries: %s", try, resp.Status)
		}
		wait := time.Second
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 && s < 60 {
			wait = time.Duration(s) * time.Second
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
