// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"net/netip"
	"strconv"

	"citywall/asset"
	"citywall/event"
)

// natKey is one port of an address that stands for many machines.
type natKey struct {
	outer netip.Addr
	port  uint16
}

// natUse is a machine that had the port.
type natUse struct {
	t          int64
	inner, dst ID
	sport      uint16 // its own
}

// translated notes that a device gave a connection another source address: what
// a sensor beyond it sees comes from that address. The names are those of
// FortiOS, PAN-OS, ASA and IPFIX (RFC 5102, elements 225 and 227).
func (s *Store) translated(ev *event.Event, src, dst ID, sport uint16, t int64) {
	f := ev.Fields
	outer, ok := asset.Addr(f.First("transip", "natsrc", "src_mapped_ip", "postNATSourceIPv4Address", "postNATSourceIPv6Address"))
	if !ok || outer == s.Node(src).Addr || outer.IsUnspecified() {
		return
	}
	port := number16(f.First("transport", "natsport", "src_mapped_port", "postNAPTSourceTransportPort"))
	k := natKey{outer, port}
	s.pools[outer] = true
	if port != 0 {
		s.nats[k] = append(s.nats[k], natUse{t, src, dst, sport})
	}
}

// Pool reports an address that a device of ours gives to many machines.
func (s *Store) Pool(n ID) bool { return s.pools[s.Node(n).Addr] }

// Inner returns who had a port of a pool's address towards dst at t, give or
// take skew, and by which port of its own: the nearest in time. It is 0 when no
// device says so, or when another machine had it nearly as near.
func (s *Store) Inner(n ID, port uint16, dst ID, t, skew int64) (ID, uint16) {
	best, dist, sport := ID(0), skew+1, uint16(0)
	uses := s.nats[natKey{s.Node(n).Addr, port}]
	for _, u := range uses {
		if d := max(u.t-t, t-u.t); u.dst == dst && (d < dist || d == dist && u.sport < sport) {
			best, dist, sport = u.inner, d, u.sport
		}
	}
	for _, u := range uses {
		if d := max(u.t-t, t-u.t); u.dst == dst && u.inner != best && d <= skew && d <= 4*dist {
			return 0, 0
		}
	}
	return best, sport
}

func number16(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
