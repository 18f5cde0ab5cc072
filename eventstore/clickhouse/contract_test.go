// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package clickhouse

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"citywall/eventstore"
	"citywall/eventstore/clickhouse/chtest"
	"citywall/eventstore/storetest"
)

// addrsVar tells a child of this process which cluster to use.
const addrsVar = "CITYWALL_CLICKHOUSE_TEST"

var addrs []string

// TestMain starts one cluster of two shards for all tests.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		if a := os.Getenv(addrsVar); a != "" {
			addrs = strings.Split(a, ",")
			return m.Run()
		}
		c, err := chtest.Run(2)
		switch {
		case errors.Is(err, exec.ErrNotFound):
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return 1
		default:
			defer c.Close()
			addrs = c.Addrs
			os.Setenv(addrsVar, strings.Join(addrs, ","))
		}
		return m.Run()
	}())
}

func need(t testing.TB) {
	t.Helper()
	if addrs != nil {
		return
	}
	if strings.Contains(os.Getenv("CITYWALL_REQUIRE"), "clickhouse") {
		t.Fatal("need clickhouse-server: not found")
	}
	t.Skip("need clickhouse-server: not found")
}

// options lead to a database of its own for each folder. Most events of the
// suite share a partition, which costs half as much; see TestPartitions.
func options(dir string) Options {
	return Options{Addrs: addrs, Cluster: chtest.Name, Database: fmt.Sprintf("t%x", sha256.Sum256([]byte(dir)))[:20], OwnDays: 1}
}

func open(t testing.TB, dir string) eventstore.Store {
	t.Helper()
	need(t)
	s, err := Open(t.Context(), options(dir))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) { storetest.RunThin(t, open) }

func TestCrash(t *testing.T) { storetest.Crash(t, open) }
