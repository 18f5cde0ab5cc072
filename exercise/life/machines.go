// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package life

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
)

func addr4(b [4]byte) netip.Addr { return netip.AddrFrom4(b) }

// homeAddr is the address of the n-th household or company outside.
func homeAddr(n int) netip.Addr { return addr4([4]byte{198, 19, byte(60 + n/250), byte(1 + n%250)}) }

// On reports whether a workstation is running.
func On(h *city.Host, t time.Time) bool { return h.Always || daytime(t) }

// workstation is what a machine does by itself: group policy, updates, now and
// then a program of the system; one in thirty reports to its maker on the hour.
func (p *Plan) workstation(h *city.Host) {
	s := p.Scene
	p.every(minutes(420/p.Rate), func(r *rand.Rand, t time.Time) {
		if !On(h, t) || p.Down(h, t) {
			return
		}
		s.Refresh(r, t, h)
		sys := act.System(h)
		s.Start(r, t.Add(2*time.Second), sys, act.Running(sys, act.Svchost), pick(r, systemPrograms), pick(r, systemPrograms))
	})
	p.daily(6, 10, 130, nil, func(r *rand.Rand, t time.Time) {
		if h.Always && !p.Down(h, t) {
			s.Lease(r, t, h)
		}
	})
	p.daily(11, 30, 240, nil, func(r *rand.Rand, t time.Time) {
		if On(h, t) && !p.Down(h, t) {
			s.HTTP(r, t, act.Request{Src: act.On(h), Dst: act.On(s.City.Srv.Patch), Port: 8530, Method: "POST", Host: "dib-wsus01.city.example:8530",
				URI: "/ClientWebService/client.asmx", Agent: "Windows-Update-Agent/10.0.10011.16384 Client-Protocol/2.50", Sent: 2400, Recvd: 18000 + r.Int64N(90000)})
		}
	})
	if h.Always && len(h.Name)%2 == int(h.Addr.As4()[3])%2 && h.Addr.As4()[3]%15 == 4 {
		maker := s.City.Outside[0]
		p.steady(30*time.Minute, func(r *rand.Rand, t time.Time) {
			if !p.Down(h, t) {
				s.TLS(r, t, act.Conn{Src: act.On(h), Dst: act.End{Addr: maker.Addr}, Out: 1810, In: 640, For: 900 * time.Millisecond, Name: "telemetry." + maker.Name})
			}
		})
	}
}

var systemPrograms = []string{
	`C:\Windows\System32\taskhostw.exe`, `C:\Windows\System32\backgroundTaskHost.exe`, `C:\Windows\System32\SearchIndexer.exe`, `C:\Windows\System32\dllhost.exe`,
	`C:\Windows\System32\gpupdate.exe`, `C:\Windows\System32\wbem\WmiPrvSE.exe`,
}

// server is what a server does by itself.
func (p *Plan) server(h *city.Host) {
	s := p.Scene
	sys := act.System(h)
	p.every(minutes(75/p.Rate), func(r *rand.Rand, t time.Time) {
		if p.Down(h, t) {
			return
		}
		switch r.IntN(4) {
		case 0:
			s.Refresh(r, t, h)
		case 1:
			s.ServiceState(r, t, h, pick(r, services), pick(r, []string{"running", "stopped"}))
		default:
			image := pick(r, systemPrograms)
			s.Start(r, t, sys, act.Running(sys, act.Svchost), image, image)
		}
	})
	p.every(minutes(360/p.Rate), func(r *rand.Rand, t time.Time) {
		if !p.Down(h, t) {
			s.Service(r, t, h.Agency.Domain.Monitor, h, 5)
		}
	})
}

var services = []string{"Windows Update", "Windows Modules Installer", "Background Intelligent Transfer Service", "Software Protection", "Windows Error Reporting Service", "Microsoft Software Shadow Copy Provider"}

// medical is a device that sends its pictures and results.
func (p *Plan) medical(h *city.Host) {
	s := p.Scene
	p.every(minutes(150/p.Rate), func(r *rand.Rand, t time.Time) {
		if hour(t) >= 7 && hour(t) < 21 || r.IntN(6) == 0 {
			s.Connect(r, t, act.Conn{Src: act.On(h), Dst: act.On(s.City.Srv.PACS), Port: 11112, Service: "-", Out: 400_000 + r.Int64N(80_000_000), In: 4000 + r.Int64N(9000), For: minutes(0.2 + r.ExpFloat64())})
		}
	})
}

// backups run at night: each backup server fetches its servers over SMB, and
// sends a copy to a vault outside.
func (p *Plan) backups() {
	c, s := p.Scene.City, p.Scene
	for i, ag := range []*city.Agency{c.Bureau, c.Hospital} {
		var from []*city.Host
		for _, h := range c.Hosts {
			if h.Windows() && h.Owner == nil && h != ag.Backup && h.Agency.Domain == ag.Domain {
				from = append(from, h)
			}
		}
		vault := act.End{Addr: addr4([4]byte{198, 18, 200, byte(10 + i)})}
		p.daily(22, 40, 20, nil, func(r *rand.Rand, t time.Time) {
			if p.Down(ag.Backup, t) {
				return
			}
			who := s.Service(r, t, ag.Domain.Backup, ag.Backup, 4)
			for _, h := range from {
				d := minutes(2 + r.ExpFloat64()*5)
				if p.Down(ag.Backup, t) {
					return
				}
				if !p.Down(h, t) {
					s.SMB(r, t, act.Share{Remote: act.Remote{Account: ag.Domain.Backup, Src: act.On(ag.Backup), Dst: h, For: d}, Share: "C$", Quiet: true,
						Files: []string{`Backup\snapshot.vhdx`}, Out: 3_000_000, In: 800_000_000 + r.Int64N(9_000_000_000)})
					sys := act.System(h)
					s.Start(r, t.Add(3*time.Second), sys, act.Running(sys, act.Services), `C:\Program Files\Veeam\Endpoint Backup\Veeam.EndPoint.Service.exe`, `"C:\Program Files\Veeam\Endpoint Backup\Veeam.EndPoint.Service.exe" snapshot --all`)
					s.ServiceState(r, t.Add(5*time.Second), h, "Microsoft Software Shadow Copy Provider", "running")
				}
				t = t.Add(d)
			}
			s.File(r, t, act.Running(who, `C:\Program Files\Veeam\Backup and Replication\Backup\Veeam.Backup.Service.exe`), fmt.Sprintf(`E:\Vault\full-%s.vbk`, t.In(taipei).Format("20060102")))
		})
		p.daily(3, 20, 25, nil, func(r *rand.Rand, t time.Time) {
			if !p.Down(ag.Backup, t) {
				s.TLS(r, t, act.Conn{Src: act.On(ag.Backup), Dst: vault, Out: 9_000_000_000 + r.Int64N(20_000_000_000), In: 40_000_000, For: minutes(50 + r.Float64()*40), Name: "repository.cloudvault.example"})
			}
		})
	}
}

// distribution pushes software as services at noon, in waves.
func (p *Plan) distribution() {
	c, s := p.Scene.City, p.Scene
	var targets []*city.Host
	for _, h := range c.Hosts {
		if h.Owner != nil && h.Agency.Domain == c.Bureau.Domain {
			targets = append(targets, h)
		}
	}
	wave := func(hour, minute, share int, want func(time.Time) bool) {
		p.daily(hour, minute, 10, want, func(r *rand.Rand, t time.Time) {
			version := 100 + int(t.Unix()/86400)%100
			for _, h := range targets {
				if r.IntN(100) >= share || !On(h, t) {
					continue
				}
				svc, _ := s.RemoteService(r, t, act.Remote{Account: c.Bureau.Domain.Deploy, Src: act.On(c.Srv.Deploy), Dst: h}, "CityDeploy", "CityDeploy.exe", "", 4_800_000)
				s.Start(r, t.Add(4*time.Second), act.System(h), svc, `C:\Windows\System32\msiexec.exe`, fmt.Sprintf(`msiexec.exe /i C:\Windows\Temp\agent-%d.msi /qn`, version))
				t = t.Add(between(r, 2, 20))
			}
		})
	}
	wave(12, 20, 3, workday)
	attack := p.Attack.In(taipei).Weekday()
	wave(18, 10, 12, func(d time.Time) bool { return d.In(taipei).Weekday() == attack })
}

// between is a number of seconds.
func between(r *rand.Rand, lo, hi int) time.Duration {
	return time.Duration(lo)*time.Second + time.Duration(r.Int64N(int64(hi-lo)*1e9))
}

// sweepPorts are what the scanner tries.
var sweepPorts = []uint16{22, 80, 135, 139, 443, 445, 1433, 3389, 5985, 8080}

// scanner sweeps one agency each night and, once a week, servers and desks of
// several in the evening; it logs on where it may.
func (p *Plan) scanner() {
	c, s := p.Scene.City, p.Scene
	sweep := func(r *rand.Rand, t time.Time, list []*city.Host, ports []uint16) {
		src := act.On(c.Srv.Scanner)
		for _, h := range list {
			for _, port := range ports {
				state := "REJ"
				denied := h.Agency == c.Hospital && port != 443 && port != 445
				if open(h, port) && !denied {
					state = "SF"
				} else if denied || r.IntN(3) == 0 {
					state = "S0"
				}
				s.Connect(r, t, act.Conn{Src: src, Dst: act.On(h), Port: port, State: state, Denied: denied, Out: 120, In: 300, For: 40 * time.Millisecond})
				t = t.Add(time.Duration(40+r.IntN(300)) * time.Millisecond)
			}
			if h.Windows() && h.Agency.Domain == c.Bureau.Domain && h.Owner == nil {
				s.SMB(r, t, act.Share{Remote: act.Remote{Account: c.Bureau.Domain.Scan, Src: src, Dst: h, For: 8 * time.Second, Station: "DIB-SCAN01"}, Share: "IPC$", Files: []string{"winreg"}, Out: 9000, In: 30000})
			}
			if open(h, 445) && r.IntN(3) == 0 { // what may a nobody do there
				s.Anonymous(r, t, src, h, 445, nil)
			}
			t = t.Add(between(r, 1, 6))
		}
	}
	p.daily(1, 15, 20, nil, func(r *rand.Rand, t time.Time) {
		ag := c.Agencies[int(t.Unix()/86400)%len(c.Agencies)]
		sweep(r, t, ag.Servers, sweepPorts)
	})
	attack := p.Attack.In(taipei).Weekday()
	p.daily(19, 50, 10, func(d time.Time) bool { return d.In(taipei).Weekday() == attack }, func(r *rand.Rand, t time.Time) {
		var list []*city.Host
		for _, ag := range c.Agencies {
			list = append(list, ag.Servers...)
			list = append(list, ag.PCs[:min(len(ag.PCs), 12)]...)
		}
		sweep(r, t, list, sweepPorts[3:8])
	})
}

// open says which ports a machine answers on.
func open(h *city.Host, port uint16) bool {
	switch port {
	case 135, 139, 445:
		return h.Windows()
	case 3389, 5985:
		return h.Windows() && h.Owner == nil
	case 80, 443:
		return h.Has("web")
	case 22:
		return h.OS == "Linux"
	}
	return false
}

// monitor polls every server.
func (p *Plan) monitor() {
	c, s := p.Scene.City, p.Scene
	for _, h := range c.Hosts {
		if h.Owner != nil || h == c.Srv.Monitor || h.Has("medical") || h.Has("firewall") {
			continue
		}
		p.steady(minutes(20/p.Rate), func(r *rand.Rand, t time.Time) {
			state := "SF"
			if p.Down(h, t) {
				state = "S0"
			}
			s.Connect(r, t, act.Conn{Src: act.On(c.Srv.Monitor), Dst: act.On(h), Port: 161, UDP: true, Service: "snmp", State: state, Out: 180, In: 620, For: 30 * time.Millisecond})
		})
	}
}
