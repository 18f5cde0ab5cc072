// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citywall/internal/fault"
)

func TestJudge(t *testing.T) {
	const g = 1 << 30
	for _, c := range []struct {
		name              string
		w                 *Watch
		total, free, used int64
		known             bool
		level             Level
		left              int64
	}{
		{"half empty", &Watch{Keep: g, Config: Config{Warn: 0.85}}, 100 * g, 50 * g, 0, true, OK, 49 * g},
		{"warning", &Watch{Keep: g, Config: Config{Warn: 0.85}}, 100 * g, 15 * g, 0, true, Warn, 14 * g},
		{"kept back", &Watch{Keep: g, Config: Config{Warn: 0.85}}, 100 * g, g, 0, true, Full, 0},
		{"budget", &Watch{Keep: g, Config: Config{Budget: 10 * g, Warn: 0.85}}, 100 * g, 50 * g, 8 * g, true, OK, 2 * g},
		{"budget, warning", &Watch{Keep: g, Config: Config{Budget: 10 * g, Warn: 0.85}}, 100 * g, 50 * g, 9 * g, true, Warn, g},
		{"over the budget", &Watch{Keep: g, Config: Config{Budget: 10 * g, Warn: 0.85}}, 100 * g, 50 * g, 11 * g, true, Full, 0},
		{"disk smaller than the budget", &Watch{Keep: g, Config: Config{Budget: 10 * g, Warn: 0.85}}, 100 * g, 2 * g, g, true, OK, g},
		{"nobody knows", &Watch{Keep: g, Config: Config{Warn: 0.85}}, 0, 0, 0, false, OK, 0},
		{"a budget where nobody knows", &Watch{Keep: g, Config: Config{Budget: 10 * g, Warn: 0.85}}, 0, 0, 10 * g, false, Full, 0},
	} {
		if r := c.w.judge(c.total, c.free, c.used, c.known); r.Level != c.level || r.Left != c.left {
			t.Errorf("%s: %s with %d left, want %s with %d", c.name, r.Level, r.Left, c.level, c.left)
		}
	}
}

func TestLook(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := Used(dir); err != nil || n != 5000 {
		t.Errorf("used %d, %v", n, err)
	}
	w := &Watch{Dir: dir, Keep: 1 << 60, Config: Defaults()}
	if err := w.Check(); !fault.Is(err, fault.Busy) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("with more kept back than there is: %v", err)
	}
	w = &Watch{Dir: dir, Config: Config{Budget: 4000, Warn: 0.5}}
	if err := w.Check(); !fault.Is(err, fault.Busy) || !strings.Contains(err.Error(), "disk.budget") {
		t.Errorf("over the budget: %v", err)
	}
	if err := (&Watch{Dir: dir, Config: Defaults()}).Check(); err != nil {
		t.Errorf("an ordinary disk: %v", err)
	}
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []Config{{Budget: -1, Warn: 0.5}, {Budget: 5, Warn: 0.5}, {Warn: 0}, {Warn: 1}} {
		if err := c.Validate(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
