// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package senderdb

import (
	"testing"
	"time"

	"citywall/ingest/sender"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
)

func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }

func TestStore(t *testing.T) {
	now := time.Date(2026, 3, 10, 2, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), dbtest.Open(t), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	a, err := sender.ParseAddress("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Put(t.Context(), "hsu", sender.Sender{Name: "fw1", Kind: "fortigate", Transport: sender.SyslogUDP, Address: a, Silence: 15 * time.Minute, Agency: "hospital"})
	if err != nil || x.Version != 1 || x.CreatedBy != "hsu" || !x.Created.Equal(now) {
		t.Fatalf("%v %+v", err, x)
	}
	if _, err := s.Put(t.Context(), "lin", sender.Sender{Name: "fw1", Transport: sender.HTTP}); !fault.Is(err, fault.Conflict) {
		t.Errorf("registered twice: %v", err)
	}
	now = now.Add(time.Hour)
	y := x
	y.Agency = "school"
	if y, err = s.Put(t.Context(), "lin", y); err != nil || y.Version != 2 || y.CreatedBy != "hsu" {
		t.Errorf("%v %+v", err, y)
	}
	if _, err := s.Put(t.Context(), "lin", x); !fault.Is(err, fault.Conflict) {
		t.Errorf("an old version: %v", err)
	}
	if _, err := s.Put(t.Context(), "lin", sender.Sender{Name: "fw2", Transport: "pigeon"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no way to send: %v", err)
	}
	got, err := s.Get(t.Context(), "fw1")
	if err != nil || got.Agency != "school" || got.Address != a || got.Silence != 15*time.Minute {
		t.Errorf("%v %+v", err, got)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%v %+v", err, all)
	}
	if err := s.Drop(t.Context(), "fw1"); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), "fw1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("gone: %v", err)
	}
	if err := s.Drop(t.Context(), "fw1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("gone twice: %v", err)
	}
}
