// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package life

import (
	"fmt"
	"math/rand/v2"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
)

// administrators work as they should: from their desk to the jump host as
// adm.*, from there to servers.
func (p *Plan) administrators() {
	c := p.Scene.City
	for _, ag := range []*city.Agency{c.Bureau, c.Hospital} {
		for i, a := range ag.Domain.Admins {
			for k, h := range []int{9, 11, 14, 16} {
				p.daily(h, 10, 70, workday, func(r *rand.Rand, t time.Time) {
					if k == 3 && r.IntN(2) == 0 {
						return
					}
					p.round(r, t, ag, a)
				})
			}
			if i == 0 { // on call: looks in from the evening too
				p.daily(20, 30, 60, func(d time.Time) bool { return d.Unix()/86400%2 == 0 }, func(r *rand.Rand, t time.Time) { p.round(r, t, ag, a) })
				p.daily(15, 10, 50, workday, func(r *rand.Rand, t time.Time) { p.policy(r, t, ag, a) })
			}
		}
		p.terminal(ag)
	}
	p.bursts()
}

// round is one session on the jump host and what is done from it.
func (p *Plan) round(r *rand.Rand, t time.Time, ag *city.Agency, a *city.Account) {
	if p.Down(a.Home, t) || p.Down(ag.Jump, t) {
		return
	}
	s := p.Scene
	self := act.Actor{Account: a.Self, Host: a.Home, Logon: fmt.Sprintf("0x%x", 0x41000+len(a.Name)*811), Session: 1}
	jump, _ := s.RDP(r, t, act.Remote{Account: a, Src: act.On(a.Home), Dst: ag.Jump, By: self, For: minutes(25 + r.Float64()*40)})
	for range 1 + r.IntN(3) {
		t = t.Add(minutes(2 + r.Float64()*6))
		h := pick(r, ag.Servers)
		if h == ag.Jump || h.Agency.Domain != a.Domain || p.Down(h, t) || p.Scene.City.Srv.Terminal == h {
			continue
		}
		m := act.Remote{Account: a, Src: act.On(ag.Jump), Dst: h, By: jump}
		if r.IntN(2) == 0 {
			m.For = minutes(3 + r.Float64()*12)
			who, _ := s.RDP(r, t, m)
			shell := act.Running(who, act.Explorer)
			switch r.IntN(3) {
			case 0:
				s.Start(r, t.Add(minutes(1)), who, shell, `C:\Windows\System32\mmc.exe`, `"C:\Windows\system32\mmc.exe" "C:\Windows\system32\eventvwr.msc"`)
			case 1:
				cmd, _ := s.Start(r, t.Add(minutes(1)), who, shell, act.Cmd, `"C:\Windows\system32\cmd.exe"`)
				s.Start(r, t.Add(minutes(1.2)), who, cmd, `C:\Windows\System32\vssadmin.exe`, "vssadmin list shadows")
			default:
				ps, _ := s.Start(r, t.Add(minutes(1)), who, shell, act.Posh, `"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"`)
				s.Script(r, t.Add(minutes(1.3)), ps, "Get-Service | Where-Object Status -eq 'Stopped'")
			}
			continue
		}
		ps, _ := s.Start(r, t, jump, act.Running(jump, act.Explorer), act.Posh, `"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"`)
		s.Script(r, t.Add(3*time.Second), ps, "Invoke-Command -ComputerName "+h.Name+" { Get-HotFix | Sort-Object InstalledOn }")
		s.RemoteShell(r, t.Add(5*time.Second), m)
	}
}

// policy is an administrator editing a group policy: a mapped drive, on a
// working day, from the jump host. It happens about every third day per domain,
// always at least on the first.
func (p *Plan) policy(r *rand.Rand, t time.Time, ag *city.Agency, a *city.Account) {
	if day := int(t.Sub(p.Begin).Hours() / 24); day%3 != 0 || p.Down(ag.Jump, t) {
		return
	}
	s := p.Scene
	jump, _ := s.RDP(r, t, act.Remote{Account: a, Src: act.On(a.Home), Dst: ag.Jump, By: act.Actor{Account: a.Self, Host: a.Home, Logon: "0x5a310", Session: 1}, For: minutes(30)})
	s.Start(r, t.Add(minutes(1)), jump, act.Running(jump, act.Explorer), `C:\Windows\System32\mmc.exe`, `"C:\Windows\system32\mmc.exe" "C:\Windows\System32\gpmc.msc"`)
	pol := act.Policy{Domain: ag.Domain, GUID: fmt.Sprintf("{7D1F0B52-%04X-4A57-9C1E-0C5A2F6B11%02X}", 0x3000+len(ag.Code), ag.N), Version: 41 + int(t.Unix()/86400)%30}
	s.EditPolicy(r, t.Add(minutes(4)), jump, ag.Domain.DCs[0], pol, `User\Preferences\Drives\Drives.xml`, "")
}

// terminal is a domain's administrator looking after one machine every day,
// which leaves his credentials in its memory.
func (p *Plan) terminal(ag *city.Agency) {
	if p.Serviced[ag] == nil {
		return
	}
	a := ag.Domain.Admins[0]
	p.daily(13, 20, 40, workday, func(r *rand.Rand, t time.Time) {
		jump, _ := p.Scene.RDP(r, t, act.Remote{Account: a, Src: act.On(a.Home), Dst: ag.Jump, By: act.Actor{Account: a.Self, Host: a.Home, Logon: "0x5a310", Session: 1}, For: minutes(20)})
		p.Scene.RDP(r, t.Add(minutes(2)), act.Remote{Account: a, Src: act.On(ag.Jump), Dst: p.Serviced[ag], By: jump, For: minutes(11)})
	})
}

// bursts are programs that make many files quickly: unpacking an archive,
// synchronising, converting. They keep or choose ordinary extensions.
func (p *Plan) bursts() {
	c, s := p.Scene.City, p.Scene
	p.daily(10, 30, 400, nil, func(r *rand.Rand, t time.Time) {
		h := pick(r, pick(r, c.Agencies).PCs)
		if !h.Sysmon || !On(h, t) || p.Down(h, t) {
			return
		}
		who := act.Actor{Account: h.Owner, Host: h, Logon: "0x3c1f2", Session: 1}
		proc, _ := s.Start(r, t, who, act.Running(who, act.Explorer), `C:\Program Files\7-Zip\7z.exe`, `"C:\Program Files\7-Zip\7z.exe" x archive-2025.7z`)
		for i := range 70 + r.IntN(60) {
			t = t.Add(time.Duration(20+r.IntN(300)) * time.Millisecond)
			s.File(r, t, proc, fmt.Sprintf(`C:\Users\%s\Documents\archive-2025\%s-%d.%s`, h.Owner.Name, pick(r, topics), i, pick(r, extensions)))
		}
	})
	p.daily(21, 30, 30, nil, func(r *rand.Rand, t time.Time) { // nightly export on a file server
		h := c.Bureau.File
		if p.Down(h, t) {
			return
		}
		sys := act.System(h)
		proc, _ := s.Start(r, t, sys, act.Running(sys, act.Svchost), `C:\Program Files\DocExport\docexport.exe`, `"C:\Program Files\DocExport\docexport.exe" --share public --to D:\Export`)
		for i := range 60 {
			t = t.Add(time.Duration(50+r.IntN(500)) * time.Millisecond)
			s.File(r, t, proc, fmt.Sprintf(`D:\Export\%s-%d.pdf`, pick(r, topics), i))
		}
	})
}
