// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package dbtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// Server starts a PostgreSQL server on a free port of loopback, which ends
// with the test, and returns the way into its database.
func Server(t testing.TB) string {
	t.Helper()
	if os.Getenv(serverVar) != "" {
		t.Skip("this is the second run")
	}
	initdb, pgctl := program("initdb"), program("pg_ctl")
	if initdb == "" || pgctl == "" {
		if strings.Contains(os.Getenv("CITYWALL_REQUIRE"), "postgres") {
			t.Fatal("need postgres: initdb and pg_ctl not found, neither on PATH nor in /usr/lib/postgresql")
		}
		t.Skip("need postgres: not found")
	}
	// Short, because the path of its socket may have 107 bytes, and where the
	// server's user may go: it refuses to be root.
	dir, err := os.MkdirTemp("/tmp", "cwpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	run := func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if err := lessThanRoot(cmd, dir); err != nil {
			return err
		}
		log, err := os.CreateTemp("", "cwpg*.log") // a file: the server keeps the output open
		if err != nil {
			return err
		}
		defer os.Remove(log.Name())
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			b, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%s: %w\n%s", name, err, b)
		}
		return nil
	}
	data := filepath.Join(dir, "d")
	if err := run(initdb, "--locale=C.UTF-8", "--encoding=UTF8", "--auth=trust", "--username=citywall", "--no-sync", "-D", data); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	opts := fmt.Sprintf("-p %d -h 127.0.0.1 -k %s -c fsync=off -c full_page_writes=off -c shared_buffers=32MB -c max_connections=200", port, dir)
	if err := run(pgctl, "-D", data, "-o", opts, "-l", filepath.Join(dir, "log"), "-w", "start"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run(pgctl, "-D", data, "-m", "immediate", "stop"); err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("postgres://citywall@127.0.0.1:%d/postgres?sslmode=disable", port)
}

// program finds a program of PostgreSQL, the newest of several.
func program(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	sort.Strings(found)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}
