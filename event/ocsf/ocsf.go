// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package ocsf writes events in the Open Cybersecurity Schema Framework,
// version 1.5.0, for other tools.
//
// It promises that an event is given a class only when everything that the
// class requires is in the record, and is a Base Event otherwise: a wrong class
// is worse than none. Native fields and the way back to the bytes travel along in
// "unmapped", the bytes themselves in "raw_data", so nothing is lost. It invents no value.
// Which event is of which class, and where attributes come from, is data:
// classes.yaml.
//
// It never reads OCSF.
package ocsf

import (
	"time"
	"unicode/utf8"

	"citywall/event"
)

// Version is the version of the schema.
const Version = "1.5.0"

// Object is an OCSF object. Its JSON has its keys in alphabetical order.
type Object map[string]any

const (
	baseEvent = 0
	other     = 99 // activity_id: named in activity_name
)

// From returns e as an OCSF event.
func From(e *event.Event) Object {
	v := e.View()
	uid, activity, name, attrs, ok := load().classify(e, &v)
	if !ok {
		uid, activity, name = baseEvent, other, string(v.Action)
		if v.Action == "" {
			activity = 0
		}
	}
	o := Object{
		"class_uid": uid, "category_uid": uid % 100_000 / 1000, "activity_id": activity, "type_uid": uid*100 + activity,
		"severity_id": 0, "time": milliseconds(when(e)), "metadata": metadata(e, v), "unmapped": Object{"fields": fields(e.Fields), "origin": e.Origin},
	}
	if activity == other {
		o["activity_name"] = name
	}
	set(o, "message", v.Message)
	switch v.Outcome {
	case event.Success:
		o["status_id"] = 1
	case event.Failure:
		o["status_id"] = 2
	}
	if utf8.Valid(e.Raw) {
		set(o, "raw_data", string(e.Raw))
	}
	for k, x := range attrs {
		o[k] = x
	}
	return o
}

func metadata(e *event.Event, v event.View) Object {
	name := e.Product
	if name == "" {
		name = e.Origin.Format
	}
	m := Object{"version": Version, "uid": e.ID.String(), "product": Object{"name": name}}
	set(m, "original_time", e.TimeRaw)
	set(m, "event_code", v.EventID)
	set(m, "log_name", v.Channel)
	set(m, "log_provider", e.Source)
	if !e.Received.IsZero() {
		m["logged_time"] = milliseconds(e.Received)
	}
	return m
}

func fields(f event.Fields) Object {
	o := Object{}
	for _, x := range f {
		switch x.Value.Kind {
		case event.Text:
			o[x.Name] = x.Value.Text
		case event.List:
			o[x.Name] = append([]string{}, x.Value.List...)
		default:
			o[x.Name] = nil
		}
	}
	return o
}

// when is the time that OCSF requires: the record's own, else its arrival.
func when(e *event.Event) time.Time {
	if e.Time.IsZero() {
		return e.Received
	}
	return e.Time
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func set(o Object, k, v string) {
	if v != "" {
		o[k] = v
	}
}
