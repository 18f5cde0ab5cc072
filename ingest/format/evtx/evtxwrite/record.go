// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtxwrite

import "time"

// Record is one event to be written. Zero values are left out the way Windows
// leaves them out, unless the field says otherwise.
type Record struct {
	ID      uint64    // EventRecordID and record header; 0 means one more than the last
	Time    time.Time // TimeCreated, kept to 100 ns; years 1601 to 9999
	Written time.Time // record header; zero means Time

	Provider     string
	ProviderGUID string // with or without braces; "" leaves the attribute out
	Channel      string
	Computer     string

	EventID    uint16
	Qualifiers *uint16 // classic events have one; nil leaves the attribute out
	Version    uint8
	Level      uint8
	Task       uint16
	Opcode     uint8
	Keywords   uint64

	ProcessID         uint32 // with ThreadID 0 too, Execution has no attributes
	ThreadID          uint32
	ActivityID        string // GUID
	RelatedActivityID string // GUID
	UserSID           string // S-1-...

	Unnamed []string  // <Data> without a name, before Data: classic events
	Binary  []byte    // <Binary> of classic events; nil leaves it out
	Data    []Field   // <Data Name="...">
	User    *UserData // instead of EventData
}

// UserData is the payload of events that do not use EventData, such as 1102
// (log cleared).
type UserData struct {
	Name      string // element below UserData, e.g. LogFileCleared
	Namespace string // its xmlns; "" for none
	Fields    []Field
}

// Field is a named value. Value is text whatever the type, in the form that a
// decoder shows (decimal, 0x hex, RFC 3339, S-1-..., GUID, hex digits), so that
// one table of texts feeds every format an exercise writes.
type Field struct {
	Name  string
	Type  Type   // zero means String
	Value string // ignored when List is not nil
	List  []string
}

// Type is a BinXML value type; the numbers are those of the format.
type Type uint8

// The types that can be written. A Field with a List is an array of its type.
const (
	String   Type = 0x01 // UTF-16
	ANSI     Type = 0x02 // code page 1252; other characters are refused
	Int8     Type = 0x03
	Uint8    Type = 0x04
	Int16    Type = 0x05
	Uint16   Type = 0x06
	Int32    Type = 0x07
	Uint32   Type = 0x08
	Int64    Type = 0x09
	Uint64   Type = 0x0a
	Float32  Type = 0x0b
	Float64  Type = 0x0c
	Bool     Type = 0x0d // "true" or "false"
	Binary   Type = 0x0e // hex digits
	GUID     Type = 0x0f
	Size     Type = 0x10 // pointer: 8 bytes, shown as 0x hex
	FileTime Type = 0x11 // RFC 3339
	SysTime  Type = 0x12 // RFC 3339, to the millisecond
	SID      Type = 0x13
	Hex32    Type = 0x14
	Hex64    Type = 0x15
	Null     Type = 0xff // present without a value; Value is ignored. libevtx 20181227 cannot read it

	binXML Type = 0x21
	array  Type = 0x80
)
