// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"bytes"
	"context"
	"testing"

	"citywall/detect"
	"citywall/event"
	"citywall/exercise"
	"citywall/ingest"
	"citywall/ingest/format"
)

// each plays an exercise through decoders and rules.
func each(t testing.TB, p *exercise.Play, f func(*event.Event, []detect.Finding)) {
	t.Helper()
	m := pack(t).NewMatcher()
	seq := map[string]int64{}
	err := p.Lines(context.Background(), func(l exercise.Line) error {
		decoder, ok := ingest.ByName(l.Format)
		if !ok {
			t.Fatalf("no format %q", l.Format)
		}
		seq[l.Source]++
		n := seq[l.Source]
		src := format.Source{Realm: "city", Agency: l.Agency, Name: l.Source, Stream: "test", Received: l.Time}
		ev, err := decoder.Record(bytes.Clone(l.Bytes), format.Pos{Offset: n, Line: n, Seq: uint64(n)}, src)
		if err != nil {
			return err
		}
		f(ev, m.Match(ev))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
