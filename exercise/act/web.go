// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// Resolve is a DNS question of a machine to its domain controller, and the
// answer.
func (s *Scene) Resolve(r *rand.Rand, t time.Time, h *city.Host, name string, answer netip.Addr) {
	d := dc(h.Agency.Domain, h.Name)
	if !s.route(h.Addr, d.Addr).core {
		return
	}
	c := Conn{Src: On(h), Dst: On(d), Port: 53, UDP: true, SrcPort: uint16(49200 + r.IntN(16000)), uid: uid(r)}
	rec := logs.New(s.City.Core, logs.ZeekDNS, t, append(zeekID(&c), "trans_id", itoa(r.IntN(65536)), "query", name, "rtt", seconds(between(r, 600*time.Microsecond, 30*time.Millisecond)))...)
	if answer.IsValid() {
		rec.Set("answers", answer.String())
		rec.Set("TTLs", "300.000000")
	} else {
		rec.Set("rcode", "3")
		rec.Set("rcode_name", "NXDOMAIN")
	}
	s.emit(rec)
	if r.IntN(8) > 0 || !answer.IsValid() || s.City.Ours(answer) {
		return // the controller has it in its cache
	}
	// It asks the city's forwarder, which keeps a log of questions, and that asks
	// the provider.
	ns := s.City.Srv.Names
	s.Connect(r, ms(t, 1), Conn{Src: On(d), Dst: On(ns), Port: 53, UDP: true, Service: "dns", Out: 46, In: 78, For: 19 * time.Millisecond})
	s.say(ms(t, 2), ns, 911, logs.DNSQuery, "n", fmt.Sprintf("%04x", r.Uint32N(1<<16)), "ip", d.Addr.String(), "port", itoa(49200+r.IntN(16000)), "name", name, "server", ns.Addr.String())
	q, _ := s.Connect(r, ms(t, 3), Conn{Src: On(ns), Dst: End{Addr: resolver}, Port: 53, UDP: true, Service: "dns", App: "dns", Out: 46, In: 78, For: 18 * time.Millisecond})
	s.emit(logs.New(s.City.Perimeter, logs.EveDNS, ms(t, 20), append(s.eveHead(&q, "UDP"), "dns.id", itoa(r.IntN(65536)), "dns.rrname", name)...))
}

// resolver is the provider's.
var resolver = netip.MustParseAddr("198.18.0.53")

// Lease is a machine asking for its address, or asking to keep it; the request
// is relayed past the core switch to the server that gives addresses out.
func (s *Scene) Lease(r *rand.Rand, t time.Time, h *city.Host) {
	d := s.City.Srv.Names
	n := hash(h.FQDN())
	s.say(ms(t, 4), d, 812, logs.DHCPAck, "ip", h.Addr.String(), "mac", fmt.Sprintf("02:1c:%02x:%02x:%02x:%02x", n>>24, n>>16&255, n>>8&255, n&255), "host", h.Name, "relay", s.City.Segments[h.Segment].Gateway.String())
	s.emit(logs.New(s.City.Core, logs.ZeekDHCP, t, "uids", uid(r), "client_addr", h.Addr.String(), "server_addr", d.Addr.String(), "mac", fmt.Sprintf("02:1c:%02x:%02x:%02x:%02x", n>>24, n>>16&255, n>>8&255, n&255),
		"host_name", h.Name, "client_fqdn", h.FQDN(), "domain", h.Agency.Domain.DNS, "requested_addr", h.Addr.String(), "assigned_addr", h.Addr.String()))
}

// Asked is the same question as the process on the machine reports it (Sysmon
// 22).
func (s *Scene) Asked(r *rand.Rand, t time.Time, p Proc, name string, answer netip.Addr) Seen {
	return s.sysmon(r, t, p.Host, logs.SysmonDNS, "ProcessGuid", p.GUID, "ProcessId", itoa(p.PID), "QueryName", name, "QueryResults", "::ffff:"+answer.String()+";", "Image", p.Image, "User", p.user())
}

// Request is an HTTP request.
type Request struct {
	Src, Dst    End
	Port        uint16 // 0: 80
	Method      string // "" means GET
	Host, URI   string
	Agent       string
	Status      int // 0: 200
	Sent, Recvd int64
	By          *Proc
}

const browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"

// HTTP is a request in clear text: the connection, and the request where a
// sensor can read it.
func (s *Scene) HTTP(r *rand.Rand, t time.Time, q Request) (Conn, Seen) {
	if q.Port == 0 {
		q.Port = 80
	}
	if q.Method == "" {
		q.Method = "GET"
	}
	if q.Status == 0 {
		q.Status = 200
	}
	if q.Agent == "" {
		q.Agent = browser
	}
	c, at := s.Connect(r, t, Conn{Src: q.Src, Dst: q.Dst, Port: q.Port, Service: "http", App: "http", Out: q.Sent + 420, In: q.Recvd + 260, For: between(r, 60*time.Millisecond, 4*time.Second), By: q.By, Name: q.Host})
	f := at
	v := s.route(q.Src.Addr, q.Dst.Addr)
	if v.core {
		f.see(s.emit(logs.New(s.City.Core, logs.ZeekHTTP, ms(t, 9), append(zeekID(&c), "method", q.Method, "host", q.Host, "uri", q.URI, "user_agent", q.Agent,
			"request_body_len", itoa(q.Sent), "response_body_len", itoa(q.Recvd), "status_code", itoa(q.Status), "status_msg", statusText(q.Status))...)))
	}
	if v.perimeter {
		rec := logs.New(s.City.Perimeter, logs.EveHTTP, ms(t, 40), append(s.eveHead(&c, "TCP"), "http.hostname", q.Host, "http.url", q.URI, "http.http_user_agent", q.Agent,
			"http.http_content_type", "text/html", "http.http_method", q.Method, "http.status", itoa(q.Status), "http.length", itoa(q.Recvd))...)
		f.see(s.emit(rec))
	}
	return c, f
}

func statusText(n int) string {
	switch n {
	case 200:
		return "OK"
	case 302:
		return "Found"
	case 404:
		return "Not Found"
	case 403:
		return "Forbidden"
	case 500:
		return "Internal Server Error"
	}
	return "-"
}

// TLS is a connection of which only the server's name can be read.
func (s *Scene) TLS(r *rand.Rand, t time.Time, c Conn) (Conn, Seen) {
	if c.Port == 0 {
		c.Port = 443
	}
	c.Service, c.App = "ssl", "tls"
	c, at := s.Connect(r, t, c)
	f := at
	if c.established() && s.route(c.Src.Addr, c.Dst.Addr).core {
		name := c.Name
		if name == "" {
			name = "-"
		}
		version, cipher, cert := "TLSv13", "TLS_AES_256_GCM_SHA384", "-"
		if c.Cert != "" {
			version, cipher, cert = "TLSv12", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", c.Cert
		}
		f.see(s.emit(logs.New(s.City.Core, logs.ZeekSSL, ms(t, 24), append(zeekID(&c), "server_name", name, "ssl_history", "CsiI", "version", version, "cipher", cipher, "validation_status", cert)...)))
	}
	return c, f
}

// Visit is somebody looking at a web site.
func (s *Scene) Visit(r *rand.Rand, t time.Time, h *city.Host, site city.Site) {
	s.Resolve(r, t, h, site.Name, site.Addr)
	t = ms(t, 40)
	in := int64(3000 * (1 + r.ExpFloat64()*40))
	if site.Plain {
		s.HTTP(r, t, Request{Src: On(h), Dst: End{Addr: site.Addr}, Host: site.Name, URI: "/", Sent: 0, Recvd: in})
		return
	}
	cert := ""
	switch r.IntN(40) {
	case 0: // a site that forgot to renew
		cert = "certificate has expired"
	case 1, 2, 3, 4, 5, 6, 7, 8:
		cert = "ok"
	}
	s.TLS(r, t, Conn{Src: On(h), Dst: End{Addr: site.Addr}, Cert: cert, Out: 900 + r.Int64N(20000), In: in, For: between(r, time.Second, 3*time.Minute), Name: site.Name})
}

// Tunnel is a remote-access session.
type Tunnel struct {
	User   *city.Account
	Remote netip.Addr // where the client is
	Inner  netip.Addr // what the gateway gives it
	id     string
}

// gateway is where the VPN listens.
var gateway = netip.MustParseAddr("192.0.2.62")

// VPNUp opens a tunnel: the gateway's own traffic and its event.
func (s *Scene) VPNUp(r *rand.Rand, t time.Time, v *Tunnel) Seen {
	v.id = itoa(100000 + r.Uint32N(900000000))
	s.portal(r, t, v.Remote, 5200, 9100)
	return s.emit(logs.New(s.City.Edge, logs.FortiVPNUp, t.Add(3*time.Second), v.pairs()...))
}

func (v *Tunnel) pairs() []string {
	return []string{"tunnelid", v.id, "remip", v.Remote.String(), "tunnelip", v.Inner.String(), "user", v.User.Name}
}

// VPNDown closes it after d.
func (s *Scene) VPNDown(t time.Time, v *Tunnel, d time.Duration, out, in int64) {
	s.emit(logs.New(s.City.Edge, logs.FortiVPNEnd, t, append(v.pairs(), "duration", itoa(int64(d/time.Second)), "sentbyte", itoa(out), "rcvdbyte", itoa(in))...))
}

// VPNRefused is a wrong password at the gateway.
func (s *Scene) VPNRefused(r *rand.Rand, t time.Time, user string, remote netip.Addr) {
	s.portal(r, t, remote, 2100, 4300)
	s.emit(logs.New(s.City.Edge, logs.FortiVPNBad, t.Add(2*time.Second), "tunnelid", "0", "tunneltype", "ssl-web", "remip", remote.String(), "user", user))
}

// portal is the gateway's own record of a connection to itself.
func (s *Scene) portal(r *rand.Rand, t time.Time, remote netip.Addr, out, in int64) {
	s.emit(logs.New(s.City.Edge, logs.FortiLocal, t, "srcip", remote.String(), "srcport", itoa(uint16(20000+r.IntN(40000))), "srcintf", "wan1", "srcintfrole", "wan",
		"dstip", gateway.String(), "dstport", "443", "dstintf", "root", "srccountry", city.Country(remote), "sessionid", itoa(1000000+r.Uint32N(90000000)),
		"action", "close", "policyid", "0", "policytype", "local-in-policy", "service", "HTTPS", "duration", "2", "sentbyte", itoa(out), "rcvdbyte", itoa(in), "sentpkt", "18", "rcvdpkt", "20"))
}
