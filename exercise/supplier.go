// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"math/rand/v2"
	"strconv"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/life"
)

// supplier is an intrusion that comes over a maintenance company which is itself
// in foreign hands: from the company's own address, with its own machine's name
// and its usual account, on a working afternoon. It is wrong only in what it does
// then: the image archive, the clinical servers, and a NAS that nobody drew.
//
//	supplier --vpn--> pool address --rdp--> hos-ts01 --rdp--> hos-pacs01 --c2, exfiltration--> outside
//	hos-pacs01 --service--> hos-his01, hos-lis01, --winrm--> hos-bak01, --smb--> hos-nas01
func supplier(g *stage) {
	c, s, h := g.c, g.s, g.c.Hospital
	vendor, stolen := vendorOf(c), h.Domain.Monitor
	caller, inner := act.End{Addr: life.VendorHome}, act.End{Addr: life.VendorInner}
	g.suspect(caller.Addr)
	ch, vault := g.newChannel(), act.End{Addr: g.outsider()}
	k := kit{"." + g.word(5), "RECOVER-DATA.txt", g.word(4) + "svc.exe"}
	finale := g.begin.Add(g.dwell)

	g.tunnel(g.begin, vendor, caller, inner, finale.Add(5*time.Minute))
	in := g.arrive(g.begin.Add(seconds(45+60*g.r.Float64())), inner, life.VendorStation, c.Srv.Terminal, vendor, finale, TruthEntry{Kind: "supplier", Vector: vendor.String(), External: caller.Addr})
	g.looks(g.when(0.04), in, "whoami /all", "ipconfig /all", "quser", "net view /domain")

	// The archive that the company looks after: its own account suffices.
	pacs := g.rdp(g.when(0.07), in, c.Srv.PACS, vendor, finale.Add(2*time.Minute))
	called := g.when(0.11)
	g.beacon(called, finale.Add(2*time.Minute), c.Srv.PACS, ch, g.implant(called.Add(-20*time.Second), pacs, `C:\ProgramData\`+g.word(6)+`\`+g.word(5)+`.exe`))
	g.dumps(g.when(0.18), pacs)
	g.sweeps(g.when(0.23), pacs, h.Servers, 445, 3389, 1433)
	g.steals(g.when(0.30), pacs, vault)

	// The clinical servers, with an account of the monitoring that runs on each.
	as := stolen
	if g.opt.has(StealthPairs) {
		as = h.Domain.Admins[0]
	}
	base := g.station(g.when(0.42), pacs, h.Jump, as, finale)
	his := g.control(g.when(0.47), base, c.Srv.HIS, as, "RisUpdateSvc", "risupd.exe")
	lis := g.control(g.when(0.54), base, g.named("hos-lis01"), as, "RisUpdateSvc", "risupd.exe")
	g.wipes(g.when(0.70), base, h.Backup, as)
	g.blinds(g.when(0.84), pacs)
	g.blinds(g.when(0.86), his)

	for i, x := range []*hold{pacs, his, lis} {
		g.locks(finale.Add(seconds(float64(i)*8+10*g.r.Float64())), x, k, 200+g.r.IntN(150))
	}
	// The NAS shares its network with the archive: nobody but itself sees it.
	nas := c.Srv.NAS
	g.at(finale.Add(30*time.Second), func(r *rand.Rand, t time.Time) {
		from := act.On(pacs.Host)
		g.moved(s.Mount(r, t, from, nas, vendor.Name, 3*time.Minute), pacs, nas, 445, vendor, "smb", "T1021.002")
		for i := range 160 {
			t = t.Add(time.Duration(150+r.IntN(400)) * time.Millisecond)
			name := "/archive/" + words[r.IntN(len(words))] + "-" + strconv.Itoa(i) + ".dcm"
			size := 4_000_000 + r.Int64N(9_000_000)
			seen := s.Stored(r, t, nas, from, vendor.Name, "write", name+k.extension, size)
			s.Stored(r, t.Add(20*time.Millisecond), nas, from, vendor.Name, "delete", name, size)
			if i == 0 {
				g.anchor(seen, nas)
			}
		}
		if t.After(g.end) {
			g.end = t
		}
	})
}
