// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package inventorydb

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"citywall/asset"
	"citywall/event"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
)

func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }

var t0 = time.Date(2026, 3, 10, 2, 0, 0, 0, time.UTC)

func open(t *testing.T) (*Store, *time.Time) {
	t.Helper()
	now := t0
	s, err := Open(t.Context(), dbtest.Open(t), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return s, &now
}

// TestSeen: what is loaded and restored is what was observed; the oracle is the
// inventory that never was saved.
func TestSeen(t *testing.T) {
	s, _ := open(t)
	o := inventory.New(1000)
	flow := func(src, dst string, at time.Time) {
		e := &event.Event{ID: event.NewID(src, dst, 1), Time: at, Source: "fw1", Agency: "A01"}
		o.See(e, event.View{Action: event.Flow, Outcome: event.Success, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), DstPort: 445})
	}
	for _, a := range []string{"1", "2", "3", "4", "5", "6"} {
		flow("10.0.1."+a, "10.0.0.5", t0)
	}
	o.See(&event.Event{Time: t0, Source: "dhcp", Agency: "A01"}, event.View{Action: event.Lease, Outcome: event.Success, Host: "pc\x001", HostAddr: netip.MustParseAddr("10.0.1.1"), Session: "00-15-5D-01-02-03"})
	if err := s.Save(t.Context(), o.Changed(false)); err != nil {
		t.Fatal(err)
	}
	if c := o.Changed(true); len(c.Machines)+len(c.Talks) != 0 {
		t.Errorf("nothing happened, and %+v is to be saved", c)
	}
	flow("10.0.1.1", "10.0.0.5", t0.Add(time.Hour))
	if c := o.Changed(false); len(c.Machines) != 0 {
		t.Errorf("seen again is nothing new: %+v", c.Machines)
	}
	again := o.Changed(true)
	if len(again.Machines) != 2 || len(again.Talks) != 1 {
		t.Errorf("seen again: %+v", again)
	}
	if err := s.Save(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	c, damaged, err := s.Load(t.Context())
	if err != nil || damaged != 0 {
		t.Fatal(damaged, err)
	}
	back := inventory.New(1000)
	back.Restore(c)
	opts := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
	if d := cmp.Diff(o.Machines(), back.Machines(), opts); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(o.Talks(), back.Talks(), opts); d != "" {
		t.Error(d)
	}
	if m, ok := back.Machine("A01", netip.MustParseAddr("10.0.1.1")); !ok || m.MAC != "00:15:5d:01:02:03" || len(m.Evidence) != 2 || m.Sent != 2 {
		t.Errorf("%+v", m)
	}
	if err := s.Forget(t.Context(), t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if c, _, err := s.Load(t.Context()); err != nil || len(c.Machines) != 2 {
		t.Errorf("%v; after forgetting %d machines, want the two of the last flow", err, len(c.Machines))
	}
}

func TestDrawings(t *testing.T) {
	s, now := open(t)
	put := func(csv string) drawing.Version {
		v, err := drawing.NewVersion("list", "list.csv", []byte(csv))
		if err != nil {
			t.Fatal(err)
		}
		if v, err = s.PutDrawing(t.Context(), "hsu", v); err != nil {
			t.Fatal(err)
		}
		*now = now.Add(time.Minute)
		return v
	}
	one := put("name,address\npc1,10.0.0.1\n")
	two := put("name,address\npc1,10.0.0.2\n")
	if a, err := s.Accepted(t.Context()); err != nil || len(a) != 0 {
		t.Errorf("%v: a proposal counts: %+v", err, a)
	}
	for _, v := range []drawing.Version{one, two} {
		if x, err := s.Decide(t.Context(), "lin", v.ID, drawing.Accepted); err != nil || x.State != drawing.Accepted || x.DecidedBy != "lin" {
			t.Fatalf("%v %+v", err, x)
		}
	}
	a, err := s.Accepted(t.Context())
	if err != nil || len(a) != 1 || a[0].ID != two.ID || a[0].Drawing.Topology.Hosts[0].Addresses[0].String() != "10.0.0.2" || a[0].SHA256 != two.SHA256 {
		t.Errorf("%v %+v", err, a)
	}
	if x, err := s.Drawing(t.Context(), one.ID); err != nil || x.State != drawing.Replaced || len(x.Drawing.Topology.Hosts) != 1 {
		t.Errorf("%v %+v", err, x)
	}
	if _, err := s.Decide(t.Context(), "lin", two.ID, drawing.Refused); !fault.Is(err, fault.Conflict) {
		t.Errorf("an accepted one was refused: %v", err)
	}
	if _, err := s.Decide(t.Context(), "lin", "none", drawing.Accepted); !fault.Is(err, fault.NotFound) {
		t.Errorf("none: %v", err)
	}
	all, err := s.Drawings(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != two.ID || !cmp.Equal(all[0].Drawing.Topology, asset.Topology{}, cmpopts.EquateEmpty()) {
		t.Errorf("%v %+v", err, all)
	}
}

func TestNotes(t *testing.T) {
	s, _ := open(t)
	n := inventory.Note{Subject: inventory.DeviceSubject("A01", netip.MustParseAddr("10.0.0.1")), Contact: "119"}
	n, err := s.PutNote(t.Context(), "hsu", n)
	if err != nil || n.Version != 1 || n.By != "hsu" {
		t.Fatalf("%v %+v", err, n)
	}
	old := n
	old.Version = 0
	if _, err := s.PutNote(t.Context(), "lin", old); !fault.Is(err, fault.Conflict) {
		t.Errorf("written twice: %v", err)
	}
	n.Owner = "lin"
	if n, err = s.PutNote(t.Context(), "lin", n); err != nil || n.Version != 2 {
		t.Errorf("%v %+v", err, n)
	}
	if all, err := s.Notes(t.Context()); err != nil || len(all) != 1 || all[0] != n {
		t.Errorf("%v %+v", err, all)
	}
	if _, err := s.PutNote(t.Context(), "lin", inventory.Note{Subject: "door/1"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no such thing: %v", err)
	}
}
