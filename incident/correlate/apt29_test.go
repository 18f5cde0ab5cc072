// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"context"
	"encoding/json"
	"testing"

	"citywall/event"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/ingest/file"
	"citywall/internal/shared"
)

// read feeds files to an engine without any rules.
func read(t testing.TB, e *correlate.Engine, paths ...string) {
	t.Helper()
	stats, err := file.Read(context.Background(), paths, file.Options{Realm: "city"}, func(ev *event.Event) error {
		e.Observe(ev, nil)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stats {
		if s.Problem != "" {
			t.Logf("%s %s: %s", s.File, s.Inner, s.Problem)
		}
	}
}

func dump(t testing.TB, in []incident.Incident) {
	t.Helper()
	b, err := json.MarshalIndent(in, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(string(b))
}

func TestAPT29Dump(t *testing.T) {
	e := correlate.New(correlate.Config{})
	read(t, e, shared.Path(t, "casework/apt29/apt29-day1-zeek.zip"))
	in := e.Incidents(context.Background())
	for i := range in {
		in[i].Parameters = nil
	}
	show(t, in)
}
