// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package antivirus

import (
	"errors"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

// SEPM returns the syslog of Symantec Endpoint Protection Manager.
func SEPM() format.Dialect {
	return dialect("sepm", func(app, _ string) bool { return app == "SymantecServer" }, readSEPM)
}

// ESET returns the syslog of ESET Protect, in JSON.
func ESET() format.Dialect {
	return dialect("eset", func(_, msg string) bool { return isESET(msg) }, readESET)
}

func dialect(service string, match func(app, msg string) bool, read func(string, *event.Event, format.Source) error) format.Dialect {
	return format.Dialect{Name: service, Match: match, Read: func(msg string, e *event.Event, _ format.Pos, src format.Source) error {
		e.Product, e.Category, e.Service = "antivirus", "antivirus", service
		return read(msg, e, src)
	}}
}

// isESET knows ESET Protect's JSON: it names its source by a UUID and spells
// occured with one r.
func isESET(s string) bool {
	return strings.HasPrefix(s, "{") && strings.Contains(s, `"event_type"`) && strings.Contains(s, `"occured"`) && strings.Contains(s, `"source_uuid"`)
}

// readESET reads a record of ESET Protect's log export (JSON). Its time is UTC by
// the documentation.
func readESET(s string, e *event.Event, _ format.Source) error {
	f, err := flatjson.Parse([]byte(s))
	if err != nil {
		return err
	}
	b := format.NewBody(&e.Fields, len(f))
	for _, x := range f {
		b.Add(x.Name, x.Value.String())
	}
	raw := f.Str("occured")
	t, err := time.Parse("02-Jan-2006 15:04:05", raw)
	if err != nil {
		return err
	}
	if f.Str("event_type") == "Audit_Event" {
		e.Category = ""
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, raw, false, time.Second/2
	return nil
}

// readSEPM reads "Virus found,IP Address: 10.0.0.12,Computer name: PC12,…": a
// title, then names and values. A value may hold commas, so a part without a name
// belongs to the value before. The time stays the header's.
func readSEPM(msg string, e *event.Event, _ format.Source) error {
	parts := strings.Split(msg, ",")
	if len(parts) > format.MaxFields {
		return errors.New("SEPM: too many values")
	}
	b := format.NewBody(&e.Fields, len(parts)+1)
	b.Add("message", msg)
	name, value := "event", parts[0]
	if k, v, ok := named(parts[0]); ok {
		name, value = k, v
	}
	for _, p := range parts[1:] {
		k, v, ok := named(p)
		if !ok {
			value += "," + p
			continue
		}
		b.Add(name, strings.TrimSpace(value))
		name, value = k, v
	}
	b.Add(name, strings.TrimSpace(value))
	return nil
}

// named cuts "Name of a value: value". A name is words of letters and begins with
// a capital; C:\ is none.
func named(s string) (name, value string, ok bool) {
	k, v, ok := strings.Cut(s, ":")
	k = strings.TrimSpace(k)
	if !ok || len(k) < 2 || len(k) > 48 || k[0] < 'A' || k[0] > 'Z' || v != "" && v[0] != ' ' && (v[0] < '0' || v[0] > '9') {
		return "", "", false
	}
	for i := range len(k) {
		if c := k[i] | 0x20; (c < 'a' || c > 'z') && k[i] != ' ' && k[i] != '/' && k[i] != '(' && k[i] != ')' && (k[i] < '0' || k[i] > '9') {
			return "", "", false
		}
	}
	return k, v, true
}
