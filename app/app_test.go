// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package app

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citywall/asset"
	"citywall/identity"
	"citywall/internal/fault"
)

func config(t *testing.T) Config {
	t.Helper()
	c := Defaults()
	c.Console.Addr = "127.0.0.1:0"
	for i := range c.Syslog {
		c.Syslog[i].Addr = "127.0.0.1:0"
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	c.OSUsers = identity.OSUsers{u.Username: {City: "lead"}}
	return c
}

// start runs an App until the test ends.
func start(t *testing.T, dir string) *App {
	t.Helper()
	a, err := New(t.Context(), Options{Dir: dir, Config: config(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		a.Close()
	})
	return a
}

// TestOneProcess: the folder is held, and the second one is told so.
func TestOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	start(t, dir)
	if !Held(dir) {
		t.Error("the folder is not held")
	}
	if _, err := New(t.Context(), Options{Dir: dir, Config: config(t)}); !fault.Is(err, fault.Busy) {
		t.Errorf("a second process got %v", err)
	}
}

// TestNewerData: a folder of a newer Citywall is refused with a sentence.
func TestNewerData(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "VERSION"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Options{Dir: dir, Config: config(t)}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
	if Held(dir) {
		t.Error("what failed to start still holds the folder")
	}
}

// TestFromWireToSearch: a line sent over HTTP with a sender's token is found
// through the local socket, as the operating-system user, and the read is in
// the audit log.
func TestFromWireToSearch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	a := start(t, dir)
	if _, _, err := a.AddUser(t.Context(), asset.City, "lead", "Lead", identity.SOCLead); err != nil {
		t.Fatal(err)
	}
	secret, err := a.Sender(t.Context(), "edr", "hq")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Format(time.RFC3339Nano)
	post := func(token string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+IngestPath, strings.NewReader(`{"@timestamp":"`+at+`","host":{"name":"WS-7"},"message":"hello wall"}`+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Idempotency-Key", "k1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := post("wrong"); code != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d", code)
	}
	for range 2 { // the second one is a retry
		if code := post(secret); code != http.StatusOK {
			t.Fatalf("status %d", code)
		}
	}
	if _, err := a.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	resp, err := Client(dir).Get("http://citywall/api/v1/events?q=hello")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || strings.Count(string(b), "hello wall") == 0 || strings.Count(string(b), `"id":`) != 1 {
		t.Errorf("%s: %s", resp.Status, b)
	}
	resp, err = Client(dir).Get("http://citywall/api/v1/cases")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a SOC lead asks for cases: %s", resp.Status)
	}
}

// TestSecondStart: what the first one made is there.
func TestSecondStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for i := range 2 {
		a, err := New(t.Context(), Options{Dir: dir, Config: config(t)})
		if err != nil {
			t.Fatal(err)
		}
		none, err := a.NoUsers(t.Context(), asset.Police)
		if err != nil || none != (i == 0) {
			t.Errorf("start %d: no users %v, %v", i, none, err)
		}
		if _, _, err := a.AddUser(t.Context(), asset.Police, "chief", "Chief", identity.Supervisor); err != nil {
			t.Error(err)
		}
		a.Close()
	}
}
