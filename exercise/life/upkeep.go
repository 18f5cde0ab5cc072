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

// hypervisors are backed up at night by snapshots, and looked after by their
// administrators twice a week: the page, the shell for an hour, a guest that is
// restarted.
func (p *Plan) hypervisors() {
	c, s := p.Scene.City, p.Scene
	for i, hv := range c.Srv.Hypervisors {
		ag := hv.Agency
		p.daily(23, 5+12*i, 6, nil, func(r *rand.Rand, t time.Time) {
			if p.Down(ag.Backup, t) || p.Down(hv.Guests[0], t) {
				return
			}
			m := act.Remote{Account: ag.Domain.Backup, Src: act.On(ag.Backup), Dst: hv, For: minutes(25 + r.Float64()*20)}
			s.HostClient(r, t, m, "Veeam.Backup.Core/12.1")
			by := ag.Domain.NetBIOS + `\` + ag.Domain.Backup.Name
			for _, vm := range hv.Guests {
				t = t.Add(minutes(1 + r.Float64()))
				s.Snapshot(r, t, hv, vm, by, "createSnapshot")
				s.Connect(r, t.Add(9*time.Second), act.Conn{Src: act.On(ag.Backup), Dst: act.On(hv), Port: 902, Service: "-", Out: 40_000_000, In: 2_000_000_000 + r.Int64N(9_000_000_000), For: minutes(6 + r.Float64()*5)})
				t = t.Add(minutes(12))
				s.Snapshot(r, t, hv, vm, by, "removeSnapshot")
			}
		})
		p.daily(15, 20, 80, func(d time.Time) bool { return workday(d) && (int(d.Unix()/86400)+i)%2 == 0 }, func(r *rand.Rand, t time.Time) {
			a := ag.Domain.Admins[0]
			if p.Down(ag.Jump, t) || p.Down(hv.Guests[0], t) {
				return
			}
			jump, _ := s.RDP(r, t.Add(-minutes(2)), act.Remote{Account: a, Src: act.On(a.Home), Dst: ag.Jump, By: act.Actor{Account: a.Self, Host: a.Home, Logon: "0x5a310", Session: 1}, For: minutes(40)})
			m := act.Remote{Account: a, Src: act.On(ag.Jump), Dst: hv, By: jump}
			s.HostClient(r, t, m, "")
			by := ag.Domain.NetBIOS + `\` + a.Name
			if r.IntN(3) > 0 {
				s.AllowSSH(r, t.Add(minutes(2)), hv, a, false)
				m.Account, m.For = act.Root(), minutes(20)
				s.SSH(r, t.Add(minutes(4)), m)
				for k, cmd := range []string{"esxcli software vib list", "df -h", "esxcli vm process list", "esxcli network ip interface ipv4 get"}[:2+r.IntN(3)] {
					s.Shell(t.Add(minutes(5+float64(k))), hv, 2100400+uint32(i), cmd)
				}
			}
			if vm := pick(r, hv.Guests); r.IntN(3) == 0 {
				s.Snapshot(r, t.Add(minutes(8)), hv, vm, by, "removeAllSnapshots")
				s.Power(r, t.Add(minutes(9)), hv, vm, by, false)
				s.Power(r, t.Add(minutes(12)), hv, vm, by, true)
			}
		})
	}
}

// patches come in waves: servers in the night after Tuesday, desks the day
// after at noon.
func (p *Plan) patches() {
	c, s := p.Scene.City, p.Scene
	title := func(t time.Time) string {
		return fmt.Sprintf("%s Cumulative Update for Windows (KB50%05d)", t.In(taipei).Format("2006-01"), 36000+int(t.Unix()/86400/7)%900)
	}
	day := func(w time.Weekday) func(time.Time) bool {
		return func(d time.Time) bool { return d.In(taipei).Weekday() == w }
	}
	p.daily(2, 0, 20, day(time.Wednesday), func(r *rand.Rand, t time.Time) {
		for _, h := range c.Hosts {
			if !h.Windows() || h.Owner != nil || p.Down(h, t) {
				continue
			}
			s.HTTP(r, t, act.Request{Src: act.On(h), Dst: act.On(c.Srv.Patch), Port: 8530, Host: "dib-wsus01.city.example:8530", URI: "/Content/update.cab", Agent: "Microsoft BITS/7.8", Recvd: 400_000_000 + r.Int64N(300_000_000)})
			s.Patch(r, t.Add(minutes(2)), h, title(t))
			t = t.Add(between(r, 30, 150))
		}
	})
	p.daily(12, 10, 20, day(time.Thursday), func(r *rand.Rand, t time.Time) {
		for _, a := range c.People {
			if r.IntN(100) < 40 && On(a.Home, t) && !p.Down(a.Home, t) {
				sys := act.System(a.Home)
				s.Start(r, t, sys, act.Running(sys, act.Svchost), `C:\Windows\System32\wusa.exe`, `"C:\Windows\System32\wusa.exe" /quiet /norestart`)
				s.Patch(r, t.Add(minutes(3)), a.Home, title(t))
				t = t.Add(time.Duration(r.Int64N(int64(4 * time.Second))))
			}
		}
	})
}

// certificates are renewed: those of the domains by their authority, that of
// the public pages by an outside one.
func (p *Plan) certificates() {
	c, s := p.Scene.City, p.Scene
	for _, ag := range []*city.Agency{c.Bureau, c.Hospital} {
		p.daily(3, 40, 30, nil, func(r *rand.Rand, t time.Time) {
			for range 2 + r.IntN(4) {
				h := pick(r, ag.PCs)
				if r.IntN(3) == 0 {
					h = pick(r, ag.Servers)
				}
				s.Certificate(r, t, h)
				t = t.Add(between(r, 5, 200))
			}
		})
	}
	h := c.Srv.Public
	p.daily(4, 30, 20, nil, func(r *rand.Rand, t time.Time) {
		sys := act.System(h)
		proc, _ := s.Start(r, t, sys, act.Running(sys, act.Svchost), `C:\Program Files\win-acme\wacs.exe`, `"C:\Program Files\win-acme\wacs.exe" --renew --baseuri "https://acme.letsign.example/"`)
		s.TLS(r, t.Add(3*time.Second), act.Conn{Src: act.On(h), Dst: act.End{Addr: addr4([4]byte{198, 18, 201, 20})}, Out: 9000, In: 21000, For: 4 * time.Second, Name: "acme.letsign.example", By: &proc})
		s.File(r, t.Add(9*time.Second), proc, `C:\ProgramData\win-acme\certificates\www.city.example.pfx`)
	})
}

// copies are the city's pages sent to a store outside every night, with the
// same program that intruders like.
func (p *Plan) copies() {
	c, s := p.Scene.City, p.Scene
	h, vault := c.Srv.Public, act.End{Addr: addr4([4]byte{198, 18, 200, 30})}
	p.daily(2, 40, 15, nil, func(r *rand.Rand, t time.Time) {
		sys := act.System(h)
		proc, _ := s.Start(r, t, sys, act.Running(sys, act.Svchost), `C:\Tools\rclone\rclone.exe`, `C:\Tools\rclone\rclone.exe sync D:\www cloud:city-www --transfers 4`)
		s.Asked(r, t.Add(time.Second), proc, "objects.cloudvault.example", vault.Addr)
		s.TLS(r, t.Add(2*time.Second), act.Conn{Src: act.On(h), Dst: vault, Out: 200_000_000 + r.Int64N(700_000_000), In: 2_000_000, For: minutes(4 + r.Float64()*9), Name: "objects.cloudvault.example", By: &proc})
	})
}

// archive moves the day's images to the NAS: many files in a row, by a program.
func (p *Plan) archive() {
	c, s := p.Scene.City, p.Scene
	nas, from := c.Srv.NAS, c.Srv.PACS
	move := func(r *rand.Rand, t time.Time) {
		if p.Down(from, t) || p.Down(nas, t) {
			return
		}
		s.Mount(r, t, act.On(from), nas, "archive", minutes(4))
		for i := range 90 + r.IntN(60) {
			t = t.Add(time.Duration(200+r.IntN(900)) * time.Millisecond)
			s.Stored(r, t, nas, act.On(from), "archive", "write", fmt.Sprintf("/archive/%s/%06d.dcm", t.In(taipei).Format("2006-01-02"), i), 2_000_000+r.Int64N(20_000_000))
		}
	}
	p.daily(6, 20, 30, nil, move)
	p.daily(20, 10, 20, nil, move)
}
