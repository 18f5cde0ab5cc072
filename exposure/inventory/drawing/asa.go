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

// asa reads the running configuration of a Cisco ASA: blocks begin at the left
// edge, their lines are indented (ASA general operations CLI configuration
// guide, "Interfaces", "Objects", "Static routes").
func asa(b []byte) (Drawing, error) {
	d := Drawing{Kind: ASA}
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(make([]byte, 64<<10), 1<<20)
	var block, name, nameif, level string
	var ip []string
	zones := map[string]asset.Zone{}
	flush := func() {
		if block == "interface" && nameif != "" {
			zone := zoneOf(nameif)
			switch {
			case zone != "":
			case level == "0":
				zone = asset.ZoneExternal
			case level == "100":
				zone = asset.ZoneInside
			case level != "":
				zone = asset.ZoneDMZ
			}
			zones[nameif] = zone
			if len(ip) >= 2 {
				if p, ok := maskPrefix(ip[0], ip[1]); ok {
					d.segment(nameif, p, zone, p.Addr())
				}
			}
		}
		block, name, nameif, level, ip = "", "", "", "", nil
	}
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		if line[0] != ' ' {
			flush()
			switch {
			case w[0] == "hostname" && len(w) > 1:
				d.Device = w[1]
			case w[0] == "interface":
				block = "interface"
			case w[0] == "object" && len(w) > 2 && w[1] == "network":
				block, name = "object", w[2]
			case w[0] == "name" && len(w) > 2:
				if a, err := netip.ParseAddr(w[1]); err == nil {
					d.host(w[2], a)
				}
			case w[0] == "route" && len(w) > 4:
				p, ok := maskPrefix(w[2], w[3])
				if !ok {
					d.note("line %d: the route %s is not understood", n, strings.Join(w[1:], " "))
					continue
				}
				gw, _ := netip.ParseAddr(w[4])
				d.segment("route over "+w[1], p, zones[w[1]], gw)
			case w[0] == "ip" && len(w) > 5 && w[1] == "local" && w[2] == "pool": // ip local pool NAME first-last mask MASK
				if lo, _, ok := strings.Cut(w[4], "-"); ok && len(w) > 6 {
					if p, ok := maskPrefix(lo, w[6]); ok {
						d.segment(w[3], p, asset.ZoneVPN, netip.Addr{})
					}
				}
			}
			continue
		}
		switch {
		case block == "interface" && w[0] == "nameif" && len(w) > 1:
			nameif = w[1]
		case block == "interface" && w[0] == "security-level" && len(w) > 1:
			level = w[1]
		case block == "interface" && w[0] == "ip" && len(w) > 3 && w[1] == "address":
			ip = w[2:]
		case block == "object" && w[0] == "host" && len(w) > 1:
			if a, err := netip.ParseAddr(w[1]); err == nil {
				d.host(name, a)
			}
		case block == "object" && w[0] == "subnet" && len(w) > 2:
			if p, ok := maskPrefix(w[1], w[2]); ok {
				d.segment(name, p, "", netip.Addr{})
			}
		}
	}
	flush()
	if err := sc.Err(); err != nil {
		d.note("%v", err)
	}
	return d, nil
}
