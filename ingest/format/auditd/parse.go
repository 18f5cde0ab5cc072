// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package auditd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"citywall/ingest/format"
)

// rec is one record, its fields not yet read.
type rec struct {
	node, typ string
	msg       string // "audit(1783414573.076:399)", which names the event
	stamp     string // "1783414573.076"
	at        time.Time
	rest      string
}

// parse reads "[node=H ]type=T msg=audit(SECONDS.MS:SERIAL): …"; the kernel
// leaves out "msg=".
func parse(s string) (rec, error) {
	var r rec
	if n, ok := strings.CutPrefix(s, "node="); ok {
		r.node, s, _ = strings.Cut(n, " ")
	}
	t, ok := strings.CutPrefix(s, "type=")
	if !ok {
		return r, errors.New("an audit record begins with type= or node=")
	}
	r.typ, s, _ = strings.Cut(t, " ")
	if r.typ == "" {
		return r, errors.New("the type is empty")
	}
	if n, ok := typeNames[r.typ]; ok {
		r.typ = n
	}
	s = strings.TrimPrefix(s, "msg=")
	inner, ok := strings.CutPrefix(s, "audit(")
	stamp, rest, ok2 := strings.Cut(inner, ")")
	at, serial, ok3 := strings.Cut(stamp, ":")
	if !ok || !ok2 || !ok3 || !strings.Contains(at, ".") {
		return r, errors.New("want msg=audit(SECONDS.MILLISECONDS:SERIAL)")
	}
	if _, err := strconv.ParseUint(serial, 10, 64); err != nil {
		return r, fmt.Errorf("serial number %q is none", serial)
	}
	var err error
	if r.at, err = format.Epoch(at); err != nil {
		return r, err
	}
	r.msg, r.stamp = "audit("+stamp+")", at
	r.rest = strings.TrimPrefix(rest, ":")
	return r, nil
}

// gs separates what auditd adds when it enriches a record: ids as names.
const gs = "\x1d"

// fields reads the key=value pairs of one record.
func (g *group) fields(r rec) {
	raw, enriched, _ := strings.Cut(r.rest, gs)
	g.pairs(r.typ, raw, false)
	g.pairs(r.typ, enriched, false)
}

// pairs reads key=value, key="value" and, once, msg='key=value …'. Words
// without a value are those of old LOGIN records ("old auid=") and of AVC
// ("avc:  denied  { getattr } for").
func (g *group) pairs(typ, s string, inner bool) {
	prefix := ""
	for {
		s = strings.TrimLeft(s, " "+gs)
		if s == "" {
			return
		}
		if g.body.Len() >= format.MaxFields {
			return // what is over stands in Raw, and the arguments in argv
		}
		n := strings.IndexAny(s, "= ")
		if n < 0 || s[n] == ' ' {
			word := s
			if s = ""; n >= 0 {
				word, s = s0(word, n)
			}
			switch {
			case word == "old" || word == "new":
				prefix = word + "-"
			case word == "denied" || word == "granted":
				g.body.Add("seresult", word)
			case word == "{":
				if perms, rest, ok := strings.Cut(s, "}"); ok {
					g.body.Add("seperms", strings.TrimSpace(perms))
					s = rest
				}
			}
			continue
		}
		key := prefix + s[:n]
		prefix = ""
		s = s[n+1:]
		switch {
		case strings.HasPrefix(s, `"`):
			v, rest, ok := strings.Cut(s[1:], `"`)
			if !ok {
				v, rest = s[1:], ""
			}
			g.put(typ, key, v, true, inner)
			s = rest
		case strings.HasPrefix(s, "'") && key == "msg" && !inner:
			end := strings.LastIndexByte(s, '\'')
			if end == 0 {
				end = len(s)
			}
			g.pairs(typ, s[1:end], true)
			s = s[min(end+1, len(s)):]
		case strings.HasPrefix(s, "{"): // SADDR={ saddr_fam=inet laddr=… lport=… }
			v, rest, ok := strings.Cut(s[1:], "}")
			if !ok {
				v, rest = s[1:], ""
			}
			g.pairs(typ, v, true)
			s = rest
		default:
			end := strings.IndexAny(s, " "+gs)
			if end < 0 {
				end = len(s)
			}
			g.put(typ, key, s[:end], false, inner)
			s = s[end:]
		}
	}
}

func s0(s string, n int) (string, string) { return s[:n], s[n+1:] }

// put adds one pair, decoded.
func (g *group) put(typ, key, v string, quoted, inner bool) {
	if typ == "EXECVE" && isArg(key) {
		g.execve = true
		g.args.put(key, v, quoted)
		if i := strings.IndexByte(key, '['); i >= 0 || len(key) > 4 {
			return // a part of a long argument, or one of very many: argv has it
		}
		if !quoted {
			v = decodeHex(v)
		}
		g.body.Add(key, v)
		return
	}
	switch {
	case inner && key == "hostname":
		key = "msg.hostname" // who the message is about, not who wrote it
	case typ == "SYSCALL" && key == "syscall":
		g.syscall = v
	case typ == "SYSCALL" && key == "arch":
		g.arch = v
	case key == "SYSCALL":
		g.named = true
	case typ == "SOCKADDR" && key == "saddr":
		g.body.Add(key, v)
		g.saddr(v)
		return
	case typ == "SOCKADDR" && (key == "saddr_fam" || key == "laddr" || key == "lport"):
		return // as decoded from saddr
	}
	if !quoted && encoded(typ, key) {
		v = decodeHex(v)
	}
	g.body.Add(key, v)
}

func isArg(key string) bool {
	if len(key) < 2 || key[0] != 'a' {
		return false
	}
	key, _, _ = strings.Cut(key, "[")
	return strings.Trim(key[1:], "0123456789") == ""
}

// encoded lists the fields that audit writes in hexadecimal when they hold
// spaces, quotes or control characters (audit field dictionary, format
// "encoded"). The arguments of SYSCALL are numbers and never are.
func encoded(typ, key string) bool {
	switch key {
	case "acct", "cmd", "comm", "cwd", "data", "device", "dir", "exe", "file", "grp", "key", "name", "new_group", "ocomm", "path", "proctitle", "sw", "vm", "watch":
		return typ != "SYSCALL" || key == "comm" || key == "exe" || key == "key"
	}
	return false
}

// decodeHex returns the text that audit wrote in hexadecimal. NUL, which ends
// the arguments of proctitle, becomes a space; what is no hexadecimal text stays.
func decodeHex(v string) string {
	if len(v) < 2 || len(v)%2 != 0 || strings.Trim(v, "0123456789ABCDEF") != "" {
		return v
	}
	b, err := hex.DecodeString(v)
	if err != nil {
		return v
	}
	for i := range b {
		if b[i] == 0 {
			b[i] = ' '
		}
	}
	s := strings.TrimRight(string(b), " ")
	if !utf8.ValidString(s) {
		return v
	}
	return s
}

// args are the arguments of EXECVE. One that is long comes in parts:
// a2_len=9000 a2[0]=… a2[1]=….
type args struct {
	list []string
	open int // number of the argument that comes in parts, plus one
}

func (a *args) put(key, v string, quoted bool) {
	if !quoted {
		v = decodeHex(v)
	}
	head, _, parted := strings.Cut(key, "[")
	n, err := strconv.Atoi(head[1:])
	if err != nil {
		return
	}
	if parted && a.open == n+1 {
		a.list[len(a.list)-1] += v
		return
	}
	if a.open = 0; parted {
		a.open = n + 1
	}
	a.list = append(a.list, v)
}

func (a *args) joined() string { return strings.Join(a.list, " ") }

// saddr decodes a struct sockaddr as the kernel dumped it (little endian
// machine): family 2 is IPv4, 10 IPv6, 1 a path. Names are those of
// interpreted records.
func (g *group) saddr(v string) {
	b, err := hex.DecodeString(v)
	if err != nil || len(b) < 4 {
		return
	}
	port := strconv.Itoa(int(b[2])<<8 | int(b[3]))
	switch fam := int(b[0]) | int(b[1])<<8; {
	case fam == 2 && len(b) >= 8:
		g.body.Add("saddr_fam", "inet")
		g.body.Add("laddr", netip.AddrFrom4([4]byte(b[4:8])).String())
		g.body.Add("lport", port)
	case fam == 10 && len(b) >= 24:
		g.body.Add("saddr_fam", "inet6")
		g.body.Add("laddr", netip.AddrFrom16([16]byte(b[8:24])).String())
		g.body.Add("lport", port)
	case fam == 1:
		g.body.Add("saddr_fam", "local")
		if p, _, _ := strings.Cut(strings.TrimLeft(string(b[2:]), "\x00"), "\x00"); utf8.ValidString(p) && p != "" {
			g.body.Add("path", p)
		}
	}
}
