// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package ocsf writes events in the Open Cybersecurity Schema Framework, so
// that other products can read what Citywall has seen.
//
// It promises objects that keep the schema's required attributes and
// constraints (version 1.7.0, https://schema.ocsf.io): an event that a class
// would need more for than its record tells becomes a Base Event, nothing is
// made up. All native fields and the way back to the bytes go along under
// unmapped. It never reads a store.
package ocsf

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
)

// Version is the version of the schema.
const Version = "1.7.0"

// Classes that events are mapped to.
const (
	BaseEvent        = 0
	FileActivity     = 1001
	ProcessActivity  = 1007
	DetectionFinding = 2004
	Authentication   = 3002
	NetworkActivity  = 4001
	HTTPActivity     = 4002
	DNSActivity      = 4003
)

// Line returns e as one line of JSON without the line end. Keys are sorted, so
// equal events give equal bytes.
func Line(e *event.Event) ([]byte, error) { return json.Marshal(Object(e)) }

// object is a JSON object. Put keeps out what is unknown.
type object map[string]any

func (o object) put(key string, v any) object {
	switch x := v.(type) {
	case nil:
		return o
	case string:
		if x == "" {
			return o
		}
	case int64:
		if x == 0 {
			return o
		}
	case object:
		if len(x) == 0 {
			return o
		}
	}
	o[key] = v
	return o
}

// Object returns e as the tree that Line writes.
func Object(e *event.Event) map[string]any {
	m := mapper{e: e, v: e.View()}
	o, class, activity := m.class()
	o["class_uid"], o["category_uid"], o["activity_id"] = class, class/1000, activity
	o["type_uid"] = class*100 + activity
	o["time"] = eventstore.When(e).UnixMilli()
	o["metadata"] = m.metadata()
	o["unmapped"] = m.unmapped()
	o.put("message", m.v.Message)
	if _, ok := o["severity_id"]; !ok {
		o["severity_id"] = 0 // unknown: records seldom say, and we do not guess
	}
	if class != DetectionFinding { // its status is that of the finding's handling
		switch m.v.Outcome {
		case event.Success:
			o["status_id"] = 1
		case event.Failure:
			o["status_id"] = 2
		}
	}
	if utf8.Valid(e.Raw) {
		o.put("raw_data", string(e.Raw))
	}
	return o
}

type mapper struct {
	e *event.Event
	v event.View
}

// class returns the attributes of the class that the action asks for and the
// record can fill.
func (m mapper) class() (o object, class, activity int) {
	switch m.v.Action {
	case event.Logon, event.LogonFailed, event.Credential:
		o, class, activity = m.authentication(), Authentication, 1
	case event.Logoff:
		o, class, activity = m.authentication(), Authentication, 2
	case event.Ticket:
		o, class, activity = m.authentication(), Authentication, 3
		if m.v.EventID == "4769" {
			activity = 4
		}
	case event.Flow:
		o, class, activity = m.network(), NetworkActivity, 6
	case event.FlowRefused:
		o, class, activity = m.network(), NetworkActivity, 5
	case event.HTTP:
		o, class = m.http(), HTTPActivity
		activity = httpActivity(m.first("method", "http.http_method", "http.request.method"))
	case event.DNS:
		o, class, activity = m.dns(), DNSActivity, 6
		switch m.first("dns.type") {
		case "query", "request":
			activity = 1
		case "answer", "response":
			activity = 2
		}
	case event.Process:
		o, class, activity = m.process(), ProcessActivity, 1
	case event.File:
		o, class = m.file(), FileActivity
		if m.v.EventID == "11" { // Sysmon FileCreate; of others only the name is known
			activity = 1
		}
	case event.Alert:
		o, class, activity = m.finding(), DetectionFinding, 1
	}
	if o == nil {
		return object{}, BaseEvent, 0
	}
	return o, class, activity
}

func (m mapper) first(names ...string) string { return m.e.Fields.First(names...) }

func (m mapper) metadata() object {
	p := object{"name": m.e.Product}
	switch m.e.Product {
	case "windows":
		p["name"], p["vendor_name"] = "Windows", "Microsoft"
	case "zeek":
		p["name"], p["vendor_name"] = "Zeek", "Zeek"
	case "suricata":
		p["name"], p["vendor_name"] = "Suricata", "OISF"
	case "fortinet":
		p["name"], p["vendor_name"] = "FortiGate", "Fortinet"
	case "alert":
		p["name"] = m.e.Service
	}
	if p["name"] == "" {
		p["name"] = "unknown" // the schema wants one
	}
	o := m.e.Origin
	source := o.File
	if source == "" {
		source = o.Stream
	}
	if o.Inner != "" {
		source += "!" + o.Inner
	}
	md := object{"version": Version, "product": p, "uid": m.e.ID.String()}
	md.put("original_time", m.e.TimeRaw).put("log_name", m.v.Channel).put("log_provider", m.e.Source).put("event_code", m.v.EventID)
	md.put("tenant_uid", m.e.Agency).put("log_format", o.Format).put("log_source", source)
	if o.Record != 0 {
		md["original_event_uid"] = strconv.FormatUint(o.Record, 10)
	}
	if eventstore.Timed(m.e.Received) {
		md["logged_time"] = m.e.Received.UnixMilli()
	}
	return md
}

// unmapped holds everything: the native fields in their order, the normalised
// reading, and the way back to the bytes.
func (m mapper) unmapped() object {
	o := object{
		"fields": json.RawMessage(eventstore.AppendFields(nil, m.e.Fields)),
		"view":   m.v,
		"origin": m.e.Origin,
		"realm":  m.e.Realm,
	}
	if m.e.Uncertainty != 0 {
		o["time_uncertainty"] = m.e.Uncertainty.Seconds()
	}
	if m.e.ZoneAssumed {
		o["time_zone_assumed"] = true
	}
	if !eventstore.Timed(m.e.Time) {
		o["time_unknown"] = true // "time" is when Citywall received it
	} else if m.e.Time.Nanosecond()%int(time.Millisecond) != 0 {
		o["time"] = m.e.Time.UTC().Format(time.RFC3339Nano) // what milliseconds cut off
	}
	return o
}

func (m mapper) authentication() object {
	if m.v.User.IsZero() {
		return nil
	}
	dst := m.endpoint(m.v.Dst.String(), m.v.DstHost, m.v.DstPort)
	if dst == nil {
		dst = m.endpoint("", m.v.Host, 0)
	}
	service := object{}.put("name", m.v.Service)
	if m.v.Action == event.Ticket {
		service = object{}.put("name", m.v.Message)
	}
	if dst == nil && len(service) == 0 {
		return nil
	}
	user := account(m.v.User)
	o := object{}
	if !m.v.Target.IsZero() { // the user acted as another
		o["actor"] = object{"user": user}
		user = account(m.v.Target)
	}
	o["user"] = user
	o.put("dst_endpoint", dst).put("service", service).put("src_endpoint", m.endpoint(m.v.Src.String(), m.v.SrcHost, m.v.SrcPort))
	o.put("session", object{}.put("uid", m.v.Session))
	switch t := m.v.Logon; t {
	case 0:
	case 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13:
		o["logon_type_id"] = t
	default:
		o["logon_type_id"], o["logon_type"] = 99, strconv.Itoa(t)
	}
	return o
}

// network returns what all network classes share, nil when neither end is
// known.
func (m mapper) network() object {
	src := m.endpoint(m.v.Src.String(), m.v.SrcHost, m.v.SrcPort)
	dst := m.endpoint(m.v.Dst.String(), m.v.DstHost, m.v.DstPort)
	if src == nil && dst == nil {
		return nil
	}
	o := object{}
	o.put("src_endpoint", src).put("dst_endpoint", dst).put("app_name", m.v.Service)
	o.put("connection_info", m.connection())
	if m.v.BytesOut != 0 || m.v.BytesIn != 0 {
		o["traffic"] = object{"bytes_out": m.v.BytesOut, "bytes_in": m.v.BytesIn, "bytes": m.v.BytesOut + m.v.BytesIn}
	}
	return o
}

func (m mapper) connection() object {
	o := object{}.put("protocol_name", m.v.Proto).put("uid", m.v.Session)
	if len(o) > 0 {
		o["direction_id"] = 0
	}
	return o
}

func (m mapper) http() object {
	o := m.network()
	url := m.first("uri", "http.url", "url.original", "url.path")
	if o == nil || url == "" {
		return nil
	}
	u := object{"url_string": url}
	u.put("hostname", m.first("host", "http.hostname", "url.domain"))
	req := object{"url": u}
	req.put("http_method", m.first("method", "http.http_method", "http.request.method"))
	req.put("user_agent", m.first("user_agent", "http.http_user_agent", "user_agent.original"))
	o["http_request"] = req
	if code, err := strconv.Atoi(m.first("status_code", "http.status", "http.response.status_code")); err == nil {
		o["http_response"] = object{"code": code}
	}
	return o
}

func httpActivity(method string) int {
	for i, name := range []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "PATCH"} {
		if strings.EqualFold(method, name) {
			return i + 1
		}
	}
	if method == "" {
		return 0
	}
	return 99
}

func (m mapper) dns() object {
	o := m.network()
	if o == nil {
		// Sysmon tells of a question without addresses: the host asked.
		src := m.endpoint("", m.v.Host, 0)
		if src == nil {
			return nil
		}
		o = object{"src_endpoint": src}
	}
	name := m.first("query", "dns.rrname", "dns.query.rrname", "dns.queries.rrname", "QueryName", "dns.question.name")
	if name != "" {
		q := object{"hostname": name}
		o["query"] = q.put("type", m.first("qtype_name", "dns.rrtype", "dns.question.type"))
	}
	o.put("rcode", m.first("rcode_name", "dns.rcode", "dns.response_code"))
	return o
}

func (m mapper) process() object {
	p := m.named(m.v.Process, m.first("ProcessGuid"), m.first("NewProcessId", "ProcessId", "process.pid"))
	device := m.device()
	if p == nil || device == nil {
		return nil
	}
	p.put("cmd_line", m.v.Command)
	if m.v.Hash != "" {
		if f, ok := p["file"].(object); ok {
			f["hashes"] = []object{fingerprint(m.v.Hash)}
		}
	}
	parentPID := m.first("ParentProcessId", "process.parent.pid")
	if m.first("NewProcessId") != "" {
		parentPID = m.first("ProcessId") // 4688 names the creator so
	}
	actor := object{}.put("process", m.named(m.v.Parent, m.first("ParentProcessGuid"), parentPID))
	if !m.v.User.IsZero() {
		actor["user"] = account(m.v.User)
	}
	if len(actor) == 0 {
		return nil
	}
	return object{"process": p, "device": device, "actor": actor}
}

func (m mapper) file() object {
	device := m.device()
	if device == nil || m.v.File == "" {
		return nil
	}
	actor := object{}.put("process", m.named(m.v.Process, m.first("ProcessGuid"), m.first("ProcessId", "process.pid")))
	if !m.v.User.IsZero() {
		actor["user"] = account(m.v.User)
	}
	if len(actor) == 0 {
		return nil
	}
	f := file(m.v.File)
	if m.v.Hash != "" {
		f["hashes"] = []object{fingerprint(m.v.Hash)}
	}
	return object{"file": f, "device": device, "actor": actor}
}

// finding is the alert of another product.
func (m mapper) finding() object {
	info := object{"uid": m.e.ID.String()}
	info.put("title", m.v.Message)
	o := object{"finding_info": info, "is_alert": true, "status_id": 1}
	o.put("device", m.device())
	ev := object{}
	if n := m.network(); n != nil {
		ev.put("src_endpoint", n["src_endpoint"]).put("dst_endpoint", n["dst_endpoint"]).put("connection_info", n["connection_info"])
	}
	if m.v.File != "" {
		ev["file"] = file(m.v.File)
	}
	if len(ev) > 0 {
		o["evidences"] = []object{ev}
	}
	if m.e.Product == "suricata" { // 1 is the gravest
		switch m.first("alert.severity") {
		case "1":
			o["severity_id"] = 4
		case "2":
			o["severity_id"] = 3
		case "3":
			o["severity_id"] = 2
		}
	}
	return o
}

// endpoint returns nil when nothing but a port is known.
func (m mapper) endpoint(ip, host string, port uint16) object {
	o := object{}
	if ip != "invalid IP" {
		o.put("ip", ip)
	}
	o.put("hostname", host)
	if len(o) == 0 {
		return nil
	}
	return o.put("port", int64(port))
}

func (m mapper) device() object {
	o := m.endpoint(m.v.HostAddr.String(), m.v.Host, 0)
	if o != nil {
		o["type_id"] = 0
	}
	return o
}

// named is a process, nil when the record has no number for it, which the
// schema wants.
func (m mapper) named(path, guid, pid string) object {
	o := object{}.put("uid", guid)
	if n, err := strconv.ParseInt(pid, 0, 64); err == nil { // 4688 writes hex
		o["pid"] = n
	}
	if len(o) == 0 {
		return nil
	}
	if path != "" {
		f := file(path)
		o["file"], o["name"] = f, f["name"]
	}
	return o
}

func file(path string) object {
	o := object{"name": path[strings.LastIndexAny(path, `\/`)+1:], "path": path, "type_id": 1}
	if o["name"] == "" {
		o["name"] = path
	}
	return o
}

func account(a asset.Account) object {
	return object{"name": a.Name}.put("domain", a.Domain)
}

// fingerprint tells the algorithm by the length.
func fingerprint(hex string) object {
	id := map[int]int{32: 1, 40: 2, 64: 3}[len(hex)]
	return object{"algorithm_id": id, "value": hex}
}
