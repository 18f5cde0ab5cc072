// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCandidates: no format that knows an object is left out of the choice. The
// oracle is Sniff of every format, asked about every object of the samples and
// about objects put together from words that the sniffing code looks for.
func TestCandidates(t *testing.T) {
	c := candidates()
	check := func(line []byte) {
		t.Helper()
		of := c.of(line)
		for i, f := range c.list {
			if of>>i&1 == 0 && len(f.Keys) > 0 && f.Sniff(line) > 0 {
				t.Errorf("%s knows this object and is not asked: %s", f.Name, line)
			}
		}
	}
	files, err := filepath.Glob("format/*/testdata/*.rec")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d sample files, %v", len(files), err)
	}
	objects := 0
	var lines [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for l := range bytes.Lines(b) {
			if l, ok := bytes.CutPrefix(bytes.TrimSpace(l), []byte("> {")); ok {
				l = append([]byte("{"), l...)
				objects++
				check(l)
				lines = append(lines, l)
			}
		}
	}
	if objects < 40 {
		t.Fatalf("only %d objects among the samples", objects)
	}

	var words []string
	quoted := regexp.MustCompile("`\"[^`]*`")
	files, err = filepath.Glob("format/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(f, "_test.go") {
			for _, w := range quoted.FindAll(b, -1) {
				words = append(words, string(bytes.Trim(w, "`")))
			}
		}
	}
	if len(words) < 40 {
		t.Fatalf("only %d words in the sniffing code", len(words))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		line := []byte("{")
		for range 1 + r.IntN(12) {
			line = append(line, words[r.IntN(len(words))]...)
			if r.IntN(8) == 0 {
				line = append(line, lines[r.IntN(len(lines))]...)
			}
		}
		check(line)
	}
}

// TestObjectsAreNoText: an object that quotes a line of a text format is not of
// that format.
func TestObjectsAreNoText(t *testing.T) {
	c := candidates()
	for i, f := range c.list {
		if f.Keys != nil && len(f.Keys) == 0 && c.of([]byte(`{"message":"GET / HTTP/1.1","n":1}`))>>i&1 != 0 {
			t.Errorf("%s is asked about an object", f.Name)
		}
	}
}

// BenchmarkCandidates measures what the choice itself costs for an object of
// 240 bytes.
func BenchmarkCandidates(b *testing.B) {
	line := []byte(`{"ts":1773398400.1,"uid":"CAbc","id.orig_h":"10.1.2.3","id.orig_p":50000,"id.resp_h":"203.0.113.9","id.resp_p":443,"proto":"tcp","service":"ssl","duration":1.5,"orig_bytes":1200,"resp_bytes":54000,"conn_state":"SF","history":"ShADadFf","_path":"conn"}`)
	c := candidates()
	for b.Loop() {
		if c.of(line) == 0 {
			b.Fatal("no candidates")
		}
	}
}
