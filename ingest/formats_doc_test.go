// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fuzzTarget = regexp.MustCompile(`func (Fuzz\w+)\(`)
	realData   = regexp.MustCompile(`"((?:casework|evtx|sigma|sigma-regression|endpoint)/[^"*]+)"|(TestPlaso)\(`)
)

// formatRow is what the tree holds of one decoder's tests.
type formatRow struct {
	name, after          string
	products, real, fuzz []string
	inputs, records      int
	fields, values       int
}

func rowOf(t *testing.T, dir string) formatRow {
	t.Helper()
	r := formatRow{name: filepath.Base(dir)}
	names := map[string]bool{}
	recs, _ := filepath.Glob(dir + "/testdata/*.rec")
	for _, f := range recs {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		head, input, said := true, false, false
		for l := range strings.SplitSeq(string(b), "\n") {
			in := strings.HasPrefix(l, ">")
			switch {
			case head && strings.HasPrefix(l, "# "): // from "# written by hand after" to the end of the sentence
				said = said || strings.HasPrefix(l, "# written")
				if said {
					r.after += strings.TrimPrefix(l, "# ") + " "
				}
				said = said && !strings.HasSuffix(l, ".")
				continue
			case in && !input:
				r.inputs++
			case strings.HasPrefix(l, "event "):
				r.records++
				if p := strings.Fields(l)[1]; !slices.Contains(r.products, p) {
					r.products = append(r.products, p)
				}
			case strings.HasPrefix(l, "fields "):
				var m map[string]any
				if json.Unmarshal([]byte(strings.TrimPrefix(l, "fields ")), &m) == nil {
					for k := range m {
						names[k] = true
						r.values++
					}
				}
			}
			head, input = false, in
		}
	}
	r.fields = len(names)
	tests, _ := filepath.Glob(dir + "/*_test.go")
	for _, f := range tests {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fuzzTarget.FindAllStringSubmatch(string(b), -1) {
			r.fuzz = append(r.fuzz, m[1])
		}
		for _, m := range realData.FindAllStringSubmatch(string(b), -1) {
			name := cmp.Or(m[1], "casework/plaso")
			if !slices.Contains(r.real, name) {
				r.real = append(r.real, name)
			}
		}
	}
	slices.Sort(r.products)
	slices.Sort(r.real)
	slices.Sort(r.fuzz)
	return r
}

// TestFormatsPage: docs/formats.md says of every decoder what its samples are,
// how much of them is asserted, and which fuzz tests it has, as the tree has it;
// a decoder without a fuzz test fails.
func TestFormatsPage(t *testing.T) {
	dirs, err := filepath.Glob("format/*")
	if err != nil || len(dirs) < 30 {
		t.Fatalf("%d folders, %v", len(dirs), err)
	}
	var b strings.Builder
	b.WriteString(`# Formats

One row for each decoder below ` + "`ingest/format`" + `, made from its tests by ` + "`go test ./ingest -run TestFormatsPage -update`" + `; a test holds it to the tree. A decoder's README is the page of its fields and quirks.

*Samples* are inputs of ` + "`testdata/*.rec`" + ` and where their form is taken from; none of those is a record of a real city. *Records* is what comes of them. *Values asserted* counts fields that a sample holds exactly, name and value, beside
time, uncertainty, and the normalised view; *names* are the different fields among them. *Real data* is read in tests from outside of the repository, where it is at hand; ` + "`ingest/file`" + ` holds plaso's files besides, against the counts of plaso's own tests.

| Decoder | Samples written after | Inputs | Records | Values asserted | Names | Products | Real data | Fuzz tests |
|---|---|---|---|---|---|---|---|---|
`)
	total := formatRow{}
	for _, dir := range dirs {
		if src, _ := filepath.Glob(dir + "/*.go"); len(src) == 0 || filepath.Base(dir) == "recordtest" {
			continue
		}
		r := rowOf(t, dir)
		if len(r.fuzz) == 0 {
			t.Errorf("%s has no fuzz test", r.name)
		}
		if r.records == 0 && len(r.real) == 0 && len(r.fuzz) == 0 {
			t.Errorf("%s has no samples", r.name)
		}
		after := strings.TrimSuffix(strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(r.after, "|", "/"), "written by hand after ", "")), ".")
		if after == "" {
			after = "in its Go tests"
		}
		n := func(i int) string {
			if i == 0 {
				return "–"
			}
			return fmt.Sprint(i)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.name, after, n(r.inputs), n(r.records), n(r.values), n(r.fields), strings.Join(r.products, ", "), strings.Join(r.real, ", "), strings.Join(r.fuzz, ", "))
		total.inputs, total.records, total.values = total.inputs+r.inputs, total.records+r.records, total.values+r.values
	}
	fmt.Fprintf(&b, "| all | | %d | %d | %d | | | | |\n", total.inputs, total.records, total.values)
	const file = "../docs/formats.md"
	if flag.Lookup("update").Value.String() == "true" { // recordtest has the flag
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Error("docs/formats.md is not as the tests are: run with -update and read the difference")
	}
}
