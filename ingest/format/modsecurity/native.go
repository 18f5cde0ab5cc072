// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package modsecurity

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

// native makes the fields of a transaction's sections.
func native(e *event.Event, parts []section, src format.Source) error {
	b := format.NewBody(&e.Fields, 32)
	first := ""
	for _, p := range parts {
		if p.letter == 'A' {
			if len(p.lines) == 0 {
				return errors.New("section A is empty")
			}
			first = p.lines[0]
			if err := header(b, first); err != nil {
				return err
			}
			continue
		}
		// Coraza writes the line of section A at the start of every section, without
		// a line end.
		if len(p.lines) > 0 && first != "" {
			p.lines[0] = strings.TrimPrefix(p.lines[0], first)
		}
		if b.Len()+len(p.lines) > format.MaxFields {
			return errors.New("too many lines of headers and messages")
		}
		switch p.letter {
		case 'B':
			request(b, p.lines)
		case 'C', 'I':
			body(b, "request_body", p.lines)
		case 'E':
			body(b, "response_body", p.lines)
		case 'F':
			response(b, p.lines)
		case 'H':
			trailer(b, p.lines)
		case 'K':
			body(b, "rules_matched", p.lines)
		default:
			body(b, "section_"+string(p.letter), p.lines)
		}
	}
	return setTime(e, e.Fields.Str("time"), src)
}

// header reads section A: [time] id client port server port.
func header(b *format.Body, s string) error {
	at, rest, ok := strings.Cut(strings.TrimPrefix(s, "["), "] ")
	w := strings.Fields(rest)
	if !ok || len(w) < 5 {
		return fmt.Errorf("section A: want [time] id client port server port, not %q", s[:min(len(s), 80)])
	}
	b.Add("time", at)
	for i, n := range [...]string{"transaction_id", "remote_address", "remote_port", "local_address", "local_port"} {
		b.Add(n, w[i])
	}
	return nil
}

func request(b *format.Body, lines []string) {
	if len(lines) == 0 {
		return
	}
	b.Add("request_line", lines[0])
	if method, rest, ok := strings.Cut(lines[0], " "); ok {
		i := strings.LastIndexByte(rest, ' ')
		if i < 0 || !strings.HasPrefix(rest[i+1:], "HTTP/") {
			i = len(rest)
		}
		b.Add("method", method)
		b.Add("uri", rest[:i])
	}
	headers(b, "request.headers.", lines[1:])
}

func response(b *format.Body, lines []string) {
	if len(lines) > 0 && strings.HasPrefix(lines[0], "HTTP/") {
		b.Add("response_line", lines[0])
		if w := strings.Fields(lines[0]); len(w) > 1 {
			b.Add("status", w[1])
		}
		lines = lines[1:]
	}
	headers(b, "response.headers.", lines)
}

func headers(b *format.Body, prefix string, lines []string) {
	for _, l := range lines {
		if k, v, ok := strings.Cut(l, ":"); ok && k != "" && len(k) <= 256 {
			b.Add(prefix+k, strings.TrimSpace(v))
		}
	}
}

func body(b *format.Body, name string, lines []string) {
	if s := strings.TrimSpace(strings.Join(lines, "\n")); s != "" {
		b.Add(name, s)
	}
}

// trailer reads section H. ModSecurity 2 writes "Message: …", 3 "ModSecurity: …";
// both carry [id "…"] [msg "…"] and so on.
func trailer(b *format.Body, lines []string) {
	for _, l := range lines {
		k, v, ok := strings.Cut(l, ": ")
		if !ok || strings.ContainsAny(k, " \"[") {
			continue
		}
		if k == "ModSecurity" {
			k = "Message"
		}
		b.Add(k, v)
		if k == "Message" {
			tags(b, v)
		}
	}
}

// tags reads [name "value"] of a message, with \" and \\, into rule.name.
func tags(b *format.Body, s string) {
	for range 64 {
		_, rest, ok := strings.Cut(s, ` [`)
		if !ok {
			return
		}
		s = rest
		k, rest, ok := strings.Cut(s, ` "`)
		if !ok {
			return
		}
		if strings.ContainsAny(k, ` ]"[`) || k == "" {
			continue
		}
		i := 0
		for i < len(rest) && rest[i] != '"' {
			if rest[i] == '\\' {
				i++
			}
			i++
		}
		if i >= len(rest) {
			return
		}
		b.Add("rule."+k, unescape.Replace(rest[:i]))
		s = rest[i+1:]
	}
}

var unescape = strings.NewReplacer(`\"`, `"`, `\\`, `\`)

// indexLine reads a line of the concurrent log's index: the web server's
// combined form, then the transaction's id, "-", its file, offset, size and hash.
//
//	host client - user [time] "request" status bytes "referer" "agent" id "-" /file 0 1450 md5:…
func indexLine(s string) (event.Fields, bool) {
	i := strings.LastIndex(s, " md5:")
	if i < 0 || len(s)-i != len(" md5:")+32 {
		return nil, false
	}
	var f event.Fields
	host, rest, ok := strings.Cut(s[:i], " ")
	client, rest, ok2 := strings.Cut(rest, " ")
	before, rest, ok3 := strings.Cut(rest, " [")
	at, rest, ok4 := strings.Cut(rest, `] "`)
	if !ok || !ok2 || !ok3 || !ok4 {
		return nil, false
	}
	user := before[strings.LastIndexByte(before, ' ')+1:]
	line, rest, ok := strings.Cut(rest, `" `)
	w := strings.Fields(rest)
	if !ok || len(w) < 7 {
		return nil, false
	}
	end := w[len(w)-5:] // id "-" /file offset size
	for _, x := range [...][2]string{{"host", host}, {"remote_address", client}, {"user", user}, {"time", at}, {"request_line", line}, {"status", w[0]},
		{"bytes", w[1]}, {"transaction_id", end[0]}, {"audit_file", end[2]}, {"audit_offset", end[3]}, {"audit_size", end[4]}, {"audit_hash", s[i+1:]}} {
		if x[1] != "-" {
			f = append(f, event.Field{Name: x[0], Value: event.T(x[1])})
		}
	}
	if method, rest, ok := strings.Cut(line, " "); ok {
		uri, _, _ := strings.Cut(rest, " HTTP/")
		f = append(f, event.Field{Name: "method", Value: event.T(method)}, event.Field{Name: "uri", Value: event.T(uri)})
	}
	return f, true
}

// fromJSON reads the JSON of ModSecurity 2 and 3 and of Coraza.
func fromJSON(e *event.Event, rec []byte, src format.Source) (*event.Event, error) {
	if !isJSON(rec) {
		return nil, errors.New("not the JSON of an audit log")
	}
	f, err := flatjson.Parse(rec)
	if err != nil {
		return nil, err
	}
	e.Fields = f
	if m, ok := f.Get("audit_data.messages"); ok { // ModSecurity 2: texts, as in section H
		b := format.NewBody(&e.Fields, 16)
		for _, text := range m.List {
			if b.Len() < format.MaxFields {
				tags(b, text)
			}
		}
	}
	if s := f.Str("transaction.unix_timestamp"); s != "" {
		t, _, err := format.Time(s, time.UTC)
		if err == nil {
			e.Time, e.TimeRaw = t, s
			return e, nil
		}
	}
	return e, setTime(e, f.First("transaction.time", "transaction.time_stamp", "transaction.timestamp"), src)
}

// layouts of the log's times; only the first names its zone.
var layouts = [...]string{"02/Jan/2006:15:04:05.999999 -0700", "Mon Jan _2 15:04:05 2006", "2006/01/02 15:04:05"}

func setTime(e *event.Event, s string, src format.Source) error {
	e.TimeRaw = s
	for i, l := range layouts {
		if t, err := time.ParseInLocation(l, s, src.Location()); err == nil {
			e.Time, e.ZoneAssumed = t.UTC(), i > 0
			if !strings.Contains(s, ".") {
				e.Uncertainty = time.Second / 2
			}
			return nil
		}
	}
	return fmt.Errorf("time %q: not in a form of the audit log", s[:min(len(s), 40)])
}
