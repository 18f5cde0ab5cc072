// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"testing"

	"citywall/internal/shared"
)

// loadHQ loads SigmaHQ's rules as they are downloaded.
func loadHQ(t testing.TB, opt Options) (*Engine, *Report) {
	t.Helper()
	set, c, err := Open(shared.Path(t, "sigma/sigmahq-rules.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e, rep, err := Load([]Set{set}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return e, rep
}

// TestLoadSigmaHQ holds the engine to detection.md §8.4: every file is parsed,
// and nothing is refused but what waits for a placeholder.
func TestLoadSigmaHQ(t *testing.T) {
	_, rep := loadHQ(t, Options{})
	for _, p := range rep.Refused {
		t.Errorf("refused: %s: %s", p.File, p.Reason)
	}
	if rep.Files != 3780 || rep.Loaded+len(rep.Waiting) != 3780 {
		t.Errorf("files %d, loaded %d, waiting %d; want 3780 in all", rep.Files, rep.Loaded, len(rep.Waiting))
	}
	for _, p := range rep.Waiting {
		if p.Class != "placeholder" {
			t.Errorf("waiting: %s: %s", p.File, p.Reason)
		}
	}
	t.Logf("loaded %d (unrouted %d), waiting %d, warnings %d", rep.Loaded, len(rep.Unrouted), len(rep.Waiting), len(rep.Warnings))
	if testing.Verbose() {
		seen := map[string]int{}
		for _, p := range rep.Unrouted {
			seen[p.Reason]++
		}
		for _, k := range sortedNames(seen) {
			t.Log(seen[k], k)
		}
		for _, p := range rep.Warnings {
			t.Log(p.File, p.Reason)
		}
	}
}
