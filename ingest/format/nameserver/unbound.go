// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package nameserver

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// stampUnbound reads "[1773398400] unbound[812:0] ", and, with log-time-ascii,
// "Mar 13 18:50:00 unbound[812:0] ". It returns what follows.
func stampUnbound(s string, src format.Source) (w format.When, raw, rest string, ok bool) {
	if strings.HasPrefix(s, "[") {
		if raw, rest, ok = strings.Cut(s[1:], "] "); !ok {
			return w, "", "", false
		}
		t, err := format.Epoch(raw)
		if err != nil {
			return w, "", "", false
		}
		w = format.When{At: t, Resolution: time.Second}
		if strings.Contains(raw, ".") {
			w.Resolution = 0
		}
	} else {
		if w, raw, ok = format.Stamp(s, src.Location(), src.NotAfter); !ok {
			return w, "", "", false
		}
		rest = strings.TrimLeft(s[len(raw):], " ")
	}
	rest, ok = strings.CutPrefix(rest, "unbound")
	if !ok || !strings.HasPrefix(rest, "[") {
		return w, "", "", false
	}
	return w, raw, rest, true
}

func sniffUnbound(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool {
		if !bytes.Contains(l, []byte("unbound[")) {
			return false
		}
		_, _, _, ok := stampUnbound(string(l), format.Source{})
		return ok
	}) {
		return 90
	}
	return 0
}

func recordUnbound(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	w, raw, rest, ok := stampUnbound(string(rec), src)
	if !ok {
		return nil, errors.New("want [time] unbound[PID:THREAD]")
	}
	e := src.Event(unboundName, p)
	e.Raw = bytes.Clone(rec)
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = w.At, raw, w.Assumed, w.Resolution/2
	unbound(rest, e)
	return e, nil
}

// unbound reads "[812:0] info: …" (unbound.conf(5): log-queries, log-replies,
// log-tag-queryreply, log-local-actions, log-servfail, rpz-log).
func unbound(s string, e *event.Event) {
	e.Product, e.Category, e.Service = "unbound", "dns", "unbound"
	f := format.NewBody(&e.Fields, 12)
	if strings.HasPrefix(s, "[") {
		if ids, rest, ok := strings.Cut(s[1:], "] "); ok {
			pid, thread, _ := strings.Cut(ids, ":")
			f.Add("pid", pid)
			f.Add("thread", thread)
			s = rest
		}
	}
	if level, rest, ok := strings.Cut(s, ": "); ok && !strings.Contains(level, " ") && level != "query" && level != "reply" {
		f.Add("level", level)
		s = rest
	}
	f.Add("message", s)
	text := strings.TrimPrefix(strings.TrimPrefix(s, "query: "), "reply: ")
	w := strings.Fields(text)
	switch {
	case len(w) >= 4 && isAddr(w[0]):
		e.Service = "query"
		f.Add("src_ip", w[0])
		asked(w[1:4], f)
		if len(w) >= 8 { // rcode, seconds, from the cache, bytes
			e.Service = "reply"
			for i, n := range [...]string{"rcode", "duration", "cached", "bytes"} {
				f.Add(n, w[4+i])
			}
		}
	case strings.HasPrefix(text, "rpz: applied "): // [tag] trigger zone-action 10.1.9.4@5000 name class type
		e.Service = "rpz"
		n := len(w)
		if n >= 7 && client(w[n-4], f) { // the action at least stands before it
			asked(w[n-3:], f)
			f.Add("rpz_action", w[n-5])
			f.Add("rpz_rule", strings.Join(w[2:n-5], " "))
		}
	case len(w) == 6 && strings.Contains(w[2], "@"): // zone type 10.1.9.4@5000 name type class
		e.Service = "local"
		if client(w[2], f) {
			f.Add("zone", w[0])
			f.Add("local_type", w[1])
			asked(w[3:6], f)
		}
	case strings.HasPrefix(text, "SERVFAIL <"):
		e.Service = "failed"
		in, _, _ := strings.Cut(text[len("SERVFAIL <"):], ">")
		if w := strings.Fields(in); len(w) == 3 {
			asked(w, f)
		}
		f.Add("rcode", "SERVFAIL")
	}
}

// asked adds name, type and class.
func asked(w []string, f *format.Body) {
	name := strings.TrimSuffix(w[0], ".")
	if name == "" {
		name = "."
	}
	f.Add("query", name)
	f.Add("record_type", w[1])
	f.Add("class", w[2])
}

// client reads "10.1.9.4@5000".
func client(s string, f *format.Body) bool {
	ip, port, ok := strings.Cut(s, "@")
	if !ok || !isAddr(ip) {
		return false
	}
	f.Add("src_ip", ip)
	f.Add("src_port", port)
	return true
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
