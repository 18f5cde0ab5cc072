// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package cuckoo decodes the report.json of the sandboxes Cuckoo 2 and CAPE: one
// event for the verdict, and one for each file the sample dropped and each host,
// domain, request and connection it asked for.
//
// A report may have hundreds of megabytes, mostly behaviour. It is read as a
// stream: what is not wanted is passed over token by token, what is wanted has
// limits. Fields keep the report's names, nested ones dotted, with id and machine
// of the analysis on every event.
//
// It never runs, unpacks or looks into what a report describes, and never turns
// what a sample did in a sandbox into deeds on the city's machines.
package cuckoo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"citywall/ingest/format"
)

const name = "cuckoo"

// Limits of one report, beyond those of package format.
const (
	maxDropped = 5_000
	maxNetwork = 20_000
)

// Format returns the decoder. A report is one document; nothing of it stands
// alone.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: decode}
}

func sniff(head []byte) int {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \r\n\t")
	if len(head) == 0 || head[0] != '{' {
		return 0
	}
	has := func(s string) bool { return bytes.Contains(head, []byte(s)) }
	switch {
	case has(`"info"`) && has(`"machine"`) && has(`"package"`) && has(`"category"`) && (has(`"route"`) || has(`"platform"`) || has(`"manager"`)):
		return 93
	case bytes.HasPrefix(head[1:], []byte(`"statistics"`)) && has(`"processing"`) && has(`"CAPE"`):
		return 93
	}
	return 0
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	d := decoder{ctx: ctx, seen: map[string]bool{}}
	d.dec = json.NewDecoder(&leash{r: r, read: func() int64 { return d.dec.InputOffset() }})
	err := d.document()
	if ctx.Err() != nil {
		return d.st, ctx.Err()
	}
	if err != nil {
		d.st.Damaged++
		d.st.Note("the report breaks off at byte %d: %v", d.dec.InputOffset(), err)
	}
	if d.info == nil {
		if err == nil {
			d.st.Damaged++
			d.st.Note("the report has no info: no verdict can be read off it")
		}
		return d.st, nil
	}
	events, err := d.events(src)
	if err != nil {
		d.st.Damaged++
		d.st.Note("%v", err)
		return d.st, nil
	}
	for _, e := range events {
		d.st.Saw(e)
		if err := emit(e); err != nil {
			return d.st, err
		}
	}
	return d.st, nil
}

// maxToken bounds one text of a report, which the JSON reader must hold whole.
const maxToken = 32 << 20

var errToken = errors.New("a text is too long")

// leash lets a JSON reader run only so far ahead of what it has understood.
type leash struct {
	r    io.Reader
	n    int64
	read func() int64
}

func (l *leash) Read(p []byte) (int, error) {
	if l.n-l.read() > maxToken {
		return 0, errToken
	}
	n, err := l.r.Read(p)
	l.n += int64(n)
	return n, err
}

// decoder gathers what is wanted of a report.
type decoder struct {
	ctx context.Context
	dec *json.Decoder
	st  format.Stats

	info    map[string]json.RawMessage
	target  map[string]json.RawMessage
	top     []member // scalar verdicts at the top: malscore, malfamily, detections …
	sigs    []json.RawMessage
	dropped []element
	network []element
	seen    map[string]bool // network indicators by kind and text
}

type member struct {
	name string
	text json.RawMessage
}

// element is one indicator and where it lies.
type element struct {
	kind string
	at   int64
	text json.RawMessage
}

func (d *decoder) document() error {
	if t, err := d.dec.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errors.New("want a JSON object"), err)
	}
	for d.dec.More() {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		key, err := d.dec.Token()
		if err != nil {
			return err
		}
		switch key {
		case "info":
			err = d.object(&d.info, "machine")
		case "target":
			err = d.object(&d.target, "file")
		case "malscore", "malfamily", "malstatus", "detections", "malfamily_tag":
			err = d.scalar(key.(string))
		case "signatures":
			err = d.array("", func(e element) {
				if len(d.sigs) < 256 {
					d.sigs = append(d.sigs, e.text)
				}
			})
		case "dropped":
			err = d.array("dropped", func(e element) { d.keep(&d.dropped, e, maxDropped) })
		case "network":
			err = d.members(func(kind string) error {
				switch kind {
				case "hosts", "domains", "http", "dns", "tcp", "udp":
					return d.array(kind, d.indicator)
				}
				return d.skip()
			})
		default:
			err = d.skip()
		}
		if err != nil {
			return err
		}
	}
	_, err := d.dec.Token()
	return err
}

func (d *decoder) keep(to *[]element, e element, limit int) {
	if len(*to) < limit {
		*to = append(*to, e)
		return
	}
	d.st.Skipped++
	if d.st.Skipped == 1 {
		d.st.Note("more than %d %s: the rest is not kept", limit, e.kind)
	}
}

// members calls f for every member of the object that follows; f reads its value.
// Anything but an object is passed over.
func (d *decoder) members(f func(name string) error) error {
	t, err := d.dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return d.rest(t)
	}
	for d.dec.More() {
		key, err := d.dec.Token()
		if err != nil {
			return err
		}
		if err := f(key.(string)); err != nil {
			return err
		}
	}
	_, err = d.dec.Token()
	return err
}

// object keeps the plain members of the object that follows, and those of its
// member in as "in.name".
func (d *decoder) object(to *map[string]json.RawMessage, in string) error {
	*to = map[string]json.RawMessage{}
	plain := func(name string) error {
		t, err := d.dec.Token()
		if err != nil {
			return err
		}
		if _, nested := t.(json.Delim); nested {
			return d.rest(t)
		}
		if b, err := json.Marshal(t); err == nil && len(b) <= 4096 && len(*to) < 256 {
			(*to)[name] = b
		}
		return nil
	}
	d.dec.UseNumber()
	return d.members(func(name string) error {
		if name == in {
			return d.members(func(sub string) error { return plain(in + "." + sub) })
		}
		return plain(name)
	})
}

// scalar keeps a verdict at the top; of a list of objects the texts are kept.
func (d *decoder) scalar(name string) error {
	var list []json.RawMessage
	t, err := d.dec.Token()
	if err != nil {
		return err
	}
	if t == json.Delim('[') { // CAPE: [{"family":"X","details":[…]}]
		for d.dec.More() {
			err := d.members(func(sub string) error {
				t, err := d.dec.Token()
				if err != nil {
					return err
				}
				if s, ok := t.(string); ok && sub == "family" && len(list) < 16 && len(s) < 256 {
					b, _ := json.Marshal(s) // a string always is JSON
					list = append(list, b)
					return nil
				}
				return d.rest(t)
			})
			if err != nil {
				return err
			}
		}
		if _, err = d.dec.Token(); err != nil {
			return err
		}
		if len(list) > 0 {
			b, _ := json.Marshal(list)
			d.top = append(d.top, member{name, b})
		}
		return nil
	}
	if _, nested := t.(json.Delim); nested {
		return d.rest(t)
	}
	if b, err := json.Marshal(t); err == nil && len(b) < 1024 && len(d.top) < 16 {
		d.top = append(d.top, member{name, b})
	}
	return nil
}

// array hands the elements of the array that follows to f. One that is longer than
// a record may be is passed over as damage.
func (d *decoder) array(kind string, f func(element)) error {
	t, err := d.dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return d.rest(t)
	}
	for d.dec.More() {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		at := d.dec.InputOffset()
		text, err := d.value()
		if err != nil {
			return err
		}
		if text == nil {
			d.st.Damaged++
			d.st.Note("an element of %s at byte %d is longer than %d bytes", kind, at, format.MaxRecord)
			continue
		}
		f(element{kind, at, text})
	}
	_, err = d.dec.Token()
	return err
}

// instant reads a time of the analysis: text without a zone, or seconds since 1970.
func instant(m map[string]json.RawMessage, key string, loc *time.Location) (time.Time, string, bool) {
	var x any
	raw := m[key]
	if raw == nil || json.Unmarshal(raw, &x) != nil {
		return time.Time{}, "", false
	}
	text := string(bytes.Trim(raw, `"`))
	t, assumed, err := format.Time(text, loc)
	if err != nil {
		return time.Time{}, text, false
	}
	return t, text, assumed
}
