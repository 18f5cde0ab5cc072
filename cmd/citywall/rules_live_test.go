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

// The SOC's lead lists rules, switches one off and on and lets them be read anew;
// each command opens the data folder anew, so that the switch outlives a restart.
// The administrator may read rules anew and switch none.
func TestRulesOfAnInstallation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	furnish(t, dir, "127.0.0.1:0", identity.SOCLead)
	one := must(t, "rules", "list", "--text", "Ransom note written to a share", "--data", dir)
	fields := strings.Fields(one)
	if len(fields) < 5 || fields[0] != "loaded" || strings.Count(one, "\n") != 1 {
		t.Fatalf("list: %s", one)
	}
	id := fields[4]
	for _, args := range [][]string{{"off", id}, {"off"}, {"on", id, "--reason", ""}, {"list", "--state", "gone"}, {"list", "--format", "pdf"}, {"list", "--sort", "size"}} {
		if _, code := did(t, append(append([]string{"rules"}, args...), "--data", dir)...); code != 2 && code != 1 {
			t.Errorf("%v: exit %d", args, code)
		}
	}
	if _, code := did(t, "rules", "list", "--state", "off", "--data", dir); code != 3 {
		t.Errorf("none is off: exit %d", code)
	}
	must(t, "rules", "off", id, "--reason", "a copy of the archive, checked", "--data", dir)
	if out := must(t, "rules", "list", "--state", "off", "--data", dir); !strings.Contains(out, id) || !strings.Contains(out, "a copy of the archive, checked") {
		t.Errorf("off: %s", out)
	}
	if out := must(t, "rules", "list", "--state", "off", "--format", "csv", "--data", dir); strings.Count(out, "\n") != 2 || !strings.Contains(out, "a copy of the archive, checked") {
		t.Errorf("csv: %s", out)
	}
	if out := must(t, "rules", "reload", "--data", dir); !strings.Contains(out, " rules in force, 0 refused") {
		t.Errorf("reload: %s", out)
	}
	must(t, "rules", "on", id, "--reason", "the copy has ended", "--data", dir)
	if _, code := did(t, "rules", "list", "--state", "off", "--data", dir); code != 3 {
		t.Errorf("on again: exit %d", code)
	}
	must(t, "audit", "verify", "--data", dir)

	other := filepath.Join(t.TempDir(), "d")
	furnish(t, other, "127.0.0.1:0", identity.SystemAdmin)
	if _, code := did(t, "rules", "off", id, "--reason", "quiet", "--data", other); code != 1 {
		t.Errorf("an administrator silenced a rule: exit %d", code)
	}
	must(t, "rules", "reload", "--data", other)
}
