// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package sender is what is known of those who send records: who they are, what
// is expected of them, and how each product is told to send here.
//
// A sender that is registered has an agency, a zone for times without one, and
// an expectation, so that its silence is noticed from the first day; one that is
// not is shown as such. The catalogue holds the exact configuration of each
// product as text with places to fill in. It never talks to a device and stores
// nothing (senderdb does).
package sender

import (
	"net/netip"
	"strings"
	"time"

	"citywall/internal/fault"
)

// Ways in which records arrive.
const (
	SyslogUDP = "syslog-udp"
	SyslogTCP = "syslog-tcp"
	SyslogTLS = "syslog-tls"
	HTTP      = "http"
	Watch     = "watch"
	NetFlow   = "netflow"
)

// Sender is a registered source of records.
type Sender struct {
	Name      string        `json:"name"`              // as Event.Source has it; unique
	Kind      string        `json:"kind,omitempty"`    // of the catalogue
	Transport string        `json:"transport"`         //
	Address   netip.Prefix  `json:"address,omitzero"`  // syslog, NetFlow: where it sends from; a host is /32 or /128
	Agency    string        `json:"agency,omitempty"`  //
	Zone      string        `json:"zone,omitempty"`    // IANA name; "" means Asia/Taipei
	Silence   time.Duration `json:"silence,omitempty"` // after how long its silence is a finding, ns; 0: learned
	PerHour   int           `json:"per_hour,omitempty"`
	Contact   string        `json:"contact,omitempty"` // whom to ask about it
	Note      string        `json:"note,omitempty"`
	Created   time.Time     `json:"created"`
	CreatedBy string        `json:"created_by"`
	Version   int64         `json:"version"`
}

// Limits of what people write.
const (
	maxName = 100
	maxText = 500
)

// Check returns an invalid error that says what to mend.
func (s Sender) Check() error {
	bad := func(f string, args ...any) error { return fault.New(fault.Invalid, "sender "+s.Name+": "+f, args...) }
	switch {
	case s.Name == "" || len(s.Name) > maxName || strings.ContainsAny(s.Name, "\r\n\t\x00/?#%"):
		return fault.New(fault.Invalid, "a sender needs a name of at most %d bytes, without / ? # %%", maxName)
	case len(s.Agency) > maxName || len(s.Contact) > maxName || len(s.Note) > maxText:
		return bad("agency, contact or note is too long")
	case s.Silence < 0 || s.Silence > 0 && s.Silence < time.Minute || s.Silence > 366*24*time.Hour:
		return bad("silence is none, or between a minute and a year")
	case s.PerHour < 0:
		return bad("the expected number of records cannot be negative")
	}
	switch s.Transport {
	case SyslogUDP, SyslogTCP, SyslogTLS, NetFlow:
		if !s.Address.IsValid() {
			return bad("%s tells senders apart by their address: give the one it sends from", s.Transport)
		}
	case HTTP, Watch:
	default:
		return bad("%q is no way to send; there are syslog-udp, syslog-tcp, syslog-tls, http, watch and netflow", s.Transport)
	}
	if _, err := time.LoadLocation(s.Zone); err != nil {
		return bad("%q is no time zone; want a name like Asia/Taipei", s.Zone)
	}
	return nil
}

// ParseAddress reads an address or a prefix.
func ParseAddress(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fault.New(fault.Invalid, "%q is neither an address nor a prefix", s)
	}
	return p.Masked(), nil
}
