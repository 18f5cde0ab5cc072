// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The keys that other programs may rely on; further keys may come. Oracle: the
// contract, which is written down here.
func TestContract(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rule := func(id, source, detection string) string {
		return "title: T\nid: 00000000-0000-4000-8000-00000000000" + id + "\nauthor: A\nlevel: informational\nlogsource: {" + source + "}\ndetection: {s: {" + detection + "}, condition: s}\n"
	}
	write("rules/good.yml", rule("1", "product: windows, service: security", "EventID: 5156"))
	write("rules/bad.yml", rule("2", "product: windows", "A|nonsense: x"))
	write("rules/alone.yml", rule("3", "product: nobody, service: nothing", "A: x"))
	write("rules/later.yml", rule("4", "product: windows", "A|expand: '%Nobody%'"))
	write("logs/a.jsonl", `{"@timestamp":"2026-03-09T01:02:03.5Z","winlog":{"channel":"Security","event_id":5156,"computer_name":"pc1","record_id":7,"event_data":{"Application":"x"}}}`+"\n")
	ask := func(into any, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, args); code != 0 && code != 3 {
			t.Fatalf("%q: exit %d: %s", args, code, errs.String())
		}
		if err := json.Unmarshal(out.Bytes(), into); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out.String())
		}
	}
	keys := func(what string, have map[string]json.RawMessage, want ...string) {
		t.Helper()
		for _, k := range want {
			if _, ok := have[k]; !ok {
				t.Errorf("%s has no %q", what, k)
			}
		}
	}

	var check map[string]json.RawMessage
	ask(&check, "rules", "check", "--format", "json", filepath.Join(dir, "rules"))
	keys("rules check", check, "loaded", "refused", "unrouted", "waiting")
	if string(check["loaded"]) != "2" {
		t.Errorf("loaded is %s, want 2", check["loaded"])
	}
	for list, file := range map[string]string{"refused": "bad.yml", "unrouted": "alone.yml", "waiting": "later.yml"} {
		var l []map[string]json.RawMessage
		if err := json.Unmarshal(check[list], &l); err != nil || len(l) != 1 {
			t.Fatalf("%s: %v, %s", list, err, check[list])
		}
		keys(list, l[0], "file", "id", "reason")
		if got := string(l[0]["file"]); got != `"`+file+`"` {
			t.Errorf("%s names %s, want %s", list, got, file)
		}
	}

	var files []map[string]json.RawMessage
	ask(&files, "logs", "decode", "--count", "--format", "json", filepath.Join(dir, "logs"))
	if len(files) != 1 {
		t.Fatalf("%d files are told of, want 1", len(files))
	}
	keys("logs decode --count", files[0], "file", "path_in_archive", "live", "carved", "damaged", "chunks", "first", "last")
	if string(files[0]["live"]) != "1" || string(files[0]["first"]) != `"2026-03-09T01:02:03.5Z"` {
		t.Errorf("live %s, first %s", files[0]["live"], files[0]["first"])
	}

	var line map[string]json.RawMessage // one rule meets one record: one line
	ask(&line, "hunt", "--rules", filepath.Join(dir, "rules"), "--format", "jsonl", filepath.Join(dir, "logs"))
	keys("hunt", line, "time", "rule_id", "rule_title", "rule_author", "level", "computer", "channel", "event_id", "record_id", "file", "path_in_archive",
		"offset", "carved", "matched", "details")
	for k, want := range map[string]string{"time": `"2026-03-09T01:02:03.5Z"`, "level": `"informational"`, "matched": `{"EventID":"5156"}`, "carved": "false"} {
		if got := string(line[k]); got != want {
			t.Errorf("hunt: %s is %s, want %s", k, got, want)
		}
	}
}
