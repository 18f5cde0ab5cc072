// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"citywall/asset"
	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// Conn is a connection.
type Conn struct {
	Src, Dst End
	SrcPort  uint16 // 0: an ephemeral one
	Port     uint16
	UDP      bool
	Service  string // as Zeek names it, "-" unknown
	App      string // as Suricata names it
	Out, In  int64  // payload bytes from source to destination and back
	For      time.Duration
	State    string // Zeek conn_state; "" means SF
	Denied   bool   // a firewall on the way said no
	By       *Proc  // process of the source that Sysmon reports, nil for none
	Name     string // of the destination as the client knows it
	Cert     string // Zeek's verdict on the certificate; "" when TLS 1.3 hides it

	uid   string
	flow  uint64
	outer netip.Addr // address and port by which the outside knows the source
	port  uint16
}

// established reports whether data went both ways.
func (c *Conn) established() bool { return !c.Denied && c.State != "S0" && c.State != "REJ" }

func (c *Conn) proto() (name, number, upper string) {
	if c.UDP {
		return "udp", "17", "UDP"
	}
	return "tcp", "6", "TCP"
}

// sees says which sensors a connection passes.
type sees struct{ edge, wall, core, perimeter bool }

// route follows the cables: outside, DMZ and VPN hang on the edge firewall,
// behind which Suricata listens; the core switch sees what goes between inner
// networks and beyond them, but not what stays within one; the hospital's
// firewall stands before its clinical networks and between it and the other
// agencies.
func (s *Scene) route(src, dst netip.Addr) sees {
	a, b := s.zone(src), s.zone(dst)
	outside := a.zone == asset.ZoneExternal || b.zone == asset.ZoneExternal
	dmz := a.zone == asset.ZoneDMZ || b.zone == asset.ZoneDMZ
	vpn := a.zone == asset.ZoneVPN || b.zone == asset.ZoneVPN
	if a.seg == b.seg && a.seg >= 0 {
		return sees{}
	}
	v := sees{edge: outside || dmz || vpn, perimeter: outside}
	v.core = !(outside && dmz)
	clinical := (a.zone == asset.ZoneClinical) != (b.zone == asset.ZoneClinical)
	hos := s.City.Hospital.Code
	v.wall = clinical || !outside && (a.agency == hos) != (b.agency == hos)
	return v
}

type place struct {
	seg    int
	zone   asset.Zone
	agency string
}

func (s *Scene) zone(a netip.Addr) place {
	i := s.City.SegmentOf(a)
	if i < 0 {
		return place{-1, asset.ZoneExternal, ""}
	}
	g := &s.City.Segments[i]
	return place{i, g.Zone, g.Agency}
}

// Connect makes a connection and returns it with its ports and ids, and the
// earliest stamp of a record of it; zero when nobody saw it.
func (s *Scene) Connect(r *rand.Rand, t time.Time, c Conn) (Conn, Seen) {
	if c.SrcPort == 0 {
		c.SrcPort = uint16(49200 + r.IntN(16000))
	}
	if c.Service == "" {
		c.Service = "-"
	}
	if c.State == "" {
		c.State = "SF"
		if c.Denied {
			c.State = "S0"
		}
	}
	if !c.established() {
		c.Out, c.In = 0, 0
	}
	c.uid, c.flow = uid(r), r.Uint64N(1<<50)
	v := s.route(c.Src.Addr, c.Dst.Addr)
	var f Seen
	if c.By != nil {
		f.see(s.sysmonConnect(r, t, &c))
	}
	if v.edge && v.perimeter && s.NAT {
		s.hide(&c)
	}
	if v.core && !(c.Denied && !s.City.Ours(c.Src.Addr)) {
		if s.Sample > 0 {
			f.see(s.sampled(t, &c))
		} else {
			f.see(s.zeekConn(t, &c))
		}
	}
	if v.perimeter && !c.Denied {
		f.see(s.eveFlow(r, t, &c))
	}
	if v.wall {
		f.see(s.traffic(r, t, &c, s.City.HospitalWall))
	}
	if v.edge {
		f.see(s.traffic(r, t, &c, s.City.Edge))
	}
	f.Port = c.SrcPort
	return c, f
}

// packets estimates the packets of a payload.
func packets(n int64, c *Conn) int64 {
	if !c.established() {
		return 0
	}
	switch {
	case c.UDP:
		return 1 + n/1400
	case c.State == "RSTO" && c.Out+c.In == 0: // opened and broken off at once
		return 2
	}
	return 4 + n/1100
}

func (s *Scene) zeekConn(t time.Time, c *Conn) Seen {
	proto, _, _ := c.proto()
	p, q := packets(c.Out, c), packets(c.In, c)
	history, dur := "ShADadFf", c.For
	head := int64(40)
	switch {
	case c.State == "S0":
		history, dur, p, q = "S", 0, 1, 0
	case c.State == "REJ":
		history, dur, p, q = "Sr", time.Millisecond, 1, 1
	case c.State == "RSTO" && c.Out+c.In == 0:
		history = "ShAR"
	case c.State == "RSTO":
		history = "ShADadR"
	case c.State == "S1":
		history = "ShADad"
	case c.UDP:
		history, head = "Dd", 28
	}
	rec := logs.New(s.City.Core, logs.ZeekConn, t,
		"uid", c.uid, "id.orig_h", c.Src.Addr.String(), "id.orig_p", itoa(c.SrcPort), "id.resp_h", c.Dst.Addr.String(), "id.resp_p", itoa(c.Port),
		"proto", proto, "service", c.Service, "conn_state", c.State, "history", history,
		"local_orig", boolean(s.City.Ours(c.Src.Addr)), "local_resp", boolean(s.City.Ours(c.Dst.Addr)),
		"orig_pkts", itoa(p), "orig_ip_bytes", itoa(c.Out+p*head), "resp_pkts", itoa(q), "resp_ip_bytes", itoa(c.In+q*head))
	if dur > 0 {
		rec.Set("duration", seconds(dur))
		rec.Set("orig_bytes", itoa(c.Out))
		rec.Set("resp_bytes", itoa(c.In))
	}
	return s.emit(rec.After(dur + 2*time.Second)) // Zeek writes a connection when it is over
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// eveFlow writes Suricata's flow record, whose timestamp is that of writing, and
// returns the start that stands in it.
func (s *Scene) eveFlow(r *rand.Rand, t time.Time, c *Conn) Seen {
	_, _, proto := c.proto()
	end := t.Add(c.For)
	at := end.Add(between(r, 2*time.Second, 30*time.Second))
	p, q := packets(c.Out, c), packets(c.In, c)
	state, reason := "closed", "shutdown"
	if c.State == "S0" || c.State == "REJ" {
		state, reason, p = "new", "timeout", 1
	}
	o := s.City.Perimeter.Offset
	written := s.emit(logs.New(s.City.Perimeter, logs.EveFlow, at, append(s.eveHead(c, proto), "app_proto", c.App,
		"flow.pkts_toserver", itoa(p), "flow.pkts_toclient", itoa(q), "flow.bytes_toserver", itoa(c.Out+p*54), "flow.bytes_toclient", itoa(c.In+q*54),
		"flow.start", eveTime(t.Add(o)), "flow.end", eveTime(end.Add(o)), "flow.age", itoa(int64(c.For/time.Second)), "flow.state", state, "flow.reason", reason)...))
	if written.IsZero() || c.outer.IsValid() { // behind the pool the record names nobody
		return Seen{}
	}
	return s.seen(s.City.Perimeter, t.Add(o).UTC().Truncate(time.Microsecond))
}

func (s *Scene) eveHead(c *Conn, proto string) []string {
	src, port := c.Src.Addr, c.SrcPort
	if c.outer.IsValid() {
		src, port = c.outer, c.port
	}
	return []string{
		"flow_id", itoa(int64(c.flow)), "src_ip", src.String(), "src_port", itoa(port), "dest_ip", c.Dst.Addr.String(), "dest_port", itoa(c.Port),
		"proto", proto,
	}
}

var taipei = time.FixedZone("Asia/Taipei", 8*3600)

func eveTime(t time.Time) string { return t.In(taipei).Format("2006-01-02T15:04:05.000000-0700") }

// Alert writes a Suricata alert on a connection, if the sensor saw it.
func (s *Scene) Alert(t time.Time, c Conn, id int, severity int, signature, category string) {
	if !s.route(c.Src.Addr, c.Dst.Addr).perimeter {
		return
	}
	_, _, proto := c.proto()
	s.emit(logs.New(s.City.Perimeter, logs.EveAlert, t, append(s.eveHead(&c, proto), "app_proto", c.App,
		"alert.signature_id", itoa(id), "alert.signature", signature, "alert.category", category, "alert.severity", itoa(severity),
		"flow.pkts_toserver", "4", "flow.pkts_toclient", "3", "flow.bytes_toserver", "812", "flow.bytes_toclient", "1480", "flow.start", eveTime(t.Add(s.City.Perimeter.Offset)))...))
}

// traffic writes a firewall's traffic record; it is made when the session
// ends, and its time is that end. The session began at t.
func (s *Scene) traffic(r *rand.Rand, t time.Time, c *Conn, wall *logs.Source) Seen {
	_, proto, _ := c.proto()
	action, policy, dur := "close", "12", c.For
	switch {
	case c.Denied:
		action, policy, dur = "deny", "0", 0
	case c.State == "S0":
		action, dur = "timeout", 10*time.Second
	case c.State == "REJ":
		action = "server-rst"
	case c.State == "RSTO":
		action = "client-rst"
	case c.UDP:
		action = "accept"
	}
	p, q := packets(c.Out, c), packets(c.In, c)
	if !c.established() {
		p = 1 // the firewall counts the first packet of what comes to nothing
		if c.State == "REJ" {
			q = 1
		}
	}
	from, fromRole := s.port(wall, c.Src.Addr)
	to, toRole := s.port(wall, c.Dst.Addr)
	rec := logs.New(wall, logs.FortiForward, t.Add(dur),
		"srcip", c.Src.Addr.String(), "srcport", itoa(c.SrcPort), "srcintf", from, "srcintfrole", fromRole,
		"dstip", c.Dst.Addr.String(), "dstport", itoa(c.Port), "dstintf", to, "dstintfrole", toRole,
		"sessionid", itoa(1000000+r.Uint32N(90000000)), "proto", proto, "action", action, "policyid", policy, "service", fortiService(c),
		"duration", itoa(int64(dur/time.Second)), "sentbyte", itoa(c.Out+p*40), "rcvdbyte", itoa(c.In+q*40), "sentpkt", itoa(p), "rcvdpkt", itoa(q))
	if !s.City.Ours(c.Src.Addr) {
		rec.Set("srccountry", city.Country(c.Src.Addr))
	}
	if !s.City.Ours(c.Dst.Addr) {
		rec.Set("dstcountry", city.Country(c.Dst.Addr))
		if s.zone(c.Src.Addr).zone != asset.ZoneDMZ {
			rec.Set("trandisp", "snat")
			rec.Set("transip", "192.0.2.61")
			rec.Set("transport", itoa(c.SrcPort))
			if c.outer.IsValid() {
				rec.Set("transip", c.outer.String())
				rec.Set("transport", itoa(c.port))
			}
		}
	}
	v := s.emit(rec)
	if !v.IsZero() {
		v.At = t.UTC()
	}
	return v
}

// hide gives a connection from the inner networks an address of the firewall's
// pool and another port.
func (s *Scene) hide(c *Conn) {
	if z := s.zone(c.Src.Addr).zone; z == asset.ZoneExternal || z == asset.ZoneDMZ {
		return
	}
	c.outer = netip.AddrFrom4([4]byte{192, 0, 2, byte(56 + c.flow%4)})
	c.port = uint16(5117 + c.flow>>8%60000)
}

// sampled writes what a switch that looks at one packet in s.Sample exports of
// a connection: a record for each direction of which it caught any.
func (s *Scene) sampled(t time.Time, c *Conn) Seen {
	var f Seen
	r := rand.New(rand.NewPCG(c.flow, 0x5a3b1e))
	p, q := packets(c.Out, c), packets(c.In, c)
	if !c.established() {
		p = 1
		if c.State == "REJ" {
			q = 1
		}
	}
	_, number, _ := c.proto()
	name, _, _ := c.proto()
	export := func(src, dst netip.Addr, sport, dport uint16, packets, bytes int64) {
		n := caught(r, packets, s.Sample)
		if n == 0 {
			return
		}
		size := int64(40)
		if packets > 0 {
			size += bytes / packets
		}
		from := t.Add(time.Duration(r.Float64() * float64(c.For) / float64(n+1))) // first and last packet that was caught
		to := t.Add(c.For - time.Duration(r.Float64()*float64(c.For)/float64(n+1)))
		if n == 1 {
			to = from
		}
		o := s.City.Flows.Offset
		const stamp = "2006-01-02T15:04:05.000Z"
		rec := logs.New(s.City.Flows, logs.Flow, to.Add(between(r, time.Second, 15*time.Second)), "src", src.String(), "dst", dst.String(), "sport", itoa(sport), "dport", itoa(dport), "proto", number, "transport", name,
			"octets", itoa(n*size), "packets", itoa(n), "interval", itoa(s.Sample), "start", from.Add(o).UTC().Format(stamp), "end", to.Add(o).UTC().Format(stamp))
		if c.UDP {
			rec.Set("flags", "0")
		}
		v := s.emit(rec)
		if !v.IsZero() {
			v.At = from.UTC()
		}
		f.see(v)
	}
	export(c.Src.Addr, c.Dst.Addr, c.SrcPort, c.Port, p, c.Out)
	export(c.Dst.Addr, c.Src.Addr, c.Port, c.SrcPort, q, c.In)
	return f
}

// caught draws how many of n packets are the one in rate that is looked at.
func caught(r *rand.Rand, n int64, rate int) int64 {
	mean := float64(n) / float64(rate)
	if n > 1000 { // close enough to normal
		return max(0, int64(mean+r.NormFloat64()*math.Sqrt(mean)+0.5))
	}
	k := int64(0)
	for range n {
		if r.IntN(rate) == 0 {
			k++
		}
	}
	return k
}

// port names the interface of a firewall towards an address.
func (s *Scene) port(wall *logs.Source, a netip.Addr) (name, role string) {
	z := s.zone(a)
	if wall == s.City.HospitalWall {
		switch {
		case z.zone == asset.ZoneClinical:
			return "clinical", "lan"
		case z.agency == s.City.Hospital.Code:
			return "inside", "lan"
		}
		return "backbone", "wan"
	}
	switch z.zone {
	case asset.ZoneExternal:
		return "wan1", "wan"
	case asset.ZoneDMZ:
		return "dmz", "dmz"
	case asset.ZoneVPN:
		return "ssl.root", "undefined"
	}
	return "port2", "lan"
}

var fortiServices = map[uint16]string{
	22: "SSH", 25: "SMTP", 53: "DNS", 80: "HTTP", 88: "KERBEROS", 135: "DCE-RPC", 139: "SAMBA", 161: "SNMP", 389: "LDAP", 443: "HTTPS", 445: "SMB",
	993: "IMAPS", 3128: "tcp/3128", 3389: "RDP", 5985: "tcp/5985", 8080: "tcp/8080", 11112: "tcp/11112",
}

func fortiService(c *Conn) string {
	if n, ok := fortiServices[c.Port]; ok {
		return n
	}
	p, _, _ := c.proto()
	return p + "/" + itoa(c.Port)
}

func (s *Scene) sysmonConnect(r *rand.Rand, t time.Time, c *Conn) Seen {
	h := c.Src.Host
	if h == nil {
		return Seen{}
	}
	name := c.Name
	if name == "" {
		name = "-"
		if c.Dst.Host != nil {
			name = c.Dst.Host.FQDN()
		}
	}
	proto, _, _ := c.proto()
	return s.sysmon(r, ms(t, 30), h, logs.SysmonConnect,
		"ProcessGuid", c.By.GUID, "ProcessId", itoa(c.By.PID), "Image", c.By.Image, "User", c.By.user(), "Protocol", proto,
		"SourceIp", h.Addr.String(), "SourceHostname", h.FQDN(), "SourcePort", itoa(c.SrcPort),
		"DestinationIp", c.Dst.Addr.String(), "DestinationHostname", name, "DestinationPort", itoa(c.Port))
}

// seconds writes a duration as Zeek does.
func seconds(d time.Duration) string {
	us := d.Microseconds()
	frac := itoa(1000000 + us%1000000)
	return itoa(us/1000000) + "." + frac[1:]
}
