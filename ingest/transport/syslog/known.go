// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"net/netip"
	"sync/atomic"
)

// known are the senders that people registered while the listener runs. Those
// of the configuration come first: an operator who wrote one down means it.
type known struct {
	list atomic.Pointer[[]Sender]
}

// sender returns what is known of the sender at a.
func (k *known) sender(c Config, a netip.Addr) Sender {
	s, ok := match(c.Senders, a)
	if !ok {
		if l := k.list.Load(); l != nil {
			s, _ = match(*l, a)
		}
	}
	if s.Name == "" {
		s.Name = a.Unmap().WithZone("").String()
	}
	if s.Agency == "" {
		s.Agency = c.Agency
	}
	if s.Zone == "" {
		s.Zone = c.Zone
	}
	return s
}

// match returns the sender with the longest prefix that holds a.
func match(list []Sender, a netip.Addr) (best Sender, ok bool) {
	a = a.Unmap().WithZone("")
	bits := -1
	for _, s := range list {
		if s.Prefix.Contains(a) && s.Prefix.Bits() > bits {
			best, bits, ok = s, s.Prefix.Bits(), true
		}
	}
	return best, ok
}
