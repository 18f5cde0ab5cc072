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

// hypervisor is an intrusion that never encrypts a guest: an employee's VPN
// account opens his own desk, on which an administrator has helped; from the
// jump host a group that ESXi trusts by its name alone is made, the hosts' shell
// is opened, guests are killed and their disks encrypted over ssh.
//
//	outside --vpn--> pool address --rdp--> desk --c2--> outside
//	desk --rdp--> dib-jump01 --rdp--> dib-fs01 --exfiltration--> outside
//	dib-jump01 --winrm--> dib-bak01, --ssh--> dib-hv01, dib-hv02
func hypervisor(g *stage) {
	c, s, b := g.c, g.s, g.c.Bureau
	clerk, desk := helped(c, g.seed, g.opt.has(StealthPairs))
	admin := b.Domain.Admins[0]
	caller, inner := g.caller(), g.inner()
	ch, vault := g.newChannel(), act.End{Addr: g.outsider()}
	k := kit{"." + g.word(5), "How To Restore Your Files.txt", g.word(4)}
	finale := g.begin.Add(g.dwell)

	// A password that fits at the first try: it was bought.
	g.tunnel(g.begin, clerk, caller, inner, finale.Add(14*time.Minute))
	in := g.arrive(g.begin.Add(seconds(40+80*g.r.Float64())), inner, "DESKTOP-"+g.serial(), desk, clerk, finale, TruthEntry{Kind: "vpn", Vector: clerk.String(), External: caller.Addr})
	g.looks(g.when(0.03), in, "whoami /all", "ipconfig /all", "net group \"Domain Admins\" /domain", "nltest /dclist:city.example", "quser")
	called := g.when(0.06)
	g.beacon(called, finale.Add(3*time.Minute), desk, ch, g.implant(called.Add(-20*time.Second), in, `C:\Users\Public\`+g.word(6)+`.exe`))
	g.dumps(g.when(0.14), in)

	// The jump host, and what can be seen from there.
	jump := g.rdp(g.when(0.24), in, b.Jump, admin, finale.Add(12*time.Minute))
	g.looks(g.when(0.27), jump, "whoami /groups", "net group \"ESX Admins\" /domain", "nslookup dib-hv01.city.example")
	hosts := g.hypervisors(b)
	g.sweeps(g.when(0.30), jump, append(append([]*city.Host{}, hosts...), b.Servers...), 443, 22, 902)
	g.at(g.when(0.36), func(r *rand.Rand, t time.Time) {
		g.step(s.AddMember(r, t, jump.who, b.Domain, admin, "ESX Admins", true), b.Domain.DCs[0], "persistence", "T1098")
	})
	fs := g.rdp(g.when(0.42), jump, b.File, admin, finale.Add(10*time.Minute))
	g.steals(g.when(0.46), fs, vault)
	g.wipes(g.when(0.60), jump, b.Backup, admin)

	// Each hypervisor: its page, its shell, its guests.
	opened := g.when(0.72)
	for i, hv := range hosts {
		at := opened.Add(time.Duration(i) * 9 * time.Minute)
		g.at(at, func(r *rand.Rand, t time.Time) {
			s.HostClient(r, t, act.Remote{Account: admin, Src: act.On(b.Jump), Dst: hv}, "")
			g.step(s.AllowSSH(r, t.Add(70*time.Second), hv, admin, true), hv, "privilege", "T1098")
		})
		sh := g.ssh(at.Add(3*time.Minute), jump, hv, act.Root(), finale.Add(8*time.Minute))
		g.types(at.Add(4*time.Minute), sh, "discovery", "T1082", "esxcli vm process list", "vim-cmd vmsvc/getallvms", "esxcli storage filesystem list", "ls -la /vmfs/volumes/datastore1")
		g.darkens(finale.Add(time.Duration(i)*50*time.Second), sh, k)
	}
	g.blinds(g.when(0.93), fs)
	g.locks(finale.Add(3*time.Minute), fs, k.windows(), 300)
}

// helped is somebody of the city's domain on whose machine an administrator
// looks in every day, and that machine. One who keeps to the habits of
// administrators has an administrator's own.
func helped(c *city.City, seed uint64, pairs bool) (*city.Account, *city.Host) {
	if pairs {
		a := c.Bureau.Domain.Admins[0]
		return a.Self, a.Home
	}
	r := rand.New(rand.NewPCG(seed, 0x4e19))
	var best *city.Account
	for range 200 {
		a := c.People[r.IntN(len(c.People))]
		if a.Domain != c.Bureau.Domain || isAdmin(a) {
			continue
		}
		if best = a; a.Home.Always && a.Home.Sysmon {
			break
		}
	}
	return best, best.Home
}

// isAdmin reports whether somebody has an administrator's account besides.
func isAdmin(a *city.Account) bool {
	for _, x := range a.Domain.Admins {
		if x.Self == a {
			return true
		}
	}
	return false
}

// hypervisors are those of an agency that run guests.
func (g *stage) hypervisors(a *city.Agency) []*city.Host {
	var out []*city.Host
	for _, h := range g.c.Srv.Hypervisors {
		if h.Agency == a {
			out = append(out, h)
		}
	}
	return out
}

// shell is a session at a hypervisor.
type shell struct {
	*city.Host
	world uint32 // process of the session
}

// ssh is a session at a hypervisor from a machine that is held.
func (g *stage) ssh(at time.Time, from *hold, to *city.Host, as *city.Account, until time.Time) *shell {
	sh := &shell{to, 2101000 + g.r.Uint32N(9000)}
	g.at(at, func(r *rand.Rand, t time.Time) {
		seen := g.s.SSH(r, t, act.Remote{Account: as, Src: act.On(from.Host), Dst: to, By: from.by(), For: until.Sub(t)})
		g.moved(seen, from, to, 22, as, "ssh", "T1021.004")
	})
	return sh
}

// types types commands; the first is the step.
func (g *stage) types(at time.Time, sh *shell, step, technique string, commands ...string) {
	g.at(at, func(r *rand.Rand, t time.Time) {
		for i, c := range commands {
			seen := g.s.Shell(t, sh.Host, sh.world, c)
			if i == 0 {
				g.step(seen, sh.Host, step, technique)
			}
			t = t.Add(seconds(3 + 14*r.Float64()))
		}
	})
}

// darkens kills the guests of a hypervisor and encrypts its disks.
func (g *stage) darkens(at time.Time, sh *shell, k kit) {
	for i, vm := range sh.Guests {
		g.fell[vm] = at.Add(time.Duration(10+4*i) * time.Second)
	}
	g.at(at, func(r *rand.Rand, t time.Time) {
		run := func(c string) act.Seen {
			t = t.Add(seconds(0.6 + 2*r.Float64()))
			return g.s.Shell(t, sh.Host, sh.world, c)
		}
		for i := range sh.Guests {
			seen := run(fmt.Sprintf("vim-cmd vmsvc/snapshot.removeall %d", 11+i))
			g.s.Snapshot(r, t.Add(200*time.Millisecond), sh.Host, sh.Guests[i], "root", "removeAllSnapshots")
			if i == 0 {
				g.step(seen, sh.Host, "inhibit", "T1490")
			}
		}
		for i, vm := range sh.Guests {
			seen := run(fmt.Sprintf("esxcli vm process kill --type=force --world-id=%d", 2101200+77*i))
			seen2 := g.s.Power(r, t.Add(900*time.Millisecond), sh.Host, vm, "root", false)
			if seen.IsZero() {
				seen = seen2
			}
			if i == 0 {
				g.step(seen, sh.Host, "inhibit", "T1489")
			}
		}
		run("esxcli system settings advanced set -o /User/execInstalledOnly -i 0")
		run("chmod +x /tmp/" + k.program)
		g.anchor(run("nohup /tmp/"+k.program+" /vmfs/volumes --ext "+k.extension+" >/dev/null 2>&1 &"), sh.Host)
		g.step(run("cp /tmp/note /etc/motd"), sh.Host, "note", "T1491.001")
		t = t.Add(4 * time.Minute)
		g.step(run("rm -f /var/log/shell.log /var/log/auth.log /var/log/hostd.log"), sh.Host, "evasion", "T1070.002")
		if t.After(g.end) {
			g.end = t
		}
	})
}

// windows is the same kit for Windows.
func (k kit) windows() kit {
	k.program += ".exe"
	return k
}

// serial is what Windows names a new machine by.
func (g *stage) serial() string { return fmt.Sprintf("%07X", g.r.Uint32N(1<<28)) }
