// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"citywall/asset"
	"citywall/eventstore/clickhouse"
	"citywall/eventstore/clickhouse/chtest"
	"citywall/identity"
	"citywall/internal/db"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
)

// TestOtherEngines is TestFromWireToSearch on a cluster of ClickHouse and on
// PostgreSQL, over a restart; it needs no cgo.
func TestOtherEngines(t *testing.T) {
	server := dbtest.Server(t)
	cl := chtest.Start(t, 2)
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, dsn := range map[string]string{"city.dsn": dbtest.Schema(t, server), "police.dsn": dbtest.Schema(t, server), "same.dsn": server} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(dsn+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	c := Defaults()
	c.Console.Addr, c.Syslog = "127.0.0.1:0", nil
	c.OSUsers = identity.OSUsers{u.Username: {City: "lead"}}
	c.Store.Engine, c.Store.ClickHouse = ClickHouse, clickhouse.Config{Addrs: cl.Addrs, Cluster: chtest.Name, Database: "citywall"}
	c.Records = Records{Engine: db.Postgres, CityDSNFile: "city.dsn", PoliceDSNFile: "police.dsn"}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckFiles(dir); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	run := func() *App {
		t.Helper()
		a, err := New(t.Context(), Options{Dir: dir, Config: c, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	found := func(q string) string {
		t.Helper()
		resp, err := Client(dir).Get("http://citywall/api/v1/events?q=" + q)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s %v", resp.Status, b, err)
		}
		return string(b)
	}

	a := run()
	if _, _, err := a.AddUser(t.Context(), asset.City, "lead", "Lead", identity.SOCLead); err != nil {
		t.Fatal(err)
	}
	secret, err := a.Sender(t.Context(), "edr", "hq")
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, a)
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, `{"@timestamp":%q,"host":{"name":"WS-%d"},"message":"hello wall %d"}`+"\n", time.Now().UTC().Format(time.RFC3339Nano), i, i)
	}
	for range 2 { // the second one is a retry
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+IngestPath, strings.NewReader(lines.String()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		req.Header.Set("Idempotency-Key", "k1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	if _, err := a.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b := found("hello"); strings.Count(b, `"id":`) != 40 {
		t.Errorf("not 40 events: %s", b)
	}
	stop()

	// Again: users and events are there, and with a shard away it says so.
	a = run()
	cl.Kill(t, 1)
	stop = running(t, a)
	if b := found("hello"); !strings.Contains(b, `"incomplete":"incomplete: shard 2 of 2 does not answer"`) || strings.Count(b, `"id":`) >= 40 {
		t.Errorf("with a shard away: %s", b)
	}
	cl.Restart(t, 1)
	if b := found("hello"); strings.Count(b, `"id":`) != 40 || strings.Contains(b, "incomplete") {
		t.Errorf("whole again: %s", b)
	}
	stop()
	for _, name := range []string{"city.db", "police.db", "events/hot.duckdb"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made as well", name)
		}
	}
	if s := log.String(); strings.Contains(s, "postgres://") {
		t.Errorf("the log tells a secret: %s", s)
	}

	// One user for both realms would see across.
	c.Records.PoliceDSNFile = "same.dsn"
	if _, err := New(t.Context(), Options{Dir: filepath.Join(t.TempDir(), "x"), Config: absolute(c, dir)}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "no role sees across") {
		t.Errorf("a superuser for the police: %v", err)
	}
	// Records of before are not silently left behind.
	c.Records.PoliceDSNFile = "police.dsn"
	if err := os.WriteFile(filepath.Join(dir, "city.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Options{Dir: dir, Config: c}); !fault.Is(err, fault.Conflict) {
		t.Errorf("with a city.db of before: %v", err)
	}
}

// running runs a until the returned function is called.
func running(t *testing.T, a *App) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		a.Close()
	}
}

func absolute(c Config, dir string) Config {
	c.Records.CityDSNFile, c.Records.PoliceDSNFile = filepath.Join(dir, c.Records.CityDSNFile), filepath.Join(dir, c.Records.PoliceDSNFile)
	return c
}

// TestEngineConfig: every mistake is told, and no secret is.
func TestEngineConfig(t *testing.T) {
	const ch = "addrs: ['a:9000', 'b:9000'], cluster: city, database: citywall"
	for doc, want := range map[string]string{
		"store: {engine: sqlite}":                  "must be duckdb or clickhouse",
		"store: {clickhouse: {addrs: ['a:9000']}}": "store.engine is duckdb",
		"store: {engine: clickhouse}":              "addrs is empty",
		"store: {engine: clickhouse, clickhouse: {addrs: [a], cluster: c, database: d}}":       "want host:port",
		"store: {engine: clickhouse, clickhouse: {addrs: ['a:1', 'a:1']}}":                     "twice",
		"store: {engine: clickhouse, clickhouse: {addrs: ['a:1'], cluster: c, database: d-e}}": "no name of letters",
		"store: {engine: clickhouse, clickhouse: {" + ch + ", ca_file: x}}":                    "tls is off",
		"store: {engine: clickhouse, clickhouse: {" + ch + ", password: x}}":                   "password not found",
		"records: {engine: mysql}":                                            "must be sqlite or postgres",
		"records: {city_dsn_file: x}":                                         "records.engine is sqlite",
		"records: {engine: postgres, city_dsn_file: x}":                       "must both name",
		"records: {engine: postgres, city_dsn_file: x, police_dsn_file: ./x}": "are the same",
	} {
		if _, err := load(t, doc+"\n", nil, nil); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
	good := "store: {engine: clickhouse, clickhouse: {" + ch + ", user: w, password_file: pw, tls: true}}\nrecords: {engine: postgres, city_dsn_file: c, police_dsn_file: p}\n"
	c, err := load(t, good, []string{"CITYWALL_RECORDS_CITY_DSN_FILE=c2"}, nil)
	if err != nil || c.Records.CityDSNFile != "c2" {
		t.Fatalf("%+v %v", c.Records, err)
	}
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "no such file"},
		{func() { write("c2", "hush-hush\n", 0o644) }, "chmod 600"},
		{func() { os.Remove(filepath.Join(dir, "c2")); write("c2", "hush-hush\nand more", 0o600) }, "one line"},
		{func() { write("c2", "hush-hush\n", 0o600); write("p", "", 0o600) }, "one line"},
		{func() { write("p", "hush-hush", 0o600) }, "no such file"},
		{func() { write("pw", "hush-hush", 0o600) }, ""},
	} {
		step.do()
		err := c.CheckFiles(dir)
		if step.want == "" && err != nil || step.want != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), step.want)) {
			t.Errorf("%v, want %q", err, step.want)
		}
		if err != nil && strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("told: %v", err)
		}
	}
	if b, err := yaml.Marshal(c); err != nil || strings.Contains(string(b), "hush-hush") || !strings.Contains(string(b), "password_file: pw") {
		t.Errorf("%s %v", b, err)
	}
}
