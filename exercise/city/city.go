// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package city is the synthetic city as it stands: agencies, networks,
// machines, people and accounts, and the sensors that watch them.
//
// It promises that the same seed and size give the same city, that addresses
// come from private and documentation ranges only (RFC 1918, 5737, 2544), and
// that names belong to nobody (.example). Nothing in it moves: what happens
// there is exercise/act.
package city

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"citywall/asset"
	"citywall/exercise/logs"
)

// City is the whole estate. It is built once and then only read, except for
// the record counters of its sources.
type City struct {
	Agencies []*Agency
	Hosts    []*Host    // drawn and undrawn
	People   []*Account // with a workstation
	Outside  []Site     // web sites people visit
	Segments []asset.Segment
	VPNPool  netip.Prefix

	Edge, HospitalWall *logs.Source // firewalls
	Core               *logs.Source // Zeek at the core switch
	Flows              *logs.Source // the core switch's own flow records, where it sends any
	Perimeter          *logs.Source // Suricata at the internet line

	Bureau, Hospital *Agency
	Srv              Servers
	Help             int // which remote-management tool the help desk uses: index of act.Tools

	byAddr map[netip.Addr]*Host
}

// Servers are the machines that behaviour and scripts know by name.
type Servers struct {
	Public, Portal *Host // web servers in the DMZ: the city's pages, the staff portal
	Mail           *Host
	Proxy          *Host
	Deploy         *Host // software distribution
	Patch          *Host
	Scanner        *Host
	Monitor        *Host
	Terminal       *Host // hospital: where vendors land
	PACS, HIS      *Host
	NAS            *Host // hospital: nobody drew it
	Gateway        *Host // takes mail from outside
	Names          *Host // forwards questions to the internet, gives out addresses
	Hypervisors    []*Host
}

// Domain is an Active Directory domain.
type Domain struct {
	NetBIOS, DNS, SID string
	DCs               []*Host
	Standby           bool // the second controller only waits for the first to fail
	Admins            []*Account
	Backup, Deploy    *Account // service accounts
	Scan, Monitor     *Account
}

// Agency is one authority of the city.
type Agency struct {
	Code    string
	N       int // second octet of its networks
	Domain  *Domain
	PCs     []*Host
	Servers []*Host
	Medical []*Host
	File    *Host
	Backup  *Host
	Jump    *Host
	People  []*Account
}

// Shared are outside addresses of an access provider behind each of which
// hundreds of subscribers are (RFC 6888), honest and other.
func Shared() []netip.Addr {
	var out []netip.Addr
	for i := range byte(4) {
		out = append(out, netip.AddrFrom4([4]byte{198, 19, 199, 4 + i}))
	}
	return out
}

// Kind of account.
type Kind uint8

// Kinds.
const (
	Person Kind = iota
	Admin
	Service
	Vendor
	Machine
)

// Account is a user account.
type Account struct {
	Domain *Domain
	Name   string
	SID    string
	Kind   Kind
	Agency *Agency
	Home   *Host // where its owner sits
	Shift  Shift
	Self   *Account // of an admin account: the person's ordinary one
}

// String returns the form used in truth: domain\name in lower case.
func (a *Account) String() string { return asset.ParseAccount(a.Domain.NetBIOS, a.Name).String() }

// Shift is when somebody works.
type Shift uint8

// Shifts: office hours, and the three of a ward.
const (
	Office Shift = iota
	Early
	Late
	Night
)

// Host is a machine.
type Host struct {
	Name    string // NetBIOS, upper case
	Addr    netip.Addr
	Agency  *Agency
	Segment int // index in City.Segments
	Roles   []asset.Role
	OS      string
	Owner   *Account
	Logs    *logs.Source // Windows logs; nil when it has none or they are not collected
	Syslog  *logs.Source // what an appliance or a Unix machine sends; nil for none
	Sysmon  bool
	Always  bool // on day and night
	Undrawn bool
	Guests  []*Host // of a hypervisor
}

// Has reports whether the host has a role.
func (h *Host) Has(r asset.Role) bool { return asset.Host{Roles: h.Roles}.Has(r) }

// FQDN returns the full name.
func (h *Host) FQDN() string { return h.Name + "." + h.Agency.Domain.DNS }

// Key is the name in the form truth and incidents use.
func (h *Host) Key() string { return asset.HostName(h.Name) }

// Windows reports whether its Windows logs are collected.
func (h *Host) Windows() bool { return h.Logs != nil }

// Site is a place on the internet.
type Site struct {
	Name  string
	Addr  netip.Addr
	Plain bool // http, not https
}

// Min and Max bound the number of devices. A city has servers for every role,
// whoever asks for how few devices: below Smallest it is that large.
const (
	Min      = 20
	Smallest = 53
	Max      = 20000
)

// agencyCodes in the order they join as the city grows.
var agencyCodes = []string{"DIB", "HOS", "CIV", "EDU", "FIN", "HLT", "PUB", "SOC", "ENV", "TRA", "LAB", "CUL"}

// fewest is how many desks the smallest city has.
const fewest = 16

// New builds a city with about n devices; fewer than Min is an error of the
// caller and taken as Min.
func New(seed uint64, n int) *City {
	n = min(max(n, Min), Max)
	r := rand.New(rand.NewPCG(seed, 0xc17a))
	b := &builder{r: r, City: &City{byAddr: map[netip.Addr]*Host{}, VPNPool: netip.MustParsePrefix("10.254.0.0/22")}, names: map[string]int{}}
	b.common()
	agencies := min(max(n/60, 3), len(agencyCodes))
	city := &Domain{NetBIOS: "CITY", DNS: "city.example", SID: b.sid()}
	hosp := &Domain{NetBIOS: "HOSP", DNS: "hosp.example", SID: b.sid()}
	for i, code := range agencyCodes[:agencies] {
		a := &Agency{Code: code, N: i + 1, Domain: city}
		if code == "HOS" {
			a.Domain = hosp
		}
		b.Agencies = append(b.Agencies, a)
	}
	b.Bureau, b.Hospital = b.Agencies[0], b.Agencies[1]
	b.bureau()
	b.hospital()
	for _, a := range b.Agencies[2:] {
		b.small(a)
	}
	rest := max(n-len(b.Hosts), fewest)
	medical := rest * 8 / 100
	b.devices(b.Hospital, medical)
	b.desks(b.Hospital, rest*27/100)
	rest -= medical + rest*27/100
	for i, a := range b.Agencies {
		if a == b.Hospital {
			continue
		}
		left := agencies - i
		if i == 0 {
			left-- // the hospital is not among those to come
		}
		k := rest / max(left, 1)
		b.desks(a, k)
		rest -= k
	}
	b.Help = b.r.IntN(3)
	b.accounts(city, b.Bureau, 3)
	b.accounts(hosp, b.Hospital, 2)
	b.outside()
	return b.City
}

// Forget starts all record counters anew, so that a second play of the same
// city writes the same ids.
func (c *City) Forget() {
	for _, h := range c.Hosts {
		if h.Logs != nil {
			h.Logs.Forget()
		}
	}
}

// HostAt returns the machine that has an address.
func (c *City) HostAt(a netip.Addr) *Host { return c.byAddr[a] }

// Ours reports whether an address belongs to the city.
func (c *City) Ours(a netip.Addr) bool {
	_, ok := asset.Topology{Segments: c.Segments}.SegmentOf(a)
	return ok
}

// SegmentOf returns the index of the segment that holds a, -1 for outside. It
// knows how addresses are given out, so it needs no search.
func (c *City) SegmentOf(a netip.Addr) int {
	if h := c.byAddr[a]; h != nil {
		return h.Segment
	}
	for i, s := range c.Segments {
		if s.Prefix.Contains(a) {
			return i
		}
	}
	return -1
}

// Topology is what the bureau has drawn: its networks, its servers, and who
// administers what. Workstations and one device are not on the drawing.
func (c *City) Topology() asset.Topology {
	t := asset.Topology{Segments: append([]asset.Segment(nil), c.Segments...)}
	for _, h := range c.Hosts {
		if h.Undrawn || h.Has(asset.RoleWorkstation) || h.Has(asset.RoleMedical) && h.Agency != c.Hospital {
			continue
		}
		t.Hosts = append(t.Hosts, asset.Host{
			Name: h.Key(), Addresses: []netip.Addr{h.Addr}, Roles: h.Roles, Agency: h.Agency.Code, OS: h.OS,
		})
	}
	pair := func(src *Host, dst string, a *Account, note string) {
		t.AdminPairs = append(t.AdminPairs, asset.AdminPair{Src: src.Key(), Dst: dst, Account: a.String(), Note: note})
	}
	for _, ag := range []*Agency{c.Bureau, c.Hospital} {
		pair(ag.Backup, "*", ag.Domain.Backup, "backup")
		for _, a := range ag.Domain.Admins {
			pair(ag.Jump, "*", a, "jump host")
		}
	}
	pair(c.Srv.Deploy, "*", c.Bureau.Domain.Deploy, "software distribution")
	pair(c.Srv.Scanner, "*", c.Bureau.Domain.Scan, "vulnerability scanner")
	pair(c.Srv.Monitor, "*", c.Bureau.Domain.Monitor, "monitoring")
	return t
}

// offset is the clock error of a machine that keeps time with its domain.
func offset(r *rand.Rand) time.Duration {
	return time.Duration(r.NormFloat64()*60) * time.Millisecond
}

func addr(format string, args ...any) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf(format, args...))
}
