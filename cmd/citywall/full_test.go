// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb && linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"citywall/app"
	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
)

// TestServeOnFullDisk runs a whole server on a real small file system that
// fills: senders are told to wait with a sentence and a time, the storage says
// so, nothing that was acknowledged is lost, and when there is room again
// it goes on by itself.
func TestServeOnFullDisk(t *testing.T) {
	const env = "CITYWALL_TEST_FULL"
	if dir := os.Getenv(env); dir != "" {
		os.Unsetenv(env)
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=160m"); err != nil {
			t.Fatal(err)
		}
		serveOnFullDisk(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("fills a disk: not with -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("need root: a small file system cannot be mounted")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServeOnFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(err.Error(), "operation not permitted") {
		t.Skip("need a mount namespace of its own: not permitted here")
	}
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func serveOnFullDisk(t *testing.T, disk string) {
	dir := filepath.Join(disk, "d")
	console := freeAddr(t)
	secret := furnish(t, dir, console, identity.SOCLead)
	cfg := quietConfig(t, dir)
	cfg.Console.Addr, cfg.Queue.MinFree = console, 64<<20
	a, err := app.New(t.Context(), app.Options{Dir: dir, Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	client, err := a.InProcess()
	if err != nil {
		t.Fatal(err)
	}
	look := func() (st struct {
		Room     struct{ Level string }
		Troubles []struct{ Error string }
		Notices  []struct{ Text string }
	}) {
		t.Helper()
		time.Sleep(1100 * time.Millisecond) // a look at the disk is good for a second
		b, err := get(t.Context(), client, asset.City, "/storage", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := json.NewDecoder(b).Decode(&st); err != nil {
			t.Fatal(err)
		}
		return st
	}

	acked, n := 0, 0
	post := func() (status int, retry, text string) {
		t.Helper()
		var body bytes.Buffer
		for i := range 2000 {
			fmt.Fprintf(&body, `{"@timestamp":%q,"message":"line %d of %d","host":"pc%d","pad":%q}`+"\n",
				time.Now().UTC().Format(time.RFC3339Nano), i, n, i%50, fmt.Sprintf("%x", i*7919*(n+3)))
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+console+app.IngestPath, &body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		req.Header.Set("Idempotency-Key", fmt.Sprint("full/", n))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer bytes.Buffer
		if _, err := answer.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == http.StatusOK {
			acked += 2000
			n++
		}
		return resp.StatusCode, resp.Header.Get("Retry-After"), answer.String()
	}
	if status, _, text := post(); status != http.StatusOK {
		t.Fatalf("before it is full: %d %s", status, text)
	}
	if st := look(); st.Room.Level == "full" {
		t.Fatalf("before it is full: %+v", st)
	}

	// Somebody else fills the disk.
	ballast := filepath.Join(disk, "ballast")
	var fs syscall.Statfs_t
	if err := syscall.Statfs(disk, &fs); err != nil {
		t.Fatal(err)
	}
	free := int64(fs.Bavail) * fs.Bsize
	if err := os.WriteFile(ballast, make([]byte, free-8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	status, retry, text := post()
	if status != http.StatusServiceUnavailable || retry == "" || !strings.Contains(text, "make room") {
		t.Errorf("full: %d, Retry-After %q, %s", status, retry, text)
	}
	if st := look(); st.Room.Level != "full" {
		t.Errorf("full: the storage says %+v", st)
	}

	// Room again: the same batch, and what waited, without a restart.
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if status, _, text := post(); status != http.StatusOK {
		t.Errorf("with room again: %d %s", status, text)
	}
	if _, err := a.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := 0
	err = a.EachEvent(t.Context(), eventstore.Query{From: time.Unix(0, 0), To: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, func(*event.Event) error {
		stored++
		return nil
	})
	if err != nil || stored != acked {
		t.Errorf("%d events stored, %d acknowledged, %v", stored, acked, err)
	}
	if st := look(); st.Room.Level == "full" || len(st.Troubles) > 0 || len(st.Notices) > 0 {
		t.Errorf("with room again: %+v", st)
	}
}
