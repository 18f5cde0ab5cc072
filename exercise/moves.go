// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
)

// hold is a machine in the intruder's hands: as whom he is there, and what his
// commands run under. Moves return one at once, when the story is laid out; it
// is filled when the move is played, before any deed that needs it.
type hold struct {
	*city.Host
	who   act.Actor
	shell act.Proc
}

// by is the session that a move starts from. The system itself moves as the
// machine's account.
func (h *hold) by() act.Actor {
	if h.who.Account != nil {
		return h.who
	}
	return act.Actor{Account: &city.Account{Domain: h.Agency.Domain, Name: h.Name + "$", SID: "S-1-5-18"}, Host: h.Host, Logon: "0x3e7"}
}

// moved notes a move from a machine that is held to another.
func (g *stage) moved(seen act.Seen, from *hold, to *city.Host, port uint16, as *city.Account, kind, technique string) {
	g.hop(seen, act.On(from.Host), act.On(to), port, as, kind, technique)
	g.own(seen, to)
	if as != nil {
		g.used(as)
	}
}

// caller is an outside address from which somebody comes in: the intruder's
// own, or one that honest people have too.
func (g *stage) caller() act.End {
	if g.opt.CGNAT {
		all := city.Shared()
		a := all[g.r.IntN(len(all))]
		g.suspect(a)
		return act.End{Addr: a}
	}
	return act.End{Addr: g.outsider()}
}

// inner is what the gateway gives an intruder: an address of the pool that no
// honest user has.
func (g *stage) inner() act.End {
	return act.End{Addr: netip.AddrFrom4([4]byte{10, 254, 3, byte(40 + g.r.IntN(150))})}
}

// guesses are passwords tried at the gateway before the one that fits.
func (g *stage) guesses(name string, caller act.End) {
	for i := range 9 + g.r.IntN(8) {
		user := []string{"admin", "test", "pacs", "ris", name, "backup", "vpnuser"}[g.r.IntN(7)]
		g.at(g.begin.Add(-time.Duration(25*60-i*70)*time.Second), func(r *rand.Rand, t time.Time) { g.s.VPNRefused(r, t, user, caller.Addr) })
	}
}

// tunnel is a session at the VPN gateway, from outside to a pool address.
func (g *stage) tunnel(at time.Time, user *city.Account, caller, inner act.End, until time.Time) {
	g.at(at, func(r *rand.Rand, t time.Time) {
		v := act.Tunnel{User: user, Remote: caller.Addr, Inner: inner.Addr}
		plain := &city.Account{Domain: &city.Domain{}, Name: user.Name} // the gateway knows no domain
		g.hop(g.s.VPNUp(r, t, &v), caller, inner, 0, plain, "vpn", "T1133")
		g.used(user)
		g.s.VPNDown(until, &v, until.Sub(t), 390_000_000, 61_000_000)
	})
}

// arrive is a remote desktop from a pool address: the first machine.
func (g *stage) arrive(at time.Time, inner act.End, station string, to *city.Host, as *city.Account, until time.Time, e TruthEntry) *hold {
	h := &hold{Host: to}
	g.at(at, func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		h.who, seen = g.s.RDP(r, t, act.Remote{Account: as, Src: inner, Dst: to, Station: station, For: until.Sub(t)})
		g.hop(seen, inner, act.On(to), 3389, as, "rdp", "T1021.001")
		g.own(seen, to)
		e.Host, e.Addr = to.Key(), to.Addr
		g.entry(seen, e)
		h.shell = g.prompt(r, t, h)
	})
	return h
}

// prompt is a command line opened on a desktop.
func (g *stage) prompt(r *rand.Rand, t time.Time, h *hold) act.Proc {
	p, _ := g.s.Start(r, t.Add(seconds(20+30*r.Float64())), h.who, act.Running(h.who, act.Explorer), act.Cmd, `"C:\Windows\system32\cmd.exe"`)
	return p
}

// rdp is a remote desktop from one machine to the next.
func (g *stage) rdp(at time.Time, from *hold, to *city.Host, as *city.Account, until time.Time) *hold {
	h := &hold{Host: to}
	g.at(at, func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		h.who, seen = g.s.RDP(r, t, act.Remote{Account: as, Src: act.On(from.Host), Dst: to, By: from.by(), For: until.Sub(t)})
		g.moved(seen, from, to, 3389, as, "rdp", "T1021.001")
		h.shell = g.prompt(r, t, h)
	})
	return h
}

// service is a program copied to a machine and started there as a service.
func (g *stage) service(at time.Time, from *hold, to *city.Host, as *city.Account, name, file string) *hold {
	h := &hold{Host: to}
	g.at(at, func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		h.who = act.System(to)
		h.shell, seen = g.s.RemoteService(r, t, act.Remote{Account: as, Src: act.On(from.Host), Dst: to, By: from.by()}, name, file, "", 1_900_000)
		g.moved(seen, from, to, 445, as, "service", "T1569.002")
	})
	return h
}

// winrm is a remote PowerShell session that lasts for d.
func (g *stage) winrm(at time.Time, from *hold, to *city.Host, as *city.Account, d time.Duration) *hold {
	h := &hold{Host: to}
	g.at(at, func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		h.shell, seen = g.s.RemoteShell(r, t, act.Remote{Account: as, Src: act.On(from.Host), Dst: to, By: from.by(), For: d})
		h.who = h.shell.Actor
		g.moved(seen, from, to, 5985, as, "winrm", "T1021.006")
	})
	return h
}

// wmi makes another machine fetch a program from a share and run it.
func (g *stage) wmi(at time.Time, from *hold, to *city.Host, as *city.Account, share, file string) *hold {
	h := &hold{Host: to}
	g.at(at, func(r *rand.Rand, t time.Time) {
		path := `C:\Windows\Temp\` + file
		cmd, seen := g.s.RemoteWMI(r, t, act.Remote{Account: as, Src: act.On(from.Host), Dst: to, By: from.by()}, `cmd.exe /c copy `+share+`\`+file+` `+path+` & `+path)
		g.s.File(r, t.Add(900*time.Millisecond), cmd, path)
		h.shell, _ = g.s.Start(r, t.Add(1100*time.Millisecond), cmd.Actor, cmd, path, path)
		h.who = h.shell.Actor
		g.moved(seen, from, to, 135, as, "wmi", "T1047")
	})
	return h
}

// control goes to another machine by the means that administrators use there
// when the intruder keeps to their habits, else as a service.
func (g *stage) control(at time.Time, from *hold, to *city.Host, as *city.Account, name, file string) *hold {
	if g.opt.has(StealthPairs) {
		return g.winrm(at, from, to, as, 20*time.Minute)
	}
	return g.service(at, from, to, as, name, file)
}

// station is where an intruder who keeps to the habits of administrators
// continues from: their jump host. Any other stays where he is.
func (g *stage) station(at time.Time, from *hold, jump *city.Host, as *city.Account, until time.Time) *hold {
	if !g.opt.has(StealthPairs) {
		return from
	}
	return g.rdp(at, from, jump, as, until)
}

// looks looks around from a shell.
func (g *stage) looks(at time.Time, h *hold, commands ...string) {
	g.at(at, func(r *rand.Rand, t time.Time) { g.look(r, t, h.who, h.shell, commands...) })
}

// implant brings a program that obeys from afar and starts it.
func (g *stage) implant(at time.Time, h *hold, path string) *act.Proc {
	p := new(act.Proc)
	g.at(at, func(r *rand.Rand, t time.Time) {
		g.s.File(r, t, h.shell, path)
		var seen act.Seen
		*p, seen = g.s.Start(r, t.Add(6*time.Second), h.who, h.shell, path, path)
		g.step(seen, h.Host, "execution", "T1204.002")
	})
	return p
}

// dumps reads the memory of LSASS.
func (g *stage) dumps(at time.Time, h *hold) {
	g.at(at, func(r *rand.Rand, t time.Time) { g.dump(r, t, h.who, h.shell) })
}

// sweeps tries ports of machines.
func (g *stage) sweeps(at time.Time, h *hold, targets []*city.Host, ports ...uint16) {
	g.at(at, func(r *rand.Rand, t time.Time) { g.knock(r, t, h.Host, targets, ports...) })
}

// steals sends what a machine keeps to an outside address.
func (g *stage) steals(at time.Time, h *hold, vault act.End) {
	g.at(at, func(r *rand.Rand, t time.Time) { g.exfiltrate(r, t, h.shell, vault) })
}

// wipes destroys what a backup server keeps, over WinRM.
func (g *stage) wipes(at time.Time, from *hold, bak *city.Host, as *city.Account) *hold {
	h := &hold{Host: bak}
	g.fell[bak] = at.Add(20 * time.Second)
	g.at(at, func(r *rand.Rand, t time.Time) {
		var seen act.Seen
		h.shell, seen = g.wipeBackup(r, t, act.Remote{Account: as, Src: act.On(from.Host), Dst: bak, By: from.by(), For: 4 * time.Minute})
		h.who = h.shell.Actor
		g.moved(seen, from, bak, 5985, as, "winrm", "T1021.006")
	})
	return h
}

// blinds ends the antivirus of a machine.
func (g *stage) blinds(at time.Time, h *hold) {
	g.at(at, func(r *rand.Rand, t time.Time) { g.blind(r, t, h.who, h.shell) })
}

// locks encrypts a machine with a program that is there.
func (g *stage) locks(at time.Time, h *hold, k kit, files int) {
	if at.Before(g.down(h.Host)) {
		g.fell[h.Host] = at
	}
	dirs := desktop(h.Host)
	if h.Owner == nil {
		dirs = volumes(h.Host)
	}
	g.at(at, func(r *rand.Rand, t time.Time) {
		image := `C:\Windows\Temp\` + k.program
		p, _ := g.s.Start(r, t, act.System(h.Host), h.shell, image, image+` --all --quiet`)
		g.encrypt(r, t.Add(time.Second), p, k, files, dirs)
	})
}

// down is when a machine stops doing its work, far in the future when it never
// does.
func (g *stage) down(h *city.Host) time.Time {
	if at, ok := g.fell[h]; ok {
		return at
	}
	return g.begin.AddDate(1, 0, 0)
}
