// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && cgo && !noduckdb

package app

import (
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citywall/asset"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
)

// TestDrawingReachesCorrelation: a drawing that is accepted while Citywall runs,
// and one that is retired, change the advice of the incident that is there, with
// no record sent again.
func TestDrawingReachesCorrelation(t *testing.T) {
	a := start(t, filepath.Join(t.TempDir(), "data"))
	secret, err := a.Sender(t.Context(), "ws-7", "A01")
	if err != nil {
		t.Fatal(err)
	}
	line := `{"@timestamp":"` + time.Now().UTC().Format(time.RFC3339Nano) + `","host":{"name":"WS-7","ip":"10.3.0.7"},"winlog":{"channel":"Security","event_id":1102,"provider_name":"Microsoft-Windows-Eventlog","computer_name":"WS-7","record_id":7}}` + "\n"
	post(t, a, secret, line)
	advice := func() string {
		t.Helper()
		is, err := a.Settle(t.Context())
		if err != nil || len(is) != 1 || len(is[0].Hosts) != 1 {
			t.Fatalf("%v: want one incident of one machine: %+v", err, is)
		}
		return is[0].Hosts[0].Isolate
	}
	before := advice()
	if before == "two_people" {
		t.Fatal("the machine is protected before anybody drew it so")
	}
	v, err := drawing.NewVersion("machines", "machines.csv", []byte("name,address,role\nws-7,10.3.0.7,medical\n"))
	if err != nil {
		t.Fatal(err)
	}
	if v, err = a.estate.Propose(t.Context(), "hsu", v); err != nil {
		t.Fatal(err)
	}
	if got := advice(); got != before {
		t.Errorf("a drawing that nobody accepted counts: %q", got)
	}
	if _, err = a.estate.Decide(t.Context(), "hsu", v.ID, drawing.Accepted); err != nil {
		t.Fatal(err)
	}
	if got := advice(); got != "two_people" {
		t.Errorf("after the drawing was accepted: %q", got)
	}
	if _, err = a.estate.Decide(t.Context(), "hsu", v.ID, drawing.Retired); err != nil {
		t.Fatal(err)
	}
	if got := advice(); got != before {
		t.Errorf("after it was retired: %q, before it %q", got, before)
	}
}

// post sends lines as a sender does.
func post(t *testing.T, a *App, secret, lines string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+IngestPath, strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Idempotency-Key", "k1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
}

// TestInventory: a machine whose record arrives is in the inventory, also after
// a stop; what was accepted is known after the next start, and the
// configuration stands before it.
func TestInventory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cfg := config(t)
	cfg.Topology.Segments = []asset.Segment{{Name: "office", Prefix: netip.MustParsePrefix("10.3.0.0/24"), Zone: asset.ZoneInside}}
	a, err := New(t.Context(), Options{Dir: dir, Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, a)
	secret, err := a.Sender(t.Context(), "ws-7", "A01")
	if err != nil {
		t.Fatal(err)
	}
	line := `{"@timestamp":"` + time.Now().UTC().Format(time.RFC3339Nano) + `","host":{"name":"WS-7","ip":"10.3.0.7"},"message":"hello wall"}` + "\n"
	post(t, a, secret, line)
	if _, err := a.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := a.estate.Device(cityScope, "10.3.0.7@A01")
	if err != nil || d.Name != "ws-7" || d.Segment == nil || d.Segment.Name != "office" {
		t.Errorf("%v %+v", err, d)
	}
	v, err := drawing.NewVersion("nets", "nets.csv", []byte("segment,prefix,contact\ndesks,10.3.0.0/24,119\nward,10.4.0.0/24,\n"))
	if err != nil {
		t.Fatal(err)
	}
	if v, err = a.estate.Propose(t.Context(), "hsu", v); err != nil {
		t.Fatal(err)
	}
	if _, err = a.estate.Decide(t.Context(), "hsu", v.ID, drawing.Accepted); err != nil {
		t.Fatal(err)
	}
	d.Note.Contact = "0912"
	if _, err := a.estate.PutNote(t.Context(), "hsu", d.Note); err != nil {
		t.Fatal(err)
	}
	stop()

	if a, err = New(t.Context(), Options{Dir: dir, Config: cfg}); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if d, err := a.estate.Device(cityScope, "10.3.0.7@A01"); err != nil || d.Contact != "0912" || len(d.Evidence) != 1 || d.Evidence[0].Way != inventory.BySelf {
		t.Errorf("after a stop: %v %+v", err, d)
	}
	top, _ := a.estate.Known()
	if len(top.Segments) != 2 || top.Segments[0].Name != "office" || top.Segments[0].Contact != "119" || len(top.Hosts) != 1 || top.Hosts[0].Contact != "0912" {
		t.Errorf("known: %+v", top)
	}
}
