// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package cuckoo

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

// indicator keeps a network indicator once. Of connections only the other end
// counts.
func (d *decoder) indicator(e element) {
	key := e.kind + " " + string(e.text)
	if e.kind == "tcp" || e.kind == "udp" || e.kind == "dns" || e.kind == "http" {
		var x struct {
			Dst      string          `json:"dst"`
			Dport    json.RawMessage `json:"dport"`
			Request  string          `json:"request"`
			Type     string          `json:"type"`
			URI      string          `json:"uri"`
			Method   string          `json:"method"`
			Hostname string          `json:"host"`
		}
		if json.Unmarshal(e.text, &x) != nil {
			return
		}
		key = strings.Join([]string{e.kind, x.Dst, string(x.Dport), x.Request, x.Type, x.Method, x.Hostname, x.URI}, " ")
	}
	if d.seen[key] {
		return
	}
	if len(d.network) < maxNetwork {
		d.seen[key] = true
	}
	d.keep(&d.network, e, maxNetwork)
}

// verdict composes the document of the verdict's event.
func (d *decoder) verdict() []byte {
	var b bytes.Buffer
	put := func(name string, text []byte) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(name) // a string always is JSON
		b.Write(key)
		b.WriteByte(':')
		b.Write(text)
	}
	b.WriteByte('{')
	for _, k := range slices.Sorted(maps.Keys(d.info)) {
		put("info."+k, d.info[k])
	}
	for _, k := range slices.Sorted(maps.Keys(d.target)) {
		put("target."+k, d.target[k])
	}
	for _, m := range d.top {
		put(m.name, m.text)
	}
	for _, part := range [...]string{"name", "description", "severity"} {
		var list []json.RawMessage
		for _, s := range d.sigs {
			var m map[string]json.RawMessage
			if json.Unmarshal(s, &m) == nil && m[part] != nil && len(m[part]) < 1024 && m[part][0] != '{' && m[part][0] != '[' {
				list = append(list, m[part])
			}
		}
		if len(list) > 0 {
			if text, err := json.Marshal(list); err == nil {
				put("signatures."+part, text)
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

// events makes the events of the report: the verdict first, at the end of the
// analysis; what it saw lies between begin and end.
func (d *decoder) events(src format.Source) ([]*event.Event, error) {
	ended, endedRaw, assumed := instant(d.info, "ended", src.Location())
	started, startedRaw, startedAssumed := instant(d.info, "started", src.Location())
	at, half, raw := ended, time.Duration(0), endedRaw
	if ended.IsZero() {
		ended, endedRaw, assumed, at, raw = started, startedRaw, startedAssumed, started, startedRaw
	} else if !started.IsZero() && !ended.Before(started) {
		half = ended.Sub(started) / 2
		at, raw = started.Add(half), startedRaw+" to "+endedRaw
	}
	doc := d.verdict()
	f, err := flatjson.Parse(doc)
	if err != nil {
		return nil, err
	}
	make1 := func(service string, seq int64, text []byte) *event.Event {
		e := src.Event(name, format.Pos{Offset: seq, Seq: uint64(seq)}) //nolint:gosec // not negative
		e.Product, e.Category, e.Service, e.Raw = "cuckoo", "sandbox", service, text
		e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = at, raw, assumed, half
		return e
	}
	v := make1("report", 0, doc)
	v.Time, v.TimeRaw, v.Uncertainty, v.Fields = ended, endedRaw, time.Second/2, f
	out := []*event.Event{v}
	for _, x := range slices.Concat(d.dropped, d.network) {
		service := "network"
		if x.kind == "dropped" {
			service = "dropped"
		}
		e := make1(service, x.at, x.text)
		if e.Fields, err = element2fields(x); err != nil {
			d.st.Damaged++
			d.st.Note("%s at byte %d: %v", x.kind, x.at, err)
			continue
		}
		for _, k := range [...]string{"info.id", "info.machine.name", "target.file.sha256"} {
			if val, ok := f.Get(k); ok {
				e.Fields = append(e.Fields, event.Field{Name: k, Value: val})
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// element2fields reads an indicator: an object's members under the kind's name,
// or a plain text.
func element2fields(x element) (event.Fields, error) {
	out := event.Fields{{Name: "kind", Value: event.T(x.kind)}}
	if len(x.text) > 0 && x.text[0] == '{' {
		f, err := flatjson.Parse(x.text)
		if err != nil {
			return nil, err
		}
		for _, m := range f {
			out = append(out, event.Field{Name: x.kind + "." + m.Name, Value: m.Value})
		}
		return out, nil
	}
	var s any
	if err := json.Unmarshal(x.text, &s); err != nil {
		return nil, err
	}
	text, _ := s.(string)
	return append(out, event.Field{Name: x.kind, Value: event.T(text)}), nil
}
