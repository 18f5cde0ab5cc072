// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package recordtest holds a decoder to samples, record by record.
//
// A sample file testdata/*.rec has blocks of input lines and what must come of
// them: format, labels, time, all native fields, the whole normalised view.
//
//	# where the samples come from: "written by hand after …" or "real: …"
//	> <34>Mar 13 18:50:00 fw …
//	format syslog
//	event fortinet traffic forward 2026-03-13T10:50:00Z ±500ms zone-assumed
//	fields {"facility":"4",…}
//	view {"observer":"fw",…}
//
// Each block is a file of its own for ingest.Recognise; a single line also goes
// through ingest.Record. With -update the expectations are written anew, and a
// person reads the difference. It is imported by tests only.
package recordtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
)

var update = flag.Bool("update", false, "write the expectations of testdata/*.rec anew")

// Source is what the samples are decoded with: zone Asia/Taipei, and times
// without a year lie before April 2026.
var Source = format.Source{Realm: "city", Name: "sample", NotAfter: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}

// block is one input and what must come of it.
type block struct {
	head  []string // comments and blank lines before it
	input []string
	want  []string
	line  int // of the first input line
}

// Run checks every testdata/*.rec of the package under test. products are the
// Event.Products that may come of them.
func Run(t *testing.T, products ...string) {
	t.Helper()
	names, err := filepath.Glob("testdata/*.rec")
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples in testdata/*.rec: %v", err)
	}
	known := map[string]bool{}
	for _, p := range products {
		known[p] = true
	}
	for _, n := range names {
		t.Run(filepath.Base(n), func(t *testing.T) { file(t, n, known) })
	}
}

func file(t *testing.T, name string, known map[string]bool) {
	blocks, tail := read(t, name)
	all := map[string]*whole{}
	for i := range blocks {
		b := &blocks[i]
		got, f, events, st := decode(t, b.bytes())
		for _, e := range events {
			if !known[e.Product] {
				t.Errorf("%s:%d: read as product %q", name, b.line, e.Product)
			}
		}
		if len(b.input) == 1 && f.Record != nil {
			alone(t, fmt.Sprintf("%s:%d", name, b.line), b.bytes(), events)
			w := all[f.Name]
			if w == nil {
				w = &whole{}
				all[f.Name] = w
			}
			w.text = append(w.text, b.bytes()...)
			w.decoded += st.Decoded
			w.damaged += st.Damaged
		}
		if *update {
			b.want = got
			continue
		}
		compare(t, name, b, got)
	}
	for n, w := range all {
		w.check(t, name, n)
	}
	if *update {
		write(t, name, blocks, tail)
	}
}

func compare(t *testing.T, name string, b *block, got []string) {
	for i := range max(len(got), len(b.want)) {
		g, w := at(got, i), at(b.want, i)
		if g != w {
			t.Errorf("%s:%d: %s\n got  %s\n want %s", name, b.line, b.input[0], g, w)
		}
	}
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "(nothing)"
}

// whole is all single lines of one format together, as a file has them.
type whole struct {
	text             []byte
	decoded, damaged int64
}

func (w *whole) check(t *testing.T, name, format string) {
	f, ok := ingest.Recognise(w.text[:min(len(w.text), 4096)])
	if !ok || f.Name != format {
		t.Errorf("%s: its %s lines together are recognised as %q", name, format, f.Name)
		return
	}
	st, err := f.Decode(context.Background(), bytes.NewReader(w.text), Source, func(*event.Event) error { return nil })
	if err != nil || st.Decoded != w.decoded || st.Damaged != w.damaged {
		t.Errorf("%s: its %s lines together: %d decoded, %d damaged, %v; alone %d and %d", name, format, st.Decoded, st.Damaged, err, w.decoded, w.damaged)
	}
}

// alone checks that a live record gives what the file gave.
func alone(t *testing.T, where string, line []byte, events []*event.Event) {
	e, err := ingest.Record(line, format.Pos{Line: 1}, Source)
	if err != nil {
		if len(events) > 0 {
			t.Errorf("%s: decoded in a file but not live: %v", where, err)
		}
		return
	}
	if len(events) != 1 || !reflect.DeepEqual(e.Fields, events[0].Fields) || e.Product != events[0].Product || !e.Time.Equal(events[0].Time) {
		t.Errorf("%s: live it is %s %v, in a file it gave %d events", where, e.Product, e.Fields, len(events))
	}
}

// decode reads b as a file and renders what came of it.
func decode(t *testing.T, b []byte) (lines []string, f format.Format, events []*event.Event, st format.Stats) {
	f, ok := ingest.Recognise(b[:min(len(b), 4096)])
	if !ok {
		return []string{"format unknown"}, f, nil, st
	}
	lines = append(lines, "format "+f.Name)
	st, err := f.Decode(context.Background(), bytes.NewReader(b), Source, func(e *event.Event) error {
		events = append(events, e)
		lines = append(lines, render(t, e)...)
		return nil
	})
	if err != nil {
		lines = append(lines, "error "+err.Error())
	}
	if st.Skipped > 0 {
		lines = append(lines, fmt.Sprintf("skipped %d", st.Skipped))
	}
	if st.Damaged > 0 {
		lines = append(lines, fmt.Sprintf("damaged %d: %s", st.Damaged, strings.Join(st.Notes, " | ")))
	}
	return lines, f, events, st
}

func render(t *testing.T, e *event.Event) []string {
	h := fmt.Sprintf("event %s %s %s %s", or(e.Product), or(e.Category), or(e.Service), or(stamp(e.Time)))
	if e.Uncertainty != 0 {
		h += " ±" + e.Uncertainty.String()
	}
	if e.ZoneAssumed {
		h += " zone-assumed"
	}
	return []string{h, "fields " + marshal(t, e.Fields), "view " + marshal(t, e.View())}
}

func marshal(t *testing.T, v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(b.String(), "\n")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return strings.ReplaceAll(s, " ", "_")
}

func (b *block) bytes() []byte { return []byte(strings.Join(b.input, "\n") + "\n") }

func read(t *testing.T, name string) (blocks []block, tail []string) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if low := strings.ToLower(string(text)); !strings.Contains(low, "# written by hand after ") && !strings.Contains(low, "# real: ") {
		t.Fatalf("%s does not say where its samples come from: # written by hand after … or # real: …", name)
	}
	var head []string
	for i, l := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		in, isInput := strings.CutPrefix(l, ">")
		in = strings.TrimPrefix(in, " ")
		last := len(blocks) - 1
		switch {
		case isInput && (last < 0 || len(blocks[last].want) > 0 || len(head) > 0):
			blocks = append(blocks, block{head: head, input: []string{in}, line: i + 1})
			head = nil
		case isInput:
			blocks[last].input = append(blocks[last].input, in)
		case l == "" || l[0] == '#':
			head = append(head, l)
		case last < 0 || len(head) > 0:
			t.Fatalf("%s:%d: an expectation without an input", name, i+1)
		default:
			blocks[last].want = append(blocks[last].want, l)
		}
	}
	return blocks, head
}

func write(t *testing.T, name string, blocks []block, tail []string) {
	var out strings.Builder
	put := func(l string) { out.WriteString(l + "\n") }
	for _, b := range blocks {
		for _, l := range b.head {
			put(l)
		}
		for _, l := range b.input {
			put(strings.TrimRight("> "+l, " "))
		}
		for _, l := range b.want {
			put(l)
		}
	}
	for _, l := range tail {
		put(l)
	}
	if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Inputs returns the inputs of the samples in the files that match glob, each a
// file of its own.
func Inputs(t testing.TB, glob string) [][]byte {
	t.Helper()
	names, err := filepath.Glob(glob)
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples in %s: %v", glob, err)
	}
	var out [][]byte
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		var in []string
		for l := range strings.SplitSeq(string(text)+"\n", "\n") {
			if s, ok := strings.CutPrefix(l, ">"); ok {
				in = append(in, strings.TrimPrefix(s, " "))
			} else if len(in) > 0 {
				out = append(out, []byte(strings.Join(in, "\n")+"\n"))
				in = nil
			}
		}
	}
	return out
}

// Fuzz decodes anything with a format and calls View: no panic, no error but
// damage, as many events as were counted.
func Fuzz(f *testing.F, fm format.Format) {
	for _, in := range Inputs(f, "testdata/*.rec") {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fm.Sniff(b[:min(len(b), 4096)])
		n := int64(0)
		st, err := fm.Decode(context.Background(), bytes.NewReader(b), Source, func(e *event.Event) error { n++; return sound(e) })
		if err != nil || n != st.Decoded {
			t.Fatalf("%v; %d events, %d counted", err, n, st.Decoded)
		}
	})
}

// FuzzDialect gives a dialect anything as its message, whether it matches or
// not. The seeds are the samples and what stands in them behind a header.
func FuzzDialect(f *testing.F, d format.Dialect) {
	for _, in := range Inputs(f, "testdata/*.rec") {
		line := strings.TrimRight(string(in), "\n")
		f.Add("", line)
		for i, c := range line {
			if (c == ' ' || c == '>') && d.Match("", line[i+1:]) {
				f.Add("", line[i+1:])
				break
			}
		}
	}
	f.Fuzz(func(t *testing.T, app, msg string) {
		d.Match(app, msg)
		e := Source.Event("syslog", format.Pos{})
		if app != "" {
			e.Fields.Add("appname", app)
		}
		if err := d.Read(msg, e, format.Pos{}, Source); err == nil {
			if err := sound(e); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Bench measures recognising and decoding one live record, its header included,
// without its view. cpu-ns/op is processor time, the collector's included: it
// stays true on a machine that does other work as well.
func Bench(b *testing.B, line []byte) {
	if _, err := ingest.Record(line, format.Pos{}, Source); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		if _, err := ingest.Record(line, format.Pos{}, Source); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-start)/float64(b.N), "cpu-ns/op")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sound reports what no decoder may do.
func sound(e *event.Event) error {
	e.View()
	if e.Product == "" && e.Service == "" && e.Category == "" {
		return errors.New("an event without labels")
	}
	if len(e.Fields) > format.MaxFields+64 {
		return fmt.Errorf("%d fields", len(e.Fields))
	}
	if e.Uncertainty < 0 {
		return fmt.Errorf("uncertainty %s", e.Uncertainty)
	}
	return nil
}
