// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package keepdb

import (
	"reflect"
	"testing"
	"time"

	"citywall/eventstore/keep"
	"citywall/internal/db/dbtest"
	"citywall/internal/mishap"
)

func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }

// What is written is read, also by another opening, and the newest comes first.
func TestComesBack(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 0, 0, 123000, time.UTC)
	where := dbtest.Where(t)
	open := func() *Store {
		s, err := Open(t.Context(), dbtest.Again(t, where), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	var want []keep.Hold
	for i, h := range []keep.Hold{
		{Case: "115-1\x00", From: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), Reason: "檢察官函", By: "chen"},
		{Case: "115-2", From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Reason: "r", By: "lin"},
	} {
		now = now.Add(time.Duration(i) * time.Second)
		got, err := s.AddHold(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		h.ID, h.Created = got.ID, now
		if i == 0 {
			h.Case = "115-1\ufffd"
		}
		want = append([]keep.Hold{h}, want...)
	}
	for range 2 {
		got, err := s.Holds(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\nwant %+v, %v", got, want, err)
		}
		s = open()
	}
	for i := range 3 {
		if err := s.AddBackup(t.Context(), keep.Backup{At: now.Add(time.Duration(i) * time.Hour), Dir: "/b", Bytes: int64(i), By: "hsu"}); err != nil {
			t.Fatal(err)
		}
	}
	if bs, err := s.Backups(t.Context()); err != nil || len(bs) != 3 || bs[0].Bytes != 2 || bs[0].ID == "" {
		t.Errorf("%+v %v", bs, err)
	}
	m := mishap.New(mishap.QueueLost, "/q", now, "packs", "2")
	other := mishap.New(mishap.QueueLost, "/q", now, "packs", "3")
	for range 2 {
		for _, x := range []mishap.Mishap{m, other} {
			if err := s.AddNotice(t.Context(), x); err != nil {
				t.Fatal(err)
			}
		}
	}
	ns, err := s.Notices(t.Context())
	if err != nil || len(ns) != 2 {
		t.Fatalf("%+v %v", ns, err)
	}
	if err := s.SeeNotice(t.Context(), ns[0].ID, "lin"); err != nil {
		t.Fatal(err)
	}
	if err := s.AddNotice(t.Context(), ns[0].Mishap); err != nil { // it happened again
		t.Fatal(err)
	}
	ns, err = s.Notices(t.Context())
	if err != nil || len(ns) != 3 || !ns[0].Seen.IsZero() || !ns[1].Seen.IsZero() || ns[2].SeenBy != "lin" {
		t.Errorf("%+v %v", ns, err)
	}
}
