// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package city

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"citywall/asset"
	"citywall/exercise/logs"
)

type builder struct {
	*City
	r     *rand.Rand
	names map[string]int
	rids  map[*Domain]int
}

func (b *builder) sid() string {
	return fmt.Sprintf("S-1-5-21-%d-%d-%d", 1e9+b.r.Uint32N(3e9), 1e9+b.r.Uint32N(3e9), 1e9+b.r.Uint32N(3e9))
}

// segment adds a network and returns its index.
func (b *builder) segment(name, prefix string, z asset.Zone, agency string) int {
	p := netip.MustParsePrefix(prefix)
	gw := p.Masked().Addr().Next()
	b.Segments = append(b.Segments, asset.Segment{Name: name, Prefix: p, Zone: z, Agency: agency, Gateway: gw})
	return len(b.Segments) - 1
}

// common makes what belongs to no agency: edge networks and sensors.
func (b *builder) common() {
	b.segment("dmz", "192.0.2.0/26", asset.ZoneDMZ, "DIB")
	b.segment("vpn-pool", b.VPNPool.String(), asset.ZoneVPN, "DIB")
	b.segment("backbone", "10.255.0.0/24", asset.ZoneCore, "DIB")
	b.Edge = &logs.Source{Kind: logs.FortiGate, Name: "fw-edge", Agency: "DIB", Device: "FG600FTK20000017", Offset: -340 * time.Millisecond}
	b.HospitalWall = &logs.Source{Kind: logs.FortiGate, Name: "fw-hos", Agency: "HOS", Device: "FG100FTK19000342", Offset: 610 * time.Millisecond, RFC3164: true}
	b.Core = &logs.Source{Kind: logs.Zeek, Name: "zeek-core", Agency: "DIB", Offset: 4 * time.Millisecond}
	b.Flows = &logs.Source{Kind: logs.NetFlow, Name: "flow-core", Agency: "DIB", Device: "10.255.0.9:2055", Offset: 12 * time.Millisecond}
	b.Perimeter = &logs.Source{Kind: logs.Suricata, Name: "ids-edge", Agency: "DIB", Offset: 21 * time.Millisecond}
}

// host adds a machine at the given address.
func (b *builder) host(a *Agency, name string, seg int, at netip.Addr, os string, roles ...asset.Role) *Host {
	h := &Host{Name: strings.ToUpper(name), Addr: at, Agency: a, Segment: seg, OS: os, Roles: roles}
	b.Hosts = append(b.Hosts, h)
	b.byAddr[at] = h
	return h
}

// collect turns on the collection of Windows logs.
func (b *builder) collect(h *Host, sysmon bool) *Host {
	h.Logs = &logs.Source{
		Kind: logs.Windows, Name: "wec-" + strings.ToLower(h.Agency.Code), Agency: h.Agency.Code, Computer: h.FQDN(), Offset: offset(b.r),
	}
	h.Sysmon = sysmon
	return h
}

const (
	server2019 = "Windows Server 2019"
	server2022 = "Windows Server 2022"
	windows10  = "Windows 10"
	windows11  = "Windows 11"
	linux      = "Linux"
)

// windows adds a Windows server with its logs and Sysmon.
func (b *builder) windows(a *Agency, name string, seg, last int, roles ...asset.Role) *Host {
	at := b.Segments[seg].Prefix.Addr().As4()
	at[3] += byte(last)
	os := server2019
	if b.r.IntN(3) == 0 {
		os = server2022
	}
	h := b.collect(b.host(a, name, seg, netip.AddrFrom4(at), os, roles...), true)
	h.Always = true
	a.Servers = append(a.Servers, h)
	return h
}

// other adds a server whose logs are not Windows logs.
func (b *builder) other(a *Agency, name string, seg, last int, os string, roles ...asset.Role) *Host {
	at := b.Segments[seg].Prefix.Addr().As4()
	at[3] += byte(last)
	h := b.host(a, name, seg, netip.AddrFrom4(at), os, roles...)
	h.Always = true
	return h
}

// sends lets an appliance or a Unix machine send syslog.
func (b *builder) sends(h *Host, iso, utc bool) *Host {
	h.Syslog = &logs.Source{Kind: logs.Syslog, Name: h.Key(), Agency: h.Agency.Code, Computer: strings.ToLower(h.Name), Offset: offset(b.r), ISO: iso, UTC: utc}
	return h
}

// hypervisor adds an ESXi host that runs some of its agency's servers.
func (b *builder) hypervisor(a *Agency, name string, seg, last int, guests ...*Host) {
	h := b.sends(b.other(a, name, seg, last, "VMware ESXi", asset.RoleHypervisor), true, true)
	h.Syslog.Computer += "." + a.Domain.DNS
	h.Guests = guests
	b.Srv.Hypervisors = append(b.Srv.Hypervisors, h)
}

func (b *builder) serverSegment(a *Agency, z asset.Zone) int {
	return b.segment(strings.ToLower(a.Code)+"-server", fmt.Sprintf("10.%d.1.0/24", a.N), z, a.Code)
}

// bureau builds the data centre of the digital bureau.
func (b *builder) bureau() {
	a := b.Bureau
	dmz, srv := 0, b.serverSegment(a, asset.ZoneInside)
	mgmt := b.segment("dib-management", "10.1.2.0/24", asset.ZoneCore, a.Code)
	bak := b.segment("dib-backup", "10.1.3.0/24", asset.ZoneInside, a.Code)
	a.Domain.DCs = []*Host{
		b.windows(a, "city-dc01", srv, 11, asset.RoleDC, asset.RoleDNS, asset.RoleServer),
		b.windows(a, "city-dc02", srv, 12, asset.RoleDC, asset.RoleDNS, asset.RoleServer),
	}
	a.File = b.windows(a, "dib-fs01", srv, 21, asset.RoleFile, asset.RoleServer)
	db := b.windows(a, "dib-db01", srv, 31, asset.RoleServer)
	app1 := b.windows(a, "dib-app01", srv, 41, asset.RoleServer)
	app2 := b.windows(a, "dib-app02", srv, 42, asset.RoleServer)
	app3 := b.windows(a, "dib-app03", srv, 43, asset.RoleServer)
	b.Srv.Patch = b.windows(a, "dib-wsus01", srv, 51, asset.RoleManager, asset.RoleServer)
	b.Srv.Deploy = b.windows(a, "dib-sccm01", srv, 52, asset.RoleManager, asset.RoleServer)
	b.hypervisor(a, "dib-hv01", srv, 61, db, app1)
	b.hypervisor(a, "dib-hv02", srv, 62, app2, app3)
	b.Srv.Names = b.sends(b.other(a, "dib-net01", srv, 13, linux, asset.RoleDNS, asset.RoleServer), true, false)
	b.Srv.Proxy = b.other(a, "dib-px01", srv, 71, linux, asset.RoleServer)
	a.Jump = b.windows(a, "dib-jump01", mgmt, 11, asset.RoleManager, asset.RoleServer)
	b.Srv.Scanner = b.other(a, "dib-scan01", mgmt, 21, linux, asset.RoleScanner)
	b.Srv.Monitor = b.other(a, "dib-mon01", mgmt, 31, linux, asset.RoleMonitor)
	a.Backup = b.windows(a, "dib-bak01", bak, 11, asset.RoleBackup, asset.RoleServer)
	b.Srv.Public = b.windows(a, "dib-web01", dmz, 11, asset.RoleWeb, asset.RoleServer)
	b.Srv.Portal = b.windows(b.Agencies[2], "civ-portal01", dmz, 12, asset.RoleWeb, asset.RoleServer)
	b.Srv.Gateway = b.sends(b.other(a, "dib-mx01", dmz, 22, linux, asset.RoleMail, asset.RoleServer), true, false)
	b.Srv.Mail = b.windows(a, "dib-mail01", dmz, 21, asset.RoleMail, asset.RoleServer)
	fw := b.other(a, "fw-edge", 2, 1, "FortiOS", asset.RoleFirewall, asset.RoleVPN)
	b.byAddr[addr("192.0.2.62")] = fw // its outer side, where the VPN listens
}

// hospital builds the city hospital: its own domain, its own firewall.
func (b *builder) hospital() {
	a := b.Hospital
	a.Domain.Standby = true
	srv := b.serverSegment(a, asset.ZoneInside)
	mgmt := b.segment("hos-management", "10.2.2.0/24", asset.ZoneInside, a.Code)
	bak := b.segment("hos-backup", "10.2.3.0/24", asset.ZoneInside, a.Code)
	a.Domain.DCs = []*Host{
		b.windows(a, "hos-dc01", srv, 11, asset.RoleDC, asset.RoleDNS, asset.RoleServer),
		b.windows(a, "hos-dc02", srv, 12, asset.RoleDC, asset.RoleDNS, asset.RoleServer),
	}
	a.File = b.windows(a, "hos-fs01", srv, 21, asset.RoleFile, asset.RoleServer)
	b.Srv.HIS = b.windows(a, "hos-his01", srv, 31, asset.RoleServer)
	lis := b.windows(a, "hos-lis01", srv, 32, asset.RoleServer)
	b.Srv.PACS = b.windows(a, "hos-pacs01", srv, 33, asset.RoleServer)
	b.windows(a, "hos-print01", srv, 41, asset.RoleServer)
	b.Srv.NAS = b.other(a, "hos-nas01", srv, 77, linux, asset.RoleFile)
	b.Srv.NAS.Undrawn = true
	b.sends(b.Srv.NAS, false, false)
	b.hypervisor(a, "hos-hv01", srv, 61, b.Srv.HIS, lis)
	a.Jump = b.windows(a, "hos-jump01", mgmt, 11, asset.RoleManager, asset.RoleServer)
	b.Srv.Terminal = b.windows(a, "hos-ts01", mgmt, 21, asset.RoleServer)
	a.Backup = b.windows(a, "hos-bak01", bak, 11, asset.RoleBackup, asset.RoleServer)
	b.other(a, "fw-hos", 2, 2, "FortiOS", asset.RoleFirewall)
}

// small gives an agency its own two servers.
func (b *builder) small(a *Agency) {
	srv := b.serverSegment(a, asset.ZoneInside)
	c := strings.ToLower(a.Code)
	a.File = b.windows(a, c+"-fs01", srv, 21, asset.RoleFile, asset.RoleServer)
	b.windows(a, c+"-app01", srv, 41, asset.RoleServer)
}

// perSegment is how many machines share one /24.
const perSegment = 220

// desks adds n workstations, each with its person.
func (b *builder) desks(a *Agency, n int) {
	seg := 0
	for i := range n {
		if i%perSegment == 0 {
			k := i / perSegment
			seg = b.segment(fmt.Sprintf("%s-office-%d", strings.ToLower(a.Code), k+1), fmt.Sprintf("10.%d.%d.0/24", a.N, 16+k), asset.ZoneInside, a.Code)
		}
		at := b.Segments[seg].Prefix.Addr().As4()
		at[3] += byte(20 + i%perSegment)
		os := windows10
		if b.r.IntN(2) == 0 {
			os = windows11
		}
		h := b.collect(b.host(a, fmt.Sprintf("%s-pc-%04d", a.Code, i+1), seg, netip.AddrFrom4(at), os, asset.RoleWorkstation), b.r.IntN(10) < 7)
		stays := 30
		p := b.account(a.Domain, b.name(), Person)
		p.Agency, p.Home, h.Owner = a, h, p
		if a == b.Hospital {
			stays = 60
			switch k := b.r.IntN(100); {
			case k < 30:
			case k < 60:
				p.Shift = Early
			case k < 82:
				p.Shift = Late
			default:
				p.Shift = Night
			}
		}
		h.Always = b.r.IntN(100) < stays
		a.PCs = append(a.PCs, h)
		a.People = append(a.People, p)
		b.People = append(b.People, p)
	}
}

// devices adds n medical devices; they write no Windows logs that anybody
// collects.
func (b *builder) devices(a *Agency, n int) {
	seg := 0
	kinds := []string{"ct", "mri", "us", "vent", "mon", "pump", "lab", "xr"}
	for i := range n {
		if i%perSegment == 0 {
			k := i / perSegment
			seg = b.segment(fmt.Sprintf("hos-clinical-%d", k+1), fmt.Sprintf("10.%d.%d.0/24", a.N, 128+k), asset.ZoneClinical, a.Code)
		}
		at := b.Segments[seg].Prefix.Addr().As4()
		at[3] += byte(20 + i%perSegment)
		h := b.host(a, fmt.Sprintf("hos-%s-%04d", kinds[b.r.IntN(len(kinds))], i+1), seg, netip.AddrFrom4(at), "embedded", asset.RoleMedical)
		h.Always = true
		a.Medical = append(a.Medical, h)
	}
}

// account adds an account to a domain.
func (b *builder) account(d *Domain, name string, k Kind) *Account {
	if b.rids == nil {
		b.rids = map[*Domain]int{}
	}
	b.rids[d]++
	return &Account{Domain: d, Name: name, Kind: k, SID: fmt.Sprintf("%s-%d", d.SID, 1103+b.rids[d])}
}

// accounts adds administrators (people of a who get a second account) and
// service accounts.
func (b *builder) accounts(d *Domain, a *Agency, admins int) {
	used := map[int]bool{}
	for len(d.Admins) < admins && len(d.Admins) < len(a.People) {
		i := b.r.IntN(len(a.People))
		if used[i] {
			continue
		}
		used[i] = true
		p := a.People[i]
		p.Shift = Office
		p.Home.Always = true // an administrator leaves his machine on
		adm := b.account(d, "adm."+p.Name, Admin)
		adm.Agency, adm.Home, adm.Self = a, p.Home, p
		d.Admins = append(d.Admins, adm)
	}
	svc := func(name string) *Account {
		s := b.account(d, name, Service)
		s.Agency = a
		return s
	}
	d.Backup, d.Deploy, d.Scan, d.Monitor = svc("svc.backup"), svc("svc.deploy"), svc("svc.scan"), svc("svc.monitor")
}

// NewVendor makes an account of a maintenance company in the hospital's domain.
func (c *City) NewVendor(name string, rid int) *Account {
	d := c.Hospital.Domain
	return &Account{Domain: d, Name: name, Kind: Vendor, Agency: c.Hospital, SID: fmt.Sprintf("%s-%d", d.SID, rid)}
}
