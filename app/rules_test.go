// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"citywall/asset"
	"citywall/detect/rulebook"
	"citywall/identity"
)

// A rule that is switched off through the API gives no findings, over a restart
// and when the rules are read anew; what another rule has counted by then goes on;
// a file that was put into the folder counts from the reload on.
func TestRuleSwitchedOff(t *testing.T) {
	const cleared, many = "11111111-0000-4000-8000-00000000000a", "11111111-0000-4000-8000-00000000000c"
	dir := filepath.Join(t.TempDir(), "data")
	folder := t.TempDir()
	write := func(name, doc string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cleared.yml", "title: Cleared\nid: "+cleared+"\nlevel: high\nlogsource: {product: windows, service: security}\ndetection: {sel: {EventID: 1102}, condition: sel}\n")
	cfg := config(t)
	cfg.Rules = Rules{Dirs: []string{folder}}
	var a *App
	var stop func()
	begin := func() {
		var err error
		if a, err = New(t.Context(), Options{Dir: dir, Config: cfg}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		running := a
		go func() { done <- running.Run(ctx) }()
		stop = func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			running.Close()
		}
	}
	begin()
	defer func() { stop() }()
	if _, _, err := a.AddUser(t.Context(), asset.City, "lead", "Lead", identity.SOCLead); err != nil {
		t.Fatal(err)
	}
	secret, err := a.Sender(t.Context(), "edr", "hq")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	send := func(id, times int) {
		t.Helper()
		var lines bytes.Buffer
		for range times {
			n++
			fmt.Fprintf(&lines, `{"@timestamp":%q,"winlog":{"channel":"Security","event_id":%d,"provider_name":"P","computer_name":"dc-01","record_id":%d}}`+"\n",
				time.Now().UTC().Format(time.RFC3339Nano), id, n)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+IngestPath, &lines)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		req.Header.Set("Idempotency-Key", fmt.Sprint("k", n))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		if _, err := a.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	post := func(path, body string) {
		t.Helper()
		resp, err := Client(dir).Post("http://citywall/api/v1"+path, "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			t.Fatalf("%s: %s", path, resp.Status)
		}
	}
	found := func(rule string, want int) {
		t.Helper()
		resp, err := Client(dir).Get("http://citywall/api/v1/findings?rule=" + rule)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var p struct{ Items []json.RawMessage }
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || len(p.Items) != want {
			t.Errorf("%s gave %d findings, want %d, %v", rule, len(p.Items), want, err)
		}
	}

	send(1102, 1)
	found(cleared, 1)
	post("/rules/"+cleared+"/off", `{"reason":"an exercise"}`)
	send(1102, 1)
	found(cleared, 1)
	stop()
	begin()
	write("many.yml", `title: Failed
name: failed
id: 11111111-0000-4000-8000-00000000000b
level: low
logsource: {product: windows, service: security}
detection: {sel: {EventID: 4625}, condition: sel}
---
title: Many
id: `+many+`
level: medium
correlation: {type: event_count, rules: [failed], group-by: [Computer], timespan: 1h, condition: {gte: 4}}
`)
	send(1102, 1)
	found(cleared, 1) // and nothing of what was read back at the start
	post("/rules/reload", `{}`)
	send(4625, 3)
	found(many, 0)
	write("more.yml", "title: More\nid: 11111111-0000-4000-8000-00000000000d\nlevel: low\nlogsource: {product: windows, service: security}\ndetection: {sel: {EventID: 1}, condition: sel}\n")
	post("/rules/reload", `{}`)
	send(4625, 1)
	found(many, 1)
	send(1102, 1)
	found(cleared, 1)
	post("/rules/"+cleared+"/on", `{"reason":"the exercise has ended"}`)
	send(1102, 1)
	found(cleared, 2)
}

// Placeholders take their values from the drawings and from the configuration; a
// rule whose placeholder has none waits.
func TestPlaceholders(t *testing.T) {
	folder := t.TempDir()
	for i, name := range []string{"Administrators", "Others"} {
		doc := fmt.Sprintf("title: t\nid: 11111111-0000-4000-8000-00000000010%d\nlogsource: {product: windows}\ndetection: {sel: {User|expand: '%%%s%%'}, condition: sel}\n", i, name)
		if err := os.WriteFile(filepath.Join(folder, name+".yml"), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := config(t)
	c.Rules = Rules{Dirs: []string{folder}, Placeholders: map[string][]string{"Administrators": {"root", "chen.yj"}}}
	a, err := New(t.Context(), Options{Dir: filepath.Join(t.TempDir(), "data"), Config: c})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	l, err := a.rules.List(t.Context(), cityScope, rulebook.Query{Sets: []string{folder}, Sort: rulebook.ByTitle})
	if err != nil || l.Of(rulebook.Waiting) != 1 || a.rules.Engine().Rule("11111111-0000-4000-8000-000000000100") == nil {
		t.Errorf("%+v %v", l.Rules, err)
	}
}
