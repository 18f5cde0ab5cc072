// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"citywall/asset"
	"citywall/internal/fault"
)

// Note is what people wrote of a machine or a segment: whose it is and whom to
// call.
type Note struct {
	Subject string    `json:"subject"` // see DeviceSubject, SegmentSubject
	Owner   string    `json:"owner,omitempty"`
	Contact string    `json:"contact,omitempty"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Version int64     `json:"version"` // 0: not written yet
}

const maxNoteText = 300 // characters

// Check says what is wrong with n.
func (n Note) Check() error {
	if _, _, _, err := ParseSubject(n.Subject); err != nil {
		return err
	}
	for _, s := range []string{n.Owner, n.Contact} {
		if utf8.RuneCountInString(s) > maxNoteText || strings.ContainsAny(s, "\r\n") {
			return fault.New(fault.Invalid, "owner and contact have one line of at most %d characters each", maxNoteText)
		}
	}
	return nil
}

// DeviceSubject names the machine at an address, as sources of agency see it.
func DeviceSubject(agency string, a netip.Addr) string { return "device/" + agency + "/" + a.String() }

// SegmentSubject names a segment.
func SegmentSubject(p netip.Prefix) string { return "segment/" + p.String() }

// ParseSubject reads what DeviceSubject and SegmentSubject write; one of
// address and prefix is valid.
func ParseSubject(s string) (agency string, a netip.Addr, p netip.Prefix, err error) {
	kind, rest, _ := strings.Cut(s, "/")
	switch kind {
	case "segment":
		p, err = netip.ParsePrefix(rest)
	case "device":
		i := strings.LastIndexByte(rest, '/')
		agency = rest[:max(i, 0)]
		a, err = netip.ParseAddr(rest[i+1:])
	default:
		err = fault.New(fault.Invalid, "no kind of thing is called %q", kind)
	}
	if err != nil {
		return "", netip.Addr{}, netip.Prefix{}, fault.New(fault.Invalid, "%q names neither a machine nor a segment", s)
	}
	return agency, a, p, nil
}

// Noted adds what people wrote to a topology. What the topology says stands.
func Noted(t asset.Topology, ns []Note) asset.Topology {
	t, _ = Merge(t) // a copy
	for _, n := range ns {
		_, a, p, err := ParseSubject(n.Subject)
		if err != nil {
			continue
		}
		for i := range t.Segments {
			if s := &t.Segments[i]; s.Prefix == p && s.Contact == "" {
				s.Contact = n.Contact
			}
		}
		for i := range t.Hosts {
			h := &t.Hosts[i]
			for _, x := range h.Addresses {
				if x != a {
					continue
				}
				if h.Contact == "" {
					h.Contact = n.Contact
				}
				if h.Owner == "" {
					h.Owner = n.Owner
				}
			}
		}
	}
	return t
}
