// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package recordtest

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"testing"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/internal/shared"
)

// Real is a file of plaso's test data, decoded, and what plaso's own tests
// assert of it.
type Real struct {
	Text     []byte
	Format   string // as recognised by its content; "" unknown
	Events   []*event.Event
	Stats    format.Stats
	Expected struct { // of expected.json; the first case
		Data     int64 `json:"event_data"`
		Warnings int64 `json:"extraction_warnings"`
	}
}

// Plaso decodes the named file of shared casework/plaso.
func Plaso(t testing.TB, name string) Real {
	t.Helper()
	r := Real{Text: plasoFile(t, name)}
	b, err := os.ReadFile(shared.Path(t, "casework/plaso/expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct{ Expected []json.RawMessage }
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if x := all[name].Expected; len(x) > 0 {
		if err := json.Unmarshal(x[0], &r.Expected); err != nil {
			t.Fatal(err)
		}
	}
	f, ok := ingest.Recognise(r.Text[:min(len(r.Text), 4096)])
	if !ok {
		return r
	}
	r.Format = f.Name
	r.Stats, err = f.Decode(context.Background(), bytes.NewReader(r.Text), Source, func(e *event.Event) error {
		r.Events = append(r.Events, e)
		e.View()
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

func plasoFile(t testing.TB, name string) []byte {
	t.Helper()
	z, err := zip.OpenReader(shared.Path(t, "casework/plaso/plaso-test-data.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
