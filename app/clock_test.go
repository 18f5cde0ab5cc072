// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package app

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/mishap"
)

// TestClockSetBack sets the clock back an hour while a server runs, and again
// before the next start: the sender's token still holds, nothing is lost and
// nothing comes twice, the audit log leads to its heads, and the storage says
// what happened.
func TestClockSetBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var off atomic.Int64
	now := func() time.Time { return time.Now().Round(0).Add(time.Duration(off.Load())) }
	var secret string
	sent := []string{}
	run := func(f func(a *App, post func(line string))) {
		t.Helper()
		a, err := New(t.Context(), Options{Dir: dir, Config: config(t), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			a.Close()
		}()
		f(a, func(line string) {
			t.Helper()
			body := `{"@timestamp":"` + now().UTC().Format(time.RFC3339Nano) + `","message":"` + line + `"}` + "\n"
			for range 2 { // the second one is a retry
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+IngestPath, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+secret)
				req.Header.Set("Idempotency-Key", line)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: %s", line, resp.Status)
				}
				off.Add(-int64(time.Second)) // between a request and its retry too
			}
			sent = append(sent, line)
			if _, err := a.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		got := []string{}
		err = a.EachEvent(t.Context(), eventstore.Query{From: time.Unix(0, 0), To: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}, func(e *event.Event) error {
			_, m, _ := strings.Cut(string(e.Raw), `"message":"`)
			m, _, _ = strings.Cut(m, `"`)
			got = append(got, m)
			return nil
		})
		slices.Sort(got)
		if err != nil || !slices.Equal(got, sent) {
			t.Errorf("stored %q, sent %q: %v", got, sent, err)
		}
	}
	backs := func(a *App) (n int) {
		t.Helper()
		a.keeper.Tick(t.Context())
		st, err := a.keeper.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range st.Notices {
			if m.Kind == mishap.ClockBack {
				n++
			}
		}
		return n
	}
	run(func(a *App, post func(string)) {
		var err error
		if secret, err = a.Sender(t.Context(), "edr", "hq"); err != nil {
			t.Fatal(err)
		}
		post("1 before")
		if n := backs(a); n != 0 {
			t.Errorf("%d notices before", n)
		}
		off.Add(-int64(time.Hour))
		if n := backs(a); n != 1 {
			t.Errorf("an hour back: %d notices", n)
		}
		post("2 after")
		if _, _, err := a.AddUser(t.Context(), asset.City, "lead", "Lead", identity.SOCLead); err != nil { // an act for the audit log
			t.Error(err)
		}
	})
	off.Add(-2 * int64(time.Hour)) // not as far as before: a notice that nobody has read is not repeated
	run(func(a *App, post func(string)) {
		if n := backs(a); n != 2 {
			t.Errorf("two hours back over a restart: %d notices", n)
		}
		post("3 restarted")
		r, err := a.city.audit.Verify(t.Context())
		if err != nil || !r.OK() || len(r.Unfinished) > 0 || r.Entries == 0 {
			t.Errorf("audit log: %+v %v", r, err)
		}
		if !slices.ContainsFunc(r.Warnings, func(s string) bool { return strings.Contains(s, "earlier") || strings.Contains(s, "before") }) {
			t.Errorf("the audit log does not say that its clock went back: %q", r.Warnings)
		}
	})
}
