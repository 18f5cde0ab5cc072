// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
)

// remotetool is an intrusion without malware at first: a letter leads a clerk to
// the installer of a product for remote management, the same kind that the help
// desk uses. Through it come commands; an administrator's credentials lie on the
// desk; two file servers are copied out, and then everything in reach is
// encrypted from one of them.
//
//	(letter) desk --c2--> relay of the tool
//	desk --rdp--> dib-fs01, civ-fs01 --exfiltration--> outside
//	dib-fs01 --winrm--> dib-bak01, --service--> servers and desks
func remotetool(g *stage) {
	c, s, b := g.c, g.s, g.c.Bureau
	clerk, desk := helped(c, g.seed, g.opt.has(StealthPairs))
	admin := b.Domain.Admins[0]
	sender, site := g.caller(), act.End{Addr: g.outsider()}
	vault := act.End{Addr: g.outsider()}
	agent := &act.Agent{Tool: act.Tools()[g.r.IntN(3)], Instance: fmt.Sprintf("%016x", g.r.Uint64()), Relay: g.outsider(), Host: desk}
	g.relayed[agent.Relay] = true
	k := kit{"." + g.word(6), "readme-" + g.word(4) + ".txt", g.word(5) + ".exe"}
	finale := g.begin.Add(g.dwell)
	bait := []string{"invoice", "statement", "delivery", "tax-notice"}[g.r.IntN(4)]
	domain := g.word(7) + "-" + bait + ".example"

	// The letter, among others of the same wave.
	for i := range 4 + g.r.IntN(4) {
		to := c.People[g.r.IntN(len(c.People))]
		if i == 2 {
			to = clerk
		}
		g.at(g.begin.Add(-time.Duration(48*60-i*11)*time.Second), func(r *rand.Rand, t time.Time) {
			s.Mail(r, t, sender, act.Letter{From: "billing@" + domain, To: to, Subject: "Your " + bait + " of this month", Size: 31_000 + r.Int64N(9000), Server: "mail." + domain})
		})
	}

	// Opened: the browser fetches the installer, she runs it.
	who := act.Actor{Account: clerk, Host: desk, Logon: "0x3c1f2", Session: 1}
	file := `C:\Users\` + clerk.Name + `\Downloads\` + agent.Setup
	g.at(g.begin.Add(-50*time.Second), func(r *rand.Rand, t time.Time) {
		outlook := act.Running(who, `C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE`)
		browser, _ := s.Start(r, t, who, outlook, `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`, `"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe" --single-argument https://`+domain+`/view`)
		s.Resolve(r, t.Add(400*time.Millisecond), desk, domain, site.Addr)
		s.Asked(r, t.Add(420*time.Millisecond), browser, domain, site.Addr)
		s.TLS(r, t.Add(500*time.Millisecond), act.Conn{Src: act.On(desk), Dst: site, Out: 2400, In: 5_600_000, For: 9 * time.Second, By: &browser, Name: domain})
		s.Download(r, t.Add(8*time.Second), browser, file, "https://"+domain+"/"+agent.Setup)
	})
	g.at(g.begin, func(r *rand.Rand, t time.Time) {
		image, command := file, `"`+file+`"`
		if strings.HasSuffix(file, ".msi") {
			image, command = `C:\Windows\System32\msiexec.exe`, `"C:\Windows\System32\msiexec.exe" /i "`+file+`"`
		}
		_, seen := s.Start(r, t, who, act.Running(who, act.Explorer), image, command)
		g.own(seen, desk)
		g.used(clerk)
		g.entry(seen, TruthEntry{Host: desk.Key(), Addr: desk.Addr, Kind: "mail", Vector: "billing@" + domain, External: sender.Addr})
		g.step(seen, desk, "entry", "T1204.002")
		g.step(s.Install(r, t, agent), desk, "persistence", "T1219")
	})
	for at := g.begin.Add(20 * time.Second); at.Before(finale); at = at.Add(time.Duration(50+g.r.IntN(80)) * time.Minute) { // the standing connection, broken off now and then
		d := time.Duration(40+g.r.IntN(9)) * time.Minute
		g.at(at, func(r *rand.Rand, t time.Time) {
			g.hop(s.Call(r, t, agent, d, 900_000+r.Int64N(4_000_000), 300_000+r.Int64N(2_000_000)), act.On(desk), act.End{Addr: agent.Relay}, agent.Port, nil, "c2", "T1219")
		})
	}

	// Commands through the tool, as the system.
	in := &hold{Host: desk, who: act.System(desk)}
	g.at(g.when(0.04), func(r *rand.Rand, t time.Time) {
		in.shell, _ = s.Order(r, t, agent, act.Cmd, `cmd.exe /c "`+`C:\Windows\TEMP\`+script(r)+`"`)
		g.look(r, t.Add(3*time.Second), in.who, in.shell, "whoami /all", "nltest /domain_trusts", "net group \"Domain Admins\" /domain", "systeminfo")
	})
	g.dumps(g.when(0.15), in)
	g.sweeps(g.when(0.20), in, b.Servers, 445, 3389)

	// Two file servers: copied out.
	base := g.station(g.when(0.26), in, b.Jump, admin, finale.Add(5*time.Minute))
	fs := g.rdp(g.when(0.31), base, b.File, admin, finale.Add(5*time.Minute))
	g.looks(g.when(0.34), fs, "whoami /groups", "net view /domain")
	g.steals(g.when(0.38), fs, vault)
	other := g.rdp(g.when(0.46), base, c.Agencies[2].File, admin, finale.Add(5*time.Minute))
	g.steals(g.when(0.50), other, vault)

	// No way back, no eyes, and then outward from the file server.
	from := fs
	if g.opt.has(StealthPairs) {
		from = base
	}
	g.wipes(g.when(0.68), from, b.Backup, admin)
	g.blinds(g.when(0.80), fs)
	g.blinds(g.when(0.82), other)
	pushed := g.when(0.88)
	for i, x := range g.reach(desk) {
		h := g.control(pushed.Add(time.Duration(i)*time.Duration(4+g.r.IntN(4))*time.Second), from, x, admin, "WinHealthMon", k.program)
		g.locks(finale.Add(seconds(50*g.r.Float64())), h, k, 60+g.r.IntN(60))
	}
	g.locks(finale.Add(20*time.Second), fs, k, 350)
	g.locks(finale.Add(25*time.Second), other, k, 250)
}

// script is the name of a file that a tool runs commands from.
func script(r *rand.Rand) string { return fmt.Sprintf("%08x-run.cmd", r.Uint32()) }

// reach are the machines that an encrypter pushed from one server gets to: four
// servers of the bureau, and desks of the city's domain that are on at night.
func (g *stage) reach(first *city.Host) []*city.Host {
	var desks []*city.Host
	for _, a := range g.c.Agencies {
		if a.Domain == g.c.Bureau.Domain {
			for _, h := range sysmonHosts(a.PCs) {
				if h.Always && h != first && !isAdmin(h.Owner) {
					desks = append(desks, h)
				}
			}
		}
	}
	g.r.Shuffle(len(desks), func(i, j int) { desks[i], desks[j] = desks[j], desks[i] })
	return append(g.more()[:4], desks[:min(len(desks), 8+len(desks)/6, 60)]...)
}
