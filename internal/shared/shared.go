// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package shared finds the real test data, which lies outside the repository
// and is never copied into it. For tests only; a test without the data skips
// loudly, and CITYWALL_REQUIRE=shared turns the skip into a failure.
package shared

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Path returns the path of a file or folder below the data folder of shared.
func Path(t testing.TB, rel string) string {
	t.Helper()
	for _, dir := range candidates() {
		p := filepath.Join(dir, "data", filepath.FromSlash(rel))
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	if strings.Contains(os.Getenv("CITYWALL_REQUIRE"), "shared") {
		t.Fatalf("need shared data %s: not found", rel)
	}
	t.Skipf("need shared data %s: not found", rel)
	return ""
}

// candidates lists where shared may lie: CITYWALL_SHARED, then a folder named
// shared beside the repository or any parent of the working folder.
func candidates() []string {
	var out []string
	if d := os.Getenv("CITYWALL_SHARED"); d != "" {
		out = append(out, d)
	}
	dir, err := os.Getwd()
	for err == nil {
		out = append(out, filepath.Join(dir, "shared"))
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return out
}
