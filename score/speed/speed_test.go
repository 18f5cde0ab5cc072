// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"citywall/detect/sigma"
	"citywall/internal/shared"
	"citywall/rules"
)

// clock is processor time that goes on by a millisecond with every look.
func clock() func() time.Duration {
	var t time.Duration
	return func() time.Duration { t += time.Millisecond; return t }
}

// one unpacks a recorded log: 455 live records by files.tsv.
func one(t *testing.T) string {
	t.Helper()
	z, err := zip.OpenReader(shared.Path(t, "evtx/attack/evtx-to-mitre-attack.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if filepath.Base(f.Name) != "ID1151-Defender health status.evtx" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "log.evtx")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Fatal("the log is not among the recorded ones")
	return ""
}

// Every figure stands for all records of the log, and every layer is tried.
func TestRun(t *testing.T) {
	r, err := Run(t.Context(), Options{Paths: []string{one(t)}, Sets: []sigma.Set{{Name: "citywall", FS: rules.FS}}, Passes: 2, CPU: clock()})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Cost{"decode": r.Decode, "memory": r.Memory, "cold": r.MatchCold, "warm": r.Match, "whole": r.Whole} {
		if c.Records != 455 || c.CPU != time.Millisecond || c.PerCore() != 455_000 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if len(r.Layers) != len(sigma.LayerNames()) || r.Rules == 0 {
		t.Errorf("%d layers, %d rules", len(r.Layers), r.Rules)
	}
}

// A log of twice the 23 chunks of its source holds its records twice, and memory
// is looked at ten times.
func TestGrow(t *testing.T) {
	path := one(t)
	g, err := Grow(t.Context(), Options{Paths: []string{path}, Sets: []sigma.Set{{Name: "citywall", FS: rules.FS}}, CPU: clock()}, evtxHeader+2*23*evtxChunk)
	if err != nil {
		t.Fatal(err)
	}
	if g.Records != 2*455 || len(g.Live) != 10 {
		t.Errorf("%d records, %d looks", g.Records, len(g.Live))
	}
	if _, err := Grow(t.Context(), Options{Paths: []string{t.TempDir()}, CPU: clock()}, 1<<20); err == nil {
		t.Error("a log was made of nothing")
	}
}
