// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestDemo runs the main job whole, through listeners, queue, store, detection
// and correlation, on a small city. The oracle is the exercise's own truth.
func TestDemo(t *testing.T) {
	for _, ex := range []string{"hospital", "webshell"} {
		t.Run(ex, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "demo")
			var out, errs bytes.Buffer
			args := []string{"demo", "--exit", "--data", dir, "--exercise", ex, "--devices", "150", "--seed", "4", "--lang", "zh-TW"}
			if code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, args); code != 0 {
				t.Fatalf("exit code %d\n%s\n%s", code, out.String(), errs.String())
			}
			if !strings.Contains(out.String(), "最初攻擊") {
				t.Errorf("no first compromise in:\n%s", out.String())
			}
			// The next demo may empty the folder; one that is not a demo's may not.
			if code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, []string{"demo", "--exit", "--data", t.TempDir() + "/..", "--lang", "en"}); code != 2 {
				t.Errorf("a folder that no demo made was taken: exit code %d", code)
			}
		})
	}
}
