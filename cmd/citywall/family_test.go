// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs citywall in a data folder and returns what it printed.
func command(t *testing.T, dir string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), streams{strings.NewReader(""), &o, &e}, append([]string{"--data", dir}, args...))
	return code, o.String(), e.String()
}

// TestFamilyCommands walks from notes to an answer, with the keys and exit codes
// that others rely on.
func TestFamilyCommands(t *testing.T) {
	dir := t.TempDir()
	note := filepath.Join(dir, "READ_SOMEBODY.txt")
	words := "your network was locked by somebody; write to talk@somebody.example and name your key, or wait and lose all of it for ever"
	index := filepath.Join(dir, "notes.csv")
	for name, text := range map[string]string{note: words, index: "family,entry,original_name\nsomebody,s/01.note,READ_SOMEBODY.txt\nsomebody,s/02.note,gone.txt\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	f, err := w.Create("s/01.note")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(words)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "notes.zip")
	if err := os.WriteFile(archive, z.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, dir, "family", "load", "--notes", archive, "--index", index)
	if code != 0 || !strings.Contains(out, "1 families, 1 notes; 1 passed over") || !strings.Contains(errs, "no entry") {
		t.Fatalf("load: %d\n%s%s", code, out, errs)
	}
	code, out, errs = command(t, dir, "family", "identify", "--note", note, "--format", "json")
	var a struct {
		Candidates []struct {
			Family   string
			Score    float64
			Evidence []map[string]any
		}
		Verdict string
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil || code != 0 || a.Verdict != "identified" || a.Candidates[0].Family != "somebody" || len(a.Candidates[0].Evidence) == 0 {
		t.Errorf("identify: %d %v\n%s%s", code, err, out, errs)
	}
	if code, out, _ = command(t, dir, "family", "identify", "--ext", ".locked", "--format", "json"); code != 3 || !strings.Contains(out, `"verdict": "ambiguous"`) {
		t.Errorf("a shared extension alone: %d\n%s", code, out)
	}
	if code, _, errs = command(t, dir, "family", "identify"); code != 2 || !strings.Contains(errs, "nothing to go by") {
		t.Errorf("nothing given: %d %s", code, errs)
	}
	if code, out, _ = command(t, dir, "family", "list"); code != 0 || !strings.Contains(out, `"name":"CrazyHunter"`) || !strings.Contains(out, `"notes":1`) {
		t.Errorf("list: %d\n%s", code, out)
	}
}

// TestCaseStatsCommand: the keys and exit codes that others rely on.
func TestCaseStatsCommand(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "cases.csv")
	if err := os.WriteFile(in, []byte("accepted_roc,victim_kind,paid\n112/12/31,private,no\n113/1/1,public,\nnever,private,no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, dir, "case", "stats", "--in", in, "--years", "112-113", "--format", "json")
	var r struct {
		Total      int
		Attributes map[string][]map[string]any
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 3 || r.Total != 2 || !strings.Contains(errs, "line 4") {
		t.Fatalf("%d %v\n%s%s", code, err, out, errs)
	}
	for _, cell := range r.Attributes["被害人身分"] {
		for _, k := range []string{"category", "count", "percent"} {
			if _, ok := cell[k]; !ok {
				t.Errorf("cell %v has no %s", cell, k)
			}
		}
	}
	if len(r.Attributes["被害人身分"]) != 2 {
		t.Errorf("attributes: %v", r.Attributes)
	}
	if code, _, errs = command(t, dir, "case", "stats", "--in", in, "--years", "2023"); code != 2 || !strings.Contains(errs, "112") {
		t.Errorf("a year of the common era: %d %s", code, errs)
	}
}
