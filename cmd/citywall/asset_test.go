// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb && unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citywall/identity"
)

// The SOC's lead hands in drawings, lets one count, and writes down whom to
// call; an auditor may not even look.
func TestAssetCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	furnish(t, dir, "127.0.0.1:0", identity.SOCLead)
	list := filepath.Join(t.TempDir(), "machines.csv")
	write := func(rows string) {
		if err := os.WriteFile(list, []byte("name,address,prefix,segment\n"+rows), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, code := did(t, "asset", "list", "--data", dir); code != 3 {
		t.Errorf("no machines: exit %d", code)
	}
	if _, code := did(t, "asset", "import", list, "--data", dir); code == 0 {
		t.Error("a file that is not there was handed in")
	}
	write(",,10.1.0.0/24,office\nfs01,10.1.0.5,,\n")
	first := must(t, "asset", "import", list, "--accept", "--data", dir)
	if !strings.Contains(first, "accepted") || !strings.Contains(first, "1 networks, 1 machines") || !strings.Contains(first, "sha256:") {
		t.Errorf("import: %s", first)
	}
	out, code := did(t, "asset", "diff", "--data", dir)
	if code != 3 || !strings.Contains(out, "unseen_segment") || !strings.Contains(out, "office") {
		t.Errorf("diff: exit %d: %s", code, out)
	}
	write(",,10.1.0.0/24,office\n")
	second := strings.Fields(must(t, "asset", "import", list, "--data", dir))[0]
	if out := must(t, "asset", "drawings", "--data", dir); !strings.Contains(out, "proposed") || !strings.Contains(out, "accepted") {
		t.Errorf("drawings: %s", out)
	}
	must(t, "asset", "accept", second, "--data", dir)
	if out := must(t, "asset", "drawings", "--data", dir); !strings.Contains(out, "replaced") || strings.Contains(out, "proposed") {
		t.Errorf("drawings: %s", out)
	}
	if _, code := did(t, "asset", "refuse", second, "--data", dir); code == 0 {
		t.Error("what counts was refused")
	}
	must(t, "asset", "contact", "10.1.0.0/24", "--contact", "119", "--data", dir)
	if out, _ := did(t, "asset", "diff", "--data", dir); !strings.Contains(out, "ask 119") {
		t.Errorf("diff names nobody: %s", out)
	}
	if _, code := did(t, "asset", "contact", "10.9.0.0/24", "--contact", "119", "--data", dir); code == 0 {
		t.Error("a network that nobody drew has a contact")
	}
	must(t, "asset", "retire", second, "--data", dir)
	if out, code := did(t, "asset", "diff", "--data", dir); code != 0 {
		t.Errorf("nothing is drawn, and it differs: %s", out)
	}
	must(t, "audit", "verify", "--data", dir)

	other := filepath.Join(t.TempDir(), "d")
	furnish(t, other, "127.0.0.1:0", identity.Auditor)
	if _, code := did(t, "asset", "list", "--data", other); code != 1 {
		t.Errorf("an auditor looked: exit %d", code)
	}
	if _, code := did(t, "asset", "import", list, "--data", other); code != 1 {
		t.Errorf("an auditor handed in: exit %d", code)
	}
}
