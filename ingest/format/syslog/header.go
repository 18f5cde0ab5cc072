// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// modern reads what follows the priority of RFC 5424 §6: VERSION TIMESTAMP
// HOSTNAME APP-NAME PROCID MSGID SD [MSG]. Structured data become fields
// id.name in the order of the line. What stands in their place and is none
// belongs to the message: some firewalls write their own brackets there.
func modern(s string, e *event.Event, src format.Source) (string, error) {
	_, s, _ = strings.Cut(s, " ")
	raw, s, ok := strings.Cut(s, " ")
	if !ok {
		return "", errors.New("RFC 5424: the header ends after the version")
	}
	if raw != "-" {
		t, err := time.Parse(time.RFC3339Nano, raw)
		if err != nil { // old SRX: no zone
			var e2 error
			if t, e2 = time.ParseInLocation("2006-01-02T15:04:05.999999999", raw, src.Location()); e2 != nil {
				return "", fmt.Errorf("RFC 5424: time %q: %w", raw[:min(len(raw), 40)], err)
			}
			e.ZoneAssumed = true
		}
		e.Time, e.TimeRaw = t.UTC(), raw
	}
	for _, name := range [...]string{"hostname", "appname", "procid", "msgid"} {
		v, rest, ok := strings.Cut(s, " ")
		if !ok {
			return "", fmt.Errorf("RFC 5424: the header ends in its %s", name)
		}
		if v != "-" && v != "" {
			e.Fields = append(e.Fields, event.Field{Name: name, Value: event.T(v)})
		}
		s = rest
	}
	if rest, ok := strings.CutPrefix(s, "-"); ok && (rest == "" || rest[0] == ' ') {
		s = rest
	} else {
		n := len(e.Fields)
		rest, ok, err := structured(s, e)
		if err != nil {
			return "", err
		}
		if ok {
			s = rest
		} else {
			e.Fields = e.Fields[:n]
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(s, " "), "\ufeff"), nil
}

// structured reads [id name="value" …]…, RFC 5424 §6.3. False means that s does
// not hold any, or that they are broken.
func structured(s string, e *event.Event) (rest string, ok bool, err error) {
	if !strings.HasPrefix(s, "[") {
		return s, false, nil
	}
	for strings.HasPrefix(s, "[") {
		end := strings.IndexAny(s, " ]")
		if end < 2 || strings.ContainsAny(s[:end], `="`) {
			return s, false, nil
		}
		id := s[1:end]
		for s = s[end:]; strings.HasPrefix(s, " "); {
			name, r, ok := strings.Cut(strings.TrimLeft(s, " "), `="`)
			if !ok || name == "" || strings.ContainsAny(name, ` ]"`) {
				return s, false, nil
			}
			v, r, ok := quoted(r)
			if !ok {
				return s, false, nil
			}
			if len(e.Fields) >= format.MaxFields {
				return s, false, errors.New("too many structured data parameters")
			}
			e.Fields.Add(id+"."+name, v)
			s = r
		}
		if !strings.HasPrefix(s, "]") {
			return s, false, nil
		}
		s = s[1:]
	}
	return s, s == "" || s[0] == ' ', nil
}

// quoted reads up to the closing quote and takes the backslash off \" \\ and \].
func quoted(s string) (v, rest string, ok bool) {
	i := strings.IndexAny(s, `"\`)
	if i < 0 {
		return "", s, false
	}
	if s[i] == '"' {
		return s[:i], s[i+1:], true
	}
	var b strings.Builder
	for i = 0; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`"\]`, s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	if i >= len(s) {
		return "", s, false
	}
	return b.String(), s[i+1:], true
}

// classic reads RFC 3164 and its common relatives: a time (also with a year, a
// fraction, or of ISO 8601), a host, and "app[pid]: " before the message when
// it is there.
func classic(text string, e *event.Event, src format.Source) (string, error) {
	t, raw, ok := format.Stamp(text, src.Location(), src.NotAfter)
	if !ok {
		return "", errors.New("no syslog header: want <priority> or a time at the start of the line")
	}
	e.Time, e.TimeRaw = t.At, raw
	e.ZoneAssumed, e.Uncertainty = t.Assumed, t.Resolution/2
	rest := text[len(raw):]
	if r, ok := strings.CutPrefix(rest, ": "); ok { // a device without a name
		return r, nil
	}
	body := strings.TrimLeft(rest, " ")
	host, rest, _ := strings.Cut(body, " ")
	if strings.ContainsAny(host, `|="`) { // the message already
		return body, nil
	}
	if strings.HasSuffix(host, "]:") { // a program, no host
		return program(host, rest, e), nil
	}
	if host = strings.TrimSuffix(host, ":"); host != "" {
		e.Fields = append(e.Fields, event.Field{Name: "hostname", Value: event.T(host)})
	}
	tag, msg, ok := strings.Cut(rest, " ")
	if !ok || !strings.HasSuffix(tag, ":") || tag == ":" || tag == "CEF:" || tag[0] == '%' || strings.ContainsAny(tag, `="`) {
		return rest, nil // no tag: devices begin at once with their message
	}
	return program(tag, msg, e), nil
}

// program reads "app[pid]:" and returns the message.
func program(tag, msg string, e *event.Event) string {
	app, pid, _ := strings.Cut(strings.TrimSuffix(tag, ":"), "[")
	if app != "" {
		e.Fields = append(e.Fields, event.Field{Name: "appname", Value: event.T(app)})
	}
	if pid = strings.TrimSuffix(pid, "]"); pid != "" {
		e.Fields = append(e.Fields, event.Field{Name: "procid", Value: event.T(pid)})
	}
	return msg
}
