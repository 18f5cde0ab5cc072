// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"citywall/asset"
	"citywall/duty"
	"citywall/eventstore/clickhouse"
	"citywall/eventstore/keep"
	"citywall/identity"
	"citywall/ingest/transport/httpbulk"
	"citywall/ingest/transport/netflow"
	"citywall/ingest/transport/syslog"
	"citywall/ingest/transport/watch"
	"citywall/internal/db"
	"citywall/internal/disk"
	"citywall/internal/fault"
	"citywall/internal/queue"
	"citywall/internal/text"
	"citywall/pipeline/live"
)

// ConfigName is the file in the data folder that Load reads.
const ConfigName = "citywall.yaml"

// Config glues the parts' own configurations into one file. Order of weight:
// defaults, file, environment (CITYWALL_CONSOLE_ADDR for console.addr), flags.
// An unknown key is an error, with its line.
type Config struct {
	Lang     string           `yaml:"lang"` // zh-TW or en: of what Citywall writes by itself
	Console  Console          `yaml:"console"`
	Syslog   []syslog.Config  `yaml:"syslog"`
	Netflow  []netflow.Config `yaml:"netflow"` // NetFlow v5, v9 and IPFIX over UDP; none by default
	Watch    []watch.Config   `yaml:"watch"`
	Queue    queue.Config     `yaml:"queue"`
	Store    Store            `yaml:"store"`
	Keep     keep.Config      `yaml:"keep"` // how long
	Disk     disk.Config      `yaml:"disk"` // how much
	Backup   Backup           `yaml:"backup"`
	Records  Records          `yaml:"records"`
	Rules    Rules            `yaml:"rules"`
	Topology asset.Topology   `yaml:"topology"`
	Clocks   Clocks           `yaml:"clock_offsets"` // source -> known error of its clock, "2m30s" when it runs fast
	Pipeline live.Config      `yaml:"pipeline"`
	HTTP     httpbulk.Config  `yaml:"http"`     // events over HTTP
	Alarm    Alarm            `yaml:"alarm"`    // who is called, and how
	OSUsers  identity.OSUsers `yaml:"os_users"` // who an operating-system user is at the local socket
}

// Clocks maps a source to the known error of its clock.
type Clocks map[string]time.Duration

// Console is where people and programs come in.
type Console struct {
	Addr string `yaml:"addr"` // host:port; port 0 takes a free one
	Cert string `yaml:"cert"` // PEM; without it an address beyond loopback gets a self-made certificate
	Key  string `yaml:"key"`
	URL  string `yaml:"url"` // how people reach it, when that is not the address
}

// Store says where events are kept.
//
// More threads answer one large question sooner; questions of several people
// run beside each other in any case. They cost the one that writes: DuckDB keeps
// a thread spinning while another does the work of a commit or a checkpoint,
// 8 of 68 processor seconds per million events with two. So one is the default.
type Store struct {
	Engine     string            `yaml:"engine"`    // duckdb, in this process, or clickhouse
	MemoryMB   int               `yaml:"memory_mb"` // of duckdb, as is the next
	Threads    int               `yaml:"threads"`
	ClickHouse clickhouse.Config `yaml:"clickhouse"`
}

// Backup says where copies of the data folder go.
type Backup struct {
	Dir string `yaml:"dir"` // absolute, best on another disk; "" when every backup names its own
}

// Rules says which rules are loaded.
type Rules struct {
	Own  bool     `yaml:"own"`  // Citywall's own pack
	Dirs []string `yaml:"dirs"` // folders or zips of Sigma rules, relative to the data folder
	// Placeholders are values of Sigma's %name%, beside those that the drawings of
	// the network give: names of administrators, for one.
	Placeholders map[string][]string `yaml:"placeholders"`
}

// Defaults returns the configuration of an installation nobody configured:
// everything on loopback.
func Defaults() Config {
	udp, tcp := syslog.Defaults(), syslog.Defaults()
	udp.Name, tcp.Name = "syslog-udp", "syslog-tcp"
	tcp.Net = syslog.TCP
	return Config{
		Lang:     string(text.ZhTW),
		Console:  Console{Addr: "127.0.0.1:8443"},
		Syslog:   []syslog.Config{udp, tcp},
		Queue:    queue.Defaults(),
		Store:    Store{Engine: DuckDB, MemoryMB: 2048, Threads: 1},
		Records:  Records{Engine: db.SQLite},
		Keep:     keep.Defaults(),
		Disk:     disk.Defaults(),
		Rules:    Rules{Own: true},
		Pipeline: live.Defaults(),
		HTTP:     httpbulk.Defaults(),
		Alarm:    Alarm{Policy: duty.DefaultPolicy()},
	}
}

// Load reads the configuration of a data folder: its file when there is one,
// then env ("KEY=value" as os.Environ gives), then flags ("store.threads" ->
// "4").
func Load(dir string, env []string, flags map[string]string) (Config, error) {
	c := Defaults()
	name := filepath.Join(dir, ConfigName)
	b, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return c, fmt.Errorf("read the configuration: %w", err)
	default:
		if err := decode(b, &c); err != nil {
			return c, fault.New(fault.Invalid, "%s: %w", name, err)
		}
	}
	set := map[string]string{}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		if path, ok := envKey(k); ok {
			set[path] = v
		}
	}
	for k, v := range flags {
		set[k] = v
	}
	if err := overlay(&c, set); err != nil {
		return c, err
	}
	for i := range c.Syslog {
		fill(&c.Syslog[i], syslog.Defaults())
	}
	for i := range c.Netflow {
		fill(&c.Netflow[i], netflow.Defaults())
	}
	for i := range c.Watch {
		fill(&c.Watch[i], watch.Defaults())
	}
	return c, c.Validate()
}

// fill gives the fields of an element of a list that the file left out the
// part's defaults.
func fill[T any](c *T, defaults T) {
	v, d := reflect.ValueOf(c).Elem(), reflect.ValueOf(defaults)
	for i := range v.NumField() {
		if f := v.Field(i); f.CanSet() && f.IsZero() {
			f.Set(d.Field(i))
		}
	}
}

// decode reads YAML strictly. Unknown keys fail with their line.
func decode(b []byte, c *Config) error {
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// envIgnored are variables that are not configuration keys.
var envIgnored = map[string]bool{"CITYWALL_DATA": true, "CITYWALL_SHARED": true, "CITYWALL_REQUIRE": true, "CITYWALL_KILLS": true, "CITYWALL_BENCH_EVENTS": true}

// envKey turns CITYWALL_STORE_MEMORY_MB into store.memory_mb: the first word is
// the section when it is one.
func envKey(k string) (string, bool) {
	rest, ok := strings.CutPrefix(k, "CITYWALL_")
	if !ok || envIgnored[k] {
		return "", false
	}
	rest = strings.ToLower(rest)
	for _, s := range []string{"console", "queue", "store", "records", "keep", "disk", "backup", "rules", "pipeline", "http"} {
		if r, ok := strings.CutPrefix(rest, s+"_"); ok {
			return s + "." + r, true
		}
	}
	return rest, true
}

// overlay sets single values by their dotted path.
func overlay(c *Config, set map[string]string) error {
	paths := make([]string, 0, len(set))
	for p := range set {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		section, key, ok := strings.Cut(p, ".")
		doc := p + ": " + quote(set[p]) + "\n"
		if ok {
			doc = section + ":\n  " + key + ": " + quote(set[p]) + "\n"
		}
		if err := decode([]byte(doc), c); err != nil {
			return fault.New(fault.Invalid, "setting %s from the environment or a flag: %w", p, err)
		}
	}
	return nil
}

// quote leaves plain scalars and flow lists as they are and quotes the rest.
func quote(v string) string {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(v), &n); err == nil && v != "" {
		return v
	}
	b, _ := yaml.Marshal(v) // a string always marshals
	return strings.TrimSpace(string(b))
}

// Validate checks every part.
func (c Config) Validate() error {
	if _, ok := text.ParseLang(c.Lang); !ok {
		return fault.New(fault.Invalid, "lang is %q: it must be zh-TW or en", c.Lang)
	}
	if _, _, err := net.SplitHostPort(c.Console.Addr); err != nil {
		return fault.New(fault.Invalid, "console.addr is %q: want host:port", c.Console.Addr)
	}
	if (c.Console.Cert == "") != (c.Console.Key == "") {
		return fault.New(fault.Invalid, "console.cert and console.key belong together: give both or neither")
	}
	if err := c.Store.Validate(); err != nil {
		return err
	}
	if err := c.Records.Validate(); err != nil {
		return err
	}
	if err := c.Keep.Validate(); err != nil {
		return err
	}
	if err := c.Disk.Validate(); err != nil {
		return err
	}
	if c.Backup.Dir != "" && !filepath.IsAbs(c.Backup.Dir) {
		return fault.New(fault.Invalid, "backup.dir is %q: it must be an absolute path", c.Backup.Dir)
	}
	if err := c.Pipeline.Validate(); err != nil {
		return err
	}
	if err := c.HTTP.Validate(); err != nil {
		return err
	}
	if err := c.Alarm.Validate(); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, s := range c.Syslog {
		if err := s.Validate(); err != nil {
			return err
		}
		if names[s.Name] {
			return fault.New(fault.Invalid, "two syslog listeners are named %q", s.Name)
		}
		names[s.Name] = true
	}
	for _, n := range c.Netflow {
		if err := n.Validate(); err != nil {
			return err
		}
		if names[n.Name] {
			return fault.New(fault.Invalid, "two listeners are named %q", n.Name)
		}
		names[n.Name] = true
	}
	for _, w := range c.Watch {
		if err := w.Validate(); err != nil {
			return err
		}
	}
	for i, s := range c.Topology.Segments {
		if !s.Prefix.IsValid() {
			return fault.New(fault.Invalid, "topology.segments number %d has no valid prefix", i+1)
		}
	}
	return c.Queue.Validate()
}

// loopback reports whether an address can only be reached from this machine.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
