// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"bufio"
	"bytes"
	"net/netip"
	"strings"

	"citywall/asset"
)

// A FortiGate configuration is nested blocks: config PATH … edit NAME … set KEY
// VALUES … next … end (FortiOS CLI reference, "Configuration file").

// fgt is one "edit" with its settings.
type fgt struct {
	path string // of its config, joined with " / "
	name string
	set  map[string][]string
	line int
}

const maxDepth = 32

func fortigate(b []byte) (Drawing, error) {
	d := Drawing{Kind: FortiGate}
	side := map[string]asset.Zone{} // interface -> zone, for pools and routes
	nets := networks{}
	zones := map[string][]string{} // zone -> interfaces
	var policies []fgt
	err := eachEdit(b, &d, func(e fgt) {
		switch e.path {
		case "system global":
			if v := e.set["hostname"]; len(v) > 0 {
				d.Device = v[0]
			}
		case "system interface":
			zone := asset.Zone("")
			switch first(e.set["role"]) {
			case "lan":
				zone = asset.ZoneInside
			case "dmz":
				zone = asset.ZoneDMZ
			case "wan":
				zone = asset.ZoneExternal
			default:
				zone = zoneOf(e.name + " " + first(e.set["alias"]))
			}
			side[e.name] = zone
			p, ok := pair(e.set["ip"])
			if !ok {
				return
			}
			name := e.name
			if a := first(e.set["alias"]); a != "" {
				name = a + " (" + e.name + ")"
			}
			d.segment(name, p, zone, p.Addr())
			nets.add(e.name, p)
		case "system zone":
			zones[e.name] = e.set["interface"]
		case "firewall policy":
			if first(e.set["action"]) == "accept" && first(e.set["status"]) != "disable" && len(policies) < maxItems {
				policies = append(policies, e)
			}
		case "firewall address":
			p, ok := pair(e.set["subnet"])
			switch {
			case ok && p.Bits() == 32:
				d.host(e.name, p.Addr())
			case ok:
				d.segment(e.name, p, "", netip.Addr{})
			}
		case "firewall vip":
			if a, err := netip.ParseAddr(first(e.set["mappedip"])); err == nil {
				d.host(e.name, a, published(first(e.set["mappedport"]))...)
			}
		case "system dhcp server / reserved-address":
			a, err := netip.ParseAddr(first(e.set["ip"]))
			if err != nil {
				return
			}
			name := first(e.set["description"])
			if name == "" {
				name = first(e.set["mac"])
			}
			d.host(name, a)
		case "vpn ssl settings", "firewall addrgrp":
		case "router static":
			p, ok := pair(e.set["dst"])
			if !ok {
				return
			}
			gw, _ := netip.ParseAddr(first(e.set["gateway"]))
			d.segment("route over "+first(e.set["device"]), p, side[first(e.set["device"])], gw)
			nets.add(first(e.set["device"]), p)
		}
	})
	if len(policies) > 0 {
		d.within(nets)
	}
	for z, faces := range zones {
		for _, f := range faces {
			for _, p := range nets[f] {
				nets.add(z, p)
			}
		}
	}
	for _, e := range policies {
		note := "policy " + e.name
		if n := first(e.set["name"]); n != "" {
			note += " " + n
		}
		d.path(nets.behind(e.set["srcintf"]), nets.behind(e.set["dstintf"]), servicePorts(e.set["service"]), note)
	}
	return d, err
}

// fgtPorts are the predefined services whose ports FortiOS names so (FortiOS
// administration guide, "Services").
var fgtPorts = map[string][]uint16{
	"HTTP": {80}, "HTTPS": {443}, "DNS": {53}, "SSH": {22}, "SMTP": {25}, "SMTPS": {465}, "IMAP": {143}, "IMAPS": {993}, "POP3": {110}, "POP3S": {995}, "RDP": {3389}, "SMB": {445}, "SAMBA": {139},
	"LDAP": {389}, "LDAPS": {636}, "KERBEROS": {88, 464}, "NTP": {123}, "TELNET": {23}, "FTP": {21}, "SYSLOG": {514}, "MYSQL": {3306}, "MS-SQL": {1433, 1434}, "SNMP": {161, 162},
}

// servicePorts returns the ports of services; nil, all, when one of them is not
// known: a policy is never read narrower than it is.
func servicePorts(names []string) []uint16 {
	var out []uint16
	for _, n := range names {
		p, ok := fgtPorts[n]
		if !ok {
			return nil
		}
		out = append(out, p...)
	}
	return out
}

// published gives the role that a published port shows.
func published(port string) []asset.Role {
	switch strings.SplitN(port, "-", 2)[0] {
	case "80", "443", "8080", "8443":
		return []asset.Role{asset.RoleWeb}
	case "25", "465", "587", "993":
		return []asset.Role{asset.RoleMail}
	case "53":
		return []asset.Role{asset.RoleDNS}
	}
	return nil
}

func first(v []string) string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

func pair(v []string) (netip.Prefix, bool) {
	if len(v) == 1 {
		p, err := netip.ParsePrefix(v[0])
		return p, err == nil
	}
	if len(v) < 2 {
		return netip.Prefix{}, false
	}
	return maskPrefix(v[0], v[1])
}

// eachEdit calls f at the end of every edit, and of every config that has
// settings without one.
func eachEdit(b []byte, d *Drawing, f func(fgt)) error {
	type level struct {
		path string
		e    *fgt
	}
	var stack []level
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(make([]byte, 64<<10), 1<<20)
	n := 0
	close := func(l *level) {
		if l.e != nil && len(l.e.set) > 0 {
			f(*l.e)
		}
		l.e = nil
	}
	open := false // inside a quoted value that goes on over lines: certificates, banners
	for sc.Scan() {
		n++
		line := strings.TrimSpace(sc.Text())
		if open {
			open = strings.Count(line, `"`)%2 == 0
			continue
		}
		if strings.Count(strings.ReplaceAll(line, `\"`, ""), `"`)%2 == 1 {
			open = true
			continue
		}
		w := quoted(line)
		if len(w) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		switch w[0] {
		case "config":
			path := strings.Join(w[1:], " ")
			if len(stack) > 0 {
				path = stack[len(stack)-1].path + " / " + path
			}
			if len(stack) >= maxDepth {
				d.note("line %d: blocks are nested deeper than %d", n, maxDepth)
				return nil
			}
			stack = append(stack, level{path: path, e: &fgt{path: path, set: map[string][]string{}, line: n}})
		case "edit":
			if len(stack) == 0 || len(w) < 2 {
				d.note("line %d: edit outside a config block", n)
				continue
			}
			l := &stack[len(stack)-1]
			close(l)
			l.e = &fgt{path: l.path, name: w[1], set: map[string][]string{}, line: n}
		case "set":
			if len(stack) == 0 || len(w) < 2 {
				d.note("line %d: set outside a config block", n)
				continue
			}
			if l := &stack[len(stack)-1]; l.e != nil && !secretKey(w[1]) {
				l.e.set[w[1]] = w[2:]
			}
		case "next":
			if len(stack) > 0 {
				close(&stack[len(stack)-1])
			}
		case "end":
			if len(stack) > 0 {
				close(&stack[len(stack)-1])
				stack = stack[:len(stack)-1]
			}
		}
	}
	if err := sc.Err(); err != nil {
		d.note("line %d: %v", n+1, err)
	}
	for i := len(stack) - 1; i >= 0; i-- { // cut off: what was read counts
		close(&stack[i])
	}
	if len(stack) > 0 {
		d.note("the file ends inside %q: it may be cut off", stack[len(stack)-1].path)
	}
	return nil
}

// secretKey reports the settings that are never read.
func secretKey(k string) bool {
	return strings.Contains(k, "passw") || strings.Contains(k, "secret") || strings.Contains(k, "psk") || strings.Contains(k, "key")
}

// quoted splits at spaces outside double quotes.
func quoted(s string) []string {
	var out []string
	var b strings.Builder
	in, some := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && in && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '"':
			in, some = !in, true
		case c == ' ' && !in:
			if some || b.Len() > 0 {
				out = append(out, b.String())
				b.Reset()
				some = false
			}
		default:
			b.WriteByte(c)
		}
	}
	if some || b.Len() > 0 {
		out = append(out, b.String())
	}
	return out
}
