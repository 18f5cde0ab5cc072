// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package dhcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

const (
	iscName  = "dhcpd_leases"
	maxBlock = 64 << 10 // bytes of one lease
)

// iscSentences are dhcpd's lines without a verb in capitals.
var iscSentences = sentence.Parse(`
|ddns_added|Added new forward map from {client} to {ip}
|ddns_added|Added reverse map from {ptr} to {client}
|ddns_removed|Removed forward map from {client} to {ip}
|ddns_removed|Removed reverse map on {ptr}
|abandoned|Abandoning IP address {ip}: {detail}
|reply6|Reply NA: address {ip} to client with duid {duid} iaid = {iaid} valid for {lease_time} seconds
|advertise6|Advertise NA: address {ip} to client with duid {duid} iaid = {iaid} valid for {lease_time} seconds
|request6|{kind} message from {from} port {port}, transaction ID {tid}
|release6|Client {duid} releases address {ip}
|no_free_leases|DHCPDISCOVER from {mac} via {via}: network {network}: no free leases
`)

// sniffLeases: dhcpd.leases(5).
func sniffLeases(head []byte) int {
	if bytes.Contains(head, []byte("dhcpd.leases(5)")) && head[0] == '#' {
		return 95
	}
	i := bytes.Index(head, []byte("lease "))
	if (i == 0 || i > 0 && head[i-1] == '\n') && bytes.Contains(head[i:], []byte(" {\n")) &&
		(bytes.Contains(head, []byte("\n  starts ")) || bytes.Contains(head, []byte("binding state "))) {
		return 90
	}
	return 0
}

// decodeLeases reads the leases of the file, which is itself a log: each lease
// stands there as often as it changed.
func decodeLeases(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	var block []byte
	var at format.Pos
	depth := 0
	damaged := func(err error) {
		st.Damaged++
		st.Note("line %d at byte %d: %v", at.Line, at.Offset, err)
	}
	err := format.EachLine(ctx, r, func(l format.Line) error {
		text := bytes.TrimSpace(l.Text)
		if text[0] == '#' {
			return nil
		}
		if depth == 0 {
			if text[len(text)-1] != '{' {
				return nil // a statement of the server: server-duid, authoring-byte-order
			}
			block, at = block[:0], l.Pos
		}
		block = append(append(block, l.Text...), '\n')
		depth += braces(text)
		if len(block) > maxBlock || l.Long {
			damaged(errors.New("a block without an end"))
			depth = 0
			return nil
		}
		if depth > 0 {
			return nil
		}
		depth = 0
		return leases(block, at, src, damaged, func(e *event.Event) error {
			st.Saw(e)
			return emit(e)
		})
	})
	if err == nil && depth > 0 {
		damaged(errors.New("the last block is cut off"))
	}
	return st, err
}

// braces counts { less }, outside quotes.
func braces(s []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == '{':
			n++
		case !quoted && s[i] == '}':
			n--
		}
	}
	return n
}

// leases emits what one block tells: a lease, or the addresses of an ia-na.
func leases(block []byte, at format.Pos, src format.Source, damaged func(error), emit func(*event.Event) error) error {
	lines := strings.Split(valid(block), "\n")
	kind, name, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(lines[0]), "{"), " ")
	name = strings.Trim(strings.TrimSpace(name), `"`)
	if kind != "lease" && kind != "ia-na" && kind != "ia-ta" {
		return nil // host, failover peer, ia-pd
	}
	var common event.Fields
	n := uint64(0)
	one := func(ip string, own event.Fields) error {
		e := src.Event(iscName, format.Pos{Offset: at.Offset, Line: at.Line, Seq: at.Seq + n})
		n++
		e.Raw = bytes.Clone(bytes.TrimSpace(block))
		e.Product, e.Category, e.Service = "dhcp", "dhcp", "isc"
		if _, err := netip.ParseAddr(ip); err != nil {
			damaged(err)
			return nil
		}
		e.Fields = append(event.Fields{{Name: "lease", Value: event.T(ip)}}, own...)
		if err := leaseTime(e); err != nil {
			damaged(err)
			return nil
		}
		return emit(e)
	}
	var sub *event.Fields // of the iaaddr that is open
	var subIP string
	for _, l := range lines[1:] {
		l = strings.TrimSpace(l)
		if len(common) > 64 || sub != nil && len(*sub) > 64 {
			continue
		}
		switch {
		case strings.HasPrefix(l, "iaaddr ") && strings.HasSuffix(l, "{"):
			subIP = strings.TrimSpace(strings.TrimSuffix(l[len("iaaddr "):], "{"))
			sub = &event.Fields{{Name: "duid", Value: event.T(name)}}
			*sub = append(*sub, common...)
		case l == "}" && sub != nil:
			if err := one(subIP, *sub); err != nil {
				return err
			}
			sub = nil
		case sub != nil:
			statement(l, sub)
		default:
			statement(l, &common)
		}
	}
	if kind == "lease" {
		return one(name, common)
	}
	return nil
}

// names of statements that have two words.
var twoWords = []string{"binding state ", "next binding state ", "rewind binding state ", "hardware ethernet ", "hardware token-ring ", "option "}

// statement reads "name value;" under its own name.
func statement(l string, f *event.Fields) {
	l, _, _ = strings.Cut(l, "; #") // a local time as a comment
	l = strings.TrimSuffix(l, ";")
	if s, ok := strings.CutPrefix(l, "set "); ok { // set ddns-fwd-name = "pc-12.corp"
		k, v, _ := strings.Cut(s, " = ")
		f.Add("set "+k, strings.Trim(v, `"`))
		return
	}
	for _, two := range twoWords {
		if v, ok := strings.CutPrefix(l, two); ok {
			f.Add(strings.TrimSpace(two), strings.Trim(v, `"`))
			return
		}
	}
	if k, v, ok := strings.Cut(l, " "); ok {
		f.Add(k, strings.Trim(v, `"`))
	} else if l != "" && l != "}" {
		f.Add(l, "")
	}
}

// leaseTime takes the client's last transaction, else the start; of a lease
// that nobody holds any more, its end. dhcpd writes UTC ("2 2026/03/10
// 02:00:00") or, asked for local time, an epoch.
func leaseTime(e *event.Event) error {
	f := e.Fields
	state := f.Str("binding state")
	held := state == "active" || state == ""
	raw := f.First("cltt", "starts")
	if end := f.First("tstp", "ends"); !held && end != "" && end != "never" {
		raw = end
	}
	t, err := iscTime(raw)
	if err != nil {
		return err
	}
	e.Time, e.TimeRaw, e.Uncertainty = t, raw, time.Second/2
	if end, err := iscTime(f.Str("ends")); err == nil && held && end.After(t) {
		e.Fields.Add("lease_time", fmt.Sprint(int64(end.Sub(t)/time.Second))) // made here
	}
	return nil
}

func iscTime(s string) (time.Time, error) {
	if ep, ok := strings.CutPrefix(s, "epoch "); ok {
		return format.Epoch(ep)
	}
	_, s, _ = strings.Cut(s, " ") // the weekday as a number
	t, err := time.Parse("2006/01/02 15:04:05", s)
	return t.UTC(), err
}
