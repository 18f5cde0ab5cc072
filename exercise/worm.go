// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
	"citywall/exercise/life"
)

// worm is no intruder but a program: a stick brought from outside starts it on
// one desk, and it goes from machine to machine through a hole that needs no
// account, in minutes. Each new host tries others as fast as it can, first those
// of its own network, and encrypts itself.
//
//	(stick) desk --smb or rdp--> desks --> desks ...
func worm(g *stage) {
	s := g.s
	port, kind := uint16(445), "smb"
	if g.r.IntN(4) == 0 {
		port, kind = 3389, "rdp"
	}
	w := g.outbreak(port)
	first := w[0].to
	k := kit{"." + g.word(6), "@Please_Read_Me@.txt", "tasksche.exe"}
	stick := act.Stick{Vendor: "SanDisk", Serial: fmt.Sprintf("4C53%012d", g.r.Uint64N(1e12))}
	who := act.Actor{Account: first.Owner, Host: first, Logon: "0x3c1f2", Session: 1}

	g.at(g.begin.Add(-30*time.Second), func(r *rand.Rand, t time.Time) { s.PlugIn(r, t, first, stick) })
	var dropper act.Proc
	g.at(g.begin, func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		dropper, seen = s.Start(r, t, who, act.Running(who, act.Explorer), `E:\photos\viewer.exe`, `"E:\photos\viewer.exe"`)
		g.own(seen, first)
		g.entry(seen, TruthEntry{Host: first.Key(), Addr: first.Addr, Kind: "usb", Vector: "USBSTOR " + stick.Vendor + " " + stick.Serial})
		g.step(seen, first, "entry", "T1091")
	})
	seat := map[*city.Host]*act.Proc{first: &dropper}
	for _, x := range w {
		p := new(act.Proc)
		if x.from != nil {
			seat[x.to] = p
			g.at(x.at, func(r *rand.Rand, t time.Time) {
				var seen act.Seen
				*p, seen = g.exploit(r, t, x.from, x.to, port, seat[x.from])
				g.hop(seen, act.On(x.from), act.On(x.to), port, nil, kind, "T1210")
				g.own(seen, x.to)
			})
		} else {
			p = &dropper
		}
		// It tries others until it is done with them, and encrypts meanwhile.
		at, files := x.at.Add(seconds(2+3*g.r.Float64())), 50+g.r.IntN(50)
		if g.fell[x.to] = x.at.Add(70 * time.Second); x.to.Owner == nil {
			files = 120
		}
		swept := false
		for i, miss := range x.tries {
			g.at(at.Add(time.Duration(i)*time.Duration(float64(spreads)/float64(len(x.tries)))), func(r *rand.Rand, t time.Time) {
				seen := s.Probe(r, t, act.On(x.to), act.On(miss.to), port, miss.state, miss.denied)
				if !swept {
					g.step(seen, x.to, "discovery", "T1046")
					swept = !seen.IsZero()
				}
			})
		}
		g.at(x.at.Add(seconds(40+20*g.r.Float64())), func(r *rand.Rand, t time.Time) {
			q, _ := s.Start(r, t, act.System(x.to), *p, `C:\ProgramData\`+k.program, `C:\ProgramData\`+k.program+` /i`)
			dirs := desktop(x.to)
			if x.to.Owner == nil {
				dirs = volumes(x.to)
			}
			g.encrypt(r, t.Add(time.Second), q, k, files, dirs)
		})
	}
}

// spreads is how long a new host tries others.
const spreads = 4 * time.Minute

// infection is one host that falls: the source is nil for the first.
type infection struct {
	at       time.Time
	from, to *city.Host
	tries    []try // what it then tries in vain
}

type try struct {
	to     *city.Host
	state  string
	denied bool
}

// outbreak lets the program run: every host that has it tries about forty
// addresses in four minutes, two thirds of them in its own network, and gets
// into those that lack the update and that no firewall keeps from it. It ends
// with the dwell time or some share of the city.
func (g *stage) outbreak(port uint16) []*infection {
	c := g.c
	r := g.r
	var open []*city.Host // Windows machines that are on, by network
	weak := map[*city.Host]bool{}
	near := map[int][]*city.Host{}
	for _, h := range c.Hosts {
		if !h.Windows() || h.Owner != nil && !life.On(h, g.begin) || h.Has("dc") {
			continue
		}
		open = append(open, h)
		near[h.Segment] = append(near[h.Segment], h)
		unpatched := 35
		if h.Owner == nil {
			unpatched = 8
		}
		weak[h] = r.IntN(100) < unpatched && h.Sysmon
	}
	var desks []*city.Host
	for _, h := range sysmonHosts(open) {
		if h.Owner != nil {
			desks = append(desks, h)
		}
	}
	if len(desks) == 0 { // a holiday: somebody has come in
		for _, a := range c.Agencies {
			desks = append(desks, sysmonHosts(a.PCs)...)
		}
	}
	first := desks[r.IntN(len(desks))]
	some := 4 // at least, of its neighbours
	for _, x := range near[first.Segment] {
		if some > 0 && x.Sysmon && x != first {
			weak[x] = true
			some--
		}
	}
	until := g.begin.Add(g.dwell)
	most := min(120, 4+len(open)/3)
	all := []*infection{{at: g.begin.Add(4 * time.Second), to: first}}
	has := map[*city.Host]bool{first: true}
	for i := 0; i < len(all); i++ { // in order of time: queue kept sorted from here on
		x := all[i]
		pause := time.Duration(float64(spreads) / 40)
		if g.opt.has(StealthSlow) {
			pause *= slower
		}
		at := x.at.Add(2 * time.Second)
		for range 40 {
			at = at.Add(time.Duration((0.5 + r.Float64()) * float64(pause)))
			list := near[x.to.Segment]
			if r.IntN(3) == 0 {
				list = open
			}
			y := list[r.IntN(len(list))]
			denied := (y.Agency == c.Hospital) != (x.to.Agency == c.Hospital)
			switch {
			case y == x.to || has[y]:
			case weak[y] && !denied && len(has) < most && at.Before(until):
				has[y] = true
				all = append(all, &infection{at: at, from: x.to, to: y})
			default:
				x.tries = append(x.tries, try{y, map[bool]string{true: "S0", false: "RSTO"}[denied], denied})
			}
		}
		slices.SortStableFunc(all[i+1:], func(a, b *infection) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	}
	return all
}

// exploit is a hole in a service used from another machine: the connection, an
// anonymous session where there is one, and a service of the program's.
func (g *stage) exploit(r *rand.Rand, t time.Time, from, to *city.Host, port uint16, by *act.Proc) (act.Proc, act.Seen) {
	seen := g.s.Anonymous(r, t, act.On(from), to, port, by)
	sys := act.System(to)
	parent := act.Running(sys, act.Lsass)
	if port == 3389 {
		parent = act.Running(sys, act.Svchost)
	}
	drop, _ := g.s.Start(r, t.Add(1200*time.Millisecond), sys, parent, `C:\Windows\System32\rundll32.exe`, `rundll32.exe`)
	g.s.File(r, t.Add(1500*time.Millisecond), drop, `C:\Windows\mssecsvc.exe`)
	g.s.InstallService(r, t.Add(1700*time.Millisecond), sys, "mssecsvc2.0", `C:\Windows\mssecsvc.exe -m security`, false)
	p, run := g.s.Start(r, t.Add(2*time.Second), sys, act.Running(sys, act.Services), `C:\Windows\mssecsvc.exe`, `C:\Windows\mssecsvc.exe -m security`)
	g.step(run, to, "execution", "T1210")
	return p, seen
}
