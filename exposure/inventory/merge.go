// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"slices"

	"citywall/asset"
)

// Merge joins drawings; what an earlier one says stands, a later one fills what
// is empty. What they contradict each other in is returned in words for the
// person who merges.
func Merge(ts ...asset.Topology) (asset.Topology, []string) {
	var out asset.Topology
	var clash []string
	said := func(what, name, field, a, b string) {
		if a != "" && b != "" && a != b {
			clash = append(clash, fmt.Sprintf("%s %s: %s is %q in one drawing and %q in another", what, name, field, a, b))
		}
	}
	fill := func(a *string, b string) {
		if *a == "" {
			*a = b
		}
	}
	for _, t := range ts {
		for _, s := range t.Segments {
			i := slices.IndexFunc(out.Segments, func(x asset.Segment) bool { return x.Prefix == s.Prefix })
			if i < 0 {
				out.Segments = append(out.Segments, s)
				continue
			}
			x := &out.Segments[i]
			said("segment", s.Prefix.String(), "zone", string(x.Zone), string(s.Zone))
			said("segment", s.Prefix.String(), "agency", x.Agency, s.Agency)
			if x.Zone == "" {
				x.Zone = s.Zone
			}
			if !x.Gateway.IsValid() {
				x.Gateway = s.Gateway
			}
			fill(&x.Name, s.Name)
			fill(&x.Agency, s.Agency)
			fill(&x.Contact, s.Contact)
		}
		for _, h := range t.Hosts {
			i := slices.IndexFunc(out.Hosts, func(x asset.Host) bool { return asset.HostName(x.Name) == asset.HostName(h.Name) })
			if i < 0 {
				h.Addresses, h.Roles = slices.Clone(h.Addresses), slices.Clone(h.Roles)
				out.Hosts = append(out.Hosts, h)
				continue
			}
			x := &out.Hosts[i]
			said("host", h.Name, "agency", x.Agency, h.Agency)
			said("host", h.Name, "owner", x.Owner, h.Owner)
			for _, a := range h.Addresses {
				if !slices.Contains(x.Addresses, a) {
					x.Addresses = append(x.Addresses, a)
				}
			}
			for _, r := range h.Roles {
				if !x.Has(r) {
					x.Roles = append(x.Roles, r)
				}
			}
			fill(&x.Agency, h.Agency)
			fill(&x.Owner, h.Owner)
			fill(&x.OS, h.OS)
			fill(&x.Contact, h.Contact)
		}
		out.AdminPairs = append(out.AdminPairs, t.AdminPairs...)
		out.Paths = append(out.Paths, t.Paths...)
	}
	return out, clash
}
