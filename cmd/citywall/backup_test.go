// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb && unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citywall/app"
	"citywall/asset"
	"citywall/exercise"
	"citywall/identity"
)

// did runs one command line and returns its output and exit code.
func did(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, args)
	if code != 0 {
		t.Logf("citywall %s: exit %d: %s%s", strings.Join(args, " "), code, out.String(), errs.String())
	}
	return out.String(), code
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, code := did(t, args...)
	if code != 0 {
		t.Fatalf("citywall %s: exit %d", strings.Join(args, " "), code)
	}
	return out
}

// furnish makes a data folder whose operating-system user is the SOC's lead, or
// the administrator, and returns a sender's token.
func furnish(t *testing.T, dir, console string, role identity.Role) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	yaml := "lang: en\nconsole: {addr: '" + console + "'}\nsyslog: []\nos_users: {" + me.Username + ": {city: boss}}\n"
	if err := os.WriteFile(filepath.Join(dir, app.ConfigName), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Options{Dir: dir, Config: quietConfig(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for name, r := range map[string]identity.Role{"boss": role, "lead": identity.SOCLead} {
		if _, _, err := a.AddUser(t.Context(), asset.City, name, name, r); err != nil {
			t.Fatal(err)
		}
	}
	secret, err := a.Sender(t.Context(), "exercise", "hq")
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// send posts an exercise of last week to a server, all of it acknowledged. It
// lies within the lookback of correlation, which reads it again after a restart.
func send(t *testing.T, console, secret string, seed uint64) (lines int) {
	t.Helper()
	ex, err := exercise.New("webshell", exercise.Options{Seed: seed, Devices: 100, Begin: time.Now().Add(-8 * 24 * time.Hour).Truncate(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var batch bytes.Buffer
	n := 0
	post := func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+console+app.IngestPath, bytes.NewReader(batch.Bytes()))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		req.Header.Set("Idempotency-Key", fmt.Sprint(seed, "/", n))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("answer %s", resp.Status)
		}
		n++
		batch.Reset()
		return nil
	}
	err = ex.Lines(t.Context(), func(l exercise.Line) error {
		if l.Transport == "syslog" {
			return nil
		}
		lines++
		batch.Write(bytes.TrimSpace(l.Bytes))
		batch.WriteByte('\n')
		if batch.Len() > 200_000 {
			return post()
		}
		return nil
	})
	if err == nil && batch.Len() > 0 {
		err = post()
	}
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// questions are asked over the command line before and after.
var questions = []string{"last:30d", "event_id:4624 last:30d", "powershell last:30d"}

// TestBackupWipeRestore: a city is backed up while it runs, wiped and restored;
// the same questions give the same answers, the audit logs verify, and one
// flipped byte is found.
func TestBackupWipeRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a server: not with -short")
	}
	dir, target := filepath.Join(t.TempDir(), "d"), filepath.Join(t.TempDir(), "backups")
	console := freeAddr(t)
	secret := furnish(t, dir, console, identity.SystemAdmin)
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	server := serveChild(t, ctx, dir)
	lines := send(t, console, secret, 1)

	out := must(t, "backup", "create", target, "--data", dir) // at once: much is still in the queue
	first := strings.SplitN(out, "\n", 2)[0]
	if !strings.HasPrefix(first, target) {
		t.Fatalf("output: %s", out)
	}
	must(t, "backup", "verify", target)
	if _, code := did(t, "backup", "create", filepath.Join(dir, "inside"), "--data", dir); code != 2 {
		t.Errorf("a backup inside the data folder: exit %d", code)
	}
	if _, code := did(t, "backup", "restore", target, "--data", dir); code == 0 {
		t.Error("restored over a folder that a server holds")
	}
	server.kill()
	want := answersOf(t, dir)
	if want.total < lines {
		t.Fatalf("%d events stored of %d lines sent", want.total, lines)
	}
	if _, code := did(t, "backup", "restore", target, "--data", dir); code == 0 {
		t.Error("restored over a folder with files")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	must(t, "backup", "restore", target, "--data", dir)
	for _, realm := range []string{"city", "police"} {
		must(t, "audit", "verify", "--realm", realm, "--data", dir)
	}
	if got := answersOf(t, dir); got.text != want.text {
		t.Errorf("other answers after the restore: %d events, %d before\n%.600s\nbefore\n%.600s", got.total, want.total, got.text, want.text)
	}
	for _, realm := range []string{"city", "police"} {
		must(t, "audit", "verify", "--realm", realm, "--data", dir)
	}

	// A second backup has most of it already.
	out = must(t, "backup", "create", target, "--data", dir)
	if second := strings.SplitN(out, "\n", 2)[0]; second == first {
		t.Errorf("the second backup is the first: %s", out)
	}
	must(t, "backup", "verify", target)
	flip(t, first)
	if out, code := did(t, "backup", "verify", first); code != 3 || !strings.Contains(out, "WRONG: ") {
		t.Errorf("a flipped byte: exit %d, %s", code, out)
	}
	if _, code := did(t, "backup", "restore", first, "--data", filepath.Join(t.TempDir(), "x")); code == 0 {
		t.Error("a damaged backup was restored")
	}
}

// flip changes one byte of the largest file that only this backup has.
func flip(t *testing.T, dir string) {
	t.Helper()
	var name string
	var size int64
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if err == nil && i.Size() > size {
			name, size = p, i.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

type told struct {
	text  string
	total int
}

// answersOf opens a data folder, waits until everything in it is understood,
// and asks.
func answersOf(t *testing.T, dir string) told {
	t.Helper()
	a, err := app.New(t.Context(), app.Options{Dir: dir, Config: quietConfig(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	is, err := a.Settle(ctx)
	stop()
	if rerr := <-done; rerr != nil {
		t.Error(rerr)
	}
	a.Close()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, in := range is {
		fmt.Fprintf(&b, "incident %s %v, %d hops, %d hosts\n", in.ID, in.Severity, len(in.Hops), len(in.Hosts))
	}
	return questionsOf(t, dir, &b)
}

// questionsOf puts the questions as the SOC's lead.
func questionsOf(t *testing.T, dir string, b *strings.Builder) told {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	cfg := quietConfig(t, dir)
	cfg.OSUsers = identity.OSUsers{me.Username: {City: "lead"}}
	a, err := app.New(t.Context(), app.Options{Dir: dir, Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	client, err := a.InProcess()
	if err != nil {
		t.Fatal(err)
	}
	var r told
	for i, q := range questions {
		var list bytes.Buffer
		if err := runSearch(t.Context(), &list, client, q, searchOptions{format: "jsonl", oldest: true}); err != nil {
			t.Fatalf("search %q: %v", q, err)
		}
		n := bytes.Count(list.Bytes(), []byte("\n"))
		if i == 0 {
			r.total = n
		}
		fmt.Fprintf(b, "%s: %d\n%s", q, n, list.String())
	}
	r.text = b.String()
	return r
}
