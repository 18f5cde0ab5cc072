// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"testing"

	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident/correlate"
	"citywall/ingest/format"
	"citywall/ingest/format/csvlog"
	"citywall/internal/shared"
	"citywall/rules"
)

// unlabelled reads a scenario without its two label columns.
func unlabelled(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(shared.Path(t, "casework/ait/"+name+"_alerts.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for line := range bytes.Lines(b.Bytes()) {
		line = bytes.TrimRight(line, "\r\n")
		for range 2 {
			line = line[:bytes.LastIndexByte(line, ',')]
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.Bytes()
}

func pack(t testing.TB) *sigma.Engine {
	t.Helper()
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func feedCSV(t testing.TB, e *correlate.Engine, name string, data []byte) {
	t.Helper()
	m := pack(t).NewMatcher()
	src := format.Source{Realm: "city", Name: name, File: name + "_alerts.csv", SHA256: name}
	_, err := csvlog.Format().Decode(context.Background(), bytes.NewReader(data), src, func(ev *event.Event) error {
		e.Observe(ev, m.Match(ev))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAITDump(t *testing.T) {
	for _, name := range []string{"fox", "russellmitchell", "santos", "shaw"} {
		e := correlate.New(correlate.Config{})
		feedCSV(t, e, name, unlabelled(t, name))
		show(t, e.Incidents(context.Background()))
	}
}
