// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citywall/ingest/sender"
	"citywall/ingest/transport/netflow"
	"citywall/ingest/transport/syslog"
	"citywall/internal/fault"
)

func load(t *testing.T, yaml string, env []string, flags map[string]string) (Config, error) {
	t.Helper()
	dir := t.TempDir()
	if yaml != "" {
		if err := os.WriteFile(filepath.Join(dir, ConfigName), []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(dir, env, flags)
}

// TestWeight: file, then environment, then flags.
func TestWeight(t *testing.T) {
	c, err := load(t, "console: {addr: '127.0.0.1:1'}\nstore: {threads: 3}\n", []string{"CITYWALL_CONSOLE_ADDR=127.0.0.1:2", "CITYWALL_STORE_MEMORY_MB=512", "CITYWALL_DATA=x", "HOME=y"},
		map[string]string{"console.addr": "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Console.Addr != "127.0.0.1:3" || c.Store.Threads != 3 || c.Store.MemoryMB != 512 {
		t.Errorf("got %+v %+v", c.Console, c.Store)
	}
}

// TestListenersGetDefaults: an element of a list says only what differs.
func TestListenersGetDefaults(t *testing.T) {
	c, err := load(t, "syslog: [{name: fw, net: tcp, addr: '127.0.0.1:6514'}]\n", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Syslog) != 1 || c.Syslog[0].MaxSize != syslog.Defaults().MaxSize || c.Syslog[0].Net != syslog.TCP {
		t.Errorf("got %+v", c.Syslog)
	}
}

// TestNetflow: off by default; a listener says only what differs.
func TestNetflow(t *testing.T) {
	c, err := load(t, "", nil, nil)
	if err != nil || len(c.Netflow) != 0 {
		t.Fatalf("by default: %+v, %v", c.Netflow, err)
	}
	c, err = load(t, "netflow: [{name: core, addr: '127.0.0.1:0', known: true, exporters: [{prefix: 10.255.0.1/32, name: r1}]}]\n", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := c.Netflow[0]; n.Backlog != netflow.Defaults().Backlog || n.Realm != "city" || !n.Known || n.Exporters[0].Name != "r1" {
		t.Errorf("got %+v", n)
	}
}

// TestWizardsListeners: what the wizard says to paste into citywall.yaml can be
// read, and opens the way that it is said for beyond this machine.
func TestWizardsListeners(t *testing.T) {
	for _, way := range []string{sender.SyslogUDP, sender.SyslogTCP, sender.SyslogTLS, sender.NetFlow} {
		c, err := load(t, sender.Listener(way), nil, nil)
		if err != nil {
			t.Errorf("%s: %v", way, err)
			continue
		}
		open := false
		for _, l := range c.Syslog {
			open = open || "syslog-"+l.Net == way && strings.HasPrefix(l.Addr, "0.0.0.0:")
		}
		for _, l := range c.Netflow {
			open = open || way == sender.NetFlow && strings.HasPrefix(l.Addr, "0.0.0.0:")
		}
		if !open {
			t.Errorf("%s: nothing listens for it: %+v", way, c.Syslog)
		}
	}
	if sender.Listener(sender.HTTP) != "" {
		t.Error("HTTP needs no listener of its own")
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		env  []string
	}{
		"unknown key":         {"consle: {}\n", nil},
		"unknown variable":    {"", []string{"CITYWALL_CONSOLE_ADR=x"}},
		"bad address":         {"console: {addr: here}\n", nil},
		"half a pair":         {"console: {addr: '127.0.0.1:1', cert: a.pem}\n", nil},
		"language":            {"lang: fr\n", nil},
		"two of a name":       {"syslog: [{name: a, net: udp, addr: ':1'}, {name: a, net: udp, addr: ':2'}]\n", nil},
		"netflow of one name": {"syslog: [{name: a, net: udp, addr: ':1'}]\nnetflow: [{name: a, addr: ':2'}]\n", nil},
		"netflow of nobody":   {"netflow: [{name: a, addr: ':2', known: true}]\n", nil},
		"small store":         {"store: {memory_mb: 1}\n", nil},
	} {
		if _, err := load(t, c.yaml, c.env, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
