// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"cmp"
	"slices"
	"strconv"
)

// Ports and services of an ASA's rules.

func (c *asaFile) startsPorts(w []string) bool {
	if len(w) < 2 {
		return false
	}
	switch w[0] {
	case "eq", "range", "lt", "gt", "neq":
		return true
	case "object-group", "object": // of services; else it is the next network
		_, isNet := c.groups["network "+w[1]]
		_, isObj := c.objects["network "+w[1]]
		return !isNet && !isObj && c.isService(w[1])
	}
	return false
}

func (c *asaFile) isService(name string) bool {
	_, g := c.groups["service "+name]
	_, o := c.objects["service "+name]
	return g || o
}

// ports reads which ports; nil is all, and stands for what cannot be listed too,
// which known tells apart.
func (c *asaFile) ports(w []string) (ports []uint16, rest []string, known bool) {
	switch w[0] {
	case "eq":
		ports, rest = asaPorts(w[1], w[1]), w[2:]
	case "range":
		if len(w) < 3 {
			return nil, nil, false
		}
		ports, rest = asaPorts(w[1], w[2]), w[3:]
	case "object-group", "object":
		ports, rest = c.service(w[1], 0), w[2:]
	default: // lt, gt, neq: nearly all
		return nil, w[2:], false
	}
	return ports, rest, ports != nil
}

// service returns the ports that a service object or group names; nil for all,
// also when some of it is not understood.
func (c *asaFile) service(name string, depth int) []uint16 {
	if depth > maxNest {
		return nil
	}
	g, ok := c.groups["service "+name]
	if !ok {
		g = c.objects["service "+name]
	}
	var out []uint16
	for _, l := range g.lines {
		var ps []uint16
		switch {
		case l[0] == "group-object" && len(l) > 1, l[0] == "service-object" && len(l) > 2 && l[1] == "object":
			ps = c.service(l[len(l)-1], depth+1)
		case l[0] == "port-object" && len(l) > 2:
			ps, _, _ = c.ports(l[1:])
		case l[0] == "service-object", l[0] == "service":
			ps = c.destination(l[1:])
		}
		if ps == nil {
			return nil
		}
		if out = append(out, ps...); len(out) > maxPorts*4 {
			return nil
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// destination reads "tcp [source …] [destination eq N]".
func (c *asaFile) destination(w []string) []uint16 {
	switch {
	case len(w) == 0 || w[0] == "ip":
		return nil
	case !slices.Contains([]string{"tcp", "udp", "tcp-udp", "sctp", "6", "17"}, w[0]):
		return []uint16{0} // icmp and the like
	}
	i := slices.Index(w, "destination")
	if i < 0 && len(w) > 2 && (w[1] == "eq" || w[1] == "range") {
		i = 0 // as versions before 9.0 write it
	}
	if i < 0 || !c.startsPorts(w[i+1:]) {
		return nil
	}
	ps, _, _ := c.ports(w[i+1:])
	return ps
}

// maxPorts bounds a range that is listed; a longer one is read as all ports.
const maxPorts = 64

func asaPorts(lo, hi string) []uint16 {
	a, ok1 := asaPort(lo)
	b, ok2 := asaPort(hi)
	if !ok1 || !ok2 || cmp.Compare(a, b) > 0 || b-a >= maxPorts {
		return nil
	}
	out := make([]uint16, 0, int(b-a)+1)
	for p := int(a); p <= int(b); p++ {
		out = append(out, uint16(p))
	}
	if b >= ephemeral {
		out = append(out, 0)
	}
	return out
}

// ephemeral ports are seen as port 0 (inventory.Talk).
const ephemeral = 49152

func asaPort(s string) (uint16, bool) {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil {
		return uint16(n), true
	}
	p, ok := asaNames[s]
	return p, ok
}

// asaNames are ports that the ASA writes by name (ASA command reference,
// "Addresses, protocols, and ports").
var asaNames = map[string]uint16{
	"aol": 5190, "bgp": 179, "biff": 512, "bootpc": 68, "bootps": 67, "chargen": 19, "cifs": 3020, "citrix-ica": 1494, "ctiqbe": 2748, "daytime": 13, "discard": 9, "dnsix": 195, "domain": 53, "echo": 7,
	"exec": 512, "finger": 79, "ftp": 21, "ftp-data": 20, "gopher": 70, "h323": 1720, "hostname": 101, "http": 80, "https": 443, "ident": 113, "imap4": 143, "irc": 194, "isakmp": 500, "kerberos": 750,
	"klogin": 543, "kshell": 544, "ldap": 389, "ldaps": 636, "login": 513, "lotusnotes": 1352, "lpd": 515, "mobile-ip": 434, "nameserver": 42, "netbios-dgm": 138, "netbios-ns": 137,
	"netbios-ssn": 139, "nfs": 2049, "nntp": 119, "ntp": 123, "pcanywhere-data": 5631, "pcanywhere-status": 5632, "pim-auto-rp": 496, "pop2": 109, "pop3": 110, "pptp": 1723, "radius": 1645, "radius-acct": 1646,
	"rip": 520, "rsh": 514, "rtsp": 554, "secureid-udp": 5510, "sip": 5060, "smtp": 25, "snmp": 161, "snmptrap": 162, "sqlnet": 1521, "ssh": 22, "sunrpc": 111, "syslog": 514, "tacacs": 49, "talk": 517,
	"telnet": 23, "tftp": 69, "time": 37, "uucp": 540, "vxlan": 4789, "who": 513, "whois": 43, "www": 80, "xdmcp": 177,
}
