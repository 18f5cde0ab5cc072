// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package cisco

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"citywall/ingest/format"
)

// session reads the messages that come by the million: connections and
// translations built and torn down. False means that the message is none of
// them, or not in the form known.
func session(id, text string, b *format.Body) bool {
	switch id {
	case "302013", "302015", "302017", "302303":
		return built(text, b)
	case "302014", "302016", "302018", "302304":
		return teardown(text, b)
	}
	return false
}

// endpoint is interface:address/port, with what NAT made of it and the user.
type endpoint struct{ ifc, ip, port, mapIP, mapPort, user string }

// cutEndpoint reads "outside:203.0.113.9/443 (203.0.113.9/443)(LOCAL\lin)".
func cutEndpoint(s string) (p endpoint, rest string, ok bool) {
	if p.ifc, s, ok = strings.Cut(s, ":"); !ok {
		return p, "", false
	}
	if p.ip, s, ok = strings.Cut(s, "/"); !ok {
		return p, "", false
	}
	p.port, s = digits(s)
	for {
		t := strings.TrimLeft(s, " ")
		if !strings.HasPrefix(t, "(") {
			return p, s, p.port != ""
		}
		in, after, ok := strings.Cut(t[1:], ")")
		if !ok {
			return p, s, false
		}
		if ip, port, ok := strings.Cut(in, "/"); ok && p.mapIP == "" {
			p.mapIP, p.mapPort = ip, port
		} else if p.user == "" {
			p.user = in
		}
		s = after
	}
}

func digits(s string) (num, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

func (p endpoint) add(b *format.Body, side string) {
	names := srcNames
	if side == "dst" {
		names = dstNames
	}
	for i, v := range [...]string{p.ifc, p.ip, p.port, p.mapIP, p.mapPort, p.user} {
		if v != "" {
			b.Add(names[i], v)
		}
	}
}

var (
	srcNames = [...]string{"src_interface", "src_ip", "src_port", "src_mapped_ip", "src_mapped_port", "src_user"}
	dstNames = [...]string{"dst_interface", "dst_ip", "dst_port", "dst_mapped_ip", "dst_mapped_port", "dst_user"}
)

// built reads "Built inbound TCP connection 4711 for outside:… to inside:… [(user)]".
// The first address is the less trusted side's, whoever began: the direction
// says who did.
func built(text string, b *format.Body) bool {
	s, ok := strings.CutPrefix(text, "Built ")
	dir, s, ok2 := strings.Cut(s, " ")
	proto, s, ok3 := strings.Cut(s, " connection ")
	conn, s, ok4 := strings.Cut(s, " for ")
	if !ok || !ok2 || !ok3 || !ok4 {
		return false
	}
	first, second, rest, ok := both(s)
	if !ok {
		return false
	}
	b.Add("event", "built")
	b.Add("direction", dir)
	b.Add("proto", proto)
	b.Add("connection_id", conn)
	if dir == "outbound" {
		first, second = second, first
	}
	first.add(b, "src")
	second.add(b, "dst")
	if u := strings.Trim(rest, " ()"); u != "" {
		b.Add("user", u)
	}
	return true
}

// teardown reads "Teardown TCP connection 4711 for outside:… to inside:…
// duration 0:00:30 bytes 35200 TCP FINs [from inside] [(user)]". It names no
// direction; the side with the lower port is taken for the server, and
// direction_by says so.
func teardown(text string, b *format.Body) bool {
	s, ok := strings.CutPrefix(text, "Teardown ")
	proto, s, ok2 := strings.Cut(s, " connection ")
	conn, s, ok3 := strings.Cut(s, " for ")
	if !ok || !ok2 || !ok3 {
		return false
	}
	first, second, rest, ok := both(s)
	d, rest, ok2 := strings.Cut(strings.TrimPrefix(rest, " duration "), " bytes ")
	if !ok || !ok2 {
		return false
	}
	b.Add("event", "teardown")
	b.Add("proto", proto)
	b.Add("connection_id", conn)
	f, _ := strconv.Atoi(first.port)
	t, _ := strconv.Atoi(second.port)
	if proto == "TCP" || proto == "UDP" || proto == "SCTP" {
		if f < t {
			first, second = second, first
		}
		b.Add("direction_by", "port")
	}
	first.add(b, "src")
	second.add(b, "dst")
	lasted(d, b)
	bytes, reason := digits(rest)
	b.Add("bytes", bytes)
	reason = strings.TrimSpace(reason)
	if i := strings.LastIndexByte(reason, '('); i >= 0 && strings.HasSuffix(reason, ")") {
		b.Add("user", reason[i+1:len(reason)-1])
		reason = strings.TrimSpace(reason[:i])
	}
	if r, from, ok := strings.Cut(reason, " from "); ok && !strings.Contains(from, " ") {
		b.Add("teardown_initiator", from)
		reason = r
	}
	if reason != "" {
		b.Add("reason", reason)
	}
	return true
}

func both(s string) (first, second endpoint, rest string, ok bool) {
	if first, s, ok = cutEndpoint(s); !ok {
		return
	}
	if s, ok = strings.CutPrefix(s, " to "); !ok {
		return
	}
	second, rest, ok = cutEndpoint(s)
	return
}

// lasted adds a duration "1:02:03", "1d 2h:3m:4s" or "0h:5m:6s" also in seconds.
func lasted(s string, b *format.Body) {
	b.Add("duration", s)
	if n, ok := lengthOf(s); ok {
		b.Add("duration_seconds", strconv.Itoa(n))
	}
}

func lengthOf(s string) (seconds int, ok bool) {
	n, digit := 0, false
	units := 0
	for _, c := range strings.ReplaceAll(s, " ", "") + ":" {
		switch {
		case c >= '0' && c <= '9':
			n, digit = n*10+int(c-'0'), true
			if n > 1e6 {
				return 0, false
			}
		case c == 'd' && digit:
			seconds, n, digit = seconds+n*86400, 0, false
		case c == 'h' && digit:
			seconds, n, digit = seconds+n*3600, 0, false
		case c == 'm' && digit:
			seconds, n, digit = seconds+n*60, 0, false
		case c == 's' && digit:
			seconds, n, digit = seconds+n, 0, false
		case c == ':' && digit: // hours, minutes, seconds without units
			if units == 3 {
				return 0, false
			}
			seconds, n, digit = seconds*60+n, 0, false
			units++
		case c == ':':
		default:
			return 0, false
		}
	}
	return seconds, true
}

// keyed reads the events of Firepower, "Key: value, Key: value": a value may
// hold a comma, so the next key is ", " with a word and ": ".
func keyed(s string, b *format.Body) error {
	for n := 0; s != ""; n++ {
		if n >= format.MaxFields {
			return errors.New("FTD: too many pairs")
		}
		key, rest, ok := strings.Cut(s, ": ")
		if !ok || !keyLike(key) {
			return fmt.Errorf("FTD: want Key: value at %q", s[:min(len(s), 40)])
		}
		v := rest
		s = ""
		for i := 0; ; {
			j := strings.Index(rest[i:], ", ")
			if j < 0 {
				break
			}
			i += j + 2
			if k := strings.Index(rest[i:min(i+maxKey+2, len(rest))], ": "); k > 0 && keyLike(rest[i:i+k]) {
				v, s = rest[:i-2], rest[i:]
				break
			}
		}
		b.Add(key, strings.TrimSpace(v))
	}
	return nil
}

// maxKey bounds a key, and with it how far one is sought.
const maxKey = 48

func keyLike(s string) bool {
	if s == "Prefilter Policy" { // the only key with a space
		return true
	}
	if s == "" || len(s) > maxKey {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c|0x20 < 'a' || c|0x20 > 'z' {
			if i == 0 || (c < '0' || c > '9') && c != '_' {
				return false
			}
		}
	}
	return true
}
