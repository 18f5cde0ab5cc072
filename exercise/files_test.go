// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/exercise"
	"citywall/exercise/logs"
	"citywall/ingest"
	"citywall/ingest/format"
)

// TestFilesAreRead writes a folder and reads every file back with the decoder
// that its content calls for: as many records as were played, none damaged, the
// same times as live.
func TestFilesAreRead(t *testing.T) {
	for _, sample := range []int{0, 100} {
		opt := quick(2)
		opt.Sample = sample
		files(t, play(t, "hospital", opt))
	}
}

func files(t *testing.T, p *exercise.Play) {
	dir := t.TempDir()
	if err := exercise.WriteFiles(t.Context(), p, dir); err != nil {
		t.Fatal(err)
	}
	played, times := map[logs.Kind]int64{}, map[time.Time]int{}
	err := p.Records(t.Context(), func(r *logs.Record) error {
		played[r.Schema.Kind]++
		times[r.Stamp]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]int64{}
	err = filepath.WalkDir(filepath.Join(dir, "logs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, ok := ingest.Recognise(b[:min(len(b), 4096)])
		if !ok {
			t.Errorf("%s: not recognised", path)
			return nil
		}
		st, err := f.Decode(t.Context(), bytes.NewReader(b), format.Source{File: path, Name: path, SHA256: "x"}, func(e *event.Event) error {
			if times[e.Time]--; times[e.Time] < 0 {
				t.Errorf("%s: a record of %s was not played", path, e.Time)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if st.Damaged > 0 || st.Skipped > 0 || len(st.Gaps) > 0 {
			t.Errorf("%s: %d damaged, %d skipped, %d gaps: %q", path, st.Damaged, st.Skipped, len(st.Gaps), st.Notes)
		}
		read[f.Name] += st.Decoded
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"evtx": played[logs.Windows], "zeek": played[logs.Zeek], "eve": played[logs.Suricata], "syslog": played[logs.FortiGate] + played[logs.Syslog], "jsonl": played[logs.NetFlow]}
	for name, n := range want {
		optional := name == "zeek" || name == "jsonl" // one or the other
		if read[name] != n || n == 0 && !optional {
			t.Errorf("%s: %d records read, %d played", name, read[name], n)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "truth", "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tr exercise.Truth
	if err := json.Unmarshal(b, &tr); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(tr.Entry, p.Truth().Entry) || len(tr.Hops) != len(p.Truth().Hops) {
		t.Errorf("truth.json holds %+v", tr.Entry)
	}
	found, err := filepath.Glob(filepath.Join(dir, "logs", "*", "*truth*"))
	if err != nil || len(found) > 0 {
		t.Errorf("truth lies among the logs: %s", strings.Join(found, " "))
	}
}
