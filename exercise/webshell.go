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

// webshell is an intrusion through a staff portal that the internet can reach:
// a page that takes uploads takes a web shell, the service account of software
// distribution lies in memory, and the file server, the backup server and more
// fall to it.
//
//	outside --web--> civ-portal01 --c2--> outside
//	civ-portal01 --service--> dib-fs01 --c2, exfiltration--> outside
//	dib-fs01 --winrm--> dib-bak01, --wmi--> dib-db01, dib-app01, --service--> others
func webshell(g *stage) {
	c, s := g.c, g.s
	portal, fs, bak := c.Srv.Portal, c.Bureau.File, c.Bureau.Backup
	stolen := c.Bureau.Domain.Deploy
	visitor := g.caller()
	prober := visitor
	if g.r.IntN(2) == 0 { // half of them search from one address and come back from another
		prober = g.caller()
	}
	ch := g.newChannel()
	vault := act.End{Addr: g.outsider()}
	tomcat := g.r.IntN(3) == 0
	server, root, page := act.W3WP, `C:\inetpub\wwwroot\portal\files\`, fmt.Sprintf("img_%04d.aspx", g.r.IntN(10000))
	if tomcat {
		server, root, page = act.Tomcat, `C:\Program Files\Apache Software Foundation\Tomcat 9.0\webapps\portal\files\`, fmt.Sprintf("img_%04d.jsp", g.r.IntN(10000))
	}
	pool := act.Actor{Account: &city.Account{Domain: &city.Domain{NetBIOS: "IIS APPPOOL"}, Name: "portal", Kind: city.Person}, Host: portal, Logon: "0x6b2c1"}
	if tomcat {
		pool.Account = &city.Account{Domain: &city.Domain{NetBIOS: "NT AUTHORITY"}, Name: "LOCAL SERVICE", Kind: city.Person}
	}
	w3wp := act.Running(pool, server)
	k := kit{"." + g.word(5), "HOW_TO_RESTORE_FILES.txt", "lk.exe"}
	finale := g.begin.Add(g.dwell)
	web := func(src act.End) act.Request {
		return act.Request{Src: src, Dst: act.On(portal), Host: "portal.city.example", Recvd: 1200}
	}

	// Searching: ports of the DMZ, then pages that might exist.
	g.at(g.begin.Add(-40*time.Minute), func(r *rand.Rand, t time.Time) {
		for _, h := range []*city.Host{c.Srv.Public, portal, c.Srv.Mail} {
			for _, port := range []uint16{21, 22, 23, 25, 80, 443, 445, 1433, 3306, 3389, 5985, 8080, 8443} {
				open := port == 80 || port == 443
				s.Connect(r, t, act.Conn{Src: prober, Dst: act.On(h), Port: port, Denied: !open, State: map[bool]string{true: "RSTO", false: "S0"}[open], For: 20 * time.Millisecond})
				t = t.Add(time.Duration(30+r.IntN(90)) * time.Millisecond)
			}
		}
	})
	g.at(g.begin.Add(-22*time.Minute), func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		for i := range 150 {
			q := web(prober)
			q.URI, q.Status, q.Agent = "/portal/"+guessed[r.IntN(len(guessed))]+guessTails[i%len(guessTails)], 404, "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1)"
			if i%37 == 0 {
				q.URI, q.Status = "/portal/upload.aspx", 200
			}
			conn, at := s.HTTP(r, t, q)
			if i == 40 {
				s.Alert(t, conn, 9000231, 2, "CITYIDS Web directory search from one address", "Attempted Information Leak")
			}
			if seen.IsZero() {
				seen = at
			}
			t = t.Add(time.Duration(300+r.IntN(900)) * time.Millisecond)
		}
		g.step(seen, portal, "recon", "T1595.003")
	})

	// The upload, and commands through it.
	g.at(g.begin, func(r *rand.Rand, t time.Time) {
		q := web(visitor)
		q.Method, q.URI, q.Sent = "POST", "/portal/upload.aspx?dir=files", 7300
		_, seen := s.HTTP(r, t, q)
		g.hop(seen, visitor, act.On(portal), 80, nil, "web", "T1190")
		g.own(seen, portal)
		g.entry(seen, TruthEntry{Host: portal.Key(), Addr: portal.Addr, Kind: "web", Vector: "/portal/upload.aspx", External: visitor.Addr})
		g.step(s.File(r, t.Add(140*time.Millisecond), w3wp, root+page), portal, "web_shell", "T1505.003")
	})
	for i, command := range []string{"whoami /all", "ipconfig /all", "systeminfo", "tasklist /svc", "net user", "net localgroup administrators", "dir C:\\inetpub", "netstat -ano"} {
		g.at(g.begin.Add(seconds(40+float64(i)*55+20*g.r.Float64())), func(r *rand.Rand, t time.Time) {
			q := web(visitor)
			q.Method, q.URI, q.Sent, q.Recvd = "POST", "/portal/files/"+page, 180, 900+r.Int64N(9000)
			_, asked := s.HTTP(r, t, q)
			g.hop(asked, visitor, act.On(portal), 80, nil, "web", "T1190")
			cmd, seen := s.Start(r, t.Add(90*time.Millisecond), pool, w3wp, act.Cmd, `"cmd.exe" /c `+command)
			if i == 0 {
				g.step(seen, portal, "web_shell", "T1505.003")
			}
			if w := firstWord(command); w != "dir" {
				_, seen = s.Start(r, t.Add(130*time.Millisecond), pool, cmd, `C:\Windows\System32\`+w+`.exe`, command)
				if i == 1 {
					g.step(seen, portal, "discovery", "T1016")
				}
			}
		})
	}

	// From the service to the system.
	sys := act.System(portal)
	in := &hold{Host: portal, who: sys}
	g.at(g.when(0.10), func(r *rand.Rand, t time.Time) {
		q := web(visitor)
		q.Method, q.URI, q.Sent = "POST", "/portal/files/"+page, 168_000
		_, asked := s.HTTP(r, t, q)
		g.hop(asked, visitor, act.On(portal), 80, nil, "web", "T1190")
		s.File(r, t.Add(200*time.Millisecond), w3wp, `C:\Windows\Temp\pf.exe`)
		cmd, _ := s.Start(r, t.Add(900*time.Millisecond), pool, w3wp, act.Cmd, `"cmd.exe" /c C:\Windows\Temp\pf.exe -i -c cmd.exe`)
		potato, _ := s.Start(r, t.Add(950*time.Millisecond), pool, cmd, `C:\Windows\Temp\pf.exe`, `C:\Windows\Temp\pf.exe -i -c cmd.exe`)
		var seen act.Seen
		in.shell, seen = s.Start(r, t.Add(1800*time.Millisecond), sys, potato, act.Cmd, `cmd.exe`)
		g.step(seen, portal, "privilege", "T1134.001")
		s.Start(r, t.Add(6*time.Second), sys, in.shell, `C:\Windows\System32\whoami.exe`, "whoami")
	})
	called := g.when(0.14)
	agent := g.implant(called.Add(-15*time.Second), in, fmt.Sprintf(`C:\ProgramData\%s\%s.exe`, g.word(6), g.word(5)))
	g.beacon(called, finale.Add(2*time.Minute), portal, ch, agent)
	g.dumps(g.when(0.22), in)
	g.sweeps(g.when(0.30), in, c.Bureau.Servers, 445, 3389, 5985, 135)

	// The file server: copied out. One who keeps to habits goes to software
	// distribution first, which pushes programs everywhere anyway.
	pairs := g.opt.has(StealthPairs)
	from := in
	if pairs {
		from = g.service(g.when(0.37), in, c.Srv.Deploy, stolen, "NetSetupHlp", "nshlp.exe")
	}
	onFS := g.service(g.when(0.42), from, fs, stolen, "NetSetupHlp", "nshlp.exe")
	g.beacon(g.when(0.46), finale.Add(2*time.Minute), fs, ch, &onFS.shell)
	g.steals(g.when(0.52), onFS, vault)

	// Onward from there: backups first.
	if !pairs {
		from = onFS
	}
	fallen := []*hold{onFS, g.wipes(g.when(0.68), from, bak, stolen)}
	onward := g.when(0.76)
	for i, h := range g.more() {
		at := onward.Add(time.Duration(i) * 90 * time.Second)
		if i < 2 && !pairs {
			fallen = append(fallen, g.wmi(at, from, h, stolen, `\\DIB-FS01\public\.t`, "nshlp.exe"))
		} else {
			fallen = append(fallen, g.service(at, from, h, stolen, "NetSetupHlp", "nshlp.exe"))
		}
	}

	// Defender off, then everything at once.
	blinded := g.when(0.93)
	for i, h := range fallen {
		g.at(blinded.Add(time.Duration(i)*11*time.Second), func(r *rand.Rand, t time.Time) {
			ps, seen := s.Start(r, t, h.who, h.shell, act.Posh, `powershell.exe -NoProfile -Command Set-MpPreference -DisableRealtimeMonitoring $true`)
			s.Script(r, t.Add(700*time.Millisecond), ps, `Set-MpPreference -DisableRealtimeMonitoring $true`)
			s.DefenderOff(r, t.Add(1500*time.Millisecond), h.Host)
			g.step(seen, h.Host, "evasion", "T1562.001")
		})
		g.locks(finale.Add(seconds(float64(i)*3+15*g.r.Float64())), h, k, 150+g.r.IntN(150))
	}
}

var (
	guessed    = []string{"admin", "backup", "test", "old", "login", "upload", "config", "db", "shell", "console", "manager", "api", "temp", "dev", "user", "export", "setup", "install"}
	guessTails = []string{"/", ".aspx", ".php", ".zip", ".bak", "/index.jsp", ".asp", ".txt"}
)

// more are the servers that fall after file and backup server: two by WMI, the
// rest by service.
func (g *stage) more() []*city.Host {
	var out []*city.Host
	for _, name := range []string{"dib-db01", "dib-app01", "dib-app02", "dib-app03", "civ-fs01", "civ-app01"} {
		for _, h := range g.c.Hosts {
			if h.Key() == name {
				out = append(out, h)
			}
		}
	}
	return out[:min(len(out), 4+g.r.IntN(3))]
}
