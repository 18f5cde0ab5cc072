// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"math/rand/v2"
	"testing"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// TestRoute follows the cables of the city: which sensors see a connection.
func TestRoute(t *testing.T) {
	c := city.New(1, 200)
	s := New(c, func(logs.Record) {})
	out := c.Outside[0].Addr
	pool := c.VPNPool.Addr().Next()
	pc := c.Bureau.PCs[0].Addr
	dc, fs := c.Bureau.Domain.DCs[0].Addr, c.Bureau.File.Addr
	web, ts, ct := c.Srv.Public.Addr, c.Srv.Terminal.Addr, c.Hospital.Medical[0].Addr
	for _, x := range []struct {
		name string
		got  sees
		want sees
	}{
		{"outside to DMZ passes no core switch", s.route(out, web), sees{edge: true, perimeter: true}},
		{"desk to outside", s.route(pc, out), sees{edge: true, perimeter: true, core: true}},
		{"DMZ to server", s.route(web, fs), sees{edge: true, core: true}},
		{"desk to server", s.route(pc, dc), sees{core: true}},
		{"two servers of one network", s.route(dc, fs), sees{}},
		{"VPN to hospital", s.route(pool, ts), sees{edge: true, core: true, wall: true}},
		{"clinical to PACS", s.route(ct, c.Srv.PACS.Addr), sees{core: true, wall: true}},
		{"clinical to clinical", s.route(ct, ct), sees{}},
	} {
		if x.got != x.want {
			t.Errorf("%s: %+v, want %+v", x.name, x.got, x.want)
		}
	}
}

// TestOneMoveManySensors plays one remote service and counts who wrote of it,
// and that the moment returned is that of the earliest record, its clock set
// right.
func TestOneMoveManySensors(t *testing.T) {
	c := city.New(1, 200)
	kinds, early := map[string]int{}, time.Time{}
	on := false
	s := New(c, func(r logs.Record) {
		if !on {
			return
		}
		kinds[r.Schema.Name]++
		switch r.Schema { // of the move itself, not of its preparation or its results
		case logs.ZeekConn, logs.Logon:
			if at := r.Stamp.Add(-r.Source.Offset); r.Get("id.resp_p") != "88" && (early.IsZero() || at.Before(early)) {
				early = at
			}
		}
	})
	on = true
	m := Remote{Account: c.Bureau.Domain.Deploy, Src: On(c.Srv.Portal), Dst: c.Bureau.File}
	s.Witness = true
	_, seen := s.RemoteService(rand.New(rand.NewPCG(1, 1)), time.Date(2026, 3, 13, 12, 0, 0, 0, time.UTC), m, "Svc", "svc.exe", "", 1000)
	for _, k := range []string{"conn", "traffic/forward", "kerberos", "smb_mapping", "smb_files", "dce_rpc", "Logon", "File Share", "Detailed File Share", "Security System Extension",
		"A service was installed in the system.", "Process Create", "File created", "Special Logon", "Logoff"} {
		if kinds[k] == 0 {
			t.Errorf("nothing of kind %q among %v", k, kinds)
		}
	}
	if !seen.At.Equal(early) || len(seen.By) < 4 {
		t.Errorf("earliest record %s, returned %s of %d", early, seen.At, len(seen.By))
	}
}
