// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb && unix

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"citywall/identity"
)

// The SOC's lead holds days, lists and releases; the administrator may look.
func TestHoldCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	furnish(t, dir, "127.0.0.1:0", identity.SOCLead)
	if _, code := did(t, "hold", "list", "--data", dir); code != 3 {
		t.Errorf("no holds: exit %d", code)
	}
	for _, args := range [][]string{
		{"add", "115-1", "--reason", "r"}, {"add", "115-1", "--from", "2026-10-01"}, {"add", "115-1", "--from", "1 October", "--reason", "r"},
		{"add", "--from", "2026-10-01", "--reason", "r"}, {"add", "115-1", "--from", "2026-10-02", "--to", "2026-10-01", "--reason", "r"},
	} {
		if _, code := did(t, append(append([]string{"hold"}, args...), "--data", dir)...); code != 2 {
			t.Errorf("%v: exit %d", args, code)
		}
	}
	id := strings.TrimSpace(must(t, "hold", "add", "115-1", "--from", "2026-10-01", "--to", "2026-10-05", "--reason", "prosecutor's letter", "--data", dir))
	if out := must(t, "hold", "list", "--data", dir); !strings.Contains(out, id) || !strings.Contains(out, "115-1") || !strings.Contains(out, "2026-10-01 2026-10-05") {
		t.Errorf("list: %s", out)
	}
	if _, code := did(t, "hold", "release", id, "--data", dir); code != 2 {
		t.Errorf("released without a reason: exit %d", code)
	}
	must(t, "hold", "release", id, "--reason", "judgment final", "--data", dir)
	if _, code := did(t, "hold", "list", "--data", dir); code != 3 {
		t.Errorf("released, and still in the list: exit %d", code)
	}
	if out := must(t, "hold", "list", "--all", "--data", dir); !strings.Contains(out, "judgment final") {
		t.Errorf("list --all: %s", out)
	}
	must(t, "audit", "verify", "--data", dir)

	other := filepath.Join(t.TempDir(), "d")
	furnish(t, other, "127.0.0.1:0", identity.SystemAdmin)
	if _, code := did(t, "hold", "add", "115-1", "--from", "2026-10-01", "--reason", "r", "--data", other); code != 1 {
		t.Errorf("an administrator held days: exit %d", code)
	}
	if _, code := did(t, "hold", "list", "--data", other); code != 3 {
		t.Errorf("an administrator lists: exit %d", code)
	}
}
