// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// What may pass an ASA (firewall CLI configuration guide, "Access rules"): the
// list that an interface has for what comes in, then the global one, then
// nothing; without either, what goes to an interface of a lower security level.
// A list for what goes out narrows that. A rule is never read narrower than it
// is: what is not understood of it stands for everything, and a "deny" takes
// away only what it covers whole.

const (
	maxNest   = 16         // groups within groups
	maxDenies = 2_000      // of one list, held against what comes after
	maxWork   = 20_000_000 // pairs of networks, and denials held against them, of one file
)

// asaACE is a rule with its objects resolved.
type asaACE struct {
	note     string
	permit   bool
	proto    string // "ip" for all
	from, to []netip.Prefix
	ports    []uint16 // of the one who answers; nil: all
	fromIf   string   // "ifc" of an FTD; "": any
	toIf     string
}

// whole is "any".
var whole = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// paths adds what may pass between the networks of the file.
func (c *asaFile) paths() {
	e := asaEmit{c: c, lists: map[string][]asaACE{}, all: map[[2]netip.Prefix]bool{}, some: map[string]bool{}}
	var faces []*asaFace
	for _, f := range c.faces {
		if !f.mgmtOnly && len(c.nets[f.name]) > 0 {
			faces = append(faces, f)
		}
	}
	ruled := len(c.in)+len(c.out)+len(c.lists) > 0 || c.global != "" || slices.ContainsFunc(faces, func(f *asaFace) bool { return f.level >= 0 })
	if !ruled {
		return
	}
	c.d.within(c.nets)
	for _, from := range faces {
		var rules []asaACE
		if l, ok := c.in[from.name]; ok {
			rules = append(rules, e.list(l)...)
		}
		if c.global != "" {
			rules = append(rules, e.list(c.global)...)
		}
		_, listed := c.in[from.name]
		for _, to := range faces {
			if from == to {
				continue
			}
			switch {
			case listed || c.global != "":
				e.pass(rules, from.name, to.name, c.nets[to.name])
			case from.level > to.level || from.level == to.level && c.sameOK:
				note := "security level " + strconv.Itoa(from.level) + " to " + strconv.Itoa(to.level)
				for _, f := range c.nets[from.name] {
					for _, t := range c.nets[to.name] {
						e.path(f, t, nil, note, to.name)
					}
				}
			}
		}
		if listed || c.global != "" {
			e.pass(rules, from.name, "", c.pools)
		} else {
			for _, f := range c.nets[from.name] {
				for _, t := range c.pools {
					e.path(f, t, nil, "pool of the VPN", "")
				}
			}
		}
		if !c.noVPN { // what comes through a tunnel is held against no interface's list
			for _, f := range c.pools {
				for _, t := range c.nets[from.name] {
					e.path(f, t, nil, "pool of the VPN", "")
				}
			}
		}
	}
}

// asaEmit turns rules into paths, each once.
type asaEmit struct {
	c     *asaFile
	lists map[string][]asaACE
	all   map[[2]netip.Prefix]bool // on every port
	some  map[string]bool
	work  int
	full  bool
}

// list resolves an access list once.
func (e *asaEmit) list(name string) []asaACE {
	if l, ok := e.lists[name]; ok {
		return l
	}
	rules, ok := e.c.lists[name]
	var out []asaACE
	if !ok {
		e.c.d.note("the access list %s is used and not in the file: everything may pass it", name)
		out = append(out, asaACE{note: "access list " + name, permit: true, proto: "ip", from: whole, to: whole})
	}
	for _, r := range rules {
		if a, ok := e.c.ace(r); ok {
			a.note = "access list " + name + " line " + strconv.Itoa(r.line)
			out = append(out, a)
		}
	}
	e.lists[name] = out
	return out
}

// pass adds what rules let from the networks of one interface to others.
func (e *asaEmit) pass(rules []asaACE, fromIf, toIf string, to []netip.Prefix) {
	var denies []asaACE
	for _, r := range rules {
		if r.fromIf != "" && r.fromIf != fromIf || r.toIf != "" && r.toIf != toIf {
			continue
		}
		if !r.permit {
			if len(denies) < maxDenies {
				denies = append(denies, r)
			}
			continue
		}
		sources := e.meet(r.from, fromIf, e.c.nets[fromIf])
		for _, t := range e.meet(r.to, toIf, to) {
			for _, f := range sources {
				if e.work += 1 + len(denies); e.work > maxWork || len(e.c.d.Topology.Paths) >= maxPaths {
					if !e.full {
						e.c.d.note("%s: the lists allow more than is looked at", r.note)
					}
					e.full = true
					return
				}
				if !slices.ContainsFunc(denies, func(d asaACE) bool { return d.covers(r.proto, f, t, r.ports) }) {
					e.path(f, t, r.ports, r.note, toIf)
				}
			}
		}
	}
}

// meet cuts what a rule names to the networks behind an interface. What lies
// behind none is taken as it stands: routes may be learned.
func (e *asaEmit) meet(named []netip.Prefix, face string, behind []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range named {
		met := false
		for _, b := range behind {
			if p.Overlaps(b) {
				met = true
				if p.Bits() > b.Bits() {
					b = p
				}
				out = append(out, b)
			}
		}
		if !met && p.Bits() > 0 && face != "" && !e.elsewhere(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

// elsewhere reports whether p lies behind any interface, or is the pool of a VPN.
func (e *asaEmit) elsewhere(p netip.Prefix) bool {
	for _, ns := range e.c.nets {
		if slices.ContainsFunc(ns, p.Overlaps) {
			return true
		}
	}
	return slices.ContainsFunc(e.c.pools, p.Overlaps)
}

// covers reports whether a rule takes all of what may go from f to t.
func (d asaACE) covers(proto string, f, t netip.Prefix, ports []uint16) bool {
	in := func(ps []netip.Prefix, x netip.Prefix) bool {
		return slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Bits() <= x.Bits() && p.Contains(x.Addr()) })
	}
	if d.proto != "ip" && d.proto != proto || !in(d.from, f) || !in(d.to, t) {
		return false
	}
	return d.ports == nil || ports != nil && !slices.ContainsFunc(ports, func(p uint16) bool { return !slices.Contains(d.ports, p) })
}

// touches reports whether a rule speaks of some of it.
func (d asaACE) touches(proto string, f, t netip.Prefix, ports []uint16) bool {
	return (d.proto == "ip" || proto == "ip" || d.proto == proto) && slices.ContainsFunc(d.from, f.Overlaps) && slices.ContainsFunc(d.to, t.Overlaps) &&
		(d.ports == nil || ports == nil || slices.ContainsFunc(ports, func(p uint16) bool { return slices.Contains(d.ports, p) }))
}

// path adds a path that no path before it holds, unless the list of what goes
// out of the other interface never lets any of it through.
func (e *asaEmit) path(f, t netip.Prefix, ports []uint16, note, toIf string) {
	if f == t || e.all[[2]netip.Prefix{f, t}] {
		return
	}
	key := f.String() + t.String()
	for _, p := range ports {
		key += " " + strconv.Itoa(int(p))
	}
	if e.some[key] {
		return
	}
	if l, ok := e.c.out[toIf]; ok && toIf != "" {
		let := false
		for _, r := range e.list(l) {
			if !r.permit && r.covers("ip", f, t, ports) {
				break
			}
			if let = r.permit && r.touches("ip", f, t, ports); let {
				break
			}
		}
		if !let {
			return
		}
	}
	if ports == nil {
		e.all[[2]netip.Prefix{f, t}] = true
	}
	e.some[key] = true
	e.c.d.path([]netip.Prefix{f}, []netip.Prefix{t}, ports, note)
}

// ace resolves a rule; false when it says nothing of networks.
func (c *asaFile) ace(r asaRule) (asaACE, bool) {
	out := asaACE{permit: r.permit, proto: r.words[0]}
	w := r.words[1:]
	var fromService []uint16
	service := false
	if (out.proto == "object" || out.proto == "object-group") && len(w) > 0 {
		name := w[0]
		w = w[1:]
		if !c.isService(name) { // a group of protocols
			out.proto = "ip"
			if !r.permit && !c.mostProtocols(name) {
				return out, false
			}
		} else {
			out.proto, fromService, service = "ip", c.service(name, 0), true
		}
	}
	var ok bool
	if out.fromIf, w, ok = c.ifc(w); !ok {
		return out, false
	}
	if out.from, w, ok = c.network(r, w); !ok {
		return out, false
	}
	if c.startsPorts(w) {
		if _, w, _ = c.ports(w); !r.permit { // some of what it names only
			return out, false
		}
	}
	if out.toIf, w, ok = c.ifc(w); !ok {
		return out, false
	}
	if out.to, w, ok = c.network(r, w); !ok {
		return out, false
	}
	switch {
	case service:
		out.ports = fromService
	case c.startsPorts(w):
		var known bool
		if out.ports, w, known = c.ports(w); !r.permit && !known {
			return out, false
		}
	}
	if !r.permit && slices.Contains(w, "time-range") {
		return out, false
	}
	switch out.proto {
	case "ip", "tcp", "udp", "sctp", "6", "17":
	default: // icmp, esp, gre: traffic without ports
		out.ports = []uint16{0}
	}
	if !r.permit && service && out.ports == nil { // a group that is not understood whole must not take away everything
		return out, c.wholeService(r)
	}
	return out, true
}

// mostProtocols reports whether a group of protocols holds what has ports.
func (c *asaFile) mostProtocols(name string) bool {
	has := map[string]bool{}
	for _, l := range c.groups["protocol "+name].lines {
		has[l[len(l)-1]] = true
	}
	return has["ip"] || has["tcp"] && has["udp"]
}

// wholeService reports whether a rule's group of services is every service.
func (c *asaFile) wholeService(r asaRule) bool {
	for _, l := range c.groups["service "+r.words[1]].lines {
		if len(l) == 2 && l[0] == "service-object" && l[1] == "ip" {
			return true
		}
	}
	return false
}

// ifc reads "ifc NAME" of an FTD.
func (c *asaFile) ifc(w []string) (string, []string, bool) {
	if len(w) > 1 && w[0] == "ifc" {
		if w[1] == "any" {
			return "", w[2:], true
		}
		return w[1], w[2:], true
	}
	return "", w, true
}

// network reads a source or destination. Of a rule that permits, what is not
// understood is everything; of one that denies it makes the rule none.
func (c *asaFile) network(r asaRule, w []string) ([]netip.Prefix, []string, bool) {
	for len(w) > 1 { // who, where it is asked: it narrows the rule in a way that is not read
		switch w[0] {
		case "user", "user-group", "object-group-user", "object-group-security":
			w = w[2:]
		case "security-group":
			w = w[min(3, len(w)):]
		default:
			goto named
		}
		if !r.permit {
			return nil, w, false
		}
	}
named:
	if len(w) == 0 {
		return nil, w, false
	}
	switch {
	case w[0] == "any":
		return whole, w[1:], true
	case w[0] == "any4":
		return whole[:1], w[1:], true
	case w[0] == "any6":
		return whole[1:], w[1:], true
	case len(w) < 2:
		if p, err := netip.ParsePrefix(w[0]); err == nil {
			return []netip.Prefix{p.Masked()}, nil, true
		}
		return nil, w, false
	case w[0] == "host":
		a, ok := c.addr(w[1])
		if real, moved := c.statics[a]; moved {
			a = real
		}
		if !ok {
			return c.unknown(r, w[1]), w[2:], r.permit
		}
		return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, w[2:], true
	case w[0] == "object", w[0] == "object-group":
		kind := map[string]string{"object": "object", "object-group": "group"}[w[0]]
		ps, all := c.resolve(kind, w[1], 0)
		if !all {
			return c.unknown(r, w[1]), w[2:], r.permit
		}
		return ps, w[2:], true
	case w[0] == "interface":
		if f := c.face(w[1]); f != nil && len(f.ip) > 0 {
			if a, ok := c.addr(f.ip[0]); ok {
				if real, moved := c.statics[a]; moved {
					a = real
				}
				return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, w[2:], true
			}
		}
		return c.unknown(r, w[1]), w[2:], r.permit
	}
	if p, err := netip.ParsePrefix(w[0]); err == nil { // IPv6
		return []netip.Prefix{p.Masked()}, w[1:], true
	}
	p, ok := c.prefix(w[0], w[1])
	if !ok {
		return c.unknown(r, strings.Join(w[:2], " ")), w[2:], r.permit
	}
	return []netip.Prefix{p.Masked()}, w[2:], true
}

func (c *asaFile) unknown(r asaRule, what string) []netip.Prefix {
	c.d.note("line %d: %s is not understood", r.line, what)
	return whole
}

// resolve returns the networks of an object or group; all is false when some of
// it is not understood.
func (c *asaFile) resolve(kind, name string, depth int) (out []netip.Prefix, all bool) {
	if depth > maxNest {
		return nil, false
	}
	g, ok := c.groups["network "+name]
	if kind == "object" || !ok {
		g, ok = c.objects["network "+name]
	}
	if !ok {
		return nil, false
	}
	all = true
	add := func(ps []netip.Prefix, ok bool) {
		all = all && ok && len(out) < maxPaths
		if len(out) < maxPaths {
			out = append(out, ps...)
		}
	}
	for _, l := range g.lines {
		if l[0] == "network-object" {
			l = l[1:]
		}
		switch {
		case len(l) == 0:
		case l[0] == "group-object" && len(l) > 1:
			add(c.resolve("group", l[1], depth+1))
		case l[0] == "object" && len(l) > 1:
			add(c.resolve("object", l[1], depth+1))
		case l[0] == "host" && len(l) > 1:
			a, ok := c.addr(l[1])
			add([]netip.Prefix{netip.PrefixFrom(a, max(0, a.BitLen()))}, ok)
		case l[0] == "range" && len(l) > 2:
			lo, ok1 := c.addr(l[1])
			hi, ok2 := c.addr(l[2])
			add(between(lo, hi), ok1 && ok2)
		case l[0] == "subnet" && len(l) > 1:
			p, ok := c.subnet(l[1:])
			add([]netip.Prefix{p}, ok)
		case l[0] == "fqdn":
			add(nil, false)
		default:
			p, ok := c.subnet(l)
			add([]netip.Prefix{p}, ok)
		}
	}
	out = slices.DeleteFunc(out, func(p netip.Prefix) bool { return !p.IsValid() })
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out), all
}

// between cuts a range of addresses into prefixes, at most 256 of them; nil when
// it is none.
func between(lo, hi netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for lo.IsValid() && lo.BitLen() == hi.BitLen() && lo.Compare(hi) <= 0 && len(out) < 256 {
		bits := lo.BitLen()
		for bits > 0 {
			p := netip.PrefixFrom(lo, bits-1)
			if p.Masked().Addr() != lo || last(p).Compare(hi) > 0 {
				break
			}
			bits--
		}
		p := netip.PrefixFrom(lo, bits)
		out = append(out, p)
		if lo = last(p).Next(); !lo.IsValid() {
			break
		}
	}
	return out
}

// last is the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
