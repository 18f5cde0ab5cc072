// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package dhcp reads what DHCP servers say about who held which address when:
// ISC dhcpd's syslog lines and dhcpd.leases, dnsmasq's syslog lines, Kea's lease
// files and log, and the audit log of the DHCP server of Windows.
//
// It promises that a record which says that an address was given, renewed or
// taken back has the address, the hardware address and the client's name as
// fields, and a view with action lease: that is what ties addresses to machines
// in time. The client chooses its name; nothing here believes it. See README.md.
package dhcp

import (
	"bytes"
	"net/netip"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
)

// Leases returns the decoder of dhcpd.leases.
func Leases() format.Format {
	return format.Format{Name: iscName, Sniff: sniffLeases, Decode: decodeLeases}
}

// KeaLeases returns the decoder of Kea's lease files.
func KeaLeases() format.Format {
	return format.Format{Name: keaName, Sniff: sniffKea, Decode: decodeKea}
}

// KeaLog returns the decoder of Kea's log files.
func KeaLog() format.Format {
	return format.Format{Name: keaLogName, Sniff: sniffKeaLog, Keys: format.NoObject, Decode: format.Lines(recordKeaLog), Record: recordKeaLog}
}

// Windows returns the decoder of the audit log of Windows.
func Windows() format.Format {
	return format.Format{Name: windowsName, Sniff: sniffWindows, Keys: format.NoObject, Decode: decodeWindows, Record: recordWindows}
}

// Dialect returns the reading of dhcpd, dnsmasq and Kea inside syslog.
func Dialect() format.Dialect {
	return format.Dialect{Name: "dhcp", Match: match, Read: read}
}

func match(app, msg string) bool {
	switch app {
	case "dhcpd", "dhcpd6", "dnsmasq-dhcp":
		return true
	case "kea-dhcp4", "kea-dhcp6":
		return isKea(msg)
	}
	return false
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	e.Product, e.Category = "dhcp", "dhcp"
	f := format.NewBody(&e.Fields, 8)
	switch app := e.Fields.Str("appname"); {
	case strings.HasPrefix(app, "kea"):
		return readKea(msg, e, src)
	case app == "dnsmasq-dhcp":
		e.Service = "dnsmasq"
		dnsmasq(msg, f)
	default:
		e.Service = "isc"
		isc(msg, f)
	}
	f.Add("message", msg)
	return nil
}

// isc reads the sentences of dhcpd (server/dhcp.c, dhcpv6.c, ddns.c): a verb in
// capitals, the address after on, of or for, the client after to or from, its
// name in brackets, and by way of which interface or relay.
func isc(msg string, f *format.Body) {
	verb, rest, _ := strings.Cut(msg, " ")
	if !strings.HasPrefix(verb, "DHCP") && !strings.HasPrefix(verb, "BOOT") {
		ev := iscSentences.Read("", msg, f.Add)
		if ev != "" {
			f.Add("event", ev)
		}
		return
	}
	f.Add("event", verb)
	for rest != "" {
		word, more, _ := strings.Cut(rest, " ")
		switch {
		case word == "on", word == "of", word == "for", word == "to", word == "from":
			var who string
			who, rest, _ = strings.Cut(more, " ")
			address(strings.TrimRight(who, ",:"), f)
		case strings.HasPrefix(word, "("):
			in, after, ok := cutName(rest)
			if !ok {
				f.Add("detail", rest)
				return
			}
			rest = after
			if _, err := netip.ParseAddr(in); err == nil {
				f.Add("server", in) // whom a request is meant for
			} else if isMAC(in) {
				f.Add("mac", in)
			} else {
				f.Add("client", in)
			}
		case word == "via":
			via, after, _ := strings.Cut(more, " ")
			f.Add("via", strings.TrimSuffix(via, ":"))
			if after = strings.TrimSpace(after); after != "" {
				f.Add("detail", after)
			}
			return
		default:
			f.Add("detail", rest)
			return
		}
	}
}

// cutName reads "(name) via eth0": a name may hold brackets, so it ends where
// via follows, else at the first bracket.
func cutName(s string) (in, rest string, ok bool) {
	end := strings.LastIndex(s, ") via ")
	if end < 0 {
		end = strings.IndexByte(s, ')')
	}
	if i := strings.Index(s, ") from "); i >= 0 && i < end { // "for 10.0.0.5 (10.0.0.1) from …"
		end = i
	}
	if end < 1 {
		return "", s, false
	}
	return s[1:end], strings.TrimLeft(s[end+1:], " "), true
}

// address adds what s is: an address or a hardware address.
func address(s string, f *format.Body) {
	if _, err := netip.ParseAddr(s); err == nil {
		f.Add("ip", s)
	} else if isMAC(s) {
		f.Add("mac", s)
	} else if s != "" {
		f.Add("client", s)
	}
}

// isMAC reports hexadecimal bytes between colons, six as a rule.
func isMAC(s string) bool {
	return len(s) >= 5 && strings.Contains(s, ":") && strings.Trim(s, "0123456789abcdefABCDEF:") == ""
}

// dnsmasq reads "DHCPACK(br0) 10.0.0.5 aa:bb:cc:dd:ee:ff pc-12" (rfc2131.c).
func dnsmasq(msg string, f *format.Body) {
	if _, m, ok := strings.Cut(msg, " "); ok && strings.Trim(strings.SplitN(msg, " ", 2)[0], "0123456789") == "" {
		msg = m // log-dhcp writes a transaction id first
	}
	head, rest, _ := strings.Cut(msg, ") ")
	verb, via, ok := strings.Cut(head, "(")
	if !ok || !strings.HasPrefix(verb, "DHCP") {
		return
	}
	f.Add("event", verb)
	f.Add("via", via)
	for i, w := range strings.Fields(rest) {
		switch _, err := netip.ParseAddr(w); {
		case err == nil && i < 2:
			f.Add("ip", w)
		case isMAC(w) && i < 2:
			f.Add("mac", w)
		case i < 3:
			f.Add("client", w)
		default:
			f.Add("detail", w)
		}
	}
}

// valid keeps texts readable: a byte that is no UTF-8 becomes U+FFFD, Raw has it.
func valid(b []byte) string {
	return string(bytes.ToValidUTF8(b, []byte("\ufffd")))
}
