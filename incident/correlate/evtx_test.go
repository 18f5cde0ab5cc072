// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"context"
	"os"
	"testing"

	"citywall/event"
	"citywall/incident/correlate"
	"citywall/ingest/file"
	"citywall/internal/shared"
)

func TestPathDump(t *testing.T) {
	p := os.Getenv("FILES")
	if p == "" {
		t.Skip("set FILES")
	}
	if p == "evtx" {
		p = shared.Path(t, "evtx/attack/evtx-to-mitre-attack.zip")
	}
	e := correlate.New(correlate.Config{})
	m := pack(t).NewMatcher()
	n := 0
	_, err := file.Read(context.Background(), []string{p}, file.Options{Realm: "city"}, func(ev *event.Event) error {
		e.Observe(ev, m.Match(ev))
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(n, "events")
	show(t, e.Incidents(context.Background()))
	correlate.Debug(e)
}
