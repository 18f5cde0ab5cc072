// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package asset holds the nouns of what a city owns: realms, agencies,
// segments, hosts and accounts, and the topology that joins them.
//
// It promises plain values that a test can write as literals and methods that
// compute. It never reads a file, a clock or a network.
package asset

import (
	"net/netip"
	"strings"
)

// Realm is one of the two separate worlds of an installation. Each has its own
// records, keys, users and audit log.
type Realm string

// The two realms.
const (
	City   Realm = "city"   // the digital bureau (資訊局): watch, detect, isolate
	Police Realm = "police" // the police (警察局): cases, evidence, money
)

// Valid reports whether r is one of the two realms.
func (r Realm) Valid() bool { return r == City || r == Police }

// Zone is the kind of trust of a segment.
type Zone string

// Zones of a segment.
const (
	ZoneInside   Zone = "inside"   // user and server networks of the city
	ZoneDMZ      Zone = "dmz"      // reachable from outside
	ZoneExternal Zone = "external" // not ours: the internet, a lab's internet, a partner
	ZoneVPN      Zone = "vpn"      // address pool of a remote-access gateway
	ZoneClinical Zone = "clinical" // protected: medical devices
	ZoneCore     Zone = "core"     // protected: backbone, emergency services
)

// Segment is a network with one zone and one owner.
type Segment struct {
	Name    string       `json:"name" yaml:"name"`
	Prefix  netip.Prefix `json:"prefix" yaml:"prefix"`
	Zone    Zone         `json:"zone" yaml:"zone"`
	Agency  string       `json:"agency,omitempty" yaml:"agency,omitempty"`
	Gateway netip.Addr   `json:"gateway,omitzero" yaml:"gateway,omitempty"`
	Contact string       `json:"contact,omitempty" yaml:"contact,omitempty"` // whom to call at any hour
}

// Role is what a host is for. A host may have several.
type Role string

// Roles that inference and safeguards know.
const (
	RoleDC          Role = "dc"
	RoleFile        Role = "file"
	RoleMail        Role = "mail"
	RoleWeb         Role = "web"
	RoleHypervisor  Role = "hypervisor"
	RoleBackup      Role = "backup"
	RoleVPN         Role = "vpn"
	RoleFirewall    Role = "firewall"
	RoleWorkstation Role = "workstation"
	RoleServer      Role = "server"
	RoleScanner     Role = "scanner" // vulnerability scanner: its probes are expected
	RoleMonitor     Role = "monitor" // collects other hosts' values: an observer, not a subject
	RoleManager     Role = "manager" // software distribution, patch server, jump host
	RoleMedical     Role = "medical" // never isolated without two people
	RoleDNS         Role = "dns"
)

// Host is a machine. Addresses are those it is known to hold; bindings in time
// belong to the inference, not here.
type Host struct {
	Name      string       `json:"name" yaml:"name"`
	Addresses []netip.Addr `json:"addresses,omitempty" yaml:"addresses,omitempty"`
	Roles     []Role       `json:"roles,omitempty" yaml:"roles,omitempty"`
	Agency    string       `json:"agency,omitempty" yaml:"agency,omitempty"`
	Owner     string       `json:"owner,omitempty" yaml:"owner,omitempty"` // account that normally sits there
	OS        string       `json:"os,omitempty" yaml:"os,omitempty"`
	Contact   string       `json:"contact,omitempty" yaml:"contact,omitempty"` // whom to call at any hour
}

// Has reports whether h has role r.
func (h Host) Has(r Role) bool {
	for _, x := range h.Roles {
		if x == r {
			return true
		}
	}
	return false
}

// AdminPair is a source, destination and account that administers by design:
// backup, software distribution, a jump host.
type AdminPair struct {
	Src     string `json:"src" yaml:"src"`         // host name or address; "*" for any
	Dst     string `json:"dst" yaml:"dst"`         // host name, address or prefix; "*" for any
	Account string `json:"account" yaml:"account"` // "*" for any
	Note    string `json:"note,omitempty" yaml:"note,omitempty"`
}

// Path is traffic between two segments that is allowed.
type Path struct {
	From  netip.Prefix `json:"from" yaml:"from"`
	To    netip.Prefix `json:"to" yaml:"to"`
	Ports []uint16     `json:"ports,omitempty" yaml:"ports,omitempty"` // of the one who answers; none: all
	Note  string       `json:"note,omitempty" yaml:"note,omitempty"`   // which rule says so
}

// Topology is what is known about a network beforehand. The zero value is
// valid and means: infer everything.
type Topology struct {
	Segments   []Segment   `json:"segments,omitempty" yaml:"segments,omitempty"`
	Hosts      []Host      `json:"hosts,omitempty" yaml:"hosts,omitempty"`
	AdminPairs []AdminPair `json:"admin_pairs,omitempty" yaml:"admin_pairs,omitempty"`
	Paths      []Path      `json:"paths,omitempty" yaml:"paths,omitempty"` // none: what may talk to what is not drawn
}

// SegmentOf returns the most specific segment that holds a.
func (t Topology) SegmentOf(a netip.Addr) (Segment, bool) {
	best, ok := Segment{}, false
	a = a.Unmap()
	for _, s := range t.Segments {
		if s.Prefix.Contains(a) && (!ok || s.Prefix.Bits() > best.Prefix.Bits()) {
			best, ok = s, true
		}
	}
	return best, ok
}

// PlaceOf returns the prefix of the segment that holds a, or a's /24 or /64.
func (t Topology) PlaceOf(a netip.Addr) netip.Prefix {
	if s, ok := t.SegmentOf(a); ok {
		return s.Prefix
	}
	bits := 24
	if a.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// HostName normalises a host name for comparison: lower case, no trailing dot,
// no NetBIOS backslashes, only the first label unless it is an address.
func HostName(s string) string {
	s = strings.Trim(strings.TrimSpace(s), `\.`)
	if s == "" || s == "-" {
		return ""
	}
	if '0' <= s[0] && s[0] <= '9' || strings.IndexByte(s, ':') >= 0 { // nothing else is an address, and most names are none
		if a, err := netip.ParseAddr(s); err == nil {
			return a.Unmap().String()
		}
	}
	if i := strings.IndexByte(s, '.'); i > 0 {
		s = s[:i]
	}
	return strings.ToLower(s)
}

// Addr parses an address as a record writes it: "::ffff:" unmapped, zone and
// brackets dropped. Loopback, unspecified and "-" give false: they name nobody.
func Addr(s string) (netip.Addr, bool) {
	if s = strings.TrimSpace(s); s == "" || s == "-" {
		return netip.Addr{}, false
	}
	if s[0] == '[' || s[len(s)-1] == ']' {
		s = strings.Trim(s, "[]")
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	a = a.Unmap().WithZone("")
	if a.IsLoopback() || a.IsUnspecified() {
		return netip.Addr{}, false
	}
	return a, true
}

// Account is a user account in one normal form.
type Account struct {
	Domain  string `json:"domain,omitempty"`
	Name    string `json:"name"`
	Machine bool   `json:"machine,omitempty"` // NAME$: a computer, not a person
}

// ParseAccount reads DOMAIN\user, user@REALM, user or NAME$. "-" and "" give
// the zero account. Comparison is case-insensitive, so both parts are folded;
// a DNS domain keeps only its first label so that CORP and corp.example meet.
func ParseAccount(domain, user string) Account {
	user, domain = strings.TrimSpace(user), strings.TrimSpace(domain)
	if i := strings.IndexByte(user, '\\'); i >= 0 {
		domain, user = user[:i], user[i+1:]
	} else if i := strings.LastIndexByte(user, '@'); i > 0 {
		domain, user = user[i+1:], user[:i]
	}
	if user == "" || user == "-" {
		return Account{}
	}
	if domain == "-" || domain == "." {
		domain = ""
	}
	if i := strings.IndexByte(domain, '.'); i > 0 {
		domain = domain[:i]
	}
	a := Account{Domain: strings.ToLower(domain), Name: strings.ToLower(user)}
	a.Machine = strings.HasSuffix(a.Name, "$")
	return a
}

// IsZero reports whether a names nobody.
func (a Account) IsZero() bool { return a.Name == "" }

// String returns domain\name, or name alone.
func (a Account) String() string {
	if a.Domain == "" {
		return a.Name
	}
	return a.Domain + `\` + a.Name
}
