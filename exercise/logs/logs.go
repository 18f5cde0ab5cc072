// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package logs writes records the way real sources write them: Windows event
// logs as Winlogbeat JSON and as EVTX, FortiGate syslog, Zeek as TSV and JSON,
// Suricata EVE, the syslog of ESXi, a NAS, a mail gateway and a name server, and
// sampled NetFlow as Filebeat passes it on.
//
// A record is a schema (names and types of one kind of record) and its values
// as text, so that the same record can be sent live in one form and filed in
// another. It promises the field names, the number formats and the clock of the
// source. It never decides what happens: that is exercise/act and above.
package logs

import (
	"fmt"
	"strings"
	"time"
)

// Kind is a product that writes logs.
type Kind uint8

// Kinds of source.
const (
	Windows Kind = iota
	FortiGate
	Zeek
	Suricata
	Syslog  // Unix and appliances: a sentence with a header
	NetFlow // sampled flows of a switch, through Filebeat
)

// Type says how a value is written where text is not enough.
type Type uint8

// Types of value. Each format maps them to its own.
const (
	Text  Type = iota // quoted text
	Plain             // FortiGate: unquoted
	Num               // JSON number; Windows: 32-bit decimal
	Float             // seconds, six decimals
	Bool              // true or false; Zeek TSV T or F
	Set               // Zeek set or vector of text, comma separated
	Nums              // Zeek vector of intervals, comma separated
	Hex32             // 0x text, 32 bits
	Hex64             // 0x text, 64 bits
	SID
	GUID
	Addr
	Port
	Enum // Zeek enum: text in JSON
)

// Field is one column of a schema. Default is what the source writes when the
// act says nothing; Zeek's "-" and the empty value of EVE and FortiGate leave
// the field out.
type Field struct {
	Name    string
	Type    Type
	Default string
}

// Schema is one kind of record.
type Schema struct {
	Kind   Kind
	Name   string // Zeek log, EVE event type, FortiGate type/subtype, Windows task, program
	Fields []Field
	win    *windows
	said   *sentence // syslog
}

// Source is one sender with its clock. It is used by one goroutine.
type Source struct {
	Kind      Kind
	Name      string        // registered sender: collector, firewall, sensor
	Agency    string        // code
	Computer  string        // Windows: name in the record
	Offset    time.Duration // its clock minus true time
	RFC3164   bool          // FortiGate: old syslog header
	ISO       bool          // syslog: time, host, program as ESXi and rsyslog write them; else RFC 5424
	UTC       bool          // syslog: the time is written in UTC
	Device    string        // FortiGate: serial number
	recordIDs []channelID   // Windows: next EventRecordID by channel
}

type channelID struct {
	channel string
	next    uint64
}

// RecordID returns the next EventRecordID of a channel. Ids start at base of
// the source so that two hosts do not count alike.
func (s *Source) RecordID(channel string, base uint64) uint64 {
	for i := range s.recordIDs {
		if s.recordIDs[i].channel == channel {
			s.recordIDs[i].next++
			return s.recordIDs[i].next
		}
	}
	s.recordIDs = append(s.recordIDs, channelID{channel, base})
	return base
}

// Forget starts the record ids of the source anew.
func (s *Source) Forget() { s.recordIDs = nil }

// Record is one record before it is written.
type Record struct {
	Source *Source
	Schema *Schema
	Stamp  time.Time // the time in the record, by the source's clock
	Write  time.Time // true time at which the source writes it
	Values []string  // in the order of Schema.Fields
	PID    uint32    // Windows: process and thread that wrote it
	TID    uint32
	User   string // Windows: SID of Security/UserID, "" for none
	ID     uint64 // Windows: EventRecordID, set when written
}

// New makes a record of what happened at the true time at. Pairs are field
// names and values; everything else has the schema's default.
//
// A name that the schema does not have is a mistake of the caller and panics:
// it would silently lose a field.
func New(src *Source, sc *Schema, at time.Time, pairs ...string) Record {
	r := Record{Source: src, Schema: sc, Stamp: at.Add(src.Offset).UTC().Truncate(resolution[sc.Kind]), Write: at}
	r.Values = make([]string, len(sc.Fields))
	for i := range sc.Fields {
		r.Values[i] = sc.Fields[i].Default
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Set(pairs[i], pairs[i+1])
	}
	return r
}

// resolution of the stamps. Windows keeps 100 ns, but Winlogbeat writes
// milliseconds, and the same record must have one time in both forms.
var resolution = [...]time.Duration{
	Windows: time.Millisecond, FortiGate: time.Microsecond, Zeek: time.Microsecond, Suricata: time.Microsecond, Syslog: time.Millisecond, NetFlow: time.Millisecond,
}

// Set replaces a value.
func (r *Record) Set(name, value string) {
	for i := range r.Schema.Fields {
		if r.Schema.Fields[i].Name == name {
			r.Values[i] = value
			return
		}
	}
	panic(fmt.Sprintf("exercise/logs: %s has no field %q", r.Schema.Name, name))
}

// Get returns a value, "" when the schema has no such field.
func (r *Record) Get(name string) string {
	for i := range r.Schema.Fields {
		if r.Schema.Fields[i].Name == name {
			return r.Values[i]
		}
	}
	return ""
}

// After sets the true time at which the record is written.
func (r Record) After(d time.Duration) Record {
	r.Write = r.Write.Add(d)
	return r
}

// fields reads "name:type=default name ..." into a list; ~ in a default is a
// space.
func fields(spec, fallback string) []Field {
	var out []Field
	for _, w := range strings.Fields(spec) {
		f := Field{Default: fallback}
		if n, d, ok := strings.Cut(w, "="); ok {
			w, f.Default = n, strings.ReplaceAll(d, "~", " ")
		}
		n, t, ok := strings.Cut(strings.ReplaceAll(w, "~", " "), ":")
		f.Name = n
		if ok {
			f.Type = typeNames[t]
			if f.Type == Text && t != "text" {
				panic("exercise/logs: no type " + t)
			}
		}
		out = append(out, f)
	}
	return out
}

var typeNames = map[string]Type{
	"text": Text, "plain": Plain, "num": Num, "float": Float, "bool": Bool, "set": Set, "nums": Nums,
	"hex32": Hex32, "hex64": Hex64, "sid": SID, "guid": GUID, "addr": Addr, "port": Port, "enum": Enum,
}

// Append writes the record as its source sends it live: one line without its
// end.
func (r *Record) Append(b []byte) []byte {
	switch r.Schema.Kind {
	case Windows:
		return r.appendWinlogbeat(b)
	case FortiGate:
		return r.appendFortiGate(b)
	case Zeek:
		return r.appendZeekJSON(b)
	case Syslog:
		return r.appendSyslog(b)
	case NetFlow:
		return r.appendNetFlow(b)
	default:
		return r.appendEVE(b)
	}
}

const hexDigits = "0123456789abcdef"

// quote appends s as a JSON string. What is not UTF-8 does not occur here.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// member appends ,"name":"value".
func member(b []byte, name, value string) []byte {
	b = append(b, ',')
	b = quote(b, name)
	b = append(b, ':')
	return quote(b, value)
}
