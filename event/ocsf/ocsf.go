// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package ocsf writes events in the Open Cybersecurity Schema Framework,
// version 1.5.0, for other tools.
//
// It promises that an event is given a class only when everything that the
// class requires is in the record, and is a Base Event otherwise: a wrong class
// is worse than none. Native fields and the way back to the bytes travel along in
// "unmapped", the bytes themselves in "raw_data", so nothing is lost. It invents no value.
//
// It never reads OCSF.
package ocsf

import (
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"citywall/event"
)

// Version is the version of the schema.
const Version = "1.5.0"

// Object is an OCSF object. Its JSON has its keys in alphabetical order.
type Object map[string]any

// class is what an event becomes: a class, an activity, and the attributes of
// the class.
type class struct {
	uid, activity int
	name          string // of activity 99
	attrs         Object
}

// Class uids. The thousands are the category.
const (
	baseEvent       = 0
	fileActivity    = 1001
	jobActivity     = 1006
	processActivity = 1007
	logActivity     = 1008
	scriptActivity  = 1009
	serviceActivity = 201004 // of the Windows extension
	detection       = 2004
	authentication  = 3002
	authorize       = 3003
	network         = 4001
	http            = 4002
	dns             = 4003
	smb             = 4006

	other = 99 // activity_id: named in activity_name
)

// From returns e as an OCSF event.
func From(e *event.Event) Object {
	v := e.View()
	c, ok := classify(e, v)
	if !ok {
		c = class{uid: baseEvent, activity: other, name: string(v.Action), attrs: Object{}}
		if v.Action == "" {
			c.activity, c.name = 0, ""
		}
	}
	o := Object{
		"class_uid": c.uid, "category_uid": c.uid % 100_000 / 1000, "activity_id": c.activity, "type_uid": c.uid*100 + c.activity,
		"severity_id": 0, "time": milliseconds(when(e)), "metadata": metadata(e, v), "unmapped": Object{"fields": fields(e.Fields), "origin": e.Origin},
	}
	if c.activity == other {
		o["activity_name"] = c.name
	}
	put(o, "message", v.Message)
	switch v.Outcome {
	case event.Success:
		o["status_id"] = 1
	case event.Failure:
		o["status_id"] = 2
	}
	if utf8.Valid(e.Raw) {
		put(o, "raw_data", string(e.Raw))
	}
	for k, x := range c.attrs {
		o[k] = x
	}
	return o
}

// classify gives an event its class, or false when the record lacks what the
// class requires.
func classify(e *event.Event, v event.View) (class, bool) {
	switch v.Action {
	case event.Logon, event.LogonFailed, event.Logoff, event.Ticket, event.Credential:
		return authenticate(v)
	case event.Privilege:
		list := strings.Fields(e.Fields.Str("PrivilegeList"))
		return class{authorize, 1, "", Object{"user": user(v), "privileges": list, "dst_endpoint": host(v)}}, len(list) > 0 && user(v) != nil
	case event.Flow, event.FlowRefused, event.RPC:
		activity := 6 // traffic
		if v.Action == event.FlowRefused {
			activity = 5
		}
		return flow(network, activity, "", v, Object{})
	case event.Share:
		return flow(smb, other, string(event.Share), v, Object{})
	case event.DNS:
		return flow(dns, 1, "", v, Object{"query": Object{"hostname": v.Message}}, v.Message != "")
	case event.HTTP:
		return web(e, v)
	case event.Process:
		return system(v, processActivity, 1, Object{"process": process(e, v)}, process(e, v) != nil)
	case event.File:
		return system(v, fileActivity, other, Object{"file": file(v.File)}, v.File != "")
	case event.Task:
		return system(v, jobActivity, 1, Object{"job": Object{"name": v.Message, "file": file(v.File)}}, v.Message != "" && v.File != "")
	case event.Service:
		return system(v, serviceActivity, 1, Object{"win_service": Object{"name": v.Message, "cmd_line": v.Command}}, v.Message != "" && v.Command != "")
	case event.Script:
		return system(v, scriptActivity, 1, Object{"script": Object{"type_id": scriptType(e.Product), "script_content": Object{"value": v.Command}}}, v.Command != "")
	case event.LogCleared:
		return system(v, logActivity, 1, Object{"log_name": v.Channel}, v.Channel != "")
	case event.Alert:
		info := Object{"uid": e.ID.String()}
		put(info, "title", v.Message)
		return class{detection, 1, "", Object{"finding_info": info, "device": device(v)}}, true
	}
	return class{}, false
}

// authenticate requires a user and where the user went.
func authenticate(v event.View) (class, bool) {
	activity, name := other, string(v.Action)
	switch v.Action {
	case event.Logon, event.LogonFailed:
		activity, name = 1, ""
	case event.Logoff:
		activity, name = 2, ""
	case event.Ticket:
		if n, ok := map[string]int{"4768": 3, "4769": 4, "4770": 5, "4771": 6}[v.EventID]; ok {
			activity, name = n, ""
		}
	}
	attrs := Object{"user": user(v), "dst_endpoint": host(v)}
	if v.Action == event.LogonFailed {
		attrs["status_id"] = 2
	}
	if src := endpoint(v.Src, v.SrcHost, v.SrcPort); src != nil {
		attrs["src_endpoint"] = src
	}
	if known(v.Logon) {
		attrs["logon_type_id"] = v.Logon
	}
	if v.Session != "" {
		attrs["session"] = Object{"uid": v.Session}
	}
	return class{authentication, activity, name, attrs}, user(v) != nil && host(v) != nil
}

// known reports the logon types that OCSF numbers as Windows does.
func known(t int) bool { return t >= 2 && t <= 13 && t != 6 }

// flow requires one end of a connection at least, and what else holds.
func flow(uid, activity int, name string, v event.View, attrs Object, and ...bool) (class, bool) {
	ok := true
	for _, x := range and {
		ok = ok && x
	}
	src, dst := endpoint(v.Src, v.SrcHost, v.SrcPort), endpoint(v.Dst, v.DstHost, v.DstPort)
	if src != nil {
		attrs["src_endpoint"] = src
	}
	if dst != nil {
		attrs["dst_endpoint"] = dst
	}
	if v.Proto != "" {
		attrs["connection_info"] = Object{"protocol_name": v.Proto, "direction_id": 0}
	}
	if v.BytesOut != 0 || v.BytesIn != 0 {
		attrs["traffic"] = Object{"bytes_out": v.BytesOut, "bytes_in": v.BytesIn}
	}
	if v.Duration > 0 {
		attrs["duration"] = v.Duration.Milliseconds()
	}
	return class{uid, activity, name, attrs}, ok && (src != nil || dst != nil)
}

func web(e *event.Event, v event.View) (class, bool) {
	method := strings.ToUpper(e.Fields.First("method", "http.http_method", "http_method", "cs-method"))
	activity, ok := map[string]int{"CONNECT": 1, "DELETE": 2, "GET": 3, "HEAD": 4, "OPTIONS": 5, "POST": 6, "PUT": 7, "TRACE": 8}[method]
	name := ""
	if !ok {
		activity, name = other, "unknown"
	}
	req := Object{}
	put(req, "http_method", method)
	if v.Message != "" {
		req["url"] = Object{"url_string": v.Message}
	}
	return flow(http, activity, name, v, Object{"http_request": req}, len(req) > 0)
}

// system requires an actor and a device, and what the class adds.
func system(v event.View, uid, activity int, attrs Object, ok bool) (class, bool) {
	name := ""
	if activity == other {
		name = string(v.Action)
	}
	attrs["device"] = device(v)
	if u := user(v); u != nil {
		attrs["actor"] = Object{"user": u}
	} else {
		ok = false
	}
	return class{uid, activity, name, attrs}, ok && v.Host != ""
}

func user(v event.View) Object {
	a := v.Target
	if a.IsZero() {
		a = v.User
	}
	if a.IsZero() {
		return nil
	}
	o := Object{"name": a.Name}
	put(o, "domain", a.Domain)
	return o
}

func host(v event.View) Object { return endpoint(v.HostAddr, v.Host, 0) }

func device(v event.View) Object {
	o := Object{"type_id": 0}
	put(o, "hostname", v.Host)
	if v.HostAddr.IsValid() {
		o["ip"] = v.HostAddr.String()
	}
	return o
}

func endpoint(a netip.Addr, name string, port uint16) Object {
	o := Object{}
	if a.IsValid() {
		o["ip"] = a.String()
	}
	put(o, "hostname", name)
	if len(o) == 0 {
		return nil
	}
	if port != 0 {
		o["port"] = port
	}
	return o
}

// process requires a number or a unique name; a path alone names no process.
func process(e *event.Event, v event.View) Object {
	o := Object{}
	put(o, "uid", e.Fields.Str("ProcessGuid"))
	if pid, ok := number(e.Fields.First("NewProcessId", "ProcessId")); ok {
		o["pid"] = pid
	}
	if len(o) == 0 {
		return nil
	}
	if v.Process != "" {
		o["path"], o["name"] = v.Process, base(v.Process)
	}
	put(o, "cmd_line", v.Command)
	if v.Parent != "" {
		parent := Object{"path": v.Parent, "name": base(v.Parent)}
		put(parent, "uid", e.Fields.Str("ParentProcessGuid"))
		if len(parent) == 3 {
			o["parent_process"] = parent
		}
	}
	return o
}

func file(p string) Object { return Object{"path": p, "name": base(p), "type_id": 0} }

func base(p string) string { return path.Base(strings.ReplaceAll(p, `\`, "/")) }

func scriptType(product string) int {
	if product == "windows" {
		return 2 // PowerShell: the only scripts Windows logs (4104)
	}
	return 0
}

// number reads a process id as logs write it: decimal, or hex with 0x.
func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 0, 64)
	return n, err == nil && n >= 0 && s != ""
}

func metadata(e *event.Event, v event.View) Object {
	name := e.Product
	if name == "" {
		name = e.Origin.Format
	}
	m := Object{"version": Version, "uid": e.ID.String(), "product": Object{"name": name}}
	put(m, "original_time", e.TimeRaw)
	put(m, "event_code", v.EventID)
	put(m, "log_name", v.Channel)
	put(m, "log_provider", e.Source)
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

func put(o Object, k, v string) {
	if v != "" {
		o[k] = v
	}
}
