// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package file_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"citywall/event"
	"citywall/ingest/file"
	"citywall/internal/shared"
)

// TestPlasoSamples: of plaso's small real files, those of a format that is read
// here give as many records as plaso's own tests assert. Where another number is
// right, the table says which and why.
func TestPlasoSamples(t *testing.T) {
	var expected map[string]struct {
		Expected []struct {
			Events int `json:"event_data"`
		} `json:"expected"`
	}
	b, err := os.ReadFile(shared.Path(t, "casework/plaso/expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &expected); err != nil {
		t.Fatal(err)
	}
	other := map[string]struct {
		events int64
		why    string
	}{
		"audit_enriched.log": {12, "plaso counts lines; lines of one audit event (same time and serial) are one event here"},
		"selinux.log":        {6, "the same: two of plaso's seven lines are one event"},
		"evtx/System2.evtx":  {283, "the file is cut off: plaso asserts 194; here every chunk is read as far as its records are whole"},
	}
	stats, err := file.Read(context.Background(), []string{shared.Path(t, "casework/plaso/plaso-test-data.zip")}, file.Options{Realm: "city"}, func(*event.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	files, records := 0, int64(0)
	for _, s := range stats {
		x, ok := expected[s.Inner]
		if s.Format == "" || !ok || len(x.Expected) == 0 {
			continue
		}
		files, records = files+1, records+s.Decoded
		want, why := int64(x.Expected[0].Events), "as plaso asserts"
		if o, ok := other[s.Inner]; ok {
			want, why = o.events, o.why
		}
		if s.Decoded != want {
			t.Errorf("%s as %s: %d records, want %d (%s)", s.Inner, s.Format, s.Decoded, want, why)
		}
	}
	if files < 33 {
		t.Errorf("only %d of the files were recognised", files)
	}
	t.Logf("%d files, %d records", files, records)
}
