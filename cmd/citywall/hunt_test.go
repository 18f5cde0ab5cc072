// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"citywall/internal/shared"
)

// TestHuntRegression runs SigmaHQ's regression cases through the command as a
// user does. The oracle is cases.tsv: in the log of each case its own rule fires
// at least as often as is stated there.
func TestHuntRegression(t *testing.T) {
	logs, packed := shared.Path(t, "sigma-regression/regression-shared.zip"), shared.Path(t, "sigma/sigmahq-rules.zip")
	cases := table(t, "sigma-regression/cases.tsv")
	hunt := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, append([]string{"hunt", "--rules", packed, "--format", "jsonl"}, append(args, logs)...))
		if code != 0 && code != 3 { // some files of the archive are no logs
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		return out.String()
	}
	all := hunt()
	type key struct{ file, rule string }
	got := map[key]int{}
	lines := bufio.NewScanner(strings.NewReader(all))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l struct {
			Rule  string `json:"rule_id"`
			Inner string `json:"path_in_archive"`
			Time  string `json:"time"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Time == "" {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		got[key{l.Inner, l.Rule}]++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	passed, strict := 0, 0
	for _, c := range cases[1:] {
		if !strings.HasSuffix(c[3], ".evtx") {
			continue
		}
		want := 1
		if n, err := strconv.Atoi(c[4]); err == nil {
			want = n
		}
		n := got[key{c[0] + "/" + c[3], c[1]}]
		if n < want {
			t.Errorf("%s: %d rows of rule %s, want %d", c[0], n, c[1], want)
			continue
		}
		passed++
		if n == want {
			strict++
		}
	}
	t.Logf("%d cases pass, %d of them with exactly as many rows", passed, strict)
	if passed != 101 {
		t.Errorf("%d of 101 cases pass", passed)
	}
	if again := hunt(); again != all {
		t.Error("the second run wrote other bytes")
	}
	if some := hunt("--min-level", "high", "--rule", cases[1][1]); strings.Count(some, "\n") >= strings.Count(all, "\n") || strings.Contains(some, `"level":"medium"`) {
		t.Error("filters filter nothing")
	}
}

// table reads a shared table of an oracle, with its heading.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(shared.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestNetworks(t *testing.T) {
	got, err := networks([]string{"203.0.113.7/24", "2001:db8::1", "198.51.100.9"})
	if err != nil || len(got) != 3 || got[0].String() != "203.0.113.0/24" || got[1].String() != "2001:db8::1/128" || got[2].String() != "198.51.100.9/32" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := networks([]string{"203.0.113.0/33"}); err == nil {
		t.Error("a network that cannot be was taken")
	}
}
