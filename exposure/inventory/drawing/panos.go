// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"strings"

	"citywall/asset"
	"citywall/internal/fault"
)

// panos reads the exported XML configuration of a Palo Alto firewall. Elements
// are told by their path without the names of entries (PAN-OS XML API guide,
// "Explore the API"): network/interface/ethernet/entry/layer3/ip/entry,
// zone/entry/network/layer3/member, address/entry/ip-netmask,
// virtual-router/entry/routing-table/ip/static-route/entry.
func panos(b []byte) (Drawing, error) {
	d := Drawing{Kind: PANOS}
	type face struct{ name, addr string }
	var faces []face
	zones := map[string]string{} // interface -> zone
	type route struct{ dst, via, face string }
	routes := map[string]*route{}
	var routeOrder []string
	type rule struct {
		from, to       []string
		name           string
		allow, disable bool
	}
	var rules []rule

	dec := xml.NewDecoder(bytes.NewReader(b))
	dec.Strict = true
	var path, names []string
	entry := func(back int) string { // name of the entry that is that many levels up
		n := len(names) - 1 - back
		if n < 0 {
			return ""
		}
		return names[n]
	}
	ends := func(want string) bool { return strings.HasSuffix(strings.Join(path, "/"), want) }
	var text strings.Builder
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if len(d.Topology.Segments)+len(d.Topology.Hosts)+len(faces) == 0 {
				return d, fault.New(fault.Invalid, "the file is no whole XML: %w", err)
			}
			d.note("the XML breaks off: %v", err)
			break
		}
		switch x := tok.(type) {
		case xml.StartElement:
			if len(path) >= 64 {
				d.note("elements are nested deeper than 64")
				return d, nil
			}
			name := ""
			for _, a := range x.Attr {
				if a.Name.Local == "name" {
					name = a.Value
				}
			}
			path, names = append(path, x.Name.Local), append(names, name)
			text.Reset()
			if name != "" && ends("layer3/ip/entry") {
				// …/ethernet/entry[eth]/layer3/ip/entry[addr], or …/units/entry[eth.10]/ip/entry
				faces = append(faces, face{entry(3), name})
			}
			if name != "" && ends("units/entry/ip/entry") {
				faces = append(faces, face{entry(2), name})
			}
			if ends("security/rules/entry") && len(rules) < maxItems {
				rules = append(rules, rule{name: name})
			}
			if name != "" && ends("static-route/entry") {
				routes[name] = &route{}
				routeOrder = append(routeOrder, name)
			}
		case xml.CharData:
			if text.Len() < 4096 {
				text.Write(x)
			}
		case xml.EndElement:
			v := strings.TrimSpace(text.String())
			if n := len(rules); n > 0 {
				r := &rules[n-1]
				switch {
				case ends("security/rules/entry/from/member"):
					r.from = append(r.from, v)
				case ends("security/rules/entry/to/member"):
					r.to = append(r.to, v)
				case ends("security/rules/entry/action"):
					r.allow = v == "allow"
				case ends("security/rules/entry/disabled"):
					r.disable = v == "yes"
				}
			}
			switch {
			case ends("deviceconfig/system/hostname"):
				d.Device = v
			case ends("zone/entry/network/layer3/member"):
				zones[v] = entry(3)
			case ends("address/entry/ip-netmask"):
				d.object(entry(1), v)
			case ends("static-route/entry/destination") && routes[entry(1)] != nil:
				routes[entry(1)].dst = v
			case ends("static-route/entry/interface") && routes[entry(1)] != nil:
				routes[entry(1)].face = v
			case ends("static-route/entry/nexthop/ip-address") && routes[entry(2)] != nil:
				routes[entry(2)].via = v
			}
			path, names = path[:len(path)-1], names[:len(names)-1]
			text.Reset()
		}
	}
	nets := networks{}
	for _, f := range faces {
		if f.addr == "" {
			continue
		}
		p, err := netip.ParsePrefix(f.addr)
		if err != nil {
			d.note("interface %s: %q is an object's name or no prefix", f.name, f.addr)
			continue
		}
		z := zones[f.name]
		name := f.name
		if z != "" {
			name = z + " (" + f.name + ")"
		}
		d.segment(name, p, zoneOf(z), p.Addr())
		nets.add(z, p)
	}
	for _, n := range routeOrder {
		r := routes[n]
		if p, err := netip.ParsePrefix(r.dst); err == nil {
			gw, _ := netip.ParseAddr(r.via)
			d.segment(n, p, zoneOf(zones[r.face]), gw)
			nets.add(zones[r.face], p)
		}
	}
	if len(rules) > 0 {
		d.within(nets) // the rule intrazone-default allows unless somebody overrides it
	}
	for _, r := range rules {
		if r.allow && !r.disable { // applications are told by content, not by port: every port, then
			d.path(nets.behind(r.from), nets.behind(r.to), nil, "rule "+r.name)
		}
	}
	return d, nil
}

// object adds an address object: a machine, or a network.
func (d *Drawing) object(name, v string) {
	if a, err := netip.ParseAddr(v); err == nil {
		d.host(name, a)
		return
	}
	p, err := netip.ParsePrefix(v)
	switch {
	case err != nil:
		d.note("address %s: %q is neither an address nor a prefix", name, v)
	case p.IsSingleIP():
		d.host(name, p.Addr())
	default:
		d.segment(name, p, asset.Zone(""), netip.Addr{})
	}
}
