// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"citywall/internal/shared"
)

// TestDecodeCount counts the records of 281 real files through the command. The
// oracle is files.tsv: live records and chunks, counted by another program.
func TestDecodeCount(t *testing.T) {
	rows := table(t, "evtx/attack/files.tsv")
	col := map[string]int{}
	for i, n := range rows[0] {
		col[n] = i
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, []string{"logs", "decode", "--count", "--format", "json", shared.Path(t, "evtx/attack/evtx-to-mitre-attack.zip")}); code != 0 && code != 3 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var got []struct {
		Inner  string `json:"path_in_archive"`
		Live   int64  `json:"live"`
		Carved int64  `json:"carved"`
		Chunks int64  `json:"chunks"`
		SHA256 string `json:"sha256"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for i := range got {
		by[got[i].SHA256] = i
	}
	n := func(s string) int64 {
		x, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, row := range rows[1:] {
		i, ok := by[row[col["sha256"]]]
		if !ok {
			t.Errorf("%s is not told of", row[0])
			continue
		}
		if g := got[i]; g.Live != n(row[col["live_records"]]) || g.Chunks != n(row[col["chunks_found"]]) || g.Carved != 0 {
			t.Errorf("%s: %+v, want %s records in %s chunks", row[0], g, row[col["live_records"]], row[col["chunks_found"]])
		}
	}
	if len(rows) != 282 {
		t.Errorf("%d files in the oracle", len(rows)-1)
	}
}
