// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"

	"citywall/asset"
	"citywall/internal/fault"
)

// columns are the headings a list of machines may have, in English and in the
// words of Taiwanese offices (財產清冊、IP 清冊).
var columns = map[string][]string{
	"name":    {"name", "host", "hostname", "computer", "主機名稱", "電腦名稱", "設備名稱", "名稱"},
	"address": {"address", "addresses", "ip", "ip address", "ip位址", "ip 位址", "位址", "網路位址"},
	"prefix":  {"prefix", "network", "subnet", "cidr", "網段", "網段位址"},
	"segment": {"segment", "vlan", "網段名稱", "區段"},
	"zone":    {"zone", "區域"},
	"roles":   {"role", "roles", "角色", "用途", "設備類型"},
	"agency":  {"agency", "department", "機關", "單位", "使用單位"},
	"owner":   {"owner", "user", "account", "使用者", "保管人", "帳號"},
	"os":      {"os", "operating system", "作業系統"},
	"contact": {"contact", "phone", "聯絡人", "聯絡窗口", "電話"},
}

// roleWords are roles as people write them.
var roleWords = map[string]asset.Role{
	"domain controller": asset.RoleDC, "dc": asset.RoleDC, "網域控制站": asset.RoleDC, "file": asset.RoleFile, "file server": asset.RoleFile, "檔案伺服器": asset.RoleFile,
	"mail": asset.RoleMail, "郵件伺服器": asset.RoleMail, "web": asset.RoleWeb, "網站": asset.RoleWeb, "網站伺服器": asset.RoleWeb, "hypervisor": asset.RoleHypervisor, "虛擬化主機": asset.RoleHypervisor,
	"backup": asset.RoleBackup, "備份主機": asset.RoleBackup, "vpn": asset.RoleVPN, "firewall": asset.RoleFirewall, "防火牆": asset.RoleFirewall, "workstation": asset.RoleWorkstation,
	"pc": asset.RoleWorkstation, "個人電腦": asset.RoleWorkstation, "server": asset.RoleServer, "伺服器": asset.RoleServer, "scanner": asset.RoleScanner, "弱點掃描": asset.RoleScanner,
	"monitor": asset.RoleMonitor, "監控主機": asset.RoleMonitor, "manager": asset.RoleManager, "派送主機": asset.RoleManager, "medical": asset.RoleMedical, "醫療設備": asset.RoleMedical, "dns": asset.RoleDNS,
}

var zoneWords = map[string]asset.Zone{
	"inside": asset.ZoneInside, "內部": asset.ZoneInside, "dmz": asset.ZoneDMZ, "external": asset.ZoneExternal, "外部": asset.ZoneExternal, "vpn": asset.ZoneVPN, "clinical": asset.ZoneClinical,
	"醫療": asset.ZoneClinical, "core": asset.ZoneCore, "骨幹": asset.ZoneCore,
}

// table reads CSV with a heading line. A row with a prefix is a segment, one
// with a name a machine.
func table(b []byte) (Drawing, error) {
	d := Drawing{Kind: CSV}
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true, true
	if head, _, _ := bytes.Cut(b, []byte("\n")); bytes.Count(head, []byte{'\t'}) > bytes.Count(head, []byte{','}) {
		r.Comma = '\t'
	} else if bytes.Count(head, []byte{';'}) > bytes.Count(head, []byte{','}) {
		r.Comma = ';'
	}
	head, err := r.Read()
	if err != nil {
		return d, fault.New(fault.Invalid, "the file is none of a FortiGate, ASA or Palo Alto configuration, and no CSV: %w", err)
	}
	at := map[string]int{}
	for i, h := range head {
		h = strings.ToLower(strings.TrimSpace(h))
		for col, words := range columns {
			if _, there := at[col]; !there && slices.Contains(words, h) {
				at[col] = i
			}
		}
	}
	_, name := at["name"]
	_, prefix := at["prefix"]
	if !name && !prefix {
		return d, fault.New(fault.Invalid, "the file is none of a FortiGate, ASA or Palo Alto configuration, and its first line has neither a column name (主機名稱) nor prefix (網段)")
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			d.note("line %d: %v", line, err)
			continue
		}
		if d.full() {
			d.note("line %d: more than %d entries", line, maxItems)
			return d, nil
		}
		d.row(line, func(col string) string {
			if i, ok := at[col]; ok && i < len(row) {
				return strings.Clone(strings.TrimSpace(row[i]))
			}
			return ""
		})
	}
}

func (d *Drawing) row(line int, col func(string) string) {
	if s := col("prefix"); s != "" {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			d.note("line %d: %q is no prefix", line, s)
			return
		}
		name := col("segment")
		if name == "" {
			name = col("name")
		}
		if name == "" {
			name = p.Masked().String()
		}
		zone, ok := zoneWords[strings.ToLower(col("zone"))]
		if !ok && col("zone") != "" {
			d.note("line %d: the zone %q is not known", line, col("zone"))
		}
		d.Topology.Segments = append(d.Topology.Segments, asset.Segment{Name: name, Prefix: p.Masked(), Zone: zone, Agency: col("agency"), Contact: col("contact")})
		return
	}
	h := asset.Host{Name: asset.HostName(col("name")), Agency: col("agency"), Owner: col("owner"), OS: col("os"), Contact: col("contact")}
	if h.Name == "" {
		d.note("line %d: neither a name nor a prefix", line)
		return
	}
	for _, s := range strings.FieldsFunc(col("address"), func(r rune) bool { return strings.ContainsRune(" ,;、/", r) }) {
		a, err := netip.ParseAddr(s)
		if err != nil {
			d.note("line %d: %q is no address", line, s)
			continue
		}
		h.Addresses = append(h.Addresses, a.Unmap())
	}
	for _, s := range strings.FieldsFunc(strings.ToLower(col("roles")), func(r rune) bool { return strings.ContainsRune(",;、/", r) }) {
		if r, ok := roleWords[strings.TrimSpace(s)]; ok {
			h.Roles = append(h.Roles, r)
		} else {
			d.note("line %d: the role %q is not known", line, strings.TrimSpace(s))
		}
	}
	d.Topology.Hosts = append(d.Topology.Hosts, h)
}
