// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ruletest

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"citywall/detect/sigma"
	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx"
	"citywall/internal/shared"
	"citywall/rules"
)

// TestRecordedAttacks runs the pack over a public corpus of attacks recorded as
// Windows logs, and lists the files on which it says nothing. Some of them hold
// only what every machine writes, and some techniques have nothing to do with
// ransomware; the number is for the record and may only grow.
func TestRecordedAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("long: decodes 281 files")
	}
	z, err := zip.OpenReader(shared.Path(t, "evtx/attack/evtx-to-mitre-attack.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := e.NewMatcher()
	counting := fstest.MapFS{}
	for _, r := range e.Rules() {
		if r.Kind != "" && counting[r.File] == nil {
			b, err := fs.ReadFile(rules.FS, r.File)
			if err != nil {
				t.Fatal(err)
			}
			counting[r.File] = &fstest.MapFile{Data: b}
		}
	}
	files, heard, records := 0, 0, 0
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".evtx") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		over, _, err := sigma.Load([]sigma.Set{{Name: "correlations", FS: counting}}, sigma.Options{Batch: true})
		if err != nil {
			t.Fatal(err)
		}
		counter, fired := over.NewMatcher(), 0
		if _, err := evtx.Format().Decode(t.Context(), bytes.NewReader(b), format.Source{Name: f.Name, SHA256: f.Name}, func(ev *event.Event) error {
			records++
			counter.Match(ev)
			for _, x := range m.Match(ev) {
				if e.Rule(x.Rule.ID).Kind == "" { // what counts over time starts anew below
					fired++
				}
			}
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		last, err := over.Flush()
		if err != nil {
			t.Fatal(err)
		}
		fired += len(last)
		files++
		if fired > 0 {
			heard++
			continue
		}
		t.Logf("silent: %s", f.Name)
	}
	t.Logf("%d of %d files, %d records", heard, files, records)
	if heard < 140 {
		t.Errorf("%d files have a finding, fewer than before", heard)
	}
}
