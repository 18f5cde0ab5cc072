// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"bufio"
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"citywall/asset"
)

// A running configuration of a Cisco ASA is blocks that begin at the left edge;
// their lines are indented (ASA general operations and firewall CLI
// configuration guides, "Interfaces", "Static routes", "Objects for access
// control", "Access rules", "Network address translation"). Objects may be used
// before they stand in the file, so that access lists are read at its end
// (asarules.go).

// asaFace is an interface.
type asaFace struct {
	name     string // nameif
	level    int    // security level; -1: not said
	mgmtOnly bool   // lets nothing through
	ip       []string
	ip6      string
}

// asaGroup is what an object or an object group holds, as the words of its
// lines.
type asaGroup struct {
	proto string // of a service group: tcp, udp, tcp-udp or ""
	lines [][]string
}

// asaRule is one line of an access list.
type asaRule struct {
	line   int
	permit bool
	words  []string // from the protocol on
}

type asaFile struct {
	d       *Drawing
	names   map[string]netip.Addr // "name ADDRESS WORD"
	faces   []*asaFace
	nets    networks
	objects map[string]asaGroup // "network NAME", "service NAME"
	groups  map[string]asaGroup // "network NAME", "service NAME", "protocol NAME"
	lists   map[string][]asaRule
	in, out map[string]string // interface -> list
	global  string
	pools   []netip.Prefix
	statics map[netip.Addr]netip.Addr // seen from outside -> real: "static" of versions before 8.3
	sameOK  bool                      // same-security-traffic permit inter-interface
	noVPN   bool                      // no sysopt connection permit-vpn
	rules   int
}

// asa reads the running configuration of a Cisco ASA, or the part of an FTD's
// that is written like one.
func asa(b []byte) (Drawing, error) {
	d := Drawing{Kind: ASA}
	c := &asaFile{
		d: &d, names: map[string]netip.Addr{}, nets: networks{}, objects: map[string]asaGroup{}, groups: map[string]asaGroup{}, lists: map[string][]asaRule{},
		in: map[string]string{}, out: map[string]string{}, statics: map[netip.Addr]netip.Addr{},
	}
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(make([]byte, 64<<10), 1<<20)
	var block string
	var words []string // of the block's first line
	var face *asaFace
	n := 0
	for sc.Scan() {
		n++
		w := strings.Fields(sc.Text())
		if len(w) == 0 {
			continue
		}
		if sc.Text()[0] == ' ' {
			c.inner(n, block, words, face, w)
			continue
		}
		block, words = w[0], w
		c.close(face)
		face = nil
		if block == "interface" {
			face = &asaFace{level: -1}
		}
		c.outer(n, w)
	}
	c.close(face)
	if err := sc.Err(); err != nil {
		d.note("line %d: %v", n+1, err)
	}
	c.paths()
	return d, nil
}

// close ends an interface's block.
func (c *asaFile) close(f *asaFace) {
	if f == nil || f.name == "" || len(c.faces) >= maxItems {
		return
	}
	zone := zoneOf(f.name)
	switch {
	case zone != "":
	case f.level == 0:
		zone = asset.ZoneExternal
	case f.level == 100:
		zone = asset.ZoneInside
	case f.level > 0:
		zone = asset.ZoneDMZ
	}
	c.faces = append(c.faces, f)
	if len(f.ip) >= 2 {
		if p, ok := c.prefix(f.ip[0], f.ip[1]); ok {
			c.d.segment(f.name, p, zone, p.Addr())
			c.nets.add(f.name, p)
		}
	}
	if p, err := netip.ParsePrefix(f.ip6); err == nil {
		c.d.segment(f.name, p, zone, p.Addr())
		c.nets.add(f.name, p)
	}
}

// face is the interface of that name; nil when there is none.
func (c *asaFile) face(name string) *asaFace {
	for _, f := range c.faces {
		if f.name == name {
			return f
		}
	}
	return nil
}

// outer reads a line at the left edge.
func (c *asaFile) outer(n int, w []string) {
	at := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	switch {
	case w[0] == "hostname" && len(w) > 1:
		c.d.Device = w[1]
	case w[0] == "name" && len(w) > 2:
		if a, err := netip.ParseAddr(w[1]); err == nil {
			c.names[w[2]] = a
			c.d.host(w[2], a)
		}
	case w[0] == "route" && len(w) > 4:
		p, ok := c.prefix(w[2], w[3])
		if !ok {
			c.d.note("line %d: the route %s is not understood", n, strings.Join(w[1:], " "))
			return
		}
		gw, _ := c.addr(w[4])
		c.route(w[1], p, gw)
	case w[0] == "ipv6" && at(1) == "route" && len(w) > 4:
		if p, err := netip.ParsePrefix(w[3]); err == nil {
			gw, _ := netip.ParseAddr(w[4])
			c.route(w[2], p, gw)
		}
	case w[0] == "ip" && at(1) == "local" && at(2) == "pool" && len(w) > 6: // ip local pool NAME first-last mask MASK
		if lo, _, ok := strings.Cut(w[4], "-"); ok {
			if p, ok := c.prefix(lo, w[6]); ok {
				c.d.segment(w[3], p, asset.ZoneVPN, netip.Addr{})
				c.pools = append(c.pools, p.Masked())
			}
		}
	case w[0] == "access-list" && len(w) > 4:
		c.listed(n, w)
	case w[0] == "access-group" && at(2) == "global":
		c.global = w[1]
	case w[0] == "access-group" && at(3) == "interface" && len(w) > 4:
		switch w[2] {
		case "in":
			c.in[w[4]] = w[1]
		case "out":
			c.out[w[4]] = w[1]
		}
	case w[0] == "same-security-traffic" && at(2) == "inter-interface":
		c.sameOK = true
	case w[0] == "no" && at(1) == "sysopt" && at(3) == "permit-vpn":
		c.noVPN = true
	case w[0] == "static" && len(w) > 3: // static (real,mapped) MAPPED REAL …, before 8.3
		mapped, ok1 := c.addr(w[2])
		if real, ok2 := c.addr(w[3]); ok1 && ok2 && len(c.statics) < maxItems {
			c.statics[mapped] = real
		}
	}
}

func (c *asaFile) route(face string, p netip.Prefix, gw netip.Addr) {
	zone := asset.Zone("")
	for _, s := range c.d.Topology.Segments {
		if s.Name == face {
			zone = s.Zone
			break
		}
	}
	c.d.segment("route over "+face, p, zone, gw)
	c.nets.add(face, p)
}

// listed takes a line of an access list that says what may pass: access-list
// NAME [line N] [extended|advanced] permit|deny|trust …
func (c *asaFile) listed(n int, w []string) {
	name, w := w[1], w[2:]
	if w[0] == "line" && len(w) > 2 {
		w = w[2:]
	}
	switch w[0] {
	case "extended", "advanced":
		w = w[1:]
	case "permit", "deny": // as old versions write it
	default: // remark, standard, ethertype, webtype
		return
	}
	if len(w) < 3 || w[len(w)-1] == "inactive" {
		return
	}
	permit := w[0] == "permit" || w[0] == "trust"
	if !permit && w[0] != "deny" {
		return
	}
	if c.rules++; c.rules > maxItems {
		if c.rules == maxItems+1 {
			c.d.note("line %d: more than %d lines of access lists", n, maxItems)
		}
		return
	}
	c.lists[name] = append(c.lists[name], asaRule{n, permit, w[1:]})
}

// inner reads an indented line of a block.
func (c *asaFile) inner(n int, block string, of []string, face *asaFace, w []string) {
	switch {
	case face != nil:
		switch {
		case w[0] == "nameif" && len(w) > 1:
			face.name = w[1]
		case w[0] == "security-level" && len(w) > 1:
			if l, err := strconv.Atoi(w[1]); err == nil && l >= 0 && l <= 100 {
				face.level = l
			}
		case w[0] == "management-only":
			face.mgmtOnly = true
		case w[0] == "ip" && len(w) > 3 && w[1] == "address":
			face.ip = w[2:]
		case w[0] == "ipv6" && len(w) > 2 && w[1] == "address" && strings.Contains(w[2], "/"):
			face.ip6 = w[2]
		}
	case block == "object" && len(of) > 2 && len(w) > 1:
		key := of[1] + " " + of[2]
		switch w[0] {
		case "host":
			if a, ok := c.addr(w[1]); ok && of[1] == "network" {
				c.d.host(of[2], a)
			}
		case "subnet":
			if p, ok := c.subnet(w[1:]); ok && of[1] == "network" {
				c.d.segment(of[2], p, "", netip.Addr{})
			}
		case "nat":
			c.published(key, of[2], w)
			return
		case "range", "fqdn", "service":
		default: // description
			return
		}
		c.hold(n, c.objects, key, "", w)
	case block == "object-group" && len(of) > 2:
		switch w[0] {
		case "network-object", "group-object", "port-object", "service-object", "protocol-object":
			proto := ""
			if len(of) > 3 {
				proto = of[3]
			}
			c.hold(n, c.groups, of[1]+" "+of[2], proto, w)
		}
	}
}

// hold keeps a line of an object or group.
func (c *asaFile) hold(n int, in map[string]asaGroup, key, proto string, w []string) {
	g := in[key]
	if len(g.lines) >= maxItems {
		c.d.note("line %d: %s has more than %d lines", n, key, maxItems)
		return
	}
	g.proto, g.lines = proto, append(g.lines, w)
	in[key] = g
}

// published reads "nat (real,mapped) static MAPPED service tcp PORT PORT" of a
// network object: what it shows to others says what the machine is for.
func (c *asaFile) published(key, name string, w []string) {
	for i, x := range w {
		if x == "service" && i+2 < len(w) {
			for _, l := range c.objects[key].lines {
				if a, ok := c.addr(l[1]); ok && l[0] == "host" {
					if p, ok := asaPort(w[i+2]); ok {
						c.d.host(name, a, published(strconv.Itoa(int(p)))...)
					}
				}
			}
		}
	}
}

// addr reads an address, or a name that stands for one; "0" is all zeros.
func (c *asaFile) addr(s string) (netip.Addr, bool) {
	if a, ok := c.names[s]; ok {
		return a, true
	}
	if s == "0" {
		return netip.IPv4Unspecified(), true
	}
	a, err := netip.ParseAddr(s)
	return a, err == nil
}

// prefix reads an address and a mask.
func (c *asaFile) prefix(addr, mask string) (netip.Prefix, bool) {
	a, ok := c.addr(addr)
	if mask == "0" {
		mask = "0.0.0.0"
	}
	if !ok {
		return netip.Prefix{}, false
	}
	return maskPrefix(a.String(), mask)
}

// subnet reads ADDRESS MASK or, of IPv6, a prefix.
func (c *asaFile) subnet(w []string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(w[0]); err == nil {
		return p.Masked(), true
	}
	if len(w) < 2 {
		return netip.Prefix{}, false
	}
	p, ok := c.prefix(w[0], w[1])
	return p.Masked(), ok
}
