// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package cuckoo_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/cuckoo"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "cuckoo") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, cuckoo.Format()) }

const info = `"info":{"id":7,"machine":{"name":"win10"},"package":"exe","category":"file","route":"none","ended":"2026-03-13 10:50:00"}`

func decode(t *testing.T, r io.Reader) (map[string]int, format.Stats) {
	t.Helper()
	n := map[string]int{}
	st, err := cuckoo.Format().Decode(context.Background(), r, format.Source{}, func(e *event.Event) error { n[e.Service]++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n, st
}

// TestLimits: a report with too much of everything gives a verdict and says what
// it left out.
func TestLimits(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{` + info + `,"behavior":{"processes":[` + strings.Repeat(`{"calls":[[[{"a":"b"}]]]},`, 20_000) + `{}]},"dropped":[`)
	for i := range 6_000 {
		fmt.Fprintf(&b, `{"name":"%d"},`, i)
	}
	b.WriteString(`{"name":"` + strings.Repeat("x", 2<<20) + `"}],"network":{"tcp":[`)
	for i := range 21_000 {
		fmt.Fprintf(&b, `{"dst":"203.0.113.9","dport":%d},{"dst":"203.0.113.9","dport":%d},`, i, i)
	}
	b.WriteString(`{"dst":"203.0.113.9","dport":1}]}}`)
	n, st := decode(t, strings.NewReader(b.String()))
	if n["report"] != 1 || n["dropped"] != 5_000 || n["network"] != 20_000 || st.Damaged != 1 || st.Skipped != 3_000 {
		t.Errorf("%v %+v", n, st)
	}
}

// endless is a text that never ends.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.n += int64(len(p))
	return len(p), nil
}

// TestEndless: a text without an end is given up in bounded memory, and what came
// before it counts.
func TestEndless(t *testing.T) {
	e := &endless{}
	n, st := decode(t, io.MultiReader(strings.NewReader(`{`+info+`,"behavior":"`), e))
	if n["report"] != 1 || st.Damaged != 1 || e.n > 128<<20 {
		t.Errorf("%v %+v, %d bytes read", n, st, e.n)
	}
}
