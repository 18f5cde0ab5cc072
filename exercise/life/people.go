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

// desk is somebody with a workstation.
type desk struct {
	*Plan
	a       *city.Account
	who     act.Actor
	leave   time.Time
	in      bool
	tickets bool // has asked for the file server's ticket today
}

func (p *Plan) person(a *city.Account) {
	d := &desk{Plan: p, a: a}
	p.add(func(r *rand.Rand) time.Time { return d.arrive(r, p.Begin) }, d.act)
}

// hours of the shifts: arrival and stay.
var hours = [...]struct {
	from, spread float64 // hours after midnight
	stay         float64
}{
	city.Office: {8.5, 0.35, 9.2}, city.Early: {7.8, 0.15, 8.3}, city.Late: {15.8, 0.15, 8.3}, city.Night: {23.75, 0.15, 8.2},
}

// arrive returns when the person next comes in.
func (d *desk) arrive(r *rand.Rand, after time.Time) time.Time {
	h := hours[d.a.Shift]
	for day := midnight(after); day.Before(d.End); day = day.AddDate(0, 0, 1) {
		t := day.Add(time.Duration((h.from + r.NormFloat64()*h.spread) * float64(time.Hour)))
		comes := r.Float64() < 0.72 // wards work round the week
		if d.a.Shift == city.Office {
			comes = workday(day) && r.Float64() < 0.93
		}
		if comes && t.After(after) {
			return t
		}
	}
	return time.Time{}
}

func (d *desk) act(r *rand.Rand, t time.Time) time.Time {
	if d.Down(d.a.Home, t) {
		return time.Time{}
	}
	s := d.Scene
	if !d.in {
		if r.Float64() < 0.04 {
			s.BadPassword(r, t, d.a, d.a.Home, 2)
			return t.Add(9 * time.Second)
		}
		typ := 2
		if d.a.Home.Always && r.IntN(3) > 0 {
			typ = 7
		}
		if !d.a.Home.Always {
			s.Lease(r, t, d.a.Home)
			t = t.Add(50 * time.Second) // until the desktop is there
		}
		d.who = s.Console(r, t, d.a, d.a.Home, typ)
		d.in, d.tickets = true, false
		d.leave = t.Add(time.Duration((hours[d.a.Shift].stay + r.NormFloat64()*0.5) * float64(time.Hour)))
		return t.Add(minutes(1 + r.ExpFloat64()*6))
	}
	if !t.Before(d.leave) {
		s.Logoff(r, t, d.who, 2)
		d.in = false
		return d.arrive(r, t.Add(time.Hour))
	}
	if hour(t) != 12 || r.IntN(4) == 0 {
		d.do(r, t)
	}
	next := t.Add(minutes(1 + r.ExpFloat64()*30/d.Rate))
	if next.After(d.leave) {
		return d.leave
	}
	return next
}

// do is one thing a person does at a desk.
func (d *desk) do(r *rand.Rand, t time.Time) {
	s, h := d.Scene, d.a.Home
	srv := &s.City.Srv
	n := r.IntN(100)
	if h.Agency == s.City.Hospital && n < 22 {
		s.Connect(r, t, act.Conn{Src: act.On(h), Dst: act.On(srv.HIS), Port: 1433, Service: "-", Out: 4000 + r.Int64N(30000), In: 20000 + r.Int64N(400000), For: minutes(0.5 + r.ExpFloat64()*5)})
		return
	}
	switch {
	case n < 48:
		d.visit(r, t)
	case n < 64:
		s.TLS(r, t, act.Conn{Src: act.On(h), Dst: act.On(srv.Mail), Out: 3000 + r.Int64N(60000), In: 9000 + r.Int64N(500000), For: minutes(0.2 + r.ExpFloat64()*3), Name: "mail.city.example", Cert: "ok"})
	case n < 78:
		d.files(r, t)
	case n < 88:
		d.program(r, t)
	case n < 95:
		s.File(r, t, act.Running(d.who, pick(r, office)), document(r, d.a.Name))
	default:
		s.HTTP(r, t, act.Request{Src: act.On(h), Dst: act.On(srv.Portal), Host: "portal.city.example", URI: pick(r, portalPages), Recvd: 4000 + r.Int64N(60000)})
	}
}

var portalPages = []string{"/portal/", "/portal/news.aspx", "/portal/forms.aspx?id=12", "/portal/leave.aspx", "/portal/rooms.aspx", "/portal/files/phonebook.pdf"}

// visit goes to a web site: two agencies through the proxy, the others
// directly.
func (d *desk) visit(r *rand.Rand, t time.Time) {
	s, h := d.Scene, d.a.Home
	site := pick(r, s.City.Outside)
	if c := h.Agency.Code; c != "EDU" && c != "FIN" {
		s.Visit(r, t, h, site)
		return
	}
	px := s.City.Srv.Proxy
	in := int64(3000 * (1 + r.ExpFloat64()*40))
	s.HTTP(r, t, act.Request{Src: act.On(h), Dst: act.On(px), Port: 3128, Method: "CONNECT", Host: site.Name, URI: site.Name + ":443", Recvd: in})
	s.TLS(r, t.Add(15*time.Millisecond), act.Conn{Src: act.On(px), Dst: act.End{Addr: site.Addr}, Out: 1200, In: in, For: minutes(r.ExpFloat64()), Name: site.Name})
}

var topics = []string{"budget", "minutes", "roster", "report", "plan", "survey", "letter", "notice", "contract", "inventory", "schedule", "draft"}

func document(r *rand.Rand, user string) string {
	return fmt.Sprintf(`C:\Users\%s\Documents\%s-%d.%s`, user, pick(r, topics), r.IntN(400), pick(r, extensions))
}

var (
	extensions = []string{"docx", "xlsx", "pdf", "pptx", "odt", "csv"}
	office     = []string{`C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE`, `C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE`, `C:\Program Files\Adobe\Acrobat DC\Reader\AcroRd32.exe`}
	programs   = append([]string{`C:\Program Files\Google\Chrome\Application\chrome.exe`, `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`,
		`C:\Windows\System32\notepad.exe`, `C:\Program Files\7-Zip\7z.exe`, `C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE`}, office...)
)

func (d *desk) program(r *rand.Rand, t time.Time) {
	image := pick(r, programs)
	d.Scene.Start(r, t, d.who, act.Running(d.who, act.Explorer), image, `"`+image+`" `)
}

// files uses the agency's file server.
func (d *desk) files(r *rand.Rand, t time.Time) {
	ag := d.a.Agency
	dst := ag.File
	if ag == d.Scene.City.Hospital && r.IntN(5) == 0 {
		nas := d.Scene.City.Srv.NAS
		from := act.On(d.a.Home)
		d.Scene.Mount(r, t, from, nas, d.a.Name, minutes(0.3+r.ExpFloat64()*2))
		event := "read"
		if r.IntN(3) == 0 {
			event = "write"
		}
		for i := range 1 + r.IntN(3) {
			d.Scene.Stored(r, t.Add(time.Duration(1+3*i)*time.Second), nas, from, d.a.Name, event, fmt.Sprintf("/ward/%s-%d.%s", pick(r, topics), r.IntN(300), pick(r, extensions)), 20_000+r.Int64N(4_000_000))
		}
		return
	}
	write := r.IntN(3) == 0
	m := act.Share{Remote: act.Remote{Account: d.a, Src: act.On(d.a.Home), Dst: dst}, Share: "public", Quiet: r.IntN(8) > 0, Write: write, Known: d.tickets,
		Files: []string{fmt.Sprintf(`%s\%s-%d.%s`, pick(r, topics), pick(r, topics), r.IntN(200), pick(r, extensions))}, Out: 5000 + r.Int64N(20000), In: 30000 + r.Int64N(3_000_000)}
	if write {
		m.Out, m.In = m.In, m.Out
	}
	d.Scene.SMB(r, t, m)
	d.tickets = true
}

// homeWorkers are the few who come in from home in the evening, through the
// VPN to their own workstation.
func (p *Plan) homeWorkers() {
	c := p.Scene.City
	pool := c.VPNPool.Addr().As4()
	n := 0
	for i, a := range c.People {
		if i%31 != 7 || a.Shift != city.Office || !a.Home.Always {
			continue
		}
		n++
		inner := pool
		inner[3] = byte(20 + n%200)
		inner[2] += byte(n / 200)
		home := act.End{Addr: homeAddr(n)}
		if len(p.Shared) > 0 {
			home.Addr = p.Shared[n%len(p.Shared)]
		}
		p.daily(19, 0, 170, func(d time.Time) bool { return (int(d.Unix()/86400)+i)%2 == 0 }, func(r *rand.Rand, t time.Time) {
			if p.Down(a.Home, t) {
				return
			}
			v := act.Tunnel{User: a, Remote: home.Addr, Inner: addr4(inner)}
			if r.IntN(6) == 0 {
				p.Scene.VPNRefused(r, t, a.Name, home.Addr)
				t = t.Add(25 * time.Second)
			}
			p.Scene.VPNUp(r, t, &v)
			d := minutes(20 + r.Float64()*70)
			p.Scene.RDP(r, t.Add(minutes(0.5+r.Float64()*2)), act.Remote{Account: a, Src: act.End{Addr: v.Inner}, Dst: a.Home, Station: fmt.Sprintf("DESKTOP-%05X", 0x51000+i*977), For: d - minutes(4)})
			p.Scene.VPNDown(t.Add(d), &v, d, 40_000_000+r.Int64N(90_000_000), 5_000_000+r.Int64N(9_000_000))
		})
	}
}

// The hospital's maintenance company: its address outside, what the gateway
// gives it, its machine.
var (
	VendorHome  = homeAddr(900)
	VendorInner = addr4([4]byte{10, 254, 3, 11})
)

// VendorStation is the name its machine gives.
const VendorStation = "RIS-SVC-NB2"

// vendor is the maintenance company that comes through the VPN in the morning
// to the hospital's terminal server.
func (p *Plan) vendor() {
	if p.Vendor == nil {
		return
	}
	c := p.Scene.City
	p.daily(10, 5, 40, workday, func(r *rand.Rand, t time.Time) {
		v := act.Tunnel{User: p.Vendor, Remote: VendorHome, Inner: VendorInner}
		p.Scene.VPNUp(r, t, &v)
		d := minutes(35 + r.Float64()*60)
		who, _ := p.Scene.RDP(r, t.Add(minutes(1+r.Float64())), act.Remote{Account: p.Vendor, Src: act.End{Addr: v.Inner}, Dst: c.Srv.Terminal, Station: VendorStation, For: d - minutes(5)})
		p.Scene.Start(r, t.Add(minutes(6)), who, act.Running(who, act.Explorer), `C:\RIS\Console\RisConsole.exe`, `"C:\RIS\Console\RisConsole.exe"`)
		p.Scene.Connect(r, t.Add(minutes(7)), act.Conn{Src: act.On(c.Srv.Terminal), Dst: act.On(c.Srv.PACS), Port: 8042, Service: "http", Out: 40000, In: 900000, For: minutes(12)})
		p.Scene.VPNDown(t.Add(d), &v, d, 60_000_000, 7_000_000)
	})
}
