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

// hospital is an intrusion of the kind Taiwanese hospitals met in 2025: a weak
// account at the VPN, a machine where an administrator had left his credentials
// (the vendors' terminal server, or a desk), the domain controller, antivirus
// ended by a signed driver, and a group policy that gives every machine a task
// to encrypt itself in the night.
//
//	outside --vpn--> pool address --rdp--> entry --c2--> outside
//	entry --rdp--> hos-dc01     --gpo--> many
//	entry --service--> hos-fs01 --exfiltration--> outside
//	hos-dc01 --winrm--> hos-bak01
func hospital(g *stage) {
	c, s, h := g.c, g.s, g.c.Hospital
	vendor, ts := weakness(c, g.seed, g.opt.has(StealthPairs))
	admin, dc, fs := h.Domain.Admins[0], h.Domain.DCs[0], h.File
	caller, inner := g.caller(), g.inner()
	ch, vault := g.newChannel(), act.End{Addr: g.outsider()}
	k := kit{"." + g.word(6), "Decryption Instructions.txt", "go.exe"}
	if g.r.IntN(2) == 0 {
		k.extension, k.note = ".hunter", "README_RESTORE.txt"
	}
	finale := g.begin.Add(g.dwell)

	// The way in: passwords tried at the gateway, then the one that fits.
	g.guesses(vendor.Name, caller)
	g.tunnel(g.begin, vendor, caller, inner, finale.Add(4*time.Minute))
	in := g.arrive(g.begin.Add(seconds(60+60*g.r.Float64())), inner, "WIN-K7Q2M9TV4H1", ts, vendor, finale, TruthEntry{Kind: "vpn", Vector: vendor.String(), External: caller.Addr})

	// At home on the first machine.
	g.looks(g.when(0.03), in, "whoami /all", "ipconfig /all", "net group \"Domain Admins\" /domain", "nltest /dclist:hosp.example", "quser", "net view /domain")
	called := g.when(0.05)
	agent := g.implant(called.Add(-20*time.Second), in, `C:\Users\Public\Libraries\`+g.word(6)+`.exe`)
	g.beacon(called, finale.Add(3*time.Minute), ts, ch, agent)
	g.sweeps(g.when(0.10), in, append(append([]*city.Host{}, h.Servers...), h.PCs[:min(10, len(h.PCs))]...), 445, 3389, 5985, 135)
	g.dumps(g.when(0.18), in)

	// The domain controller, with what the memory held.
	base := g.station(g.when(0.23), in, h.Jump, admin, finale)
	onDC := g.rdp(g.when(0.28), base, dc, admin, finale.Add(-time.Minute))
	g.looks(g.when(0.31), onDC, "whoami /groups", "dsquery computer -limit 0", "net group \"Domain Computers\" /domain")

	// The file server: copied out before it is locked. The backup server: what
	// could bring everything back.
	onFS := g.control(g.when(0.36), base, fs, admin, "UpdHostSvc", "updhost.exe")
	g.steals(g.when(0.40), onFS, vault)
	from := onDC
	if g.opt.has(StealthPairs) {
		from = base
	}
	g.wipes(g.when(0.60), from, h.Backup, admin)

	// Blind, then the policy.
	g.blinds(g.when(0.70), onDC)
	g.blinds(g.when(0.72), onFS)
	pol := act.Policy{Domain: h.Domain, GUID: fmt.Sprintf("{%08X-9A41-4C77-B1D0-%012X}", g.r.Uint32(), g.r.Uint64N(1<<48)), Version: 3}
	const taskFile, task, payload = `Machine\Preferences\ScheduledTasks\ScheduledTasks.xml`, "SystemHealthCheck", `\\hosp.example\NETLOGON\go.exe`
	edited := g.when(0.76)
	g.at(edited, func(r *rand.Rand, t time.Time) {
		s.File(r, t, act.Running(onDC.who, act.Explorer), `C:\Windows\SYSVOL\sysvol\hosp.example\scripts\go.exe`)
		seen := s.EditPolicy(r, t.Add(20*time.Second), onDC.who, dc, pol, taskFile, "[{00000000-0000-0000-0000-000000000000}{CAB54552-DEEA-4691-817E-ED4A4D1AFC72}][{AADCED64-746C-4633-A97C-D61349046527}{CAB54552-DEEA-4691-817E-ED4A4D1AFC72}]")
		g.step(seen, dc, "persistence", "T1484.001")
	})
	for _, x := range g.victims(ts) {
		applied := edited.Add(2*time.Minute + time.Duration(g.r.Float64()*0.85*float64(finale.Sub(edited)-3*time.Minute)))
		files := 70 + g.r.IntN(60)
		starts := finale.Add(seconds(40 * g.r.Float64()))
		dirs := desktop(x)
		if x.Owner == nil {
			dirs, files = volumes(x), 2*files
		}
		g.fell[x] = starts
		g.at(applied, func(r *rand.Rand, t time.Time) {
			s.Refresh(r, t, x, `hosp.example\Policies\`+pol.GUID+`\gpt.ini`, `hosp.example\Policies\`+pol.GUID+`\`+taskFile)
			seen := s.ImmediateTask(r, t.Add(seconds(2+4*r.Float64())), x, task, payload, "", `HOSP\`+admin.Name)
			g.hop(seen, act.On(dc), act.On(x), 0, nil, "gpo", "T1484.001")
			g.own(seen, x)
		})
		g.at(starts, func(r *rand.Rand, t time.Time) {
			p := s.RunTask(r, t, x, task, payload, payload)
			g.encrypt(r, t.Add(2*time.Second), p, k, files, dirs)
		})
	}
	g.locks(finale.Add(30*time.Second), onFS, k, 400)
	g.at(finale.Add(5*time.Minute), func(r *rand.Rand, t time.Time) {
		s.Start(r, t, onDC.who, onDC.shell, `C:\Windows\System32\wevtutil.exe`, "wevtutil  cl Security")
		g.step(s.ClearLog(r, t.Add(400*time.Millisecond), onDC.who), dc, "evasion", "T1070.001")
	})
}

// vendorOf returns the maintenance company's account of a city.
func vendorOf(c *city.City) *city.Account { return c.NewVendor("v-ris", 1999) }

// weakness is the account whose password is weak, and the machine it leads to,
// on which an administrator works every day: for two seeds in three the
// vendors' terminal server, else somebody's desk. It is so whether anybody
// makes use of it or not. An intruder who keeps to the habits of administrators
// has an administrator's own account, and his desk.
func weakness(c *city.City, seed uint64, pairs bool) (*city.Account, *city.Host) {
	if pairs {
		a := c.Hospital.Domain.Admins[0]
		return a.Self, a.Home
	}
	r := rand.New(rand.NewPCG(seed, 0x3eac))
	if r.IntN(3) == 0 {
		for range 50 {
			a := c.Hospital.People[r.IntN(len(c.Hospital.People))]
			admin := a == c.Hospital.Domain.Admins[0].Self || a == c.Hospital.Domain.Admins[1].Self
			if a.Shift == city.Office && a.Home.Always && a.Home.Sysmon && !admin {
				return a, a.Home
			}
		}
	}
	return vendorOf(c), c.Srv.Terminal
}

// victims are the machines of the hospital that the policy reaches: those that
// are on at night, up to a few hundred, and four servers. The second domain
// controller, the backup server and the jump host are in another part of the
// directory.
func (g *stage) victims(entry *city.Host) []*city.Host {
	var pcs []*city.Host
	for _, h := range sysmonHosts(g.c.Hospital.PCs) {
		if h.Always && h != entry {
			pcs = append(pcs, h)
		}
	}
	g.r.Shuffle(len(pcs), func(i, j int) { pcs[i], pcs[j] = pcs[j], pcs[i] })
	pcs = pcs[:min(len(pcs), 40+len(pcs)/4, 300)]
	var out []*city.Host
	for _, h := range g.c.Hospital.Servers {
		switch h.Key() {
		case "hos-his01", "hos-lis01", "hos-pacs01", "hos-print01":
			out = append(out, h)
		}
	}
	return append(out, pcs...)
}
