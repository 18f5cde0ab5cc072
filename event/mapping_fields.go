// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
)

// field is a field of the View that a mapping table can set.
type field uint8

// A row sets in this order: a reading of another field of the View sees those
// above it.
const (
	fObserver field = iota
	fHost
	fSrc
	fDst
	fHostAddr
	fSrcHost
	fDstHost
	fSrcPort
	fDstPort
	fProto
	fService
	fUser
	fTarget
	fProcess
	fParent
	fCommand
	fFile
	fHash
	fEventID
	fChannel
	fLogon
	fSession
	fMessage
	fBytesOut
	fBytesIn
	fDuration
	fStart
	fAnswer
	fTrust
	fSrcSide
	fDstSide
	fShare
	fSampling
	fields
)

// fieldNames are the JSON names of the View.
var fieldNames = [fields]string{
	"observer", "host", "src", "dst", "host_addr", "src_host", "dst_host", "src_port", "dst_port", "proto", "service", "user", "target",
	"process", "parent", "command", "file", "hash", "event_id", "channel", "logon_type", "session", "message", "bytes_out", "bytes_in",
	"duration", "start", "answer", "trust", "src_side", "dst_side", "share", "sampling",
}

func fieldOf(name string) (field, bool) {
	i := slices.Index(fieldNames[:], name)
	return field(max(i, 0)), i >= 0 //nolint:gosec // few
}

// put sets f from a native text and reports whether the text said something. It
// is a switch and not a table of functions because through those a View could
// not stay on the stack.
func (v *View) put(f field, text, domain string, unit time.Duration) bool {
	switch f {
	case fObserver, fHost, fSrcHost, fDstHost:
		return put(v.text(f), asset.HostName(text))
	case fSrc, fDst, fHostAddr:
		a, ok := asset.Addr(text)
		if ok {
			*v.addr(f) = a
		}
		return ok
	case fUser, fTarget:
		a := asset.ParseAccount(domain, text)
		if a.IsZero() {
			return false
		}
		if f == fUser {
			v.User = a
		} else {
			v.Target = a
		}
		return true
	case fSrcPort, fDstPort:
		n, err := strconv.ParseUint(text, 10, 16)
		if f == fSrcPort {
			return err == nil && put(&v.SrcPort, uint16(n))
		}
		return err == nil && put(&v.DstPort, uint16(n))
	case fBytesOut, fBytesIn:
		n, err := strconv.ParseInt(text, 10, 64)
		if f == fBytesOut {
			return err == nil && n > 0 && put(&v.BytesOut, n)
		}
		return err == nil && n > 0 && put(&v.BytesIn, n)
	case fSampling:
		n, err := strconv.ParseInt(text, 10, 64)
		return err == nil && n > 0 && put(&v.Sampling, n)
	case fLogon:
		n, err := strconv.Atoi(text)
		return err == nil && put(&v.Logon, n)
	case fDuration:
		return put(&v.Duration, seconds(text)/unit)
	case fStart:
		return put(&v.Start, instant(text))
	case fProto:
		text = protoName(text)
	case fService, fHash:
		text = strings.ToLower(text)
	case fSrcSide, fDstSide:
		text = side(text)
	}
	if text == "" {
		return false
	}
	*v.text(f) = text
	return true
}

func put[T comparable](to *T, x T) bool {
	var zero T
	if x == zero {
		return false
	}
	*to = x
	return true
}

// clear empties f.
func (v *View) clear(f field) {
	switch f {
	case fSrc, fDst, fHostAddr:
		*v.addr(f) = netip.Addr{}
	case fUser:
		v.User = asset.Account{}
	case fTarget:
		v.Target = asset.Account{}
	case fSrcPort:
		v.SrcPort = 0
	case fDstPort:
		v.DstPort = 0
	case fBytesOut:
		v.BytesOut = 0
	case fBytesIn:
		v.BytesIn = 0
	case fLogon:
		v.Logon = 0
	case fSampling:
		v.Sampling = 0
	case fDuration:
		v.Duration = 0
	case fStart:
		v.Start = time.Time{}
	default:
		*v.text(f) = ""
	}
}

// copy sets one of the first seven fields, hosts and addresses, from another of
// them that is not empty.
func (v *View) copy(to, from field) {
	if !from.isAddr() {
		v.put(to, *v.text(from), "", 1)
		return
	}
	a := *v.addr(from)
	switch {
	case !a.IsValid():
	case to.isAddr():
		*v.addr(to) = a
	default:
		v.put(to, a.String(), "", 1)
	}
}

// one reports a field that names one machine or account: a list of several says
// nothing of it.
func (f field) one() bool { return f <= fDstHost || f == fUser || f == fTarget || f == fHash }

func (f field) isAddr() bool { return f == fSrc || f == fDst || f == fHostAddr }

func (v *View) addr(f field) *netip.Addr {
	switch f {
	case fSrc:
		return &v.Src
	case fDst:
		return &v.Dst
	}
	return &v.HostAddr
}

// text returns where a field of kind text lies.
func (v *View) text(f field) *string {
	switch f {
	case fObserver:
		return &v.Observer
	case fHost:
		return &v.Host
	case fSrcHost:
		return &v.SrcHost
	case fDstHost:
		return &v.DstHost
	case fProto:
		return &v.Proto
	case fService:
		return &v.Service
	case fProcess:
		return &v.Process
	case fParent:
		return &v.Parent
	case fCommand:
		return &v.Command
	case fFile:
		return &v.File
	case fHash:
		return &v.Hash
	case fEventID:
		return &v.EventID
	case fChannel:
		return &v.Channel
	case fSession:
		return &v.Session
	case fAnswer:
		return &v.Answer
	case fTrust:
		return &v.Trust
	case fSrcSide:
		return &v.SrcSide
	case fDstSide:
		return &v.DstSide
	case fShare:
		return &v.Share
	}
	return &v.Message
}

// takes are the ways to read a part out of a native text.
var takes = map[string]func(string) string{
	"hash":      hashOf,
	"principal": principal,
	"no_uuid": func(s string) string {
		if uuid(s) {
			return ""
		}
		return s
	},
	"address":     func(s string) string { a, _ := addressPort(s); return a },
	"port":        func(s string) string { _, p := addressPort(s); return p },
	"backslashes": func(s string) string { return strings.ReplaceAll(s, `\\`, `\`) },
	"spn_host":    spnHost,
	"share":       func(s string) string { return s[strings.LastIndexAny(s, `\/`)+1:] },
	"list":        func(s string) string { return strings.Trim(strings.ReplaceAll(s, ";", ", "), ", ") },
}

// hashOf takes one hash out of Sysmon's "MD5=..,SHA256=..", the strongest
// there is.
func hashOf(s string) string {
	for _, k := range [...]string{"SHA256=", "SHA1=", "MD5="} {
		for i := 0; i+len(k) <= len(s); i++ {
			if strings.EqualFold(s[i:i+len(k)], k) {
				h, _, _ := strings.Cut(s[i+len(k):], ",")
				return h
			}
		}
	}
	return ""
}

// uuid reports 8-4-4-4-12 hexadecimal digits, which name a machine to its
// management and to nobody else.
func uuid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		switch hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'; i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !hex {
				return false
			}
		}
	}
	return true
}

// addressPort reads 10.0.0.1:25 and [2001:db8::1]:25, also without the port.
func addressPort(s string) (address, port string) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().String(), strconv.Itoa(int(a.Port()))
	}
	return strings.Trim(s, "[]"), ""
}

// principal reads the Kerberos principal NAME/REALM as NAME@REALM.
func principal(s string) string {
	name, realm, _ := strings.Cut(s, "/")
	if name == "" || realm == "" {
		return name
	}
	return name + "@" + realm
}

// spnHost takes the host out of a service principal: cifs/NASHUA.corp or host$.
func spnHost(spn string) string {
	class, host, ok := strings.Cut(spn, "/")
	if !ok {
		h, ok := strings.CutSuffix(spn, "$")
		if !ok {
			return ""
		}
		return h
	}
	if strings.EqualFold(class, "krbtgt") {
		return ""
	}
	host, _, _ = strings.Cut(host, "/")
	return host
}

// units divide seconds.
var units = map[string]time.Duration{"": 1, "s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}

// seconds reads a decimal number of seconds, as exactly as nanoseconds are.
func seconds(s string) time.Duration {
	whole, frac, point := 0, 0, -1
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9' && point < 0:
			whole = 10*whole + int(c-'0')
		case c >= '0' && c <= '9' && i-point <= 9:
			frac = 10*frac + int(c-'0')
		case c >= '0' && c <= '9': // below a nanosecond
		case c == '.' && point < 0:
			point = i
		default:
			return scientific(s)
		}
		if whole > 1e9 {
			return 0
		}
	}
	if s == "" || s == "." {
		return 0
	}
	d := time.Duration(frac)
	if point >= 0 {
		for range 9 - min(len(s)-1-point, 9) {
			d *= 10
		}
	}
	return time.Duration(whole)*time.Second + d
}

// scientific reads 1.5e-05 and the like, which Zeek's JSON has.
func scientific(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1e9) {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// instant reads a time with its zone, RFC 3339 or Suricata's +0000. The latter is
// given its colon, because the standard library reads the former ten times as fast.
func instant(s string) time.Time {
	var buf [40]byte
	n := copy(buf[:], s)
	if n < len(s) || n < 6 || n == len(buf) {
		return time.Time{}
	}
	if c := s[n-5]; c == '+' || c == '-' {
		copy(buf[n-1:], s[n-2:])
		buf[n-2] = ':'
		n++
	}
	var t time.Time
	if t.UnmarshalText(buf[:n]) != nil {
		return time.Time{}
	}
	return t.UTC()
}

// protoName turns an IP protocol number into a name.
func protoName(s string) string {
	switch s {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "1", "58":
		return "icmp"
	}
	return strings.ToLower(s)
}

// side keeps the interface roles that say something.
func side(role string) string {
	switch role = strings.ToLower(role); role {
	case "lan", "wan", "dmz":
		return role
	}
	return ""
}
