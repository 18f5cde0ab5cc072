// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"citywall/asset"
)

// The configurations below are written by hand after the vendors' documents.

const fgtConf = `#config-version=FGT60F-7.2.8-FW-build1639-240313:opmode=0:vdom=0:user=admin
config system global
    set hostname "HOSP-FW01"
    set admin-https-ssl-versions tlsv1-2
end
config system interface
    edit "wan1"
        set ip 203.0.113.2 255.255.255.248
        set role wan
        set password ENC c2VjcmV0
    next
    edit "internal2"
        set alias "Ward 3"
        set ip 10.20.32.254 255.255.255.0
        set role lan
    next
    edit "srv-dmz"
        set ip 10.20.40.254/24
    next
end
config firewall address
    edit "HIS server"
        set subnet 10.20.33.10 255.255.255.255
    next
    edit "all"
    next
    edit "branch"
        set subnet 10.21.0.0 255.255.0.0
    next
end
config firewall vip
    edit "webmail"
        set extip 203.0.113.3
        set mappedip "10.20.40.5"
        set portforward enable
        set mappedport 443
    next
end
config system dhcp server
    edit 1
        set interface "internal2"
        config reserved-address
            edit 1
                set ip 10.20.32.77
                set mac 00:11:22:33:44:55
                set description "CT console"
            next
        end
    next
end
config router static
    edit 1
        set gateway 203.0.113.1
        set device "wan1"
    next
    edit 2
        set dst 10.30.0.0 255.255.0.0
        set gateway 10.20.32.1
        set device "internal2"
    next
end
config vpn certificate local
    edit "x"
        set private-key "-----BEGIN
edit "not a block"
-----END"
    next
end
`

const asaConf = `: Saved
ASA Version 9.16(4)
!
hostname SCHOOL-ASA
name 10.40.1.20 library-pc
!
interface GigabitEthernet0/0
 nameif outside
 security-level 0
 ip address 198.51.100.2 255.255.255.252
!
interface GigabitEthernet0/1
 nameif teachers
 security-level 100
 ip address 10.40.1.1 255.255.255.0
!
interface GigabitEthernet0/2
 nameif lab
 security-level 50
 ip address 10.40.2.1 255.255.255.0
!
interface GigabitEthernet0/3
 shutdown
 no nameif
!
ip local pool VPNPOOL 10.40.9.1-10.40.9.100 mask 255.255.255.0
object network GRADES
 host 10.40.1.5
object network DORMS
 subnet 10.41.0.0 255.255.0.0
route outside 0.0.0.0 0.0.0.0 198.51.100.1 1
route teachers 10.42.0.0 255.255.0.0 10.40.1.254 1
`

const panConf = `<?xml version="1.0"?>
<config version="10.1.0"><devices><entry name="localhost.localdomain">
 <deviceconfig><system><hostname>CITY-PA</hostname></system></deviceconfig>
 <network><interface><ethernet>
   <entry name="ethernet1/1"><layer3><ip><entry name="192.0.2.2/29"/></ip></layer3></entry>
   <entry name="ethernet1/2"><layer3><units><entry name="ethernet1/2.10"><ip><entry name="10.50.10.1/24"/></ip></entry></units></layer3></entry>
   <entry name="ethernet1/3"><layer3><ip><entry name="OBJECT-NAME"/></ip></layer3></entry>
 </ethernet></interface>
 <virtual-router><entry name="default"><routing-table><ip><static-route>
   <entry name="to-core"><destination>10.60.0.0/16</destination><interface>ethernet1/2.10</interface><nexthop><ip-address>10.50.10.254</ip-address></nexthop></entry>
   <entry name="internet"><destination>0.0.0.0/0</destination><nexthop><ip-address>192.0.2.1</ip-address></nexthop></entry>
 </static-route></ip></routing-table></entry></virtual-router></network>
 <vsys><entry name="vsys1">
  <zone><entry name="untrust"><network><layer3><member>ethernet1/1</member></layer3></network></entry>
        <entry name="trust-city"><network><layer3><member>ethernet1/2.10</member></layer3></network></entry></zone>
  <address><entry name="tax-db"><ip-netmask>10.50.10.7</ip-netmask></entry><entry name="pool"><ip-netmask>10.50.99.0/24</ip-netmask></entry><entry name="odd"><ip-netmask>tax</ip-netmask></entry></address>
 </entry></vsys></entry></devices></config>`

const csvList = "\xef\xbb\xbf主機名稱,IP位址,角色,機關,使用者,作業系統,聯絡人,網段,區域\n" +
	"HIS01.hosp.example,\"10.20.33.10、10.20.33.11\",檔案伺服器/醫療設備,hospital,svc_his,Windows Server 2019,資訊室 119,,\n" +
	"ward3,,,hospital,,,護理站,10.20.32.0/24,醫療\n" +
	",10.0.0.1,,,,,,,\n" +
	"odd,not-an-address,魔法師,,,,,,\n"

func (d Drawing) lines() []string {
	var out []string
	for _, s := range d.Topology.Segments {
		out = append(out, fmt.Sprintf("%s %s %s", s.Prefix, s.Zone, s.Name))
	}
	for _, h := range d.Topology.Hosts {
		out = append(out, fmt.Sprintf("%s %v %v", h.Name, h.Addresses, h.Roles))
	}
	return out
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, in, kind, device string
		notes                  int
		want                   []string
	}{
		{"FortiGate", fgtConf, FortiGate, "HOSP-FW01", 0, []string{
			"10.20.32.0/24 inside Ward 3 (internal2)", "10.20.40.0/24 dmz srv-dmz", "10.21.0.0/16  branch", "10.30.0.0/16 inside route over internal2", "203.0.113.0/29 external wan1",
			"CT console [10.20.32.77] []", "HIS server [10.20.33.10] []", "webmail [10.20.40.5] [web]",
		}},
		{"ASA", asaConf, ASA, "SCHOOL-ASA", 0, []string{
			"10.40.1.0/24 inside teachers", "10.40.2.0/24 dmz lab", "10.40.9.0/24 vpn VPNPOOL", "10.41.0.0/16  DORMS", "10.42.0.0/16 inside route over teachers", "198.51.100.0/30 external outside",
			"GRADES [10.40.1.5] []", "library-pc [10.40.1.20] []",
		}},
		{"Palo Alto", panConf, PANOS, "CITY-PA", 2, []string{
			"10.50.10.0/24 inside trust-city (ethernet1/2.10)", "10.50.99.0/24  pool", "10.60.0.0/16 inside to-core", "192.0.2.0/29 external untrust (ethernet1/1)", "tax-db [10.50.10.7] []",
		}},
		{"CSV", csvList, CSV, "", 3, []string{"10.20.32.0/24 clinical ward3", "his01 [10.20.33.10 10.20.33.11] [file medical]", "odd [] []"}},
	} {
		d, err := Read([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := d.lines(); d.Kind != c.kind || d.Device != c.device || len(d.Notes) != c.notes || !slices.Equal(got, c.want) {
			t.Errorf("%s: %s of %q, notes %q\n%s\nwant\n%s", c.name, d.Kind, d.Device, d.Notes, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	d, err := Read([]byte(csvList))
	if err != nil || d.Topology.Hosts[0].Contact != "資訊室 119" || d.Topology.Segments[0].Contact != "護理站" {
		t.Errorf("%v %+v", err, d.Topology)
	}
}

// TestRefused: what is no drawing is refused with a sentence; a file that is cut
// off gives what it has, and a note.
func TestRefused(t *testing.T) {
	for _, s := range []string{"", "hello", "a,b,c\n1,2,3\n", "<config", "<?xml version=\"1.0\"?><config/>", "config system interface\nend\n"} {
		if d, err := Read([]byte(s)); err == nil {
			t.Errorf("%q: accepted: %+v", s, d)
		}
	}
	d, err := Read([]byte(fgtConf[:strings.Index(fgtConf, `edit "srv-dmz"`)]))
	if err != nil || len(d.Topology.Segments) != 2 || len(d.Notes) == 0 {
		t.Errorf("%v %+v", err, d)
	}
}

func TestMask(t *testing.T) {
	for mask, want := range map[string]int{"255.255.255.255": 32, "255.255.240.0": 20, "0.0.0.0": 0} {
		if p, ok := maskPrefix("10.0.0.1", mask); !ok || p.Bits() != want {
			t.Errorf("%s: %v %v", mask, p, ok)
		}
	}
	for _, mask := range []string{"255.0.255.0", "255.255.255", "::"} {
		if p, ok := maskPrefix("10.0.0.1", mask); ok {
			t.Errorf("%s: %v", mask, p)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{fgtConf, asaConf, panConf, csvList, asaRules} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Read(b)
		if err != nil {
			return
		}
		for _, s := range d.Topology.Segments {
			if !s.Prefix.IsValid() || s.Prefix != s.Prefix.Masked() {
				t.Fatalf("segment %+v", s)
			}
		}
		for _, h := range d.Topology.Hosts {
			if h.Name == "" || slices.ContainsFunc(h.Addresses, func(a netip.Addr) bool { return !a.IsValid() }) {
				t.Fatalf("host %+v", h)
			}
		}
		_ = asset.Topology(d.Topology)
	})
}
