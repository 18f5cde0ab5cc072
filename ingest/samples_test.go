// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/ingest/format/recordtest"
)

// sample is an input of some format's testdata/*.rec, and what must come of it.
type sample struct {
	file, format string
	products     []string // of its events, in order
	text         string
	lines        int
}

// samples reads every format's: "> " is input, "format" and "event PRODUCT …" are
// the expectation. Package recordtest writes and explains these files.
func samples(t *testing.T) []sample {
	t.Helper()
	files, err := filepath.Glob("format/*/testdata/*.rec")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d sample files, %v", len(files), err)
	}
	var out []sample
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s, input := sample{file: f}, false
		done := func() {
			if s.format != "" {
				out = append(out, s)
			}
			s = sample{file: f}
		}
		for l := range strings.SplitSeq(string(b), "\n") {
			in, ok := strings.CutPrefix(l, ">")
			switch {
			case ok && !input:
				done()
				fallthrough
			case ok:
				s.text += strings.TrimPrefix(in, " ") + "\n"
				s.lines++
			case strings.HasPrefix(l, "format "):
				s.format = strings.TrimPrefix(l, "format ")
			case strings.HasPrefix(l, "event "):
				s.products = append(s.products, strings.Fields(l)[1])
			}
			input = ok
		}
		done()
	}
	return out
}

// TestNothingMistaken: every sample of every format is recognised as itself, as
// a file and, where records stand alone, live.
func TestNothingMistaken(t *testing.T) {
	for _, s := range samples(t) {
		f, ok := ingest.Recognise([]byte(s.text)[:min(len(s.text), 4096)])
		if s.format == "unknown" && !ok {
			continue
		}
		if f.Name != s.format {
			t.Errorf("%s: recognised as %q, want %s: %s", s.file, f.Name, s.format, s.text)
			continue
		}
		if s.lines != 1 || f.Record == nil || len(s.products) != 1 {
			continue
		}
		e, err := ingest.Record([]byte(s.text), format.Pos{}, recordtest.Source)
		if err != nil || e.Product != s.products[0] && !(e.Product == "" && s.products[0] == "-") {
			t.Errorf("%s: live: %v, %v, want product %s: %s", s.file, e, err, s.products[0], s.text)
		}
	}
}

// TestLongFiles: thousands of a source's lines, in any order and cut out of the
// middle, are its own format, and each line counts.
func TestLongFiles(t *testing.T) {
	type lot struct {
		lines []sample
		file  string
	}
	lots := map[string]*lot{}
	for _, s := range samples(t) {
		if s.lines != 1 || len(s.products) != 1 || s.format == "auditd" { // auditd joins lines to one event
			continue
		}
		k := s.file + " " + s.format
		if lots[k] == nil {
			lots[k] = &lot{file: s.file}
		}
		lots[k].lines = append(lots[k].lines, s)
	}
	rnd := rand.New(rand.NewPCG(3, 7))
	for _, l := range lots {
		const many = 2000
		var b bytes.Buffer
		want := map[string]int{}
		for range many {
			s := l.lines[rnd.IntN(len(l.lines))]
			b.WriteString(s.text)
			want[strings.TrimPrefix(s.products[0], "-")]++
		}
		f, ok := ingest.Recognise(b.Bytes()[:4096])
		if !ok || f.Name != l.lines[0].format {
			t.Errorf("%s: %d lines are recognised as %q, want %s", l.file, many, f.Name, l.lines[0].format)
			continue
		}
		got := map[string]int{}
		st, err := f.Decode(context.Background(), &b, recordtest.Source, func(e *event.Event) error { got[e.Product]++; return nil })
		if err != nil || st.Damaged+st.Skipped > 0 || st.Decoded != many {
			t.Errorf("%s: %v: %d decoded, %d damaged, %d skipped of %d: %v", l.file, err, st.Decoded, st.Damaged, st.Skipped, many, st.Notes)
		}
		for p, n := range want {
			if got[p] != n {
				t.Errorf("%s: %d events of %q, want %d", l.file, got[p], p, n)
			}
		}
	}
}
