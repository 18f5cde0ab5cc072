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

// stranger is some address of the internet.
func stranger(r *rand.Rand) act.End {
	if r.IntN(5) == 0 {
		return act.End{Addr: addr4([4]byte{198, 51, 100, byte(1 + r.IntN(120))})}
	}
	return act.End{Addr: addr4([4]byte{198, byte(18 + r.IntN(2)), byte(r.IntN(190)), byte(1 + r.IntN(254))})}
}

var publicPages = []string{"/", "/news/", "/services/", "/contact.html", "/budget/2026.pdf", "/map/", "/events/list.html", "/forms/household.html"}

// internet knocks at the city's addresses all day, and is refused.
func (p *Plan) internet() {
	c, s := p.Scene.City, p.Scene
	doors := []*city.Host{c.Srv.Public, c.Srv.Portal, c.Srv.Mail, c.Srv.Gateway}
	ports := []uint16{22, 23, 25, 80, 445, 1433, 2323, 3389, 5900, 6379, 8080, 8443}
	p.every(minutes(3/p.Rate), func(r *rand.Rand, t time.Time) {
		s.Connect(r, t, act.Conn{Src: stranger(r), Dst: act.On(pick(r, doors)), Port: pick(r, ports), Denied: true})
	})
}

var subjects = []string{"Minutes of the meeting", "Re: your question", "Newsletter", "Offer for the new term", "Invoice of this month", "Invitation", "Delivery note", "Your statement"}

// mail comes and goes over the gateway.
func (p *Plan) mail() {
	c, s := p.Scene.City, p.Scene
	p.every(minutes(9/p.Rate), func(r *rand.Rand, t time.Time) {
		if !daytime(t) && r.IntN(3) > 0 {
			return
		}
		site := pick(r, c.Outside)
		if r.IntN(3) == 0 {
			s.Connect(r, t, act.Conn{Src: act.On(c.Srv.Gateway), Dst: act.End{Addr: site.Addr}, Port: 25, Service: "smtp,ssl", App: "smtp", Out: 4000 + int64(r.ExpFloat64()*200000), In: 1800, For: between(r, 1, 9)})
			return
		}
		s.Mail(r, t, stranger(r), act.Letter{From: pick(r, []string{"info@", "noreply@", "billing@", "office@"}) + site.Name, To: pick(r, c.People), Subject: pick(r, subjects), Size: 4000 + int64(r.ExpFloat64()*200000), Server: "mail." + site.Name, Mistyped: r.IntN(12) == 0})
	})
}

// web is the public looking at the city's pages, and staff at home at the
// portal; now and then a page is gone, and now and then a crawler asks for a
// hundred that never were.
func (p *Plan) web() {
	c, s := p.Scene.City, p.Scene
	p.every(minutes(5/p.Rate), func(r *rand.Rand, t time.Time) {
		if (hour(t) < 7 || hour(t) > 22) && r.IntN(4) > 0 {
			return
		}
		q := act.Request{Src: stranger(r), Dst: act.On(c.Srv.Public), Host: "www.city.example", URI: pick(r, publicPages), Recvd: 5000 + r.Int64N(150000)}
		if r.IntN(4) == 0 {
			q.Dst, q.Host, q.URI = act.On(c.Srv.Portal), "portal.city.example", pick(r, portalPages)
		}
		if len(p.Shared) > 0 && r.IntN(3) == 0 {
			q.Src = act.End{Addr: pick(r, p.Shared)}
		}
		if r.IntN(25) == 0 {
			q.URI, q.Status, q.Recvd = fmt.Sprintf("/old/page-%d.html", r.IntN(90)), 404, 1200
		}
		s.HTTP(r, t, q)
	})
	p.daily(6, 40, 30, nil, func(r *rand.Rand, t time.Time) {
		src := act.End{Addr: addr4([4]byte{203, 0, 113, 131})}
		for range 40 {
			s.HTTP(r, t, act.Request{Src: src, Dst: act.On(c.Srv.Public), Host: "www.city.example", URI: fmt.Sprintf("/archive/%d/%d.html", 2010+r.IntN(15), r.IntN(900)), Status: 404, Recvd: 1200, Agent: "Mozilla/5.0 (compatible; FriendlyBot/2.1; +http://bot.example/)"})
			t = t.Add(between(r, 1, 8))
		}
	})
	// The application server compiles changed pages: a child of the web server
	// that is none of anybody's commands. Deployments write new pages.
	for _, h := range []*city.Host{c.Srv.Public, c.Srv.Portal} {
		pool := act.Actor{Account: &city.Account{Domain: &city.Domain{NetBIOS: "IIS APPPOOL"}, Name: "portal", Kind: city.Person}, Host: h, Logon: "0x6b2c1"}
		w3wp := act.Running(pool, act.W3WP)
		p.daily(9, 20, 300, workday, func(r *rand.Rand, t time.Time) {
			s.Start(r, t, pool, w3wp, `C:\Windows\Microsoft.NET\Framework64\v4.0.30319\csc.exe`, `"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\csc.exe" /noconfig /fullpaths @"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\Temporary ASP.NET Files\portal\a1b2\app.cmdline"`)
		})
		p.daily(16, 0, 40, workday, func(r *rand.Rand, t time.Time) {
			deploy := act.Running(act.System(h), `C:\Program Files\IIS\Microsoft Web Deploy V3\MsDepSvc.exe`)
			for _, page := range []string{"news.aspx", "forms.aspx"} {
				t = t.Add(time.Second)
				s.File(r, t, deploy, `C:\inetpub\wwwroot\portal\`+page)
			}
		})
	}
}
