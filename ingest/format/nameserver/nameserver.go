// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package nameserver reads what name servers log about questions: BIND's
// queries, RPZ, denials and transfers, Unbound's queries, replies, RPZ and local
// actions, in their own files and in syslog, and the packets of the debug log of
// the DNS server of Windows.
//
// Fields have the names of Sigma's dns taxonomy (query, record_type, answer)
// beside what has no name there. The client is the subject; the server observes.
// It never resolves anything. See README.md.
package nameserver

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const (
	bindName    = "bind"
	unboundName = "unbound"
	windowsName = "windows_dns"
)

// BIND returns the decoder of named's own log files.
func BIND() format.Format {
	return format.Format{Name: bindName, Sniff: sniffBIND, Keys: format.NoObject, Decode: format.Lines(recordBIND), Record: recordBIND}
}

// Unbound returns the decoder of unbound's own log file.
func Unbound() format.Format {
	return format.Format{Name: unboundName, Sniff: sniffUnbound, Keys: format.NoObject, Decode: format.Lines(recordUnbound), Record: recordUnbound}
}

// Windows returns the decoder of the debug log of Windows' DNS server.
func Windows() format.Format {
	return format.Format{Name: windowsName, Sniff: sniffWindows, Keys: format.NoObject, Decode: decodeWindows, Record: recordWindows}
}

// Dialect returns the reading of named and unbound inside syslog.
func Dialect() format.Dialect {
	return format.Dialect{
		Name:  "nameserver",
		Match: func(app, _ string) bool { return app == "named" || app == "unbound" },
		Read: func(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
			if e.Fields.Str("appname") == "unbound" {
				unbound(msg, e)
			} else {
				bind(msg, e)
			}
			return nil
		},
	}
}

// stampBIND reads named's times: "13-Mar-2026 18:50:00.123" and ISO 8601
// without a zone are local, with Z they are UTC.
func stampBIND(s string, loc *time.Location) (t time.Time, raw string, assumed, ok bool) {
	if len(s) > 24 && s[2] == '-' && s[6] == '-' && s[11] == ' ' && s[20] == '.' {
		t, err := time.ParseInLocation("02-Jan-2006 15:04:05.000", s[:24], loc)
		return t.UTC(), s[:24], true, err == nil
	}
	if len(s) < 24 || s[4] != '-' || s[10] != 'T' || s[19] != '.' {
		return t, "", false, false
	}
	w, raw, ok := format.Stamp(s, loc, time.Time{})
	return w.At, raw, w.Assumed, ok
}

func sniffBIND(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool {
		if len(l) < 25 || l[2] != '-' && l[10] != 'T' {
			return false
		}
		_, raw, _, ok := stampBIND(string(l), time.UTC)
		return ok && isBIND(string(l[len(raw):]))
	}) {
		return 90
	}
	return 0
}

// isBIND reports "[category: ][severity: ]client …" or one of named's categories.
func isBIND(s string) bool {
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "client ") {
		return true
	}
	cat, rest, ok := strings.Cut(s, ": ")
	if !ok || !categories[cat] {
		return ok && severities[cat]
	}
	sev, _, ok := strings.Cut(rest, ": ")
	return strings.HasPrefix(rest, "client ") || ok && severities[sev]
}

// categories and severities of named's logging (BIND ARM, "logging Block").
var (
	categories = set("client cname config database default delegation-only dispatch dnssec dnstap edns-disabled general lame-servers network notify nsid queries query-errors rate-limit resolver responses rpz rpz-passthru security serve-stale spill sslkeylog trust-anchor-telemetry unmatched update update-security xfer-in xfer-out zoneload")
	severities = set("critical error warning notice info dynamic debug")
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

func recordBIND(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	s := string(rec)
	t, raw, assumed, ok := stampBIND(s, src.Location())
	if !ok {
		return nil, errors.New("want a time as named writes it at the start of the line")
	}
	e := src.Event(bindName, p)
	e.Raw = bytes.Clone(rec)
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, raw, assumed, time.Millisecond/2
	bind(strings.TrimLeft(s[len(raw):], " "), e)
	return e, nil
}

// bind reads a line of named after its time.
func bind(s string, e *event.Event) {
	e.Product, e.Category, e.Service = "bind", "dns", "named"
	f := format.NewBody(&e.Fields, 14)
	if cat, rest, ok := strings.Cut(s, ": "); ok && categories[cat] {
		f.Add("category", cat)
		s = rest
	}
	if sev, rest, ok := strings.Cut(s, ": "); ok && (severities[sev] || strings.HasPrefix(sev, "debug ")) {
		f.Add("severity_text", sev)
		s = rest
	}
	f.Add("message", s)
	rest, ok := strings.CutPrefix(s, "client ")
	if !ok {
		return
	}
	if strings.HasPrefix(rest, "@0x") {
		_, rest, _ = strings.Cut(rest, " ")
	}
	// "10.1.9.4#53124/key k (name): view v: " comes before the verb. Names have no
	// spaces: named writes \032.
	peer, rest, ok := strings.Cut(rest, ": ")
	if !ok {
		return
	}
	addr, name, _ := strings.Cut(peer, " (")
	ip, port, _ := strings.Cut(addr, "#")
	port, key, _ := strings.Cut(port, "/key ")
	f.Add("src_ip", ip)
	f.Add("src_port", port)
	if key != "" {
		f.Add("key", key)
	}
	if v, more, ok := strings.Cut(rest, ": "); ok && strings.HasPrefix(v, "view ") {
		f.Add("view", v[len("view "):])
		rest = more
	}
	verb(rest, strings.TrimSuffix(name, ")"), e, f)
}

// verb reads what the client did.
func verb(s, asked string, e *event.Event, f *format.Body) {
	switch {
	case strings.HasPrefix(s, "query: "), strings.HasPrefix(s, "response: "):
		e.Service = "query"
		word, rest, _ := strings.Cut(s, ": ")
		if word == "response" {
			e.Service = "response"
		}
		question(rest, word == "response", f)
	case strings.HasPrefix(s, "query failed ("): // (SERVFAIL) for x/IN/A at query.c:7
		e.Service = "failed"
		rcode, rest, _ := strings.Cut(s[len("query failed ("):], ")")
		f.Add("rcode", rcode)
		_, what, _ := strings.Cut(rest, " for ")
		what, _, _ = strings.Cut(what, " at ")
		slashes(what, f, 1, 2)
	case strings.HasPrefix(s, "query ") && strings.Contains(s, "denied"): // (cache) 'x/A/IN' denied
		e.Service = "denied"
		if _, what, ok := strings.Cut(s, "'"); ok {
			what, _, _ = strings.Cut(what, "'")
			slashes(what, f, 2, 1)
		}
	case strings.HasPrefix(s, "rpz "), strings.HasPrefix(s, "disabled rpz "): // rpz QNAME NXDOMAIN rewrite x/A/IN via x.zone
		e.Service = "rpz"
		if strings.HasPrefix(s, "disabled ") {
			f.Add("disabled", "true")
			s = s[len("disabled "):]
		}
		w := strings.Fields(s)
		if len(w) >= 5 && w[3] == "rewrite" {
			f.Add("rpz_trigger", w[1])
			f.Add("rpz_action", w[2])
			slashes(w[4], f, 2, 1)
			if i := strings.Index(s, " via "); i >= 0 {
				f.Add("rpz_rule", s[i+len(" via "):])
			}
			return
		}
		f.Add("query", asked)
	case strings.Contains(s, "AXFR"), strings.Contains(s, "IXFR"):
		e.Service = "transfer"
		if _, what, ok := strings.Cut(s, "'"); ok {
			zone, rest, _ := strings.Cut(what, "'")
			zone, _, _ = strings.Cut(zone, "/")
			f.Add("zone", zone)
			f.Add("detail", strings.TrimLeft(rest, ": "))
		}
	case strings.HasPrefix(s, "updating zone "), strings.HasPrefix(s, "update "):
		e.Service = "update"
		if _, what, ok := strings.Cut(s, "'"); ok {
			zone, rest, _ := strings.Cut(what, "'")
			zone, _, _ = strings.Cut(zone, "/")
			f.Add("zone", zone)
			f.Add("detail", strings.TrimLeft(rest, ": "))
		}
	default:
		if asked != "" {
			f.Add("query", asked)
		}
	}
}

// question reads "name class type[ rcode] flags (server)[ [ECS net]]".
func question(s string, response bool, f *format.Body) {
	if i := strings.Index(s, " [ECS "); i >= 0 {
		ecs, _, _ := strings.Cut(s[i+len(" [ECS "):], "]")
		f.Add("ecs", ecs)
		s = s[:i]
	}
	if i := strings.LastIndex(s, " ("); i >= 0 {
		if server, _, _ := strings.Cut(s[i+2:], ")"); isAddr(server) {
			f.Add("server_ip", server)
			s = s[:i]
		}
	}
	names := []string{"query", "class", "record_type", "flags"}
	if response {
		names = []string{"query", "class", "record_type", "rcode", "flags"}
	}
	for i, w := range strings.Fields(s) {
		if i < len(names) {
			f.Add(names[i], w)
		}
	}
}

// slashes reads "name/IN/A" or "name/A/IN"; a name may hold slashes.
func slashes(s string, f *format.Body, class, kind int) {
	p := strings.Split(s, "/")
	if len(p) < 3 {
		f.Add("query", s)
		return
	}
	n := len(p) - 2
	f.Add("query", strings.Join(p[:n], "/"))
	f.Add("class", p[n-1+class])
	f.Add("record_type", p[n-1+kind])
}
