// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"citywall/web/desk"
)

// beat is how often a silent stream says that it lives, so that proxies do not
// cut it.
const beat = 15 * time.Second

// Stream answers with server-sent events. Every interval it looks; what looks
// the same as before is not sent again. The id of an event is the hash of its
// data, so a reconnecting client that has the newest (Last-Event-ID) gets
// nothing old. The stream ends when the client goes, or with an event "end"
// when the session does.
func Stream(w http.ResponseWriter, r *http.Request, every time.Duration, d *desk.Desk, who desk.Who, look func(context.Context) (name string, data any, err error)) error {
	ctx := r.Context()
	name, data, err := look(ctx) // a refusal is an ordinary answer
	if err != nil {
		return err
	}
	rc := http.NewResponseController(w)
	if err := rc.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("live stream: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	last := r.Header.Get("Last-Event-ID")
	fmt.Fprintf(w, "retry: 3000\n\n")
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := time.Now()
	for {
		b, err := encode(data)
		if err != nil {
			return &begunError{err}
		}
		sum := sha256.Sum256(b)
		if id := hex.EncodeToString(sum[:8]); id != last {
			last, said = id, time.Now()
			if _, err := fmt.Fprintf(w, "id: %s\nevent: %s\n%s\n", id, name, lines(b)); err != nil {
				return nil // the client has gone
			}
		} else if time.Since(said) >= beat {
			said = time.Now()
			if _, err := fmt.Fprint(w, ":\n\n"); err != nil {
				return nil
			}
		}
		if err := rc.Flush(); err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !d.Holds(ctx, who) {
			fmt.Fprint(w, "event: end\ndata: {}\n\n")
			_ = rc.Flush()
			return nil
		}
		if name, data, err = look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return &begunError{err}
		}
	}
}

// encode gives the bytes of an event: ready markup as it is, all else as JSON.
func encode(data any) ([]byte, error) {
	if b, ok := data.([]byte); ok {
		return b, nil
	}
	return json.Marshal(data)
}

// lines writes data in the framing of server-sent events.
func lines(b []byte) []byte {
	var out bytes.Buffer
	for l := range bytes.Lines(b) {
		out.WriteString("data: ")
		out.Write(bytes.TrimRight(l, "\r\n"))
		out.WriteByte('\n')
	}
	return out.Bytes()
}
