// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package life

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
)

// Helper is who sits at the help desk, and Speaker who makes the city's films.
func Helper(c *city.City) *city.Account  { return staff(c, 1) }
func Speaker(c *city.City) *city.Account { return staff(c, 2) }

// staff is the n-th of the bureau's people who administer nothing.
func staff(c *city.City, n int) *city.Account {
	var plain []*city.Account
	for _, a := range c.Bureau.People {
		admin := false
		for _, x := range c.Bureau.Domain.Admins {
			admin = admin || x.Self == a
		}
		if !admin {
			plain = append(plain, a)
		}
	}
	return plain[n%len(plain)]
}

// session is somebody's at his own machine.
func session(a *city.Account) act.Actor {
	return act.Actor{Account: a, Host: a.Home, Logon: "0x3c1f2", Session: 1}
}

const edge = `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`

// helpdesk looks after desks with a product for remote management, and puts it
// on another every working day.
func (p *Plan) helpdesk() {
	c, s := p.Scene.City, p.Scene
	relay := addr4([4]byte{198, 18, 210, byte(10 + c.Help)})
	agent := func(h *city.Host) *act.Agent {
		return &act.Agent{Tool: act.Tools()[c.Help], Instance: "5c1e07aa94d2b638", Relay: relay, Host: h}
	}
	var looked []*act.Agent
	for i, a := range c.People {
		if a.Domain != c.Bureau.Domain || i%8 != 3 {
			continue
		}
		g := agent(a.Home)
		looked = append(looked, g)
		p.every(minutes(330/p.Rate), func(r *rand.Rand, t time.Time) {
			if On(g.Host, t) && !p.Down(g.Host, t) {
				s.Call(r, t, g, minutes(60+r.Float64()*180), 200_000+r.Int64N(900_000), 100_000+r.Int64N(600_000))
			}
		})
	}
	if len(looked) == 0 {
		return
	}
	for _, h := range []int{9, 10, 13, 15} {
		p.daily(h, 10, 45, workday, func(r *rand.Rand, t time.Time) {
			g := pick(r, looked)
			if !On(g.Host, t) || p.Down(g.Host, t) {
				return
			}
			s.Call(r, t, g, minutes(12), 6_000_000+r.Int64N(30_000_000), 1_000_000+r.Int64N(4_000_000))
			for range 1 + r.IntN(3) {
				t = t.Add(minutes(1 + r.Float64()*3))
				cmd, _ := s.Order(r, t, g, act.Cmd, `cmd.exe /c "C:\Windows\TEMP\`+fmt.Sprintf("%08x", r.Uint32())+`-run.cmd"`)
				switch r.IntN(4) {
				case 0:
					s.Start(r, t.Add(2*time.Second), cmd.Actor, cmd, `C:\Windows\System32\ipconfig.exe`, "ipconfig /all")
				case 1:
					s.Start(r, t.Add(2*time.Second), cmd.Actor, cmd, `C:\Windows\System32\gpupdate.exe`, "gpupdate /force")
				case 2:
					s.Start(r, t.Add(2*time.Second), cmd.Actor, cmd, `C:\Windows\System32\systeminfo.exe`, "systeminfo")
				default:
					s.Start(r, t.Add(2*time.Second), cmd.Actor, cmd, `C:\Windows\System32\net.exe`, "net stop spooler")
					s.ServiceState(r, t.Add(4*time.Second), g.Host, "Print Spooler", "stopped")
				}
			}
		})
	}
	p.daily(11, 0, 90, workday, func(r *rand.Rand, t time.Time) {
		a := pick(r, c.People)
		if a.Domain != c.Bureau.Domain || !On(a.Home, t) || p.Down(a.Home, t) {
			return
		}
		who, g := session(a), agent(a.Home)
		file := `C:\Users\` + a.Name + `\Downloads\` + g.Setup
		s.HTTP(r, t, act.Request{Src: act.On(a.Home), Dst: act.On(c.Srv.Portal), Host: "portal.city.example", URI: "/portal/files/" + g.Setup, Recvd: 5_600_000})
		s.Download(r, t.Add(4*time.Second), act.Running(who, edge), file, "http://portal.city.example/portal/files/"+g.Setup)
		image, command := file, `"`+file+`"`
		if strings.HasSuffix(file, ".msi") {
			image, command = `C:\Windows\System32\msiexec.exe`, `"C:\Windows\System32\msiexec.exe" /i "`+file+`"`
		}
		s.Start(r, t.Add(25*time.Second), who, act.Running(who, act.Explorer), image, command)
		s.Install(r, t.Add(25*time.Second), g)
		s.Call(r, t.Add(40*time.Second), g, minutes(90), 700_000, 300_000)
	})
}

// films are sent out by who speaks for the city: gigabytes, in working hours.
func (p *Plan) films() {
	c, s := p.Scene.City, p.Scene
	a := Speaker(c)
	var site city.Site
	for _, x := range c.Outside {
		if strings.HasPrefix(x.Name, "video") {
			site = x
		}
	}
	p.daily(14, 0, 120, workday, func(r *rand.Rand, t time.Time) {
		if !On(a.Home, t) || p.Down(a.Home, t) {
			return
		}
		browser, _ := s.Start(r, t, session(a), act.Running(session(a), act.Explorer), edge, `"`+edge+`"`)
		s.Resolve(r, t.Add(time.Second), a.Home, site.Name, site.Addr)
		s.TLS(r, t.Add(2*time.Second), act.Conn{Src: act.On(a.Home), Dst: act.End{Addr: site.Addr}, Out: 1_200_000_000 + r.Int64N(5_000_000_000), In: 9_000_000, For: minutes(15 + r.Float64()*40), Name: site.Name, By: &browser})
	})
}

// newcomers get an account and a place in groups, mistype the new password, and
// sit down at a desk that was somebody's.
func (p *Plan) newcomers() {
	c, s := p.Scene.City, p.Scene
	for i, ag := range []*city.Agency{c.Bureau, c.Hospital} {
		n := 0
		by := ag.Domain.Admins[0]
		p.daily(9, 30, 60, func(d time.Time) bool { return workday(d) && (int(d.Unix()/86400)+i)%3 == 0 }, func(r *rand.Rand, t time.Time) {
			n++
			a := &city.Account{Domain: ag.Domain, Name: fmt.Sprintf("new.%s%d%02d", strings.ToLower(ag.Code), int(t.Unix()/86400)%1000, n), SID: fmt.Sprintf("%s-%d", ag.Domain.SID, 9000+int(t.Unix()/86400)%900), Agency: ag}
			admin := act.Actor{Account: by, Host: ag.Jump, Logon: "0x6f210"}
			s.NewAccount(r, t, admin, a)
			s.AddMember(r, t.Add(40*time.Second), admin, ag.Domain, a, "Staff", false)
			if r.IntN(2) == 0 {
				s.AddMember(r, t.Add(70*time.Second), admin, ag.Domain, a, "VPN Users", false)
			}
			if r.IntN(4) == 0 {
				s.AddMember(r, t.Add(90*time.Second), admin, ag.Domain, a, fmt.Sprintf("Project %d", 2026+n), true)
			}
			h := pick(r, ag.PCs)
			if !On(h, t) || p.Down(h, t) {
				return
			}
			for range r.IntN(3) {
				t = t.Add(minutes(3))
				s.BadPassword(r, t, a, h, 2)
			}
			s.Console(r, t.Add(minutes(20)), a, h, 2)
		})
	}
}

// passwords are forgotten: somebody locks himself out and is let in again, and
// a task goes on trying the old one of an account that has got a new one.
func (p *Plan) passwords() {
	c, s := p.Scene.City, p.Scene
	p.daily(8, 40, 100, workday, func(r *rand.Rand, t time.Time) {
		a := pick(r, c.People)
		if !On(a.Home, t) || p.Down(a.Home, t) {
			return
		}
		for range 5 {
			s.BadPassword(r, t, a, a.Home, 2)
			t = t.Add(between(r, 6, 25))
		}
		s.LockOut(r, t, a, a.Home)
		s.ResetPassword(r, t.Add(minutes(6+r.Float64()*10)), act.Actor{Account: a.Domain.Admins[0], Host: a.Domain.Admins[0].Home, Logon: "0x6f210"}, a)
		s.Console(r, t.Add(minutes(18)), a, a.Home, 2)
	})
	p.daily(22, 0, 60, func(d time.Time) bool { return int(d.Unix()/86400)%4 == 1 }, func(r *rand.Rand, t time.Time) {
		h := pick(r, c.Bureau.Servers)
		for range 12 {
			if p.Down(h, t) {
				return
			}
			s.BadPassword(r, t, c.Bureau.Domain.Monitor, h, 4)
			t = t.Add(minutes(15))
		}
	})
}

// sticks are put into machines, and what is on them is looked at.
func (p *Plan) sticks() {
	c, s := p.Scene.City, p.Scene
	for _, h := range []int{9, 14} {
		p.daily(h, 0, 170, workday, func(r *rand.Rand, t time.Time) {
			a := pick(r, c.People)
			if !On(a.Home, t) || p.Down(a.Home, t) {
				return
			}
			s.PlugIn(r, t, a.Home, act.Stick{Vendor: pick(r, []string{"SanDisk", "Kingston", "JetFlash"}), Serial: fmt.Sprintf("%016d", r.Uint64N(1e15))})
			who := session(a)
			if r.IntN(3) == 0 {
				image := pick(r, []string{`E:\slides\player.exe`, `E:\driver\setup.exe`, `E:\viewer.exe`})
				s.Start(r, t.Add(20*time.Second), who, act.Running(who, act.Explorer), image, `"`+image+`"`)
			}
			for range 3 + r.IntN(20) {
				t = t.Add(between(r, 1, 4))
				s.File(r, t.Add(25*time.Second), act.Running(who, act.Explorer), document(r, a.Name))
			}
		})
	}
}
