// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// The configurations are written by hand after Cisco's documents; no real one
// was at hand. What may pass is worked out by hand from the rules of the guide.

const asaFaces = `ASA Version 9.16(4)
names
interface G0/0
 nameif outside
 security-level 0
 ip address 198.51.100.2 255.255.255.252
interface G0/1
 nameif inside
 security-level 100
 ip address 10.1.0.1 255.255.255.0
interface G0/2
 nameif dmz
 security-level 50
 ip address 10.2.0.1 255.255.255.0
interface G0/3
 nameif lab
 security-level 50
 ip address 10.3.0.1 255.255.255.0
interface M0/0
 management-only
 nameif mgmt
 security-level 100
 ip address 10.99.0.1 255.255.255.0
`

func paths(d Drawing) []string {
	var out []string
	for _, p := range d.Topology.Paths {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s>%s %v", p.From, p.To, p.Ports)))
	}
	slices.Sort(out)
	return out
}

func TestASAPaths(t *testing.T) {
	const in, dmz, lab, out = "10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "198.51.100.0/30"
	to := func(from, to string, ports ...uint16) string { return fmt.Sprintf("%s>%s %v", from, to, ports) }
	down := []string{to(in, dmz), to(in, lab), to(in, out)} // without a list: to lower levels
	for name, c := range map[string]struct {
		conf  string
		want  []string
		notes int
	}{
		"levels alone":   {"", append([]string{to(dmz, out), to(lab, out)}, down...), 0},
		"same level too": {"same-security-traffic permit inter-interface\n", append([]string{to(dmz, out), to(lab, out), to(dmz, lab), to(lab, dmz)}, down...), 0},
		"a list, and what is behind an interface only": {`access-list DMZ remark web server to its database
access-list DMZ extended permit tcp 10.2.0.0 255.255.255.0 host 10.1.0.5 eq 3306
access-list DMZ extended permit udp any host 10.1.0.6 eq domain log
access-list DMZ extended permit tcp any any eq www inactive
access-group DMZ in interface dmz
`, append([]string{to(dmz, "10.1.0.5/32", 3306), to(dmz, "10.1.0.6/32", 53), to(lab, out)}, down...), 0},
		"objects and groups, used before they stand there": {`access-list DMZ extended permit tcp object WEB object-group DBS object-group SQL
access-list DMZ line 2 extended permit object-group MIX object-group NETS any4
access-group DMZ in interface dmz
object network WEB
 host 10.2.0.5
object network POOL
 range 10.1.0.16 10.1.0.35
object-group network DBS
 description databases
 network-object host 10.1.0.5
 group-object MORE
object-group network MORE
 network-object object POOL
 network-object 10.3.0.128 255.255.255.128
object-group network NETS
 network-object 10.2.0.64 255.255.255.192
object-group service SQL tcp
 port-object eq sqlnet
 port-object range 1433 1434
object-group service MIX
 service-object tcp destination eq https
 service-object udp destination eq ntp
 service-object icmp
`, append([]string{
			to("10.2.0.5/32", "10.1.0.5/32", 1433, 1434, 1521), to("10.2.0.5/32", "10.1.0.16/28", 1433, 1434, 1521), to("10.2.0.5/32", "10.1.0.32/30", 1433, 1434, 1521), to("10.2.0.5/32", "10.3.0.128/25", 1433, 1434, 1521),
			to("10.2.0.64/26", in, 0, 123, 443), to("10.2.0.64/26", lab, 0, 123, 443), to("10.2.0.64/26", out, 0, 123, 443), to(lab, out),
		}, down...), 0},
		"a denial takes what it covers whole, and nothing after it": {`access-list I extended deny ip any 10.3.0.0 255.255.255.0
access-list I extended deny tcp any 10.2.0.0 255.255.255.0 eq 445
access-list I extended deny tcp any 10.2.0.0 255.255.255.0 neq 445
access-list I extended permit tcp any 10.2.0.0 255.255.255.0 eq 445
access-list I extended permit ip any any
access-list I extended deny ip any any
access-group I in interface inside
`, []string{to(in, dmz), to(in, out), to(dmz, out), to(lab, out)}, 0},
		"the global list comes after the interface's": {`access-list D extended deny ip any 10.1.0.0 255.255.255.0
access-list G extended permit tcp any any eq ssh
access-group D in interface dmz
access-group G global
`, []string{to(dmz, lab, 22), to(dmz, out, 22), to(in, dmz, 22), to(in, lab, 22), to(in, out, 22), to(lab, in, 22), to(lab, dmz, 22), to(lab, out, 22), to(out, in, 22), to(out, dmz, 22), to(out, lab, 22)}, 0},
		"what goes out is narrowed": {`access-list O extended permit tcp any host 10.2.0.5 eq https
access-list O extended deny ip any any
access-list IN extended permit tcp any any eq ssh
access-list IN extended permit tcp any any range 443 444
access-group IN in interface inside
access-group O out interface dmz
`, []string{to(in, dmz, 443, 444), to(in, lab, 22), to(in, lab, 443, 444), to(in, out, 22), to(in, out, 443, 444), to(dmz, out), to(lab, out)}, 0},
		"not understood stands for everything": {`access-list DMZ extended permit tcp any object NOWHERE eq 8080
access-list DMZ extended permit tcp any host library-pc gt 1023
access-list DMZ extended deny ip object NOWHERE any
access-group DMZ in interface dmz
access-group GONE in interface lab
name 10.1.0.20 library-pc
`, append([]string{to(dmz, in, 8080), to(dmz, lab, 8080), to(dmz, out, 8080), to(dmz, "10.1.0.20/32"), to(lab, in), to(lab, dmz), to(lab, out)}, down...), 3},
		"routes, and networks behind one interface": {`route inside 10.7.0.0 255.255.0.0 10.1.0.254 1
route outside 0 0 198.51.100.1 1
access-list I extended permit tcp 10.7.9.0 255.255.255.0 any eq 22
access-group I in interface inside
`, []string{to(in, "10.7.0.0/16"), to("10.7.0.0/16", in), to("10.7.9.0/24", dmz, 22), to("10.7.9.0/24", lab, 22), to("10.7.9.0/24", out, 22), to(dmz, out), to(lab, out)}, 0},
		"a VPN's pool passes every list": {`ip local pool V 10.8.0.1-10.8.0.99 mask 255.255.255.0
access-list I extended permit ip any 10.2.0.0 255.255.255.0
access-group I in interface inside
`, []string{to("10.8.0.0/24", in), to("10.8.0.0/24", dmz), to("10.8.0.0/24", lab), to("10.8.0.0/24", out), to(dmz, "10.8.0.0/24"), to(lab, "10.8.0.0/24"), to(out, "10.8.0.0/24"), to(in, dmz), to(dmz, out), to(lab, out)}, 0},
		"interfaces named in the rule": {`access-list CSM_FW_ACL_ remark rule-id 268435456: L7 RULE: web
access-list CSM_FW_ACL_ advanced permit tcp ifc inside any ifc dmz object WEB eq https rule-id 268435456
access-list CSM_FW_ACL_ advanced trust tcp ifc lab any any object-group HI rule-id 268435457
access-group CSM_FW_ACL_ global
object network WEB
 host 10.2.0.5
object-group service HI tcp
 port-object eq 50000
`, []string{to(in, "10.2.0.5/32", 443), to(lab, in, 0, 50000), to(lab, dmz, 0, 50000), to(lab, out, 0, 50000)}, 0},
		"published, before 8.3": {`static (dmz,outside) 198.51.100.1 10.2.0.9 netmask 255.255.255.255
access-list OUT extended permit tcp any host 198.51.100.1 eq www
access-group OUT in interface outside
`, append([]string{to(out, "10.2.0.9/32", 80), to(dmz, out), to(lab, out)}, down...), 0},
	} {
		d, err := Read([]byte(asaFaces + c.conf))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		slices.Sort(c.want)
		if got := paths(d); !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
		if len(d.Notes) != c.notes {
			t.Errorf("%s: notes %q", name, d.Notes)
		}
	}
}

// TestASAPublished: what address translation shows to others says what a machine
// is for.
func TestASAPublished(t *testing.T) {
	d, err := Read([]byte(asaFaces + `object network MAIL
 host 10.2.0.25
object network MAIL
 nat (dmz,outside) static 198.51.100.3 service tcp smtp smtp
`))
	if err != nil || len(d.Topology.Hosts) != 1 || fmt.Sprint(d.Topology.Hosts[0].Roles) != "[mail]" {
		t.Errorf("%v %+v", err, d.Topology.Hosts)
	}
}

// TestASABounds: groups within themselves and lists that multiply end.
func TestASABounds(t *testing.T) {
	var b strings.Builder
	b.WriteString(asaFaces)
	b.WriteString("object-group network A\n group-object B\nobject-group network B\n group-object A\nobject-group service S tcp\n group-object S\n")
	b.WriteString("access-list I extended permit tcp object-group A any object-group S\naccess-group I in interface inside\n")
	for i := range 400 {
		fmt.Fprintf(&b, "route inside 10.%d.%d.0 255.255.255.0 10.1.0.2 1\nroute dmz 11.%d.%d.0 255.255.255.0 10.2.0.2 1\n", 100+i/250, i%250, i/250, i%250)
	}
	for i := range 5000 {
		fmt.Fprintf(&b, "access-list I extended deny tcp host 10.100.0.%d any eq %d\naccess-list I extended permit tcp any any eq %d\n", i%250, i, i)
	}
	d, err := Read([]byte(b.String()))
	if err != nil || len(d.Topology.Paths) > maxPaths || len(d.Notes) == 0 || len(d.Notes) > maxNotes {
		t.Errorf("%v, %d paths, %d notes", err, len(d.Topology.Paths), len(d.Notes))
	}
}

func TestBetween(t *testing.T) {
	for r, want := range map[string]string{
		"10.0.0.0-10.0.0.255":             "[10.0.0.0/24]",
		"10.0.0.1-10.0.0.4":               "[10.0.0.1/32 10.0.0.2/31 10.0.0.4/32]",
		"255.255.255.254-255.255.255.255": "[255.255.255.254/31]",
		"10.0.0.9-10.0.0.1":               "[]",
		"10.0.0.9-2001:db8::1":            "[]",
	} {
		lo, hi, _ := strings.Cut(r, "-")
		if got := fmt.Sprint(between(netip.MustParseAddr(lo), netip.MustParseAddr(hi))); got != want {
			t.Errorf("%s: %s", r, got)
		}
	}
}

// asaRules has one of everything that lists may hold; FuzzRead begins with it.
const asaRules = asaFaces + `ip local pool V 10.8.0.1-10.8.0.99 mask 255.255.255.0
static (dmz,outside) 198.51.100.1 10.2.0.9 netmask 255.255.255.255
access-list DMZ line 2 extended permit object-group MIX object-group NETS any4
access-list DMZ extended deny tcp host 10.2.0.4 range 1 65535 object POOL neq 445 time-range NIGHT
access-list DMZ advanced trust udp ifc dmz 2001:db8::/32 ifc any user lin interface inside eq domain
access-group DMZ in interface dmz
access-group DMZ out interface inside
access-group DMZ global
object network POOL
 range 10.1.0.16 10.1.0.35
object-group network NETS
 network-object object POOL
 group-object NETS
object-group service MIX
 service-object tcp source range 1 9 destination eq https
`
